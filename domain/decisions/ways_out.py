"""Filters the options of a refusal, so that none of them leads to another refusal."""

from collections.abc import Callable

from domain.decisions.canceling import judge_cancel, question
from domain.decisions.cases import judge_case
from domain.decisions.context import DecisionContext
from domain.decisions.disputes import judge_dispute
from domain.decisions.returns import judge_return
from domain.decisions.undelivered import undelivered_units
from domain.events import Instead
from domain.verdict import (
    ASK_THE_SELLER,
    CANCEL_IT,
    CASE_AFTER_DELIVERY,
    CONTACT,
    DISPUTE,
    OPEN_CASE,
    REFUSED,
    REPORT_LOST,
    RETURN_AFTER_DELIVERY,
)


def open_ways(s: DecisionContext, action: str, instead: tuple[Instead, ...]) -> tuple[Instead, ...]:
    """Return the options that are possible now, or once open and shipped units are delivered. At least one.

    They are judged as in eligibility queries: for the buyer, over all lines. An impossible cancellation is replaced by
    a case or a return after delivery.
    """
    if not s.order.exists:
        return instead
    found: list[Instead] = []
    for each in instead:
        way = each
        if each == CANCEL_IT and not _can_cancel(s):
            way = CASE_AFTER_DELIVERY if action == "open_case" else RETURN_AFTER_DELIVERY
        is_open = None if way == ASK_THE_SELLER and action == "cancel" else _CHECKS.get(way.text)
        if way not in found and (is_open is None or is_open(s)):
            found.append(way)
    return tuple(found) or (CONTACT,)


def _can_cancel(s: DecisionContext) -> bool:
    return judge_cancel(s, question(s, None, s.policy.reasons[0], by="buyer", own=False), None).outcome != REFUSED


def _is_to_come(s: DecisionContext) -> bool:
    """Whether anything is still to be delivered."""
    return any(line.open or line.under_way for line in s.order.lines.values())


def _can_return(s: DecisionContext) -> bool:
    terms = s.policy.returns
    if terms is None or not terms.reasons:
        return False
    return _is_to_come(s) or judge_return(s, None, None).outcome != REFUSED


def _can_open_case(s: DecisionContext) -> bool:
    return s.policy.cases is not None and (_is_to_come(s) or judge_case(s, None, None).outcome != REFUSED)


def _can_dispute(s: DecisionContext) -> bool:
    return judge_dispute(s, None).outcome != REFUSED


def _can_report_lost(s: DecisionContext) -> bool:
    """Whether any shipment has units that are still on their way."""
    return any(undelivered_units(s, shipment) for shipment in s.order.shipments.values())


_CHECKS: dict[str, Callable[[DecisionContext], bool]] = {
    ASK_THE_SELLER.text: _can_cancel,
    CANCEL_IT.text: _can_cancel,
    RETURN_AFTER_DELIVERY.text: _can_return,
    CASE_AFTER_DELIVERY.text: _can_open_case,
    OPEN_CASE.text: _can_open_case,
    DISPUTE.text: _can_dispute,
    REPORT_LOST.text: _can_report_lost,
}
"""Text of an option that the engine itself would decide → the check whether it is possible."""
