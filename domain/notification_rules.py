"""Maps events to notifications (rule ``both-told``): for each, a template and an audience.

Notices and their ids are derived from the log alone. ``told-VERSION-buyer`` notifies the buyer of the event with that
version (its number in the order's history, from 1). ``remind-DEADLINE-seller`` reminds the seller of a deadline.
``CustomerNotified`` has an id of its own: ``notice-1``, ``notice-2``, and so on. Language packs hold the texts of the
templates. The domain does not decide whether and how a notice is sent.
"""

import re
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, get_args

from domain import events as e
from domain.order import Order

Audience = Literal["buyer", "seller"]
AUDIENCES: Final[tuple[Audience, ...]] = get_args(Audience)

BUYER: Final[tuple[Audience, ...]] = ("buyer",)
SELLER: Final[tuple[Audience, ...]] = ("seller",)
BOTH: Final[tuple[Audience, ...]] = AUDIENCES


MESSAGE: Final = "message"
"""The template that announces a message, without its text."""


class NotificationRule(NamedTuple):
    """The notification of an event: the template's name, and the audience."""

    template: str
    audiences: tuple[Audience, ...]


# ---- notifications that depend on fields of the event ----------------------------------------------------------


def _requested(event: e.CancelRequested) -> NotificationRule:
    """Notify the other side of a request."""
    return NotificationRule("asked", BUYER if event.by == "seller" else SELLER)


def is_as_asked(event: e.LinesCanceled) -> bool:
    """Whether the seller canceled with the reason ``buyer_asked`` and no request is on record.

    Such a cancellation counts as the seller's own (rule ``standing``), and the notification asks the buyer about it.
    """
    return any(part.cause == "seller" and part.reason == "buyer_asked" for part in event.lines)


def _canceled(event: e.LinesCanceled) -> NotificationRule:
    return NotificationRule("canceled-as-asked" if is_as_asked(event) else "canceled", BOTH)


def _message(event: e.MessageSent) -> NotificationRule | None:
    """Notify the side that a message is for. Support has no address here: it reads the order's page."""
    return {"buyer": NotificationRule(MESSAGE, BUYER), "seller": NotificationRule(MESSAGE, SELLER)}.get(event.to)


def _ship_by(event: e.ShipByRevised) -> NotificationRule:
    return NotificationRule("ship-by-proposed" if event.proposed else "ship-by-revised", BUYER)


def _evidence(event: e.EvidenceAdded) -> NotificationRule:
    """Notify the side that did not submit it."""
    return NotificationRule("evidence-added", {"buyer": SELLER, "seller": BUYER}.get(event.side, BOTH))


def _undelivered(event: e.ParcelUndelivered) -> NotificationRule:
    """Tell both sides whether the parcel is lost, or comes back to the seller."""
    comes_back = event.outcome in ("returned_to_sender", "refused")
    return NotificationRule("coming-back" if comes_back else "undelivered", BOTH)


def _return_opened(event: e.ReturnOpened) -> NotificationRule | None:
    """Notify both sides, unless the report of a parcel that comes back has told them."""
    return NotificationRule("return-opened", BOTH) if event.undelivered is None else None


def _return_ended(event: e.ReturnWithdrawn) -> NotificationRule:
    return NotificationRule("return-lapsed" if event.cause == "lapsed" else "return-withdrawn", BOTH)


def _return_closed(event: e.ReturnClosed) -> NotificationRule:
    return NotificationRule("return-refunded" if event.outcome == "refund" else "return-closed", BOTH)


def _passed(event: e.DeadlineReached) -> NotificationRule | None:
    """The notification of the deadline itself. Its cancellations and refunds have notifications of their own."""
    match event.kind:
        case "decide":
            return NotificationRule("decide-passed", BOTH)
        case "alternatives":
            return NotificationRule("alternatives-passed", BUYER)
        case "acknowledge":
            return NotificationRule("acknowledge-passed", BOTH)
        case "case":
            return NotificationRule("case-overdue", BOTH)
        case "evidence":
            return NotificationRule("evidence-passed", BOTH)
        case "appeal":
            return NotificationRule("appeal-passed", BOTH)
        case _:
            return None


