"""Measure ratios side by side in one run: ``make bench``, or ``python -m tests.bench NAME...``."""

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from domain.instants import format_instant
from infra.cli.exits import UsageError, explain
from infra.cli.files import Written, check_output
from infra.cli.options import as_json, stored
from infra.cli.printing import console, echo, print_json, say, table
from infra.runtime.clock import clock

if TYPE_CHECKING:
    from infra.settings import Settings
    from tests.bench.figures import Figure

BENCHES = {
    "B1": "acknowledged commands a second on the embedded journal",
    "B2": "replay and verify, events a second and core, from Kafka too where --journal names one",
    "B3": "every view rebuilt, on SQLite, and on PostgreSQL where --views names one",
    "B5": "cost of a command as history grows, and memory",
    "B6": "two processes against one, on Kafka too where --journal names one",
    "K1": "B1 on Kafka, where --journal names one (docs/how-to/measure.md)",
}


@click.command(help="Measure: " + "; ".join(f"{name} {what}" for name, what in BENCHES.items()) + ".")
@click.argument("names", metavar="[B1|B2|B3|B5|B6|K1]...", nargs=-1, type=click.Choice(list(BENCHES)))
@click.option("--scale", default=1.0, show_default=True, type=click.FloatRange(0.001, 10), help="Smaller is quicker.")
@click.option("--full", is_flag=True, help="B5 up to 1,000,000 orders; takes minutes.")
@click.option("--out", default="bench/results.json", show_default=True, metavar="FILE", help="Where the figures go.")
@as_json
@stored
def bench(settings: "Settings", names: tuple[str, ...], scale: float, full: bool, out: str, as_json: bool) -> None:
    on_kafka = settings.journal_at.kafka is not None
    if "K1" in names and not on_kafka:
        raise UsageError("K1 is measured on a Kafka cluster: name it with --journal kafka://HOST:PORT/PREFIX")
    path = Path(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise UsageError(
            f"--out {out}: there can be no folder {path.parent} ({wrong.strerror}): name another file"
        ) from None
    check_output("--out", out, reads=(), settings=settings)
    figures: list[Figure] = []
    for figure in _measured(
        names or tuple(name for name in BENCHES if name != "K1" or on_kafka), settings, scale, full
    ):
        say(f"{figure.bench}  {figure.measure}: {figure.value:,.0f} {figure.unit}")
        figures.append(figure)
    results = {
        "machine": _machine(),
        "at": format_instant(clock()),
        "scale": scale,
        "figures": [f.json() for f in figures],
    }
    with Written("--out", out) as file:
        file.write(json.dumps(results, ensure_ascii=False, indent=2) + "\n")
    if as_json:
        print_json(results)
    else:
        _print(figures)
        echo(f"written: {path}")


def _measured(names: tuple[str, ...], settings: "Settings", scale: float, full: bool) -> "Iterator[Figure]":
    if "B1" in names:
        from tests.bench import writing

        yield from writing.measure(scale)
    if "B2" in names:
        from tests.bench import replaying

        yield from replaying.measure(scale)
        at = settings.journal_at.kafka
        if at is not None:
            from tests.bench import replaying_kafka

            yield from replaying_kafka.measure(scale, settings, at)
    if "B3" in names:
        from tests.bench import rebuilding

        yield from rebuilding.measure(scale, settings)
    if "B5" in names:
        from tests.bench import growing

        yield from growing.measure(scale, full=full)
    if "B6" in names:
        from tests.bench import processes

        yield from processes.measure(scale, settings)
    if "K1" in names:
        from tests.bench import kafka

        yield from kafka.measure(scale, settings)


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def _print(figures: "list[Figure]") -> None:
    rows = []
    for figure in figures:
        rows.append((figure.bench, figure.measure, f"{figure.value:,.0f} {figure.unit}", ""))
        rows += [
            ("", f"  baseline: {name}", f"{other:,.0f} {figure.unit}", f"{figure.ratios[name]:.2f}")
            for name, other in figure.baselines.items()
        ]
        details = ", ".join(f"{k} {v:,.1f}" if isinstance(v, float) else f"{k} {v}" for k, v in figure.also.items())
        rows.append(("", f"  {details}", "", ""))
    console().print(table(["", "measure", "value", "ratio"], rows, right=["value", "ratio"]))


if __name__ == "__main__":
    try:
        bench(prog_name="python -m tests.bench")
    except Exception as wrong:
        found = explain(wrong)
        if found is None:
            raise
        code, sentence = found
        sys.stderr.write(f"bench: {sentence}\n")
        sys.exit(code)
