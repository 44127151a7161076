"""Reconstructs the command behind a commit from its events.

A commit records events, not the command. Most fields of the command follow from the events. Where the command's
fingerprint (SHA-256 of its content) is on record, it decides in which form the command named its lines. A command
whose fields do not follow is ``NotReconstructible``. Deadlines and their effects have no command.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from typing import Any, Final

from domain import commands as c
from domain import events as e
from domain.instants import Instant, format_instant
from domain.money import written
from domain.order import Order, Stamp
from domain.pricing import Priced
from domain.reasons import CANCEL_REASONS

_FEW: Final = 5
"""The largest number of lines for which every mixture of forms is tried."""
CommitEvents = tuple[tuple[e.Event, Instant], ...]
"""The events of one commit, each with the instant at which it occurred."""


@dataclass(frozen=True, slots=True)
class NotReconstructible:
    """A command that cannot be reconstructed from the record. ``command`` is its name."""

    command: str


def stimulus(order: Order, recorded: CommitEvents, stamp: Stamp) -> c.Command | NotReconstructible | None:
    """Return the command that a commit answered; None for a deadline and for a commit without events.

    ``order`` is the state before the commit, as recorded. The command is built without validation, because it was
    validated when it was submitted.
    """
    if not recorded:
        return None
    head, occurred_at = recorded[0]
    if isinstance(head, e.DeadlineReached):
        return None
    read = _READ.get(type(head))
    if read is None:
        return NotReconstructible(type(head).__name__)
    return read(_Commit(order, tuple(event for event, _ in recorded), occurred_at, stamp), head)


class _Commit:
    """The commit whose command is being reconstructed."""

    __slots__ = ("events", "occurred_at", "order", "stamp")

    def __init__(self, order: Order, events: tuple[e.Event, ...], occurred_at: Instant, stamp: Stamp) -> None:
        self.order = order
        self.events = events
        self.occurred_at = occurred_at
        self.stamp = stamp

    def command(self, model: type[c.Command], **fields: Any) -> c.Command:
        """Build a command from these fields and the fields that every command has."""
        stamp = self.stamp
        made = model.__new__(model)
        content = _blank(model) | fields
        content["marketplace"], content["order_id"] = self.order.marketplace, self.order.order_id
        content["actor"] = _actor(stamp.actor_kind, stamp.actor_id)
        content["fingerprint"] = stamp.fingerprint or b""
        object.__setattr__(made, "__dict__", content)
        object.__setattr__(made, "__pydantic_fields_set__", set())
        return made

    def outside(self, model: type[c.Command], **fields: Any) -> c.Command:
        """Build a command that reports a fact from outside, with the event's time as ``occurred_at``."""
        return self.command(model, occurred_at=self.occurred_at, **fields)

    def selecting(
        self, model: type[c.Command], lines: dict[int, int], *, exact: bool = False, **fields: Any
    ) -> c.Command:
        """Build a command with a selection of lines, in the form that matches its fingerprint.

        Without a match, each line is named. With ``exact``, each has its quantity; otherwise a line of which all open
        units are selected has none.
        """
        picks = self._selection(model, lines, exact, fields)
        made = self.command(model, lines=picks, **fields)
        if issubclass(model, c._Outside):
            made.__dict__["occurred_at"] = self.occurred_at
        return made

    def _selection(
        self, model: type[c.Command], lines: dict[int, int], exact: bool, fields: dict[str, Any]
    ) -> tuple[c.Pick, ...] | None:
        if self._was(model, None, fields):
            return None
        if not lines:
            return self._unnamed(model, fields)
        if self._was(model, list(lines), fields):
            return tuple(_pick(number, None) for number in lines)
        if self._was(model, [{"line": n, "quantity": q} for n, q in lines.items()], fields):
            return tuple(_pick(number, units) for number, units in lines.items())
        for picks in _mixtures(lines):
            if self._was(model, [n if q is None else {"line": n, "quantity": q} for n, q in picks], fields):
                return tuple(_pick(n, q) for n, q in picks)
        whole = () if exact else [x.number for x in self.order.lines.values() if x.open == lines.get(x.number)]
        return tuple(_pick(n, None if not q or n in whole else q) for n, q in lines.items())

    def _unnamed(self, model: type[c.Command], fields: dict[str, Any]) -> tuple[c.Pick, ...] | None:
        """Find a selection that the events do not name: all lines, or one whole line; ``()`` if neither matches.

        A scan of ``()`` is a scan of no lines, as recorded. For a request without a match, the selection is None.
        """
        if self.stamp.fingerprint is None:
            return None
        for lines in (tuple(self.order.lines), *((number,) for number in self.order.lines)):
            if self._was(model, list(lines), fields):
                return tuple(_pick(number, None) for number in lines)
        return None if model is c.RequestCancel else ()

    def _was(self, model: type[c.Command], lines: list[Any] | None, fields: dict[str, Any]) -> bool:
        """Whether the submitted command had its lines in this form."""
        if self.stamp.fingerprint is None:
            return False
        body: dict[str, Any] = {
            "command": model.__name__,
            "marketplace": self.order.marketplace,
            "order_id": self.order.order_id,
            "actor": {"kind": self.stamp.actor_kind, "id": self.stamp.actor_id},
            **{name: value for name, value in fields.items() if value is not None and not isinstance(value, c.Text)},
        }
        if lines is not None:
            body["lines"] = lines
        if self.occurred_at != self.stamp.recorded_at and issubclass(model, c._Outside):
            body["occurred_at"] = format_instant(self.occurred_at)
        return c.fingerprint_of(body) == self.stamp.fingerprint

    def has(self, kind: type[e.Event]) -> bool:
        return any(type(event) is kind for event in self.events)


