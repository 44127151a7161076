"""The tables that people look at: every column with its meaning, once. Schemas, SQL and docs/tables.md follow.

A row is a tuple in the order of its table's columns. Cells are ``str``, ``int`` or ``None``: an ``instant`` is an int
of UTC microseconds (an adapter stores it in its own way: UTC text with ``Z`` in SQLite), a ``flag`` 0 or 1, a ``day``
an ISO date, ``json`` its text, ``minor`` an amount in minor units of the order's currency. COMMANDS.md 5.
"""

from dataclasses import dataclass
from typing import Final, Literal

Cell = str | int | None
Row = tuple[Cell, ...]
Type = Literal["text", "integer", "minor", "instant", "day", "flag", "json"]
Kind = Literal["state", "sums", "facts"]

SCHEMA_VERSION: Final = 1
"""Raised with every change below; views of another version are made anew from the log."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``empty``: it may be null. ``fixed``: a row's first value stays, an update need not write it."""

    name: str
    type: Type
    doc: str
    empty: bool = False
    fixed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table; the first ``key`` columns identify a row.

    ``state``: a row is put whole, the last one counts; with ``owner`` (so many key columns) all rows of an owner are
    put at once and those not among them go. ``sums``: behind the key come integers that are added up. ``facts``: a row
    is written once. ``indexes`` are what the queries of pages need beside the key.
    """

    name: str
    kind: Kind
    key: int
    doc: str
    columns: tuple[Column, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    owner: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def _text(name: str, doc: str, *, empty: bool = False, fixed: bool = False) -> Column:
    return Column(name, "text", doc, empty, fixed)


def _number(name: str, doc: str) -> Column:
    return Column(name, "integer", doc)


def _minor(name: str, doc: str, *, fixed: bool = False) -> Column:
    return Column(name, "minor", doc, fixed=fixed)


def _instant(name: str, doc: str, *, empty: bool = False, fixed: bool = False) -> Column:
    return Column(name, "instant", doc, empty, fixed)


MARKETPLACE: Final = _text("marketplace", "The marketplace.", fixed=True)
ORDER_ID: Final = _text("order_id", "The order, unique within its marketplace.", fixed=True)
SELLER_ID: Final = _text("seller_id", "The order's seller.", fixed=True)
PARTITION: Final = Column("partition", "integer", "The journal's partition that the order lives in.", fixed=True)

ORDERS: Final = Table(
    "orders",
    "state",
    2,
    "One row an order, as it stands after its last event.",
    (
        MARKETPLACE,
        ORDER_ID,
        _text("po_number", "What people search for; the order_id where none was given.", fixed=True),
        _text("checkout_id", "The checkout that it is a part of.", empty=True, fixed=True),
        _text("buyer_id", "The order's buyer.", fixed=True),
        SELLER_ID,
        _text("currency", "ISO 4217 code; every amount of the order is in its minor units.", fixed=True),
        _text("sale_format", "fixed, offer or auction.", fixed=True),
        _text(
            "status",
            "The first that fits: canceled, cancel_requested, delivered, shipped, partly_shipped, partly_canceled, "
            "unpaid, open.",
        ),
        _text(
            "attention",
            "What somebody should look at, comma-separated, empty for nothing: shipped_after_cancel, case_open, "
            "dispute_open, return_open, refund_failed, stuck. What is late follows from late_from.",
        ),
        _number("version", "Number of the order's events, refusals included."),
        _text("policy_id", "The policy pinned at placing.", fixed=True),
        Column("policy_version", "integer", "Its version.", fixed=True),
        _text("policy_sha256", "SHA-256 of its canonical document, hex.", fixed=True),
        _instant("placed_at", "When it was placed (recorded).", fixed=True),
        _instant("updated_at", "When its last event was recorded."),
        _instant("ship_by", "By when the seller should ship.", empty=True),
        _instant(
            "late_from",
            "It is late after this instant: its ship_by while units are open, or the due instant of an open case.",
            empty=True,
        ),
        _instant("next_deadline_at", "The earliest due instant of its deadlines (table deadlines).", empty=True),
        _minor("total_minor", "What the whole order costs; it never moves.", fixed=True),
        _minor("paid_minor", "What came in."),
        _minor("refund_due_minor", "Refunds instructed and not yet confirmed."),
        _minor("refunded_minor", "Refunds confirmed."),
        _minor("other_refunds_minor", "Given back outside cancellations."),
        _minor("kept_minor", "paid − refund due − refunded − other refunds + rebills confirmed."),
        _number("open_units", "Units still open, all lines."),
        _number("shipped_units", "Units shipped."),
        _number("canceled_units", "Units cancelled."),
        PARTITION,
    ),
    (
        ("po_number", "marketplace"),
        ("marketplace", "placed_at", "order_id"),
        ("marketplace", "status", "placed_at", "order_id"),
        ("marketplace", "seller_id", "placed_at", "order_id"),
        ("marketplace", "seller_id", "status", "placed_at", "order_id"),
        ("marketplace", "buyer_id", "placed_at", "order_id"),
    ),
)

ORDER_LINES: Final = Table(
    "order_lines",
    "state",
    3,
    "One row a line. ordered = open + shipped + canceled, always.",
    (
        MARKETPLACE,
        ORDER_ID,
        Column("line", "integer", "The line's number.", fixed=True),
        _text("sku", "What was ordered.", fixed=True),
        _text("title", "Its title, where one was given.", empty=True, fixed=True),
        Column("ordered", "integer", "Units ordered.", fixed=True),
        _number("open", "Units neither shipped nor cancelled."),
        _number("shipped", "Units shipped."),
        _number("canceled", "Units cancelled, for whatever cause."),
        _number("auto_canceled", "Of these, units cancelled by fill-or-kill."),
        _number("returned", "Shipped units that came back."),
        _number("rebilled", "Cancelled units that shipped all the same and were billed again."),
        _number("delivered", "Shipped units that reached the buyer."),
        _minor("goods_minor", "What the whole line gives back when cancelled, tax on top left out.", fixed=True),
        _minor("tax_minor", "The tax on top that it gives back (0 where tax is included).", fixed=True),
    ),
)

REQUESTS: Final = Table(
    "requests",
    "state",
    3,
    "One row a request to cancel, as last accepted, else as last refused.",
    (
        MARKETPLACE,
        ORDER_ID,
        _text("request_id", "The request.", fixed=True),
        SELLER_ID,
        _text("asked_by", "buyer, seller, support or system."),
        _text("reason", "A canonical reason.", empty=True),
        Column("lines", "json", 'What it asks for: [{"line", "quantity"}, …].'),
        _text("status", "open, approved, partly, shipped, declined, withdrawn, refused."),
        _instant("asked_at", "When it was asked (recorded)."),
        _instant("decide_by", "Until when the seller is to decide.", empty=True),
        _text("rule", "The rule that spoke last."),
    ),
    (("marketplace", "status", "decide_by"), ("marketplace", "seller_id", "status", "decide_by")),
)

REFUNDS: Final = Table(
    "refunds",
    "state",
    3,
    "One row an instruction to give money back.",
    (
        MARKETPLACE,
        ORDER_ID,
        _text("refund_id", "The refund, counted per order.", fixed=True),
        SELLER_ID,
        _text("currency", "ISO 4217 code.", fixed=True),
        _minor("amount_minor", "How much.", fixed=True),
        _text("status", "due until confirmed, then confirmed."),
        Column("failed", "flag", "1 while the last try failed."),
        _instant("due_at", "When it was instructed (recorded).", fixed=True),
    ),
)

SHIPMENTS: Final = Table(
    "shipments",
    "state",
    3,
    "One row a shipping notice that was accepted.",
    (
        MARKETPLACE,
        ORDER_ID,
        _text("shipment_id", "The notice.", fixed=True),
        _text("carrier", "Who carries it.", empty=True),
        _text("tracking_number", "The carrier's number.", empty=True),
        _text("status", "announced, tracking, delivered, void."),
        Column("lines", "json", 'What it ships: [{"line", "quantity"}, …].'),
        _instant("occurred_at", "When it left.", fixed=True),
        _instant("last_seen_at", "When the carrier last saw it."),
    ),
)

DEADLINES: Final = Table(
    "deadlines",
    "state",
    3,
    "The deadlines that still apply; those that were reached or no longer matter are gone.",
    (
        MARKETPLACE,
        ORDER_ID,
        _text("deadline_id", "The deadline, counted per order and kind.", fixed=True),
        _text(
            "kind",
            "acknowledge, alternatives, appeal, case, confirmation, decide, evidence, late-ship, reminder, return, "
            "unpaid.",
        ),
        _instant("due_at", "The last instant that is in time."),
        _text("ref", "The id it is about."),
    ),
    (("due_at",),),
    owner=2,
)

CANCELLATIONS: Final = Table(
    "cancellations",
    "facts",
    3,
    "One row for units of a line that were cancelled at once for one cause.",
    (
        PARTITION,
        _number("position", "Position of the event that says so (audit_trail)."),
        _number("part", "Its place among the lines of that event, from 0."),
        MARKETPLACE,
        ORDER_ID,
        SELLER_ID,
        _text(
            "cause",
            "request (also where the seller's own cancellation, or silence, carries out an open request), seller, "
            "support, fill_or_kill, late_ship, unpaid, dispute.",
        ),
        _number("line", "The line's number."),
        _number("quantity", "Units."),
        _text("reason", "A canonical reason.", empty=True),
        _text("request_id", "The request that it carries out.", empty=True),
        _text("shipment_id", "The notice by which fill-or-kill cancelled it.", empty=True),
        _instant("canceled_at", "When (recorded)."),
    ),
    (("marketplace", "order_id"),),
)

MESSAGES: Final = Table(
    "messages",
    "facts",
    2,
    "One row a message between the parties, without its text: that is in the vault.",
    (
        PARTITION,
        _number("position", "Position of its event (audit_trail)."),
        MARKETPLACE,
        ORDER_ID,
        _text("message_id", "The message."),
        _text("sender_kind", "buyer, seller, support or system."),
        _text("sender_id", "Who sent it."),
        _text("recipient", "buyer, seller or support."),
        _text("about", "The request, case, dispute or return that it is about.", empty=True),
        _instant("occurred_at", "When it was sent."),
        _instant("recorded_at", "When that was recorded."),
        _text("commitment", "HMAC of the text, hex."),
        _text("reference", "Where the vault has the text."),
    ),
    (("marketplace", "order_id"),),
)

SELLER_DAILY: Final = Table(
    "seller_daily",
    "sums",
    3,
    "The seller's dashboard in numbers, by local day (the zone pinned on the order, by recorded time). A line that is "
    "cancelled counts once, on the day and under the cause that first cancelled any of it; unpaid counts for nobody. "
    "The seller's rate is (by seller + auto-cancelled) ÷ lines placed.",
    (
        MARKETPLACE,
        SELLER_ID,
        Column("day", "day", "The local day, like 2026-03-02."),
        _number("orders_placed", "Orders placed."),
        _number("lines_placed", "Lines of these."),
        _number("lines_canceled_by_request", "Cancelled first by a request or a granted dispute."),
        _number(
            "lines_canceled_by_seller",
            "Cancelled first by the seller, or by support for a seller's reason (out_of_stock, cannot_ship_there, "
            "pricing_error, shipped_too_late).",
        ),
        _number("lines_auto_canceled", "Cancelled first by fill-or-kill or because they shipped too late."),
        _minor(
            "refund_minor", "Refunds instructed that day, in minor units; several currencies are added as they are."
        ),
    ),
)

AUDIT_TRAIL: Final = Table(
    "audit_trail",
    "facts",
    2,
    "Every event of the journal, refusals included, as order history tells it.",
    (
        Column("partition", "integer", "The journal's partition."),
        _number("position", "Dense number of the event in its partition, from 0."),
        _text("marketplace", "The marketplace; null where the stream has none.", empty=True),
        _text("order_id", "The order; null where the event is not an order's (subjects, imports).", empty=True),
        _number("ordinal", "Dense number of its commit in the partition."),
        _number("version", "The event's number in its stream, from 1."),
        _text("event", "The event's stored name (events reference)."),
        _instant("occurred_at", "When the world says it happened."),
        _instant("recorded_at", "The engine's clock at the decision."),
        _text("actor_kind", "buyer, seller, support or system."),
        _text("actor_id", "Who said it."),
        _text("commit", "Hash of its commit, hex."),
        Column("data", "json", "The event's fields."),
    ),
    (("marketplace", "order_id", "version"),),
)

POLICIES: Final = Table(
    "policies",
    "facts",
    2,
    "Every policy version that was published, from the control log.",
    (
        _text("id", "The policy."),
        _number("version", "Its version."),
        _text("sha256", "SHA-256 of its document, hex."),
        Column("document", "json", "The canonical document."),
        _instant("published_at", "When it was published (recorded)."),
        _text("published_by", "Who published it."),
        _number("position", "Position of the event in the control log."),
    ),
)

TABLES: Final = (
    ORDERS,
    ORDER_LINES,
    REQUESTS,
    REFUNDS,
    SHIPMENTS,
    DEADLINES,
    CANCELLATIONS,
    MESSAGES,
    SELLER_DAILY,
    AUDIT_TRAIL,
    POLICIES,
)
"""Everything that projections write."""

DEAD_LETTERS: Final = Table(
    "dead_letters",
    "state",
    3,
    "Orders that are parked: an event of theirs could not be told by this release. Their rows stand as before it.",
    (
        _text("log", "journal or control."),
        Column("partition", "integer", "The partition."),
        _text("stream", "The stream that is parked: marketplace/order_id."),
        _number("ordinal", "Ordinal of the first commit that was left out."),
        _number("position", "Position of that commit's first event."),
        _text("event", "The event, where it is known which.", empty=True),
        _text("error", "What went wrong."),
    ),
)

POSITIONS: Final = Table(
    "positions",
    "state",
    2,
    "How far the tables have followed each partition; written in the transaction that writes the rows.",
    (
        _text("log", "journal or control."),
        Column("partition", "integer", "The partition."),
        _number("next_ordinal", "Ordinal of the first commit that is not in the tables."),
        _number("next_position", "Position of the first event that is not in the tables."),
        _text("last_commit", "Hash of the last commit that is in them, hex; empty before the first."),
        _number("letters", "How often streams were parked or freed."),
    ),
)

BOOKKEEPING: Final = (DEAD_LETTERS, POSITIONS)
"""What the projector itself writes."""
