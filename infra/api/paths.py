"""The named paths below an order or a subject: which command each means. What a form makes of a request: ``forms``.

A path that stands for a whole procedure (``/returns``, ``/cases``, ``/shipped-after-cancel``) takes its first command,
or, named by ``command`` in the body, any later one of it; each later step has a path of its own as well.
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
"""The commands about a person's data; they have no order."""


def _cancellation(body: Body) -> str:
    """A request where it has an id or a buyer asks; else the seller's or support's own cancellation."""
    actor = body.get("actor")
    buyer = isinstance(actor, dict) and actor.get("kind") == "buyer"
    return "RequestCancel" if buyer or "request_id" in body else "CancelLines"


def _refund(body: Body) -> str:
    return "ConfirmRefund" if "refund_id" in body else "RecordOtherRefund"


def _step(path: str, command: str, summary: str, field: str | None = None) -> CommandForm:
    """One command under a path of its own; the path's parameter fills ``field`` (default: the one of its name)."""
    return CommandForm(
        path, (command,), summary, in_path={name: field or name for name in _PARAMETER.findall(path)} or None
    )


def _said_whole(body: Body) -> str:
    """A subject has no command that a body without a name could mean: what is erased does not come back."""
    raise malformed(f"name the command: {', '.join(ABOUT_SUBJECTS)}", "/command")


CANCELLING: Final = (
    CommandForm(
        "/cancellations",
        ("RequestCancel", "CancelLines"),
        "Ask to cancel (with request_id, or as a buyer), or cancel lines (seller, support)",
        _cancellation,
    ),
    _step("/cancellations/{request_id}/approve", "ApproveCancel", "Approve a request to cancel"),
    _step("/cancellations/{request_id}/decline", "DeclineCancel", "Decline a request to cancel"),
    _step("/cancellations/{request_id}/withdraw", "WithdrawCancel", "Take a request to cancel back"),
    _step("/cancellations/{request_id}/take-alternative", "TakeAlternative", "Take what is offered instead"),
    _step("/cancellations/{request_id}/decline-alternatives", "DeclineAlternatives", "Take nothing of what is offered"),
    _step("/alternatives", "TakeAlternative", "Take a later ship-by that the seller proposes"),
)

SHIPPING: Final = (
    _step("/fulfilment", "StartFulfilment", "Picking, packing or the label has begun"),
    _step("/ship-by", "ReviseShipBy", "Another ship-by; a later one is a proposal"),
    _step("/shipments", "Ship", "A shipping notice; lines left out: everything that is open"),
    _step("/shipments/{shipment_id}/void", "VoidShipment", "A notice was a mistake and nothing left"),
    CommandForm(
        "/tracking",
        ("StartTracking", "TrackingMoved", "Deliver"),
        "The carrier has begun to track a parcel, saw it again, or delivered it",
    ),
    _step("/deliveries", "Deliver", "A shipment (left out: all of them) or a return reached its end"),
)

MONEY: Final = (
    _step("/payments", "ConfirmPayment", "Money came in"),
    CommandForm(
        "/refunds",
        ("RecordOtherRefund", "ConfirmRefund", "FailRefund"),
        "Money was given back: outside a cancellation (amount), or a refund that was due (refund_id)",
        _refund,
    ),
    _step("/refunds/{refund_id}/confirm", "ConfirmRefund", "A refund that was due was given back"),
    _step("/refunds/{refund_id}/fail", "FailRefund", "A refund could not be given back; it stays due"),
)

TALKING: Final = (
    _step("/messages", "SendMessage", "A message between the parties"),
    _step("/contacts", "RecordContact", "Somebody spoke with support outside rescind"),
    _step("/notices/{notice_id}/confirm", "ConfirmNotice", "A notice was delivered"),
    _step("/notices/{notice_id}/fail", "FailNotice", "A notice could not be delivered"),
)

