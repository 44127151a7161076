"""The pages have a word for everything that an order can show."""

from typing import get_args

import pytest

from domain import events as e
from domain.notification_rules import TEMPLATES
from domain.order import Order
from domain.reasons import CANCEL_REASONS, RETURN_REASONS
from infra.documents import formatting, words
from infra.documents.claims import OrderWriter
from infra.documents.packs import pack

CONTROL = {e.JournalCreated, e.PolicyPublished, e.ImportOpened, e.ImportClosed}


def test_every_event_of_an_order_has_a_sentence() -> None:
    of_orders = {event.__name__ for event in get_args(e.Event) if event not in CONTROL}
    assert set(words.EVENT_SENTENCES) == of_orders
    assert (
        words.event_sentence("OrderPainted", {}, OrderWriter(Order("acme", "PO-1"), pack("en"), str, str))
        == "OrderPainted"
    )


def test_every_notification_has_words() -> None:
    assert set(words.NOTIFICATION) == TEMPLATES


def test_every_reason_has_words() -> None:
    assert set(words.REASON) == {*CANCEL_REASONS, *RETURN_REASONS}


def test_a_list_is_written_as_people_write_it() -> None:
    assert [words.listed(["a", "b", "c"][:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert words.offers(("wait", "exchange", "credit")) == "a later date, an exchange or a credit"


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123456, "USD", "1,234.56 USD"),
        (5, "EUR", "0.05 EUR"),
        (-7000, "USD", "−70.00 USD"),
        (2400, "JPY", "2,400 JPY"),
        (1234, "KWD", "1.234 KWD"),
    ],
)
def test_money_has_the_decimals_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert formatting.money(minor, currency) == text


def test_time_left_is_shown_in_its_two_largest_units() -> None:
    minute, hour, day = 60_000_000, 3_600_000_000, 86_400_000_000
    spans = [
        formatting.span(n).replace("\u00a0", " ") for n in (40_000_000, 5 * minute, hour + 52 * minute, day + hour)
    ]
    assert spans == ["40 s", "5 min", "1 h 52 min", "1 day 1 h"]
    assert formatting.span(20 * day + hour).replace("\u00a0", " ") == "20 days"
    assert formatting.time_left(0, day).endswith("ago")
    assert formatting.time_left(day, 0).endswith("left")


def test_a_time_is_shown_in_the_orders_zone_and_exactly_next_to_it() -> None:
    instant = 1_772_445_600_000_000  # 2026-03-02T10:00:00Z
    assert formatting.moment(instant, "Europe/Berlin") == "2 March 2026, 11:00"
    assert formatting.exact(instant, "Europe/Berlin") == "2 March 2026, 11:00:00 Europe/Berlin (2026-03-02T10:00:00Z)"
    assert formatting.moment(instant, "Nowhere/Atall") == "2 March 2026, 10:00"
