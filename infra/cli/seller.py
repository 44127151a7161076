"""`rescind seller`: shows a seller's cancellation rate, computed from the log."""

from typing import TYPE_CHECKING, Any

import click

from infra.cli.exits import CommandRefused, UsageError
from infra.cli.groups import Group
from infra.cli.options import as_json, stored
from infra.cli.printing import console, plain, print_json, table, when

if TYPE_CHECKING:
    from infra.settings import Settings


@click.group(cls=Group, usual="show")
def seller() -> None:
    """Show a seller's cancellation rate. SELLER is written marketplace/seller_id."""


@seller.command()
@click.argument("seller")
@as_json
@stored
def show(settings: "Settings", seller: str, as_json: bool) -> None:
    """Show a seller's cancellation rate with its limit, window and counts."""
    from infra.documents.seller_dashboard import from_log
    from infra.runtime.clock import clock
    from infra.store.order_search import unknown_marketplace
    from infra.store.reader import open_reader

    marketplace, slash, name = seller.partition("/")
    if not (slash and marketplace and name):
        raise UsageError(f"{seller!r} does not name a seller: write marketplace/seller_id")
    with open_reader(settings) as reader:
        dashboard = from_log(reader, marketplace, name, clock())
        if dashboard is None:
            unknown = unknown_marketplace(reader, marketplace)
            raise CommandRefused(unknown or f"{name} has no order in {marketplace}. Check marketplace and seller id.")
    if as_json:
        print_json(dashboard)
    else:
        _print(dashboard)


def _print(dashboard: dict[str, Any]) -> None:
    out = console()
    window, counts = dashboard["window"], dashboard["counts"]
    out.print(
        f"[bold]{plain(dashboard['marketplace'])}/{plain(dashboard['seller_id'])}[/], as of {when(dashboard['as_of'])}"
    )
    out.print(plain(f"{window['length']}: {window['first_day']} to {window['last_day']}, {window['timezone']}"))
    rate = "no line was placed" if dashboard["rate"] is None else percent(dashboard["rate"])
    if dashboard["limit"] is None:
        limit = f"{dashboard['policy']['id']}@{dashboard['policy']['version']} sets no limit"
    else:
        state = "met" if dashboard["within_limit"] else "[bold]exceeded[/]"
        limit = f"the limit of {percent(dashboard['limit'])} is {state}"
    out.print(f"rate {rate}; {limit}\n")
    out.print(table(["in the window", "lines"], rows(counts), right=["lines"]))


def rows(counts: dict[str, int]) -> list[tuple[str, str]]:
    """Return the counts with their names."""
    return [
        ("placed", f"{counts['lines_placed']:,}"),
        ("canceled by the seller", f"{counts['lines_canceled_by_seller']:,}"),
        ("canceled by the marketplace", f"{counts['lines_canceled_by_marketplace']:,}"),
        ("canceled automatically", f"{counts['lines_auto_canceled']:,}"),
        ("canceled by request (does not count against the seller)", f"{counts['lines_canceled_by_request']:,}"),
    ]


def percent(rate: float) -> str:
    """Write a rate as a percentage."""
    return f"{rate * 100:.2f} %"
