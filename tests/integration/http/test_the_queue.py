"""The queue of open requests: overdue requests lead, and requests that no longer wait for the reader are last."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from domain.instants import DAY, format_instant
from infra.runtime.clock import clock
from infra.web import list_page
from tests.integration.cli.driving import BUYER, SELLER, Store, command, placed, requests_cancel, ships
from tests.integration.http.client import SUPPORT, Http, served
from tests.integration.http.test_pages import words


def ago(days: int) -> str:
    return format_instant(clock() - days * DAY)


def about(name: str, order: str, days: int, actor: dict[str, str], **fields: Any) -> dict[str, Any]:
    return command(name, order, ago(days), actor, **fields)


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    """Seven orders with an open request each: three wait for the seller, one of these is overdue."""
    history = [
        placed("undated", ago(2)),
        requests_cancel("undated", ago(2)),
        placed("soon", ago(2), policy="mutual-consent"),
        requests_cancel("soon", ago(2)),
        placed("overdue", ago(9), policy="mutual-consent"),
        requests_cancel("overdue", ago(9)),
        placed("shipped", ago(20), policy="mutual-consent"),
        requests_cancel("shipped", ago(20)),
        ships("shipped", ago(19), 10),
        placed("decided", ago(21), policy="mutual-consent"),
        requests_cancel("decided", ago(21)),
        about("OpenDispute", "decided", 15, BUYER, dispute_id="d1", about="r1"),
        about("DecideDispute", "decided", 14, SUPPORT, dispute_id="d1", outcome="deny", rule="seller-has-final-say"),
        placed("offered", ago(22), policy="two-offers"),
        requests_cancel("offered", ago(22)),
        placed("proposed", ago(23), policy="mutual-consent"),
        about("RequestCancel", "proposed", 23, SELLER, request_id="r1", reason="out_of_stock"),
    ]
    place = tmp_path_factory.mktemp("queue")
    store = Store(place)
    policy = place / "two-offers.toml"
    offers = 'rules = ["alternatives-first", "seller-has-final-say"]\n[alternatives-first]\ndeadline = "90 days"\n'
    policy.write_text(f'id = "two-offers"\nversion = 1\n{offers}', encoding="utf-8")
    store.rescind("policy", "publish", policy)
    assert store.take(history)["accepted"] == len(history)
    with served(place) as http:
        assert http.app.views is not None
        assert http.app.views.catch_up(30)
        yield http


def listed(http: Http, query: str) -> list[str]:
    """The orders of the page, from its top."""
    return re.findall(r'href="/o/acme/([a-z]+)"', http.get(f"/o/acme?{query}").text)


WAITING = ["overdue", "soon", "undated"]
BEHIND = ["shipped", "decided", "offered", "proposed"]


@pytest.mark.parametrize("query", ["status=cancel_requested", "status=cancel_requested&q=s-3"])
def test_overdue_requests_lead_and_answered_ones_are_last(queue: Http, query: str) -> None:
    assert listed(queue, query) == [*WAITING, *BEHIND]


def test_the_sentence_counts_only_what_the_seller_has_to_answer(queue: Http) -> None:
    text = words(queue.get("/o/acme").text)
    assert "3 cancellation requests need an answer" in text
    assert "1 is overdue" in text
    assert "Cancellation requested 7" in text, "the filter counts every order of this status"


def test_the_column_to_do_says_who_has_to_do_what(queue: Http) -> None:
    rows = queue.get("/o/acme?status=cancel_requested").text.split("<tr>")
    named = {match[1]: words(row) for row in rows if (match := re.search(r'href="/o/acme/([a-z]+)"', row))}
    expected = dict.fromkeys(WAITING, "answer: ") | {
        "shipped": "nobody has to answer",
        "decided": "nobody has to answer",
        "offered": "waits for the buyer's choice",
        "proposed": "waits for the buyer's answer",
    }
    assert {name: text for name, text in expected.items() if text not in named[name]} == {}
    assert "choose an offer" in words(queue.get("/o/acme?q=b-7").text)


def test_the_sentence_links_to_the_requests_that_need_an_answer(queue: Http) -> None:
    link = '<a href="/o/acme?status=cancel_requested">3 cancellation requests'
    assert link in queue.get("/o/acme").text
    assert link not in queue.get("/o/acme?status=cancel_requested").text


def test_a_buyer_sees_what_the_buyer_has_to_answer(queue: Http) -> None:
    text = words(queue.get("/o/acme?q=b-7").text)
    assert "2 cancellation requests need an answer" in text


def test_the_queue_is_paged_and_misses_nothing(queue: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_page, "PAGE", 2)
    path, seen = "/o/acme?status=cancel_requested", list[str]()
    for _ in range(9):
        text = queue.get(path).text
        seen += re.findall(r'href="/o/acme/([a-z]+)"', text)
        following = re.search(r'href="([^"]+)" rel="next"', text)
        if following is None:
            break
        path = following[1].replace("&amp;", "&")
    assert seen == [*WAITING, *BEHIND]


def test_a_page_of_the_queue_whose_last_order_was_answered_begins_at_the_top(queue: Http) -> None:
    assert listed(queue, "status=cancel_requested&after=waiting~answered")[:3] == WAITING
