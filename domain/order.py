"""The state of one order: lines, requests, refunds, shipments and everything else that follows from its history.

The records are mutable, because a replay folds a hundred thousand events a second into them. Only ``domain.folding``
changes them. All other code reads them or works on a ``copy()``. Quantities are units, amounts integer minor units,
instants UTC microseconds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from domain import events as e
from domain.instants import Instant
from domain.money import share_of_units

T = TypeVar("T")


def _copier(cls: type[T]) -> Callable[[T], T]:
    """Build a function that copies a record field by field.

    An order is copied for every command, and this is five times as fast as ``dataclasses.replace``.
    """
    lines = "".join(f"    new.{f.name} = old.{f.name}\n" for f in fields(cls))  # type: ignore[arg-type]
    scope: dict[str, Any] = {"blank": object.__new__, "cls": cls}
    exec(f"def copy(old):\n    new = blank(cls)\n{lines}    return new", scope)  # noqa: S102 - our own source
    made: Callable[[T], T] = scope["copy"]
    return made


@dataclass(slots=True)
class Stamp:
    """The facts that all events of a commit share: when and by whom it was recorded, and the command's fingerprint."""

    recorded_at: Instant
    actor_kind: str
    actor_id: str
    fingerprint: bytes | None = None
    correlation_id: str | None = None


@dataclass(slots=True)
class Line:
    """One line: ordered = open + shipped + canceled, always."""

    number: int
    sku: str
    title: str | None
    ordered: int
    goods: int
    tax: int
    listing: e.Listing | None
    open: int
    shipped: int = 0
    canceled: int = 0
    auto_canceled: int = 0
    returned: int = 0
    rebilled: int = 0
    delivered: int = 0
    delivered_at: Instant | None = None
    credited: int = 0
    """Units counted in V, each once: canceled, returned, or refunded before their return."""
    returning: int = 0
    """Shipped units in an open return."""
    came_back: int = 0
    """Shipped units whose return was received."""
    fulfilment_at: Instant | None = None
    canceled_at: Instant | None = None
    """When (recorded) units of it were last canceled."""
    canceled_by: str | None = None
    """The kind of actor of the commit that last canceled units of it."""
    canceled_as: str | None = None
    """The cause of the last cancellation."""
    canceled_for: str | None = None
    """The request that the last cancellation carried out, if any."""
    found_shipped: int = 0
    """Canceled units that were found to have shipped, each once. They stay counted when they come back."""
    lost: int = 0
    """Shipped units that were never delivered, and are in a return or came back: their parcel has not moved for too
    long (``stalled-tracking``), or goes back to the sender."""
    undelivered: int = 0
    """Shipped units that were lost or damaged in transit. Their value is due back, and they do not come back."""
    counted_lost: int = 0
    """Units of ``undelivered`` that count as canceled by the seller (rule ``standing``)."""
    sent_back: int = 0
    """Shipped units that came back to the sender, because nobody could deliver them."""
    accepted: int = 0
    """Canceled units that the customer accepted together with their rebilling (``acknowledge-both``)."""
    shipping: int = 0
    """The line's shipping."""
    shipping_tax: int = 0
    """The tax on top of the line's shipping."""
    shipping_credited: int = 0
    """Units whose share of the line's shipping counts in V, each once."""
    covered: int = 0
    """O of the line: what other refunds cover of it."""
    part_of: int | None = None
    """The line of the bundle that this line is part of."""

    @property
    def value(self) -> int:
        """The refund value of the whole line: goods, shipping and the tax on top of both."""
        return self.goods + self.tax + self.shipping + self.shipping_tax

    def credit(self, units: int) -> int:
        """The value of the first ``units`` refunded units without shipping, with goods and tax shared separately."""
        return share_of_units(self.goods, self.ordered, units) + share_of_units(self.tax, self.ordered, units)

    def shipping_credit(self, units: int) -> int:
        """The shipping of the first ``units`` units whose shipping is due back, and its tax, shared separately."""
        if not self.shipping and not self.shipping_tax:
            return 0
        n = self.ordered
        return share_of_units(self.shipping, n, units) + share_of_units(self.shipping_tax, n, units)

    @property
    def value_credited(self) -> int:
        """V of the line: the value of its credited units, with the shipping that is due back."""
        return self.credit(self.credited) + self.shipping_credit(self.shipping_credited)

    def due(self, credited: int, shipping_credited: int, covered: int) -> int:
        """max(0, V − O) of the line, when so many units count in V."""
        return max(0, self.credit(credited) + self.shipping_credit(shipping_credited) - covered)

    @property
    def with_buyer_or_under_way(self) -> int:
        """Shipped units that are neither back nor in a return nor lost."""
        return self.shipped - self.returning - self.came_back - self.undelivered

    @property
    def under_way(self) -> int:
        """Shipped units that are not delivered, not back, not in a return and not lost."""
        still = self.shipped - self.delivered - self.lost - self.undelivered
        return max(0, min(still, self.with_buyer_or_under_way))

    @property
    def returnable(self) -> int:
        """Delivered units that are neither back nor in a return."""
        return max(0, min(self.delivered + self.lost - self.returning - self.came_back, self.with_buyer_or_under_way))

    @property
    def all_arrived_or_lost(self) -> bool:
        """Whether every shipped unit was delivered, lost or damaged. True if none shipped."""
        return self.delivered + self.undelivered >= self.shipped


