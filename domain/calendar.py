"""Local days, business days and lengths of time. See docs/reference/deadlines.md, Lengths.

Calendars and zone data change between releases, but history must not. Therefore only decisions call these functions,
and their results are stored in events. Sources: IANA zone data (``zoneinfo``), the ``holidays`` package.

All results saturate: an instant after ``LATEST`` becomes ``LATEST``, one before ``EARLIEST`` becomes ``EARLIEST``.
Every date that a command can hold can therefore be judged, including the year 9999 for "never".
"""

import re
from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from domain.events import Calendar
from domain.facts import fact
from domain.instants import EARLIEST, HOUR, LATEST, MICROSECOND, MINUTE, Instant, from_datetime, to_datetime

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST: Final = 3_660
"""The most days of a length: ten years."""
_FIRST: Final = datetime.combine(date.min, time.min)
_LAST: Final = datetime.combine(date.max, time.max)
_FORM = re.compile(r"([1-9][0-9]{0,5}) (minutes?|hours?|days?|business days?)", re.ASCII)
_TOO_LONG = re.compile(r"[1-9][0-9]{6,} (minutes?|hours?|days?|business days?)", re.ASCII)


@fact
class Length:
    """A length of time in minutes, hours, (calendar) days or business days."""

    count: int
    unit: str

    def __str__(self) -> str:
        return f"{self.count} {self.unit if self.count != 1 else self.unit.removesuffix('s')}"


def parse_length(text: str) -> Length:
    """Parse ``N minutes | hours | days | business days``. Raises ValueError, which says what is wrong."""
    found = _FORM.fullmatch(text)
    if found is None:
        if _TOO_LONG.fullmatch(text):
            raise ValueError(f"{text!r} is longer than any length may be: {LONGEST} days, or 999999 hours")
        raise ValueError(f'{text!r} is not a length: write "N minutes", "N hours", "N days" or "N business days"')
    count, unit = int(found[1]), found[2] if found[2].endswith("s") else found[2] + "s"
    if unit.endswith("days") and count > LONGEST:
        raise ValueError(f"{text!r} is longer than {LONGEST} days")
    return Length(count, unit)


@lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name. Raises ValueError for an unknown name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone of the IANA database, like Europe/Berlin") from None


_OF_THE_MACHINE: Final = re.compile(r"localtime|posixrules|Factory|(?:posix|right)/.*")
"""Names in a machine's zone files that the IANA database does not have. Their meaning depends on the machine."""


def zone_to_pin(name: str) -> str:
    """Check that a zone name is known and means the same on every machine, and return it. Raises ValueError if not."""
    if _OF_THE_MACHINE.fullmatch(name):
        raise ValueError(
            f"{name!r} is another time zone on every machine: name one of the IANA database, like Europe/Berlin"
        )
    zone(name)
    return name


@lru_cache(maxsize=128)
def holiday_calendar(code: str) -> Collection[date]:
    """Return a calendar of the ``holidays`` package: of a country, a part of a country, or an exchange."""
    import holidays  # Late, because it takes a tenth of the start time and most calendars do not need it.

    country, _, part = code.partition("-")
    try:
        return holidays.country_holidays(country, subdiv=part or None)
    except NotImplementedError:
        pass
    try:
        return holidays.financial_holidays(code)
    except NotImplementedError:
        raise ValueError(f"{code!r} is not a calendar of the holidays package, like DE or US-CA") from None


def after(start: Instant, length: Length, calendar: Calendar) -> Instant:
    """Return the instant ``length`` after ``start``, which is the last instant within the length.

    Returns ``LATEST`` for an instant after the year 9999, or if the calendar has no working day.
    """
    try:
        return _clamped(_after(start, length, calendar))
    except OverflowError:
        return LATEST


def _after(start: Instant, length: Length, calendar: Calendar) -> Instant:
    match length.unit:
        case "minutes":
            return start + length.count * MINUTE
        case "hours":
            return start + length.count * HOUR
        case "days":
            return _days_after(start, length.count, calendar)
        case _:
            return _business_days_after(start, length.count, calendar)


