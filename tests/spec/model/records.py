"""The parts of an order in the model: lines, requests, parcels, returns, deadlines. No rule is here."""

from dataclasses import dataclass, field

from tests.simulation.money import of_units

Units = dict[int, int]
"""Line → quantity."""


@dataclass
class Line:
    """ordered = open + shipped + cancelled, always."""

    ordered: int
    goods: int
    tax: int
    open: int
    shipped: int = 0
    plain: int = 0
    """Cancelled otherwise than by fill-or-kill."""
    killed: int = 0
    credited: int = 0
    started: bool = False
    delivered: int = 0
    delivered_at: int | None = None
    returning: int = 0
    back: int = 0
    returned: int = 0
    lost: int = 0
    """Shipped units that never arrived and are in a return, or were returned."""
    found: int = 0
    """Canceled units that shipped anyway."""
    accepted: int = 0
    """Of these, units that the customer accepts and pays for again."""
    rebilled: int = 0

    @property
    def canceled(self) -> int:
        return self.plain + self.killed

    @property
    def free(self) -> int:
        """Shipped units that are in no return and were not returned."""
        return self.shipped - self.returning - self.back

    @property
    def arrived(self) -> int:
        """Of these, those that were delivered."""
        return max(0, min(self.delivered - (self.returning + self.back - self.lost), self.free))

    @property
    def underway(self) -> int:
        """Of these, those that were not."""
        return max(0, min(self.shipped - self.delivered - self.lost, self.free))

    def worth(self, units: int) -> int:
        """The part of a sum that the first ``count`` refunded units carry."""
        return of_units(self.goods, self.ordered, units) + of_units(self.tax, self.ordered, units)


@dataclass
class Request:
    """A cancellation request: the units requested, and those canceled while it was open or by it."""

    by: str
    asked: Units
    reason: str | None
    status: str = "open"
    rule: str = ""
    decide_by: int | None = None
    offers: tuple[str, ...] = ()
    behind: tuple[str, str] = ("", "")
    """The outcome and rule that alternatives replaced, as of the request."""
    got: Units = field(default_factory=dict)
    here: Units = field(default_factory=dict)
    """Units of it that were open at the request: those may be overtaken by a shipment."""

    def rest(self, number: int) -> int:
        return self.asked[number] - self.got.get(number, 0)


@dataclass
class Notice:
    """A shipping notice."""

    lines: Units
    carrier: str | None
    number: str | None
    seen: int
    status: str = "announced"
    arrived: Units = field(default_factory=dict)


@dataclass
class Parcel:
    """A parcel that the carrier tracks and no notice has announced."""

    carrier: str
    number: str
    shipment: str | None
    lines: Units
    seen: int
    delivered: bool = False


@dataclass
class Return:
    """A return. ``kind``: shipped units, or cancelled ones: rebilled, or never billed again (declined)."""

    lines: Units
    about: str
    pays: str
    """The side that pays the postage."""
    kind: str = "shipped"
    status: str = "open"
    refunded: bool = False
    delivered: bool = False


@dataclass
class Due:
    """A deadline."""

    kind: str
    number: int
    at: int
    ref: str

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.number}"
