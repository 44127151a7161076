"""Conditions under which a command probably applies. Most steps of a story meet them, so that it makes progress."""

from collections.abc import Callable
from typing import Final

from tests.spec.model.model import Model

Likely = Callable[[Model], object]


def _requests(order: Model) -> object:
    return order.waiting()


def _offers(order: Model) -> object:
    return order.proposed is not None or any(request.offers for _, request in order.waiting())


def _cancelable(order: Model) -> object:
    return order.open_units or order.terms.mutual


def _cases(order: Model) -> object:
    return any(case.status == "open" for case in order.cases.values())


def _disputes(order: Model) -> object:
    return any(dispute.status == "open" for dispute in order.disputes.values())


def _returns(order: Model) -> object:
    return any(back.status != "received" for back in order.returns.values())


def _delivered(order: Model) -> object:
    return any(line.delivered for line in order.lines.values())


def _stage(*stages: str) -> Likely:
    return lambda order: order.astray is not None and order.astray.stage in stages


LIKELY: Final[dict[str, Likely]] = {
    "PlaceOrder": lambda order: False,
    "ConfirmPayment": lambda order: order.paid < order.total,
    **dict.fromkeys(
        ("CapturePayment", "ReleasePayment"), lambda order: any(x.authorized for x in order.payments.values())
    ),
    "OpenChargeback": lambda order: order.payments and not order.chargebacks,
    "CloseChargeback": lambda order: order.chargebacks,
    "WithdrawRefund": lambda order: any(x.status == "due" for x in order.refunds.values()),
    **dict.fromkeys(("WithdrawReturn", "CloseReturn"), _returns),
    "ReportUndelivered": lambda order: any(x.underway for x in order.lines.values()),
    "RequestCancel": _cancelable,
    "CancelLines": _cancelable,
    **dict.fromkeys(("ApproveCancel", "DeclineCancel", "WithdrawCancel"), _requests),
    **dict.fromkeys(("TakeAlternative", "DeclineAlternatives"), _offers),
    "Ship": lambda order: order.open_units,
    "StartFulfilment": lambda order: order.open_units,
    "ReviseShipBy": lambda order: order.open_units,
    "VoidShipment": lambda order: any(x.status == "announced" for x in order.notices.values()),
    "Deliver": lambda order: order.notices or order.parcels or order.returns,
    **dict.fromkeys(("ConfirmRefund", "FailRefund"), lambda order: order.refunds),
    **dict.fromkeys(("ConfirmNotice", "FailNotice"), lambda order: order.notices_sent),
    "ReportShippedAfterCancel": lambda order: any(line.unfound for line in order.lines.values()),
    "NotifyCustomer": _stage("found"),
    "Acknowledge": _stage("notified"),
    "Rebill": _stage("notified", "acknowledged", "closed"),
    **dict.fromkeys(("ConfirmRebill", "FailRebill", "IssueCreditMemo"), lambda order: order.bills),
    "OpenCase": _delivered,
    "RequestReturn": _delivered,
    "RequestEvidence": lambda order: _cases(order) or _disputes(order),
    "DecideCase": _cases,
    "AcceptReturn": lambda order: _cases(order) or _returns(order) or _requests(order),
    **dict.fromkeys(("StartReturn", "ReturnReceived"), _returns),
    "OpenDispute": lambda order: order.terms.has("disputes") and (order.requests or order.messages),
    **dict.fromkeys(("EscalateDispute", "DecideDispute"), _disputes),
    "AppealDispute": lambda order: order.disputes,
    **dict.fromkeys(("EraseSubject", "PlaceLegalHold", "ReleaseLegalHold", "ReachDeadline"), lambda order: False),
}
"""By kind; other kinds always apply. At every fourth step any command may be sent."""
EVERY: Final = 4