@cache
def _blank(model: type[c.Command]) -> dict[str, Any]:
    """A command's default fields. They are cached, because ``model_construct`` is slow."""
    nothing: Any = {"command": model.__name__, "command_id": "again"}
    return dict(model.model_construct(**nothing).__dict__)


@lru_cache(maxsize=4096)
def _actor(kind: Any, name: str) -> c.Actor:
    return c.Actor.model_construct(kind=kind, id=name)


def _pick(line: int, quantity: int | None) -> c.Pick:
    return c.Pick.model_construct(line=line, quantity=quantity)


def _text(sealed: e.Sealed | None, content: str = "") -> c.Text | None:
    return None if sealed is None else c.Text(content, sealed)


def _mixtures(lines: dict[int, int]) -> Iterator[tuple[tuple[int, int | None], ...]]:
    """Every way to name a few lines, some as a whole and some by quantity."""
    if 1 < len(lines) <= _FEW:
        yield from product(*(((number, None), (number, units)) for number, units in lines.items()))


def _units(lines: Iterable[e.LineQuantity]) -> dict[int, int]:
    return {part.line: part.quantity for part in lines}


def _picks(lines: Iterable[e.LineQuantity]) -> tuple[c.Pick, ...]:
    return tuple(_pick(part.line, part.quantity) for part in lines)


# ---- placing, paying, messages -----------------------------------------------------------------------------------


def _placed(commit: _Commit, event: e.OrderPlaced) -> c.Command:
    """Reconstruct the placing of an order without its policy, which the caller chooses."""
    made = commit.command(
        c.PlaceOrder,
        buyer_id=event.buyer_id,
        seller_id=event.seller_id,
        currency=event.currency,
        lines=(),
        po_number=event.po_number,
        checkout_id=event.checkout_id,
        sale_format=event.sale_format,
        paid=commit.has(e.PaymentReceived),
        tax_included=event.tax_included,
        ship_by=event.ship_by,
        pay_by=event.pay_by,
        timezone=event.calendar.timezone,
        replaces=None if event.replaces is None else _replaced(event.replaces),
    )
    made.__dict__["priced"] = Priced(
        event.lines, event.discount, event.shipping, event.shipping_tax, event.rounding, event.total, event.fees
    )
    return made


