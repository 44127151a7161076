"""Every rule that a policy can list: one small named function each. See docs/reference/cancellation.md.

A rule looks at a ``RuleInput`` and speaks (a ``Ruling``) or keeps silent (None). A policy lists rules in the order in
which they are judged; the first that speaks decides (``judge``).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from domain.calendar import after
from domain.events import Instead
from domain.instants import LATEST, Instant
from domain.order import Line, Order
from domain.policy import Policy
from domain.reasons import BUYERS_REASONS
from domain.verdict import (
    ASK_THE_SELLER,
    CONTACT,
    OFFER_ALTERNATIVES,
    OPEN_CASE,
    PROPOSE,
    REFUSED,
    RETURN_AFTER_DELIVERY,
    SHIP_LESS,
    SHIP_THE_REST,
    WHOLE_LINE,
    Ruling,
    ask,
    fact,
    granted,
    instant,
    refused,
    wait_until,
)


@dataclass(slots=True)
class LineSelection:
    """What a question means of one line: units that are open, and units that shipped."""

    line: Line
    open: int
    shipped: int

    @property
    def units(self) -> int:
        return self.open + self.shipped


@dataclass(slots=True)
class RuleInput:
    """May these units be cancelled, at this instant, for this party? ``own`` is the seller's own cancellation."""

    order: Order
    policy: Policy
    now: Instant
    by: str
    own: bool
    named: bool
    targets: list[LineSelection]
    reason: str | None
    covered: frozenset[int] = frozenset()
    """Lines whose reason is a buyer's open request's."""
    asked_at: Instant | None = None
    """For what carries on after alternatives: windows as of the asking."""

    @property
    def window_at(self) -> Instant:
        """The instant by which windows are judged."""
        return self.now if self.asked_at is None else self.asked_at


Rule = Callable[[RuleInput], Ruling | None]
RULES: Final[dict[str, Rule]] = {}
"""Every rule a policy can list, by id."""
WINDOWS: Final = ("grace-window", "not-shipped-in-time", "request-window", "window-of-the-store")
LOCKS: Final = ("tracking-lock", "shipped-lock")
NOT_FOR_SELLERS_OWN: Final = frozenset({*WINDOWS, "accepted-offer-final", "alternatives-first", "seller-has-final-say"})


def rule(rule_id: str) -> Callable[[Rule], Rule]:
    """Register a rule under its id."""

    def register(function: Rule) -> Rule:
        RULES[rule_id] = function
        return function

    return register


def _shipped_instead(q: RuleInput) -> tuple[Instead, ...]:
    """What a buyer can do about what is gone; a seller sends nothing back."""
    if q.by == "seller":
        return (CONTACT,)
    if q.policy.returns is not None and q.policy.returns.reasons:
        return (RETURN_AFTER_DELIVERY, CONTACT)
    return (OPEN_CASE, CONTACT) if q.policy.cases is not None else (CONTACT,)


def _until_lost(q: RuleInput) -> tuple[Instead, ...]:
    """While a parcel shows no movement a lock holds only until it counts as lost (``stalled-tracking``)."""
    since = [stalled_since(q, target) for target in q.targets]
    known = [when for when in since if when is not None and when < LATEST]
    if q.own or not known or len(known) < len(since) or max(known) <= q.now:
        return ()
    return (wait_until(max(known)),)


# ---- locks -------------------------------------------------------------------------------------------------------


@rule("tracking-lock")
def tracking_lock(q: RuleInput) -> Ruling | None:
    """Once the carrier tracks the item, and until it is delivered, it can be neither cancelled nor returned."""
    for target in q.targets:
        line = target.line
        on_its_way = target.open or line.delivered < line.shipped
        if on_its_way and q.order.under_tracking(line.number):
            return refused(
                "tracking-lock",
                f"The carrier is already tracking line {line.number}, so it can no longer be cancelled.",
                fact("line", line.number),
                fact("under_tracking", True),
                instead=(*_until_lost(q), *_shipped_instead(q)),
            )
    return None


