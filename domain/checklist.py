"""The checklist of a dispute or case: what is on record, what is missing, and what each gap means.

See docs/reference/after-shipment.md, Checklist.

The functions are pure: they take an order, its record and its policy, and return items. Every absence is listed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from domain import events as e
from domain.deadlines import live
from domain.instants import Instant
from domain.order import Case, Dispute, Order, Request
from domain.policy import Policy
from domain.record import Entry, Record, evidence_of
from domain.rules import RULES
from domain.wording import counted


@dataclass(frozen=True, slots=True)
class Gap:
    """A missing or wrong piece. ``stage``: before (the request), during (the dispute), after (the decision)."""

    gap: str
    stage: str
    severity: str
    """moderate, high or critical"""
    consequence: str
    what_to_do: str
    closable: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One point of the checklist. ``versions``: the entries of the record that it is based on."""

    item: str
    present: bool
    said: str
    versions: tuple[int, ...]
    gaps: tuple[Gap, ...]


BY_MESSAGE: Final = Gap(
    "asked-by-message-only",
    "before",
    "high",
    "A message is never itself a request: nobody was bound to answer it by a deadline.",
    "Ask to cancel with the button next to the message, while anything is open.",
    True,
)
ASKED_LATE: Final = Gap(
    "asked-late",
    "before",
    "high",
    "It had shipped before the request, and shipped units can be returned, not canceled.",
    "Ask for a return after delivery, or propose to undo it by common consent.",
    False,
)
NO_TIMES: Final = Gap(
    "no-timestamps",
    "during",
    "high",
    "What was attached says not when it was: it proves no order of events.",
    "Attach it again with the time it claims, or name the log entry that shows it.",
    True,
)
OTHER_POLICY: Final = Gap(
    "policy-not-in-force",
    "during",
    "moderate",
    "A rule was cited that the policy of this order does not list: the citation carries no weight.",
    "Cite the policy that is pinned on the order; its text and hash are given here.",
    True,
)
NO_CONFIRMATION: Final = Gap(
    "no-platform-confirmation",
    "during",
    "moderate",
    "Nothing from the platform shows how the request ended.",
    "Have the platform's answer, or its statement that there is none, put on record.",
    True,
)
NO_PACKET: Final = Gap(
    "packet-not-prepared",
    "after",
    "high",
    "Only the request itself is on record, so the next person to decide has one side's word.",
    "Attach messages, photographs, receipts and tickets while evidence is taken.",
    True,
)
MISSED: Final = {
    "request": Gap(
        "missed-deadline", "before", "critical", "The time to dispute is over; irreversible.", "None.", False
    ),
    "evidence": Gap(
        "missed-deadline", "during", "critical", "Evidence is no longer taken; irreversible.", "None.", False
    ),
    "appeal": Gap("missed-deadline", "after", "critical", "The decision is final; irreversible.", "None.", False),
}
"""Missed deadline → its gap."""


def dispute_checklist(
    order: Order, record: Record, dispute: Dispute, policy: Policy | None, now: Instant
) -> tuple[Item, ...]:
    """Return the points of a dispute, in the order of docs/reference/after-shipment.md, Checklist."""
    about = (dispute.dispute_id, dispute.about)
    request = order.requests.get(dispute.about)
    given = evidence_of(record, *about)
    contacts = _contacts(record, about)
    return (
        _details(order, record),
        _requested(order, record, dispute, request),
        _answered(record, request, now),
        _confirmed(order, record, dispute, request),
        _spoken(contacts),
        _given("photographs", given, lambda x: x.kind == "photo"),
        _given("receipts", given, lambda x: x.kind == "receipt" or x.origin == "receipt"),
        _cited(record, policy),
        _packet(order, dispute, given, contacts, now),
        _deadlines(order, record, dispute.dispute_id, _missed(order, dispute, given, now)),
    )


def case_checklist(order: Order, record: Record, case: Case, policy: Policy | None, now: Instant) -> tuple[Item, ...]:
    """Return the points of a case: the item as sold, the claim, and the evidence of both sides."""
    given = evidence_of(record, case.case_id)
    contacts = _contacts(record, (case.case_id,))
    opened = [x.version for x in record if isinstance(x.event, e.CaseOpened) and x.event.case_id == case.case_id]
    return (
        _details(order, record),
        Item("claim", True, f"{case.reason}, as the buyer says", tuple(opened), ()),
        _case_answered(record, case),
        _spoken(contacts),
        _given("photographs", given, lambda x: x.kind == "photo"),
        _given("receipts", given, lambda x: x.kind == "receipt" or x.origin == "receipt"),
        _cited(record, policy),
        Item(
            "packet",
            bool(given),
            counted(len(given), "piece") + " of evidence" if given else "nothing is attached to the case",
            tuple(x.version for x in given),
            () if given or case.status != "open" else (NO_PACKET,),
        ),
        _deadlines(order, record, case.case_id, ()),
    )


