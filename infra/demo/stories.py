"""The stories that the demo tells: each order lives through one. Every rule of RULES.md 1 speaks in some of them.

A story gets an order that is not placed yet and says what happens to it. ``SPECIAL`` lists those that show rules, with
the shops they happen in and how old the order must be for all of it to have happened; ``COMMON`` is everyday life.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from domain.instants import format_instant
from infra.demo.shops import (
    ATELIER,
    BULKBARN,
    EVERYDAY,
    GAVEL,
    GREENLEAF,
    LUMEN,
    OAKROOM,
    PAPERCRANE,
    REASONS,
    RETROCAM,
    VINYLROW,
    Shop,
)
from infra.demo.story import Story, days, hours, minutes

Tell = Callable[[Story, Random], None]


@dataclass(frozen=True, slots=True)
class Plot:
    """A story, the shops it happens in (an order each, in turn, ``times`` over), and the age of its orders in days."""

    tell: Tell
    shops: tuple[Shop, ...]
    youngest: float
    oldest: float
    times: int = 1


def basket(s: Story, chance: Random, lines: int = 2) -> None:
    """Place an order of one to ``lines`` different goods."""
    goods = chance.sample(s.shop.goods, chance.randint(1, min(lines, len(s.shop.goods))))
    s.place(*((good, chance.randint(1, s.shop.most)) for good in goods), ship_by=chance.choice((3, 4, 5)))


def one(s: Story, quantity: int = 1, good: int = 0, **fields: object) -> None:
    """Place an order of one good."""
    s.place((s.shop.goods[good], quantity), **{"ship_by": 4, **fields})  # type: ignore[arg-type]


def why(chance: Random) -> str:
    return chance.choice(REASONS)


# ---- everyday life --------------------------------------------------------------------------------------------------


def all_goes_well(s: Story, chance: Random) -> None:
    """Placed, shipped, tracked, delivered."""
    basket(s, chance, 3)
    gone = hours(chance.uniform(5, 60))
    s.ship(gone)
    s.track(gone + hours(chance.uniform(2, 9)))
    s.deliver(gone + hours(chance.uniform(40, 110)))


def paid_late(s: Story, chance: Random) -> None:
    """Bank transfer: the money comes a day later."""
    one(s, paid=False)
    total = s.commands[0]["lines"][0]
    price, shipping = total["unit_price"], s.shop.shipping
    s.say(hours(chance.uniform(9, 30)), "system", "ConfirmPayment", amount=_sum(price, shipping))
    s.ship(hours(chance.uniform(31, 60)))


def _sum(price: str, shipping: str) -> str:
    """Two amounts of one currency, added without floats."""
    decimals = max(len(text.partition(".")[2]) for text in (price, shipping))
    cents = sum(int(w + f.ljust(decimals, "0")) for w, _, f in (text.partition(".") for text in (price, shipping)))
    return f"{cents // 10**decimals}.{cents % 10**decimals:0{decimals}}" if decimals else str(cents)


def in_two_parcels(s: Story, chance: Random) -> None:
    """Two lines, two notices."""
    s.place(*((good, 1) for good in s.shop.goods[:2]), ship_by=4)
    s.ship(hours(20), "asn-1", lines=[1])
    s.track(hours(26), "asn-1")
    s.ship(hours(44), "asn-2", lines=[2])
    s.track(hours(50), "asn-2")
    s.deliver(hours(chance.uniform(90, 120)))


def late(s: Story, chance: Random) -> None:
    """The ship-by has passed and nothing moves."""
    s.place((chance.choice(s.shop.goods), 1), ship_by=2)


# ---- windows --------------------------------------------------------------------------------------------------------


def bought_by_accident(s: Story, chance: Random) -> None:
    """grace-window: cancelled within minutes, without asking; refunded the next day."""
    basket(s, chance)
    s.ask(minutes(chance.uniform(4, 25)), "ordered_by_mistake")
    s.refunded(hours(chance.uniform(6, 30)))


def accepted_offer(s: Story, chance: Random) -> None:
    """accepted-offer-final: a minute after the purchase it is final all the same."""
    one(s, sale_format="offer")
    s.ask(minutes(3), "changed_mind")
    s.ship(hours(chance.uniform(20, 40)))


def never_shipped(s: Story, chance: Random) -> None:
    """not-shipped-in-time: asked again from the eighth day, and granted."""
    one(s, good=1)
    s.ask(days(8) + hours(chance.uniform(0, 9)), "arrives_too_late")
    s.refunded(days(9) + hours(6))


def offer_never_shipped(s: Story, chance: Random) -> None:
    """accepted-offer-final, then not-shipped-in-time: final, until it is late."""
    one(s, sale_format="offer", good=1)
    s.ask(hours(2), "found_cheaper")
    s.ask(days(7) + hours(chance.uniform(1, 9)), "arrives_too_late", "r2")


def too_late_to_ask(s: Story, chance: Random) -> None:
    """request-window: two hours after the hammer fell nobody may ask any more."""
    one(s, sale_format="auction", good=chance.randrange(len(s.shop.goods)))
    s.ask(hours(2) + minutes(chance.uniform(0, 40)), "changed_mind")
    s.ship(hours(chance.uniform(30, 50)))


def silence_keeps_it(s: Story, chance: Random) -> None:
    """seller-has-final-say: asked in time, no answer for three days; paid, so the request closes and it ships."""
    one(s, sale_format="auction", good=2)
    s.ask(minutes(chance.uniform(10, 50)), "changed_mind")
    s.ship(days(3) + hours(20))


def silence_cancels_unpaid(s: Story, chance: Random) -> None:
    """seller-has-final-say: asked in time, no answer for three days; not paid, so it is cancelled."""
    one(s, paid=False, sale_format="auction", good=3)
    s.ask(minutes(chance.uniform(10, 50)), "changed_mind")


def never_paid(s: Story, chance: Random) -> None:
    """unpaid-auto-cancel: four days without money."""
    one(s, paid=False, sale_format="auction", good=chance.randrange(len(s.shop.goods)))


# ---- the store ------------------------------------------------------------------------------------------------------


def offers_declined(s: Story, chance: Random) -> None:
    """alternatives-first, window-of-the-store: the buyer wants none of the offers, and it is cancelled."""
    basket(s, chance)
    s.ask(hours(chance.uniform(1, 8)), why(chance))
    s.say(hours(10), "buyer", "DeclineAlternatives", request_id="r1")
    s.refunded(hours(30))


def offer_taken(s: Story, chance: Random) -> None:
    """alternatives-first: the buyer would rather wait; the request is withdrawn."""
    one(s, good=3)
    s.ask(hours(chance.uniform(2, 6)), "arrives_too_late")
    s.say(hours(9), "buyer", "TakeAlternative", request_id="r1", kind="wait")
    s.ship(hours(60))


def offers_open(s: Story, chance: Random) -> None:
    """alternatives-first: the offers wait for the buyer's answer."""
    one(s, 2, good=1)
    s.ask(minutes(chance.uniform(5, 50)), "changed_mind")