@rule("shipped-lock")
def shipped_lock(q: RuleInput) -> Ruling | None:
    """Nothing that has shipped can be cancelled."""
    if q.named:
        gone = next((t.line for t in q.targets if t.line.open == 0 and t.line.shipped), None)
    else:
        gone = next((x for x in q.order.lines.values() if x.shipped), None) if q.order.open_units == 0 else None
    if gone is None:
        return None
    what = f"Line {gone.number}" if q.named else "The order"
    if gone.canceled if q.named else any(line.canceled for line in q.order.lines.values()):
        what = f"What is left of {what[0].lower()}{what[1:]}"
    return refused(
        "shipped-lock",
        f"{what} has shipped, so it can no longer be cancelled.",
        fact("line", gone.number),
        fact("shipped", gone.shipped),
        fact("open", gone.open),
        instead=(*_until_lost(q), *_shipped_instead(q)),
    )


@rule("mutual-consent-after-shipment")
def mutual_consent_after_shipment(q: RuleInput) -> Ruling | None:
    """After shipment a cancellation stands only if both sides agree to it, each on the record."""
    gone = next((t for t in q.targets if t.shipped), None)
    if gone is None:
        return None
    inputs = fact("line", gone.line.number), fact("shipped", gone.shipped)
    if q.own:
        return refused(
            "mutual-consent-after-shipment",
            f"Line {gone.line.number} has shipped: it takes both sides' consent.",
            *inputs,
            instead=(PROPOSE,),
        )
    other = "seller" if q.by != "seller" else "buyer"
    return ask("mutual-consent-after-shipment", f"It has shipped: the {other} has to agree.", *inputs)


@rule("stalled-tracking")
def stalled_tracking(q: RuleInput) -> Ruling | None:
    """Marked shipped, but the carrier shows no movement for N days: the parcel counts as lost."""
    if q.policy.stalled_tracking is None or not q.targets:
        return None
    since = [stalled_since(q, target) for target in q.targets]
    known = [when for when in since if when is not None]
    if len(known) < len(since) or max(known) > q.now:
        return None
    return granted(
        "stalled-tracking",
        "The carrier has shown no movement for too long: the parcel counts as lost.",
        instant("stalled_from", max(known)),
    )


def stalled_since(q: RuleInput, target: LineSelection) -> Instant | None:
    """From when on a line's parcels count as lost; None while some of it is open, or none of it is under way."""
    length = q.policy.stalled_tracking
    if length is None or target.open or not target.shipped or not target.line.under_way:
        return None
    number, order = target.line.number, q.order
    announced = [s for s in order.shipments.values() if s.lines.get(number) and s.status in ("announced", "tracking")]
    if not announced:
        return None
    unannounced = [p for p in order.parcels if p.lines.get(number) and not p.delivered]
    last_seen = max(*(s.last_seen for s in announced), *(p.last_seen for p in unannounced), 0)
    return after(last_seen, length.after, order.terms.calendar)


# ---- lines and reasons -------------------------------------------------------------------------------------------


@rule("whole-lines-only")
def whole_lines_only(q: RuleInput) -> Ruling | None:
    """Lines can be selected; part of a line's open quantity cannot."""
    for target in q.targets:
        if target.open and target.open < target.line.open:
            return refused(
                "whole-lines-only",
                f"Line {target.line.number} can be cancelled whole ({target.line.open}), not {target.open} of it.",
                fact("line", target.line.number),
                fact("asked", target.open),
                fact("open", target.line.open),
                instead=_part_of_a_line(q),
            )
    return None


def _part_of_a_line(q: RuleInput) -> tuple[Instead, ...]:
    """What leads to a part of a line. Under fill-or-kill a shipping notice for the rest of it does, and to cancel the
    whole line would lose what can still ship."""
    if not q.policy.fill_or_kill:
        return (WHOLE_LINE,)
    return (WHOLE_LINE, SHIP_LESS) if q.by == "buyer" else (SHIP_THE_REST, WHOLE_LINE)


