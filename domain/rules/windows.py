"""Rules whose answer depends on the time since the purchase, and the rule for final sales."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from domain.calendar import Length, after
from domain.events import Instead
from domain.instants import LATEST, Instant
from domain.order import Line
from domain.policy_terms import Key, LengthField, Table, listed
from domain.rules.parcels import instead_of_shipped
from domain.rules.registry import Binds, Kind, Rule, RuleInput, register
from domain.verdict import CONTACT, Ruling, fact, granted, instant, refused, wait_until


class NotShippedInTime(Table):
    """Parameters of ``not-shipped-in-time``."""

    after: Annotated[LengthField, Key("length", lambda v: f"Applies from {v} on, inclusive.")] = Length(7, "days")
    from_: Annotated[
        Literal["purchase", "ship-by"], Key("`purchase` or `ship-by`", lambda v: f"The time is counted from the {v}.")
    ] = Field(default="purchase", alias="from")


def late_from(q: RuleInput, terms: NotShippedInTime) -> Instant | None:
    """Return when an unshipped order becomes late; None if it never does."""
    start = q.order.placed_at if terms.from_ == "purchase" else q.order.ship_by
    opens = LATEST if start is None else after(start, terms.after, q.order.terms.calendar)
    return None if opens >= LATEST else opens


@register(
    Rule(
        "not-shipped-in-time",
        "If an order is not shipped in time, the buyer may cancel it without approval.",
        Kind.WINDOW,
        {
            "en": "It is not late enough yet to cancel it without approval.",
            "de": "Für eine Stornierung ohne Zustimmung ist es noch zu früh.",
        },
        binds=Binds.REQUESTS,
        terms=NotShippedInTime,
        allows=True,
        opens=late_from,
    )
)
def not_shipped_in_time(q: RuleInput, terms: NotShippedInTime) -> Ruling | None:
    """From N days after the purchase (or ship-by), the buyer may cancel unshipped units without approval."""
    opens = late_from(q, terms)
    if opens is None or q.window_at < opens or not all(t.open and not t.shipped for t in q.targets):
        return None
    return granted("not-shipped-in-time", "It has not shipped in time.", instant("since", opens))


FORMATS: Final[Mapping[str, str]] = {
    "fixed": "at a fixed price",
    "offer": "from an accepted offer",
    "auction": "by auction",
}


class AcceptedOfferFinal(Table):
    """Parameters of ``accepted-offer-final``."""

    formats: Annotated[
        tuple[Literal["fixed", "offer", "auction"], ...],
        Key(
            "sale formats that are final, of `fixed`, `offer` and `auction`",
            lambda v: f"Sales {listed((FORMATS[f] for f in v), 'or')} are final.",
        ),
    ] = ("offer",)


@register(
    Rule(
        "accepted-offer-final",
        "An order that came from an accepted offer has no grace window, because the sale is final.",
        Kind.CONDITION,
        {
            "en": "It came from an accepted offer, and such a sale is final.",
            "de": "Sie kam durch ein angenommenes Angebot zustande, und ein solcher Kauf ist endgültig.",
        },
        binds=Binds.REQUESTS,
        terms=AcceptedOfferFinal,
    )
)
def accepted_offer_final(q: RuleInput, terms: AcceptedOfferFinal) -> Ruling | None:
    """An order that came from an accepted offer is final."""
    sale = q.order.terms.sale_format
    if sale not in terms.formats:
        return None
    opens = late_from(q, q.policy.terms(NotShippedInTime)) if q.policy.lists("not-shipped-in-time") else None
    later = (wait_until(opens),) if opens is not None and opens > q.now else ()
    return refused(
        "accepted-offer-final",
        "The order came from an accepted offer, so the sale is final.",
        fact("sale_format", sale),
        instead=(*later, CONTACT),
    )


_UNTIL: Final = Key("length", lambda v: f"Applies until {v} after the order was placed, inclusive.")


class _AfterPlacing(Table):
    """Parameters of a window that begins when the order is placed."""

    length: Annotated[LengthField, _UNTIL]


def window_closes(q: RuleInput, terms: _AfterPlacing) -> Instant:
    """Return the last instant of a window that begins when the order is placed."""
    return after(q.order.placed_at, terms.length, q.order.terms.calendar)


class GraceWindow(_AfterPlacing):
    """Parameters of ``grace-window``."""

    length: Annotated[LengthField, _UNTIL] = Length(3, "hours")


@register(
    Rule(
        "grace-window",
        "A buyer who bought by accident may cancel without approval until the window closes.",
        Kind.WINDOW,
        {
            "en": "The time to cancel it without approval is over.",
            "de": "Die Frist für eine Stornierung ohne Zustimmung ist abgelaufen.",
        },
        binds=Binds.REQUESTS,
        terms=GraceWindow,
        allows=True,
        closes=window_closes,
    )
)
def grace_window(q: RuleInput, terms: GraceWindow) -> Ruling | None:
    """After an accidental purchase, the buyer may cancel until the window closes, its last instant included."""
    closes = window_closes(q, terms)
    if q.window_at > closes:
        return None
    return granted(
        "grace-window", "Bought by accident, so it can be canceled without approval.", instant("until", closes)
    )


class RequestWindow(_AfterPlacing):
    """Parameters of ``request-window``."""

    length: Annotated[LengthField, _UNTIL] = Length(60, "minutes")


@register(
    Rule(
        "request-window",
        "A buyer may request a cancellation until the window closes. Later requests are refused.",
        Kind.WINDOW,
        {
            "en": "The time to ask for a cancellation is over.",
            "de": "Die Frist für eine Stornierungsanfrage ist abgelaufen.",
        },
        binds=Binds.REQUESTS,
        terms=RequestWindow,
        closes=window_closes,
    )
)
def request_window(q: RuleInput, terms: RequestWindow) -> Ruling | None:
    """A buyer may request a cancellation until the window closes. Later requests are refused."""
    closes = window_closes(q, terms)
    if q.window_at <= closes:
        return None
    return refused(
        "request-window",
        "The time to request a cancellation is over.",
        instant("until", closes),
        instead=instead_of_shipped(q),
    )


class WindowOfTheStore(Table):
    """Parameters of ``window-of-the-store``."""

    length: Annotated[
        LengthField | None,
        Key(
            "length; absent: no time ends the window",
            lambda v: (
                "The window has no time limit."
                if v is None
                else f"Applies until {v} after the order was placed, inclusive."
            ),
        ),
    ] = None
    stage: Annotated[
        Literal["until-fulfilment"] | None,
        Key(
            "the stage that ends the window: `until-fulfilment`",
            lambda v: (
                "Fulfillment does not end the window."
                if v is None
                else "It ends when fulfillment of a requested line begins."
            ),
        ),
    ] = None


def store_closes(q: RuleInput, terms: WindowOfTheStore) -> Instant | None:
    """Return the last instant of the store's window; None if it has no time limit."""
    return None if terms.length is None else after(q.order.placed_at, terms.length, q.order.terms.calendar)


@register(
    Rule(
        "window-of-the-store",
        "A store lets buyers cancel until a stated time or stage.",
        Kind.WINDOW,
        {
            "en": "The store's cancellation window is over.",
            "de": "Die Stornierungsfrist des Händlers ist abgelaufen.",
        },
        binds=Binds.REQUESTS,
        terms=WindowOfTheStore,
        allows=True,
        always_speaks=True,
        closes=store_closes,
    )
)
def window_of_the_store(q: RuleInput, terms: WindowOfTheStore) -> Ruling | None:
    """A store lets buyers cancel until a stated time, or until it has begun to pick, pack or label."""
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
    closes = store_closes(q, terms)
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
    return (CONTACT, *(each for each in instead_of_shipped(q) if each is not CONTACT))


def _begun(line: Line, q: RuleInput) -> bool:
    return line.fulfilment_at is not None and (q.requested_at is None or line.fulfilment_at <= q.requested_at)
