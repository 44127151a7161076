"""The demo's shops, with policy, currency, time zone and goods, and its buyers' ids."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Good:
    """An item for sale; the price is for one unit in the shop's currency."""

    sku: str
    title: str
    price: str


@dataclass(frozen=True, slots=True)
class Shop:
    """A seller and the terms of its orders."""

    seller_id: str
    policy: str
    currency: str
    timezone: str
    carrier: str
    goods: tuple[Good, ...]
    shipping: str = "0"
    most: int = 1
    """Units of one line that a buyer orders at most."""


LUMEN: Final = Shop(
    "lumen-lighting",
    "seller-portal",
    "USD",
    "America/Chicago",
    "UPS",
    (
        Good("LL-2010", "Desk lamp, brass arm", "64.90"),
        Good("LL-2044", "Pendant, opal glass, 24 cm", "119.00"),
        Good("LL-3102", "LED bulb E27, warm white, pack of 4", "18.40"),
        Good("LL-3177", "Dimmer, rotary", "22.75"),
        Good("LL-4005", "Ceiling rose, black", "9.95"),
    ),
    shipping="11.50",
    most=10,
)
OAKROOM: Final = Shop(
    "oakroom-furniture",
    "seller-portal",
    "EUR",
    "Europe/Berlin",
    "DHL Freight",
    (
        Good("OR-100", "Oak stool, 45 cm", "79.00"),
        Good("OR-114", "Dining chair, beech, natural", "148.00"),
        Good("OR-230", "Shelf board, 80 × 25 cm", "34.50"),
        Good("OR-231", "Shelf bracket, steel, pair", "12.90"),
    ),
    shipping="29.00",
    most=6,
)
VINYLROW: Final = Shop(
    "vinyl-row",
    "peer-to-peer",
    "GBP",
    "Europe/London",
    "Royal Mail",
    (
        Good("VR-0071", "Jazz at the Old Mill, LP, 1961 pressing", "38.00"),
        Good("VR-0112", "Northern Soul Singles, box of 12", "55.00"),
        Good("VR-0140", "Turntable belt, flat, 196 mm", "7.50"),
        Good("VR-0188", "Harbour Lights, 7-inch, signed", "24.00"),
    ),
    shipping="3.95",
)
RETROCAM: Final = Shop(
    "retro-cam",
    "peer-to-peer",
    "EUR",
    "Europe/Berlin",
    "DHL",
    (
        Good("RC-35-02", "Rangefinder camera, 1968, serviced", "245.00"),
        Good("RC-50-11", "50 mm lens, M42 mount", "89.00"),
        Good("RC-BAG-3", "Leather half case", "32.00"),
        Good("RC-FLM-9", "Black-and-white film, 35 mm, 5 rolls", "41.50"),
    ),
    shipping="6.90",
)
ATELIER: Final = Shop(
    "atelier-nord",
    "mutual-consent",
    "EUR",
    "Europe/Copenhagen",
    "PostNord",
    (
        Good("AN-WOOL-4", "Wool throw, indigo, 130 × 180 cm", "96.00"),
        Good("AN-CUP-2", "Stoneware cup, set of 2", "38.00"),
        Good("AN-LIN-7", "Linen table runner", "44.00"),
    ),
    shipping="7.50",
)
GREENLEAF: Final = Shop(
    "greenleaf-garden",
    "general-store",
    "EUR",
    "Europe/Amsterdam",
    "PostNL",
    (
        Good("GG-5501", "Raised bed, larch, 120 × 80 cm", "89.95"),
        Good("GG-5530", "Secateurs, bypass", "27.50"),
        Good("GG-6012", "Tomato seeds, old varieties, 8 bags", "14.80"),
        Good("GG-6104", "Watering can, zinc, 9 l", "36.00"),
    ),
    shipping="4.95",
    most=3,
)
GAVEL: Final = Shop(
    "gavel-and-co",
    "auction-house",
    "USD",
    "America/New_York",
    "FedEx",
    (
        Good("LOT-118", "Pocket watch, silver, about 1890", "412.00"),
        Good("LOT-131", "Map of the Hudson valley, hand-coloured", "185.00"),
        Good("LOT-140", "Set of six etched glasses", "74.00"),
        Good("LOT-152", "Brass ship's bell, 22 cm", "260.00"),
    ),
    shipping="18.00",
)
BULKBARN: Final = Shop(
    "bulk-barn",
    "big-box",
    "USD",
    "America/Denver",
    "UPS",
    (
        Good("BB-77001", "Storage box, 60 l, clear", "14.99"),
        Good("BB-77019", "Extension cord, 25 ft, outdoor", "21.49"),
        Good("BB-77120", "Work gloves, leather, size L", "12.25"),
        Good("BB-77142", "Paint roller set", "17.80"),
        Good("BB-77210", "Step ladder, 3 steps", "58.00"),
    ),
    shipping="8.00",
    most=8,
)
EVERYDAY: Final = Shop(
    "everyday-direct",
    "everything-store",
    "USD",
    "America/Los_Angeles",
    "USPS",
    (
        Good("ED-A10", "USB-C cable, 2 m", "12.99"),
        Good("ED-B31", "Kettle, 1.7 l, steel", "39.90"),
        Good("ED-C07", "Bath towel, cotton, white", "16.50"),
        Good("ED-D55", "Backpack, 22 l, grey", "54.00"),
        Good("ED-E12", "Notebook, dotted, A5", "8.75"),
    ),
    shipping="5.99",
    most=3,
)
PAPERCRANE: Final = Shop(
    "paper-crane",
    "tracked-parcels",
    "JPY",
    "Asia/Tokyo",
    "Yamato",
    (
        Good("PC-01", "Washi sheets, 20 colours", "2400"),
        Good("PC-14", "Brush pen, medium", "880"),
        Good("PC-22", "Letter set, crane pattern", "1650"),
    ),
    shipping="600",
    most=4,
)
SHOPS: Final = (
    LUMEN,
    OAKROOM,
    VINYLROW,
    RETROCAM,
    ATELIER,
    GREENLEAF,
    GAVEL,
    BULKBARN,
    EVERYDAY,
    PAPERCRANE,
)
BUYERS: Final = tuple(f"b-{number}" for number in range(2011, 2096))
REASONS: Final = (
    "ordered_by_mistake",
    "changed_mind",
    "found_cheaper",
    "wrong_address",
    "arrives_too_late",
    "duplicate_order",
)
"""Reasons of the demo's buyers."""
