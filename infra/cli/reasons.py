"""`rescind reasons`: lists the canonical reasons and maps them to other companies' codes and back."""

import csv
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import click

from domain.instants import Instant
from domain.reasons import CANCEL_REASONS
from domain.wording import counted
from infra.cli.exits import CommandRefused, Unavailable, UsageError
from infra.cli.groups import Group
from infra.cli.options import INSTANT, as_json, check_period, stored
from infra.cli.printing import console, echo, print_json, say, table

if TYPE_CHECKING:
    from domain.code_schemes import CodeScheme, Step
    from infra.documents.export import Coded
    from infra.settings import Settings

SCHEME: Final = click.Choice(["ebay", "walmart", "amazon", "shopify", "x12"])
"""Ids of the code schemes of ``domain.code_schemes``, which is imported only when needed; a test compares them."""


@click.group(cls=Group)
def reasons() -> None:
    """List reasons for cancellations and map them to other companies' codes."""


@reasons.command("list")
@click.option("--house", "scheme", type=SCHEME, help="List this company's codes instead of the canonical reasons.")
@as_json
def list_(scheme: str | None, as_json: bool) -> None:
    """List every canonical reason, or every code of a company, with its meaning."""
    from domain.code_schemes import CODE_SCHEMES
    from infra.documents.words import REASON

    listed = {name: REASON[name] for name in CANCEL_REASONS} if scheme is None else dict(CODE_SCHEMES[scheme].codes)
    key = "reason" if scheme is None else "code"
    if as_json:
        print_json([{key: name, "says": says} for name, says in listed.items()])
        return
    console().print(table([key, "says"], listed.items()))


@reasons.command("map")
@click.argument("scheme", type=SCHEME)
@click.argument("name", required=False, metavar="[REASON|CODE]")
@as_json
def map_(scheme: str, name: str | None, as_json: bool) -> None:
    """Map a company's CODE to a canonical REASON or a REASON to a CODE; without either, list both directions.

    A mapping that loses meaning says what is lost. Exit 1 if there is no counterpart.
    """
    from domain.code_schemes import CODE_SCHEMES

    found = CODE_SCHEMES[scheme]
    if name is None:
        _print_all(found, as_json)
        return
    step = found.code(name) if name in CANCEL_REASONS else found.canonical(name)
    if step is None:
        raise UsageError(
            f"{name!r} is neither a canonical reason nor a code of {found.name}. See `rescind reasons list` and "
            f"`rescind reasons list --house {scheme}`."
        )
    if as_json:
        print_json(step_json(step))
    if step.to is None:
        raise CommandRefused(f"{name} has no counterpart: {step.loses}")
    if not as_json:
        echo(f"{step.to}, which loses {step.loses}" if step.loses else step.to)


@reasons.command()
@click.argument("scheme", type=SCHEME)
@click.option("--since", type=INSTANT, help="Only what was recorded at this instant or later.")
@click.option("--until", type=INSTANT, help="Only what was recorded before this instant.")
@as_json
@stored
def export(settings: "Settings", scheme: str, since: Instant | None, until: Instant | None, as_json: bool) -> None:
    """Export every requested or canceled line with the company's code for its reason, as CSV (--json: JSON Lines).

    The column `loses` has what the code does not express; a reason without counterpart has no code. A summary goes to
    standard error.
    """
    from domain.code_schemes import CODE_SCHEMES
    from infra.documents.export import UnreadableEvent, coded
    from infra.store.reader import open_reader

    check_period(since, until)
    count = losing = codeless = 0

    def rows() -> "Iterable[Coded]":
        nonlocal count, losing, codeless
        for row in coded(reader, CODE_SCHEMES[scheme], since, until):
            count += 1
            codeless += row.code is None
            losing += row.code is not None and row.loses is not None
            yield row

    with open_reader(settings) as reader:
        try:
            (_write_json if as_json else _write_csv)(rows())
        except UnreadableEvent as wrong:
            raise Unavailable(
                f"{wrong}. The export is incomplete; repeat it with the release that wrote the event."
            ) from None
    say(
        f"{counted(count, 'line')} in the codes of {CODE_SCHEMES[scheme].name}: {losing:,} "
        f"{'loses' if losing == 1 else 'lose'} meaning, "
        f"{codeless:,} {'has' if codeless == 1 else 'have'} no code"
    )


def _write_csv(rows: "Iterable[Coded]") -> None:
    """Write CSV (RFC 4180) in UTF-8."""
    from infra.documents.csv_cells import safe_cell
    from infra.documents.export import COLUMNS

    out = csv.writer(sys.stdout)
    out.writerow(COLUMNS)
    out.writerows(map(safe_cell, row.json().values()) for row in rows)


def _write_json(rows: "Iterable[Coded]") -> None:
    for row in rows:
        print_json(row.json())


def step_json(step: "Step") -> dict[str, Any]:
    """Return a mapping as JSON."""
    return {"of": step.of, "to": step.to, "loses": step.loses}


def _print_all(scheme: "CodeScheme", as_json: bool) -> None:
    inward, outward = scheme.inward.values(), scheme.outward.values()
    if as_json:
        print_json(
            {"house": scheme.id, "inward": [step_json(s) for s in inward], "outward": [step_json(s) for s in outward]}
        )
        return
    out = console()
    for title, steps in ((["code", "reason", "loses"], inward), (["reason", "code", "loses"], outward)):
        out.print(table(title, [(s.of, s.to or "none", s.loses or "") for s in steps]))
        out.print()