def _replaced(replaces: e.Replaces) -> c.ReplacedOrder:
    quantities = _units(replaces.quantities)
    lines = tuple(_pick(number, quantities.get(number)) for number in replaces.lines)
    return c.ReplacedOrder.model_construct(order_id=replaces.order_id, lines=lines)


def _paid(commit: _Commit, event: e.PaymentReceived) -> c.Command:
    """Reconstruct a payment. Its id is named, so that it has the same id under another policy."""
    amount = written(event.amount, commit.order.terms.currency)
    payment_id = event.payment_id or commit.order.next_payment_id
    return commit.outside(
        c.ConfirmPayment, amount=amount, payment_id=payment_id, method=event.method, state=event.state
    )


def _captured(commit: _Commit, event: e.PaymentCaptured | e.PaymentReleased) -> c.Command:
    model = c.CapturePayment if isinstance(event, e.PaymentCaptured) else c.ReleasePayment
    return commit.command(model, payment_id=event.payment_id, amount=written(event.amount, commit.order.terms.currency))


def _other_refund(commit: _Commit, event: e.OtherRefundRecorded) -> c.Command:
    currency = commit.order.terms.currency
    return commit.command(
        c.RecordOtherRefund,
        amount=written(event.amount, currency),
        note=_text(event.note),
        other_refund_id=event.other_refund_id or commit.order.next_other_refund_id,
        payment_id=event.payment_id,
        covers=tuple(_covers(cover, currency) for cover in event.covers),
    )


def _covers(cover: e.Cover, currency: str) -> c.Covers:
    amount = written(cover.amount, currency)
    if cover.kind == "shipping":
        return c.Covers.model_construct(shipping=amount)
    return c.Covers.model_construct(line=cover.line, fee_id=cover.fee_id, amount=amount)


def _settled(commit: _Commit, event: e.OtherRefundSettled) -> c.Command:
    return commit.command(
        c.RecordOtherRefund,
        amount=written(event.amount, commit.order.terms.currency),
        note=_text(event.note),
        other_refund_id=event.other_refund_id,
        refund_id=event.refund_id,
    )


def _refund_withdrawn(commit: _Commit, event: e.RefundWithdrawn) -> c.Command:
    return commit.command(c.WithdrawRefund, refund_id=event.refund_id, rule=event.rule, note=_text(event.note))


def _chargeback(commit: _Commit, event: e.ChargebackOpened) -> c.Command:
    return commit.command(
        c.OpenChargeback,
        payment_id=event.payment_id,
        amount=written(event.amount, commit.order.terms.currency),
        chargeback_id=event.chargeback_id,
    )


def _chargeback_ended(commit: _Commit, event: e.ChargebackClosed) -> c.Command:
    """Reconstruct the end of a chargeback. Its command id is the id of the other refund that it records."""
    ids = (x.other_refund_id for x in commit.events if isinstance(x, e.OtherRefundSettled | e.OtherRefundRecorded))
    return commit.command(
        c.CloseChargeback,
        command_id=next(ids, "again"),
        payment_id=event.payment_id,
        outcome=event.outcome,
        amount=written(event.amount, commit.order.terms.currency) if event.outcome == "lost" else None,
        chargeback_id=event.chargeback_id,
    )


def _message(commit: _Commit, event: e.MessageSent) -> c.Command:
    return commit.outside(
        c.SendMessage, message_id=event.message_id, to=event.to, about=event.about, text=_text(event.text)
    )


def _contact(commit: _Commit, event: e.ContactRecorded) -> c.Command:
    return commit.outside(
        c.RecordContact,
        contact_id=event.contact_id,
        channel=event.channel,
        about=event.about,
        ticket=event.ticket,
        representative=_text(event.representative),
        text=_text(event.text),
    )


# ---- canceling --------------------------------------------------------------------------------------------------