@dataclass(slots=True)
class Request:
    """A cancellation request. ``asked`` has its quantities by line.

    ``canceled`` counts the units of them that were canceled while it was open, or by it, and those that were lost while
    it was open. Later cancellations do not count.
    """

    request_id: str
    by: str
    reason: str | None
    requested: dict[int, int]
    status: str
    requested_at: Instant
    decide_by: Instant | None
    rule: str
    offers: tuple[str, ...] = ()
    behind: e.Verdict | None = None
    """The verdict of the rules after the offer, at the time of the request."""
    canceled: dict[int, int] = field(default_factory=dict)
    here: dict[int, int] = field(default_factory=dict)
    """Units of it that were open when it was submitted."""
    decided_at: Instant | None = None
    """When (recorded) it was approved, declined, refused or otherwise closed. A later dispute does not change it."""


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a refund that goes back to one payment: confirmed, settled elsewhere, or still due."""

    payment_id: str
    method: str
    amount: int
    kind: str
    """refund, or void of authorized money"""
    waiting: bool = False
    """Whether it waits for a chargeback of its payment and is not instructed."""
    confirmed: int = 0
    elsewhere: int = 0
    """The amount of it that was given back elsewhere."""
    failed: bool = False

    @property
    def left(self) -> int:
        """The amount of it that is neither confirmed nor settled elsewhere."""
        return self.amount - self.confirmed - self.elsewhere


@dataclass(slots=True)
class Refund:
    """A refund instruction: due until confirmed, settled elsewhere or withdrawn."""

    refund_id: str
    amount: int
    status: str
    """due, confirmed, settled_elsewhere or withdrawn"""
    failed: bool
    due_at: Instant
    confirmed_at: Instant | None = None
    """When (recorded) it was confirmed; None while it is not."""
    parts: tuple[Part, ...] = ()
    causes: tuple[e.RefundCause, ...] = ()
    purposes: tuple[e.RefundPurpose, ...] = ()

    @property
    def waiting(self) -> bool:
        """Whether any part waits for a chargeback."""
        return any(part.waiting for part in self.parts)

    @property
    def elsewhere(self) -> int:
        """The amount of it that was given back elsewhere."""
        return sum(part.elsewhere for part in self.parts)

    @property
    def due(self) -> int:
        """The amount of it that counts as due: until its last part is confirmed, all that is not settled elsewhere."""
        return self.amount - self.elsewhere if self.status == "due" else 0

    @property
    def refunded(self) -> int:
        """The amount of it that counts as refunded."""
        if self.status == "due":
            return 0
        return self.amount - self.elsewhere if self.status == "confirmed" else sum(x.confirmed for x in self.parts)


@dataclass(frozen=True, slots=True)
class Chargeback:
    """An open chargeback of a payment."""

    amount: int
    chargeback_id: str | None


@dataclass(slots=True)
class Payment:
    """A payment and what became of its money."""

    payment_id: str
    method: str
    amount: int
    state: str
    """captured or authorized, as it was reported"""
    received_at: Instant
    authorized: int
    """Money that is authorized and not captured. Voided money stays in it."""
    captured: int
    refunding: int = 0
    """Captured money in parts of refunds that are not withdrawn."""
    voiding: int = 0
    """Authorized money in such parts."""
    voided: int = 0
    """Authorized money in parts that are confirmed or settled elsewhere."""
    refunded: int = 0
    """Confirmed parts."""
    elsewhere: int = 0
    """Other refunds that were drawn from it. They take captured money first."""
    chargeback: Chargeback | None = None

    @property
    def _elsewhere_authorized(self) -> int:
        return max(0, self.elsewhere - max(0, self.captured - self.refunding))

    @property
    def free_authorized(self) -> int:
        """Authorized money that it still holds."""
        return max(0, self.authorized - self.voiding - self._elsewhere_authorized)

    @property
    def free_captured(self) -> int:
        """Captured money that it still holds."""
        return max(0, self.captured - self.refunding - self.elsewhere + self._elsewhere_authorized)

    @property
    def free(self) -> int:
        """All money that it still holds."""
        return self.free_authorized + self.free_captured

    @property
    def capturable(self) -> int:
        """Authorized money that no void waits for."""
        return self.authorized - self.voiding

    @property
    def releasable(self) -> int:
        """Authorized money that can lapse: what void parts wait for, and what it still holds."""
        return self.voiding - self.voided + self.free_authorized


@dataclass(frozen=True, slots=True)
class OtherRefund:
    """Money that was given back elsewhere, or the part of it that settled a refund (``refund_id``)."""

    other_refund_id: str
    amount: int
    refund_id: str | None
    payment_id: str | None
    covers: tuple[e.Cover, ...]
    recorded_at: Instant


@dataclass(frozen=True, slots=True)
class Owed:
    """A part of D that no refund has covered yet: what it is for and what caused it."""

    cause: str
    kind: str
    """line, shipping (of the order) or fee"""
    line: int | None
    fee_id: str | None
    amount: int


@dataclass(slots=True)
class Shipment:
    """A shipping notice and the parcel it announced."""

    shipment_id: str
    carrier: str | None
    tracking_number: str | None
    status: str
    lines: dict[int, int]
    occurred_at: Instant
    last_seen: Instant
    killed: dict[int, int] = field(default_factory=dict)
    ship_by: Instant | None = None
    """The order's ship_by when the notice was accepted."""
    delivered_at: Instant | None = None
    """When (occurred) it was last delivered."""
    reported: dict[str, dict[int, int]] = field(default_factory=dict)
    """Outcome of ``ParcelUndelivered`` → its units that were reported with it, by line."""
    status_before: str | None = None
    """Its status before all of it was reported as undelivered."""
    is_found: bool = False
    """Whether it was delivered after it was reported as lost."""

    def to_deliver(self, line: int) -> int:
        """Units of a line in it that were not reported as undelivered."""
        return self.lines.get(line, 0) - sum(lines.get(line, 0) for lines in self.reported.values())

    @property
    def is_reported(self) -> bool:
        """Whether any of it was reported as undelivered."""
        return any(any(lines.values()) for lines in self.reported.values())

    @property
    def all_reported(self) -> bool:
        """Whether all of it was reported as undelivered."""
        return self.is_reported and not any(self.to_deliver(line) for line in self.lines)

    @property
    def all_lost(self) -> bool:
        """Whether all of it was reported as lost."""
        return self.reported.get("lost") == self.lines


