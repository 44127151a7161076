"""Find orders by PO number, deadline or marketplace. The views answer if they are up to date, otherwise the log
does."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from consumers.engine.order_cache import CachedOrder
from consumers.ports.views import ViewsError
from domain.deadlines import has_lapsed, live
from domain.events import Deadline
from domain.instants import Instant
from infra.store.reader import Reader
from infra.views.reading import fold

if TYPE_CHECKING:
    from infra.settings import Settings


def orders_with_po(reader: Reader, po: str) -> list[str]:
    """Streams of the orders with this PO number. If no order has exactly this number, orders whose number differs in
    the case of letters only."""
    found = _from_views(reader, po)
    if found is None:
        every = ((stream, folded.order) for stream, folded in all_orders(reader))
        found = {
            stream: order.terms.po_number
            for stream, order in every
            if order is not None and order.exists and fold(order.terms.po_number) == fold(po)
        }
    return [stream for stream, number in found.items() if number == po] or list(found)


def unknown_marketplace(reader: Reader, marketplace: str) -> str | None:
    """The message about a marketplace that neither the settings nor any order names. None if it is known, or if the log
    has no orders."""
    named = sections(reader.settings)
    if marketplace in named:
        return None
    names = _marketplaces(reader)
    if not names or marketplace in names:
        return None
    nearest = nearest_marketplace(marketplace, {*names, *named})
    meant = "" if nearest is None else f"; the nearest name is {nearest}"
    return f"there is no marketplace {marketplace}: no settings section and no order names it{meant}"


def sections(settings: "Settings") -> set[str]:
    """The marketplaces that have a section in the settings. ``default`` is not one of them."""
    return {*settings.marketplaces} - {"default"}


def nearest_marketplace(name: str, names: Iterable[str]) -> str | None:
    """The known name that a mistyped one resembles most."""
    from difflib import get_close_matches

    found = get_close_matches(name[:100].lower(), sorted(set(names)), 1)
    return found[0] if found else None


def _marketplaces(reader: Reader) -> set[str]:
    """The marketplaces of the orders in the log."""
    found: set[str] = set()
    for follower in reader.followers.values():
        after: str | None = None
        while names := follower.state.streams(after, 1000):
            after = names[-1]
            found |= {name.partition("/")[0] for name in names if not name.startswith("$") and name.count("/") == 1}
    return found


class Listed(NamedTuple):
    """A deadline that still applies, and whether it fires. A deadline of imported history that was already past when
    the import closed does not fire (docs/reference/deadlines.md)."""

    stream: str
    deadline: Deadline
    fires: bool


def all_deadlines(reader: Reader, before: Instant | None, marketplace: str | None) -> list[Listed]:
    """Every deadline that still applies, earliest first."""
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


def all_orders(reader: Reader, prefix: str = "") -> Iterator[tuple[str, CachedOrder]]:
    """Every order, folded from the log, partition by partition."""
    for partition, follower in reader.followers.items():
        after: str | None = None
        while names := follower.state.streams(after, 1000):
            after = names[-1]
            for name in names:
                if not name.startswith("$") and name.startswith(prefix):
                    yield name, reader.orders.load(partition, name)


def _from_views(reader: Reader, po: str) -> dict[str, str] | None:
    """Map stream to PO number, from the views. None if the views do not exist, cannot be read, or are behind the
    log."""
    at = reader.settings.views_at
    if not at.persistent:
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
        return {f"{row['marketplace']}/{row['order_id']}": row["po_number"] for row in views.orders_with_po(po)}
    except ViewsError:
        return None
    finally:
        views.close()
