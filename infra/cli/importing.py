"""`rescind import`: imports past orders and prints totals."""

import sys
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import click

from domain.instants import Instant
from domain.wording import counted
from infra.cli.exits import EXIT_NO, Unavailable, UsageError
from infra.cli.files import NotWritten, Written, check_output
from infra.cli.options import INSTANT, as_json, stored
from infra.cli.printing import console, echo, plain, print_json, say, table
from infra.cli.reasons import SCHEME

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, TaskID

    from infra.app import App
    from infra.importing.items import Input
    from infra.importing.pipeline import ImportOptions, Totals
    from infra.settings import Settings

_HELP = """Import past orders. FILE: a commands file (JSON Lines; - is standard input) or a folder with --format olist.

Every command is decided as of its own time. It sends nothing to payment, warehouse or mail, unless --live is given.
Importing the same input again changes nothing. An interrupted import continues where it stopped. Exit 1 if a line was
bad."""


@click.command("import", help=_HELP)
@click.argument("file", required=False)
@click.option("--format", "form", type=click.Choice(["commands", "olist"]), default="commands", show_default=True)
@click.option(
    "--policy", help="Policy of orders that name none. [default: the marketplace's; seller-portal with --format olist]"
)
@click.option("--reasons", "scheme", type=SCHEME, help="Translate reasons that are codes of this company.")
@click.option("--strict", is_flag=True, help="Stop at the first bad line; commands are then decided one by one.")
@click.option("--until", type=INSTANT, help="Afterwards apply every deadline before this instant.")
@click.option("--finish", is_flag=True, help="Close interrupted imports that will not be run again. Takes no FILE.")
@click.option("--live", is_flag=True, help="Send instructions and notifications for these commands.")
@click.option("--report", metavar="FILE", help="Write a JSON line for every refused and bad command.")
@as_json
@stored
def import_(  # an argument for each option of the command
    settings: "Settings",
    file: str | None,
    form: str,
    policy: str | None,
    scheme: str | None,
    strict: bool,
    until: Instant | None,
    finish: bool,
    live: bool,
    report: str | None,
    as_json: bool,
) -> int:
    from consumers.engine.dependencies import IMPORT, IMPORT_LIVE
    from infra.app import AppOptions, open_app
    from infra.runtime.import_lock import held

    if finish == (file is not None):
        raise UsageError("name one input: a FILE, - for standard input, or --finish to close interrupted imports")
    if scheme is not None and form == "olist":
        raise UsageError("--reasons needs a commands file. The Olist data set has no codes.")
    if report is not None:
        check_output("--report", report, reads=() if file is None else (file,), settings=settings)
    with ExitStack() as stack:
        bar = stack.enter_context(_Bar())
        bar.show(f"reading {file}" if file is not None else "opening the store")
        source = None if file is None else stack.enter_context(closing(_opened(file, form, policy, scheme)))
        to_report = None if report is None else stack.enter_context(Written("--report", report))
        bar.show("opening the store")
        stack.enter_context(held(settings.journal_at.directory))
        app = stack.enter_context(open_app(settings, AppOptions(mode=IMPORT_LIVE if live else IMPORT)))
        app.catch_up()
        if source is None:
            bar.close()
            return _finish(app, until, as_json)
        from infra.importing.pipeline import ImportOptions

        return _run(app, source, ImportOptions(strict, until, to_report, bar.of(source.size)), file or "", bar, as_json)


def _opened(file: str, form: str, policy: str | None, scheme: str | None) -> "Input":
    if form == "olist":
        from infra.importing.olist import open_olist

        return open_olist(file, policy)
    from infra.importing.commands_file import open_commands

    if scheme is None:
        return open_commands(file, policy=policy)
    from domain.code_schemes import CODE_SCHEMES
    from infra.importing.reasons import Translator

    return open_commands(file, Translator(CODE_SCHEMES[scheme]), policy)


def _run(app: "App", source: "Input", options: "ImportOptions", name: str, bar: "_Bar", as_json: bool) -> int:
    from infra.importing.pipeline import ImportFailed, run_import

    began = time.monotonic()
    try:
        with bar:
            totals = run_import(app, source, options)
            bar.show("updating the views")
            _catch_up(app)
    except ImportFailed as failed:
        raise Unavailable(f"{failed}. The import stays open; the same command continues where it stopped.") from None
    except BaseException as ended:
        if isinstance(ended, NotWritten) or not isinstance(ended, Exception):
            say("rescind: the import was interrupted and stays open; the same command continues where it stopped")
        raise
    totals.seconds = time.monotonic() - began
    summary: dict[str, Any] = totals.json()
    differences = _differences(source)
    if differences is not None:
        summary["payments_differ"] = differences
    translated = _translated(source)
    if translated is not None:
        summary["translated"] = translated
    if as_json:
        print_json(summary)
    else:
        _print_totals(totals, differences, name)
        _print_translated(translated or [])
    if totals.stopped_at is not None:
        say(
            f"rescind: stopped at line {totals.stopped_at}. The import stays open. Correct the file and import it, "
            "then run `rescind import --finish`."
        )
    _say_open(app, source.sha256)
    return EXIT_NO if totals.bad else 0


