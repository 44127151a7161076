"""The page that lists orders: a summary, filters with counts, rows. Reads the views, decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from domain.instants import Instant, parse_instant
from domain.wording import counted
from infra.documents import words
from infra.documents.formatting import money, number, time_left
from infra.views.reading import OrderFilter, Page, Reading, Row, attention_of
from infra.web.order_page import When, when

PAGE: Final = 100
MOST_WAITING: Final = 1000
"""Waiting requests that are read; the summary says "or more" from this number on."""
_WAITS_FOR: Final = {"buyer": "the buyer's answer", "seller": "the seller's answer", "support": "support's decision"}
_IN_QUEUE: Final = "waiting~"
"""Prefix of a cursor within the queue; the order id after it is the last one shown."""


@dataclass(slots=True)
class MatchingOrders:
    """The result of a search: rows, the next page's cursor, and the counts of the seller or marketplace."""

    page: Page
    seller: str | None
    counts: dict[str, int]
    waiting: list[Row]
    """Requests that need the answer of the seller; in the orders of a buyer, of the buyer."""
    elsewhere: list[Row] = field(default_factory=list)
    """Other waiting requests of the rows that are shown."""
    more: bool = False
    """True if more orders match than are shown."""


def search(reading: Reading, marketplace: str, q: str, status: str | None, after: str | None) -> MatchingOrders:
    """Find orders by ``q`` (without it, list all of them) and the requests that wait in them."""
    found = _search(reading, marketplace, q, status, after)
    named = {row["order_id"] for row in found.waiting}
    others = [
        row["order_id"]
        for row in found.page.rows
        if row["status"] == "cancel_requested" and row["order_id"] not in named
    ]
    for side in _WAITS_FOR:
        found.elsewhere += reading.waiting_requests_of(marketplace, others, MOST_WAITING, awaits=side)
    return found


def _search(reading: Reading, marketplace: str, q: str, status: str | None, after: str | None) -> MatchingOrders:
    """Find orders by ``q``; without it, list all of them.

    Tries, in this order: PO number, order id or reference; seller; buyer; what ``Reading.matching`` finds.
    """
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
    """List orders of a marketplace or of one seller in it, with the requests that wait for the seller."""
    waiting = reading.waiting_requests(of.marketplace, seller=of.seller, limit=MOST_WAITING)
    if of.status == "cancel_requested":
        page = _work_queue(reading, of, waiting, after)
    else:
        page = reading.orders(of, after, PAGE)
    return MatchingOrders(page, of.seller, reading.counts(of.marketplace, of.seller), waiting)


def _work_queue(reading: Reading, of: OrderFilter, waiting: list[Row], after: str | None) -> Page:
    """Orders whose requests wait for the seller, the earliest deadline first; then the others, newest first."""
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
    waiting = reading.waiting_requests_of(marketplace, ids, MOST_WAITING, awaits=awaits)
    shown = [row for row in rows if status in (None, row["status"])]
    return MatchingOrders(Page(shown, None), None, counts, waiting)


class ListPage:
    """The values that the list template shows, as of ``now``, in the marketplace's time zone."""

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
        self._elsewhere = {row["order_id"]: row for row in reversed(found.elsewhere)}
        self.rows = [self._row(row) for row in found.page.rows]
        self.more = found.more
        self.first = self._href(status) if after is not None else None
        self.next = self._href(status, found.page.next) if found.page.next is not None else None

    @property
    def sentence(self) -> tuple[str, str]:
        """The number of requests that need an answer, as the text of a link to them, and the rest of the sentence."""
        waiting = self._found.waiting
        total = sum(self._found.counts.values())
        if not total:
            return "", "Nothing found." if self._q else "There are no orders yet."
        whose = f" of {self._q}" if self._q else ""
        if not waiting:
            return "", f"{counted(total, 'order')}{whose}. No cancellation request needs an answer."
        more = " or more" if len(waiting) >= MOST_WAITING else ""
        need = "request needs" if len(waiting) == 1 else "requests need"
        text = f"{number(len(waiting))}{more} cancellation {need} an answer"
        dated = [parse_instant(row["decide_by"]) for row in waiting if row["decide_by"] is not None]
        coming = [due for due in dated if due >= self.now]
        late = len(dated) - len(coming)
        parts = [f"{number(late)} {'is' if late == 1 else 'are'} overdue"] if late else []
        if coming:
            parts.append(f"the next is due {self.when(coming[0]).text} ({time_left(coming[0], self.now)})")
        return text, f"{': ' if parts else ''}{', '.join(parts)}."

    @property
    def queue(self) -> str | None:
        """Link to the requests that need an answer; None if none does, or the page shows them."""
        shown = self._status == "cancel_requested"
        return self._href("cancel_requested") if self._found.waiting and not shown else None

    @property
    def has_orders(self) -> bool:
        """True if there are orders, whatever the filter."""
        return bool(self._found.counts)

    @property
    def empty(self) -> str:
        """Why the page has no row."""
        if self._after is not None:
            return "This page is past the end of the list."
        if self._found.counts:
            return "None of these orders has this status." if self._q else "No order has this status."
        if self._q:
            return "No order has this PO number, order ID, tracking number, SKU, seller or buyer."
        return f"There are no orders in {self.marketplace} yet."

    @property
    def filters(self) -> list[dict[str, Any]]:
        """Links to all orders and to every status, with counts."""
        counts = self._found.counts
        everything = sum(counts.values())
        every = [{"word": "All", "count": everything, "href": self._href(None), "current": self._status is None}]
        return every + [
            {"word": word, "count": counts.get(name, 0), "href": self._href(name), "current": self._status == name}
            for name, (word, _) in words.STATUS.items()
        ]

    def _href(self, status: str | None, after: str | None = None) -> str:
        keys = {"q": self._q or None, "status": status, "after": after}
        query = urlencode({name: value for name, value in keys.items() if value is not None})
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
        """Return the reasons why somebody should look at the order, each as text and signal ("" for none)."""
        found = []
        request: Mapping[str, Any] | None = self._waiting.get(row["order_id"])
        if request is not None:
            due = None if request["decide_by"] is None else parse_instant(request["decide_by"])
            what = "choose an offer" if _has_offers(request) else f"answer: {words.reason(request['reason'])}"
            found.append((what, ""))
            if due is not None and due >= self.now:
                found.append((f"answer due, {time_left(due, self.now)}", "waiting"))
            elif due is not None:
                found.append((f"answer overdue, was due {time_left(due, self.now)}", "attention"))
        elif row["status"] == "cancel_requested":
            found.append((self._waits_for(row["order_id"]), ""))
        found += [
            (self._late(row) if word == "late" else words.ATTENTION.get(word, word), "attention")
            for word in attention_of(row, self.now)
        ]
        if row["refund_due_minor"]:
            found.append((f"refund due {money(row['refund_due_minor'], row['currency'])}", ""))
        return found

    def _waits_for(self, order_id: str) -> str:
        request = self._elsewhere.get(order_id)
        if request is None:
            return "nobody has to answer"
        return "waits for the buyer's choice" if _has_offers(request) else f"waits for {_WAITS_FOR[request['awaits']]}"

    def _late(self, row: Row) -> str:
        return f"shipping overdue since {self.when(parse_instant(row['late_from'])).text}"

    def when(self, instant: Instant) -> When:
        """Write an instant in the marketplace's zone."""
        return when(instant, self.zone, self.now)


def _has_offers(request: Mapping[str, Any]) -> bool:
    """True if a buyer's own request waits for the buyer, which it does only while the store offers something else."""
    return bool(request["awaits"] == request["asked_by"] == "buyer")
