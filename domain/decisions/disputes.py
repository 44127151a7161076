"""Disputes about the handling of a request. See docs/reference/after-shipment.md, Disputes."""

from domain import events as e
from domain.calendar import Length, after
from domain.commands import AppealDispute, DecideDispute, EscalateDispute, OpenDispute
from domain.decisions.canceling import DISPUTABLE, shipped_part
from domain.decisions.context import DecisionContext, Events, sealed
from domain.decisions.open_case_files import case_is_open, dispute_is_open, request_is_open
from domain.decisions.returns import open_return
from domain.order import Dispute
from domain.verdict import ASK_THE_SELLER, CONTACT, WAIT_FOR_ANSWER, Ruling, fact, granted, instant, refused


def judge_dispute(s: DecisionContext, about: str | None) -> Ruling:
    """Judge whether a dispute can be opened. ``about`` None: about any request or message of the order."""
    terms = s.policy.disputes
    if terms is None:
        return refused("disputes-off", "The policy of this order has no disputes.", instead=(CONTACT,))
    ids = [about] if about is not None else [*s.order.requests, *s.order.messages]
    rulings = [_judge_matter(s, i, terms.request) for i in ids if _disputable(s, i)]
    if not rulings:
        return refused(
            "nothing-to-dispute",
            "A request can be disputed once it is declined, past its deadline, or overtaken by a shipment.",
            instead=(ASK_THE_SELLER,),
        )
    return next((ruling for ruling in rulings if ruling.outcome == "granted"), rulings[0])


def _judge_matter(s: DecisionContext, about: str, within: Length) -> Ruling:
    """Judge a disputable matter: no dispute of its own, nothing else open about its lines, and in time."""
    lines = _lines(s, about)
    for dispute in s.order.disputes.values():
        shared = next((n for n in dispute.lines if n in lines), None)
        if dispute.status == "open" and shared is not None:
            return dispute_is_open(dispute, shared)
        if dispute.about == about:
            return refused(
                "dispute-closed",
                f"Dispute {dispute.dispute_id} about it is decided; what remains is to appeal.",
                fact("dispute_id", dispute.dispute_id),
                fact("status", dispute.status),
            )
    for request in s.order.open_requests():
        shared = next((n for n in request.asked if n in lines), None)
        if request.request_id != about and shared is not None:
            return request_is_open(request, shared)
    for case in s.order.cases.values():
        shared = next((n for n in case.lines if n in lines), None)
        if case.status == "open" and shared is not None:
            return case_is_open(case, shared)
    closes = after(s.order.placed_at, within, s.calendar)
    if s.now > closes:
        return refused("too-late", "The time to dispute is over.", instant("until", closes))
    return granted("seller-has-final-say", "It can be disputed.")


def _disputable(s: DecisionContext, about: str) -> bool:
    request = s.order.requests.get(about)
    if request is not None:
        past = request.decide_by is not None and request.decide_by < s.now
        waits = request.status == "open" and (past or s.order.overtaken(request))
        return waits or request.status in DISPUTABLE
    message = s.order.messages.get(about)
    return message is not None and message[0] == "buyer"


def _lines(s: DecisionContext, about: str) -> dict[int, int]:
    request = s.order.requests.get(about)
    return request.asked if request is not None else {n: x.ordered for n, x in s.order.lines.items()}


def open_dispute(s: DecisionContext, ask: OpenDispute) -> Events:
    """Open a dispute. The engine, not the person, cites the policy that is pinned on the order."""
    ruling = judge_dispute(s, ask.about)
    if ruling.rule == "too-late":
        yield e.DisputeDismissed(ask.dispute_id, ask.about, s.verdict("open_dispute", ruling))
        return
    if ruling.outcome != "granted":
        yield from s.refuse(ruling, ask.dispute_id)
        return
    assert s.policy.disputes is not None
    waits = s.deadline("evidence", s.policy.disputes.evidence, ask.dispute_id)
    yield e.DisputeOpened(ask.dispute_id, ask.about, ask.actor.kind, s.order.terms.policy, sealed(ask.text), waits)


