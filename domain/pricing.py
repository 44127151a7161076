"""Computes the amounts of an order to be placed: line values, shares of discount and rounding, total.

See docs/reference/money.md.

This needs only the command, so amounts that do not add up are refused before the log is read.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from domain import events as e
from domain.errors import BadInput
from domain.facts import fact
from domain.money import exponent, in_words, largest_remainder, minor_units

LARGEST: Final = 2**53
"""The largest amount of an order, in minor units. Every reader can hold it exactly, JavaScript included."""


class PromisedListing(Protocol):
    """The listing of a line in the command. The SHA-256 is in hex."""

    @property
    def ref(self) -> str: ...
    @property
    def sha256(self) -> str: ...


class ToPriceLine(Protocol):
    """A line in the command. Amounts are decimal strings."""

    @property
    def line(self) -> int: ...
    @property
    def sku(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def unit_price(self) -> str: ...
    @property
    def title(self) -> str | None: ...
    @property
    def discount(self) -> str | None: ...
    @property
    def tax(self) -> str | None: ...
    @property
    def listing(self) -> PromisedListing | None: ...


class ToPrice(Protocol):
    """The fields of ``PlaceOrder`` that amounts depend on."""

    @property
    def currency(self) -> str: ...
    @property
    def lines(self) -> Sequence[ToPriceLine]: ...
    @property
    def tax_included(self) -> bool: ...
    @property
    def total(self) -> str | None: ...


@fact
class Priced:
    """The amounts of an order in minor units, and its lines with their refund values."""

    lines: tuple[e.PlacedLine, ...]
    discount: int
    shipping: int
    shipping_tax: int
    rounding: int
    total: int


def price(ask: ToPrice) -> Priced:
    """Compute the amounts of an order. Raises ``BadInput`` if they do not add up."""
    if exponent(ask.currency) is None:
        raise BadInput("/currency", "form", f"{ask.currency} is not a currency of ISO 4217 with minor units")
    discount, rounding = _minor(ask, "discount"), _minor(ask, "rounding")
    shipping, shipping_tax = _minor(ask, "shipping"), _minor(ask, "shipping_tax")
    lines = _placed_lines(ask, discount, rounding)
    goods = sum(line.quantity * line.unit_price - line.discount for line in lines)
    tax = 0 if ask.tax_included else sum(line.tax for line in lines) + shipping_tax
    total = goods + tax - discount + shipping + rounding
    if total > LARGEST:
        raise BadInput("/total", "form", "the order is larger than amounts can be")
    if ask.total is not None and _minor(ask, "total") != total:
        raise BadInput(
            "/total",
            "form",
            f"is {ask.total}, but lines, discounts, taxes, shipping and rounding add up to "
            f"{in_words(total, ask.currency)}",
        )
    return Priced(lines, discount, shipping, shipping_tax, rounding, total)


def _minor(ask: ToPrice, name: str) -> int:
    amount: str | None = getattr(ask, name)
    return 0 if amount is None else minor_units(amount, ask.currency, f"/{name}")


def _placed_lines(ask: ToPrice, discount_of_all: int, rounding: int) -> tuple[e.PlacedLine, ...]:
    """Return the lines in the order of their numbers, each with its share of the order's discount less rounding."""
    ordered = sorted(enumerate(ask.lines), key=lambda pair: pair[1].line)
    amounts = [_amounts(ask, line, i) for i, line in ordered]
    values = [n.quantity * price - discount for (_, n), (price, discount, _) in zip(ordered, amounts, strict=True)]
    for (i, _), value in zip(ordered, values, strict=True):
        if value < 0:
            raise BadInput(f"/lines/{i}/discount", "form", "the discount is larger than the line's value")
    shares = largest_remainder(discount_of_all - rounding, values)
    placed = []
    for (i, line), (price, discount, tax), value, share in zip(ordered, amounts, values, shares, strict=True):
        if value - share < 0:
            pointer = "/discount" if discount_of_all else "/rounding"
            raise BadInput(pointer, "form", f"its share makes line {line.line} (/lines/{i}) negative")
        placed.append(
            e.PlacedLine(
                line=line.line,
                sku=line.sku,
                title=line.title,
                quantity=line.quantity,
                unit_price=price,
                discount=discount,
                tax=tax,
                goods=value - share,
                refundable_tax=0 if ask.tax_included else tax,
                listing=None
                if line.listing is None
                else e.Listing(line.listing.ref, bytes.fromhex(line.listing.sha256)),
            )
        )
    return tuple(placed)


def _amounts(ask: ToPrice, line: ToPriceLine, i: int) -> tuple[int, int, int]:
    """Return unit price, discount and tax of a line in minor units."""
    at = f"/lines/{i}"
    price = minor_units(line.unit_price, ask.currency, f"{at}/unit_price")
    discount = minor_units(line.discount, ask.currency, f"{at}/discount") if line.discount else 0
    tax = minor_units(line.tax, ask.currency, f"{at}/tax") if line.tax else 0
    if line.quantity * price > LARGEST or tax > LARGEST:
        raise BadInput(f"{at}/unit_price", "form", "the line is larger than amounts can be")
    return price, discount, tax