def already_packed(s: Story, chance: Random) -> None:
    """window-of-the-store: it is in the shipping process, so it is refused; a return is offered instead."""
    basket(s, chance)
    s.say(hours(3), "system", "StartFulfilment", stage="packed")
    s.ask(hours(chance.uniform(4, 9)), "changed_mind")
    s.ship(hours(12))
    s.deliver(hours(70))


# ---- locks and consent ----------------------------------------------------------------------------------------------


def on_its_way(s: Story, chance: Random) -> None:
    """tracking-lock: the carrier has it."""
    one(s)
    s.ship(hours(8))
    s.track(hours(chance.uniform(10, 14)))
    s.ask(hours(chance.uniform(16, 24)), "changed_mind")
    s.deliver(hours(80))


def shipped_and_asked(s: Story, chance: Random) -> None:
    """shipped-lock: what has shipped can no longer be cancelled."""
    one(s, 2)
    s.ship(hours(chance.uniform(4, 9)))
    s.ask(hours(chance.uniform(11, 20)), "found_cheaper")
    s.deliver(hours(90))


def willing_seller(s: Story, chance: Random) -> None:
    """mutual-consent-after-shipment: both agree, a return opens, the refund follows on receipt."""
    one(s, good=1)
    s.ship(hours(20))
    s.ask(hours(chance.uniform(24, 36)), "changed_mind")
    s.say(hours(40), "seller", "ApproveCancel", request_id="r1")
    s.say(
        hours(90),
        "seller",
        "StartReturn",
        about="return-1",
        carrier=s.shop.carrier,
        tracking_number=s.tracking_number("r1"),
    )
    s.say(hours(160), "seller", "ReturnReceived", about="return-1", condition="sellable")
    s.refunded(hours(180))


def unwilling_seller(s: Story, chance: Random) -> None:
    """mutual-consent-after-shipment: the seller says nothing; the request stays open and may be disputed."""
    one(s)
    s.ship(hours(18))
    s.ask(hours(chance.uniform(22, 30)), "changed_mind")


