"""Stories about cases and returns after delivery."""

from random import Random
from typing import Any

from infra.demo.stories.plot import one, shows, shows_rule
from infra.demo.story import Story, days, hours, minutes


def not_as_described(s: Story, chance: Random) -> None:
    """A case after delivery."""
    one(s, good=1)
    s.ship(hours(10))
    s.deliver(hours(60))
    s.say(hours(chance.uniform(64, 80)), "buyer", "OpenCase", case_id="case-a", reason="not_as_described", lines=[1])


@shows_rule("store-return")
def sent_back(s: Story, chance: Random) -> None:
    """A return within the store's terms."""
    one(s, 2, good=1)
    s.ship(hours(10))
    s.deliver(hours(60))
    s.say(hours(chance.uniform(80, 99)), "buyer", "RequestReturn", reason="does_not_fit", lines=[1])
    s.say(hours(190), "seller", "ReturnReceived", about="return-1", condition="sellable")


# ---- cases ----------------------------------------------------------------------------------------------------------


def _arrived(s: Story, good: int = 1, **fields: Any) -> None:
    """One good, delivered two and a half days after the purchase."""
    one(s, good=good, **fields)
    s.ship(hours(10))
    s.deliver(hours(60))


def _case(s: Story, after: int, reason: str = "not_as_described", **fields: Any) -> None:
    s.say(after, "buyer", "OpenCase", case_id="case-a", reason=reason, lines=[1], **fields)


def _decide(s: Story, after: int, outcome: str, rule: str, note: str) -> None:
    s.say(after, "support", "DecideCase", case_id="case-a", outcome=outcome, rule=rule, note=note)


@shows_rule("cancel-is-not-case")
def case_before_delivery(s: Story, chance: Random) -> None:
    """cancel-is-not-case: nothing has arrived, so there is nothing to complain of."""
    one(s, good=1)
    _case(s, hours(chance.uniform(5, 9)), "wrong_item", text="The photograph in the listing has changed.")
    s.ship(hours(20))
    s.deliver(hours(70))


@shows_rule("case-reasons")
def does_not_fit(s: Story, chance: Random) -> None:
    """case-reasons, store-return: not liking it is no fault, and private sellers take nothing back for that."""
    _arrived(s, good=2)
    asked = hours(chance.uniform(62, 70))
    _case(s, asked, "does_not_fit")
    s.say(asked + minutes(8), "buyer", "RequestReturn", reason="does_not_fit", lines=[1])


@shows_rule("case-window")
def case_too_late(s: Story, chance: Random) -> None:
    """case-window: three days after delivery, and one."""
    _arrived(s)
    _case(s, hours(60) + days(4) + hours(chance.uniform(0, 9)))


@shows_rule("case-evidence", "platform-pays-return")
def photographs_given(s: Story, chance: Random) -> None:
    """case-evidence, platform-pays-return: the deadline is paused until the photo comes; then it is sent back."""
    _arrived(s)
    _case(s, hours(64), text="The lens is scratched; it was sold as clear.")
    s.attach(hours(64.2), "buyer", "case-a", "listing-1", "photo", origin="listing")
    asks = {"about": "case-a", "kinds": ["photo"], "until": s.at(hours(120))}
    s.say(hours(70), "support", "RequestEvidence", **asks)
    s.attach(hours(chance.uniform(72, 80)), "buyer", "case-a", "photo-1", "photo", origin="own_photo")
    _decide(s, hours(90), "return", "case-reasons", "The scratch is on the photograph.")
    back = {"carrier": s.shop.carrier, "tracking_number": s.tracking_number("back-1")}
    s.say(hours(110), "seller", "StartReturn", about="case-a", **back)
    s.say(hours(170), "seller", "ReturnReceived", about="case-a", condition="damaged")
    s.refunded(hours(190))


@shows("evidence not given")
def photographs_awaited(s: Story, chance: Random) -> None:
    """case-evidence: asked for, and not there yet; where the date passes, it is decided on what is there."""
    _arrived(s)
    _case(s, hours(chance.uniform(62, 64)), "not_authentic")
    asks = {"about": "case-a", "kinds": ["photo", "receipt"], "until": s.at(hours(66) + days(3))}
    s.say(hours(66), "support", "RequestEvidence", **asks)
    _decide(s, hours(66) + days(4), "deny", "case-evidence", "Nothing shows that it is not what was sold.")


