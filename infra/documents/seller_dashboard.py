"""A seller's dashboard: counts, cancellation rate, limit and window, from the table seller_daily or from the log.

``domain.standing`` defines what counts; docs/reference/http.md describes the dashboard.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from domain import standing as rule
from domain.calendar import local_date
from domain.events import Event, OrderPlaced, RefundDue
from domain.instants import Instant, format_instant
from domain.money import exponent
from domain.order import Order
from domain.order_json import status
from domain.policy import PolicyBook
from domain.policy_terms import Standing
from projections.dashboards import COLUMN_OF

if TYPE_CHECKING:
    from infra.store.reader import Reader

COUNTED: Final = (
    "orders_placed",
    "lines_placed",
    "lines_canceled_by_request",
    "lines_canceled_by_seller",
    "lines_canceled_by_marketplace",
    "lines_auto_canceled",
    "refund_minor",
)
"""Names of the counts, as in seller_daily."""
Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Terms:
    """The policy and calendar that apply to a seller: those of the seller's newest order."""

    order: Order
    policy: Standing | None
    as_of: Instant

    @property
    def within(self) -> rule.Window:
        """The window of local days that ends with the day of ``as_of``."""
        calendar = self.order.terms.calendar
        length = (self.policy or rule.DEFAULT).window
        return rule.window(local_date(self.as_of, calendar.timezone), length, calendar)


def terms_of(newest: Order, book: PolicyBook, as_of: Instant) -> Terms:
    """Return the terms of a seller, given the seller's newest order."""
    document = book.get(newest.terms.policy)
    return Terms(newest, None if document is None else document.policy.standing, as_of)


def dashboard(terms: Terms, days: Mapping[tuple[str, str], Counts], orders: Mapping[str, int]) -> dict[str, Any]:
    """Build the dashboard as JSON. ``days``: local day and currency → counts; ``orders``: status → all orders ever.

    ``rate`` and ``limit`` are fractions of 1. ``rate`` is null if nothing was placed in the window, ``limit`` if the
    policy sets none. ``refunds`` has the amounts by currency; ``refund_minor`` is their sum over all currencies.
    """
    within = terms.within
    inside: dict[str, Counter[str]] = {}
    refunds: Counter[str] = Counter()
    for (day, currency), counted in sorted(days.items()):
        if date.fromisoformat(day) in within:
            inside.setdefault(day, Counter()).update({name: counted.get(name, 0) for name in COUNTED})
            refunds[currency] += counted.get("refund_minor", 0)
    found = rule.rate((_day(day, counts) for day, counts in inside.items()), within)
    most = rule.limit(terms.policy)
    order, policy = terms.order, terms.order.terms.policy
    return {
        "marketplace": order.marketplace,
        "seller_id": order.terms.seller_id,
        "as_of": format_instant(terms.as_of),
        "window": {
            "length": str((terms.policy or rule.DEFAULT).window),
            "first_day": within.first.isoformat(),
            "last_day": within.last.isoformat(),
            "timezone": order.terms.calendar.timezone,
        },
        "counts": {name: sum(counts.get(name, 0) for counts in inside.values()) for name in COUNTED},
        "refunds": [
            {"currency": currency, "currency_exponent": exponent(currency), "amount_minor": amount}
            for currency, amount in sorted(refunds.items())
            if amount
        ],
        "rate": None if found is None else round(float(found), 6),
        "limit": None if most is None else round(float(most), 6),
        "within_limit": rule.keeps(found, most),
        "policy": {"id": policy.id, "version": policy.version, "sha256": policy.sha256.hex()},
        "orders": dict(orders),
        "days": [{"day": day, **{name: counts.get(name, 0) for name in COUNTED}} for day, counts in inside.items()],
    }


def _day(day: str, counts: Counts) -> rule.Day:
    against = counts.get("lines_canceled_by_seller", 0) + counts.get("lines_auto_canceled", 0)
    return rule.Day(date.fromisoformat(day), counts.get("lines_placed", 0), against)


# ---- from the log ----------------------------------------------------------------------------------------------------


def from_log(reader: "Reader", marketplace: str, seller: str, as_of: Instant) -> dict[str, Any] | None:
    """Build the dashboard by folding every order of the seller; None if the seller has none."""
    from infra.store.order_search import all_orders

    newest: Order | None = None
    days: dict[tuple[str, str], Counter[str]] = {}
    orders: Counter[str] = Counter()
    for stream, folded in all_orders(reader, f"{marketplace}/"):
        order = folded.order
        if order is None or not order.exists or order.terms.seller_id != seller:
            continue
        orders[status(order)] += 1
        if newest is None or (order.placed_at, order.order_id) > (newest.placed_at, newest.order_id):
            newest = order
        for day, counts in days_of(order, reader.commits(stream)).items():
            days.setdefault((day, order.terms.currency), Counter()).update(counts)
    if newest is None:
        return None
    return dashboard(terms_of(newest, reader.book, as_of), days, orders)


def days_of(order: Order, commits: Iterable[tuple[Instant, list[Event]]]) -> dict[str, Counter[str]]:
    """Return local day → counts for one order's commits, each given as its time and events."""
    found: dict[str, Counter[str]] = {}
    counted: set[int] = set()
    for recorded_at, events in commits:
        day = found.setdefault(local_date(recorded_at, order.terms.calendar.timezone).isoformat(), Counter())
        for event in events:
            if isinstance(event, OrderPlaced):
                day["orders_placed"] += 1
                day["lines_placed"] += len(event.lines)
            elif isinstance(event, RefundDue):
                day["refund_minor"] += event.amount
            for each, _ in rule.entries(event):
                count = rule.count_of(each.cause, each.reason)
                if each.line not in counted and count is not None:
                    day[COLUMN_OF[count]] += 1
                counted.add(each.line)
    return {day: counts for day, counts in found.items() if counts}
