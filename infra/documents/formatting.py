"""Writes money, times, time left and ids for the pages."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from domain.calendar import local_time, zone
from domain.instants import DAY, HOUR, MINUTE, Instant, format_instant
from domain.money import exponent
from domain.wording import counted

MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
MINUS: Final = "−"
NO_BREAK: Final = "\u00a0"
"""Between a number and its unit, to keep both on one line."""


def number(value: int) -> str:
    """Write a whole number with grouped thousands: 1,204."""
    return f"{value:,}".replace("-", MINUS)


def amount(minor: int, currency: str) -> str:
    """Write minor units as a decimal without the currency: 1,204.50."""
    decimals = exponent(currency) or 0
    whole, fraction = divmod(abs(minor), 10**decimals)
    sign = MINUS if minor < 0 else ""
    return f"{sign}{whole:,}" + (f".{fraction:0{decimals}}" if decimals else "")


def money(minor: int, currency: str) -> str:
    """Write minor units with the currency's code: 21.50 EUR."""
    return f"{amount(minor, currency)} {currency}"


def local_zone(name: str) -> ZoneInfo:
    """Return a time zone by name; UTC if this machine does not know it."""
    try:
        return zone(name)
    except ValueError:
        return zone("UTC")


def _local(instant: Instant, timezone: str) -> datetime:
    return local_time(instant, local_zone(timezone).key)


def moment(instant: Instant, timezone: str) -> str:
    """Write an instant in a zone: 2 March 2026, 10:42."""
    local = _local(instant, timezone)
    return f"{local.day} {MONTHS[local.month - 1]} {local.year}, {local.hour:02}:{local.minute:02}"


def short_moment(instant: Instant, timezone: str, now: Instant) -> str:
    """Write an instant briefly: 2 Mar, 10:42; with the year if it is not this year."""
    local = _local(instant, timezone)
    year = "" if local.year == _local(now, timezone).year else f" {local.year}"
    return f"{local.day} {MONTHS[local.month - 1][:3]}{year}, {local.hour:02}:{local.minute:02}"


def exact(instant: Instant, timezone: str) -> str:
    """Write an instant with its zone, to the second or finer, for tooltips and screen readers."""
    local = _local(instant, timezone)
    fraction = f".{local.microsecond:06}" if local.microsecond else ""
    return f"{moment(instant, timezone)}:{local.second:02}{fraction} {timezone} ({format_instant(instant)})"


def clock(instant: Instant, timezone: str) -> str:
    """Write the time of day: 10:42:07."""
    local = _local(instant, timezone)
    return f"{local.hour:02}:{local.minute:02}:{local.second:02}"


def span(micros: int) -> str:
    """Write a length of time in its two largest units: 1 h 52 min, 2 days 4 h, 40 s."""
    return _span(abs(micros)).replace(" ", NO_BREAK)


def _span(micros: int) -> str:
    days, rest = divmod(micros, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes = rest // MINUTE
    if days >= 14:
        return f"{days} days"
    if days:
        return f"{days} {'day' if days == 1 else 'days'}" + (f" {hours} h" if hours else "")
    if hours:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    return f"{minutes} min" if minutes else f"{micros // 1_000_000} s"


def time_left(due: Instant, now: Instant) -> str:
    """Write the time until an instant, "1 h 52 min left", or since it, "2 days ago"."""
    return f"{span(due - now)} left" if due >= now else f"{span(now - due)} ago"


def from_now(instant: Instant, now: Instant) -> str:
    """Write the distance to an instant: "in 3 days" or "3 days ago"."""
    return f"in {span(instant - now)}" if instant >= now else f"{span(now - instant)} ago"


def units(quantity: int) -> str:
    """Write a number of units: "1 unit", "3 units"."""
    return counted(quantity, "unit")


def setting(value: object) -> str:
    """Write a value of a policy document: lists with commas, booleans as yes or no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(setting(each) for each in value) or "none"
    return str(value)


def middle(text: str, keep: int = 8) -> str:
    """Shorten a long id in the middle: 3f2a91c4…77be01da."""
    return text if len(text) <= 2 * keep + 1 else f"{text[:keep]}…{text[-keep:]}"