@rule("reason-required")
def reason_required(q: RuleInput) -> Ruling | None:
    """A cancellation carries a reason from the policy's list; for what a buyer asked for, the buyer's."""
    if q.reason is not None:
        return _off_the_list(q)
    bare = next((t.line.number for t in q.targets if t.line.number not in q.covered), None)
    if bare is None:
        return None
    return refused("reason-required", f"Line {bare} needs a reason to be cancelled.", fact("line", bare))


def _off_the_list(q: RuleInput) -> Ruling | None:
    if q.reason is None or q.reason in q.policy.reasons:
        return None
    listed = [each for each in q.policy.reasons if q.by != "buyer" or each in BUYERS_REASONS]
    return refused(
        "reason-required",
        f"{q.reason} is not among the reasons that the policy of this order takes: {', '.join(listed)}."
        if listed
        else f"{q.reason} is not among the reasons that the policy of this order takes.",
        fact("reason", q.reason),
    )


# ---- windows -----------------------------------------------------------------------------------------------------


@rule("grace-window")
def grace_window(q: RuleInput) -> Ruling | None:
    """Bought by accident: free to cancel until the window closes, its last instant included."""
    closes = grace_closes(q)
    if q.window_at > closes:
        return None
    return granted("grace-window", "Bought by accident: it can be cancelled without asking.", instant("until", closes))


def grace_closes(q: RuleInput) -> Instant:
    return after(q.order.placed_at, q.policy.grace_window.length, q.order.terms.calendar)


@rule("not-shipped-in-time")
def not_shipped_in_time(q: RuleInput) -> Ruling | None:
    """Not shipped N days after purchase (or ship-by): from then on the buyer may cancel without asking."""
    opens = late_from(q)
    if opens is None or q.window_at < opens or not all(t.open and not t.shipped for t in q.targets):
        return None
    return granted("not-shipped-in-time", "It has not shipped in time.", instant("since", opens))


def late_from(q: RuleInput) -> Instant | None:
    """From when on it has not shipped in time; None where that never comes."""
    terms = q.policy.not_shipped_in_time
    start = q.order.placed_at if terms.from_ == "purchase" else q.order.ship_by
    opens = LATEST if start is None else after(start, terms.after, q.order.terms.calendar)
    return None if opens >= LATEST else opens


@rule("accepted-offer-final")
def accepted_offer_final(q: RuleInput) -> Ruling | None:
    """An order that came from an accepted offer is final."""
    sale = q.order.terms.sale_format
    if sale not in q.policy.accepted_offer_final.formats:
        return None
    opens = late_from(q) if q.policy.lists("not-shipped-in-time") else None
    later = (wait_until(opens),) if opens is not None and opens > q.now else ()
    return refused(
        "accepted-offer-final",
        "The order came from an accepted offer, so the sale is final.",
        fact("sale_format", sale),
        instead=(*later, CONTACT),
    )


@rule("request-window")
def request_window(q: RuleInput) -> Ruling | None:
    """A buyer may ask until the window closes; after it, refused."""
    closes = request_closes(q)
    if q.window_at <= closes:
        return None
    return refused(
        "request-window",
        "The time in which a cancellation can be asked for is over.",
        instant("until", closes),
        instead=_shipped_instead(q),
    )


def request_closes(q: RuleInput) -> Instant:
    return after(q.order.placed_at, q.policy.request_window.length, q.order.terms.calendar)


@rule("window-of-the-store")
def window_of_the_store(q: RuleInput) -> Ruling | None:
    """A store lets buyers cancel until a stated time, or until it has begun to pick, pack or label."""
    terms = q.policy.window_of_the_store
    if terms.stage is not None:
        begun = next((t.line for t in q.targets if _begun(t.line, q)), None)
        if begun is not None:
            return refused(
                "window-of-the-store",
                f"Line {begun.number} is already in the shipping process.",
                fact("line", begun.number),
                instant("fulfilment_started_at", begun.fulfilment_at or 0),
                instead=_store_instead(q),
            )
    closes = store_closes(q)
    if closes is not None and q.window_at > closes:
        return refused(
            "window-of-the-store",
            "The store's time to cancel is over.",
            instant("until", closes),
            instead=_store_instead(q),
        )
    inputs = () if closes is None else (instant("until", closes),)
    return granted("window-of-the-store", "The store lets you cancel it.", *inputs)


