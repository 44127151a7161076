"""What a marketplace has settled for all its orders: zone, calendar, default policy."""

from dataclasses import dataclass
from typing import Final

from domain.events import Calendar


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """Settings of one marketplace; zone and calendar are pinned on each order at placing."""

    timezone: str = "UTC"
    weekend: tuple[str, ...] = ("sat", "sun")
    holidays: tuple[str, ...] = ()
    """ISO dates."""
    holiday_calendar: str | None = None
    policy: str = "peer-to-peer"
    contact: str | None = None
    arbitration_fee: str | None = None

    def calendar(self, timezone: str | None) -> Calendar:
        """The calendar an order is pinned to; ``timezone`` is the order's own, if it names one."""
        return Calendar(timezone or self.timezone, self.weekend, self.holidays, self.holiday_calendar)


DEFAULT_MARKET: Final = MarketSettings()
