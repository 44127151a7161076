"""Finds the deadlines of an order that still apply. Decisions computed their instants.

See docs/reference/deadlines.md.
"""

from collections.abc import Iterator

from domain.events import Deadline
from domain.instants import Instant
from domain.order import Order


def number(deadline: Deadline) -> int:
    """The number in a deadline's id: n of KIND-n."""
    return int(deadline.deadline_id.rpartition("-")[2])


def live(order: Order) -> Iterator[Deadline]:
    """The deadlines that are set, are not reached, and still apply."""
    return (deadline for deadline in order.deadlines.values() if applies(order, deadline))


def applies(order: Order, deadline: Deadline) -> bool:
    """Whether the deadline still has an effect when it is reached."""
    match deadline.kind:
        case "decide":
            request = order.requests.get(deadline.ref)
            return request is not None and request.status == "open" and not request.offers
        case "alternatives":
            request = order.requests.get(deadline.ref)
            return request is not None and request.status == "open" and bool(request.offers)
        case "unpaid":
            return order.open_units > 0 and order.is_unpaid
        case "late-ship":
            tracked = order.lines_under_tracking()
            return any(line.open and line.number not in tracked for line in order.lines.values())
        case "acknowledge":
            found = order.found
            if found is None or found.notice_id != deadline.ref:
                return False
            return found.stage == "notified" or bool(found.told)
        case "case":
            case = order.cases.get(deadline.ref)
            return case is not None and case.status == "open" and case.remaining is None
        case "evidence":
            case = order.cases.get(deadline.ref)
            if case is not None:
                return case.status == "open" and case.remaining is not None
            dispute = order.disputes.get(deadline.ref)
            return dispute is not None and dispute.status == "open"
        case "appeal":
            dispute = order.disputes.get(deadline.ref)
            return dispute is not None and dispute.status in ("denied", "granted", "returned") and not dispute.appealed
        case "return":
            back = order.returns.get(deadline.ref)
            return back is not None and back.status == "open" and back.is_awaited
        case "return-ship":
            back = order.returns.get(deadline.ref)
            return back is not None and back.status == "open" and not back.is_under_way and not back.refunded
        case _:
            return False


def is_over(order: Order, deadline: Deadline) -> bool:
    """Whether it will never apply again: the request that it is about is closed."""
    request = order.requests.get(deadline.ref) if deadline.kind in ("decide", "alternatives") else None
    return request is not None and request.status != "open"


def has_lapsed(order: Order, deadline: Deadline, closed_at: Instant) -> bool:
    """Whether a deadline was set and due before ``closed_at``, the close of an import of its marketplace.

    Such a deadline never fires.
    """
    return deadline.due_at < closed_at and order.deadlines_set[deadline.deadline_id] < closed_at


def without_lapsed(order: Order, closed_at: Instant) -> Order:
    """The order without the deadlines that never fire."""
    return _without(order, [d for d in order.deadlines.values() if has_lapsed(order, d, closed_at)])


def without_overdue(order: Order, now: Instant) -> Order:
    """The order without deadlines due before ``now``. If all that fire were reached, the others never fire."""
    return _without(order, [d for d in order.deadlines.values() if d.due_at < now])


def _without(order: Order, gone: list[Deadline]) -> Order:
    if not gone:
        return order
    order = order.copy()
    for deadline in gone:
        del order.deadlines[deadline.deadline_id]
    return order


def due(order: Order, before: Instant) -> list[Deadline]:
    """Live deadlines with ``due_at`` before an instant, in the order in which they are reached."""
    found = [deadline for deadline in live(order) if deadline.due_at < before]
    return sorted(found, key=lambda d: (d.due_at, d.kind, number(d)))