@dataclass(slots=True)
class Parcel:
    """A parcel that the carrier tracks and no notice has announced yet. It locks its lines."""

    carrier: str
    tracking_number: str
    shipment_id: str | None
    lines: dict[int, int]
    last_seen: Instant
    delivered: bool = False


@dataclass(slots=True)
class Return:
    """A return. ``canceled``: its units were canceled although they shipped, and are already refunded."""

    return_id: str
    about: str
    reason: str | None
    lines: dict[int, int]
    postage: str
    refund: str
    canceled: bool
    status: str = "open"
    accepted: bool = False
    refunded: bool = False
    started: bool = False
    delivered_at: Instant | None = None
    opened_at: Instant = 0
    carrier: str | None = None
    tracking_number: str | None = None
    condition: str | None = None
    ended_at: Instant | None = None
    """When (recorded) it was last received, or ended without a receipt."""
    undelivered: str | None = None
    """The report that opened it: returned_to_sender or refused. ``about`` is then the shipment."""
    with_shipping: bool = False
    """Whether its units carry their share of their line's shipping: a fault, or a parcel that counts as lost."""
    ship_by: Instant | None = None
    """Until when the buyer has to send it (policy key ``ship-within``)."""
    received: dict[int, int] = field(default_factory=dict)
    """Units that came back, or were refunded without coming back, by line."""
    unseen: dict[int, int] = field(default_factory=dict)
    """Units that were refunded when it was closed, and that may still come back, by line."""
    is_awaited: bool = False
    """Whether it was delivered to the seller, who has not confirmed any of it since (``return-not-confirmed``)."""

    @property
    def left(self) -> dict[int, int]:
        """Units that have not come back, by line."""
        left = {n: quantity - self.received.get(n, 0) for n, quantity in self.lines.items()}
        return {n: quantity for n, quantity in left.items() if quantity}

    @property
    def is_under_way(self) -> bool:
        """Whether it was sent: it was tracked or delivered to the seller, or a part of it came back."""
        return self.started or self.delivered_at is not None or bool(self.received)

    @property
    def shown_status(self) -> str:
        """open, started, received, withdrawn, lapsed or closed."""
        return "started" if self.status == "open" and (self.started or self.delivered_at is not None) else self.status


