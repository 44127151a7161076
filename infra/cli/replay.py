"""`rescind replay`: rebuilds the views from the journal, or compares them with it row by row."""

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from domain.wording import counted
from infra.cli.exits import EXIT_NO, CommandRefused
from infra.cli.options import as_json, stored
from infra.cli.printing import console, plain, print_json, table

if TYPE_CHECKING:
    from infra.settings import Settings
    from infra.views.replay import Progress, ReplayReport


@click.command()
@click.option(
    "--check",
    is_flag=True,
    help="Change nothing; verify the journal, and compare the views with it. Exit 1 if anything differs.",
)
@as_json
@stored
def replay(settings: "Settings", check: bool, as_json: bool) -> int:
    """Rebuild every view from the journal; readers see the old rows until the new ones are complete."""
    from consumers.ports.views import ViewsDamaged
    from infra.projection.replaying import KEEP, run_replay
    from infra.views.base import ViewsOfAnotherRelease

    try:
        with ExitStack() as stack:
            report = run_replay(settings, check=check, progress=_bar(stack))
    except (ViewsDamaged, ViewsOfAnotherRelease) as found:
        if check:
            raise CommandRefused(str(found)) from None
        raise
    if not as_json and report.wrong:
        raise CommandRefused(f"the log has changed: {'; '.join(report.wrong)}. {KEEP}")
    if not as_json and report.another_log is not None:
        raise CommandRefused(f"{report.another_log}. Rebuild them with `rescind replay`, or name others with --views.")
    if as_json:
        print_json(
            {
                "checked" if check else "rebuilt": True,
                "clean": report.clean,
                "journal_clean": not report.wrong,
                "wrong": report.wrong,
                "notes": report.notes,
                "local_state": report.local_state,
                "another_log": report.another_log,
                "records": report.records,
                "partitions": report.partitions,
                "admitted": report.admitted,
                "compared": report.compared,
                "behind": report.behind,
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
    return 0 if report.clean and not (check and report.local_state) else EXIT_NO


def _print(report: "ReplayReport", check: bool) -> None:
    out = console()
    rate = report.events / report.seconds if report.seconds else 0
    out.print(
        f"read {counted(report.records, 'record')} of {counted(report.partitions, 'partition')} and of the control "
        f"log, admitted {counted(report.admitted, 'commit')}"
    )
    done = f"compared {counted(report.compared, 'table')}" if check else "rebuilt"
    out.print(
        f"{done} from {counted(report.commits, 'commit')}, {counted(report.events, 'event')}, in "
        f"{report.seconds:.1f} s ({rate:,.0f}/s)"
    )
    out.print(table(["table", "rows"], [(name, f"{count:,}") for name, count in report.rows.items()], right=["rows"]))
    if report.parked:
        out.print(
            f"[red]{counted(report.parked, 'order is', 'orders are')} parked (table dead_letters): the events "
            "could not be applied[/]"
        )
    if not check:
        return
    for note in (*report.notes, *report.local_state):
        out.print(f"[red]{plain(note)}[/]")
    if report.behind:
        out.print(f"the views are {counted(report.behind, 'commit')} behind the log; these were not compared")
    if report.clean:
        out.print("[green]clean: the journal fits its hashes, and the views are what it says[/]")
        return
    for difference in report.differences[:20]:
        out.print(plain(str(difference)))
    if report.notes or not report.confirmed:
        advice = "no local state confirms the journal, so compare it with a copy before you rebuild the views from it"
        if report.confirmed:
            advice = "compare the journal with a copy before you rebuild the views from it"
    else:
        advice = "the journal is clean, `rescind replay` rebuilds the views"
    out.print(f"[red]{report.differing:,} differences[/]: {advice}")


def _bar(stack: ExitStack) -> "Progress | None":
    if not sys.stderr.isatty():
        return None
    from rich.progress import Progress

    bar = stack.enter_context(Progress(console=console(stderr=True), transient=True))
    task = bar.add_task("records, then commits", total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)
