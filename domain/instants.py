"""Instants: whole microseconds since 1970-01-01T00:00:00Z, and their text form (RFC 3339).

Integers are exact, can be sorted and subtracted, and are stored in Avro (``timestamp-micros``) without conversion.
Functions that need a local clock or a calendar are in ``domain.calendar``.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

Instant = int
"""Microseconds since the Unix epoch, UTC."""

MICROSECOND: Final = 1
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

EARLIEST: Final = -62_135_596_800 * SECOND
"""0001-01-01T00:00:00Z, the first instant that the text form can express."""
LATEST: Final = 253_402_300_800 * SECOND - 1
"""The last microsecond of the year 9999."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)


def parse_instant(text: str) -> Instant:
    """Parse an RFC 3339 time with offset and at most six decimals. Raises ValueError, which says what is wrong."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("not an RFC 3339 time with offset and at most 6 decimals, like 2026-03-02T10:00:00Z")
    year, month, day, hour, minute, second, fraction, zulu, sign, off_hour, off_minute = found.groups()
    micros = int((fraction or "").ljust(6, "0"))
    zone = UTC
    if not zulu:
        if int(off_hour) > 23 or int(off_minute) > 59:
            raise ValueError("the offset is out of range")
        offset = timedelta(hours=int(off_hour), minutes=int(off_minute))
        zone = timezone(-offset if sign == "-" else offset)
    moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), micros, tzinfo=zone)
    instant = from_datetime(moment)
    if not EARLIEST <= instant <= LATEST:
        raise ValueError("the time is outside the years 1 to 9999")
    return instant


def format_instant(instant: Instant) -> str:
    """Format an instant in RFC 3339, in UTC with ``Z``, with a fraction only if it is not zero."""
    moment = _EPOCH + timedelta(microseconds=instant)
    text = f"{moment.year:04}-{moment.month:02}-{moment.day:02}T{moment.hour:02}:{moment.minute:02}:{moment.second:02}"
    return f"{text}.{moment.microsecond:06}Z" if moment.microsecond else f"{text}Z"


def from_datetime(moment: datetime) -> Instant:
    """Convert an aware datetime to an instant, exact to the microsecond."""
    gone = moment - _EPOCH
    return (gone.days * 86_400 + gone.seconds) * SECOND + gone.microseconds


def to_datetime(instant: Instant) -> datetime:
    """Convert an instant to an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=instant)