# ---- the points ----------------------------------------------------------------------------------------------------


def _details(order: Order, record: Record) -> Item:
    placed = tuple(x.version for x in record if isinstance(x.event, e.OrderPlaced))
    units = sum(line.ordered for line in order.lines.values())
    return Item(
        "order-details",
        True,
        f"{counted(units, 'unit')} in {counted(len(order.lines), 'line')}, listed as sold",
        placed,
        (),
    )


def _requested(order: Order, record: Record, dispute: Dispute, request: Request | None) -> Item:
    """The buyer's request, with its time."""
    if request is None:
        message = tuple(
            x.version for x in record if isinstance(x.event, e.MessageSent) and x.event.message_id == dispute.about
        )
        late = (ASKED_LATE,) if order.ever_shipped else ()
        return Item("request", False, "asked by message only", message, (BY_MESSAGE, *late))
    entry = next(x for x in reversed(record) if _is_request(x, request.request_id))
    late = (ASKED_LATE,) if shipped_before(record, entry) else ()
    return Item("request", True, f"request {request.request_id} by the {request.by}", (entry.version,), late)


def _is_request(entry: Entry, request_id: str) -> bool:
    return isinstance(entry.event, e.CancelRequested) and entry.event.request_id == request_id


def shipped_before(record: Record, request: Entry) -> bool:
    """Whether units of a requested line had shipped before the request, in the log's order."""
    assert isinstance(request.event, e.CancelRequested)
    lines = {part.line for part in request.event.lines}
    return any(
        isinstance(x.event, e.LineShipped | e.LinePartiallyShipped) and x.event.line in lines
        for x in record
        if x.version < request.version
    )


def _answered(record: Record, request: Request | None, now: Instant) -> Item:
    """The other side's answer, or its absence."""
    if request is None:
        return Item("answer", False, "nobody was asked to answer", (), ())
    kinds = (e.CancelApproved, e.CancelDeclined, e.CancelRefused, e.AlternativeOffered)
    answers = [x for x in record if isinstance(x.event, kinds) and x.event.request_id == request.request_id]
    other = "buyer" if request.by == "seller" else "seller"
    own = [x for x in answers if x.actor_kind == other and not _by_shipment(x)]
    if own:
        return Item("answer", True, f"the {other} answered: {request.status}", tuple(x.version for x in own), ())
    silent = f"the {other} has not answered"
    if request.decide_by is not None and request.decide_by < now:
        silent = f"the {other} did not answer in the time that was given"
    if answers:
        silent += f"; the request ended as {request.status}"
    return Item("answer", False, silent, tuple(x.version for x in answers), ())


def _by_shipment(entry: Entry) -> bool:
    return isinstance(entry.event, e.CancelDeclined) and entry.event.cause == "shipped"


def _case_answered(record: Record, case: Case) -> Item:
    """The seller's acceptance, message or evidence. Silence is not consent."""
    own = [
        x.version
        for x in record
        if x.actor_kind == "seller"
        and isinstance(x.event, e.ReturnAccepted | e.MessageSent | e.EvidenceAdded)
        and x.event.about == case.case_id
    ]
    answer = "the seller accepted the return" if case.status == "accepted" else "the seller answered"
    text = answer if own else "the seller has said nothing; that is no consent"
    return Item("answer", bool(own), text, tuple(own), ())


def _confirmed(order: Order, record: Record, dispute: Dispute, request: Request | None) -> Item:
    """The platform's confirmation, or its absence."""
    found = [x.version for x in record if _confirms(x, dispute, request)]
    text = "the platform's confirmation is on record" if found else "no confirmation of the platform is on record"
    return Item("platform-confirmation", bool(found), text, tuple(found), () if found else (NO_CONFIRMATION,))


def _confirms(entry: Entry, dispute: Dispute, request: Request | None) -> bool:
    event = entry.event
    about = {dispute.dispute_id, dispute.about}
    match event:
        case e.MessageSent():
            return entry.actor_kind in ("support", "system") and event.to != "support" and event.about in about
        case e.LinesCanceled():
            return request is not None and any(x.request_id == request.request_id for x in event.lines)
        case e.DisputeDecided():
            return event.dispute_id == dispute.dispute_id
        case _:
            return False


def _contacts(record: Record, about: tuple[str, ...]) -> list[Entry]:
    """Contacts with support about one of these ids, or about none in particular."""
    return [x for x in record if isinstance(x.event, e.ContactRecorded) and x.event.about in (*about, None)]


