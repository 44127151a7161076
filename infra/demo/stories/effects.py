"""Stories about the effects of a cancellation: notifications, refunds, stock, standing."""

from random import Random

from infra.demo.stories.plot import one, shows_rule
from infra.demo.story import Story, hours, minutes


@shows_rule("both-told")
def delivered_at_the_second_try(s: Story, chance: Random) -> None:
    """both-told: the buyer's mailbox was full; the confirmation is sent again and arrives, and the seller's did."""
    one(s, good=1)
    s.say(minutes(1), "system", "ConfirmNotice", notice_id="told-1-buyer")
    s.ask(minutes(9), "ordered_by_mistake")
    s.say(minutes(10), "system", "ConfirmNotice", notice_id="told-5-seller")
    s.say(minutes(11), "system", "FailNotice", notice_id="told-5-buyer")
    s.say(hours(chance.uniform(2, 5)), "system", "ConfirmNotice", notice_id="told-5-buyer")
    s.refunded(hours(20))


@shows_rule("full-refund", "money-adds-up")
def one_after_the_other(s: Story, chance: Random) -> None:
    """full-refund, money-adds-up: three units that don't divide evenly, canceled one by one; it sums to the cent."""
    one(s, 3, discount="5.00")
    for number in (1, 2, 3):
        asked = hours(4 * number)
        unit = [{"line": 1, "quantity": 1}]
        s.ask(asked, "changed_mind", f"r{number}", lines=unit)
        s.say(asked + hours(chance.uniform(1, 3)), "seller", "ApproveCancel", request_id=f"r{number}")
        s.refunded(asked + hours(3.5), f"refund-{number}")


@shows_rule("restock-once")
def back_in_stock(s: Story, chance: Random) -> None:
    """restock-once: one canceled, one returned damaged; the second receipt of the same return is refused."""
    one(s, 3, good=2)
    s.say(hours(4), "seller", "CancelLines", lines=[{"line": 1, "quantity": 1}], reason="out_of_stock")
    s.ship(hours(20))
    s.deliver(hours(70))
    back = [{"line": 1, "quantity": 1}]
    s.say(hours(chance.uniform(75, 90)), "buyer", "RequestReturn", reason="not_as_described", lines=back)
    s.say(hours(150), "seller", "ReturnReceived", about="return-1", condition="damaged")
    s.say(hours(151), "seller", "ReturnReceived", about="return-1", condition="sellable")
    s.refunded(hours(160), "refund-2")


@shows_rule("standing")
def canceled_as_the_buyer_asked(s: Story, chance: Random) -> None:
    """standing: "the buyer asked", with no request on record, counts as the seller's own; and the buyer is asked."""
    one(s, 2, good=1)
    s.say(hours(chance.uniform(5, 9)), "seller", "CancelLines", lines=[1], reason="buyer_asked")
    s.say(hours(12), "buyer", "SendMessage", message_id="m1", to="support", text="I never asked for that.")
    s.refunded(hours(30))
