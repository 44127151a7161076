"""`rescind doctor`: checks the whole store and says what to do about problems."""

import sys
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from infra.cli.exits import EXIT_NO
from infra.cli.options import as_json, stored
from infra.cli.printing import console, plain, print_json

if TYPE_CHECKING:
    from infra.diagnostics.findings import Progress
    from infra.settings import Settings

_MARK = {"ok": "[green]ok[/]   ", "note": "[yellow]note[/] ", "wrong": "[red]wrong[/]"}


@click.command()
@click.option("--deep", is_flag=True, help="Also verify every commit by deciding it again from the log.")
@as_json
@stored
def doctor(settings: "Settings", deep: bool, as_json: bool) -> int:
    """Check every part of the store, and say what is wrong and what to do. Changes nothing; exit 1 for a problem."""
    from infra.diagnostics import examine

    with ExitStack() as stack:
        findings = list(examine(settings, deep=deep, progress=_bar(stack)))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        out = console()
        for finding in findings:
            out.print(f"{_MARK[finding.state]}  [bold]{finding.part}[/]: {plain(finding.said)}")
            if finding.do:
                out.print(f"         what to do: {plain(finding.do)}")
    return EXIT_NO if any(finding.state == "wrong" for finding in findings) else 0


def _bar(stack: ExitStack) -> "Progress | None":
    if not sys.stderr.isatty():
        return None
    from rich.progress import Progress

    bar = stack.enter_context(Progress(console=console(stderr=True), transient=True))
    task = bar.add_task("records", total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)
