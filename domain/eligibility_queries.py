"""The five questions of ``order eligibility``: cancel, ship, return, open_case, open_dispute.

Each is judged for all lines and for the order's buyer (ship: its seller), with a reason that the policy accepts.
"""

from collections.abc import Callable, Iterator

from domain import events as e
from domain.calendar import after
from domain.commands import Actor, Command, ReachDeadline
from domain.decide import ENGINE, DeadlineRun, foresee, situation
from domain.decisions.canceling import judge_cancel, question
from domain.decisions.cases import judge_case
from domain.decisions.context import DecisionContext
from domain.decisions.disputes import judge_dispute
from domain.decisions.returns import judge_return
from domain.decisions.shipping import judge_ship
from domain.eligibility import after_delivery
from domain.instants import Instant
from domain.marketplace_settings import MarketSettings
from domain.order import Order
from domain.policy import PolicyBook
from domain.rules import turning_points
from domain.verdict import Ruling

ACTIONS = ("cancel", "ship", "return", "open_case", "open_dispute")


def eligibility(order: Order, policies: PolicyBook, market: MarketSettings, now: Instant) -> list[e.Verdict]:
    """Return one verdict per action, as of ``now``. Deadlines that are due before it count as reached.

    Raises PolicyUnknown.
    """
    order = as_of(order, policies, market, now)
    return [may(action, order, policies, market, now) for action in ACTIONS]


def as_of(order: Order, policies: PolicyBook, market: MarketSettings, now: Instant) -> Order:
    """Reach the deadlines before ``now`` and return the order after them."""

    run = DeadlineRun(order, policies, market)
    run.reach_before(now)
    return run.order


def may(action: str, order: Order, policies: PolicyBook, market: MarketSettings, now: Instant) -> e.Verdict:
    """Judge one action."""
    s = situation(order, policies, market, now, _asker(order))
    ask = _ASK[action]
    return s.verdict(action, ask(s), foresee(s, ask, _points(s, action)))


def _asker(order: Order) -> Command:
    return ReachDeadline(
        command="ReachDeadline",
        command_id="eligibility",
        marketplace=order.marketplace,
        order_id=order.order_id,
        actor=Actor(kind=ENGINE.kind, id=ENGINE.id),
        deadline_id="none",
    )


def _cancel(s: DecisionContext) -> Ruling:
    return judge_cancel(s, question(s, None, s.policy.reasons[0], by="buyer", own=False), None)


def _ship(s: DecisionContext) -> Ruling:
    return judge_ship(s, None)


def _return(s: DecisionContext) -> Ruling:
    return judge_return(s, None, None)


def _open_case(s: DecisionContext) -> Ruling:
    return judge_case(s, None, None)


def _open_dispute(s: DecisionContext) -> Ruling:
    return judge_dispute(s, None)


_ASK: dict[str, Callable[[DecisionContext], Ruling]] = {
    "cancel": _cancel,
    "ship": _ship,
    "return": _return,
    "open_case": _open_case,
    "open_dispute": _open_dispute,
}


def _points(s: DecisionContext, action: str) -> Iterator[Instant]:
    """Yield the instants at which a window opens or closes that the answer depends on."""
    match action:
        case "cancel":
            yield from turning_points(question(s, None, None, by="buyer", own=False))
        case "return":
            yield from after_delivery(s, s.policy.returns.days if s.policy.returns is not None else None)
        case "open_case":
            yield from after_delivery(s, s.policy.cases.days if s.policy.cases is not None else None)
        case "open_dispute":
            if s.policy.disputes is not None:
                yield after(s.order.placed_at, s.policy.disputes.request, s.calendar) + 1
            yield from (r.decide_by + 1 for r in s.order.open_requests() if r.decide_by is not None)
        case _:
            return