def _finish(app: "App", until: Instant | None, as_json: bool) -> int:
    from infra.importing.pipeline import ImportFailed, finish_imports

    try:
        closed = finish_imports(app, until)
    except ImportFailed as failed:
        raise Unavailable(f"{failed}. The import stays open; the same command closes it.") from None
    _catch_up(app)
    if as_json:
        print_json([{"marketplace": m, "input": sha256.hex(), "deadlines_reached": n} for m, sha256, n in closed])
    elif not closed:
        echo("no import is open")
    else:
        for marketplace, sha256, reached in closed:
            deadlines = f", {counted(reached, 'deadline')} reached" if until is not None else ""
            echo(f"closed: the import of {sha256.hex()[:16]}… into {marketplace}{deadlines}")
    return 0


def _catch_up(app: "App") -> None:
    """Wait until erasures are carried out and the views show the import; Unavailable says why not."""
    if not app.erasing.catch_up():
        raise Unavailable(
            f"everything is in the journal, but some erased keys may still exist: "
            f"{app.erasing.trouble or 'the eraser is behind'}. The next start destroys them."
        )
    if app.views is not None and not app.views.catch_up():
        raise Unavailable(f"everything is in the journal, but the views are behind: {app.views.trouble}")


def _say_open(app: "App", sha256: bytes) -> None:
    others = sorted({name for name, other in app.ask(lambda engine: engine.imports.inputs()) if other != sha256})
    if others:
        say(
            f"rescind: an import of another input into {', '.join(others)} is still open. Run it again, "
            "or close it with `rescind import --finish`."
        )


def _differences(source: "Input") -> dict[str, Any] | None:
    """Return the orders of an Olist folder whose payments differ from their total."""
    from infra.importing.olist import OlistFolder

    if not isinstance(source, OlistFolder):
        return None
    found = source.differences
    some = [{"order_id": d.order_id, "total": str(d.total), "paid": str(d.paid)} for d in found[:100]]
    return {"count": len(found), "orders": some}


def _print_totals(totals: "Totals", differences: dict[str, Any] | None, name: str) -> None:
    out = console()
    rate = totals.read / totals.seconds if totals.seconds else 0
    out.print(f"[bold]{plain(name)}[/]: {totals.read:,} read in {totals.seconds:.1f} s ({rate:,.0f} a second)")
    rows: list[tuple[str, str]] = [("accepted", f"{totals.accepted:,}")]
    rows += [(f"refused: {rule}", f"{count:,}") for rule, count in totals.json()["refused"].items()]
    rows += [("duplicate", f"{totals.duplicate:,}"), ("bad", f"{totals.bad:,}")]
    if totals.reached:
        rows.append(("deadlines reached afterwards", f"{totals.reached:,}"))
    out.print(table(["outcome", "number"], rows, right=["number"]))
    for bad in totals.bad_lines[:20]:
        out.print(plain(f"line {bad['line']}: {bad['error']}"))
    if totals.bad > 20:
        out.print(f"… and {totals.bad - 20:,} more bad lines; --report FILE writes all of them")
    if differences is not None and differences["count"]:
        out.print(
            f"{counted(differences['count'], 'order was', 'orders were')} paid differently from the total, "
            "for instance:"
        )
        for each in differences["orders"][:5]:
            out.print(plain(f"  {each['order_id']}: total {each['total']}, paid {each['paid']}"))


def _translated(source: "Input") -> list[dict[str, Any]] | None:
    """Return how another company's codes were translated; None without --reasons."""
    from infra.importing.commands_file import CommandsFile

    if not isinstance(source, CommandsFile) or source.translate is None:
        return None
    return source.translate.json()


def _print_translated(translated: list[dict[str, Any]]) -> None:
    for each in translated:
        loses = f", which loses {each['loses']}" if each["loses"] else ""
        console().print(plain(f"{each['count']:,} × {each['code']} recorded as {each['reason']}{loses}"))


class _Bar:
    """A progress bar on a terminal; nothing elsewhere."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "_Bar":
        if self._progress is None and sys.stderr.isatty():
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
            self._progress = Progress(*columns, TimeRemainingColumn(), console=console(stderr=True), transient=True)
            self._task = self._progress.add_task("", total=None)
            self._progress.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar."""
        if self._progress is not None:
            self._progress.stop()

    def show(self, what: str) -> None:
        """Show what is being done while its length is unknown."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=plain(what))

    def of(self, size: int) -> "Callable[[int, Totals], None]":
        """Return a function that moves the bar by bytes done of ``size`` and the totals so far."""

        def moved(done: int, totals: "Totals") -> None:
            if self._progress is not None and self._task is not None:
                text = counted(totals.read, "command")
                self._progress.update(self._task, completed=done, total=size, description=text)

        return moved
