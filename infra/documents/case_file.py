"""The document of a dispute or case: state, checklist, chronology, recommendation, messages, evidence, policy text.

It is built from the log; texts come from the vault unless they have been erased. Buyers and sellers never get support's
internal notes (rule ``case-thread``). The API, the command line and the page all show this document.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import quote

from consumers.ports.local_state import LocalState
from domain import events as e
from domain.checklist import Item, case_checklist, dispute_checklist
from domain.chronology import Chronology, chronology
from domain.deadlines import live
from domain.instants import DAY, Instant, format_instant, parse_instant
from domain.marketplace_settings import MarketSettings
from domain.order import Case, Dispute, Order
from domain.policy import PolicyBook, PolicyDocument
from domain.recommendation import Precedents, Recommendation, recommend_case, recommend_dispute
from domain.record import Entry, Record, evidence_of, is_internal, seen_by, thread
from infra.views.reading import Reading
from schemas.codec import decode_event, event_data

ReadText = Callable[[e.Sealed], str | None]
"""Returns the text of a sealed reference; None if it has been erased or cannot be read."""


@dataclass(frozen=True, slots=True)
class CaseFileContext:
    """The inputs of a case file besides the order: its reader, the time, and the marketplace's settings."""

    viewer: str | None
    """``buyer``, ``seller``, or None for those who may read everything."""
    now: Instant
    market: MarketSettings
    book: PolicyBook
    precedents: Precedents | None
    read_text: ReadText


def record_of(state: LocalState, stream: str) -> list[Entry]:
    """Return a stream's events in the log's order. Undecodable if this release cannot read one."""
    return list(_entries(state, stream))


def _entries(state: LocalState, stream: str) -> Iterator[Entry]:
    for admitted in state.commits_of(stream):
        commit = admitted.commit
        kind, who = ("system", "") if commit.actor is None else (commit.actor.kind, commit.actor.id)
        for part in commit.streams:
            if part.kind != "chain" or part.stream != stream:
                continue
            for version, entry in enumerate(part.events, part.first_event + 1):
                event = decode_event(entry.name, entry.schema_version, entry.body)
                yield Entry(version, event, entry.occurred_at, commit.recorded_at, kind, who)


def precedents(reading: Reading, marketplace: str) -> Precedents | None:
    """Return how this marketplace's disputes were decided; None if none has been."""
    rows = reading.decided_disputes(marketplace)
    if not rows:
        return None
    took = [parse_instant(row["decided_at"]) - parse_instant(row["opened_at"]) for row in rows]
    granted = sum(row["status"] == "granted" for row in rows)
    return Precedents(len(rows), granted, round(statistics.median(took) / DAY))


def case_file(order: Order, record: Record, matter_id: str, context: CaseFileContext) -> dict[str, Any] | None:
    """Return the document of the dispute or case with this id; None if the order has neither."""
    seen = seen_by(record, context.viewer)
    if matter_id in order.disputes:
        return _dispute(order, seen, order.disputes[matter_id], context)
    if matter_id in order.cases:
        return _case(order, seen, order.cases[matter_id], context)
    return None


def _dispute(order: Order, record: Record, dispute: Dispute, context: CaseFileContext) -> dict[str, Any]:
    document = context.book.get(order.terms.policy)
    policy = None if document is None else document.policy
    items = dispute_checklist(order, record, dispute, policy, context.now)
    advice = recommend_dispute(
        order, record, dispute, items, context.now, fee=context.market.arbitration_fee, precedents=context.precedents
    )
    request = order.requests.get(dispute.about)
    return {
        "kind": "dispute",
        "dispute_id": dispute.dispute_id,
        **_common(order, dispute.lines),
        "status": dispute.status,
        "about": dispute.about,
        "about_kind": "message" if request is None else "request",
        "by": dispute.by,
        "opened_at": format_instant(dispute.opened_at),
        "evidence_until": _time(dispute.evidence_until),
        "appeal_until": _time(dispute.appeal_until),
        "appealed": dispute.appealed,
        "request": None if request is None else {"reason": request.reason, "status": request.status, "by": request.by},
        **_evaluation(order, record, items, advice, (dispute.dispute_id, dispute.about), document, context),
    }


def _case(order: Order, record: Record, case: Case, context: CaseFileContext) -> dict[str, Any]:
    document = context.book.get(order.terms.policy)
    policy = None if document is None else document.policy
    items = case_checklist(order, record, case, policy, context.now)
    advice = recommend_case(order, case, items, fee=context.market.arbitration_fee, precedents=context.precedents)
    due = next((d.due_at for d in live(order) if (d.kind, d.ref) == ("case", case.case_id)), None)
    return {
        "kind": "case",
        "case_id": case.case_id,
        **_common(order, case.lines),
        "status": case.status,
        "reason": case.reason,
        "outcome": case.outcome,
        "opened_at": format_instant(case.opened_at),
        "decide_by": _time(due),
        "awaited": list(case.awaited),
        **_evaluation(order, record, items, advice, (case.case_id,), document, context),
    }