@dataclass(frozen=True, slots=True)
class Run:
    """Units of one line that were credited consecutively."""

    units: int
    credited: int
    """Units of the line that were credited before the first of them."""
    shipping_credited: int
    """Units of the line whose shipping was credited before the first of them."""
    shipping: bool
    """Whether their shipping was credited too."""
    value: int
    """D before the first of them, without shipping of the order and fees."""


@dataclass(slots=True)
class Billed:
    """The units of a line that a rebilling bills, oldest first, with the limits of the refund at that time."""

    unpaid: int
    most: int
    covered: int
    runs: list[Run] = field(default_factory=list)

    @property
    def units(self) -> int:
        return sum(run.units for run in self.runs)

    def amount(self, line: Line, units: int) -> int:
        """The amount that was refunded for the first ``units`` of these units, in minor units."""
        total = 0
        for run in self.runs:
            taken = min(units, run.units)
            shipped = run.shipping_credited + (taken if run.shipping else 0)
            before = line.due(run.credited, run.shipping_credited, self.covered)
            value = line.due(run.credited + taken, shipped, self.covered) - before
            total += self._refunded(run.value + value) - self._refunded(run.value)
            units -= taken
        return total

    def _refunded(self, value: int) -> int:
        return max(0, min(max(0, value - self.unpaid), self.most))


@dataclass(slots=True)
class Rebill:
    """A rebilling: due until confirmed."""

    rebill_id: str
    amount: int
    lines: dict[int, int]
    status: str = "due"
    failed: bool = False
    memo_id: str | None = None
    due_at: Instant = 0
    confirmed_at: Instant | None = None
    back: dict[int, int] = field(default_factory=dict)
    """Units of it that came back, by line. The amount billed for them is refunded, once."""
    units: dict[int, Billed] = field(default_factory=dict)
    """The units that it bills, by line."""
    back_amount: int = 0
    """The amount billed for the units that came back."""
    back_instructed: int = 0
    """The part of it that refunds were instructed for."""


