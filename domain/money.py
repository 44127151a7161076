"""Money: integer minor units of an ISO 4217 currency, and exact shares of an amount.

See docs/reference/money.md.

The shares always add up to the whole, in whatever order they are computed (rule ``money-adds-up``).
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache

from domain.errors import BadInput


@cache
def exponent(currency: str) -> int | None:
    """Return the number of decimals of a currency in ISO 4217; None if the code is not a currency in use."""
    from iso4217 import Currency  # late: most commands name no currency

    try:
        found = Currency(currency)
    except ValueError:
        return None
    decimals: int | None = found.exponent
    return decimals


def minor_units(amount: str, currency: str, pointer: str) -> int:
    """Convert a decimal string to minor units. Raises ``BadInput`` if it has more decimals than the currency."""
    decimals = exponent(currency)
    if decimals is None:
        raise BadInput("/currency", "form", f"{currency} is not a currency of ISO 4217 with minor units")
    whole, _, fraction = amount.partition(".")
    if len(fraction) > decimals:
        raise BadInput(pointer, "form", f"{currency} has {decimals} decimals, {amount} has {len(fraction)}")
    return int(whole + fraction.ljust(decimals, "0")) if whole not in ("-", "") else 0


def nearest_minor_units(amount: str, currency: str) -> int:
    """Convert a decimal string to minor units, rounded half to even, for a currency that ``exponent`` knows."""
    return int(Decimal(amount).scaleb(exponent(currency) or 0).to_integral_value(ROUND_HALF_EVEN))


def written(amount: int, currency: str) -> str:
    """Convert minor units to a decimal string, as in commands: 1234 of USD is ``12.34``.

    This is the inverse of ``minor_units``, for a currency that ``exponent`` knows.
    """
    places = exponent(currency) or 0
    return f"{Decimal(amount).scaleb(-places):.{places}f}"


def in_words(amount: int, currency: str) -> str:
    """Format minor units for a person: 1234 of USD is ``12.34 USD``."""
    return f"{written(amount, currency)} {currency}"


def share_of_units(amount: int, units: int, first: int) -> int:
    """Return the share of ``amount`` for the first ``first`` of ``units`` units: ceil(k · t / n)."""
    return -(-first * amount // units)


def largest_remainder(amount: int, weights: Sequence[int]) -> list[int]:
    """Share ``amount`` exactly by weight, by the largest remainder. Ties go to the first part.

    A negative amount is shared by its absolute value. If all weights are 0, the first part gets everything.
    """
    if amount < 0:
        return [-part for part in largest_remainder(-amount, weights)]
    total = sum(weights)
    if total == 0:
        return [amount, *[0] * (len(weights) - 1)]
    parts = [amount * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % total), i))
    for i in by_remainder[: amount - sum(parts)]:
        parts[i] += 1
    return parts