def _common(order: Order, lines: dict[int, int]) -> dict[str, Any]:
    """Return the order's ids and the lines in question, each with its listing as sold (rule ``listing-as-sold``)."""
    return {
        "marketplace": order.marketplace,
        "order_id": order.order_id,
        "seller_id": order.terms.seller_id,
        "buyer_id": order.terms.buyer_id,
        "lines": [
            {
                "line": number,
                "quantity": quantity,
                "sku": order.lines[number].sku,
                "title": order.lines[number].title,
                "listing": _listing(order.lines[number].listing),
            }
            for number, quantity in sorted(lines.items())
        ],
    }


def _listing(listing: e.Listing | None) -> dict[str, str] | None:
    return None if listing is None else {"ref": listing.ref, "sha256": listing.sha256.hex()}


def _evaluation(
    order: Order,
    record: Record,
    items: tuple[Item, ...],
    advice: Recommendation,
    about: tuple[str, ...],
    document: PolicyDocument | None,
    context: CaseFileContext,
) -> dict[str, Any]:
    return {
        "checklist": [_item(item) for item in items],
        "chronology": _chronology(chronology(record)),
        "recommendation": _advice(advice, order.terms.currency),
        "evidence": [_evidence(order, entry, context) for entry in evidence_of(record, *about)],
        "thread": [_message(entry, context) for each in about for entry in thread(record, each)],
        "policy": _policy(order, document),
        "version": order.version,
    }


def _item(item: Item) -> dict[str, Any]:
    return {**asdict(item), "versions": list(item.versions), "gaps": [asdict(gap) for gap in item.gaps]}


def _chronology(events: Chronology) -> dict[str, Any]:
    return {
        "entries": [
            {
                "version": entry.version,
                "event": type(entry.event).__name__,
                "occurred_at": format_instant(entry.occurred_at),
                "recorded_at": format_instant(entry.recorded_at),
                "who": {"kind": entry.actor_kind, "id": entry.actor_id},
                "flags": events.flags(entry.version),
                "data": event_data(entry.event),
            }
            for entry in events.entries
        ],
        "claimed_times": [
            {**asdict(claim), "claimed_at": _time(claim.claimed_at), "logged_at": _time(claim.logged_at)}
            for claim in events.claims
        ],
        "reasons": [asdict(reason) for reason in events.reasons],
        "reasons_differ": events.reasons_differ,
    }


def _advice(advice: Recommendation, currency: str) -> dict[str, Any]:
    before = advice.precedents
    return {
        "course": advice.course.course,
        "risk": advice.course.risk,
        "takes": advice.course.takes,
        "facts": list(advice.facts),
        "at_stake_minor": advice.at_stake,
        "currency": currency,
        "arbitration_fee": advice.arbitration_fee,
        "precedents": None
        if before is None
        else {
            "decided": before.decided,
            "granted_percent": round(100 * before.granted / before.decided),
            "median_days": before.median_days,
        },
    }


def _evidence(order: Order, entry: Entry, context: CaseFileContext) -> dict[str, Any]:
    event = entry.event
    assert isinstance(event, e.EvidenceAdded)
    base = f"/v1/{order.marketplace}/orders/{order.order_id}/evidence"
    return {
        "evidence_id": event.evidence_id,
        "about": event.about,
        "side": event.side,
        "kind": event.kind,
        "origin": event.origin,
        "source": event.source,
        "note": None if event.note is None else context.read_text(event.note),
        "sha256": event.sha256.hex(),
        "media_type": event.media_type,
        "size": event.size,
        "claimed_at": _time(event.claimed_at),
        "recorded_at": format_instant(entry.recorded_at),
        "href": f"{base}/{quote(event.evidence_id, safe='')}",
    }


def _message(entry: Entry, context: CaseFileContext) -> dict[str, Any]:
    event = entry.event
    assert isinstance(event, e.MessageSent)
    return {
        "message_id": event.message_id,
        "about": event.about,
        "from": {"kind": entry.actor_kind, "id": entry.actor_id},
        "to": event.to,
        "internal": is_internal(entry),
        "occurred_at": format_instant(entry.occurred_at),
        "recorded_at": format_instant(entry.recorded_at),
        "text": context.read_text(event.text),
    }


def _policy(order: Order, document: PolicyDocument | None) -> dict[str, Any]:
    """Return the policy of the order; ``text`` is the document whose hash ``OrderPlaced`` has; None if unknown."""
    ref = order.terms.policy
    return {
        "id": ref.id,
        "version": ref.version,
        "sha256": ref.sha256.hex(),
        "text": None if document is None else document.document,
    }


def _time(instant: Instant | None) -> str | None:
    return None if instant is None else format_instant(instant)


SHARED: Final = (
    "The buyer, the seller and the platform can read every message here. "
    "Internal notes of support are not shown to buyer or seller."
)
"""The note above the messages of a case or dispute (rule ``case-thread``)."""
