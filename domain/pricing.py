"""Computes the amounts of an order to be placed: line values, shares of discount and rounding, fees, total.

See docs/reference/money.md.

This needs only the command, so amounts that do not add up are refused before the log is read.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from domain import events as e
from domain.errors import BadInput
from domain.facts import fact
from domain.money import exponent, in_words, largest_remainder, minor_units, nearest_minor_units

LARGEST: Final = 2**53
"""The largest amount of an order, in minor units. Every reader can hold it exactly, JavaScript included."""
MOST_DECIMALS: Final = 6
"""Decimals of a unit price beside an amount."""


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
    def unit_price(self) -> str | None: ...
    @property
    def amount(self) -> str | None: ...
    @property
    def title(self) -> str | None: ...
    @property
    def discount(self) -> str | None: ...
    @property
    def tax(self) -> str | None: ...
    @property
    def shipping(self) -> str | None: ...
    @property
    def shipping_tax(self) -> str | None: ...
    @property
    def listing(self) -> PromisedListing | None: ...
    @property
    def part_of(self) -> int | None: ...


class ToPriceFee(Protocol):
    """A fee in the command. Amounts are decimal strings."""

    @property
    def fee_id(self) -> str: ...
    @property
    def amount(self) -> str: ...
    @property
    def title(self) -> str | None: ...
    @property
    def tax(self) -> str | None: ...
    @property
    def refundable(self) -> str: ...


class ToPrice(Protocol):
    """The fields of ``PlaceOrder`` that amounts depend on."""

    @property
    def currency(self) -> str: ...
    @property
    def lines(self) -> Sequence[ToPriceLine]: ...
    @property
    def fees(self) -> Sequence[ToPriceFee]: ...
    @property
    def tax_included(self) -> bool: ...
    @property
    def total(self) -> str | None: ...


@fact
class Priced:
    """The amounts of an order in minor units, its lines with their refund values, and its fees."""

    lines: tuple[e.PlacedLine, ...]
    discount: int
    shipping: int
    shipping_tax: int
    rounding: int
    total: int
    fees: tuple[e.PlacedFee, ...] = ()


def price(ask: ToPrice) -> Priced:
    """Compute the amounts of an order. Raises ``BadInput`` if they do not add up."""
    if exponent(ask.currency) is None:
        raise BadInput("/currency", "form", f"{ask.currency} is not a currency of ISO 4217 with minor units")
    discount, rounding = _minor(ask, "discount"), _minor(ask, "rounding")
    shipping, shipping_tax = _minor(ask, "shipping"), _minor(ask, "shipping_tax")
    lines = _placed_lines(ask, discount, rounding)
    fees = tuple(_placed_fee(ask, fee, f"/fees/{i}") for i, fee in enumerate(ask.fees))
    total = sum(line.before_discount - line.discount + line.shipping for line in lines) + sum(x.amount for x in fees)
    if not ask.tax_included:
        total += sum(line.tax + line.shipping_tax for line in lines) + sum(x.tax for x in fees) + shipping_tax
    total += shipping + rounding - discount
    if total > LARGEST:
        raise BadInput("/total", "form", "the order is larger than amounts can be")
    if ask.total is not None and _minor(ask, "total") != total:
        raise BadInput(
            "/total",
            "form",
            f"is {ask.total}, but lines, discounts, taxes, shipping{', fees' if fees else ''} and rounding add up to "
            f"{in_words(total, ask.currency)}",
        )
    return Priced(lines, discount, shipping, shipping_tax, rounding, total, fees)


def _minor(ask: ToPrice, name: str) -> int:
    amount: str | None = getattr(ask, name)
    return 0 if amount is None else minor_units(amount, ask.currency, f"/{name}")


def _placed_fee(ask: ToPrice, fee: ToPriceFee, at: str) -> e.PlacedFee:
    amount = _amount(ask, fee.amount, f"{at}/amount")
    tax = _amount(ask, fee.tax, f"{at}/tax")
    return e.PlacedFee(fee.fee_id, fee.title, amount, tax, 0 if ask.tax_included else tax, fee.refundable)


def _placed_lines(ask: ToPrice, discount_of_all: int, rounding: int) -> tuple[e.PlacedLine, ...]:
    """Return the lines in the order of their numbers, each with its share of the order's discount less rounding."""
    ordered = sorted(enumerate(ask.lines), key=lambda pair: pair[1].line)
    amounts = [_amounts(ask, line, f"/lines/{i}") for i, line in ordered]
    values = [of_line.goods - of_line.discount for of_line in amounts]
    for (i, _), value in zip(ordered, values, strict=True):
        if value < 0:
            raise BadInput(f"/lines/{i}/discount", "form", "the discount is larger than the line's value")
    shares = largest_remainder(discount_of_all - rounding, values)
    placed = []
    for (i, line), of_line, value, share in zip(ordered, amounts, values, shares, strict=True):
        if value - share < 0:
            pointer = "/discount" if discount_of_all else "/rounding"
            raise BadInput(pointer, "form", f"its share makes line {line.line} (/lines/{i}) negative")
        given = line.amount is not None
        placed.append(
            e.PlacedLine(
                line=line.line,
                sku=line.sku,
                title=line.title,
                quantity=line.quantity,
                unit_price=of_line.unit_price,
                discount=of_line.discount,
                tax=of_line.tax,
                goods=value - share,
                refundable_tax=0 if ask.tax_included else of_line.tax,
                listing=None
                if line.listing is None
                else e.Listing(line.listing.ref, bytes.fromhex(line.listing.sha256)),
                shipping=of_line.shipping,
                shipping_tax=of_line.shipping_tax,
                refundable_shipping_tax=0 if ask.tax_included else of_line.shipping_tax,
                amount=of_line.goods if given else None,
                price=line.unit_price if given else None,
                part_of=line.part_of,
            )
        )
    return tuple(placed)


