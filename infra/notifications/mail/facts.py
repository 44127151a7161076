"""The facts of one notification: the values that the sentences of a language pack may use.

Every name always has a value, which may be empty. So a sentence that uses another name is a mistake, and a test finds
it. Values are plain text; HTML has to escape them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from consumers.notifying.notification_mapper import deadline_of
from consumers.ports.notifications import CannotCompose, Notification, Subject
from domain import events as e
from domain.claims import refunded_separately
from domain.eligibility_queries import as_of, may
from domain.marketplace_settings import MarketSettings
from domain.notification_rules import AUDIENCES, CONFIRMATIONS, REMINDER, about
from domain.order import Order
from domain.policy import PolicyBook
from domain.references import reference_of
from infra.documents.claims import OrderWriter
from infra.documents.packs import Pack

NAMES: Final = (
    "po", "seller", "buyer", "marketplace", "policy", "to_buyer", "lines", "about", "reference", "at", "amount", "paid",
    "until", "reason", "rule", "rule_id", "outcome", "cause", "asker", "offers", "kind", "carrier", "tracking", "text",
    "whole", "then", "since", "now", "waits", "others",
)  # fmt: skip
"""The names of all facts."""


@dataclass(frozen=True, slots=True)
class World:
    """Other sources of facts: policies, marketplaces, and the vault's texts by reference (``LookupError``: gone)."""

    policies: Callable[[], PolicyBook]
    market: Callable[[str], MarketSettings]
    text: Callable[[str], str]


def facts(notice: Notification, event: e.Event | None, subject: Subject, pack: Pack, world: World) -> dict[str, Any]:
    """Return the facts of one notification; ``event`` is None for a reminder. CannotCompose."""
    order = subject.order
    terms = order.terms
    zone = terms.calendar.timezone
    found: dict[str, Any] = dict.fromkeys(NAMES, "")
    found |= {
        "po": terms.po_number,
        "seller": terms.seller_id,
        "buyer": terms.buyer_id,
        "marketplace": order.marketplace,
        "policy": f"{terms.policy.id} {terms.policy.version}",
        "to_buyer": notice.audience == "buyer",
        "paid": order.paid > 0 or bool(order.others),
        "others": _refunded_separately(order, pack),
        "lines": [],
    }
    if event is None:
        found |= _reminder(notice, order, pack, zone)
        return found
    found |= {
        "about": about(event) or "",
        "at": pack.moment(order.recorded_at, zone),
        "reference": reference_of(subject.commit) if notice.template in CONFIRMATIONS else "",
        "amount": _amount(event, subject, pack),
        "until": _until(event, pack, zone),
        "lines": [pack.units(quantity, _title(order, line)) for line, quantity in _lines(event)],
        "carrier": getattr(event, "carrier", None) or "",
        "tracking": getattr(event, "tracking_number", None) or "",
        "cause": getattr(event, "cause", None) or "",
    }
    found |= {"whole": _whole(event, order)}
    found |= _of(event, order, pack, world)
    verdict = getattr(event, "verdict", None)
    if verdict is not None and not found["rule"]:
        found |= {"rule_id": verdict.rule, "rule": pack.word("rule", verdict.rule)}
    return found


def _of(event: e.Event, order: Order, pack: Pack, world: World) -> dict[str, Any]:
    """Return the facts that only this kind of event has."""
    match event:
        case e.OrderPlaced():
            return _placed(order, pack, world)
        case e.RefundDue(amount=amount, parts=parts):
            waits = sum(part.amount for part in parts if part.waiting)
            now, currency = amount - waits, order.terms.currency
            return {
                "now": pack.money(now, currency) if now or not waits else "",
                "waits": pack.money(waits, currency) if waits else "",
            }
        case e.MessageSent(message_id=message_id):
            kind = order.messages[message_id][0]
            return {"asker": pack.word("side", kind) if kind in AUDIENCES else ""}
        case e.CancelRequested(by=by, reason=reason, verdict=verdict):
            return {"asker": pack.word("side", by), "reason": _reason(reason, pack), "outcome": verdict.outcome}
        case e.AlternativeOffered(offers=offers):
            return {"offers": pack.listed([pack.word("offer", each) for each in offers])}
        case e.AlternativeTaken(kind=kind):
            return {"offers": pack.word("offer", kind)}
        case e.CancelDeclined(request_id=request_id, status=status, cause=cause):
            part = cause != "shipped" and any(order.requests[request_id].canceled.values())
            return {"outcome": "partly" if part else status}
        case e.LinesCanceled(lines=lines):
            return {"cause": lines[0].cause, "reason": _reason(lines[0].reason, pack)}
        case e.Delivered(return_id=return_id):
            return {"outcome": "" if return_id is None else "return"}
        case e.CustomerNotified(text=text):
            try:
                return {"text": world.text(text.reference)}
            except LookupError as gone:
                raise CannotCompose(f"the text of this notice is gone: {gone}") from None
        case e.CaseOpened(reason=reason):
            return {"reason": _reason(reason, pack)}
        case e.EvidenceAdded(kind=kind):
            return {"kind": pack.word("evidence", kind)}
        case e.EvidenceRequested(kinds=kinds):
            return {"kind": pack.listed([pack.word("evidence", each) for each in kinds])}
        case e.CaseDecided(outcome=outcome, rule=rule) | e.DisputeDecided(outcome=outcome, rule=rule):
            return {"outcome": outcome, "rule_id": rule, "rule": pack.word("rule", rule)}
        case e.ReturnOpened(postage=postage, refund=refund):
            return {"cause": postage, "outcome": refund}
        case e.ReturnReceived(return_id=return_id):
            return {"outcome": "part" if order.returns[return_id].status == "open" else ""}
        case e.ParcelUndelivered(outcome=outcome):
            return {"outcome": outcome}
        case e.DisputeOpened(policy=policy):
            return {"policy": f"{policy.id} {policy.version}"}
        case _:
            return {}