@dataclass(slots=True)
class Found:
    """Canceled units that shipped, and the progress of the five steps that follow."""

    lines: dict[int, int]
    unhandled: tuple[tuple[str, str], ...]
    """Carrier and tracking number of each parcel that the customer has not been notified of."""
    notice_id: str | None = None
    stage: str = "found"
    """found, notified, acknowledged, declined, silent, rebilled, closed"""
    notified: dict[int, int] = field(default_factory=dict)
    """The part of ``lines`` that ``notice_id`` was about, if more was found since. Its deadline to answer runs on."""


@dataclass(slots=True)
class Case:
    """A case after delivery."""

    case_id: str
    reason: str
    lines: dict[int, int]
    status: str
    opened_at: Instant
    due_at: Instant | None = None
    """By when the platform decides; None while the deadline is paused."""
    awaited: tuple[str, ...] = ()
    """Kinds of evidence that the platform requested from the buyer and has not received."""
    remaining: int | None = None
    """Business microseconds left while the deadline is paused for evidence."""
    outcome: str | None = None
    rule: str | None = None
    """The rule that the decision rests on."""
    ended_at: Instant | None = None
    """When (recorded) it was accepted or decided."""


@dataclass(slots=True)
class Dispute:
    """A dispute about a request or a message."""

    dispute_id: str
    about: str
    by: str
    status: str
    opened_at: Instant
    lines: dict[int, int]
    evidence_until: Instant | None = None
    appeal_until: Instant | None = None
    appealed: bool = False
    decisions: int = 0
    rule: str | None = None
    """The rule that the last decision rests on."""
    ticket: str | None = None
    decided_at: Instant | None = None


@dataclass(slots=True)
class Evidence:
    """An attached file or message, without its content."""

    evidence_id: str
    about: str
    side: str
    kind: str


@dataclass(slots=True)
class Credit:
    """Units that were credited together. Credits in time order tell how much was refunded for each unit."""

    line: int
    units: int
    value: int
    canceled_at: Instant | None
    """When (recorded) they were canceled; None if they were returned or lost."""
    cause: str
    """The cause of their cancellation, or return or undelivered."""
    shipping: int
    """Units whose share of the line's shipping was credited too."""


