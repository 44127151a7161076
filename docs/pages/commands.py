"""The page of commands, with their fields and senders, and their JSON Schema."""

import json

from docs.pages.text import NOTE, cell
from domain import commands
from domain.rulebook import RULES
from infra.api import command_schema

REFUSALS: dict[str, tuple[str, ...]] = {
    "PlaceOrder": ("order-exists", "no-such-policy"),
    "ConfirmPayment": ("id-exists",),
    "CapturePayment": ("no-such-payment", "more-than-authorized"),
    "ReleasePayment": ("no-such-payment", "more-than-authorized"),
    "RecordOtherRefund": (
        "no-such-line", "no-such-payment", "id-exists", "no-such-refund", "refund-closed", "more-than-paid",
    ),
    "SendMessage": ("id-exists",),
    "RecordContact": ("id-exists",),
    "RequestCancel": ("id-exists", "undelivered-already"),
    "CancelLines": ("undelivered-already",),
    "ApproveCancel": ("no-such-request", "request-closed", "tracking-lock", "shipped-lock"),
    "DeclineCancel": ("no-such-request", "request-closed"),
    "WithdrawCancel": ("no-such-request", "request-closed"),
    "TakeAlternative": ("no-such-request", "request-closed", "nothing-offered"),
    "DeclineAlternatives": ("no-such-request", "request-closed", "nothing-offered"),
    "StartFulfilment": ("no-such-line", "canceled-altogether", "more-than-open"),
    "StartTracking": ("no-such-line", "canceled-altogether", "more-than-open"),
    "TrackingMoved": ("no-such-line", "canceled-altogether", "more-than-open"),
    "Ship": ("shipment-exists", "no-such-line", "auto-canceled-is-final", "cancel-is-final", "ships-more-than-open"),
    "VoidShipment": ("no-such-shipment", "tracking-lock"),
    "ReviseShipBy": ("nothing-open",),
    "Deliver": ("nothing-shipped", "no-such-shipment", "undelivered-already"),
    "ReportUndelivered": (
        "no-such-shipment", "no-such-line", "delivered-already", "undelivered-already", "one-open-request",
        "more-than-open",
    ),
    "ConfirmRefund": ("no-such-refund", "refund-closed", "no-such-payment"),
    "FailRefund": ("no-such-refund", "refund-closed", "no-such-payment"),
    "WithdrawRefund": ("no-such-refund", "refund-closed"),
    "OpenChargeback": ("no-such-payment", "chargeback-open"),
    "CloseChargeback": ("no-such-payment", "no-such-chargeback", "id-exists"),
    "ConfirmNotice": ("no-such-notice",),
    "FailNotice": ("no-such-notice",),
    "ReportShippedAfterCancel": ("no-such-line", "nothing-canceled"),
    "NotifyCustomer": ("step-out-of-order", "notice-has-link", "notice-lacks-tracking"),
    "Acknowledge": ("step-out-of-order", "evidence-of-acknowledgment"),
    "AttachEvidence": ("id-exists", "nothing-to-dispute", "evidence-closed", "evidence-limits"),
    "Rebill": ("no-such-line", "step-out-of-order", "memo-needs-acknowledgment"),
    "ConfirmRebill": ("no-such-rebill", "rebill-closed"),
    "FailRebill": ("no-such-rebill", "rebill-closed"),
    "IssueCreditMemo": ("id-exists", "memo-needs-acknowledgment", "step-out-of-order", "memo-exists"),
    "OpenCase": (
        "id-exists", "no-such-line", "cases-off", "case-reasons", "tracking-lock", "cancel-is-not-case",
        "one-open-request", "case-window", "more-than-open", "undelivered-already",
    ),
    "RequestEvidence": ("case-closed",),
    "AcceptReturn": ("case-closed", "tracking-lock", "shipped-lock"),
    "DecideCase": ("case-closed",),
    "RequestReturn": (
        "store-return", "no-such-line", "tracking-lock", "cancel-is-not-case", "one-open-request", "more-than-open",
        "undelivered-already",
    ),
    "StartReturn": ("step-out-of-order",),
    "ReturnReceived": ("step-out-of-order", "no-such-line", "more-than-open"),
    "WithdrawReturn": ("step-out-of-order",),
    "CloseReturn": ("step-out-of-order",),
    "OpenDispute": (
        "id-exists", "disputes-off", "nothing-to-dispute", "one-open-request", "dispute-closed", "too-late",
    ),
    "EscalateDispute": ("disputes-off", "dispute-closed"),
    "DecideDispute": ("disputes-off", "dispute-closed"),
    "AppealDispute": ("disputes-off", "dispute-closed", "too-late"),
    "ReachDeadline": (),
    "EraseSubject": ("legal-hold",),
    "PlaceLegalHold": ("id-exists",),
    "ReleaseLegalHold": (),
}  # fmt: skip
"""Command → the rules that can refuse it, in the order of the checks; `no-such-order` and `not-yours` come before."""
JUDGED_BY_POLICY = ("RequestCancel", "CancelLines")
"""Commands that the policy's list can refuse too."""


def command_form() -> str:
    """Write the JSON Schema of one line of a commands file."""
    names, definitions = command_schema.definitions()
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rescind: a command",
        "description": "One line of a commands file. In an import `at` is required too. The schema does not cover "
        "checks that need the order (decimals of its currency, existing lines, whose order it is).",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in names],
        "$defs": definitions,
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def command_page() -> str:
    common = commands.Command.model_fields
    rows = []
    for name, model in commands.COMMANDS.items():
        fields = [(n, f) for n, f in model.model_fields.items() if n not in common]
        shown = ", ".join(f"**`{n}`**" if f.is_required() else f"`{n}`" for n, f in fields)
        who = (
            "anybody"
            if len(model.WHO) == 4
            else ", ".join(k for k in ("buyer", "seller", "support", "system") if k in model.WHO)
        )
        rows.append(f"| `{name}` | {who} | {shown} | {cell(model.__doc__ or '')} | {_refusals(name)} |")
    shared = ", ".join(f"**`{n}`**" if f.is_required() else f"`{n}`" for n, f in common.items())
    return "\n".join(
        [
            "# Commands",
            "",
            NOTE.format(source="`domain/commands.py`"),
            "",
            "A command is a JSON object. A file has one on each line. Fields in **bold** are required, and an unknown",
            f"field is an error. Every command has {shared}.",
            "An import requires `at` as well. The exact form: {download}`JSON Schema <commands.schema.json>`.",
            "",
            "[How a command is decided](decisions.md) explains what is the same for all commands: forms, checks, ids,",
            "outcomes.",
            "[Cancellation](cancellation.md) and [after shipment](after-shipment.md) say what it does to an order.",
            "Any command can be refused by `no-such-order` and `not-yours` too. *Whose* says who gives a command.",
            "Buyer and seller are those of the order. Support and systems may give any command.",
            "",
            "| command | whose | fields | meaning | refused by |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _refusals(name: str) -> str:
    """List the rules that can refuse a command. KeyError for one that is not in the rule book."""
    rules = [f"`{rule}`" for rule in REFUSALS[name] if RULES[rule]]
    if name in JUDGED_BY_POLICY:
        rules.append("[the rules of cancellation](cancellation.md#how-a-cancellation-is-judged)")
    return ", ".join(rules)
