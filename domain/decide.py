"""The entry to the domain: whether an actor may give a command, and which events it results in.

``decide`` runs a decision on a copy of the order, folding each event as it is yielded, then settles what follows from
it: requests with nothing left open are closed, and the money that is due back goes out as at most one instruction.
Everything here is pure: the same order, command, policies and instant give the same events.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from domain import commands as c
from domain import events as e
from domain.balance import increase, instruction
from domain.deadlines import applies, due, is_over, number, without_overdue
from domain.decisions import (
    canceling,
    cases,
    deadline_effects,
    disputes,
    messages,
    payments,
    placing,
    privacy,
    returns,
    shipped_after_cancel,
    shipping,
    undelivered,
)
from domain.decisions.context import DecisionContext, Events, quantities
from domain.decisions.ways_out import open_ways
from domain.eligibility import changes_at
from domain.errors import BadInput, PolicyUnknown
from domain.folding import apply
from domain.instants import Instant
from domain.marketplace_settings import MarketSettings
from domain.order import Order, Request, Stamp, fresh
from domain.policy import Policy, PolicyBook, PolicyDocument, read_policy
from domain.verdict import Ruling, fact, refused

__all__ = ["Decided", "authorise", "decide", "due", "policy_of", "reach", "situation"]

ENGINE: Final = c.Actor(kind="system", id="engine")
"""The actor that reaches deadlines."""
_NO_POLICY: Final = e.PolicyRef("", 0, bytes(32))
_NO_RULES: Final = read_policy({"id": "none", "version": 1, "rules": ["seller-has-final-say"]}).policy
"""The policy of a command about a subject, which no policy judges."""


@dataclass(slots=True)
class Decided:
    """The result of a command: events with the instant at which each occurred, and the order after them."""

    events: tuple[tuple[e.Event, Instant], ...]
    order: Order
    refused: str | None
    verdict: e.Verdict | None
    answer: bool = False
    """Whether no commit is written: no-such-order, not-yours, no-such-policy, or a deadline that no longer applies."""


def authorise(order: Order | None, command: c.Command) -> str | None:
    """Check whether the actor may give the command: ``no-such-order``, ``not-yours``, or None.

    This check comes first. A command that it refuses is not recorded.
    """
    kind = command.actor.kind
    exists = order is not None and order.exists
    if not exists and not isinstance(command, c.PlaceOrder | c.SubjectCommand):
        return "no-such-order"
    if kind in ("support", "system"):
        return None
    if kind not in command.WHO or not exists or order is None:
        return "not-yours"
    terms = order.terms
    if command.actor.id != (terms.buyer_id if kind == "buyer" else terms.seller_id):
        return "not-yours"
    return "not-yours" if _other_sides(order, command) else None


def _other_sides(order: Order, command: c.Command) -> bool:
    """Whether the side that made a request answers it, or the other side withdraws it.

    Accepting a return answers a request while the request is open. Once it was granted, accepting the return is up to
    the seller.
    """
    if not isinstance(command, _ABOUT_REQUESTS):
        return False
    request = order.requests.get(command.about if isinstance(command, c.AcceptReturn) else command.request_id)
    if request is None or (isinstance(command, c.AcceptReturn) and request.status != "open"):
        return False
    return (request.by == command.actor.kind) is not isinstance(command, c.WithdrawCancel)


def policy_of(order: Order, policies: PolicyBook) -> PolicyDocument | None:
    """The policy document that an order is pinned to; None while it is not known here."""
    return policies.get(order.terms.policy)


def decide(
    order: Order | None, command: c.Command, policies: PolicyBook, market: MarketSettings, now: Instant
) -> Decided:
    """Decide one command at its instant. Raises ``BadInput`` where the command does not fit the order's data."""
    before = order if order is not None else fresh(command.marketplace, getattr(command, "order_id", ""))
    no = authorise(order, command)
    if no is not None:
        return _answer(before, no, command)
    if command.happened_at is not None and command.happened_at > now:
        raise BadInput("/occurred_at", "form", "lies in the future of the command's instant")
    if isinstance(command, c.PlaceOrder) and not before.exists:
        document = policies.named(command.policy or market.policy)
        if document is None:
            return _answer(before, "no-such-policy", command)
    elif isinstance(command, c.SubjectCommand):
        document = None
    else:
        document = _pinned(before, policies)
    if isinstance(command, c.RequestCancel) and command.actor.kind == "seller":
        assert document is not None
        if not document.policy.mutual_consent:
            return _answer(before, "not-yours", command)
    if isinstance(command, c.ReachDeadline):
        return _reach_by_id(before, command, policies, market, now)
    s = _situation(before.copy(), document, policies, market, now, command.actor, command)
    recorded_at = max(now, before.recorded_at) if before.version else now
    stamp = Stamp(recorded_at, command.actor.kind, command.actor.id, command.fingerprint)
    events = _decision(s, command, before)
    return _run(s, events, stamp, before, command.happened_at)