@dataclass(slots=True)
class Order:
    """The state of an order, or of a subject's stream, after its events. Only ``apply`` changes it."""

    marketplace: str
    order_id: str
    version: int = 0
    """Number of events."""
    recorded_at: Instant = 0
    """When its last commit was recorded; 0 before the first."""
    placed: e.OrderPlaced | None = None
    placed_at: Instant = 0
    paid_at_placing: bool = False
    placed_fingerprint: bytes | None = None
    holds: dict[str, bytes | None] = field(default_factory=dict)
    """On a subject's stream: legal holds in force, with the fingerprint of the content they were placed for."""
    erased: bool = False
    lines: dict[int, Line] = field(default_factory=dict)
    bundles: dict[int, list[int]] = field(default_factory=dict)
    """Line → the lines that are its parts. They are canceled with it."""
    open_units: int = 0
    """Open units of all lines together."""
    ship_by: Instant | None = None
    proposed_ship_by: Instant | None = None
    paid: int = 0
    """All payments, authorized money included."""
    payments: dict[str, Payment] = field(default_factory=dict)
    holding: dict[str, None] = field(default_factory=dict)
    """Ids of the payments that still hold money, in the order in which they were recorded."""
    other_refunds: int = 0
    """Other refunds that lower what can be refunded. Refunds that were settled elsewhere are not among them."""
    others: list[OtherRefund] = field(default_factory=list)
    other_ids: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Ids of other refunds, each with its content."""
    value_credited: int = 0
    """V of the lines (docs/reference/money.md, Refunds)."""
    value_owed: int = 0
    """D: the sum of max(0, V − O) over lines, the order's shipping and fees."""
    with_order_credited: bool = False
    """Whether the order's shipping and the fees with it count in V."""
    shipping_covered: int = 0
    """O of the order's shipping."""
    fees_covered: dict[str, int] = field(default_factory=dict)
    """O of each fee."""
    owed: list[Owed] = field(default_factory=list)
    """The parts of D that no refund has covered yet, oldest first."""
    refunds_instructed: int = 0
    """All refunds ever instructed, also those that were withdrawn or settled elsewhere."""
    excess_instructed: int = 0
    """The part of them that was paid beyond the total."""
    rebill_instructed: int = 0
    """The part of them that was rebilled."""
    refunds_due: int = 0
    refunds_confirmed: int = 0
    settled_elsewhere: int = 0
    """The part of the refunds that was given back elsewhere."""
    rebills_confirmed: int = 0
    rebill_back: int = 0
    """The amount rebilled for units that came back afterwards. It is refunded in addition to D."""
    ever_shipped: bool = False
    requests: dict[str, Request] = field(default_factory=dict)
    requests_of_line: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Ids of the requests that ask for a line, open or not."""
    refunds: dict[str, Refund] = field(default_factory=dict)
    shipments: dict[str, Shipment] = field(default_factory=dict)
    parcels: list[Parcel] = field(default_factory=list)
    returns: dict[str, Return] = field(default_factory=dict)
    rebills: dict[str, Rebill] = field(default_factory=dict)
    found: Found | None = None
    notices: dict[str, str] = field(default_factory=dict)
    """notice id → sent, delivered or failed. Notices that ``domain.notification_rules`` derives are listed once their
    delivery or failure was reported."""
    notified_bits: int = 0
    """Two bits for each version, from bit 2·version on: 1 if the buyer is notified of that event, 2 for the seller
    (``domain.notification_rules``)."""
    cases: dict[str, Case] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    dismissed: dict[str, Dispute] = field(default_factory=dict)
    """Disputes that were opened too late. They never were open, and their ids are free."""
    evidence: dict[str, Evidence] = field(default_factory=dict)
    messages: dict[str, tuple[str, Instant]] = field(default_factory=dict)
    """message id → who sent it and when it was recorded"""
    deadlines: dict[str, e.Deadline] = field(default_factory=dict)
    """Deadlines that are neither reached nor replaced. ``deadlines.live`` yields those that still apply."""
    deadline_of: dict[tuple[str, str], str] = field(default_factory=dict)
    """Id of the deadline that was last set for a kind and ref."""
    deadlines_set: dict[str, Instant] = field(default_factory=dict)
    """deadline id → when it was set, for every deadline that was ever set"""
    counters: dict[str, int] = field(default_factory=dict)
    """Number of ids assigned so far, by kind."""
    ids: dict[str, bytes | None] = field(default_factory=dict)
    """Used client ids, with the fingerprint of the command that used them."""
    credits: list[Credit] = field(default_factory=list)
    personal_ids: frozenset[str] = frozenset()
    """Ids with an e-mail address that were accepted (``domain.pseudonyms``): of actors, correlations and tickets."""

    @property
    def exists(self) -> bool:
        """Whether the order was placed."""
        return self.placed is not None

    @property
    def terms(self) -> e.OrderPlaced:
        """The terms agreed at placing. Only for an order that exists."""
        assert self.placed is not None
        return self.placed

    def copy(self) -> "Order":
        """Copy the order, so that a decision can change the copy. Empty collections, which are most, are cheap."""
        new = _copy_order(self)
        new.lines = {number: _copy_line(line) for number, line in self.lines.items()}
        new.requests = {k: _copy_request(v) for k, v in self.requests.items()} if self.requests else {}
        new.payments = {k: _copy_payment(v) for k, v in self.payments.items()} if self.payments else {}
        new.refunds = {k: _copy_refund(v) for k, v in self.refunds.items()} if self.refunds else {}
        new.holding = self.holding.copy()
        new.others = self.others.copy()
        new.other_ids = self.other_ids.copy()
        new.fees_covered = self.fees_covered.copy()
        new.owed = self.owed.copy()
        new.shipments = {k: _copy_shipment(v) for k, v in self.shipments.items()} if self.shipments else {}
        new.parcels = [_copy_parcel(v) for v in self.parcels] if self.parcels else []
        new.returns = {k: _copy_return(v) for k, v in self.returns.items()} if self.returns else {}
        new.rebills = {k: _copy_rebill(v) for k, v in self.rebills.items()} if self.rebills else {}
        new.found = None if self.found is None else _copy_found(self.found)
        new.cases = {k: _copy_case(v) for k, v in self.cases.items()} if self.cases else {}
        new.disputes = {k: _copy_dispute(v) for k, v in self.disputes.items()} if self.disputes else {}
        new.dismissed = self.dismissed.copy()
        new.notices = self.notices.copy()
        new.evidence = self.evidence.copy()
        new.messages = self.messages.copy()
        new.deadlines = self.deadlines.copy()
        new.deadline_of = self.deadline_of.copy()
        new.deadlines_set = self.deadlines_set.copy()
        new.requests_of_line = self.requests_of_line.copy()
        new.counters = self.counters.copy()
        new.ids = self.ids.copy()
        new.holds = self.holds.copy()
        new.credits = self.credits.copy()
        return new

    # ---- facts that rules use ------------------------------------------------------------------------------------

    @property
    def shipped_units(self) -> int:
        return sum(line.shipped for line in self.lines.values())

    @property
    def all_shipped_is_delivered(self) -> bool:
        """Whether something was delivered, and nothing that shipped is still to come."""
        lines = self.lines.values()
        return any(line.delivered for line in lines) and all(line.all_arrived_or_lost for line in lines)

    @property
    def all_shipped_is_lost(self) -> bool:
        """Whether something shipped, and all of it was lost or damaged in transit."""
        return self.shipped_units > 0 and all(line.undelivered == line.shipped for line in self.lines.values())

    @property
    def nothing_reached_the_buyer(self) -> bool:
        """Whether nothing is open, and all that shipped was lost, damaged, or came back to the sender undelivered."""
        lines = self.lines.values()
        return self.open_units == 0 and (
            not self.ever_shipped or all(line.shipped == line.undelivered + line.sent_back for line in lines)
        )

    @property
    def value_with_shipping(self) -> int:
        """V: the value of all credited units, and of the order's shipping and fees once they count."""
        if not self.with_order_credited:
            return self.value_credited
        return self.value_credited + self.shipping_value + sum(fee_value(fee) for fee in self.terms.fees)

    @property
    def shipping_value(self) -> int:
        """The order's shipping and the tax on top of it."""
        terms = self.terms
        return terms.shipping + (0 if terms.tax_included else terms.shipping_tax)

    @property
    def other_refunds_in_all(self) -> int:
        """All money that was given back elsewhere, to settle a refund or not."""
        return self.other_refunds + self.settled_elsewhere

    @property
    def kept(self) -> int:
        """paid − due − refunded − other refunds + confirmed rebills. Negative if money was given back twice."""
        out = self.refunds_due + self.refunds_confirmed + self.other_refunds_in_all
        return self.paid - out + self.rebills_confirmed

    @property
    def is_unpaid(self) -> bool:
        """Whether paid < total − V."""
        return self.paid < self.terms.total - self.value_with_shipping

    def open_requests(self) -> Iterator[Request]:
        return (request for request in self.requests.values() if request.status == "open")

    def under_tracking(self, line: int) -> bool:
        """Whether the carrier tracks a parcel with this line that is not delivered."""
        return any(p.lines.get(line) and not p.delivered for p in self.parcels) or any(
            s.status == "tracking" and s.to_deliver(line) for s in self.shipments.values()
        )

    def lines_under_tracking(self) -> set[int]:
        """Return all lines that are ``under_tracking``, in one pass."""
        found = {n for p in self.parcels if not p.delivered for n, units in p.lines.items() if units}
        for shipment in self.shipments.values():
            if shipment.status == "tracking":
                found |= {n for n in shipment.lines if shipment.to_deliver(n)}
        return found

    @property
    def next_payment_id(self) -> str:
        """The id that the engine gives a payment, like payment-1."""
        number = len(self.payments) + 1
        while f"payment-{number}" in self.payments:
            number += 1
        return f"payment-{number}"

    @property
    def next_other_refund_id(self) -> str:
        """The id of an other refund of which none is on record, like other-refund-1."""
        return f"other-refund-{len(self.others) + 1}"

    def next_id(self, kind: str) -> str:
        """The id that the engine assigns next, like refund-1."""
        return f"{kind}-{self.counters.get(kind, 0) + 1}"

    def next_deadline_id(self, kind: str) -> str:
        """The id of the next deadline. Counted apart, because a return and its deadline are both named return-N."""
        return self.next_id(f"{kind} deadline").replace(" deadline", "")

    def got(self, request: Request, line: int) -> int:
        """Units of a request that were canceled while it was open or by it, or lost while it was open."""
        return request.canceled.get(line, 0)

    def still_open(self, request: Request, line: int) -> int:
        """Units of a request that are still open."""
        return min(request.requested[line] - self.got(request, line), self.lines[line].open)

    def overtaken(self, request: Request) -> bool:
        """Whether units of a request shipped after it was submitted."""
        return any(
            min(request.requested[n], was_open) > self.got(request, n) + self.still_open(request, n)
            for n, was_open in request.here.items()
        )

    def awaits(self, request: Request) -> str | None:
        """Return who has to act on a request: ``buyer``, ``seller``, or ``support`` while a dispute about it is open.

        Returns None if nobody has to: the request is closed, a dispute decided it, or all of its units shipped after it
        was submitted. Under mutual consent such a request stays open, but the shipment was the answer (rule
        ``shipment-answers``).
        """
        if request.status != "open":
            return None
        disputes = [dispute for dispute in self.disputes.values() if dispute.about == request.request_id]
        if disputes:
            return "support" if any(dispute.status == "open" for dispute in disputes) else None
        if not any(self.still_open(request, n) or self._covers_shipped_units(request, n) for n in request.requested):
            return None
        if request.offers:
            return "buyer"
        return "buyer" if request.by == "seller" else "seller"

    def _covers_shipped_units(self, request: Request, line: int) -> bool:
        """Whether a request covers units that had shipped before it, and some of them can still come back."""
        return request.requested[line] > request.here.get(line, 0) and self.requested_and_shipped(request, line) > 0

    def requested_and_shipped(self, request: Request, line: int) -> int:
        """Units of a request that shipped and are neither back nor in a return."""
        here = self.lines[line]
        rest = (
            request.requested[line]
            - self.got(request, line)
            - min(request.requested[line] - self.got(request, line), here.open)
        )
        return max(0, min(rest, here.with_buyer_or_under_way))


