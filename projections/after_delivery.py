"""The tables of returns, cases and disputes: rows from the order's state, and evidence and credit memos as facts."""

from collections.abc import Iterator

from domain.events import CreditMemoIssued, EvidenceAdded
from domain.money import exponent
from domain.order import Order
from projections.changes import CommitView, EventView, Fact
from projections.quantities import quantities
from projections.tables import CASES, CREDIT_MEMOS, DISPUTES, EVIDENCE, RETURNS, Row, Table


def after_delivery_rows(order: Order) -> Iterator[tuple[Table, list[Row]]]:
    """The rows of an order in the tables of returns, cases, disputes and rebillings."""
    if order.returns:
        yield RETURNS, return_rows(order)
    if order.cases:
        yield CASES, case_rows(order)
    if order.disputes or order.dismissed:
        yield DISPUTES, dispute_rows(order)


def return_rows(order: Order) -> list[Row]:
    return [
        RETURNS.row(
            marketplace=order.marketplace,
            order_id=order.order_id,
            return_id=back.return_id,
            seller_id=order.terms.seller_id,
            about=back.about,
            reason=back.reason,
            lines=quantities(back.lines),
            received=quantities(back.received),
            postage=back.postage,
            refund=back.refund,
            status=back.shown_status,
            accepted=int(back.accepted),
            refunded=int(back.refunded),
            condition=back.condition,
            carrier=back.carrier,
            tracking_number=back.tracking_number,
            opened_at=back.opened_at,
            ship_by=back.ship_by,
            delivered_at=back.delivered_at,
            ended_at=back.ended_at,
        )
        for back in order.returns.values()
    ]


def case_rows(order: Order) -> list[Row]:
    terms = order.terms
    return [
        (
            order.marketplace,
            order.order_id,
            case.case_id,
            terms.seller_id,
            terms.buyer_id,
            case.reason,
            quantities(case.lines),
            case.status,
            case.outcome,
            case.rule,
            case.opened_at,
            case.due_at,
            ",".join(case.awaited) if case.remaining is not None and case.status == "open" else "",
            case.ended_at,
        )
        for case in order.cases.values()
    ]


def dispute_rows(order: Order) -> list[Row]:
    """The rows of disputes. One that came too late is left out where another was opened under its id."""
    terms = order.terms
    return [
        (
            order.marketplace,
            order.order_id,
            dispute.dispute_id,
            terms.seller_id,
            terms.buyer_id,
            dispute.about,
            dispute.by,
            quantities(dispute.lines),
            dispute.status,
            dispute.rule,
            dispute.ticket,
            dispute.opened_at,
            dispute.evidence_until,
            dispute.decided_at,
            dispute.appeal_until,
            int(dispute.appealed),
            dispute.decisions,
        )
        for dispute in {**order.dismissed, **order.disputes}.values()
    ]


def evidence_added(view: CommitView, at: EventView) -> Iterator[Fact]:
    """The row of a piece of evidence: its kind and hash. The vault has its content."""
    event = at.event
    assert isinstance(event, EvidenceAdded)
    yield Fact(
        EVIDENCE,
        (
            view.marketplace,
            view.order_id,
            event.evidence_id,
            event.about,
            event.side,
            event.kind,
            event.origin,
            event.source,
            event.sha256.hex(),
            event.media_type,
            event.size,
            event.claimed_at,
            view.recorded_at,
            at.position,
        ),
    )


def credit_memo_issued(view: CommitView, at: EventView) -> Iterator[Fact]:
    event = at.event
    assert isinstance(event, CreditMemoIssued)
    assert view.order is not None
    terms = view.order.terms
    yield Fact(
        CREDIT_MEMOS,
        CREDIT_MEMOS.row(
            marketplace=view.marketplace,
            order_id=view.order_id,
            memo_id=event.memo_id,
            rebill_id=event.rebill_id,
            seller_id=terms.seller_id,
            currency=terms.currency,
            currency_exponent=exponent(terms.currency),
            amount_minor=event.amount,
            issued_at=view.recorded_at,
            position=at.position,
        ),
    )
