"""Stories about canceled items that shipped anyway: the five steps and their possible ends."""

from random import Random

from infra.demo.stories.plot import one, shows, shows_rule
from infra.demo.story import Story, days, hours


def shipped_after_cancellation(s: Story, chance: Random) -> None:
    """Canceled but shipped: the parcel left although the line was canceled; the customer is notified and accepts."""
    one(s, 2)
    s.say(hours(5), "seller", "CancelLines", lines=[1], reason="pricing_error")
    s.refunded(hours(9))
    parcel = {"carrier": s.shop.carrier, "tracking_number": s.tracking_number("asn-1")}
    s.say(hours(20), "seller", "ReportShippedAfterCancel", lines=[1], **parcel)
    text = (
        f"Your order left although it was canceled: {parcel['carrier']} {parcel['tracking_number']}. You may keep it."
    )
    s.say(hours(22), "seller", "NotifyCustomer", text=f"{text} If you do, you will be billed again.")
    s.say(hours(chance.uniform(40, 60)), "buyer", "Acknowledge", accepts_item=True, accepts_rebilling=True)
    s.say(hours(62), "support", "Rebill")
    s.say(hours(70), "system", "ConfirmRebill", rebill_id="rebill-1")


@shows("found by a scan")
def found_by_a_scan(s: Story, chance: Random) -> None:
    """Canceled but shipped: a carrier's scan from before the cancellation comes in late."""
    one(s)
    s.say(hours(6), "seller", "CancelLines", lines=[1], reason="out_of_stock")
    scanned = s.commands[0]["at"]
    parcel = {"carrier": s.shop.carrier, "tracking_number": s.tracking_number("asn-1")}
    s.say(hours(chance.uniform(20, 30)), "system", "StartTracking", lines=[1], occurred_at=scanned, **parcel)


def _left(s: Story) -> str:
    """Canceled by the seller, refunded, reported as shipped; the words by which the parcel is known."""
    one(s, 2)
    s.say(hours(5), "seller", "CancelLines", lines=[1], reason="pricing_error")
    s.refunded(hours(9))
    number = s.tracking_number("asn-1")
    s.say(hours(20), "seller", "ReportShippedAfterCancel", lines=[1], carrier=s.shop.carrier, tracking_number=number)
    return f"{s.shop.carrier} {number}"


def _tell(s: Story, after: int, parcel: str) -> None:
    text = (
        f"Your order left although it was canceled: {parcel}. Keep it and you would be billed again, or send it back."
    )
    s.say(after, "seller", "NotifyCustomer", text=text)


@shows_rule("notify-customer", "rebill", "credit-memo", "memo-needs-acknowledgment")
@shows("rebill failed")
def paid_by_memo(s: Story, chance: Random) -> None:
    """All five steps; a memo too soon is refused (memo-needs-acknowledgment), and the first rebilling fails."""
    parcel = _left(s)
    _tell(s, hours(22), parcel)
    s.say(hours(24), "support", "IssueCreditMemo", memo_id="memo-a", rebill_id="rebill-1")
    s.say(hours(chance.uniform(30, 50)), "buyer", "Acknowledge", accepts_item=True, accepts_rebilling=True)
    s.say(hours(52), "support", "Rebill")
    s.say(hours(54), "system", "FailRebill", rebill_id="rebill-1")
    s.say(hours(70), "system", "ConfirmRebill", rebill_id="rebill-1")
    s.say(hours(72), "support", "IssueCreditMemo", memo_id="memo-a", rebill_id="rebill-1")


@shows_rule("notice-lacks-tracking", "notice-has-link")
def notice_put_right(s: Story, chance: Random) -> None:
    """notice-has-link, notice-lacks-tracking: the third wording is right, and the customer has not answered yet."""
    parcel = _left(s)
    s.say(hours(21), "seller", "NotifyCustomer", text=f"Your parcel left anyway, see https://track.example: {parcel}.")
    s.say(hours(21.2), "seller", "NotifyCustomer", text="Your parcel left anyway; you would be billed again.")
    _tell(s, hours(chance.uniform(21.5, 23)), parcel)


@shows_rule("acknowledge-both")
def wants_it_for_nothing(s: Story, chance: Random) -> None:
    """acknowledge-both: the item accepted and not the bill is a no; it goes back at the platform's cost."""
    parcel = _left(s)
    _tell(s, hours(22), parcel)
    s.say(hours(chance.uniform(30, 50)), "buyer", "Acknowledge", accepts_item=True, accepts_rebilling=False)
    back = {"carrier": s.shop.carrier, "tracking_number": s.tracking_number("back-1")}
    s.say(hours(80), "seller", "StartReturn", about="return-1", **back)
    s.say(hours(140), "seller", "ReturnReceived", about="return-1", condition="sellable")


@shows("never acknowledged")
def never_answers(s: Story, chance: Random) -> None:
    """acknowledge-both: fourteen days of silence; nothing is billed, and no memo is paid."""
    parcel = _left(s)
    _tell(s, hours(chance.uniform(21, 30)), parcel)
    s.say(days(16), "support", "IssueCreditMemo", memo_id="memo-a", rebill_id="rebill-1")


@shows_rule("evidence-of-acknowledgment")
def acknowledged_by_phone(s: Story, chance: Random) -> None:
    """evidence-of-acknowledgment: support says yes for the customer only once the customer's message is attached."""
    parcel = _left(s)
    _tell(s, hours(22), parcel)
    yes = {"accepts_item": True, "accepts_rebilling": True}
    s.say(hours(40), "support", "RecordContact", contact_id="call-1", channel="phone", ticket="T-7731")
    s.say(hours(chance.uniform(40.2, 41)), "support", "Acknowledge", **yes)
    s.attach(hours(46), "support", "rebill", "answer", "message", origin="correspondence")
    s.say(hours(46.5), "support", "Acknowledge", evidence=["answer"], **yes)
    s.say(hours(47), "support", "Rebill")