RETURNS: Final = (
    CommandForm(
        "/returns",
        ("RequestReturn", "AcceptReturn", "StartReturn", "ReturnReceived"),
        "Ask for a return; or, with the command's name and what it is about, a later step of one",
    ),
    _step("/returns/{about}/accept", "AcceptReturn", "The seller accepts a return, by its id, its case's or request's"),
    _step("/returns/{about}/start", "StartReturn", "The returned parcel is on its way back"),
    _step("/returns/{about}/receive", "ReturnReceived", "The returned units are back"),
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
        "What was cancelled has left all the same; or, with the command's name, a later step",
    ),
    _step("/shipped-after-cancel/notify", "NotifyCustomer", "Step 1: the customer is told, without a link"),
    _step(
        "/shipped-after-cancel/acknowledge", "Acknowledge", "Step 2: the customer accepts item and re-billing, or not"
    ),
    _step("/shipped-after-cancel/rebill", "Rebill", "Step 4: bill the customer again"),
    _step("/shipped-after-cancel/rebills/{rebill_id}/confirm", "ConfirmRebill", "The rebilling was paid"),
    _step("/shipped-after-cancel/rebills/{rebill_id}/fail", "FailRebill", "The rebilling failed; it stays due"),
    _step("/shipped-after-cancel/credit-memo", "IssueCreditMemo", "Step 5: the seller is paid what was rebilled"),
)

CASES: Final = (
    CommandForm(
        "/cases",
        ("OpenCase", "RequestEvidence", "AcceptReturn", "DecideCase"),
        "Open a case; or, with the command's name, a later step of one",
    ),
    _step("/cases/{case_id}/accept", "AcceptReturn", "The seller accepts the return before the decision", "about"),
    _step("/cases/{case_id}/request-evidence", "RequestEvidence", "The platform asks for more evidence", "about"),
    _step("/cases/{case_id}/messages", "SendMessage", "A message in the case's thread", "about"),
    _step("/cases/{case_id}/decide", "DecideCase", "The platform decides a case, by a rule"),
)

DISPUTES: Final = (
    CommandForm(
        "/disputes",
        ("OpenDispute", "EscalateDispute", "DecideDispute", "AppealDispute"),
        "Open a dispute; or, with the command's name, a later step of one",
    ),
    _step("/disputes/{dispute_id}/escalate", "EscalateDispute", "The dispute goes to support, with a ticket"),
    _step("/disputes/{dispute_id}/request-evidence", "RequestEvidence", "The platform asks for more evidence", "about"),
    _step("/disputes/{dispute_id}/messages", "SendMessage", "A message about the dispute", "about"),
    _step("/disputes/{dispute_id}/decide", "DecideDispute", "The platform decides a dispute, by a rule"),
    _step("/disputes/{dispute_id}/appeal", "AppealDispute", "A party appeals the decision"),
)

EVIDENCE: Final = _step("/evidence", "AttachEvidence", "Attach evidence: as JSON, or as a form with the file itself")
"""Takes files too: ``infra.http.evidence``."""

PATHS: Final = (*CANCELLING, *SHIPPING, *MONEY, *TALKING, *RETURNS, *SHIPPED_AFTER_CANCEL, *CASES, *DISPUTES)
"""The named paths below an order; ``/commands`` takes any command whole."""

SUBJECTS: Final = (
    CommandForm(
        "/subjects/{subject}/commands",
        ABOUT_SUBJECTS,
        "A command about a person's data, whole",
        _said_whole,
        {"subject": "subject"},
    ),
    _step("/subjects/{subject}/erase", "EraseSubject", "Erase a person: their key in the vault is destroyed"),
    _step(
        "/subjects/{subject}/holds", "PlaceLegalHold", "A legal hold: nothing of the person is erased while it stands"
    ),
    _step("/subjects/{subject}/holds/{hold_id}/release", "ReleaseLegalHold", "A legal hold is lifted"),
)
"""The paths about a person's data, below the marketplace: support's."""


# ---- previews --------------------------------------------------------------------------------------------------------


def _has_preview(form: CommandForm) -> bool:
    """Whether every command of a path may need a confirmation; the path of a whole procedure has no preview."""
    return all("confirmation" in COMMANDS[name].model_fields for name in form.commands)


PREVIEWED: Final = tuple(form for form in PATHS if _has_preview(form))
"""The named paths whose commands people confirm."""
PREVIEWS: Final = tuple(
    replace(form, path=f"{form.path}/preview", summary=f"Preview, writes nothing: {form.summary}") for form in PREVIEWED
)
"""Their previews: the same path with ``/preview`` behind it."""


def preview_path(command: Command) -> str | None:
    """The path below the order that previews this command; None where there is none."""
    for form in PREVIEWED:
        if command.command not in form.commands:
            continue
        values = {name: getattr(command, field) for name, field in (form.in_path or {}).items()}
        if all(value is not None for value in values.values()):
            return form.path.format(**{name: segment(value) for name, value in values.items()}) + "/preview"
    return None
