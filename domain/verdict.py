"""Rulings, the answers of rules, and the verdicts that are made from them.

A ruling is one rule's answer. The verdict adds the policy of the rule, and when the answer would change.
"""

from dataclasses import dataclass
from typing import Final

from domain.events import Input, Instead, PolicyRef, Verdict
from domain.instants import Instant, format_instant

GRANTED: Final = "granted"
OFFER_ALTERNATIVES: Final = "offer_alternatives"
ASK_SELLER: Final = "ask_seller"
REFUSED: Final = "refused"


@dataclass(slots=True)
class Ruling:
    """One rule's answer: the outcome, the rule, a sentence for a person, the rule's inputs, the remaining options."""

    outcome: str
    rule: str
    because: str
    inputs: tuple[Input, ...] = ()
    instead: tuple[Instead, ...] = ()
    behind: "Ruling | None" = None
    """For an offer of alternatives: the ruling of the remaining rules, which applies if the buyer declines."""

    @property
    def answer(self) -> tuple[str, str]:
        """Outcome and rule. Two rulings with equal outcome and rule are the same answer."""
        return self.outcome, self.rule

    def verdict(self, action: str, policy: PolicyRef, next_change_at: Instant | None) -> Verdict:
        """Make the verdict on ``action`` under a policy. A refusal always names at least one remaining option."""
        instead = self.instead
        if not instead and self.outcome == REFUSED:
            instead = _OTHERWISE.get(self.rule, (CONTACT,))
        return Verdict(action, self.outcome, self.rule, policy, self.inputs, self.because, instead, next_change_at)


def granted(rule: str, because: str, *inputs: Input) -> Ruling:
    return Ruling(GRANTED, rule, because, inputs)


def ask(rule: str, because: str, *inputs: Input) -> Ruling:
    return Ruling(ASK_SELLER, rule, because, inputs)


def refused(rule: str, because: str, *inputs: Input, instead: tuple[Instead, ...] = ()) -> Ruling:
    return Ruling(REFUSED, rule, because, inputs, instead)


def fact(name: str, value: object) -> Input:
    """Make an input from a value, as text. Booleans are written as in JSON."""
    return Input(name, str(value).lower() if isinstance(value, bool) else str(value))


def instant(name: str, value: Instant) -> Input:
    """Make an input from an instant."""
    return Input(name, format_instant(value))


def of_line(units: int, line: int, what: str) -> str:
    """Say how many units of a line are something: ``1 of line 2 is open``, ``3 of line 2 are open``, ``None of …``."""
    return f"{units or 'None'} of line {line} {'are' if units > 1 else 'is'} {what}"


# ---- remaining options -------------------------------------------------------------------------------------------


def wait_until(when: Instant) -> Instead:
    return Instead("wait", f"Ask again from {format_instant(when)}.", when)


ASK_THE_SELLER: Final = Instead("ask_seller", "Ask the seller.", None)
WHOLE_LINE: Final = Instead("again", "Ask again for the whole line.", None)
SHIP_THE_REST: Final = Instead(
    "ship", "Ship what you have of the line: its shipping notice cancels the rest (fill-or-kill).", None
)
SHIP_LESS: Final = Instead(
    "ask_seller", "Ask the seller to ship fewer: the shipping notice cancels the rest (fill-or-kill).", None
)
REPORT_LOST: Final = Instead("ask_seller", "If it does not arrive, ask the seller to report the parcel as lost.", None)
CLOSE_WITH_REFUND: Final = Instead("close_return", "Close the return with its refund.", None)
CONTACT: Final = Instead("contact", "Contact the marketplace with the order number.", None)
RETURN_AFTER_DELIVERY: Final = Instead("return", "Return it after delivery.", None)
CASE_AFTER_DELIVERY: Final = Instead(
    "open_case", "Open a case once it is delivered, if it is not what was promised.", None
)
AGREE_AFTER_DELIVERY: Final = Instead("wait", "Agree to it once it is delivered.", None)
CANCEL_IT: Final = Instead("cancel", "Ask to cancel it.", None)
OPEN_CASE: Final = Instead("open_case", "Open a case if it is not what was promised.", None)
DISPUTE: Final = Instead("dispute", "Open a dispute.", None)
PROPOSE: Final = Instead("propose", "Propose to cancel by common consent (RequestCancel).", None)
NEW_ORDER: Final = Instead("new_order", "Have a new order placed for the quantity, linked to this one.", None)
REPORT_SHIPPED: Final = Instead(
    "report_shipped", "If it left all the same, report it (ReportShippedAfterCancel).", None
)
INVESTIGATE: Final = Instead("check", "Compare it with the order's history; a person has to look into it.", None)
WAIT_FOR_ANSWER: Final = Instead("wait", "Wait for the answer to what is open already.", None)
WAIT_FOR_DECISION: Final = Instead("wait", "Wait for the decision about what is open already.", None)
CHOOSE: Final = Instead("choose", "Choose among the offers, or decline them.", None)
WAIT_FOR_BILL: Final = Instead("wait", "Wait until what is billed again is confirmed.", None)
SUBMIT_AGAIN: Final = Instead("again", "Say it again for what there is, under an id of its own.", None)
FIRST: Final = Instead("step", "Take the missing step first.", None)

_OTHERWISE: Final = {
    "tracking-lock": (RETURN_AFTER_DELIVERY, CONTACT),
    "shipped-lock": (RETURN_AFTER_DELIVERY, CONTACT),
    "one-open-request": (WAIT_FOR_ANSWER, CONTACT),
    "cancel-is-not-case": (CANCEL_IT,),
    "nothing-to-dispute": (ASK_THE_SELLER,),
    "step-out-of-order": (FIRST,),
    "memo-needs-acknowledgment": (FIRST,),
    "evidence-of-acknowledgment": (FIRST,),
    "reason-required": (Instead("again", "Ask again with a reason of the policy's list.", None),),
    "whole-lines-only": (WHOLE_LINE,),
    "notice-has-link": (Instead("again", "Write it again without anything that looks like a link.", None),),
    "notice-lacks-tracking": (Instead("again", "Write it again with the carrier and the tracking number.", None),),
    "evidence-limits": (Instead("again", "Attach it again in a smaller file, or leave it at what there is.", None),),
    **dict.fromkeys(
        (
            "no-such-line",
            "no-such-request",
            "no-such-shipment",
            "no-such-refund",
            "no-such-payment",
            "no-such-chargeback",
            "more-than-authorized",
            "no-such-rebill",
            "no-such-notice",
            "more-than-open",
            "ships-more-than-open",
            "more-than-paid",
            "paid-already",
            "nothing-offered",
            "id-exists",
            "shipment-exists",
            "order-exists",
        ),
        (SUBMIT_AGAIN,),
    ),
}
"""Rule → the remaining options if its ruling names none. All other rules have ``contact``."""

_NOT_FOR: Final = {
    "seller": ("ask_seller", "choose", "return", "open_case", "withdraw_return"),
    "buyer": ("close_return",),
    "support": ("contact",),
    "system": ("contact",),
}
"""Kind of actor → options that it cannot take. Support and systems do not contact support."""


def for_actor(kind: str, instead: tuple[Instead, ...]) -> tuple[Instead, ...]:
    """Return the options that this kind of actor can take itself, at least one."""
    barred = _NOT_FOR.get(kind, ())
    left = tuple(each for each in instead if each.option not in barred)
    return left or ((CONTACT,) if kind in ("buyer", "seller") else (INVESTIGATE,))