def _store_instead(q: RuleInput) -> tuple[Instead, ...]:
    return (CONTACT, *(each for each in _shipped_instead(q) if each is not CONTACT))


def _begun(line: Line, q: RuleInput) -> bool:
    return line.fulfilment_at is not None and (q.asked_at is None or line.fulfilment_at <= q.asked_at)


def store_closes(q: RuleInput) -> Instant | None:
    length = q.policy.window_of_the_store.length
    return None if length is None else after(q.order.placed_at, length, q.order.terms.calendar)


# ---- who decides -------------------------------------------------------------------------------------------------


@rule("seller-has-final-say")
def seller_has_final_say(q: RuleInput) -> Ruling | None:
    """Outside the windows a buyer's request needs the seller's decision."""
    return ask("seller-has-final-say", "The seller has to agree.")


def alternatives_first(q: RuleInput, behind: Ruling) -> Ruling | None:
    """Before a request is carried out the store may offer alternatives; only where the rest would grant or ask."""
    if behind.outcome == REFUSED:
        return None
    offers = ", ".join(q.policy.alternatives_first.offers)
    return Ruling(
        OFFER_ALTERNATIVES,
        "alternatives-first",
        f"Before it is cancelled the store offers: {offers}.",
        (fact("offers", offers), *behind.inputs),
        (),
        behind,
    )


def judge(q: RuleInput) -> Ruling:
    """The policy's list, in its order; the first rule that speaks decides."""
    listed = [r for r in q.policy.rules if not r.endswith("-auto-cancel")]
    if q.policy.stalled_tracking is not None:
        listed = ["stalled-tracking", *(r for r in listed if r != "stalled-tracking")]
    if q.own:
        listed = [r for r in listed if r not in NOT_FOR_SELLERS_OWN and r != "stalled-tracking"]
    ruling = _judge_from(q, listed, 0)
    if ruling.outcome != REFUSED and (wrong := _off_the_list(q)) is not None:
        return wrong
    return ruling


def _judge_from(q: RuleInput, listed: list[str], start: int) -> Ruling:
    for i in range(start, len(listed)):
        if listed[i] == "alternatives-first":
            if q.asked_at is not None or q.by == "seller":
                continue
            ruling = alternatives_first(q, _judge_from(q, listed, i + 1))
        else:
            ruling = RULES[listed[i]](q)
        if ruling is not None:
            return ruling
    if q.own:
        return granted("seller-has-final-say", "The seller cancels it.")
    last = next((r for r in reversed(listed) if r in WINDOWS), "seller-has-final-say")
    opens = late_from(q) if "not-shipped-in-time" in listed else None
    if "grace-window" in listed:
        because = "No rule of this order's policy allows it any more."
    elif opens is not None:
        because = "No rule of this order's policy allows it now."
    else:
        because = "The policy of this order does not allow it."
    later = (wait_until(opens),) if opens is not None and opens > q.now else ()
    ask_first = (ASK_THE_SELLER,) if q.policy.lists("seller-has-final-say") else ()
    return refused(last, because, instead=(*later, *ask_first, CONTACT))


def locks(q: RuleInput) -> Ruling | None:
    """The locks of the policy alone, as of now: for approving, for silence, for carrying on after alternatives."""
    for rule_id in q.policy.rules:
        if rule_id in LOCKS and (ruling := RULES[rule_id](q)) is not None:
            return ruling
    return None


def turning_points(q: RuleInput) -> Iterator[Instant]:
    """Instants at which a window of the policy opens or closes: a closed one a microsecond after its last instant."""
    listed = q.policy.rules
    if "grace-window" in listed:
        yield grace_closes(q) + 1
    if "request-window" in listed:
        yield request_closes(q) + 1
    if "window-of-the-store" in listed and (closes := store_closes(q)) is not None:
        yield closes + 1
    if "not-shipped-in-time" in listed and (opens := late_from(q)) is not None:
        yield opens
    for target in q.targets:
        if (since := stalled_since(q, target)) is not None:
            yield since
