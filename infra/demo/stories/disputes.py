"""Stories about disputes under mutual consent: by message or request, with every outcome."""

from random import Random

from infra.demo.stories.plot import one, shows
from infra.demo.story import Story, days, hours, minutes


def _open(s: Story, after: int, about: str = "r1", text: str = "I asked in time and was not heard.") -> None:
    s.say(after, "buyer", "OpenDispute", dispute_id="dispute-a", about=about, text=text)


def _escalate(s: Story, after: int) -> None:
    fields = {"ticket": "T-9204", "representative": "Second line, desk 3"}
    s.say(after, "buyer", "EscalateDispute", dispute_id="dispute-a", **fields)


def _decide(s: Story, after: int, outcome: str, rule: str, note: str) -> None:
    s.say(after, "support", "DecideDispute", dispute_id="dispute-a", outcome=outcome, rule=rule, note=note)


def _declined(s: Story, chance: Random) -> None:
    """Asked within the hour, declined the next morning."""
    one(s, good=1)
    s.ask(minutes(chance.uniform(8, 50)), "ordered_by_mistake", text="Wrong size, please stop it.")
    s.say(hours(18), "seller", "DeclineCancel", request_id="r1")


@shows("asked by message only", "gaps on the checklist")
def requested_by_message(s: Story, chance: Random) -> None:
    """The guide's story, by message only: no request on record, three days of silence, shipped, disputed, denied."""
    one(s)
    asks = "I ordered this by mistake, please cancel it."
    s.say(minutes(chance.uniform(4, 15)), "buyer", "SendMessage", message_id="m1", to="seller", text=asks)
    s.ship(days(3))
    _open(s, days(3) + hours(5), "m1", "I asked within minutes.")
    _escalate(s, days(4))
    _decide(s, days(5), "deny", "mutual-consent-after-shipment", "It shipped before the seller had agreed to anything.")
    s.deliver(days(6))
    s.say(days(6) + hours(8), "buyer", "RequestReturn", reason="changed_mind", lines=[1])


@shows("policy as it was", "nobody answered", "denied")
def requested_in_time(s: Story, chance: Random) -> None:
    """The guide's story, by request: three days of silence, shipped, disputed, denied, sent to returns."""
    one(s)
    s.ask(minutes(chance.uniform(4, 15)), "ordered_by_mistake")
    s.ship(days(3) + hours(4))
    _open(s, days(3) + hours(9))
    s.say(days(3) + hours(10), "buyer", "RecordContact", contact_id="call-1", channel="chat", ticket="T-9204")
    _escalate(s, days(4))
    _decide(s, days(5), "deny", "mutual-consent-after-shipment", "It shipped before both sides had agreed.")
    s.deliver(days(6))


@shows("granted")
def granted(s: Story, chance: Random) -> None:
    """Not shipped, and declined without a ground: granted, canceled and refunded."""
    _declined(s, chance)
    _open(s, hours(chance.uniform(20, 30)))
    s.attach(hours(31), "buyer", "dispute-a", "shot-1", "photo", origin="screenshot", source="the order page")
    s.attach(hours(40), "seller", "dispute-a", "slip-1", "document", origin="correspondence")
    _escalate(s, hours(44))
    _decide(s, days(3), "grant", "seller-has-final-say", "The goods are from stock; nothing was cut.")
    s.refunded(days(4))


@shows("sent back")
def sent_back_by_decision(s: Story, chance: Random) -> None:
    """It had shipped in the meantime: a return at the platform's cost, refunded on receipt."""
    _declined(s, chance)
    s.ship(hours(24))
    _open(s, hours(chance.uniform(26, 34)))
    _decide(s, days(3), "return", "seller-has-final-say", "Declined without a word why, and shipped the same day.")
    s.deliver(days(4))
    s.say(days(8), "seller", "ReturnReceived", about="dispute-a", condition="sellable")
    s.refunded(days(9))


@shows("appealed", "decided for good")
def appealed(s: Story, chance: Random) -> None:
    """Denied, appealed in time, granted; the second decision is final, so a second appeal is refused."""
    _declined(s, chance)
    _open(s, hours(30))
    _decide(s, days(3), "deny", "seller-has-final-say", "The seller may decline.")
    text = "The listing says from stock; the seller told me it was made for me."
    s.say(days(5), "buyer", "AppealDispute", dispute_id="dispute-a", text=text)
    _decide(s, days(7), "grant", "listing-as-sold", "The listing is as the buyer says.")
    s.say(
        days(8) + hours(chance.uniform(1, 5)), "seller", "AppealDispute", dispute_id="dispute-a", text="No, it is not."
    )


@shows("dismissed")
def appealed_too_late(s: Story, chance: Random) -> None:
    """Denied, and appealed on the sixteenth day: dismissed."""
    _declined(s, chance)
    s.ship(hours(26))
    _open(s, hours(30))
    _decide(s, days(3), "deny", "mutual-consent-after-shipment", "It shipped before both sides had agreed.")
    s.deliver(days(5))
    after = days(18) + hours(chance.uniform(6, 12))
    s.say(after, "buyer", "AppealDispute", dispute_id="dispute-a", text="I was away.")


@shows("evidence too late")
def evidence_too_late(s: Story, chance: Random) -> None:
    """Ten days are over: what comes after is not taken, and it is decided on what is there."""
    _declined(s, chance)
    s.ship(hours(26))
    _open(s, hours(30))
    after = days(11) + hours(chance.uniform(8, 14))
    s.attach(after, "buyer", "dispute-a", "shot-1", "photo", origin="screenshot", source="the order page")


@shows("escalated", "more asked for")
def with_support(s: Story, chance: Random) -> None:
    """With support, who ask for more: it waits for the buyer's evidence."""
    _declined(s, chance)
    s.ship(hours(24))
    _open(s, hours(chance.uniform(25, 30)))
    _escalate(s, hours(31))
    asks = {"about": "dispute-a", "kinds": ["message", "receipt"], "until": s.at(days(9))}
    s.say(hours(36), "support", "RequestEvidence", **asks)
    text = "Please attach what the seller wrote to you."
    s.say(hours(36.5), "support", "SendMessage", message_id="m1", to="buyer", about="dispute-a", text=text)


@shows("just opened")
def just_opened(s: Story, chance: Random) -> None:
    """Declined this morning, disputed: nobody has escalated it yet."""
    _declined(s, chance)
    _open(s, hours(chance.uniform(19, 22)))