def _requested(commit: _Commit, event: e.CancelRequested) -> c.Command:
    """Reconstruct a request. If it was for more than is open, the requested quantity is an input of its refusal."""
    lines = _units(event.lines)
    inputs = {each.name: each.value for each in event.verdict.inputs}
    if event.verdict.rule == "more-than-open" and "asked" in inputs:
        lines[int(inputs["line"])] = int(inputs["asked"])
    return commit.selecting(
        c.RequestCancel,
        lines,
        request_id=event.request_id,
        reason=event.reason,
        text=_text(event.text),
    )


def _canceled(commit: _Commit, event: e.LinesCanceled) -> c.Command:
    lines: dict[int, int] = {}
    for part in event.lines:
        lines[part.line] = lines.get(part.line, 0) + part.quantity
    own = next((part for part in event.lines if part.cause != "request"), None)
    return commit.selecting(c.CancelLines, lines, reason=own.reason if own is not None else None)


def _approved(commit: _Commit, event: e.CancelApproved) -> c.Command:
    return commit.command(
        c.ApproveCancel,
        request_id=event.request_id,
        rule=event.rule,
        refund_now=event.refund_now,
        note=_text(event.note),
    )


def _approval_refused(commit: _Commit, event: e.CancelRefused) -> c.Command:
    return commit.command(c.ApproveCancel, request_id=event.request_id)


def _declined(commit: _Commit, event: e.CancelDeclined) -> c.Command:
    return commit.command(c.DeclineCancel, request_id=event.request_id, rule=event.rule, note=_text(event.note))


def _withdrawn(commit: _Commit, event: e.CancelWithdrawn) -> c.Command:
    return commit.command(c.WithdrawCancel, request_id=event.request_id)


def _taken(commit: _Commit, event: e.AlternativeTaken) -> c.Command:
    return commit.command(c.TakeAlternative, request_id=event.request_id, kind=event.kind)


def _none_taken(commit: _Commit, event: e.AlternativesDeclined) -> c.Command:
    return commit.command(c.DeclineAlternatives, request_id=event.request_id)


# ---- shipping ----------------------------------------------------------------------------------------------------


def _fulfilment(commit: _Commit, event: e.FulfilmentStarted) -> c.Command:
    return commit.selecting(c.StartFulfilment, _units(event.lines), stage=event.stage)


def _tracked(commit: _Commit, event: e.TrackingStarted | e.TrackingMoved) -> c.Command:
    model = c.StartTracking if isinstance(event, e.TrackingStarted) else c.TrackingMoved
    lines = _units(event.lines)
    for found in commit.events:
        if isinstance(found, e.ShippedAfterCancelFound):
            lines |= _units(found.lines)
    return commit.selecting(
        model,
        lines,
        carrier=event.carrier,
        tracking_number=event.tracking_number,
        shipment_id=event.shipment_id,
    )


def _shipped(commit: _Commit, event: e.LineShipped | e.LinePartiallyShipped) -> c.Command:
    """Reconstruct a shipping notice, or a delivery that shipped tracked units first."""
    for other in commit.events:
        if isinstance(other, e.Delivered):
            return _delivered(commit, other)
    shipped = [x for x in commit.events if isinstance(x, e.LineShipped | e.LinePartiallyShipped)]
    return commit.selecting(
        c.Ship,
        {x.line: x.quantity for x in shipped},
        exact=True,
        shipment_id=event.shipment_id,
        carrier=event.carrier,
        tracking_number=event.tracking_number,
    )


def _not_shipped(commit: _Commit, event: e.ShipmentRefused) -> c.Command:
    """Reconstruct a refused shipping notice. Its lines are on record, its carrier and tracking number are not."""
    return commit.command(
        c.Ship,
        shipment_id=event.shipment_id,
        lines=tuple(_pick(x.line, x.quantity or None) for x in event.lines) or None,
        occurred_at=commit.occurred_at,
    )


def _voided(commit: _Commit, event: e.ShipmentVoided) -> c.Command:
    return commit.command(c.VoidShipment, shipment_id=event.shipment_id, note=_text(event.note))


def _ship_by(commit: _Commit, event: e.ShipByRevised) -> c.Command:
    return commit.command(c.ReviseShipBy, ship_by=event.ship_by)


