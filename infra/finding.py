"""Finding orders by what people have in hand. The views answer where they are up to date, else the log itself."""

from collections.abc import Iterator
from typing import NamedTuple

from consumers.orders import Folded
from consumers.views import ViewsError
from domain.deadlines import has_lapsed, live
from domain.events import Deadline
from domain.instants import Instant
from infra.reading import Reader


def orders_with_po(reader: Reader, po: str) -> list[str]:
    """Streams of the orders with this PO number."""
    found = _asked(reader, po)
    if found is not None:
        return found
    return [
        stream
        for stream, folded in all_orders(reader)
        if folded.order is not None and folded.order.exists and folded.order.terms.po_number == po
    ]


class Listed(NamedTuple):
    """A deadline that still applies, and whether it fires: one of history that was left when an import was closed does
    not (COMMANDS.md 5)."""

    stream: str
    deadline: Deadline
    fires: bool


def all_deadlines(reader: Reader, before: Instant | None, marketplace: str | None) -> list[Listed]:
    """Every deadline that still applies, the earliest first."""
    prefix = "" if marketplace is None else f"{marketplace}/"
    imports = {partition: reader.imports(partition) for partition in reader.followers}
    found = []
    for stream, folded in all_orders(reader, prefix):
        order = folded.order
        if order is None or not order.exists:
            continue
        partition = reader.partition(stream)
        closed_at = imports[partition].closed_at(partition, order.marketplace)
        found += [
            Listed(stream, deadline, not has_lapsed(order, deadline, closed_at))
            for deadline in live(order)
            if before is None or deadline.due_at < before
        ]
    found.sort(key=lambda each: (each.deadline.due_at, each.stream, each.deadline.deadline_id))
    return found


def all_orders(reader: Reader, prefix: str = "") -> Iterator[tuple[str, Folded]]:
    """Every order, folded from the log, partition by partition."""
    for partition, follower in reader.followers.items():
        after: str | None = None
        while names := follower.state.streams(after, 1000):
            after = names[-1]
            for name in names:
                if not name.startswith("$") and name.startswith(prefix):
                    yield name, reader.orders.load(partition, name)


def _asked(reader: Reader, po: str) -> list[str] | None:
    """What the views say; None if they are not there, not readable, or behind the log."""
    at = reader.settings.views_at
    if not at.kept:
        return None
    from infra.views.opening import existing_views

    try:
        views = existing_views(at)
    except ViewsError:
        return None
    if views is None:
        return None
    try:
        for partition, follower in reader.followers.items():
            if views.position("journal", partition).ordinal < follower.next_ordinal:
                return None
        return [f"{row['marketplace']}/{row['order_id']}" for row in views.orders_with_po(po)]
    except ViewsError:
        return None
    finally:
        views.close()