NOTIFICATION_RULES: Final[dict[type, NotificationRule | Callable[[Any], NotificationRule | None]]] = {
    e.OrderPlaced: NotificationRule("placed", BUYER),
    e.MessageSent: _message,
    e.CancelRequested: _requested,
    e.AlternativeOffered: NotificationRule("offered", BUYER),
    e.AlternativeTaken: NotificationRule("offer-taken", SELLER),
    e.AlternativesDeclined: NotificationRule("offers-declined", SELLER),
    e.CancelRefused: NotificationRule("refused", BOTH),
    e.CancelApproved: NotificationRule("approved", BOTH),
    e.CancelDeclined: NotificationRule("declined", BOTH),
    e.CancelWithdrawn: NotificationRule("withdrawn", BOTH),
    e.LinesCanceled: _canceled,
    e.AutoCanceled: NotificationRule("auto-canceled", BOTH),
    e.TrackingStarted: NotificationRule("tracking", BUYER),
    e.LineShipped: NotificationRule("shipped", BUYER),
    e.LinePartiallyShipped: NotificationRule("shipped", BUYER),
    e.ShipmentVoided: NotificationRule("shipment-voided", BUYER),
    e.ShipByRevised: _ship_by,
    e.Delivered: NotificationRule("delivered", BUYER),
    e.ParcelUndelivered: _undelivered,
    e.RefundDue: NotificationRule("refund-due", BUYER),
    e.RefundConfirmed: NotificationRule("refund-confirmed", BUYER),
    e.RefundFailed: NotificationRule("refund-failed", BUYER),
    e.RefundWithdrawn: NotificationRule("refund-withdrawn", BUYER),
    e.ShippedAfterCancelFound: NotificationRule("found-shipped", SELLER),
    e.CustomerNotified: NotificationRule("shipped-although-canceled", BUYER),
    e.CustomerAcknowledged: NotificationRule("acknowledged", SELLER),
    e.CustomerDeclined: NotificationRule("not-acknowledged", SELLER),
    e.RebillDue: NotificationRule("rebill-due", BUYER),
    e.Rebilled: NotificationRule("rebilled", BOTH),
    e.RebillFailed: NotificationRule("rebill-failed", SELLER),
    e.CreditMemoIssued: NotificationRule("memo", SELLER),
    e.CaseOpened: NotificationRule("case-opened", BOTH),
    e.EvidenceAdded: _evidence,
    e.EvidenceRequested: NotificationRule("evidence-requested", BOTH),
    e.CaseDecided: NotificationRule("case-decided", BOTH),
    e.ReturnOpened: _return_opened,
    e.ReturnAccepted: NotificationRule("return-accepted", BOTH),
    e.ReturnStarted: NotificationRule("return-started", BOTH),
    e.ReturnReceived: NotificationRule("return-received", BOTH),
    e.ReturnWithdrawn: _return_ended,
    e.ReturnClosed: _return_closed,
    e.DisputeOpened: NotificationRule("dispute-opened", BOTH),
    e.DisputeEscalated: NotificationRule("dispute-escalated", BOTH),
    e.DisputeDecided: NotificationRule("dispute-decided", BOTH),
    e.DisputeDismissed: NotificationRule("dispute-dismissed", BOTH),
    e.DisputeAppealed: NotificationRule("dispute-appealed", BOTH),
    e.DeadlineReached: _passed,
}
"""Event class → its notification. Other events notify nobody: the answer to their command is enough."""

REMINDER: Final = "reminder"
"""The template of every reminder."""
CONFIRMATIONS: Final = frozenset({"canceled", "canceled-as-asked", "auto-canceled"})
"""Templates whose notice to the buyer confirms a cancellation."""
_PASSED: Final = ("decide", "alternatives", "acknowledge", "case", "evidence", "appeal")
_BY_DEPENDING: Final = (
    MESSAGE,
    "asked",
    "canceled",
    "canceled-as-asked",
    "ship-by-proposed",
    "ship-by-revised",
    "evidence-added",
    "undelivered",
    "coming-back",
    "return-opened",
    "return-withdrawn",
    "return-lapsed",
    "return-refunded",
    "return-closed",
)
TEMPLATES: Final = frozenset(
    {
        *(
            notification_rule.template
            for notification_rule in NOTIFICATION_RULES.values()
            if isinstance(notification_rule, NotificationRule)
        ),
        *_BY_DEPENDING,
        *(f"{kind}-{'overdue' if kind == 'case' else 'passed'}" for kind in _PASSED),
        REMINDER,
    }
)
"""Every template that a language pack needs."""


