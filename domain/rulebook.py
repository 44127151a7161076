"""Every rule id, with its sentence, by section of docs/reference/rules.md. Every refusal names one of these.

Rules that a policy can list are registered in ``domain.rules``. The others are defined here: they hold under every
policy, or belong to a key of it.
"""

from typing import Final, NamedTuple

from domain.rules import RULES as LISTED


class RuleText(NamedTuple):
    """A rule in a sentence. ``section``: its subject in ``SECTIONS``."""

    section: int
    sentence: str
    key: str | None = None
    """The key or table of a policy file that it belongs to."""


SECTIONS: Final = {
    1: "Who may cancel what, and when",
    2: "What a cancellation does",
    3: "Canceled but shipped",
    4: "Cases and returns after delivery",
    5: "Disputes and evidence",
    0: "Answers to a command that the order contradicts",
}

_OTHERS: Final[dict[str, RuleText]] = {
    # Who may cancel what, and when
    "cancel-is-final": RuleText(1, "A cancellation cannot be undone."),
    "fill-or-kill": RuleText(
        1, "A notice for part of a line's open quantity ships that part and cancels the rest at once.", "fill-or-kill"
    ),
    "auto-canceled-is-final": RuleText(1, "A quantity canceled by fill-or-kill is never re-opened.", "fill-or-kill"),
    "one-open-request": RuleText(1, "One open request, dispute or case over the same quantity at a time."),
    "shipment-answers": RuleText(1, "A shipping notice answers the open request for what it ships."),
    "already-canceled": RuleText(1, "What is canceled cannot be canceled again."),
    # What a cancellation does
    "both-told": RuleText(2, "Buyer and seller are both told.", "both-told"),
    "full-refund": RuleText(2, "What was paid for the canceled quantity is refunded in full."),
    "money-adds-up": RuleText(2, "Paid = kept by the seller's side + refunded + in flight, at every version."),
    "restock-once": RuleText(2, "Canceled quantities go back to stock once; returned ones once, on receipt."),
    "standing": RuleText(2, "Cancellations count toward seller and buyer standing.", "standing"),
    # Canceled but shipped
    "notify-customer": RuleText(3, "The customer is told that it shipped although canceled.", "cancelled-but-shipped"),
    "notice-lacks-tracking": RuleText(3, "The message carries carrier and tracking number.", "cancelled-but-shipped"),
    "notice-has-link": RuleText(3, "The message carries no link of any kind.", "cancelled-but-shipped"),
    "acknowledge-both": RuleText(
        3, "The customer confirms that they accept the item and the re-billing.", "cancelled-but-shipped"
    ),
    "evidence-of-acknowledgment": RuleText(
        3, "Support may acknowledge for the customer only with the exchange of messages.", "cancelled-but-shipped"
    ),
    "rebill": RuleText(3, "The customer is billed again for exactly what had been refunded.", "cancelled-but-shipped"),
    "credit-memo": RuleText(
        3, "Once the rebilling is confirmed the seller is paid by a credit memo of its amount.", "cancelled-but-shipped"
    ),
    "memo-needs-acknowledgment": RuleText(
        3, "Without the acknowledgment a credit memo is refused, always.", "cancelled-but-shipped"
    ),
    # Cases and returns after delivery
    "case-reasons": RuleText(
        4, "A case is about what is not as described, missing, not authentic, or the wrong item.", "cases"
    ),
    "case-is-not-cancel": RuleText(
        4, "After delivery a case or a return is the right thing to ask for, not a cancellation."
    ),
    "cancel-is-not-case": RuleText(
        4, "Before delivery a cancellation is the right thing to ask for, not a case or return."
    ),
    "case-evidence": RuleText(4, "Both sides submit evidence; the clock stands still while more is awaited.", "cases"),
    "case-thread": RuleText(4, "One thread per case, read by buyer, seller and platform.", "cases"),
    "listing-as-sold": RuleText(4, "A line may pin what was promised."),
    "seller-may-accept": RuleText(4, "The seller may accept the return at any time before the decision.", "cases"),
    "silence-is-not-consent": RuleText(4, "A seller who says nothing has not accepted.", "cases"),
    "case-decision-time": RuleText(4, "The platform decides within business days of its calendar.", "cases"),
    "platform-pays-return": RuleText(4, "On an approved case the platform pays return shipping.", "cases"),
    "return-not-confirmed": RuleText(4, "Shown delivered to the seller and nothing said: refunded.", "returns"),
    "case-window": RuleText(4, "A case must be opened within days of delivery.", "cases"),
    "store-return": RuleText(
        4, "What shipped may be returned after delivery under the policy's return terms.", "returns"
    ),
    # Answers to a command that the order contradicts
    "no-such-order": RuleText(0, "There is no such order."),
    "not-yours": RuleText(0, "The order, or the command, is not this actor's."),
    "no-such-line": RuleText(0, "The order has no such line."),
    "no-such-policy": RuleText(0, "No such policy has been published."),
    "no-such-request": RuleText(0, "There is no such request."),
    "no-such-shipment": RuleText(0, "There is no such shipment."),
    "no-such-refund": RuleText(0, "There is no such refund."),
    "no-such-payment": RuleText(0, "There is no such payment."),
    "no-such-chargeback": RuleText(0, "No such chargeback is open."),
    "no-such-rebill": RuleText(0, "There is no such rebilling."),
    "no-such-notice": RuleText(0, "There is no such notice."),
    "order-exists": RuleText(0, "The order exists, with other content."),
    "shipment-exists": RuleText(0, "The shipment exists, with other content."),
    "id-exists": RuleText(0, "The id is taken, for other content."),
    "memo-exists": RuleText(0, "The rebilling has its credit memo."),
    "more-than-open": RuleText(0, "More was asked for than is open."),
    "ships-more-than-open": RuleText(0, "The notice names more than is open."),
    "request-closed": RuleText(0, "The request is closed."),
    "refund-closed": RuleText(0, "The refund is confirmed, given back elsewhere, or withdrawn."),
    "chargeback-open": RuleText(0, "A chargeback of the payment is open."),
    "more-than-authorized": RuleText(0, "More than is authorized would be captured or released."),
    "rebill-closed": RuleText(0, "The rebilling is confirmed."),
    "case-closed": RuleText(0, "There is no such open case."),
    "dispute-closed": RuleText(0, "There is no such open dispute."),
    "cases-off": RuleText(0, "The policy has no cases."),
    "disputes-off": RuleText(0, "The policy has no disputes."),
    "delivered-already": RuleText(0, "It has been delivered."),
    "undelivered-already": RuleText(0, "It is reported as lost, damaged or on its way back."),
    "nothing-offered": RuleText(0, "Nothing of the kind was offered."),
    "nothing-open": RuleText(0, "Nothing is open."),
    "nothing-shipped": RuleText(0, "Nothing has shipped."),
    "nothing-canceled": RuleText(0, "No such quantity was canceled."),
    "nothing-to-dispute": RuleText(0, "There is nothing to dispute."),
    "canceled-altogether": RuleText(0, "Everything is canceled."),
    "paid-already": RuleText(0, "More than the total would be paid. Earlier releases refused it."),
    "more-than-paid": RuleText(0, "More than was paid would be given back."),
    "step-out-of-order": RuleText(0, "An earlier step is missing."),
    "evidence-closed": RuleText(0, "Evidence is no longer taken."),
    "evidence-limits": RuleText(0, "Too many files, or too large."),
    "too-late": RuleText(0, "The time for it is over."),
    "legal-hold": RuleText(0, "A legal hold stands."),
}

RULES: Final[dict[str, RuleText]] = {
    **{rule.id: RuleText(1, rule.sentence, rule.key or rule.id) for rule in LISTED.values()},
    **_OTHERS,
}
"""Rule id → its subject (0: a check of a command against the order), the rule in a sentence, and its policy key."""

RULE_IDS: Final = frozenset(rule for rule, text in RULES.items() if text.section)
"""The ids that support may rest a decision on: all but the checks of commands."""