def lost_parcel(s: Story, chance: Random) -> None:
    """stalled-tracking: no movement for a week, so the parcel counts as lost and the money goes back."""
    one(s, 2)
    s.ship(hours(12))
    s.track(hours(15))
    s.ask(days(4), "arrives_too_late")
    s.ask(days(8) + hours(chance.uniform(1, 9)), "arrives_too_late", "r2")
    s.refunded(days(9))


# ---- the seller's answer --------------------------------------------------------------------------------------------


def approved(s: Story, chance: Random) -> None:
    """seller-has-final-say: the seller agrees."""
    basket(s, chance)
    asked = hours(chance.uniform(4, 12))
    s.ask(asked, why(chance))
    s.say(asked + hours(chance.uniform(1, 16)), "seller", "ApproveCancel", request_id="r1")
    s.refunded(asked + hours(40))


def declined(s: Story, chance: Random) -> None:
    """seller-has-final-say: the seller does not agree, and ships."""
    one(s, good=1)
    s.ask(hours(chance.uniform(4, 9)), "found_cheaper")
    s.say(hours(12), "seller", "DeclineCancel", request_id="r1", note="It is packed and the courier is booked.")
    s.ship(hours(14))
    s.deliver(hours(80))


def withdrawn(s: Story, chance: Random) -> None:
    """The buyer thinks again."""
    one(s)
    s.ask(hours(5), "changed_mind")
    s.say(hours(chance.uniform(6, 9)), "buyer", "WithdrawCancel", request_id="r1")
    s.ship(hours(30))


def waiting(s: Story, chance: Random) -> None:
    """seller-has-final-say: the request waits for the seller."""
    basket(s, chance, 3)
    s.ask(hours(chance.uniform(3.5, 6)), why(chance), text="Sorry, could you stop this one if it is not too late?")


def asked_twice(s: Story, chance: Random) -> None:
    """one-open-request: the second request is answered with the first one's state."""
    one(s, 2, good=1)
    s.ask(hours(4), "wrong_address")
    s.ask(hours(chance.uniform(6, 9)), "wrong_address", "r2")


def shipment_answered(s: Story, chance: Random) -> None:
    """shipment-answers: the seller ships what the buyer asked to cancel; the request is answered by it."""
    one(s, 2)
    s.ask(hours(5), "changed_mind")
    s.ship(hours(chance.uniform(8, 14)))
    s.deliver(hours(90))


def sellers_own(s: Story, chance: Random) -> None:
    """Out of stock: the seller cancels a line; cancel-is-final when a notice names it all the same."""
    s.place(*((good, 2) for good in s.shop.goods[:2]), ship_by=4)
    s.say(hours(6), "seller", "CancelLines", lines=[1], reason="out_of_stock")
    s.refunded(hours(20))
    s.ship(hours(chance.uniform(22, 30)), "asn-1", lines=[1])
    s.ship(hours(31), "asn-2", lines=[2])
    s.deliver(hours(95))


def no_reason_given(s: Story, chance: Random) -> None:
    """reason-required: the seller gives none, is refused, and says it."""
    one(s, 3)
    s.say(hours(4), "seller", "CancelLines", lines=[1])
    s.say(hours(4) + minutes(chance.uniform(1, 9)), "seller", "CancelLines", lines=[1], reason="pricing_error")


def part_of_a_line(s: Story, chance: Random) -> None:
    """whole-lines-only: two of five cannot be cancelled; all five can be asked for."""
    one(s, 5, good=2)
    s.ask(hours(2), "duplicate_order", lines=[{"line": 1, "quantity": 2}])
    s.ask(hours(3), "duplicate_order", "r2", lines=[1])
    s.say(hours(chance.uniform(5, 20)), "seller", "ApproveCancel", request_id="r2")


def some_units(s: Story, chance: Random) -> None:
    """Where quantities may be cancelled: two of six, and the rest ships."""
    one(s, 6)
    s.ask(hours(3), "duplicate_order", lines=[{"line": 1, "quantity": 2}])
    s.say(hours(8), "seller", "ApproveCancel", request_id="r1")
    s.ship(hours(chance.uniform(20, 40)))
    s.deliver(hours(110))


def cancelled_and_asked(s: Story, chance: Random) -> None:
    """already-canceled: what is cancelled cannot be cancelled again."""
    one(s)
    s.ask(minutes(12), "ordered_by_mistake")
    s.ask(hours(chance.uniform(3, 9)), "ordered_by_mistake", "r2")
    s.refunded(hours(24))


# ---- fill or kill, and what cancels by itself -----------------------------------------------------------------------


