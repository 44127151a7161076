"""`rescind deadlines`: lists deadlines."""

from typing import TYPE_CHECKING

import click

from domain.instants import Instant, format_instant
from infra.cli.exits import CommandRefused
from infra.cli.groups import Group
from infra.cli.options import INSTANT, as_json, stored
from infra.cli.printing import console, from_now, print_json, table, when

if TYPE_CHECKING:
    from infra.settings import Settings


@click.group(cls=Group, usual="list --marketplace")
def deadlines() -> None:
    """List deadlines."""


@deadlines.command("list")
@click.option("--before", type=INSTANT, help="Only deadlines before this instant.")
@click.option("--marketplace", help="Only this marketplace.")
@click.option(
    "--limit",
    default=1000,
    show_default=True,
    metavar="N",
    type=click.IntRange(1, 1_000_000),
    help="Number of deadlines at most.",
)
@as_json
@stored
def list_(settings: "Settings", before: Instant | None, marketplace: str | None, limit: int, as_json: bool) -> None:
    """List every deadline that still applies, the earliest first."""
    from infra.runtime.clock import clock
    from infra.store.order_search import all_deadlines, unknown_marketplace
    from infra.store.reader import open_reader

    with open_reader(settings) as reader:
        found = all_deadlines(reader, before, marketplace)
        if marketplace is not None and not found and (unknown := unknown_marketplace(reader, marketplace)):
            raise CommandRefused(unknown)
    more = len(found) - limit
    found = found[:limit]
    if as_json:
        for stream, deadline, fires in found:
            name, _, order_id = stream.partition("/")
            due_at = format_instant(deadline.due_at)
            print_json(
                {
                    "marketplace": name,
                    "order_id": order_id,
                    "deadline_id": deadline.deadline_id,
                    "kind": deadline.kind,
                    "due_at": due_at,
                    "ref": deadline.ref,
                    "fires": fires,
                }
            )
        return
    now = clock()
    rows = [
        (when(d.due_at), from_now(d.due_at, now) if fires else "never fires", stream, d.deadline_id, d.kind, d.ref)
        for stream, d, fires in found
    ]
    out = console()
    out.print(table(["due", "", "order", "deadline", "kind", "about"], rows) if rows else "no deadline applies")
    if more > 0:
        out.print(f"… and {more:,} more; use --limit or --before to list others")
    if not all(each.fires for each in found):
        out.print(
            "never fires: it was due before its import was closed. Run the same import with --until TIME to apply it."
        )
