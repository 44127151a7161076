"""`rescind seller`: a seller's standing, as the log has it at this moment."""

from typing import TYPE_CHECKING, Any

import click

from infra.cli.exits import CommandRefused, UsageError
from infra.cli.options import as_json, stored
from infra.cli.printing import console, plain, print_json, table, when

if TYPE_CHECKING:
    from infra.settings import Settings


@click.group()
def seller() -> None:
    """Sellers and their standing. SELLER is written marketplace/seller_id."""


@seller.command()
@click.argument("seller")
@as_json
@stored
def show(settings: "Settings", seller: str, as_json: bool) -> None:
    """Counts, rate, limit and window: what stands against the seller, of what was placed."""
    from infra.documents.seller_dashboard import from_log
    from infra.runtime.clock import clock
    from infra.store.order_search import unknown_marketplace
    from infra.store.reader import open_reader

    marketplace, slash, name = seller.partition("/")
    if not (slash and marketplace and name):
        raise UsageError(f"{seller!r} is no seller: write marketplace/seller_id")
    with open_reader(settings) as reader:
        told = from_log(reader, marketplace, name, clock())
        if told is None:
            unknown = unknown_marketplace(reader, marketplace)
            raise CommandRefused(unknown or f"{name} has no order in {marketplace}: check marketplace and seller id")
    if as_json:
        print_json(told)
    else:
        _print(told)


def _print(told: dict[str, Any]) -> None:
    out = console()
    window, counts = told["window"], told["counts"]
    out.print(f"[bold]{plain(told['marketplace'])}/{plain(told['seller_id'])}[/], as of {when(told['as_of'])}")
    out.print(plain(f"{window['length']}: {window['first_day']} to {window['last_day']}, {window['timezone']}"))
    rate = "no line was placed" if told["rate"] is None else percent(told["rate"])
    if told["limit"] is None:
        limit = f"{told['policy']['id']}@{told['policy']['version']} sets no limit"
    else:
        kept = "kept" if told["within_limit"] else "[bold]broken[/]"
        limit = f"the limit of {percent(told['limit'])} is {kept}"
    out.print(f"rate {rate}; {limit}\n")
    out.print(table(["in the window", "lines"], rows(counts), right=["lines"]))


def rows(counts: dict[str, int]) -> list[tuple[str, str]]:
    """What is counted, in words."""
    return [
        ("placed", f"{counts['lines_placed']:,}"),
        ("cancelled by the seller", f"{counts['lines_canceled_by_seller']:,}"),
        ("cancelled by themselves", f"{counts['lines_auto_canceled']:,}"),
        ("cancelled by request (not against the seller)", f"{counts['lines_canceled_by_request']:,}"),
    ]


def percent(rate: float) -> str:
    """A rate to read."""
    return f"{rate * 100:.2f} %"
