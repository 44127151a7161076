"""The named paths below an order or a subject, and the command that each takes (``forms`` builds it from a request).

The path of a whole procedure (``/returns``, ``/cases``, ``/shipped-after-cancel``) takes its first command. It also
takes any later command of the procedure if the body names it as ``command``; every later step has its own path, too.
"""

import re
from dataclasses import replace
from typing import Final

from domain.commands import COMMANDS, Command
from infra.api.forms import Body, CommandForm
from infra.api.problems import malformed
from infra.api.request_parts import segment

_PARAMETER: Final = re.compile(r"\{(\w+)\}")
ABOUT_SUBJECTS: Final = ("EraseSubject", "PlaceLegalHold", "ReleaseLegalHold")
"""Commands about a person's data; they belong to no order."""


def _cancellation(body: Body) -> str:
    """A request if the body has a request id or the actor is a buyer; else the seller's or support's own
    cancellation."""
    actor = body.get("actor")
    buyer = isinstance(actor, dict) and actor.get("kind") == "buyer"
    return "RequestCancel" if buyer or "request_id" in body else "CancelLines"


def _refund(body: Body) -> str:
    """With an amount, a refund that was made elsewhere, also one that settles a due refund."""
    return "RecordOtherRefund" if "amount" in body else "ConfirmRefund"


def _step(path: str, command: str, summary: str, field: str | None = None) -> CommandForm:
    """A form for one command; the path's parameter fills ``field``, by default the field of the same name."""
    return CommandForm(
        path, (command,), summary, in_path={name: field or name for name in _PARAMETER.findall(path)} or None
    )


def _without_default(body: Body) -> str:
    """Refuse a body without ``command``: an erasure cannot be undone, so no command is the default."""
    raise malformed(f"name the command, one of {', '.join(ABOUT_SUBJECTS)}", "/command")


CANCELING: Final = (
    CommandForm(
        "/cancellations",
        ("RequestCancel", "CancelLines"),
        "Request a cancellation (with request_id, or as a buyer), or cancel lines (seller, support)",
        _cancellation,
    ),
    _step("/cancellations/{request_id}/approve", "ApproveCancel", "Approve a cancellation request"),
    _step("/cancellations/{request_id}/decline", "DeclineCancel", "Decline a cancellation request"),
    _step("/cancellations/{request_id}/withdraw", "WithdrawCancel", "Withdraw a cancellation request"),
    _step("/cancellations/{request_id}/take-alternative", "TakeAlternative", "Accept an offered alternative"),
    _step(
        "/cancellations/{request_id}/decline-alternatives", "DeclineAlternatives", "Decline all offered alternatives"
    ),
    CommandForm(
        "/alternatives",
        ("TakeAlternative", "DeclineAlternatives"),
        "Accept the later ship-by that the seller proposes; with the command's name, decline it",
    ),
)

SHIPPING: Final = (
    _step("/fulfilment", "StartFulfilment", "Report that picking, packing or labeling has begun"),
    _step("/ship-by", "ReviseShipBy", "Change the ship-by; a later one is a proposal to the buyer"),
    _step("/shipments", "Ship", "Record a shipping notice; without lines it ships everything open"),
    _step("/shipments/{shipment_id}/void", "VoidShipment", "Void a shipping notice that was a mistake"),
    _step(
        "/shipments/{shipment_id}/undelivered",
        "ReportUndelivered",
        "Report that shipped units did not reach the buyer: lost, damaged in transit, returned to sender, or refused",
    ),
    CommandForm(
        "/tracking",
        ("StartTracking", "TrackingMoved", "Deliver"),
        "Report that the carrier tracks, has scanned again or has delivered a parcel",
    ),
    _step("/deliveries", "Deliver", "Report the delivery of a shipment (without an id: of all) or of a return"),
)

MONEY: Final = (
    _step("/payments", "ConfirmPayment", "Record a payment, captured or authorized"),
    _step("/payments/{payment_id}/capture", "CapturePayment", "Record that authorized money was captured"),
    _step("/payments/{payment_id}/release", "ReleasePayment", "Record that an authorization lapsed"),
    _step(
        "/payments/{payment_id}/chargeback", "OpenChargeback", "Record that the buyer's bank demands the payment back"
    ),
    _step("/payments/{payment_id}/chargeback/close", "CloseChargeback", "Record how the chargeback ended"),
    CommandForm(
        "/refunds",
        ("RecordOtherRefund", "ConfirmRefund", "FailRefund", "WithdrawRefund"),
        "With amount: record a refund that was made elsewhere (with refund_id, it settles that one); without amount: "
        "confirm a due refund; with the command's name, any step of a refund",
        _refund,
    ),
    _step("/refunds/{refund_id}/confirm", "ConfirmRefund", "Confirm that a due refund was paid, or its part"),
    _step("/refunds/{refund_id}/fail", "FailRefund", "Report that a refund failed, also later; it is due again"),
    _step("/refunds/{refund_id}/withdraw", "WithdrawRefund", "Withdraw a refund that was instructed by mistake"),
)

MESSAGING: Final = (
    _step("/messages", "SendMessage", "Send a message to a party"),
    _step("/contacts", "RecordContact", "Record a contact with support outside rescind"),
    _step("/notices/{notice_id}/confirm", "ConfirmNotice", "Confirm that a notification was delivered"),
    _step("/notices/{notice_id}/fail", "FailNotice", "Report that a notification could not be delivered"),
)

