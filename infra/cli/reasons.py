"""`rescind reasons`: the canonical reasons, and what other houses' codes mean in them, both ways."""

import csv
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import click

from domain.instants import Instant
from domain.reasons import CANCEL_REASONS
from domain.wording import counted
from infra.cli.exits import CommandRefused, Unavailable, UsageError
from infra.cli.options import INSTANT, as_json, check_period, stored
from infra.cli.printing import console, echo, print_json, say, table

if TYPE_CHECKING:
    from domain.code_schemes import CodeScheme, Step
    from infra.documents.export import Coded
    from infra.settings import Settings

HOUSE: Final = click.Choice(["ebay", "walmart", "amazon", "shopify", "x12"])
"""The houses of ``domain.code_schemes``, which is imported when it is needed; a test compares them."""


@click.group()
def reasons() -> None:
    """Reasons of cancellations, and their crosswalk to other houses' codes."""


@reasons.command("list")
@click.option("--house", type=HOUSE, help="This house's codes instead of the canonical reasons.")
@as_json
def list_(house: str | None, as_json: bool) -> None:
    """Every canonical reason, or every code of a house, with what it says."""
    from domain.code_schemes import HOUSES
    from infra.documents.words import REASON

    listed = {name: REASON[name] for name in CANCEL_REASONS} if house is None else dict(HOUSES[house].codes)
    key = "reason" if house is None else "code"
    if as_json:
        print_json([{key: name, "says": says} for name, says in listed.items()])
        return
    console().print(table([key, "says"], listed.items()))


@reasons.command("map")
@click.argument("house", type=HOUSE)
@click.argument("name", required=False, metavar="[REASON|CODE]")
@as_json
def map_(house: str, name: str | None, as_json: bool) -> None:
    """What a house's CODE means here, or which code says a canonical REASON; without either, both directions.

    Every mapping that loses meaning says what is lost. Exit 1 where there is no counterpart.
    """
    from domain.code_schemes import HOUSES

    found = HOUSES[house]
    if name is None:
        _print_all(found, as_json)
        return
    step = found.code(name) if name in CANCEL_REASONS else found.canonical(name)
    if step is None:
        raise UsageError(
            f"{name!r} is neither a canonical reason nor a code of {found.name}: see `rescind reasons list` and "
            f"`rescind reasons list --house {house}`"
        )
    if as_json:
        print_json(told(step))
    if step.to is None:
        raise CommandRefused(f"{name} has no counterpart: {step.loses}")
    if not as_json:
        echo(f"{step.to}, which loses {step.loses}" if step.loses else step.to)


@reasons.command()
@click.argument("house", type=HOUSE)
@click.option("--since", type=INSTANT, help="What was recorded at this instant or later.")
@click.option("--until", type=INSTANT, help="What was recorded before this instant.")
@as_json
@stored
def export(settings: "Settings", house: str, since: Instant | None, until: Instant | None, as_json: bool) -> None:
    """Every line that was asked for or cancelled, with the code by which a house says its reason: CSV on standard
    output (--json: a JSON object a line).

    What a code leaves out is in the column `loses`; a reason without counterpart has no code. Standard error sums up.
    """
    from domain.code_schemes import HOUSES
    from infra.documents.export import UnreadableEvent, coded
    from infra.store.reader import open_reader

    check_period(since, until)
    count = losing = codeless = 0

    def rows() -> "Iterable[Coded]":
        nonlocal count, losing, codeless
        for row in coded(reader, HOUSES[house], since, until):
            count += 1
            codeless += row.code is None
            losing += row.code is not None and row.loses is not None
            yield row

    with open_reader(settings) as reader:
        try:
            (_write_json if as_json else _write_csv)(rows())
        except UnreadableEvent as wrong:
            raise Unavailable(f"{wrong}; what stands above is not all: export with the release that wrote it") from None
    say(
        f"{counted(count, 'line')} in the codes of {HOUSES[house].name}: {losing:,} "
        f"{'loses' if losing == 1 else 'lose'} meaning, "
        f"{codeless:,} {'has' if codeless == 1 else 'have'} no code"
    )


def _write_csv(rows: "Iterable[Coded]") -> None:
    """RFC 4180, UTF-8."""
    from infra.documents.csv_cells import safe_cell
    from infra.documents.export import COLUMNS

    out = csv.writer(sys.stdout)
    out.writerow(COLUMNS)
    out.writerows(map(safe_cell, row.json().values()) for row in rows)


def _write_json(rows: "Iterable[Coded]") -> None:
    for row in rows:
        print_json(row.json())


def told(step: "Step") -> dict[str, Any]:
    """A mapping as JSON."""
    return {"of": step.of, "to": step.to, "loses": step.loses}


def _print_all(house: "CodeScheme", as_json: bool) -> None:
    inward, outward = house.inward.values(), house.outward.values()
    if as_json:
        print_json({"house": house.id, "inward": [told(s) for s in inward], "outward": [told(s) for s in outward]})
        return
    out = console()
    for title, steps in ((["code", "reason", "loses"], inward), (["reason", "code", "loses"], outward)):
        out.print(table(title, [(s.of, s.to or "none", s.loses or "") for s in steps]))
        out.print()
