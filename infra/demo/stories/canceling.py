"""Stories about cancellation requests: time windows, the store's offers, the seller's answer."""

from random import Random

from infra.demo.stories.plot import basket, one, shows_rule, why
from infra.demo.story import Story, days, hours, minutes


@shows_rule("grace-window")
def bought_by_accident(s: Story, chance: Random) -> None:
    """grace-window: canceled within minutes, without asking; refunded the next day."""
    basket(s, chance)
    s.ask(minutes(chance.uniform(4, 25)), "ordered_by_mistake")
    s.refunded(hours(chance.uniform(6, 30)))


@shows_rule("accepted-offer-final")
def accepted_offer(s: Story, chance: Random) -> None:
    """accepted-offer-final: a minute after the purchase it is already final."""
    one(s, sale_format="offer")
    s.ask(minutes(3), "changed_mind")
    s.ship(hours(chance.uniform(20, 40)))


@shows_rule("not-shipped-in-time")
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


@shows_rule("request-window")
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
    """seller-has-final-say: asked in time, no answer for three days; not paid, so it is canceled."""
    one(s, paid=False, sale_format="auction", good=3)
    s.ask(minutes(chance.uniform(10, 50)), "changed_mind")


@shows_rule("unpaid-auto-cancel")
def never_paid(s: Story, chance: Random) -> None:
    """unpaid-auto-cancel: four days without money."""
    one(s, paid=False, sale_format="auction", good=chance.randrange(len(s.shop.goods)))


def offers_declined(s: Story, chance: Random) -> None:
    """alternatives-first, window-of-the-store: the buyer wants none of the offers, and it is canceled."""
    basket(s, chance)
    s.ask(hours(chance.uniform(1, 8)), why(chance))
    s.say(hours(10), "buyer", "DeclineAlternatives", request_id="r1")
    s.refunded(hours(30))


@shows_rule("alternatives-first")
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


@shows_rule("window-of-the-store")
def already_packed(s: Story, chance: Random) -> None:
    """window-of-the-store: it is in the shipping process, so it is refused; a return is offered instead."""
    basket(s, chance)
    s.say(hours(3), "system", "StartFulfilment", stage="packed")
    s.ask(hours(chance.uniform(4, 9)), "changed_mind")
    s.ship(hours(12))
    s.deliver(hours(70))


@shows_rule("seller-has-final-say")
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


@shows_rule("one-open-request")
def requested_twice(s: Story, chance: Random) -> None:
    """one-open-request: the second request is answered with the first one's state."""
    one(s, 2, good=1)
    s.ask(hours(4), "wrong_address")
    s.ask(hours(chance.uniform(6, 9)), "wrong_address", "r2")


@shows_rule("reason-required")
def no_reason_given(s: Story, chance: Random) -> None:
    """reason-required: the seller gives none, is refused, and says it."""
    one(s, 3)
    s.say(hours(4), "seller", "CancelLines", lines=[1])
    s.say(hours(4) + minutes(chance.uniform(1, 9)), "seller", "CancelLines", lines=[1], reason="pricing_error")


@shows_rule("whole-lines-only")
def part_of_a_line(s: Story, chance: Random) -> None:
    """whole-lines-only: two of five cannot be canceled; all five can be asked for."""
    one(s, 5, good=2)
    s.ask(hours(2), "duplicate_order", lines=[{"line": 1, "quantity": 2}])
    s.ask(hours(3), "duplicate_order", "r2", lines=[1])
    s.say(hours(chance.uniform(5, 20)), "seller", "ApproveCancel", request_id="r2")


def some_units(s: Story, chance: Random) -> None:
    """A policy that allows quantities: two of six are canceled, and the rest ships."""
    one(s, 6)
    s.ask(hours(3), "duplicate_order", lines=[{"line": 1, "quantity": 2}])
    s.say(hours(8), "seller", "ApproveCancel", request_id="r1")
    s.ship(hours(chance.uniform(20, 40)))
    s.deliver(hours(110))


@shows_rule("already-canceled")
def requested_after_cancellation(s: Story, chance: Random) -> None:
    """already-canceled: canceled units cannot be canceled again."""
    one(s)
    s.ask(minutes(12), "ordered_by_mistake")
    s.ask(hours(chance.uniform(3, 9)), "ordered_by_mistake", "r2")
    s.refunded(hours(24))