RETURNS: Final = (
    CommandForm(
        "/returns",
        ("RequestReturn", "AcceptReturn", "StartReturn", "ReturnReceived", "WithdrawReturn", "CloseReturn"),
        "Request a return; with the command's name, a later step of one",
    ),
    _step(
        "/returns/{about}/accept",
        "AcceptReturn",
        "Accept a return as the seller, by the id of the return, its case or its request",
    ),
    _step("/returns/{about}/start", "StartReturn", "Report that the returned parcel is on its way"),
    _step("/returns/{about}/receive", "ReturnReceived", "Report that the return has arrived, all of it or lines"),
    _step("/returns/{about}/withdraw", "WithdrawReturn", "Withdraw a return before anything of it was sent"),
    _step("/returns/{about}/close", "CloseReturn", "Close a return whose parcel does not come, with or without refund"),
)

SHIPPED_AFTER_CANCEL: Final = (
    CommandForm(
        "/shipped-after-cancel",
        (
            "ReportShippedAfterCancel",
            "NotifyCustomer",
            "Acknowledge",
            "Rebill",
            "ConfirmRebill",
            "FailRebill",
            "IssueCreditMemo",
        ),
        "Report that canceled items shipped anyway; with the command's name, a later step",
    ),
    _step("/shipped-after-cancel/notify", "NotifyCustomer", "Step 1: notify the customer, without a link"),
    _step(
        "/shipped-after-cancel/acknowledge",
        "Acknowledge",
        "Step 2: record whether the customer accepts the items and the new bill",
    ),
    _step("/shipped-after-cancel/rebill", "Rebill", "Step 4: bill the customer again"),
    _step("/shipped-after-cancel/rebills/{rebill_id}/confirm", "ConfirmRebill", "Confirm that the new bill was paid"),
    _step(
        "/shipped-after-cancel/rebills/{rebill_id}/fail", "FailRebill", "Report that the new bill failed; it stays due"
    ),
    _step("/shipped-after-cancel/credit-memo", "IssueCreditMemo", "Step 5: pay the seller what was billed again"),
)

CASES: Final = (
    CommandForm(
        "/cases",
        ("OpenCase", "RequestEvidence", "AcceptReturn", "DecideCase"),
        "Open a case; with the command's name, a later step of one",
    ),
    _step("/cases/{case_id}/accept", "AcceptReturn", "Accept the return as the seller, before the decision", "about"),
    _step("/cases/{case_id}/request-evidence", "RequestEvidence", "Ask for more evidence as the platform", "about"),
    _step("/cases/{case_id}/messages", "SendMessage", "Send a message about the case", "about"),
    _step("/cases/{case_id}/decide", "DecideCase", "Decide a case as the platform, by a rule"),
)

DISPUTES: Final = (
    CommandForm(
        "/disputes",
        ("OpenDispute", "EscalateDispute", "DecideDispute", "AppealDispute"),
        "Open a dispute; with the command's name, a later step of one",
    ),
    _step("/disputes/{dispute_id}/escalate", "EscalateDispute", "Escalate a dispute to support, with a ticket"),
    _step(
        "/disputes/{dispute_id}/request-evidence", "RequestEvidence", "Ask for more evidence as the platform", "about"
    ),
    _step("/disputes/{dispute_id}/messages", "SendMessage", "Send a message about the dispute", "about"),
    _step("/disputes/{dispute_id}/decide", "DecideDispute", "Decide a dispute as the platform, by a rule"),
    _step("/disputes/{dispute_id}/appeal", "AppealDispute", "Appeal the decision of a dispute"),
)

EVIDENCE: Final = _step("/evidence", "AttachEvidence", "Add evidence, as JSON or as a form with the file")
"""Also takes a form with the file (``infra.http.evidence``)."""

PATHS: Final = (*CANCELING, *SHIPPING, *MONEY, *MESSAGING, *RETURNS, *SHIPPED_AFTER_CANCEL, *CASES, *DISPUTES)
"""The named paths below an order; ``/commands`` takes any complete command."""

SUBJECTS: Final = (
    CommandForm(
        "/subjects/{subject}/commands",
        ABOUT_SUBJECTS,
        "Send a complete command about a person's data",
        _without_default,
        {"subject": "subject"},
    ),
    _step("/subjects/{subject}/erase", "EraseSubject", "Erase a person: destroy their key in the vault"),
    _step(
        "/subjects/{subject}/holds",
        "PlaceLegalHold",
        "Place a legal hold: nothing of the person is erased while it is in force",
    ),
    _step("/subjects/{subject}/holds/{hold_id}/release", "ReleaseLegalHold", "Release a legal hold"),
)
"""The paths about a person's data, below the marketplace; only support and systems may use them."""


# ---- previews --------------------------------------------------------------------------------------------------------


def _has_preview(form: CommandForm) -> bool:
    """True if every command of the path may need a confirmation; the path of a whole procedure has no preview."""
    return all("confirmation" in COMMANDS[name].model_fields for name in form.commands)


PREVIEWED: Final = tuple(form for form in PATHS if _has_preview(form))
"""The named paths whose commands people have to confirm."""
PREVIEWS: Final = tuple(
    replace(form, path=f"{form.path}/preview", summary=f"Preview, changes nothing: {form.summary}")
    for form in PREVIEWED
)
"""The previews of these paths: the same path followed by ``/preview``."""


def preview_path(command: Command) -> str | None:
    """Return the path below the order that previews this command; None if it has no preview."""
    for form in PREVIEWED:
        if command.command not in form.commands:
            continue
        values = {name: getattr(command, field) for name, field in (form.in_path or {}).items()}
        if all(value is not None for value in values.values()):
            return form.path.format(**{name: segment(value) for name, value in values.items()}) + "/preview"
    return None