def _pinned(order: Order, policies: PolicyBook) -> PolicyDocument:
    """The policy document that an order is pinned to. Raises PolicyUnknown while it is not known here."""
    document = policy_of(order, policies)
    if document is None:
        ref = order.terms.policy
        raise PolicyUnknown(f"the order is pinned to {ref.id}@{ref.version}, which is not known here yet")
    return document


def reach(order: Order, deadline: e.Deadline, policies: PolicyBook, market: MarketSettings, now: Instant) -> Decided:
    """Reach one deadline of an order. One that no longer applies has no effect.

    ``now``: the later of its due instant and the order's last commit.
    """
    if not applies(order, deadline):
        return Decided((), order, None, None, answer=True)
    s = _reaching(order.copy(), deadline, policies, market, now)
    return _run(s, deadline_effects.reach(s, deadline), _engine_stamp(s), order, deadline.due_at)


def _reaching(
    order: Order, deadline: e.Deadline, policies: PolicyBook, market: MarketSettings, now: Instant
) -> DecisionContext:
    """The context in which a deadline is reached. PolicyUnknown."""
    command = c.ReachDeadline(
        command="ReachDeadline",
        command_id="reach",
        marketplace=order.marketplace,
        order_id=order.order_id,
        actor=ENGINE,
        deadline_id=deadline.deadline_id,
    )
    return _situation(order, _pinned(order, policies), policies, market, max(now, order.recorded_at), ENGINE, command)


def _engine_stamp(s: DecisionContext) -> Stamp:
    return Stamp(s.now, ENGINE.kind, ENGINE.id, None)


class DeadlineRun:
    """Reaches the deadlines of an order one after the other, as if nothing else happened.

    The order is copied once, when the first deadline is reached. The cost of a deadline depends on what it changes, so
    a run takes no more steps than the order has parts, no matter how many deadlines are due. A run ends, because a
    deadline is reached once and sets another one only for the next step of its request or case.
    """

    def __init__(
        self, order: Order, policies: PolicyBook, market: MarketSettings, only: Iterable[e.Deadline] | None = None
    ) -> None:
        """``only``: the deadlines of the order that fire; all of them where it is None."""
        self.order = order
        self.events: list[e.Event] = []
        """The events of the deadlines that were reached so far."""
        self._policies = policies
        self._market = market
        self._is_copied = False
        self._waiting = [_place(d) for d in (order.deadlines.values() if only is None else only)]
        heapq.heapify(self._waiting)
        self._moot: list[_Place] = []

    def next_due(self) -> Instant | None:
        """The earliest instant at which a deadline that applies falls due."""
        while self._waiting:
            deadline = self.order.deadlines.get(self._waiting[0][-1])
            if deadline is not None and applies(self.order, deadline):
                return deadline.due_at
            place = heapq.heappop(self._waiting)
            if deadline is not None and not is_over(self.order, deadline):
                self._moot.append(place)
        return None

    def reach_before(self, instant: Instant) -> None:
        """Reach every deadline that is due before an instant, in their order."""
        while True:
            reached = False
            while (soonest := self.next_due()) is not None and soonest < instant:
                self._reach(self.order.deadlines[heapq.heappop(self._waiting)[-1]])
                reached = True
            if not reached:
                return
            moot, self._moot = self._moot, []  # A reached deadline may have made one of them apply.
            for place in moot:
                heapq.heappush(self._waiting, place)

    def _reach(self, deadline: e.Deadline) -> None:
        first = not self._is_copied
        if first:
            self.order, self._is_copied = self.order.copy(), True
        order, known, credits = self.order, len(self.order.deadlines_set), len(self.order.credits)
        s = _reaching(order, deadline, self._policies, self._market, max(deadline.due_at, order.recorded_at))
        stamp, begins = _engine_stamp(s), len(self.events)
        for each in deadline_effects.reach(s, deadline):
            event = _with_parts(order, each)
            apply(order, event, deadline.due_at if type(event) in _FROM_OUTSIDE else s.now, stamp)
            self.events.append(event)
        requests = None if first else _requests_touched(order, self.events[begins:])
        for event in _settle(order, credits, s.policy, requests):
            apply(order, event, s.now, stamp)
            self.events.append(event)
        for deadline_id in islice(reversed(order.deadlines_set), len(order.deadlines_set) - known):
            if deadline_id in order.deadlines:
                heapq.heappush(self._waiting, _place(order.deadlines[deadline_id]))


