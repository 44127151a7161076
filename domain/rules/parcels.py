"""Rules about shipped units: parcels that count as lost, locks, and consent after shipment."""

from collections.abc import Iterator
from typing import Annotated

from domain.calendar import Length, after
from domain.events import Instead
from domain.instants import LATEST, Instant
from domain.policy_terms import SILENCE_KEY, Key, LengthField, Silence, Table, answer_within
from domain.rules.registry import Binds, Kind, LineSelection, Rule, RuleInput, register
from domain.verdict import (
    CONTACT,
    OPEN_CASE,
    PROPOSE,
    REPORT_LOST,
    RETURN_AFTER_DELIVERY,
    Ruling,
    ask,
    fact,
    granted,
    instant,
    refused,
    wait_until,
)


class StalledTracking(Table):
    """Parameters of ``stalled-tracking``."""

    after: Annotated[
        LengthField, Key("length", lambda v: f"A parcel that the carrier has not scanned for {v} counts as lost.")
    ] = Length(7, "days")


def stalled_since(q: RuleInput, target: LineSelection) -> Instant | None:
    """Return when a line's parcels begin to count as lost; None while units are open or none are under way."""
    terms = q.policy.terms_if_on(StalledTracking)
    if terms is None or target.open or not target.shipped or not target.line.under_way:
        return None
    number, order = target.line.number, q.order
    announced = [s for s in order.shipments.values() if s.status in ("announced", "tracking") and s.to_deliver(number)]
    if not announced:
        return None
    unannounced = [p for p in order.parcels if p.lines.get(number) and not p.delivered]
    last_seen = max(*(s.last_seen for s in announced), *(p.last_seen for p in unannounced), 0)
    return after(last_seen, terms.after, order.terms.calendar)


def _each_stalled_since(q: RuleInput, _: StalledTracking) -> Iterator[Instant]:
    for target in q.targets:
        if (since := stalled_since(q, target)) is not None:
            yield since


@register(
    Rule(
        "stalled-tracking",
        "Marked shipped and no movement for too long: a request is granted again.",
        Kind.CONDITION,
        {"en": "The parcel has not moved for too long.", "de": "Die Sendung hat sich zu lange nicht bewegt."},
        binds=Binds.REQUESTS,
        terms=StalledTracking,
        table_is_enough=True,
        allows=True,
        changes=_each_stalled_since,
    )
)
def stalled_tracking(q: RuleInput, _: StalledTracking) -> Ruling | None:
    """Marked shipped, but the carrier shows no movement for N days: the parcel counts as lost."""
    if not q.targets:
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


def instead_of_shipped(q: RuleInput) -> tuple[Instead, ...]:
    """Return the options for shipped units. Only a buyer can return them."""
    if q.by == "seller":
        return (CONTACT,)
    lost = () if q.own else (REPORT_LOST,)
    if q.policy.returns is not None and q.policy.returns.reasons:
        return (RETURN_AFTER_DELIVERY, *lost, CONTACT)
    return (OPEN_CASE, *lost, CONTACT) if q.policy.cases is not None else (*lost, CONTACT)


def _until_lost(q: RuleInput) -> tuple[Instead, ...]:
    """Return the option to wait until the parcels count as lost, which ends a lock (``stalled-tracking``)."""
    since = [stalled_since(q, target) for target in q.targets]
    known = [when for when in since if when is not None and when < LATEST]
    if q.own or not known or len(known) < len(since) or max(known) <= q.now:
        return ()
    return (wait_until(max(known)),)


@register(
    Rule(
        "shipped-lock",
        "Nothing that has shipped can be canceled.",
        Kind.LOCK,
        {"en": "It has already shipped.", "de": "Sie ist bereits versandt."},
    )
)
def shipped_lock(q: RuleInput) -> Ruling | None:
    """Nothing that has shipped can be canceled."""
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
        instead=(*_until_lost(q), *instead_of_shipped(q)),
    )


@register(
    Rule(
        "tracking-lock",
        "Once the carrier tracks the item, it can be neither canceled nor, before delivery, returned.",
        Kind.LOCK,
        {"en": "The carrier already has it.", "de": "Der Zusteller hat die Sendung bereits."},
    )
)
def tracking_lock(q: RuleInput) -> Ruling | None:
    """Once the carrier tracks the item, and until it is delivered, it can be neither canceled nor returned."""
    for target in q.targets:
        line = target.line
        on_its_way = target.open or line.delivered < line.shipped
        if on_its_way and q.order.under_tracking(line.number):
            return refused(
                "tracking-lock",
                f"The carrier is already tracking line {line.number}, so it can no longer be cancelled.",
                fact("line", line.number),
                fact("under_tracking", True),
                instead=(*_until_lost(q), *instead_of_shipped(q)),
            )
    return None


class MutualConsent(Table):
    """Parameters of ``mutual-consent-after-shipment``."""

    deadline: Annotated[LengthField | None, answer_within("The other side")] = None
    silence: Annotated[Silence, SILENCE_KEY] = "stays"


@register(
    Rule(
        "mutual-consent-after-shipment",
        "After shipment a cancellation is valid only if both sides agree to it.",
        Kind.CONSENT,
        {
            "en": "It has shipped, so both sides would have to agree.",
            "de": "Sie ist versandt, daher müssten beide Seiten zustimmen.",
        },
        terms=MutualConsent,
        allows=True,
    )
)
def mutual_consent_after_shipment(q: RuleInput, _: MutualConsent) -> Ruling | None:
    """After shipment a cancellation is valid only if both sides agree to it, each on the record."""
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