def filled_or_killed(s: Story, chance: Random) -> None:
    """fill-or-kill, auto-canceled-is-final: ten ordered, three shipped, seven cancelled; the next notice is refused."""
    one(s, 10, good=2)
    s.ship(hours(chance.uniform(9, 30)), "asn-1", lines=[{"line": 1, "quantity": 3}])
    s.ship(hours(34), "asn-2", lines=[{"line": 1, "quantity": 1}])
    s.track(hours(36), "asn-1")
    s.refunded(hours(50))
    s.deliver(hours(90))


def late_ship(s: Story, chance: Random) -> None:
    """late-ship-auto-cancel: not shipped by the deadline, cancelled by itself."""
    s.place((chance.choice(s.shop.goods), 2), ship_by=2)


def half_late(s: Story, chance: Random) -> None:
    """late-ship-auto-cancel: one line shipped, the other is cancelled by itself."""
    s.place(*((good, 1) for good in s.shop.goods[1:3]), ship_by=2)
    s.ship(hours(chance.uniform(20, 30)), lines=[1])
    s.deliver(hours(90))


# ---- what comes after -----------------------------------------------------------------------------------------------


def refund_failed(s: Story, chance: Random) -> None:
    """The card is gone: the refund fails and stays due."""
    one(s)
    s.ask(minutes(20), "ordered_by_mistake")
    s.say(hours(chance.uniform(5, 9)), "system", "FailRefund", refund_id="refund-1", note="card closed")


def left_all_the_same(s: Story, chance: Random) -> None:
    """Cancelled but shipped: the parcel left although the line was cancelled; the customer is told and accepts."""
    one(s, 2)
    s.say(hours(5), "seller", "CancelLines", lines=[1], reason="pricing_error")
    s.refunded(hours(9))
    parcel = {"carrier": s.shop.carrier, "tracking_number": s.tracking_number("asn-1")}
    s.say(hours(20), "seller", "ReportShippedAfterCancel", lines=[1], **parcel)
    text = (
        f"Your order left although it was cancelled: {parcel['carrier']} {parcel['tracking_number']}. You may keep it."
    )
    s.say(hours(22), "seller", "NotifyCustomer", text=f"{text} If you do, you will be billed again.")
    s.say(hours(chance.uniform(40, 60)), "buyer", "Acknowledge", accepts_item=True, accepts_rebilling=True)
    s.say(hours(62), "support", "Rebill")
    s.say(hours(70), "system", "ConfirmRebill", rebill_id="rebill-1")


def found_by_a_scan(s: Story, chance: Random) -> None:
    """Cancelled but shipped: a carrier's scan from before the cancellation comes in late."""
    one(s)
    s.say(hours(6), "seller", "CancelLines", lines=[1], reason="out_of_stock")
    scanned = s.commands[0]["at"]
    parcel = {"carrier": s.shop.carrier, "tracking_number": s.tracking_number("asn-1")}
    s.say(hours(chance.uniform(20, 30)), "system", "StartTracking", lines=[1], occurred_at=scanned, **parcel)


def not_as_described(s: Story, chance: Random) -> None:
    """A case after delivery."""
    one(s, good=1)
    s.ship(hours(10))
    s.deliver(hours(60))
    s.say(hours(chance.uniform(64, 80)), "buyer", "OpenCase", case_id="case-a", reason="not_as_described", lines=[1])


def sent_back(s: Story, chance: Random) -> None:
    """A return within the store's terms."""
    one(s, 2, good=1)
    s.ship(hours(10))
    s.deliver(hours(60))
    s.say(hours(chance.uniform(80, 99)), "buyer", "RequestReturn", reason="does_not_fit", lines=[1])
    s.say(hours(190), "seller", "ReturnReceived", about="return-1", condition="sellable")


def talked_about(s: Story, chance: Random) -> None:
    """A message and a call: neither is a request."""
    one(s)
    s.say(hours(2), "buyer", "SendMessage", message_id="m1", to="seller", text="Can you still change the colour?")
    s.say(hours(5), "seller", "SendMessage", message_id="m2", to="buyer", text="Yes, done.")
    s.say(hours(7), "support", "RecordContact", contact_id="call-1", channel="phone", ticket="T-5512")
    s.ship(hours(chance.uniform(20, 40)))


def notice_by_mistake(s: Story, chance: Random) -> None:
    """A notice that was a mistake is voided by support; nothing had left."""
    one(s, 2)
    s.ship(hours(6), "asn-1")
    s.say(hours(9), "support", "VoidShipment", shipment_id="asn-1", note="label printed twice")
    s.ship(hours(chance.uniform(20, 30)), "asn-2")


