"""What the contract leaves open, one sentence each: stories do not say it, because no two readers need agree on it.

A question that is answered in docs/reference leaves this list, and the model takes the answer.
"""

from typing import Any

from tests.spec.model.model import Model
from tests.spec.model.records import Refund, Return


def open_question(model: Model, name: str, fields: dict[str, Any]) -> str:
    """Which of them a command would ask, or nothing."""
    match name:
        case "ConfirmRefund" | "FailRefund" | "WithdrawRefund" if fields["refund_id"] in model.refunds:
            return _of_a_refund(model, name, model.refunds[fields["refund_id"]], fields.get("payment_id"))
        case "RecordOtherRefund" if fields.get("refund_id") in model.refunds:
            return _of_a_refund(model, name, model.refunds[fields["refund_id"]], None)
        case "RecordOtherRefund" if "refund_id" not in fields:
            return _of_what_is_given_back_elsewhere(model, model.minor(fields["amount"]), fields.get("payment_id"))
        case "CapturePayment" | "ReleasePayment" if fields["payment_id"] in model.payments:
            return _of_an_authorization(model, name, fields["payment_id"], fields.get("amount"))
        case "OpenChargeback" if fields["payment_id"] in model.payments:
            payment = model.payments[fields["payment_id"]]
            if payment.authorized:
                return "what a chargeback of a payment does that is still authorized"
            if model.minor(fields["amount"]) > payment.captured:
                return "whether a chargeback can be of more than the payment"
        case "ReturnReceived" | "AcceptReturn" if _billed_again(model, fields["about"]):
            return "whether what was billed again makes up for what was instructed beyond what is due"
        case "WithdrawReturn" | "CloseReturn":
            return _of_a_return(model._return(fields["about"]))
        case "Deliver":
            return _of_a_delivery(model, fields.get("shipment_id"))
        case "StartTracking" | "TrackingMoved" if any(x.reported for x in model.notices.values()):
            return "what a scan of a parcel means that was reported not to arrive"
        case "ReportUndelivered" if fields["shipment_id"] in model.notices and _not_alone(model, fields):
            return "how an open request ends that is over lost units and others"
        case "Rebill" if any(x.canceled and x.undelivered for x in model.lines.values()):
            return "whether canceled or lost units of a line are billed again first"
        case "Rebill" if any(x.withdrawn for x in model.refunds.values()):
            return "for which units a refund was that is not owed"
        case "Rebill" if any(x.covers for x in model.others.values()):
            return "which units had what was given back elsewhere for their line"
        case _:
            pass
    return ""


def _not_alone(model: Model, fields: dict[str, Any]) -> bool:
    """Whether an open request is over units of a shipment that are reported, and over others."""
    shipment = model.notices[fields["shipment_id"]].lines
    for _, request in model.waiting():
        here, gone = model.left(request)
        whole = "lines" not in fields and not here and all(shipment.get(x, 0) >= n for x, n in gone.items())
        if request.asked.keys() & shipment.keys() and not whole:
            return True
    return False


def _of_a_refund(model: Model, name: str, refund: Refund, payment_id: str | None) -> str:
    if refund.status in ("withdrawn", "settled_elsewhere"):
        return ""
    confirmed = [part.confirmed for part in refund.parts]
    if refund.waiting:
        return "whether what waits for a chargeback can be confirmed, fail, or be settled by hand"
    if name == "FailRefund":
        if any(part.payment_id in model.chargebacks for part in refund.parts):
            return "whether a refund that fails while its payment is charged back waits from then on"
        if any(part.kind == "void" and part.confirmed for part in refund.parts):
            return "whether an authorization that was voided can fail"
        if payment_id is None and any(confirmed) and not all(confirmed):
            return "whether a refund that fails as a whole takes back its confirmed parts"
    if refund.status == "due" and refund.settled:
        return "what failing, settling or withdrawing a refund means that is settled in part" * (
            name != "ConfirmRefund"
        )
    if name in ("WithdrawRefund", "RecordOtherRefund") and refund.status == "due" and any(confirmed):
        return "what settling or withdrawing a refund means that is confirmed in part"
    return ""


def _of_what_is_given_back_elsewhere(model: Model, money: int, payment_id: str | None) -> str:
    if payment_id is not None and payment_id not in model.payments:
        return ""
    draws = model.draws(money, payment_id)
    if any(authorized for _, authorized in draws.values()):
        return "what is left of an authorization of which money was given back elsewhere"
    if any(name in model.chargebacks for name in draws):
        return "whether what a chargeback may take can be given back elsewhere"
    if payment_id is not None and money > model.held(payment_id, "refund"):
        return "how it is refused that a payment gives back more than it holds"
    return ""


def _of_an_authorization(model: Model, name: str, payment_id: str, amount: str | None) -> str:
    pending = model.voids(payment_id) - model.voided(payment_id)
    if model.less_was_due and model.bills:
        return "by which money a refund goes back after more was instructed than is due"
    if amount is not None and not model.minor(amount):
        return "what capturing or releasing nothing comes to"
    if name == "CapturePayment" and amount is None and pending:
        return "whether all that is authorized includes what a void waits for"
    if name == "ReleasePayment" and amount is not None and model.minor(amount) < pending:
        return "whether less than all voids settles some of them"
    return "what a void means that waits for a chargeback" if payment_id in model.chargebacks else ""


def _billed_again(model: Model, about: str) -> bool:
    back = model._return(about)
    return back is not None and back.kind == "rebilled" and model.to_instruct() < model.instructed


def _of_a_return(back: Return | None) -> str:
    if back is None:
        return ""
    if back.outcome:
        return "whether what the carrier brings back can be withdrawn or closed"
    if back.refunded:
        return "what ending a return means that is refunded already"
    return "whether what was billed again, or never will be, can stay" if back.kind != "shipped" else ""


def _of_a_delivery(model: Model, shipment_id: str | None) -> str:
    if shipment_id in model.returns and model.returns[shipment_id].outcome:
        return "what a delivery of what the carrier brings back means"
    named = [x for name, x in model.notices.items() if shipment_id in (None, name) and x.status != "void"]
    odd = any(x.reported == x.lines and x.outcomes != {"lost"} for x in named)
    return "what a delivery of a parcel means that was reported damaged or coming back" if odd else ""
