"""A parcel and a cancellation: locks, consent after shipment, fill or kill, automatic cancellation."""

from random import Random

from infra.demo.stories.plot import one, shows_rule
from infra.demo.story import Story, days, hours


@shows_rule("tracking-lock")
def on_its_way(s: Story, chance: Random) -> None:
    """tracking-lock: the carrier has it."""
    one(s)
    s.ship(hours(8))
    s.track(hours(chance.uniform(10, 14)))
    s.ask(hours(chance.uniform(16, 24)), "changed_mind")
    s.deliver(hours(80))


@shows_rule("shipped-lock")
def requested_after_shipment(s: Story, chance: Random) -> None:
    """shipped-lock: shipped units can no longer be canceled."""
    one(s, 2)
    s.ship(hours(chance.uniform(4, 9)))
    s.ask(hours(chance.uniform(11, 20)), "found_cheaper")
    s.deliver(hours(90))


@shows_rule("mutual-consent-after-shipment")
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


@shows_rule("stalled-tracking")
def lost_parcel(s: Story, chance: Random) -> None:
    """stalled-tracking: no movement for a week, so the parcel counts as lost and the money goes back."""
    one(s, 2)
    s.ship(hours(12))
    s.track(hours(15))
    s.ask(days(4), "arrives_too_late")
    s.ask(days(8) + hours(chance.uniform(1, 9)), "arrives_too_late", "r2")
    s.refunded(days(9))


@shows_rule("shipment-answers")
def shipment_answered(s: Story, chance: Random) -> None:
    """shipment-answers: the seller ships what the buyer asked to cancel; the request is answered by it."""
    one(s, 2)
    s.ask(hours(5), "changed_mind")
    s.ship(hours(chance.uniform(8, 14)))
    s.deliver(hours(90))


@shows_rule("cancel-is-final")
def sellers_own(s: Story, chance: Random) -> None:
    """Out of stock: the seller cancels a line; cancel-is-final when a shipping notice names it anyway."""
    s.place(*((good, 2) for good in s.shop.goods[:2]), ship_by=4)
    s.say(hours(6), "seller", "CancelLines", lines=[1], reason="out_of_stock")
    s.refunded(hours(20))
    s.ship(hours(chance.uniform(22, 30)), "asn-1", lines=[1])
    s.ship(hours(31), "asn-2", lines=[2])
    s.deliver(hours(95))


@shows_rule("fill-or-kill", "auto-canceled-is-final")
def filled_or_killed(s: Story, chance: Random) -> None:
    """fill-or-kill, auto-canceled-is-final: ten ordered, three shipped, seven canceled; the next notice is refused."""
    one(s, 10, good=2)
    s.ship(hours(chance.uniform(9, 30)), "asn-1", lines=[{"line": 1, "quantity": 3}])
    s.ship(hours(34), "asn-2", lines=[{"line": 1, "quantity": 1}])
    s.track(hours(36), "asn-1")
    s.refunded(hours(50))
    s.deliver(hours(90))


def late_ship(s: Story, chance: Random) -> None:
    """late-ship-auto-cancel: not shipped by the deadline, so canceled automatically."""
    s.place((chance.choice(s.shop.goods), 2), ship_by=2)


@shows_rule("late-ship-auto-cancel")
def half_late(s: Story, chance: Random) -> None:
    """late-ship-auto-cancel: one line shipped, the other is canceled automatically."""
    s.place(*((good, 1) for good in s.shop.goods[1:3]), ship_by=2)
    s.ship(hours(chance.uniform(20, 30)), lines=[1])
    s.deliver(hours(90))