def _clamped(instant: Instant) -> Instant:
    return max(EARLIEST, min(instant, LATEST))


def local_time(instant: Instant, timezone: str) -> datetime:
    """Return the local clock time of an instant, without its zone."""
    return _local(instant, zone(timezone))


def _local(instant: Instant, there: ZoneInfo) -> datetime:
    try:
        return to_datetime(instant).astimezone(there).replace(tzinfo=None, fold=0)
    except OverflowError:
        return _LAST if instant > 0 else _FIRST


def local_date(instant: Instant, timezone: str) -> date:
    """Return the local calendar day of an instant."""
    return local_time(instant, timezone).date()


def _days_after(start: Instant, count: int, calendar: Calendar) -> Instant:
    """Return the instant with the local clock time of ``start``, ``count`` calendar days later."""
    return instant_of_local(local_time(start, calendar.timezone) + timedelta(days=count), calendar.timezone)


def _business_days_after(start: Instant, count: int, calendar: Calendar) -> Instant:
    """Return the instant with the local clock time of ``start``, ``count`` working days later.

    On a day off, counting starts at 00:00 of the next working day.
    """
    local = local_time(start, calendar.timezone)
    if is_day_off(local.date(), calendar):
        local = datetime.combine(_next_working_day(local.date(), calendar), time())
    day = local.date()
    for _ in range(count):
        day = _next_working_day(day, calendar)
    return instant_of_local(datetime.combine(day, local.time()), calendar.timezone)


def is_day_off(day: date, calendar: Calendar) -> bool:
    """Whether a local day is at the weekend or a holiday of the calendar."""
    return (
        WEEKDAYS[day.weekday()] in calendar.weekend
        or day.isoformat() in calendar.holidays
        or (calendar.holiday_calendar is not None and day in holiday_calendar(calendar.holiday_calendar))
    )


def _next_working_day(day: date, calendar: Calendar) -> date:
    for _ in range(400):
        day += timedelta(days=1)
        if not is_day_off(day, calendar):
            return day
    raise OverflowError("the calendar has no working day within 400 days")


def instant_of_local(local: datetime, timezone: str) -> Instant:
    """Return the instant of a local clock time: the first of an ambiguous one, or the first instant after a gap."""
    there = zone(timezone)
    instant = from_datetime(local.replace(tzinfo=there))
    if instant != _clamped(instant) or _local(instant, there) == local:
        return _clamped(instant)
    early = from_datetime(local.replace(tzinfo=there, fold=1))
    late = instant
    offset_late = to_datetime(late).astimezone(there).utcoffset()
    while late - early > MICROSECOND:
        middle = (early + late) // 2
        if to_datetime(middle).astimezone(there).utcoffset() == offset_late:
            late = middle
        else:
            early = middle
    return late


# ---- business time: the time to decide a case, which pauses on days off and while evidence is awaited ----------------


def business_time_between(start: Instant, end: Instant, calendar: Calendar) -> int:
    """Return the microseconds of working days between two instants."""
    total, cursor = 0, start
    while cursor < end:
        day = local_date(cursor, calendar.timezone)
        midnight = _midnight_after(day, calendar)
        if not is_day_off(day, calendar):
            total += min(midnight, end) - cursor
        cursor = midnight
    return total


def after_business_time(start: Instant, amount: int, calendar: Calendar) -> Instant:
    """Return the instant after ``amount`` microseconds of working days."""
    cursor = start
    for _ in range(4_000):
        day = local_date(cursor, calendar.timezone)
        midnight = _midnight_after(day, calendar)
        if not is_day_off(day, calendar):
            if cursor + amount < midnight:
                return cursor + amount
            amount -= midnight - cursor
        if midnight == LATEST:
            return LATEST
        cursor = midnight
    return _clamped(cursor + amount)


def _midnight_after(day: date, calendar: Calendar) -> Instant:
    """Return the instant at which a local day ends."""
    try:
        return instant_of_local(datetime.combine(day + timedelta(days=1), time()), calendar.timezone)
    except OverflowError:
        return LATEST
