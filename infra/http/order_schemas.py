"""The schemas of an order as JSON (``domain.order_json``), for the OpenAPI document."""

from typing import Final, get_args

from domain.commands import PaymentMethod
from infra.documents.words import STATUS
from infra.http.schema_parts import (
    BOOLEAN,
    INSTANT,
    INTEGER,
    MINOR,
    STRING,
    Schema,
    array,
    obj,
    one_of,
    or_null,
    ref,
    text,
)

_METHOD: Final = one_of(get_args(PaymentMethod))

SUMMARY_KEYS: Final[dict[str, Schema]] = {
    "order_id": STRING,
    "po_number": STRING,
    "checkout_id": or_null(STRING),
    "seller_id": STRING,
    "buyer_id": STRING,
    "currency": STRING,
    "status": one_of(STATUS),
    "attention": array(STRING),
    "version": INTEGER,
}
"""Keys that an order has in a list, and alone."""

ORDER_COMPONENTS: Final[dict[str, Schema]] = {
    "OrderLine": obj(
        "A line of an order, with its quantities.",
        {
            "line": INTEGER,
            "sku": text("Empty if the line was placed with a title only."),
            "title": or_null(STRING),
            **dict.fromkeys(
                ("ordered", "open", "shipped", "canceled", "auto_canceled", "returned", "rebilled"), INTEGER
            ),
            "undelivered": {**INTEGER, "description": "Part of shipped: units that were lost or damaged in transit."},
        },
    ),
    "Money": obj(
        "paid + rebills confirmed = kept + refunded + due + other refunds.",
        dict.fromkeys(
            (
                "total_minor",
                "paid_minor",
                "refund_due_minor",
                "refunded_minor",
                "other_refunds_minor",
                "kept_minor",
            ),
            MINOR,
        ),
    ),
    "Fee": obj(
        "A fee of an order.",
        {
            "fee_id": STRING,
            "title": or_null(STRING),
            "amount_minor": MINOR,
            "tax_minor": MINOR,
            "refundable": one_of(("never", "with-order")),
        },
    ),
    "Payment": obj(
        "A payment. refunded_minor counts the parts of refunds that are confirmed.",
        {
            "payment_id": STRING,
            "method": _METHOD,
            "authorized_minor": MINOR,
            "captured_minor": MINOR,
            "refunded_minor": MINOR,
        },
    ),
    "Refund": obj(
        "A refund. Its parts and its causes each add up to its amount.",
        {
            "refund_id": STRING,
            "amount_minor": MINOR,
            "status": one_of(("due", "confirmed", "settled_elsewhere", "withdrawn")),
            "failed": {**BOOLEAN, "description": "Whether the last attempt of a due refund failed."},
            "waiting": {**BOOLEAN, "description": "Whether any part waits for a chargeback to be closed."},
            "parts": array(ref("RefundPart")),
            "causes": array(obj("A part of the amount by its cause.", {"cause": STRING, "amount_minor": MINOR})),
        },
    ),
    "RefundPart": obj(
        "The part of a refund that goes back to one payment. A void frees authorized money.",
        {
            "payment_id": STRING,
            "method": _METHOD,
            "amount_minor": MINOR,
            "kind": one_of(("refund", "void")),
            "waiting": BOOLEAN,
        },
    ),
    "Request": obj(
        "A cancellation request.",
        {
            "request_id": STRING,
            "by": STRING,
            "reason": or_null(STRING),
            "lines": array(ref("LineQuantity")),
            "status": STRING,
            "asked_at": INSTANT,
            "decide_by": or_null(INSTANT),
            "rule": or_null(STRING),
        },
    ),
    "Shipment": obj(
        "A shipping notice.",
        {
            "shipment_id": STRING,
            "carrier": or_null(STRING),
            "tracking_number": or_null(STRING),
            "status": one_of(("announced", "tracking", "delivered", "void", "lost", "damaged", "returning")),
            "lines": array(ref("LineQuantity")),
            "occurred_at": INSTANT,
        },
    ),
    "Return": obj(
        "A return. received has the units that came back, or were refunded without coming back.",
        {
            "return_id": STRING,
            "about": STRING,
            "reason": or_null(STRING),
            "status": one_of(("open", "started", "received", "withdrawn", "lapsed", "closed")),
            "lines": array(ref("LineQuantity")),
            "received": array(ref("LineQuantity")),
            "ship_by": or_null({**INSTANT, "description": "Until when the buyer has to send it."}),
        },
    ),
    "Deadline": obj(
        "A deadline that still applies.",
        {"deadline_id": STRING, "kind": STRING, "due_at": INSTANT, "ref": or_null(STRING)},
    ),
    "Order": obj(
        "An order and its current state.",
        {
            "marketplace": STRING,
            **SUMMARY_KEYS,
            "policy": ref("PolicyRef"),
            "placed_at": INSTANT,
            "ship_by": or_null(INSTANT),
            "lines": array(ref("OrderLine")),
            "money": ref("Money"),
            "fees": array(ref("Fee")),
            "payments": array(ref("Payment")),
            "requests": array(ref("Request")),
            "refunds": array(ref("Refund")),
            "shipments": array(ref("Shipment")),
            "returns": array(ref("Return")),
            "deadlines": array(ref("Deadline")),
            "head": or_null(STRING),
            "at": INSTANT,
            "stale": BOOLEAN,
        },
        optional=("stale",),
    ),
    "OrderSummary": obj(
        "An order in a list.",
        {
            **SUMMARY_KEYS,
            "placed_at": INSTANT,
            "ship_by": or_null(INSTANT),
            "total_minor": MINOR,
            "open": INTEGER,
            "shipped": INTEGER,
            "canceled": INTEGER,
        },
    ),
    "OrderList": obj(
        "A page of orders, newest first.",
        {
            "orders": array(ref("OrderSummary")),
            "next": or_null(text("Value of after for the next page; null on the last one.")),
            "stale": BOOLEAN,
        },
        optional=("stale",),
    ),
}
