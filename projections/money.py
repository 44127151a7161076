"""The tables of an order's money: its payments, fees, refunds, other refunds and rebillings."""

import json
from collections.abc import Iterator

from domain.money import exponent
from domain.order import Order, Payment, Refund
from domain.order_json import shown_part
from projections.quantities import quantities
from projections.tables import FEES, OTHER_REFUNDS, PAYMENTS, REBILLS, REFUNDS, Row, Table


def money_rows(order: Order) -> Iterator[tuple[Table, list[Row]]]:
    """The rows of an order in these tables. A table in which it never had a row is left out."""
    if order.terms.fees:
        yield FEES, fee_rows(order)
    if order.payments:
        yield PAYMENTS, payment_rows(order)
    if order.refunds:
        yield REFUNDS, refund_rows(order)
    if order.others:
        yield OTHER_REFUNDS, other_refund_rows(order)
    if order.rebills:
        yield REBILLS, rebill_rows(order)


def fee_rows(order: Order) -> list[Row]:
    terms = order.terms
    return [
        FEES.row(
            marketplace=order.marketplace,
            order_id=order.order_id,
            fee_id=fee.fee_id,
            title=fee.title,
            currency=terms.currency,
            currency_exponent=exponent(terms.currency),
            amount_minor=fee.amount,
            tax_minor=fee.tax,
            refundable=fee.refundable,
        )
        for fee in terms.fees
    ]


def payment_rows(order: Order) -> list[Row]:
    currency = order.terms.currency
    decimals = exponent(currency)
    return [
        PAYMENTS.row(
            marketplace=order.marketplace,
            order_id=order.order_id,
            payment_id=payment.payment_id,
            method=payment.method,
            state=state_of(payment),
            authorized_minor=payment.authorized,
            captured_minor=payment.captured,
            refunded_minor=payment.refunded,
            other_refunds_minor=payment.elsewhere,
            chargeback_minor=0 if payment.chargeback is None else payment.chargeback.amount,
            currency=currency,
            currency_exponent=decimals,
            paid_at=payment.received_at,
        )
        for payment in order.payments.values()
    ]


def state_of(payment: Payment) -> str:
    """authorized while any of it is authorized and not captured, captured, or released if nothing is left of it."""
    if payment.authorized:
        return "authorized"
    if payment.captured:
        return "captured"
    return "released" if payment.amount else payment.state


def refund_rows(order: Order) -> list[Row]:
    terms = order.terms
    return [
        REFUNDS.row(
            marketplace=order.marketplace,
            order_id=order.order_id,
            refund_id=refund.refund_id,
            seller_id=terms.seller_id,
            currency=terms.currency,
            currency_exponent=exponent(terms.currency),
            amount_minor=refund.amount,
            status=refund.status,
            failed=int(refund.failed),
            waiting=int(refund.waiting),
            due_minor=refund.due,
            in_flight_minor=in_flight(refund),
            waiting_minor=sum(part.left for part in refund.parts if part.waiting),
            settled_elsewhere_minor=refund.elsewhere,
            causes=json.dumps([{"cause": each.cause, "amount_minor": each.amount} for each in refund.causes]),
            parts=json.dumps([shown_part(part) for part in refund.parts]),
            due_at=refund.due_at,
            confirmed_at=refund.confirmed_at,
        )
        for refund in order.refunds.values()
    ]


def rebill_rows(order: Order) -> list[Row]:
    terms = order.terms
    return [
        REBILLS.row(
            marketplace=order.marketplace,
            order_id=order.order_id,
            rebill_id=rebill.rebill_id,
            seller_id=terms.seller_id,
            currency=terms.currency,
            currency_exponent=exponent(terms.currency),
            amount_minor=rebill.amount,
            lines=quantities(rebill.lines),
            status=rebill.status,
            failed=int(rebill.failed),
            memo_id=rebill.memo_id,
            due_at=rebill.due_at,
            confirmed_at=rebill.confirmed_at,
        )
        for rebill in order.rebills.values()
    ]


def in_flight(refund: Refund) -> int:
    """The amount that is instructed, and neither confirmed nor settled elsewhere nor withdrawn."""
    if refund.status != "due":
        return 0
    return sum(part.left for part in refund.parts if not part.waiting)


def other_refund_rows(order: Order) -> list[Row]:
    currency = order.terms.currency
    decimals = exponent(currency)
    return [
        OTHER_REFUNDS.row(
            marketplace=order.marketplace,
            order_id=order.order_id,
            number=number,
            other_refund_id=other.other_refund_id,
            refund_id=other.refund_id,
            payment_id=other.payment_id,
            currency=currency,
            currency_exponent=decimals,
            amount_minor=other.amount,
            covers=json.dumps(
                [
                    {"kind": each.kind, "line": each.line, "fee_id": each.fee_id, "amount_minor": each.amount}
                    for each in other.covers
                ]
            ),
            at=other.recorded_at,
        )
        for number, other in enumerate(order.others, 1)
    ]