_Place = tuple[Instant, str, int, str]


def _place(deadline: e.Deadline) -> _Place:
    """The sort key of a deadline. Deadlines are reached in its order."""
    return deadline.due_at, deadline.kind, number(deadline), deadline.deadline_id


def _requests_touched(order: Order, events: Sequence[e.Event]) -> list[Request] | None:
    """Return the requests of a settled order that events may have left with no open units; None means all requests."""
    if not all(type(event) in _OF_REQUESTS for event in events):
        return None
    lines = {part.line for event in events if isinstance(event, e.LinesCanceled) for part in event.lines}
    return [order.requests[id] for id in dict.fromkeys(id for n in lines for id in order.requests_of_line.get(n, ()))]


def _reach_by_id(
    order: Order, command: c.ReachDeadline, policies: PolicyBook, market: MarketSettings, now: Instant
) -> Decided:
    """Reach the deadline that a command names. One that is not due, or no longer applies, has no effect."""
    deadline = order.deadlines.get(command.deadline_id)
    if deadline is None or deadline.due_at >= now:
        return Decided((), order, None, None, answer=True)
    return reach(order, deadline, policies, market, now)


def situation(
    order: Order, policies: PolicyBook, market: MarketSettings, now: Instant, command: c.Command
) -> DecisionContext:
    """The context of a question about an order, for eligibility and previews. Raises PolicyUnknown."""
    return _situation(order, _pinned(order, policies), policies, market, now, command.actor, command)


def _situation(
    order: Order,
    document: PolicyDocument | None,
    policies: PolicyBook,
    market: MarketSettings,
    now: Instant,
    actor: c.Actor,
    command: c.Command,
) -> DecisionContext:
    policy = document.policy if document is not None else _NO_RULES
    ref = document.ref if document is not None else _NO_POLICY
    return DecisionContext(order, policy, ref, policies, market, now, actor, command, foresee, open_ways)


def _answer(order: Order, rule: str, command: c.Command) -> Decided:
    """Answer without a commit."""
    because = unbacked(rule, command)
    ref = order.placed.policy if order.placed is not None else _NO_POLICY
    ruling = refused(rule, because, fact("order", command.stream))
    return Decided((), order, rule, ruling.verdict("answer", ref, None), answer=True)


def unbacked(rule: str, command: c.Command) -> str:
    """The sentences of ``no-such-order``, ``not-yours`` and ``no-such-policy``."""
    return {
        "no-such-order": f"There is no order {command.stream}.",
        "not-yours": "The order, or this command, is not yours.",
        "no-such-policy": f"No policy {getattr(command, 'policy', None)} has been published.",
    }[rule]


def _decision(s: DecisionContext, command: c.Command, before: Order) -> Events:
    """The decision of a command, after the check that its id is not taken."""
    if isinstance(command, c.PlaceOrder):
        return placing.order_exists(s, command) if before.exists else placing.place_order(s, command)
    if command.CLAIMS is not None:
        claimed = getattr(command, command.CLAIMS)
        if claimed in before.ids:
            return _taken(s, command, claimed, before.ids[claimed])
    return _DECISIONS[type(command)](s, command)


def _taken(s: DecisionContext, command: c.Command, claimed: str, content: bytes | None) -> Events:
    """Answer a command whose id exists: with the same content it changes nothing, with other content it is refused."""
    if content == command.fingerprint:
        return
    because = f"{claimed} stands already, with other content: choose another id."
    if isinstance(command, c.Ship):
        ruling = refused("shipment-exists", because, fact("shipment_id", claimed))
        named = {p.line: p.quantity or 0 for p in command.lines or ()}
        yield e.ShipmentRefused(claimed, quantities(named), s.verdict("ship", ruling))
        return
    yield from s.no("id-exists", because, fact("id", claimed), ref=claimed)