def _delivered(commit: _Commit, event: e.Delivered) -> c.Command:
    if event.return_id is not None:
        return commit.outside(c.Deliver, shipment_id=event.return_id)
    one = event.shipments[0] if len(event.shipments) == 1 else None
    if one is not None and len(commit.order.shipments) < 2:
        one = None  # The only shipment: under another policy its id may differ.
    return commit.outside(c.Deliver, shipment_id=one)


# ---- reports of machines -----------------------------------------------------------------------------------------


def _refund(commit: _Commit, event: e.RefundConfirmed | e.RefundFailed) -> c.Command:
    model = c.ConfirmRefund if isinstance(event, e.RefundConfirmed) else c.FailRefund
    return commit.command(
        model,
        refund_id=event.refund_id,
        note=_text(getattr(event, "note", None)),
        payment_id=event.payment_id,
        provider_ref=event.provider_ref,
    )


def _notice(commit: _Commit, event: e.ConfirmationDelivered | e.NoticeFailed) -> c.Command:
    model = c.ConfirmNotice if isinstance(event, e.ConfirmationDelivered) else c.FailNotice
    return commit.command(model, notice_id=event.notice_id)


def _rebill(commit: _Commit, event: e.Rebilled | e.RebillFailed) -> c.Command:
    model = c.ConfirmRebill if isinstance(event, e.Rebilled) else c.FailRebill
    return commit.command(model, rebill_id=event.rebill_id)


# ---- canceled but shipped ---------------------------------------------------------------------------------------


def _found(commit: _Commit, event: e.ShippedAfterCancelFound) -> c.Command:
    if event.shipment_id is not None:
        return commit.outside(c.Deliver, shipment_id=event.shipment_id)
    return commit.command(
        c.ReportShippedAfterCancel,
        carrier=event.carrier,
        tracking_number=event.tracking_number,
        lines=_picks(event.lines),
    )


def _notified(commit: _Commit, event: e.CustomerNotified) -> c.Command:
    """Reconstruct a notification. Its text is in the vault, so a text that names the parcels replaces it."""
    found = commit.order.found
    named = "" if found is None else " ".join(f"{carrier} {number}" for carrier, number in found.unhandled)
    return commit.command(c.NotifyCustomer, text=_text(event.text, named))


def _acknowledged(commit: _Commit, event: e.CustomerAcknowledged) -> c.Command:
    return commit.command(c.Acknowledge, accepts_item=True, accepts_rebilling=True, evidence=event.evidence)


def _not_acknowledged(commit: _Commit, event: e.CustomerDeclined) -> c.Command:
    return commit.command(
        c.Acknowledge,
        accepts_item=event.accepts_item,
        accepts_rebilling=event.accepts_rebilling,
        evidence=event.evidence,
    )


def _rebilling(commit: _Commit, event: e.RebillDue) -> c.Command:
    return commit.command(c.Rebill, lines=_picks(event.lines))


def _memo(commit: _Commit, event: e.CreditMemoIssued) -> c.Command:
    return commit.command(c.IssueCreditMemo, memo_id=event.memo_id, rebill_id=event.rebill_id)


# ---- cases, returns, disputes ------------------------------------------------------------------------------------


def _case(commit: _Commit, event: e.CaseOpened) -> c.Command:
    return commit.command(
        c.OpenCase,
        case_id=event.case_id,
        reason=event.reason,
        lines=_picks(event.lines),
        text=_text(event.text),
    )


def _evidence(commit: _Commit, event: e.EvidenceAdded) -> c.Command:
    return commit.command(
        c.AttachEvidence,
        evidence_id=event.evidence_id,
        about=event.about,
        kind=event.kind,
        sha256=event.sha256.hex(),
        media_type=event.media_type,
        size=event.size,
        origin=event.origin,
        source=event.source,
        note=_text(event.note),
        claimed_at=event.claimed_at,
    )


def _more_evidence(commit: _Commit, event: e.EvidenceRequested) -> c.Command:
    return commit.command(c.RequestEvidence, about=event.about, kinds=event.kinds, until=event.until)