def notification_rule(event: e.Event) -> NotificationRule | None:
    """Return the notification of an event, or None."""
    found = NOTIFICATION_RULES.get(type(event))
    return found if found is None or isinstance(found, NotificationRule) else found(event)


def notice_id(event: e.Event, version: int, audience: Audience) -> str:
    """The id of the notice of an event, which has this version in its order's history."""
    return event.notice_id if isinstance(event, e.CustomerNotified) else f"told-{version}-{audience}"


_NAMED_BY: Final = (
    "request_id", "refund_id", "shipment_id", "return_id", "case_id", "dispute_id", "memo_id", "rebill_id", "notice_id",
)  # fmt: skip


def about(event: e.Event) -> str | None:
    """Return the id of the request, refund, shipment, return, case, dispute, rebilling or memo of an event."""
    match event:
        case e.LinesCanceled(lines):
            return next((part.request_id for part in lines if part.request_id is not None), None)
        case e.MessageSent() | e.EvidenceAdded() | e.EvidenceRequested():
            return event.about
        case e.DeadlineReached():
            return event.ref
        case _:
            return next((getattr(event, name) for name in _NAMED_BY if getattr(event, name, None) is not None), None)


# ---- reminders ---------------------------------------------------------------------------------------------------


def reminded(order: Order, deadline: e.Deadline) -> tuple[Audience, ...]:
    """Return the sides to remind before a deadline passes. For a request that needs no answer any more, nobody."""
    match deadline.kind:
        case "decide" | "alternatives":
            request = order.requests.get(deadline.ref)
            side = "seller" if request is None else order.awaits(request)
            return {"buyer": BUYER, "seller": SELLER}.get(side or "", ())
        case "acknowledge":
            return BUYER
        case "evidence":
            return BUYER if deadline.ref in order.cases else BOTH
        case "return-ship":
            return BUYER
        case "appeal":
            return BOTH
        case _:
            return ()


REMINDED: Final = ("acknowledge", "alternatives", "appeal", "decide", "evidence", "return-ship")
"""Kinds of deadline that have reminders."""


def reminder_id(deadline_id: str, audience: Audience) -> str:
    """The id of the reminder of a deadline."""
    return f"remind-{deadline_id}-{audience}"


# ---- notices of an order's history -------------------------------------------------------------------------------

_EVENT_NOTICE_ID: Final = re.compile(r"told-([1-9][0-9]{0,8})-(buyer|seller)", re.ASCII)
_REMINDER_ID: Final = re.compile(rf"remind-({'|'.join(REMINDED)})-([1-9][0-9]{{0,8}})-(buyer|seller)", re.ASCII)
_BITS: Final[dict[tuple[Audience, ...], int]] = {BUYER: 1, SELLER: 2, BOTH: 3}


def _bits(event: e.Event) -> int:
    found = notification_rule(event)
    return 0 if found is None else _BITS[found.audiences]


MARKS: Final[dict[type, int | Callable[[Any], int]]] = {
    of: _BITS[found.audiences] if isinstance(found, NotificationRule) else _bits
    for of, found in NOTIFICATION_RULES.items()
    if of is not e.CustomerNotified
}
"""Event class → the two bits that ``apply`` sets in ``Order.told``: 1 if the buyer is notified, 2 for the seller."""


def has_notice(order: Order, notice: str) -> bool:
    """Whether a notice with this id follows from the order's history."""
    if notice in order.notices:
        return True
    if found := _EVENT_NOTICE_ID.fullmatch(notice):
        version, audience = int(found[1]), found[2]
        return version <= order.version and bool(order.told >> (2 * version) & (1 if audience == "buyer" else 2))
    if found := _REMINDER_ID.fullmatch(notice):
        return int(found[2]) <= order.counters.get(f"{found[1]} deadline", 0)
    return False