def _run(s: DecisionContext, events: Events, stamp: Stamp, before: Order, happened_at: Instant | None) -> Decided:
    """Apply events as they are yielded, then those that follow from them."""
    recorded: list[tuple[e.Event, Instant]] = []
    for each in events:
        event = _with_parts(s.order, each)
        occurred_at = happened_at if happened_at is not None and type(event) in _FROM_OUTSIDE else s.now
        apply(s.order, event, occurred_at, stamp)
        recorded.append((event, occurred_at))
    if recorded and s.order.exists:
        for event in _parts_of_killed(s.order, [event for event, _ in recorded]):
            apply(s.order, event, s.now, stamp)
            recorded.append((event, s.now))
        for event in _settle(s.order, len(before.credits), s.policy):
            apply(s.order, event, s.now, stamp)
            recorded.append((event, s.now))
    refusal = next((event for event, _ in recorded if type(event) in _REFUSALS), None)
    verdict = refusal.verdict if refusal is not None else _verdict_of(recorded)  # type: ignore[union-attr]
    return Decided(tuple(recorded), s.order, None if refusal is None else verdict.rule if verdict else None, verdict)


def _verdict_of(recorded: list[tuple[e.Event, Instant]]) -> e.Verdict | None:
    for event, _ in recorded:
        if event.__class__ in _ANSWERED:
            return event.verdict  # type: ignore[union-attr]
    return None


def _with_parts(order: Order, event: e.Event) -> e.Event:
    """Add the open parts of bundles to a cancellation that leaves nothing of their parents open."""
    if not isinstance(event, e.LinesCanceled) or not order.bundles:
        return event
    canceled: dict[int, int] = {}
    for each in event.lines:
        canceled[each.line] = canceled.get(each.line, 0) + each.quantity
    parts: list[e.CanceledLine] = []
    for each in {each.line: each for each in event.lines}.values():
        if canceled[each.line] < order.lines[each.line].open:
            continue
        for part in order.bundles.get(each.line, ()):
            units = order.lines[part].open - canceled.get(part, 0)
            if units:
                parts.append(e.CanceledLine(part, units, each.cause, each.reason, each.request_id))
    return e.LinesCanceled((*event.lines, *parts), event.verdict) if parts else event


def _parts_of_killed(order: Order, events: list[e.Event]) -> Iterator[e.Event]:
    """Yield the cancellation of the open parts of bundles whose parents fill-or-kill canceled.

    It comes after the whole notice, because the notice may ship parts too.
    """
    if not order.bundles:
        return
    for event in events:
        if isinstance(event, e.AutoCanceled):
            for part in order.bundles.get(event.line, ()):
                if order.lines[part].open:
                    yield e.AutoCanceled(part, order.lines[part].open, event.shipment_id)


def _settle(order: Order, credits: int, policy: Policy, requests: Iterable[Request] | None = None) -> Iterator[e.Event]:
    """Yield the events that follow from any decision: closed requests (``shipment-answers``) and a due refund
    (``full-refund``).

    ``credits`` is the number of credits before the decision. ``requests`` are those that may have no open units; None
    means all requests of the order.
    """
    for request in list(order.open_requests() if requests is None else requests):
        if request.status != "open" or any(order.still_open(request, line) for line in request.asked):
            continue
        got = {line: order.got(request, line) for line in request.asked}
        if policy.mutual_consent and any(order.asked_and_shipped(request, line) for line in request.asked):
            continue
        if all(got[line] >= units for line, units in request.asked.items()):
            yield e.CancelApproved(request.request_id, "canceled", None, False, None)
        else:
            status = "partly" if any(got.values()) else "shipped"
            yield e.CancelDeclined(request.request_id, "shipped", status, "shipment-answers", None)
    amount = increase(order)
    if amount > 0:
        lines: dict[int, int] = {}
        for credit in order.credits[credits:]:
            if credit.units:
                lines[credit.line] = lines.get(credit.line, 0) + credit.units
        made = instruction(order, amount, policy.refunds.order)
        refund_id = order.next_id("refund")
        yield e.RefundDue(refund_id, amount, quantities(lines), made.causes, made.parts, made.purposes)


def foresee(s: DecisionContext, ask: Callable[[DecisionContext], Ruling], points: Iterator[Instant]) -> Instant | None:
    """Return when the answer to ``ask`` would change if nothing new happened. Effects of deadlines are included."""

    return changes_at(s, ask, points, DeadlineRun(without_overdue(s.order, s.now), s.policies, s.market))


