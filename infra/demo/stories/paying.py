"""Stories about money and parcels: lost parcels, returns in parts, several payments, chargebacks, withdrawn refunds."""

from random import Random

from infra.demo.stories.plot import one, shows
from infra.demo.story import Story, days, hours


@shows("lost parcel")
def reported_lost(s: Story, chance: Random) -> None:
    """The seller reports a parcel as lost: goods and shipping go back at once, and nothing goes back into stock."""
    one(s, 2, good=1)
    s.ship(hours(10))
    s.track(hours(12))
    s.say(days(3), "buyer", "SendMessage", message_id="m1", to="seller", text="It has not moved for two days.")
    lost = {"shipment_id": "asn-1", "outcome": "lost", "note": "The carrier cannot find it."}
    s.say(days(4) + hours(chance.uniform(0, 9)), "seller", "ReportUndelivered", **lost)
    s.refunded(days(5))


@shows("return in parts")
def returned_in_two_parcels(s: Story, chance: Random) -> None:
    """Three units are to come back: one arrives unharmed and one damaged, each is refunded; the third is on its way."""
    one(s, 3, good=1)
    s.ship(hours(10))
    s.deliver(hours(60))
    asked = hours(chance.uniform(70, 80))
    s.say(asked, "buyer", "RequestReturn", reason="changed_mind", lines=[1])
    back = {"carrier": s.shop.carrier, "tracking_number": s.tracking_number("back-1")}
    s.say(hours(100), "system", "StartReturn", about="return-1", **back)
    for number, condition in enumerate(("sellable", "damaged"), 1):
        arrived = [{"line": 1, "quantity": 1, "condition": condition}]
        s.say(hours(120 + 20 * number), "seller", "ReturnReceived", about="return-1", lines=arrived)
        s.refunded(hours(130 + 20 * number), f"refund-{number}")


@shows("overpaid")
def paid_twice_over(s: Story, chance: Random) -> None:
    """A gift card and a card: together too much, so the excess goes back to the card; the order is canceled later."""
    one(s, 2, good=1, paid=False)
    s.say(hours(0.1), "system", "ConfirmPayment", payment_id="gift-card-1", method="gift_card", amount="30.00")
    s.say(hours(0.2), "system", "ConfirmPayment", payment_id="card-1", method="card", amount="80.00")
    s.refunded(hours(2))
    s.say(hours(chance.uniform(6, 12)), "seller", "CancelLines", reason="out_of_stock")
    s.say(hours(20), "system", "ConfirmRefund", refund_id="refund-2", payment_id="card-1", provider_ref="re_1041")


@shows("chargeback")
def charged_back(s: Story, chance: Random) -> None:
    """The buyer's bank wants the money back before the cancellation is paid: the refund waits, and is settled."""
    one(s, good=1)
    s.say(hours(4), "system", "OpenChargeback", payment_id="payment-1", amount="30.00", chargeback_id="cb-71")
    s.say(hours(chance.uniform(6, 9)), "seller", "CancelLines", reason="out_of_stock")
    s.say(days(6), "system", "CloseChargeback", payment_id="payment-1", outcome="lost", chargeback_id="cb-71")
    s.refunded(days(6) + hours(5))


@shows("refund withdrawn")
def refunded_by_mistake(s: Story, chance: Random) -> None:
    """The wrong order was canceled, and its refund withdrawn before it was paid; support says why."""
    one(s, good=1)
    s.say(hours(4), "support", "CancelLines", rule="seller-has-final-say", reason="other", lines=[1])
    note = "The call was about another order. It is sent again under a new number."
    after = hours(chance.uniform(5, 6))
    s.say(after, "support", "WithdrawRefund", refund_id="refund-1", rule="seller-has-final-say", note=note)