def later_ship_by(s: Story, chance: Random) -> None:
    """The seller proposes a later date, and the buyer takes it."""
    s.place((s.shop.goods[0], 1), ship_by=3)
    s.say(hours(20), "seller", "ReviseShipBy", ship_by=format_instant(s.placed_at + days(6)))
    s.say(hours(chance.uniform(23, 30)), "buyer", "TakeAlternative", kind="wait")
    s.ship(days(4) + hours(chance.uniform(2, 20)))


_SELLERS: Final = (LUMEN, OAKROOM, BULKBARN)

SPECIAL: Final = (
    Plot(bought_by_accident, (VINYLROW, RETROCAM, EVERYDAY), 1.5, 24, 3),
    Plot(accepted_offer, (RETROCAM, VINYLROW), 2, 6, 1),
    Plot(never_shipped, (VINYLROW, RETROCAM), 10, 20),
    Plot(offer_never_shipped, (RETROCAM,), 9, 16),
    Plot(too_late_to_ask, (GAVEL,), 2, 20, 2),
    Plot(silence_keeps_it, (GAVEL,), 4.5, 18),
    Plot(silence_cancels_unpaid, (GAVEL,), 3.2, 12),
    Plot(never_paid, (GAVEL,), 4.5, 22, 2),
    Plot(never_paid, (GAVEL,), 0.3, 3.5, 3),
    Plot(offers_declined, (GREENLEAF,), 2, 24, 2),
    Plot(offer_taken, (GREENLEAF,), 3, 15),
    Plot(offers_open, (GREENLEAF,), 0.1, 0.8, 2),
    Plot(already_packed, (GREENLEAF,), 3, 20, 2),
    Plot(on_its_way, (VINYLROW, RETROCAM, PAPERCRANE), 1.5, 12),
    Plot(shipped_and_asked, (LUMEN, BULKBARN, EVERYDAY, GREENLEAF), 1.5, 18),
    Plot(willing_seller, (ATELIER,), 8, 18),
    Plot(willing_seller, (ATELIER,), 2, 3),
    Plot(unwilling_seller, (ATELIER,), 5, 9),
    Plot(lost_parcel, (PAPERCRANE,), 9.5, 16, 2),
    Plot(approved, (*_SELLERS, EVERYDAY), 2.5, 22, 2),
    Plot(declined, (LUMEN, EVERYDAY), 2, 15, 2),
    Plot(withdrawn, (OAKROOM, BULKBARN), 2, 18),
    Plot(waiting, (LUMEN, OAKROOM, VINYLROW, EVERYDAY, BULKBARN, RETROCAM), 0.3, 1.6),
    Plot(asked_twice, (LUMEN, EVERYDAY), 0.5, 1.5),
    Plot(shipment_answered, (OAKROOM, BULKBARN), 2, 15),
    Plot(sellers_own, (LUMEN, OAKROOM), 2, 15),
    Plot(sellers_own, (BULKBARN, LUMEN), 0.3, 0.8),
    Plot(no_reason_given, (LUMEN, BULKBARN), 1, 20),
    Plot(part_of_a_line, (LUMEN,), 1.5, 10),
    Plot(some_units, (BULKBARN,), 2, 12, 2),
    Plot(cancelled_and_asked, (RETROCAM, EVERYDAY), 1, 18),
    Plot(filled_or_killed, (LUMEN,), 2, 20, 3),
    Plot(late_ship, (BULKBARN,), 6.5, 20, 2),
    Plot(late_ship, (EVERYDAY,), 13, 24),
    Plot(half_late, (BULKBARN,), 6.5, 16),
    Plot(refund_failed, (EVERYDAY, VINYLROW), 1, 5),
    Plot(left_all_the_same, (OAKROOM,), 3.5, 9),
    Plot(left_all_the_same, (LUMEN,), 1, 1.4),
    Plot(found_by_a_scan, (LUMEN,), 1.5, 6),
    Plot(not_as_described, (VINYLROW, RETROCAM), 3, 4.2),
    Plot(sent_back, (GREENLEAF, BULKBARN), 5, 14),
    Plot(talked_about, (ATELIER, EVERYDAY), 1, 14),
    Plot(notice_by_mistake, (OAKROOM,), 1.5, 9),
    Plot(later_ship_by, (OAKROOM, LUMEN), 1, 8),
)
"""Stories that show rules."""

COMMON: Final = ((all_goes_well, 14), (in_two_parcels, 3), (paid_late, 2), (late, 1))
"""Everyday stories, and how often each happens among them."""
