"""Tables of what comes after shipment: returns, cases, disputes, and the evidence for them."""

from typing import Final

from projections.tables.shape import MARKETPLACE, ORDER_ID, SELLER_ID, Column, Table, flag, instant, number, text

RETURNS: Final = Table(
    "returns",
    "state",
    3,
    "One row a return: units that may come back.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("return_id", "The return, counted per order.", fixed=True),
        SELLER_ID,
        text("about", "The request, case or dispute that it came of; itself where the buyer asked for it.", fixed=True),
        text("reason", "A canonical reason.", empty=True, fixed=True),
        Column("lines", "json", 'What may come back: [{"line", "quantity"}, …].', fixed=True),
        text("postage", "Who pays it: buyer, seller, platform.", fixed=True),
        text(
            "refund",
            "When its money goes back: on_receipt, at_once, or none (cancelled units, which were refunded before).",
            fixed=True,
        ),
        text(
            "status",
            "open, received, withdrawn, lapsed (not sent in time), closed (by a person, or by return-not-confirmed).",
        ),
        flag("accepted", "1 once it is accepted."),
        flag("refunded", "1 once its money was given back, so far as any was due."),
        text("condition", "sellable or damaged, once it was received and looked at.", empty=True),
        text("carrier", "Who carries it back.", empty=True),
        text("tracking_number", "The carrier's number.", empty=True),
        instant("opened_at", "When it was opened (recorded).", fixed=True),
        instant("delivered_at", "When it reached the seller (occurred).", empty=True),
        instant("ended_at", "When it was received or closed (recorded).", empty=True),
    ),
    (("marketplace", "status", "opened_at"), ("marketplace", "seller_id", "status", "opened_at")),
)

CASES: Final = Table(
    "cases",
    "state",
    3,
    "One row a case after delivery.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("case_id", "The case.", fixed=True),
        SELLER_ID,
        text("buyer_id", "The order's buyer.", fixed=True),
        text("reason", "A reason of cases.", fixed=True),
        Column("lines", "json", 'What it is about: [{"line", "quantity"}, …].', fixed=True),
        text("status", "open, accepted (the seller took the return), decided."),
        text("outcome", "return or deny, once it is decided.", empty=True),
        text("rule", "The rule that the decision rests on.", empty=True),
        instant("opened_at", "When it was opened (recorded).", fixed=True),
        instant("due_at", "By when the platform decides; empty while the clock stands still for evidence.", empty=True),
        text("awaits", "Kinds of evidence that the buyer was asked for and has not given, comma-separated."),
        instant("ended_at", "When it was accepted or decided (recorded).", empty=True),
    ),
    (("marketplace", "status", "due_at"), ("marketplace", "seller_id", "status", "due_at")),
)

DISPUTES: Final = Table(
    "disputes",
    "state",
    3,
    "One row a dispute about a request or a message, those that came too late included.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("dispute_id", "The dispute.", fixed=True),
        SELLER_ID,
        text("buyer_id", "The order's buyer.", fixed=True),
        text("about", "The request or message that it is about."),
        text("opened_by", "buyer or seller."),
        Column("lines", "json", 'What it is about: [{"line", "quantity"}, …].'),
        text("status", "open, granted, denied, returned, or dismissed (too late: it never was open)."),
        text("rule", "The rule that the last decision, or the dismissal, rests on.", empty=True),
        text("ticket", "Support's ticket, once it was escalated.", empty=True),
        instant("opened_at", "When it was opened, or dismissed (recorded)."),
        instant("evidence_until", "The last instant at which evidence is taken.", empty=True),
        instant("decided_at", "When it was last decided (recorded).", empty=True),
        instant("appeal_until", "The last instant of an appeal.", empty=True),
        flag("appealed", "1 once the decision was appealed: the next one is final."),
        number("decisions", "How often it was decided."),
    ),
    (("marketplace", "status", "opened_at"), ("marketplace", "seller_id", "status", "opened_at")),
)

EVIDENCE: Final = Table(
    "evidence",
    "facts",
    3,
    "One row a piece of evidence, without its content: that is in the vault.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("evidence_id", "The piece."),
        text("about", "rebill, or the request, return, case or dispute that it is about."),
        text("side", "buyer, seller or support."),
        text("kind", "message, photo, document, ticket, receipt."),
        text("origin", "own_photo, listing, stock_image, screenshot, correspondence, receipt.", empty=True),
        text("source", "Where it was taken from.", empty=True),
        text("sha256", "SHA-256 of its content, hex."),
        text("media_type", "Its media type."),
        number("size", "Its size in bytes."),
        instant("claimed_at", "When it is said to be from, by whoever attached it.", empty=True),
        instant("attached_at", "When it was attached (recorded)."),
        number("position", "Position of its event (audit_trail)."),
    ),
)
