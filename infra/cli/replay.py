"""`rescind replay`: the views made anew from the journal, or compared with it row by row."""

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from infra.cli.exits import EXIT_NO, No
from infra.cli.options import as_json, stored
from infra.cli.printing import console, plain, print_json, table

if TYPE_CHECKING:
    from infra.settings import Settings
    from infra.views.replay import Progress, Report


@click.command()
@click.option(
    "--check", is_flag=True, help="Change nothing: compare the live views with the journal; exit 1 if they differ."
)
@as_json
@stored
def replay(settings: "Settings", check: bool, as_json: bool) -> int:
    """Rebuild every view from the journal; readers see the old rows until the new ones are in their place."""
    from consumers.views import ViewsDamaged
    from infra.replaying import run_replay
    from infra.views.kept import ViewsOfAnotherRelease

    try:
        with ExitStack() as stack:
            report = run_replay(settings, check=check, progress=_bar(stack))
    except (ViewsDamaged, ViewsOfAnotherRelease) as found:
        if check:
            raise No(str(found)) from None
        raise
    if report.another_log is not None:
        raise No(f"{report.another_log}: make the views anew with `rescind replay`, or name others with --views")
    if as_json:
        print_json(
            {
                "checked" if check else "rebuilt": True,
                "clean": report.clean,
                "commits": report.commits,
                "events": report.events,
                "seconds": round(report.seconds, 3),
                "rows": report.rows,
                "parked": report.parked,
                "differing": report.differing,
                "differences": [str(difference) for difference in report.differences],
            }
        )
    else:
        _print(report, check)
    return 0 if report.clean else EXIT_NO


def _print(report: "Report", check: bool) -> None:
    out = console()
    rate = report.events / report.seconds if report.seconds else 0
    done = "compared" if check else "rebuilt"
    out.print(
        f"{done} from {report.commits:,} commits, {report.events:,} events, in {report.seconds:.1f} s ({rate:,.0f}/s)"
    )
    out.print(table(["table", "rows"], [(name, f"{count:,}") for name, count in report.rows.items()], right=["rows"]))
    if report.parked:
        out.print(f"[red]{report.parked} orders are parked (table dead_letters): their events could not be told[/]")
    if not check:
        return
    if report.clean:
        out.print("[green]clean: the views are what the journal says[/]")
        return
    for difference in report.differences[:20]:
        out.print(plain(str(difference)))
    out.print(f"[red]{report.differing:,} differences[/]: `rescind replay` makes the views anew")


def _bar(stack: ExitStack) -> "Progress | None":
    if not sys.stderr.isatty():
        return None
    from rich.progress import Progress

    bar = stack.enter_context(Progress(console=console(stderr=True), transient=True))
    task = bar.add_task("commits", total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)