def _placed(order: Order, pack: Pack, world: World) -> dict[str, Any]:
    """Return until when, how and under which policy the order can be canceled, as of its placing."""
    policies, market = world.policies(), world.market(order.marketplace)
    verdict = may("cancel", order, policies, market, order.recorded_at)
    zone = order.terms.calendar.timezone
    change = verdict.next_change_at
    then = "" if change is None else may("cancel", as_of(order, policies, market, change), policies, market, change)
    return {
        "outcome": verdict.outcome,
        "until": "" if change is None else pack.moment(change - 1, zone),
        "since": "" if change is None else pack.moment(change, zone),
        "then": then if isinstance(then, str) else then.outcome,
        "rule_id": verdict.rule,
        "rule": pack.word("rule", verdict.rule),
        "amount": pack.money(order.terms.total, order.terms.currency),
    }


def _reminder(notice: Notification, order: Order, pack: Pack, zone: str) -> dict[str, Any]:
    assert notice.template == REMINDER
    deadline = order.deadlines.get(deadline_of(notice))
    if deadline is None:
        raise CannotCompose("the deadline that it would remind of is no more")
    return {"kind": deadline.kind, "about": deadline.ref, "until": pack.moment(deadline.due_at, zone)}


def _amount(event: e.Event, subject: Subject, pack: Pack) -> str:
    """Return the money of the event: its own, or the refund that its commit instructs."""
    order = subject.order
    minor: int | None = None
    match event:
        case e.RefundDue(amount=amount) | e.RebillDue(amount=amount) | e.CreditMemoIssued(amount=amount):
            minor = amount
        case e.RefundConfirmed(refund_id, payment_id):
            parts = order.refunds[refund_id].parts
            minor = sum(part.confirmed for part in parts if payment_id in (None, part.payment_id))
        case e.RefundFailed(refund_id, _, payment_id):
            parts = order.refunds[refund_id].parts
            minor = sum(part.left for part in parts if part.failed and payment_id in (None, part.payment_id))
        case e.RefundWithdrawn(refund_id):
            minor = sum(part.left for part in order.refunds[refund_id].parts)
        case e.Rebilled(rebill_id) | e.RebillFailed(rebill_id):
            minor = order.rebills[rebill_id].amount
        case e.LinesCanceled() | e.AutoCanceled() | e.ReturnOpened() | e.ParcelUndelivered() | e.ReturnClosed():
            newest = list(order.refunds.values())[-1:]
            minor = next((x.amount for x in newest if x.due_at == order.recorded_at), None)
        case _:
            pass
    return "" if minor is None else pack.money(minor, order.terms.currency)


def _refunded_separately(order: Order, pack: Pack) -> str:
    """Say what was refunded separately; empty if nothing was."""
    if not order.others:
        return ""
    return OrderWriter(order, pack, str, str).say(refunded_separately(order))


def _whole(event: e.Event, order: Order) -> bool:
    """Whether the effect of the event covers the whole order by now."""
    lines = order.lines.values()
    match event:
        case e.LinesCanceled():
            return all(line.canceled == line.ordered for line in lines)
        case e.LineShipped() | e.LinePartiallyShipped():
            return all(line.shipped == line.ordered for line in lines)
        case e.Delivered():
            return all(line.delivered == line.ordered for line in lines)
        case e.ShipmentVoided():
            return order.shipped_units == 0
        case _:
            return False


def _until(event: e.Event, pack: Pack, zone: str) -> str:
    """Return the instant of the event: a deadline that it sets, a ship-by date, a deadline that has passed."""
    match event:
        case e.ShipByRevised(ship_by=ship_by):
            return pack.moment(ship_by, zone)
        case e.EvidenceRequested(until=until):
            return pack.moment(until, zone)
        case e.DeadlineReached(due_at=due_at):
            return pack.moment(due_at, zone)
        case _:
            deadlines: tuple[e.Deadline, ...] = getattr(event, "deadlines", ())
            return pack.moment(deadlines[0].due_at, zone) if deadlines else ""


def _lines(event: e.Event) -> Iterable[tuple[int, int]]:
    """Return the units of the event."""
    match event:
        case e.AutoCanceled(line, quantity):
            return [(line, quantity)]
        case e.LineShipped(_, line, quantity) | e.LinePartiallyShipped(_, line, quantity):
            return [(line, quantity)]
        case e.RefundDue() | e.RebillDue():
            return []  # these events are about an amount, not units
        case e.OrderPlaced(lines=placed):
            return [(line.line, line.quantity) for line in placed]
        case _:
            return [(part.line, part.quantity) for part in getattr(event, "lines", ())]


def _title(order: Order, line: int) -> str:
    found = order.lines.get(line)
    return str(line) if found is None else found.title or found.sku


def _reason(reason: str | None, pack: Pack) -> str:
    return "" if reason is None else pack.word("reason", reason)
