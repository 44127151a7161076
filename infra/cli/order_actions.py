"""The subcommands of `rescind order` that carry out commands, one declaration each.

A declaration has the words of the subcommand, the command that it gives, who gives it by default, what it does, and an
example. Its options are the fields of the command (``order_options``). ``PlaceOrder`` has none, because an order comes
from a shop's import or its HTTP call. ``ReachDeadline`` is the engine's own, and commands about a person's data belong
to no order.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Action:
    """A subcommand. ``commands``: the command that it gives; with two, a buyer gives the first, anybody else the
    second. ``example``: its options after the order."""

    words: tuple[str, ...]
    commands: tuple[str, ...]
    actor: str
    text: str
    example: str

    def command(self, kind: str) -> str:
        """Return the command that an actor of this kind gives."""
        return self.commands[0] if kind == "buyer" else self.commands[-1]

    @property
    def whole_example(self) -> str:
        """The example as it is typed."""
        return " ".join(("rescind order", *self.words, "acme/PO-1001", self.example)).rstrip()


def _action(words: str, command: str, actor: str, text: str, example: str = "") -> Action:
    return Action(tuple(words.split()), tuple(command.split("|")), actor, text, example)


SYSTEM: Final = "system:cli"

ACTIONS: Final = (
    # ---- cancellations
    _action(
        "cancel",
        "RequestCancel|CancelLines",
        "seller",
        "Cancel an order or lines of it; a buyer requests it (RequestCancel), others do it (CancelLines).",
        "--line 1:2 --reason out_of_stock",
    ),
    _action(
        "propose",
        "RequestCancel",
        "seller",
        "Propose to the buyer to cancel an order or lines of it, where the policy needs both sides.",
        "--reason out_of_stock",
    ),
    _action(
        "approve",
        "ApproveCancel",
        "seller",
        "Approve a cancellation request, as the side that has to answer it.",
        "--request-id r1",
    ),
    _action(
        "decline",
        "DeclineCancel",
        "seller",
        "Decline a cancellation request, as the side that has to answer it.",
        "--request-id r1 --note 'It is packed.'",
    ),
    _action("withdraw", "WithdrawCancel", "buyer", "Withdraw a cancellation request of one's own.", "--request-id r1"),
    _action(
        "take-alternative",
        "TakeAlternative",
        "buyer",
        "Take what is offered instead of a cancellation; without --request-id, the later ship-by.",
        "--request-id r1 --kind wait",
    ),
    _action(
        "decline-alternatives",
        "DeclineAlternatives",
        "buyer",
        "Decline what is offered instead of a cancellation; without --request-id, the later ship-by.",
        "--request-id r1",
    ),
    # ---- parcels
    _action("start", "StartFulfilment", "seller", "Report that picking, packing or labeling has begun."),
    _action(
        "ship-by",
        "ReviseShipBy",
        "seller",
        "Set a new ship-by; a later one applies once the buyer takes it.",
        "--ship-by 2026-03-09T12:00:00Z",
    ),
    _action(
        "ship",
        "Ship",
        "seller",
        "Report that units have shipped; without --line everything that is open.",
        "--line 1:3 --carrier UPS --tracking-number 1Z999",
    ),
    _action(
        "void",
        "VoidShipment",
        SYSTEM,
        "Void a shipping notice that was a mistake, because nothing has left.",
        "--shipment-id asn-1 --note 'The parcel is still here.'",
    ),
    _action(
        "track",
        "StartTracking",
        "seller",
        "Report that the carrier has begun to track a parcel.",
        "--carrier UPS --tracking-number 1Z999",
    ),
    _action(
        "scan",
        "TrackingMoved",
        "seller",
        "Report that the carrier has scanned the parcel again.",
        "--carrier UPS --tracking-number 1Z999",
    ),
    _action(
        "deliver",
        "Deliver",
        "seller",
        "Report that a shipment reached the buyer (without --shipment-id: all of them), or a return the seller.",
        "--shipment-id asn-1",
    ),
    _action(
        "undelivered",
        "ReportUndelivered",
        "seller",
        "Report that shipped units did not reach the buyer: the parcel is lost, damaged, or on its way back.",
        "--shipment-id asn-1 --outcome lost",
    ),
    # ---- money
    _action(
        "payment record",
        "ConfirmPayment",
        SYSTEM,
        "Record that a payment arrived, or was authorized.",
        "--payment-id pay_1 --amount 100.00 --method card --state authorized",
    ),
    _action(
        "payment capture",
        "CapturePayment",
        SYSTEM,
        "Record that authorized money was captured; without --amount all of it.",
        "--payment-id pay_1 --amount 60.00",
    ),
    _action(
        "payment release",
        "ReleasePayment",
        SYSTEM,
        "Record that an authorization lapsed; without --amount all of it.",
        "--payment-id pay_1",
    ),
    _action(
        "refund record",
        "RecordOtherRefund",
        SYSTEM,
        "Record a refund that was made elsewhere; with --refund-id it settles that due refund.",
        "--amount 10.00 --covers line:1=8.00 --covers shipping=2.00 --note 'by bank transfer'",
    ),
    _action(
        "refund confirm",
        "ConfirmRefund",
        SYSTEM,
        "Record that the payment service made a refund, or with --payment-id its part of one payment.",
        "--refund-id refund-1 --provider-ref re_9",
    ),
    _action(
        "refund fail",
        "FailRefund",
        SYSTEM,
        "Record that a refund could not be made, or that the bank sent it back; it is due again.",
        "--refund-id refund-1",
    ),
    _action(
        "refund withdraw",
        "WithdrawRefund",
        SYSTEM,
        "Withdraw a refund that was instructed by mistake; it is not owed, and is not instructed again.",
        "--refund-id refund-1 --note 'instructed twice'",
    ),
    _action(
        "chargeback open",
        "OpenChargeback",
        SYSTEM,
        "Record that the buyer's bank demands a payment back; refunds to this payment wait.",
        "--payment-id pay_1 --amount 60.00",
    ),
    _action(
        "chargeback close",
        "CloseChargeback",
        SYSTEM,
        "Record how a chargeback ended; without --amount a lost one took the amount it was opened for.",
        "--payment-id pay_1 --outcome lost",
    ),
    # ---- messages and notifications
    _action(
        "message",
        "SendMessage",
        "seller",
        "Send a message to a party; it is never a request or a consent.",
        "--to buyer --text 'It ships tomorrow.'",
    ),
    _action(
        "contact",
        "RecordContact",
        "buyer",
        "Record a contact with support outside rescind.",
        "--channel phone --ticket T-1",
    ),
    _action(
        "notice confirm",
        "ConfirmNotice",
        SYSTEM,
        "Record that a notification was delivered.",
        "--notice-id notice-1",
    ),
    _action(
        "notice fail",
        "FailNotice",
        SYSTEM,
        "Record that a notification could not be delivered.",
        "--notice-id notice-1",
    ),
    # ---- returns
    _action(
        "return request",
        "RequestReturn",
        "buyer",
        "Return shipped units under the policy's return terms.",
        "--line 1 --reason changed_mind",
    ),
    _action(
        "return accept",
        "AcceptReturn",
        "seller",
        "Accept a return as the seller, by the id of the return, its case or its request.",
        "--about return-1",
    ),
    _action(
        "return start", "StartReturn", "seller", "Report that the returned parcel is on its way.", "--about return-1"
    ),
    _action(
        "return receive",
        "ReturnReceived",
        "seller",
        "Report that returned units are back; without --line all that is left of the return.",
        "--about return-1 --line 1:2:sellable --line 1:1:damaged",
    ),
    _action(
        "return withdraw",
        "WithdrawReturn",
        "buyer",
        "Withdraw a return before anything of it was sent.",
        "--about return-1",
    ),
    _action(
        "return close",
        "CloseReturn",
        "seller",
        "Close a return whose parcel does not come: with a refund, or as support without one.",
        "--about return-1 --outcome refund",
    ),
    # ---- canceled but shipped
    _action(
        "report-shipped",
        "ReportShippedAfterCancel",
        "seller",
        "Report that canceled units have shipped anyway.",
        "--line 1 --carrier UPS --tracking-number 1Z999",
    ),
    _action(
        "notify",
        "NotifyCustomer",
        "seller",
        "Canceled but shipped, step 1: notify the customer, with carrier and tracking number and without a link.",
        "--text 'It left with UPS, number 1Z999; you would be billed again.'",
    ),
    _action(
        "acknowledge",
        "Acknowledge",
        "buyer",
        "Canceled but shipped, step 2: record whether the customer accepts the items and the new bill.",
        "--accepts-item --no-accepts-rebilling",
    ),
    _action("rebill start", "Rebill", SYSTEM, "Canceled but shipped, step 4: bill the customer again."),
    _action("rebill confirm", "ConfirmRebill", SYSTEM, "Record that the new bill was paid.", "--rebill-id rebill-1"),
    _action(
        "rebill fail",
        "FailRebill",
        SYSTEM,
        "Record that the new bill failed; it stays due.",
        "--rebill-id rebill-1",
    ),
    _action(
        "credit-memo",
        "IssueCreditMemo",
        SYSTEM,
        "Canceled but shipped, step 5: pay the seller what was billed again.",
        "--rebill-id rebill-1",
    ),
    # ---- cases, disputes, evidence
    _action(
        "case open",
        "OpenCase",
        "buyer",
        "Open a case, because the item is not as promised.",
        "--line 1 --reason not_as_described",
    ),
    _action(
        "case decide",
        "DecideCase",
        SYSTEM,
        "Decide a case as the platform; support names a rule.",
        "--case-id k1 --outcome return",
    ),
    _action(
        "dispute open",
        "OpenDispute",
        "buyer",
        "Dispute how a request was handled.",
        "--about r1 --text 'It had not shipped yet.'",
    ),
    _action(
        "dispute escalate",
        "EscalateDispute",
        "buyer",
        "Escalate a dispute to support, with a ticket.",
        "--dispute-id d1 --ticket T-1",
    ),
    _action(
        "dispute decide",
        "DecideDispute",
        SYSTEM,
        "Decide a dispute as the platform; support names a rule.",
        "--dispute-id d1 --outcome grant",
    ),
    _action("dispute appeal", "AppealDispute", "buyer", "Appeal the decision of a dispute.", "--dispute-id d1"),
    _action(
        "request-evidence",
        "RequestEvidence",
        SYSTEM,
        "Ask for more evidence about a case or dispute; the decision deadline of a case is paused.",
        "--about k1 --kind photo --kind receipt --until 2026-03-09T12:00:00Z",
    ),
    _action(
        "evidence",
        "AttachEvidence",
        "buyer",
        "Attach a file or message to a request, case, return, dispute or rebilling; --file also stores the file.",
        "--about k1 --kind photo --origin own_photo --file box.jpg",
    ),
)
"""Every subcommand, in the order of the procedures."""

GROUPS: Final = {
    "payment": "Record payments, and what became of authorized money.",
    "refund": "Record what became of refunds, and refunds that were made elsewhere.",
    "chargeback": "Record chargebacks of payments.",
    "notice": "Record whether a notification was delivered.",
    "return": "Request, receive, withdraw and close returns.",
    "rebill": "Bill the customer again for what shipped although it was canceled.",
    "case": "Show a case after delivery, open it, decide it.",
    "dispute": "Show a dispute, open it, escalate it, decide it, appeal.",
}
"""First word of subcommands with two words → what they do."""


def action_of(words: tuple[str, ...]) -> Action | None:
    """Return the action with exactly these words."""
    return next((action for action in ACTIONS if action.words == words), None)