@shows_rule("case-thread")
def one_thread_for_three(s: Story, chance: Random) -> None:
    """case-thread: buyer, seller and platform read what any of them writes; a note among support is support's own."""
    _arrived(s)
    _case(s, hours(63), "missing_item", text="The box came without the strap.")
    talk = (
        ("buyer", "seller", "The strap is in the picture, and not in the box."),
        ("seller", "buyer", "It was never part of it; the picture shows mine."),
        ("support", "buyer", "Could you send us the listing as you saw it?"),
        ("support", "support", "The listing was edited twice that week."),
    )
    for number, (who, to, text) in enumerate(talk, 1):
        after = hours(63 + 1.5 * number + chance.uniform(0, 1))
        s.say(after, who, "SendMessage", message_id=f"m{number}", to=to, about="case-a", text=text)


@shows_rule("listing-as-sold")
def as_it_was_listed(s: Story, chance: Random) -> None:
    """listing-as-sold: the listing is pinned on the order, so the case has it next to the photograph."""
    _arrived(s, listed=True)
    _case(s, hours(chance.uniform(62, 66)), "wrong_item", text="It says mint, and the edge is torn.")
    s.attach(hours(67), "buyer", "case-a", "photo-1", "photo", origin="own_photo")


@shows_rule("seller-may-accept")
def taken_back_at_once(s: Story, chance: Random) -> None:
    """seller-may-accept: nobody has to decide; the seller takes it back."""
    _arrived(s)
    _case(s, hours(63), "wrong_item")
    s.say(hours(chance.uniform(65, 75)), "seller", "AcceptReturn", about="case-a")
    s.say(hours(140), "seller", "ReturnReceived", about="case-a", condition="sellable")
    s.refunded(hours(160))


@shows_rule("silence-is-not-consent")
def seller_stays_silent(s: Story, chance: Random) -> None:
    """silence-is-not-consent: the seller has not answered, which accepts nothing; it is decided on what is there."""
    _arrived(s)
    _case(s, hours(62))
    s.attach(hours(62.5), "buyer", "case-a", "photo-1", "photo", origin="own_photo")
    note = "The photograph is clear, and the seller did not answer."
    _decide(s, hours(chance.uniform(84, 88)), "return", "silence-is-not-consent", note)


@shows_rule("case-decision-time")
def overdue(s: Story, chance: Random) -> None:
    """case-decision-time: two business days are over, and nothing is decided by itself."""
    _arrived(s)
    _case(s, hours(chance.uniform(62, 70)))


@shows_rule("return-not-confirmed")
def back_and_not_confirmed(s: Story, chance: Random) -> None:
    """return-not-confirmed: it reached the seller, who says nothing for five days; refunded."""
    _arrived(s)
    _case(s, hours(63), "not_authentic")
    s.say(hours(70), "seller", "AcceptReturn", about="case-a")
    back = {"carrier": s.shop.carrier, "tracking_number": s.tracking_number("back-1")}
    s.say(hours(90), "seller", "StartReturn", about="return-1", **back)
    s.say(hours(chance.uniform(140, 150)), "system", "Deliver", shipment_id="return-1")
    s.refunded(hours(150) + days(6))


# ---- a return, not a cancellation -----------------------------------------------------------------------------------


@shows_rule("case-is-not-cancel")
def canceled_too_late(s: Story, chance: Random) -> None:
    """case-is-not-cancel: it has arrived, so it is sent back; the buyer changed their mind and pays the postage."""
    _arrived(s)
    asked = hours(chance.uniform(66, 80))
    s.ask(asked, "changed_mind")
    s.say(asked + minutes(5), "buyer", "RequestReturn", reason="changed_mind", lines=[1])
    s.say(hours(150), "seller", "ReturnReceived", about="return-1", condition="sellable")
    s.refunded(hours(170))