def _return(commit: _Commit, event: e.ReturnOpened) -> c.Command:
    """Reconstruct what opened a return: a request if the return is about itself, else an acceptance for a case."""
    if event.about != event.return_id:
        accepted = next((x for x in commit.events if isinstance(x, e.ReturnAccepted)), None)
        now = accepted is not None and accepted.refund_now
        return commit.command(c.AcceptReturn, about=event.about, refund_now=now)
    return commit.command(c.RequestReturn, reason=event.reason, lines=_picks(event.lines))


def _return_accepted(commit: _Commit, event: e.ReturnAccepted) -> c.Command:
    return commit.command(c.AcceptReturn, about=event.about, refund_now=event.refund_now)


def _case_decided(commit: _Commit, event: e.CaseDecided) -> c.Command:
    return commit.command(
        c.DecideCase, case_id=event.case_id, outcome=event.outcome, rule=event.rule, note=_text(event.note)
    )


def _return_started(commit: _Commit, event: e.ReturnStarted) -> c.Command:
    return commit.outside(
        c.StartReturn, about=event.return_id, carrier=event.carrier, tracking_number=event.tracking_number
    )


def _received(line: int, quantity: int, condition: Any) -> c.Received:
    return c.Received.model_construct(line=line, quantity=quantity, condition=condition)


def _return_received(commit: _Commit, event: e.ReturnReceived) -> c.Command:
    """Reconstruct a receipt. One of all that was left names no lines."""
    units: dict[int, int] = {}
    for part in event.lines:
        units[part.line] = units.get(part.line, 0) + part.quantity
    back = commit.order.returns.get(event.return_id)
    whole = back is not None and units == (back.left or {n: q for n, q in back.unseen.items() if q})
    if not event.lines or (whole and len({part.condition for part in event.lines}) == 1):
        return commit.outside(c.ReturnReceived, about=event.return_id, condition=event.condition)
    lines = tuple(_received(x.line, x.quantity, x.condition) for x in event.lines)
    return commit.outside(c.ReturnReceived, about=event.return_id, lines=lines)


def _return_withdrawn(commit: _Commit, event: e.ReturnWithdrawn) -> c.Command:
    return commit.command(c.WithdrawReturn, about=event.return_id)


def _return_closed(commit: _Commit, event: e.ReturnClosed) -> c.Command:
    return commit.command(
        c.CloseReturn, about=event.return_id, outcome=event.outcome, rule=event.rule, note=_text(event.note)
    )


def _undelivered(commit: _Commit, event: e.ParcelUndelivered) -> c.Command:
    return commit.selecting(
        c.ReportUndelivered,
        _units(event.lines),
        exact=True,
        shipment_id=event.shipment_id,
        outcome=event.outcome,
        note=_text(event.note),
        **({"refund_now": True} if event.refund_now else {}),
    )


def _dispute(commit: _Commit, event: e.DisputeOpened) -> c.Command:
    return commit.command(c.OpenDispute, dispute_id=event.dispute_id, about=event.about, text=_text(event.text))


def _dismissed(commit: _Commit, event: e.DisputeDismissed) -> c.Command:
    if event.dispute_id in commit.order.disputes:
        return commit.command(c.AppealDispute, dispute_id=event.dispute_id)
    return commit.command(c.OpenDispute, dispute_id=event.dispute_id, about=event.about)


def _escalated(commit: _Commit, event: e.DisputeEscalated) -> c.Command:
    return commit.command(
        c.EscalateDispute,
        dispute_id=event.dispute_id,
        ticket=event.ticket,
        representative=_text(event.representative),
    )


def _dispute_decided(commit: _Commit, event: e.DisputeDecided) -> c.Command:
    return commit.command(
        c.DecideDispute, dispute_id=event.dispute_id, outcome=event.outcome, rule=event.rule, note=_text(event.note)
    )


def _appealed(commit: _Commit, event: e.DisputeAppealed) -> c.Command:
    return commit.command(c.AppealDispute, dispute_id=event.dispute_id, text=_text(event.text))


