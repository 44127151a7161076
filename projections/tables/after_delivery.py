"""Tables of what comes after shipment: returns, cases, disputes, and the evidence for them."""

from typing import Final

from projections.tables.shape import (
    MARKETPLACE,
    ORDER_ID,
    SELLER_ID,
    Column,
    Table,
    flag,
    folded,
    instant,
    number,
    text,
)

RETURNS: Final = Table(
    "returns",
    "state",
    3,
    "One row for each return. A return has units that the buyer may send back.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("return_id", "The return's id, counted per order.", fixed=True),
        SELLER_ID,
        text(
            "about",
            "The request, case or dispute that led to the return, or the shipment that goes back to the sender. It is "
            "the return's own id if the buyer asked for the return.",
            fixed=True,
        ),
        text("reason", "A code of the canonical reasons.", empty=True, fixed=True),
        Column("lines", "json", 'The units that may be sent back: [{"line", "quantity"}, …].', fixed=True),
        Column(
            "received",
            "json",
            'The units of them that came back, or were refunded when it was closed: [{"line", "quantity"}, …].',
        ),
        text("postage", "The side that pays the postage: buyer, seller or platform.", fixed=True),
        text(
            "refund",
            "When the money is refunded: on_receipt, at_once or none. It is none for canceled units, which were "
            "refunded before.",
            fixed=True,
        ),
        text(
            "status",
            "open, started, received, withdrawn, lapsed or closed. A started return is on its way back. A lapsed "
            "return was not sent. A return is closed by a person, or by return-not-confirmed if it was shown as "
            "delivered and the seller did not confirm it.",
        ),
        flag("accepted", "1 once the return is accepted, otherwise 0."),
        flag("refunded", "1 once the money that was due has been refunded, otherwise 0."),
        text("condition", "sellable or damaged, once the units were received and examined.", empty=True),
        text("carrier", "Name of the carrier of the return.", empty=True),
        text("tracking_number", "The carrier's tracking number.", empty=True),
        instant("opened_at", "When opening it was recorded.", fixed=True),
        instant("ship_by", "The last instant at which the buyer can send it, if the policy sets one.", empty=True),
        instant("delivered_at", "When the return reached the seller.", empty=True),
        instant(
            "ended_at", "When it was recorded that the return ended. Empty while units are still to come.", empty=True
        ),
    ),
    (("marketplace", "status", "opened_at"), ("marketplace", "seller_id", "status", "opened_at")),
)

CASES: Final = Table(
    "cases",
    "state",
    3,
    "One row for each case after delivery.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("case_id", "The case's id.", fixed=True),
        SELLER_ID,
        text("buyer_id", "The id of the order's buyer.", fixed=True),
        text("reason", "A code of the reasons for cases.", fixed=True),
        Column("lines", "json", 'The units concerned: [{"line", "quantity"}, …].', fixed=True),
        text("status", "open, accepted or decided. It is accepted if the seller accepted the return."),
        text("outcome", "return or deny, once the case is decided.", empty=True),
        text("rule", "The rule that the decision is based on.", empty=True),
        instant("opened_at", "When opening it was recorded.", fixed=True),
        instant(
            "due_at",
            "The instant by which the platform decides. Empty while the deadline is paused for evidence.",
            empty=True,
        ),
        text("awaits", "Kinds of evidence that were requested from the buyer and are still missing, comma-separated."),
        instant("ended_at", "When it was recorded that the case was accepted or decided.", empty=True),
    ),
    (
        ("marketplace", "status", "due_at"),
        ("marketplace", "seller_id", "status", "due_at"),
        (folded("case_id"), "marketplace", "order_id"),
    ),
)

DISPUTES: Final = Table(
    "disputes",
    "state",
    3,
    "One row for each dispute about a request or a message. Disputes that were opened too late are included.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("dispute_id", "The dispute's id.", fixed=True),
        SELLER_ID,
        text("buyer_id", "The id of the order's buyer.", fixed=True),
        text("about", "The request or message that the dispute is about."),
        text("opened_by", "buyer or seller."),
        Column("lines", "json", 'The units concerned: [{"line", "quantity"}, …].'),
        text(
            "status",
            "open, granted, denied, returned or dismissed. It is dismissed if it was opened too late, and then it "
            "was never open.",
        ),
        text("rule", "The rule that the latest decision, or the dismissal, is based on.", empty=True),
        text("ticket", "Support's ticket, once the dispute was escalated.", empty=True),
        instant("opened_at", "When it was recorded that the dispute was opened or dismissed."),
        instant("evidence_until", "The last instant at which evidence is accepted.", empty=True),
        instant("decided_at", "When the latest decision was recorded.", empty=True),
        instant("appeal_until", "The last instant at which an appeal is accepted.", empty=True),
        flag("appealed", "1 once the decision was appealed, otherwise 0. The decision after an appeal is final."),
        number("decisions", "Number of decisions."),
    ),
    (
        ("marketplace", "status", "opened_at"),
        ("marketplace", "seller_id", "status", "opened_at"),
        (folded("ticket"), "marketplace", "order_id"),
    ),
)

EVIDENCE: Final = Table(
    "evidence",
    "facts",
    3,
    "One row for each piece of evidence. Its content is in the vault.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("evidence_id", "The id of the piece of evidence."),
        text("about", "rebill, or the request, return, case or dispute that the evidence is about."),
        text("side", "buyer, seller or support."),
        text("kind", "message, photo, document, ticket or receipt."),
        text("origin", "own_photo, listing, stock_image, screenshot, correspondence or receipt.", empty=True),
        text("source", "Where the evidence was taken from.", empty=True),
        text("sha256", "SHA-256 of the content, in hex."),
        text("media_type", "Media type of the content."),
        number("size", "Size of the content in bytes."),
        instant("claimed_at", "When the evidence was made, by the claim of the person who attached it.", empty=True),
        instant("attached_at", "When attaching the evidence was recorded."),
        number("position", "Position of the event in audit_trail."),
    ),
)
