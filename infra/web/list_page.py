"""The page that lists orders: its sentence, its filters with counts, its rows. Reads the views, decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from domain.instants import Instant, parse_instant
from domain.wording import counted
from infra.documents import words
from infra.documents.formatting import money, number, time_left
from infra.views.reading import OrderFilter, Page, Reading, Row, attention_of
from infra.web.order_page import When, when

PAGE: Final = 100
ASKED: Final = 1000
"""Requests that wait and are read to say how long."""
_IN_QUEUE: Final = "waiting~"
"""Begins a cursor within the queue; the order id behind it is the last one shown."""


@dataclass(slots=True)
class MatchingOrders:
    """What a search found: rows, the cursor of the next page, and whose orders these are (for the counts)."""

    page: Page
    seller: str | None
    counts: dict[str, int]
    waiting: list[Row]
    more: bool = False
    """Whether more orders match than are shown."""


def search(reading: Reading, marketplace: str, q: str, status: str | None, after: str | None) -> MatchingOrders:
    """Orders of this PO number, order id or reference, else of a seller, else of a buyer, else those that match:
    whose number begins so, or that have this tracking number or SKU. Without ``q`` all of them."""
    if not q:
        return _listed(reading, OrderFilter(marketplace, status=status), after)
    every = OrderFilter(marketplace)
    if rows := reading.named(every, q, PAGE):
        return _of_few(reading, marketplace, rows, status)
    if reading.counts(marketplace, seller=q):
        return _listed(reading, OrderFilter(marketplace, seller=q, status=status), after)
    if rows := reading.orders(OrderFilter(marketplace, buyer=q), None, 1000).rows:
        return _of_few(reading, marketplace, rows, status, awaits="buyer")
    rows = reading.matching(every, q, PAGE + 1)
    found = _of_few(reading, marketplace, rows[:PAGE], status)
    found.more = len(rows) > PAGE
    return found


def _listed(reading: Reading, of: OrderFilter, after: str | None) -> MatchingOrders:
    """Orders of a marketplace, or of one seller in it, with what waits for the seller."""
    waiting = reading.waiting_requests(of.marketplace, seller=of.seller, limit=ASKED)
    if of.status == "cancel_requested":
        page = _work_queue(reading, of, waiting, after)
    else:
        page = reading.orders(of, after, PAGE)
    return MatchingOrders(page, of.seller, reading.counts(of.marketplace, of.seller), waiting)


def _work_queue(reading: Reading, of: OrderFilter, waiting: list[Row], after: str | None) -> Page:
    """Orders whose requests wait, what is due first at the top; behind them those whose request waits for nobody here,
    newest first."""
    ids = list(dict.fromkeys(row["order_id"] for row in waiting))
    in_queue = after is None or after.startswith(_IN_QUEUE)
    rows: list[Row] = []
    if in_queue:
        last = None if after is None else after.removeprefix(_IN_QUEUE)
        left = ids[ids.index(last) + 1 :] if last in ids else ids
        found = (reading.order(of.marketplace, order_id) for order_id in left[:PAGE])
        rows = [row for row in found if row is not None and row["status"] == of.status]
        if len(left) > PAGE:
            return Page(rows, f"{_IN_QUEUE}{left[PAGE - 1]}")
    rest = reading.orders(of, None if in_queue else after, PAGE)
    return Page(rows + [row for row in rest.rows if row["order_id"] not in ids], rest.next)


def _of_few(
    reading: Reading, marketplace: str, rows: list[Row], status: str | None, *, awaits: str = "seller"
) -> MatchingOrders:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["status"]] = counts.get(row["status"], 0) + 1
    ids = [row["order_id"] for row in rows]
    waiting = reading.waiting_requests_of(marketplace, ids, ASKED, awaits=awaits)
    shown = [row for row in rows if status in (None, row["status"])]
    return MatchingOrders(Page(shown, None), None, counts, waiting)


class ListPage:
    """Everything that the template asks for, as of ``now``, in the marketplace's time zone."""

    size = PAGE

    def __init__(
        self,
        marketplace: str,
        found: MatchingOrders,
        q: str,
        status: str | None,
        after: str | None,
        zone: str,
        now: Instant,
    ) -> None:
        self.marketplace = marketplace
        self.zone = zone
        self.now = now
        self._q = q
        self._status = status
        self._after = after
        self._found = found
        self._waiting = {row["order_id"]: row for row in reversed(found.waiting)}
        self.rows = [self._row(row) for row in found.page.rows]
        self.more = found.more
        self.first = self._href(status) if after is not None else None
        self.next = self._href(status, found.page.next) if found.page.next is not None else None

    @property
    def sentence(self) -> str:
        """What there is to do, in words."""
        waiting = self._found.waiting
        total = sum(self._found.counts.values())
        if not total:
            return "Nothing found." if self._q else "There are no orders yet."
        whose = f" of {self._q}" if self._q else ""
        if not waiting:
            return f"{counted(total, 'order')}{whose}; no request to cancel waits for an answer."
        more = " or more" if len(waiting) >= ASKED else ""
        said = f"{counted(len(waiting), 'request')}{more} to cancel"
        said += f" {'waits' if len(waiting) == 1 else 'wait'} for an answer"
        dated = [parse_instant(row["decide_by"]) for row in waiting if row["decide_by"] is not None]
        coming = [due for due in dated if due >= self.now]
        late = len(dated) - len(coming)
        if coming:
            said += f", the next one due {self.when(coming[0]).text} ({time_left(coming[0], self.now)})"
        if late:
            said += f"; for {number(late)} the time to answer has run out"
        return f"{said}."

    @property
    def has_orders(self) -> bool:
        """Whether there are orders at all, whatever the filter."""
        return bool(self._found.counts)

    @property
    def empty(self) -> str:
        """Why no row stands here: the list has ended, or nothing has the status, was found, or is there at all."""
        if self._after is not None:
            return "The list has ended before this page."
        if self._found.counts:
            return "None of these orders has this status." if self._q else "No order has this status."
        if self._q:
            return "No order here has this PO number, order id, tracking number, SKU, seller or buyer."
        return f"There are no orders in {self.marketplace} yet."

    @property
    def filters(self) -> list[dict[str, Any]]:
        """All, then every status with its count; each is a link."""
        counts = self._found.counts
        everything = sum(counts.values())
        told = [{"word": "All", "count": everything, "href": self._href(None), "current": self._status is None}]
        return told + [
            {"word": word, "count": counts.get(name, 0), "href": self._href(name), "current": self._status == name}
            for name, (word, _) in words.STATUS.items()
        ]

    def _href(self, status: str | None, after: str | None = None) -> str:
        said = {"q": self._q or None, "status": status, "after": after}
        query = urlencode({name: value for name, value in said.items() if value is not None})
        return f"/o/{self.marketplace}" + (f"?{query}" if query else "")

    def _row(self, row: Row) -> dict[str, Any]:
        return {
            "order_id": row["order_id"],
            "po_number": row["po_number"],
            "status": words.STATUS[row["status"]],
            "waits": list(self._waits(row)),
            "seller_id": row["seller_id"],
            "buyer_id": row["buyer_id"],
            "open_units": row["open_units"],
            "shipped_units": row["shipped_units"],
            "canceled_units": row["canceled_units"],
            "total": money(row["total_minor"], row["currency"]),
            "placed": self.when(parse_instant(row["placed_at"])),
        }

    def _waits(self, row: Row) -> list[tuple[str, str]]:
        """What somebody should do about it, each with its signal ("": none)."""
        said = []
        request: Mapping[str, Any] | None = self._waiting.get(row["order_id"])
        if request is not None:
            due = None if request["decide_by"] is None else parse_instant(request["decide_by"])
            said.append((words.reason(request["reason"]), ""))
            if due is not None and due >= self.now:
                said.append((time_left(due, self.now), "waiting"))
            elif due is not None:
                said.append((f"answer was due {time_left(due, self.now)}", "attention"))
        said += [
            (self._late(row) if word == "late" else words.ATTENTION.get(word, word), "attention")
            for word in attention_of(row, self.now)
        ]
        if row["refund_due_minor"]:
            said.append((f"refund due {money(row['refund_due_minor'], row['currency'])}", ""))
        return said

    def _late(self, row: Row) -> str:
        return f"late since {self.when(parse_instant(row['late_from'])).text}"

    def when(self, instant: Instant) -> When:
        """An instant in the marketplace's zone."""
        return when(instant, self.zone, self.now)
