"""Money: integer minor units of an ISO 4217 currency, and how one amount is shared exactly.

See docs/reference/money.md.

Every share sums to the whole, whatever the order in which the parts are asked for (rule ``money-adds-up``).
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import cache

from domain.errors import BadInput


@cache
def exponent(currency: str) -> int | None:
    """How many decimals ISO 4217 gives the currency; None for a code that is not a currency in use."""
    from iso4217 import Currency  # late: most commands name no currency

    try:
        found = Currency(currency)
    except ValueError:
        return None
    decimals: int | None = found.exponent
    return decimals


def minor_units(amount: str, currency: str, pointer: str) -> int:
    """A decimal string as minor units; ``BadInput`` where it has more decimals than the currency."""
    decimals = exponent(currency)
    if decimals is None:
        raise BadInput("/currency", "form", f"{currency} is not a currency of ISO 4217 with minor units")
    whole, _, fraction = amount.partition(".")
    if len(fraction) > decimals:
        raise BadInput(pointer, "form", f"{currency} has {decimals} decimals, {amount} has {len(fraction)}")
    return int(whole + fraction.ljust(decimals, "0")) if whole not in ("-", "") else 0


def written(amount: int, currency: str) -> str:
    """Minor units as commands write them, the other way of ``minor_units``: 1234 of USD is ``12.34``. For a currency
    that ``exponent`` knows."""
    places = exponent(currency) or 0
    return f"{Decimal(amount).scaleb(-places):.{places}f}"


def in_words(amount: int, currency: str) -> str:
    """Minor units as a person reads them: 1234 of USD is ``12.34 USD``."""
    return f"{written(amount, currency)} {currency}"


def share_of_units(amount: int, units: int, first: int) -> int:
    """What the first ``first`` of ``units`` units carry of ``amount``: k·(t div n) + min(k, t mod n)."""
    each, rest = divmod(amount, units)
    return first * each + min(first, rest)


def largest_remainder(amount: int, weights: Sequence[int]) -> list[int]:
    """Share ``amount`` by weight, exactly: largest remainder, ties to the first; a negative one by its absolute value.

    All weights 0: everything to the first.
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
