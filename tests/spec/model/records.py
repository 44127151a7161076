"""What an order consists of, as the model has it: lines, money, requests, parcels, returns. No rule is here."""

from dataclasses import dataclass, field

Units = dict[int, int]
"""Line → quantity."""


@dataclass
class Line:
    """ordered = open + shipped + cancelled, always."""

    ordered: int
    goods: int
    tax: int
    open: int
    shipping: int = 0
    shipping_tax: int = 0
    part_of: int | None = None
    shipped: int = 0
    plain: int = 0
    """Cancelled otherwise than by fill-or-kill."""
    killed: int = 0
    credited: int = 0
    """Units whose goods and tax are due back, for whatever cause."""
    shipping_credited: int = 0
    """Units whose share of the line's shipping is due back."""
    undelivered: int = 0
    """Shipped units that were reported lost or damaged on their way."""
    sent_back: int = 0
    """Shipped units that nobody took, and that the seller has again."""
    started: bool = False
    delivered: int = 0
    delivered_at: int | None = None
    returning: int = 0
    back: int = 0
    returned: int = 0
    lost: int = 0
    """Shipped units that never arrived and are in a return, or were returned."""
    found: int = 0
    """Canceled units that left all the same."""
    late: int = 0
    """Of these, units that were reported lost and were delivered all the same."""
    accepted: int = 0
    """Of these, units that the customer accepts and pays for again."""
    rebilled: int = 0

    @property
    def canceled(self) -> int:
        return self.plain + self.killed

    @property
    def unfound(self) -> int:
        """Canceled units of which nobody said that they left."""
        return self.canceled - (self.found - self.late)

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
    reported: Units = field(default_factory=dict)
    """Units that were reported not to arrive."""
    outcomes: set[str] = field(default_factory=set)
    """What they were reported as."""
    found: bool = False
    """They were reported lost, and delivered all the same."""


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
    fault: bool = False
    """The goods were at fault: what comes back has its line's shipping refunded too."""
    outcome: str = ""
    """How a parcel was reported that is on its way back because nobody took it."""
    begun: bool = False
    """The units are under way."""
    got: Units = field(default_factory=dict)
    """Units received so far."""

    @property
    def left(self) -> Units:
        return {x: n - self.got.get(x, 0) for x, n in self.lines.items() if n > self.got.get(x, 0)}


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


@dataclass
class Fee:
    """What is charged for the order as a whole."""

    amount: int
    tax: int
    refundable: str


@dataclass
class Payment:
    """Money that came in under an id: captured, or authorized until it is. What was released is in neither."""

    method: str
    authorized: int
    captured: int
    said: tuple[str, str, str]
    """Amount, method and state, as it was confirmed: the same again changes nothing."""


@dataclass
class Part:
    """What of a refund goes back by a payment, or by a rebilling."""

    payment_id: str
    method: str
    amount: int
    kind: str = "refund"
    confirmed: bool = False
    failed: bool = False
    waiting: bool = False
    settled: int = 0
    """What of it was given back elsewhere."""

    @property
    def due(self) -> int:
        return 0 if self.confirmed else self.amount - self.settled


@dataclass
class Refund:
    """Money to give back."""

    parts: list[Part]
    causes: dict[str, int] | None
    """Amount by cause, where the contract leaves no room."""
    may: set[str]
    """Causes that it can have."""
    withdrawn: bool = False

    @property
    def amount(self) -> int:
        return sum(part.amount for part in self.parts)

    @property
    def settled(self) -> int:
        return sum(part.settled for part in self.parts)

    @property
    def status(self) -> str:
        if self.withdrawn:
            return "withdrawn"
        if self.settled == self.amount:
            return "settled_elsewhere"
        return "due" if any(part.due for part in self.parts) else "confirmed"

    @property
    def failed(self) -> bool:
        return self.status == "due" and any(part.failed for part in self.parts)

    @property
    def waiting(self) -> bool:
        return self.status == "due" and any(part.waiting and part.due for part in self.parts)


@dataclass
class Other:
    """Money given back outside: how much, what it was for, and from which payments it was drawn."""

    amount: int
    covers: dict[object, int]
    draws: dict[str, tuple[int, int]]
    """By payment, of captured and of authorized money."""


@dataclass
class Chargeback:
    """Money that a provider may take back."""

    payment_id: str
    amount: int


@dataclass
class Credit:
    """Units whose value is due back: why, and when they were canceled (None: they came back)."""

    line: int
    count: int
    cause: str
    canceled_at: int | None
    shipping: bool
