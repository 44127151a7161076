"""Everyday stories: orders that go well, or nearly, without a rule being needed."""

from random import Random

from domain.instants import format_instant
from infra.demo.stories.plot import basket, one
from infra.demo.story import Story, days, hours, minutes


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


def messages_and_calls(s: Story, chance: Random) -> None:
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


def refund_failed(s: Story, chance: Random) -> None:
    """The card is gone: the refund fails and stays due."""
    one(s)
    s.ask(minutes(20), "ordered_by_mistake")
    s.say(hours(chance.uniform(5, 9)), "system", "FailRefund", refund_id="refund-1", note="card closed")