class _Amounts(NamedTuple):
    """The amounts of a line in minor units. ``goods`` is before the discount."""

    unit_price: int
    goods: int
    discount: int
    tax: int
    shipping: int
    shipping_tax: int


def _amounts(ask: ToPrice, line: ToPriceLine, at: str) -> _Amounts:
    unit_price, goods = _goods(ask, line, at)
    found = _Amounts(
        unit_price,
        goods,
        _amount(ask, line.discount, f"{at}/discount"),
        _amount(ask, line.tax, f"{at}/tax"),
        _amount(ask, line.shipping, f"{at}/shipping"),
        _amount(ask, line.shipping_tax, f"{at}/shipping_tax"),
    )
    if goods > LARGEST or unit_price > LARGEST or found.tax > LARGEST:
        raise BadInput(f"{at}/unit_price", "form", "the line is larger than amounts can be")
    return found


def _goods(ask: ToPrice, line: ToPriceLine, at: str) -> tuple[int, int]:
    """Return unit price and goods before the discount. Beside an amount, the unit price is only information."""
    if line.amount is None:
        if line.unit_price is None:
            raise BadInput(f"{at}/unit_price", "form", "the field is required, unless the line has an amount")
        unit_price = minor_units(line.unit_price, ask.currency, f"{at}/unit_price")
        return unit_price, line.quantity * unit_price
    goods = minor_units(line.amount, ask.currency, f"{at}/amount")
    if line.unit_price is None:
        return goods // line.quantity, goods
    if len(line.unit_price.partition(".")[2]) > MOST_DECIMALS:
        raise BadInput(f"{at}/unit_price", "form", f"must have at most {MOST_DECIMALS} decimals")
    return nearest_minor_units(line.unit_price, ask.currency), goods


def _amount(ask: ToPrice, amount: str | None, at: str) -> int:
    found = minor_units(amount, ask.currency, at) if amount else 0
    if found > LARGEST:
        raise BadInput(at, "form", "the amount is larger than amounts can be")
    return found