def _spoken(contacts: list[Entry]) -> Item:
    texts = []
    for entry in contacts:
        assert isinstance(entry.event, e.ContactRecorded)
        ticket = f", ticket {entry.event.ticket}" if entry.event.ticket else ", no ticket"
        by = "" if entry.event.representative is None else ", with a representative named"
        texts.append(f"{entry.event.channel}{ticket}{by}")
    return Item(
        "contacts", bool(contacts), "; ".join(texts) or "no contact with support is on record",
        tuple(x.version for x in contacts), (),
    )  # fmt: skip


def _given(item: str, given: list[Entry], fits: Callable[[e.EvidenceAdded], bool]) -> Item:
    found = [x for x in given if isinstance(x.event, e.EvidenceAdded) and fits(x.event)]
    timeless = [x for x in found if isinstance(x.event, e.EvidenceAdded) and x.event.claimed_at is None]
    text = f"{len(found)} attached" if found else "none attached"
    if timeless:
        text += f", {len(timeless)} without a time"
    return Item(item, bool(found), text, tuple(x.version for x in found), (NO_TIMES,) if timeless else ())


def _cited(record: Record, policy: Policy | None) -> Item:
    """The rules that people cited. A rule that the pinned policy does not list was not in force."""
    if policy is None:
        return Item("policy", False, "the policy of this order is not known here yet", (), ())
    wrong = [(x.version, rule) for x in record if (rule := _rule_of(x)) in RULES and rule not in policy.rules]
    text = f"{policy.id} {policy.version}, in force when the order was placed"
    if wrong:
        text += f"; cited though not in it: {', '.join(dict.fromkeys(str(rule) for _, rule in wrong))}"
    return Item("policy", True, text, tuple(version for version, _ in wrong), (OTHER_POLICY,) if wrong else ())


def _rule_of(entry: Entry) -> str | None:
    match entry.event:
        case e.CancelApproved() | e.CancelDeclined() | e.CaseDecided() | e.DisputeDecided():
            return entry.event.rule
        case _:
            return None


def _packet(order: Order, dispute: Dispute, given: list[Entry], contacts: list[Entry], now: Instant) -> Item:
    """Evidence other than the request itself. It can be submitted while evidence is taken."""
    found = tuple(x.version for x in (*given, *contacts))
    gaps: tuple[Gap, ...] = ()
    if not found:
        until = dispute.evidence_until
        taken = dispute.status == "open" and (until is None or now <= until)
        gaps = (NO_PACKET if taken else _lost(NO_PACKET),)
    text = (
        f"{counted(len(given), 'piece')} of evidence, {counted(len(contacts), 'contact')}"
        if found
        else "nothing but the request itself"
    )
    return Item("packet", bool(found), text, found, gaps)


def _lost(gap: Gap) -> Gap:
    return Gap(gap.gap, gap.stage, gap.severity, gap.consequence, "Evidence is no longer taken here.", False)


def _missed(order: Order, dispute: Dispute, given: list[Entry], now: Instant) -> tuple[str, ...]:
    """The deadlines that the disputing side missed."""
    own = [x for x in given if x.actor_kind == dispute.by]
    missed = []
    if dispute.evidence_until is not None and dispute.evidence_until < now and not own:
        missed.append("evidence")
    lapsed = dispute.appeal_until is not None and dispute.appeal_until < now
    if lapsed and dispute.status == "denied" and not dispute.appealed:
        missed.append("appeal")
    return tuple(missed)


def _deadlines(order: Order, record: Record, matter: str, missed: tuple[str, ...]) -> Item:
    """The running deadlines and the missed ones."""
    runs = sorted(f"{d.kind} {d.deadline_id}" for d in live(order) if d.ref == matter)
    late = [x for x in record if isinstance(x.event, e.DisputeDismissed) and x.event.dispute_id == matter]
    gaps = list(_missed_gaps(late, missed))
    text = f"running: {', '.join(runs)}" if runs else "none is running"
    if gaps:
        text += f"; missed: {', '.join(dict.fromkeys(gap.stage for gap in gaps))}"
    return Item("deadlines", not gaps, text, tuple(x.version for x in late), tuple(gaps))


def _missed_gaps(late: list[Entry], missed: tuple[str, ...]) -> Iterator[Gap]:
    for entry in late:
        assert isinstance(entry.event, e.DisputeDismissed)
        yield MISSED["request" if entry.event.verdict.action == "open_dispute" else "appeal"]
    for kind in missed:
        if kind != "appeal" or not late:
            yield MISSED[kind]