_DECISIONS: Final[dict[type[c.Command], Callable[[DecisionContext, Any], Events]]] = {
    c.ConfirmPayment: payments.confirm_payment,
    c.CapturePayment: payments.capture_payment,
    c.ReleasePayment: payments.release_payment,
    c.RecordOtherRefund: payments.record_other_refund,
    c.SendMessage: messages.send_message,
    c.RecordContact: messages.record_contact,
    c.RequestCancel: canceling.request_cancel,
    c.CancelLines: canceling.cancel_lines,
    c.ApproveCancel: canceling.approve_cancel,
    c.DeclineCancel: canceling.decline_cancel,
    c.WithdrawCancel: canceling.withdraw_cancel,
    c.TakeAlternative: canceling.take_alternative,
    c.DeclineAlternatives: canceling.decline_alternatives,
    c.StartFulfilment: shipping.start_fulfilment,
    c.StartTracking: shipping.track,
    c.TrackingMoved: shipping.track,
    c.Ship: shipping.ship,
    c.VoidShipment: shipping.void_shipment,
    c.ReviseShipBy: shipping.revise_ship_by,
    c.Deliver: shipping.deliver,
    c.ReportUndelivered: undelivered.report_undelivered,
    c.ConfirmRefund: payments.settle_refund,
    c.FailRefund: payments.settle_refund,
    c.WithdrawRefund: payments.withdraw_refund,
    c.OpenChargeback: payments.open_chargeback,
    c.CloseChargeback: payments.close_chargeback,
    c.ConfirmNotice: messages.settle_notice,
    c.FailNotice: messages.settle_notice,
    c.ReportShippedAfterCancel: shipped_after_cancel.report_shipped_after_cancel,
    c.NotifyCustomer: shipped_after_cancel.notify_customer,
    c.Acknowledge: shipped_after_cancel.acknowledge,
    c.AttachEvidence: cases.attach_evidence,
    c.Rebill: shipped_after_cancel.rebill,
    c.ConfirmRebill: shipped_after_cancel.settle_rebill,
    c.FailRebill: shipped_after_cancel.settle_rebill,
    c.IssueCreditMemo: shipped_after_cancel.issue_credit_memo,
    c.OpenCase: cases.open_case,
    c.RequestEvidence: cases.request_evidence,
    c.AcceptReturn: cases.accept_return,
    c.DecideCase: cases.decide_case,
    c.RequestReturn: returns.request_return,
    c.StartReturn: returns.start_return,
    c.ReturnReceived: returns.return_received,
    c.WithdrawReturn: returns.withdraw_return,
    c.CloseReturn: returns.close_return,
    c.OpenDispute: disputes.open_dispute,
    c.EscalateDispute: disputes.escalate_dispute,
    c.DecideDispute: disputes.decide_dispute,
    c.AppealDispute: disputes.appeal_dispute,
    c.EraseSubject: privacy.erase_subject,
    c.PlaceLegalHold: privacy.place_legal_hold,
    c.ReleaseLegalHold: privacy.release_legal_hold,
}

_FROM_OUTSIDE: Final = frozenset(
    {
        e.LineShipped,
        e.LinePartiallyShipped,
        e.FulfilmentStarted,
        e.TrackingStarted,
        e.TrackingMoved,
        e.Delivered,
        e.ReturnStarted,
        e.ReturnReceived,
        e.MessageSent,
        e.ContactRecorded,
        e.PaymentReceived,
        e.DeadlineReached,
    }
)
"""Events that may have occurred before they were reported. Events that follow from them occur when they are decided."""

_OF_REQUESTS: Final = frozenset(
    {
        e.DeadlineReached,
        e.LinesCanceled,
        e.CancelApproved,
        e.CancelDeclined,
        e.CancelRefused,
        e.AlternativesDeclined,
    }
)
"""Events that change no units but those that they cancel."""

_REFUSALS: Final = frozenset({e.CancelRefused, e.CommandRefused, e.ShipmentRefused, e.DisputeDismissed})

_ANSWERED: Final = frozenset({e.CancelRequested, e.LinesCanceled})
"""Events that hold the verdict of a command that was not refused."""

_ABOUT_REQUESTS: Final = (c.ApproveCancel, c.DeclineCancel, c.WithdrawCancel, c.AcceptReturn)
"""Commands that answer or withdraw a request. Accepting a return may grant a request."""
