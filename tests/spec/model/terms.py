"""The settings of a policy document, read a second time without the domain: parameters, defaults, dates.

Written from docs/reference/policy.md. A TOML file is the contract: the presets are read from theirs.
Instants are UTC microseconds. The calendars of these stories have Saturdays and Sundays off, and no holidays.
"""

import tomllib
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

MICRO = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000
FAULTS = ("not_as_described", "missing_item", "not_authentic", "wrong_item")
RETURN_REASONS = (*FAULTS, "changed_mind", "does_not_fit", "other")
DEFAULTS: dict[str, dict[str, Any]] = {
    "unpaid-auto-cancel": {"after": "4 days"},
    "late-ship-auto-cancel": {"after-ship-by": "4 days"},
    "stalled-tracking": {"after": "7 days"},
    "grace-window": {"length": "3 hours"},
    "request-window": {"length": "60 minutes"},
    "not-shipped-in-time": {"after": "7 days", "from": "purchase"},
    "accepted-offer-final": {"formats": ["offer"]},
    "alternatives-first": {"offers": ["wait", "address", "exchange", "credit"], "deadline": "24 hours"},
    "disputes": {"request": "60 days", "evidence": "10 days", "appeal": "14 days"},
    "cases": {"days": 3, "reasons": FAULTS},
    "returns": {"days": 30, "reasons": RETURN_REASONS},
}
"""The defaults of missing parameters."""


def moment(micros: int) -> datetime:
    """UTC microseconds as a time."""
    return EPOCH + micros * MICRO


def micros(at: datetime) -> int:
    """A time as UTC microseconds."""
    return (at - EPOCH) // MICRO


class Terms:
    """One policy document and the zone of an order."""

    def __init__(self, text: str, zone: str = "UTC") -> None:
        self.doc: dict[str, Any] = tomllib.loads(text)
        self.rules: list[str] = self.doc["rules"]
        self.zone = ZoneInfo(zone)

    def has(self, table: str) -> bool:
        """Whether an automatic rule, cases, disputes or returns are on: the table is there, or the rule is listed."""
        return table in self.doc or table in self.rules

    def setting(self, table: str, key: str, default: Any = None) -> Any:
        """A parameter, else its default."""
        return self.doc.get(table, {}).get(key, DEFAULTS.get(table, {}).get(key, default))

    @property
    def mutual(self) -> bool:
        return "mutual-consent-after-shipment" in self.rules

    @property
    def fill_or_kill(self) -> bool:
        return bool(self.doc.get("fill-or-kill", False))

    @property
    def rebills(self) -> bool:
        return bool(self.doc.get("cancelled-but-shipped", True))

    # ---- dates ---------------------------------------------------------------------------------------------------

    def after(self, start: int, length: str) -> int:
        """An instant so much later: elapsed minutes and hours, local calendar days, or business days."""
        count, unit = length.split(" ", 1)
        if unit.rstrip("s") in ("minute", "hour"):
            return start + int(count) * (60_000_000 if unit.startswith("minute") else 3_600_000_000)
        local = self._local(start)
        if unit.startswith("day"):
            return self._instant(local + timedelta(days=int(count)))
        if local.weekday() > 4:
            local = datetime.combine(self._workday(local.date()), time())
        for _ in range(int(count)):
            local = datetime.combine(self._workday(local.date()), local.time())
        return self._instant(local)

    def worked(self, start: int, end: int) -> int:
        """Microseconds of working days between two instants: the clock of a case."""
        total = 0
        while start < end:
            midnight = self._midnight(start)
            total += (min(midnight, end) - start) * (self._local(start).weekday() < 5)
            start = midnight
        return total

    def work(self, start: int, amount: int) -> int:
        """The instant by which so many microseconds of working days have passed."""
        while self._local(start).weekday() > 4 or start + amount >= self._midnight(start):
            amount -= self.worked(start, self._midnight(start))
            start = self._midnight(start)
        return start + amount

    def _local(self, at: int) -> datetime:
        return moment(at).astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _midnight(self, at: int) -> int:
        return self._instant(datetime.combine(self._local(at).date() + timedelta(days=1), time()))

    def _workday(self, day: date) -> date:
        day += timedelta(days=1)
        while day.weekday() > 4:
            day += timedelta(days=1)
        return day

    def _instant(self, local: datetime) -> int:
        """Of a local clock time: the first of two, and in a gap the first instant after it (found minute by minute)."""
        first = micros(local.replace(tzinfo=self.zone, fold=0).astimezone(UTC))
        if self._local(first) == local:
            return first
        minute = local.replace(second=0, microsecond=0)
        while self._local(micros(minute.replace(tzinfo=self.zone).astimezone(UTC))) != minute:
            minute += timedelta(minutes=1)
        return micros(minute.replace(tzinfo=self.zone).astimezone(UTC))