_copy_order = _copier(Order)
_copy_line = _copier(Line)
_copy_request_record = _copier(Request)
_copy_refund = _copier(Refund)
_copy_payment = _copier(Payment)
_copy_return_record = _copier(Return)
_copy_rebill_record = _copier(Rebill)
_copy_found = _copier(Found)
_copy_case = _copier(Case)
_copy_dispute = _copier(Dispute)
_copy_shipment_record = _copier(Shipment)
_copy_parcel_record = _copier(Parcel)


def _copy_request(request: Request) -> Request:
    new = _copy_request_record(request)
    new.canceled = request.canceled.copy()
    return new


def _copy_shipment(shipment: Shipment) -> Shipment:
    new = _copy_shipment_record(shipment)
    new.lines, new.killed = shipment.lines.copy(), shipment.killed.copy()
    new.reported = {k: v.copy() for k, v in shipment.reported.items()} if shipment.reported else {}
    return new


def _copy_return(back: Return) -> Return:
    new = _copy_return_record(back)
    new.received, new.unseen = back.received.copy(), back.unseen.copy()
    return new


def _copy_rebill(rebill: Rebill) -> Rebill:
    new = _copy_rebill_record(rebill)
    new.back = rebill.back.copy()
    return new


def _copy_parcel(parcel: Parcel) -> Parcel:
    new = _copy_parcel_record(parcel)
    new.lines = parcel.lines.copy()
    return new


def fee_value(fee: e.PlacedFee) -> int:
    """The refund value of a fee: 0 if it is never refunded."""
    return fee.amount + fee.refundable_tax if fee.refundable == "with-order" else 0


def fresh(marketplace: str, order_id: str) -> Order:
    """An order without events."""
    return Order(marketplace=marketplace, order_id=order_id)