def _open(s: DecisionContext, dispute_id: str) -> Dispute | None:
    dispute = s.order.disputes.get(dispute_id)
    return dispute if dispute is not None and dispute.status == "open" else None


def _closed(s: DecisionContext, dispute_id: str) -> Events:
    if s.policy.disputes is None:
        return s.no("disputes-off", "The policy of this order has no disputes.", instead=(CONTACT,))
    there = s.order.disputes.get(dispute_id)
    because = f"There is no dispute {dispute_id}." if there is None else f"Dispute {dispute_id} is {there.status}."
    return s.no("dispute-closed", because, fact("dispute_id", dispute_id), ref=dispute_id)


def escalate_dispute(s: DecisionContext, ask: EscalateDispute) -> Events:
    """Escalate an open dispute to support, with a ticket."""
    if _open(s, ask.dispute_id) is None:
        yield from _closed(s, ask.dispute_id)
        return
    yield e.DisputeEscalated(ask.dispute_id, ask.ticket, sealed(ask.representative))


def decide_dispute(s: DecisionContext, ask: DecideDispute) -> Events:
    """Decide a dispute. A grant cancels open units and opens a return of shipped ones, whatever the locks say."""
    dispute = _open(s, ask.dispute_id)
    if dispute is None:
        yield from _closed(s, ask.dispute_id)
        return
    waits: tuple[e.Deadline, ...] = ()
    if not dispute.appealed and s.policy.disputes is not None:
        waits = s.deadline("appeal", s.policy.disputes.appeal, ask.dispute_id)
    here, gone = _parts(s, dispute)
    yield e.DisputeDecided(ask.dispute_id, ask.outcome, ask.rule or "seller-has-final-say", sealed(ask.note), waits)
    request = s.order.requests.get(dispute.about)
    if ask.outcome == "grant" and here:
        reason, request_id = (request.reason, request.request_id) if request is not None else (None, None)
        yield e.LinesCanceled(tuple(e.CanceledLine(n, q, "dispute", reason, request_id) for n, q in here.items()), None)
    if ask.outcome in ("grant", "return") and gone:
        reason = None if request is None else request.reason
        yield from open_return(s, dispute.dispute_id, reason, gone, refund="on_receipt", postage="platform")


def _parts(s: DecisionContext, dispute: Dispute) -> tuple[dict[int, int], dict[int, int]]:
    """Return the open units of a dispute, and the shipped ones that can come back."""
    order = s.order
    request = order.requests.get(dispute.about)
    if request is not None:
        here = {n: order.still_open(request, n) for n in request.asked}
        gone = shipped_part(s, request)
    else:
        here = {n: x.open for n, x in order.lines.items()}
        gone = {n: x.with_buyer_or_under_way for n, x in order.lines.items()}
    return {n: q for n, q in here.items() if q}, {n: q for n, q in gone.items() if q}


def _no_appeal(s: DecisionContext, dispute: Dispute) -> Events:
    """Refuse an appeal, because the dispute is not decided yet or was already appealed."""
    name = dispute.dispute_id
    if dispute.status == "open":
        because, instead = f"Dispute {name} is open: it can be appealed once it is decided.", (WAIT_FOR_ANSWER,)
    else:
        because, instead = f"Dispute {name} was decided again after the appeal, and that is final.", (CONTACT,)
    return s.no("dispute-closed", because, fact("dispute_id", name), instead=instead, ref=name)


def appeal_dispute(s: DecisionContext, ask: AppealDispute) -> Events:
    """Appeal a decision. In time, this opens the dispute again; the second decision is final."""
    dispute = s.order.disputes.get(ask.dispute_id)
    if dispute is None:
        yield from _closed(s, ask.dispute_id)
        return
    if dispute.status == "open" or dispute.appealed:
        yield from _no_appeal(s, dispute)
        return
    if dispute.appeal_until is not None and s.now > dispute.appeal_until:
        late = refused("too-late", "The time to appeal is over.", instant("until", dispute.appeal_until))
        yield e.DisputeDismissed(ask.dispute_id, dispute.about, s.verdict("answer", late))
        return
    yield e.DisputeAppealed(ask.dispute_id, sealed(ask.text))