# ---- refused -----------------------------------------------------------------------------------------------------

_BY_REF: Final[dict[str, tuple[type[c.Command], str]]] = {
    "ApproveCancel": (c.ApproveCancel, "request_id"),
    "DeclineCancel": (c.DeclineCancel, "request_id"),
    "WithdrawCancel": (c.WithdrawCancel, "request_id"),
    "DeclineAlternatives": (c.DeclineAlternatives, "request_id"),
}
"""Refused commands whose only content is the id that they were about."""


def _command_refused(commit: _Commit, event: e.CommandRefused) -> c.Command | NotReconstructible:
    """Reconstruct a refused command. Of most, only the name and the verdict are on record.

    A ``CancelLines`` is found by its fingerprint, by trying all lines and each whole line with every reason.
    """
    if event.command in _BY_REF and event.ref is not None:
        model, name = _BY_REF[event.command]
        return commit.command(model, **{name: event.ref})
    if event.command == "CancelLines" and commit.stamp.fingerprint is not None:
        for reason in (None, *CANCEL_REASONS):
            found = commit.selecting(c.CancelLines, {}, reason=reason)
            if found.lines != ():  # type: ignore[attr-defined]
                return found
    return NotReconstructible(event.command)


_READ: Final[dict[type[Any], Callable[[_Commit, Any], c.Command | NotReconstructible]]] = {
    e.OrderPlaced: _placed,
    e.PaymentReceived: _paid,
    e.PaymentCaptured: _captured,
    e.PaymentReleased: _captured,
    e.OtherRefundRecorded: _other_refund,
    e.MessageSent: _message,
    e.ContactRecorded: _contact,
    e.CancelRequested: _requested,
    e.LinesCanceled: _canceled,
    e.CancelApproved: _approved,
    e.CancelRefused: _approval_refused,
    e.CancelDeclined: _declined,
    e.CancelWithdrawn: _withdrawn,
    e.AlternativeTaken: _taken,
    e.AlternativesDeclined: _none_taken,
    e.FulfilmentStarted: _fulfilment,
    e.TrackingStarted: _tracked,
    e.TrackingMoved: _tracked,
    e.LineShipped: _shipped,
    e.LinePartiallyShipped: _shipped,
    e.ShipmentRefused: _not_shipped,
    e.ShipmentVoided: _voided,
    e.ShipByRevised: _ship_by,
    e.Delivered: _delivered,
    e.ParcelUndelivered: _undelivered,
    e.RefundConfirmed: _refund,
    e.RefundFailed: _refund,
    e.OtherRefundSettled: _settled,
    e.RefundWithdrawn: _refund_withdrawn,
    e.ChargebackOpened: _chargeback,
    e.ChargebackClosed: _chargeback_ended,
    e.ConfirmationDelivered: _notice,
    e.NoticeFailed: _notice,
    e.Rebilled: _rebill,
    e.RebillFailed: _rebill,
    e.ShippedAfterCancelFound: _found,
    e.CustomerNotified: _notified,
    e.CustomerAcknowledged: _acknowledged,
    e.CustomerDeclined: _not_acknowledged,
    e.RebillDue: _rebilling,
    e.CreditMemoIssued: _memo,
    e.CaseOpened: _case,
    e.EvidenceAdded: _evidence,
    e.EvidenceRequested: _more_evidence,
    e.ReturnOpened: _return,
    e.ReturnAccepted: _return_accepted,
    e.CaseDecided: _case_decided,
    e.ReturnStarted: _return_started,
    e.ReturnReceived: _return_received,
    e.ReturnWithdrawn: _return_withdrawn,
    e.ReturnClosed: _return_closed,
    e.DisputeOpened: _dispute,
    e.DisputeDismissed: _dismissed,
    e.DisputeEscalated: _escalated,
    e.DisputeDecided: _dispute_decided,
    e.DisputeAppealed: _appealed,
    e.CommandRefused: _command_refused,
}
