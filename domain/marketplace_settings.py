"""Settings of a marketplace for all its orders: time zone, calendar, default policy."""

from dataclasses import dataclass
from typing import Final

from domain.events import Calendar


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """Settings of one marketplace. Time zone and calendar are pinned on each order when it is placed."""

    timezone: str = "UTC"
    weekend: tuple[str, ...] = ("sat", "sun")
    holidays: tuple[str, ...] = ()
    """ISO dates."""
    holiday_calendar: str | None = None
    policy: str | None = None
    """The policy of orders that name none. Without one, they have to name theirs (rule ``policy-missing``)."""
    contact: str | None = None
    arbitration_fee: str | None = None
    personal_ids: bool = False
    """Whether ids may hold e-mail addresses (rule ``personal-data-in-id``)."""

    def calendar(self, timezone: str | None) -> Calendar:
        """Return the calendar to pin on an order. ``timezone`` is the order's own, if it names one."""
        return Calendar(timezone or self.timezone, self.weekend, self.holidays, self.holiday_calendar)


DEFAULT_MARKET: Final = MarketSettings()
