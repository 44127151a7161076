"""The receipt (rule ``both-told``): what was cancelled with its reference, or that nothing was as of an instant."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import HTTPConnection

from domain.instants import SECOND, format_instant, parse_instant
from domain.references import read_reference, reference_of
from infra.app import open_app
from infra.http.callers import Caller
from infra.http.server import create
from infra.settings import load_settings
from tests.integration.http.asking import HERE, SYSTEM, Http, notice
from tests.integration.http.test_pages import Strict


class Whoever:
    """A doorkeeper who takes a header at its word."""

    def admit(self, request: HTTPConnection, marketplace: str | None) -> Caller:
        kind, _, name = request.headers.get("x-caller", "").partition("/")
        return Caller(kind or None, name or "loopback")


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    directory: Path = tmp_path_factory.mktemp("store")
    settings = load_settings(journal=f"sqlite:///{directory}/journal", synchronous="normal")
    with open_app(settings, publish=True) as app:
        http = Http(app)
        transport = httpx.ASGITransport(create(app, Whoever()), raise_app_exceptions=False)
        http._client = httpx.AsyncClient(transport=transport, base_url=HERE)
        yield http
        http.close()


def killed(http: Http) -> str:
    path = http.place()
    answer = http.post(f"{path}/commands", {"command": "Ship", "command_id": "ship-1", **notice(3, actor=SYSTEM)})
    assert answer.status_code == 200, answer.text
    return path


def test_a_receipt_names_each_cancellation_with_its_reference_lines_and_refund(http: Http) -> None:
    path = killed(http)
    receipt = http.get(f"{path}/receipt").json()
    [canceled] = receipt["cancellations"]
    assert (receipt["canceled"], receipt["canceled_units"], receipt["ordered"]) == ("partly", 7, 10)
    assert canceled["reference"] == reference_of(bytes.fromhex(canceled["commit"]))
    assert [(line["line"], line["quantity"], line["cause"]) for line in canceled["lines"]] == [(1, 7, "fill_or_kill")]
    assert canceled["refund"] == {"refund_id": "refund-1", "amount_minor": 7000, "status": "due"}
    page = http.get(path.replace("/v1/", "/o/").replace("orders/", "") + "/receipt")
    assert canceled["reference"] in page.text and "70.00 USD go back to the buyer" in page.text
    strict = Strict()
    strict.feed(page.text)
    assert strict.open == [] and strict.styled == []


def test_a_cancellation_is_found_by_its_reference(http: Http) -> None:
    path = killed(http)
    reference = http.get(f"{path}/receipt").json()["cancellations"][0]["reference"]
    assert read_reference(reference) == reference
    assert http.app.views is not None and http.app.views.catch_up(30)
    page = http.get(f"/o/acme?q={reference.lower()}")
    assert f'href="/o/acme/{path.rsplit("/", 1)[1]}"' in page.text


def test_that_an_order_was_not_cancelled_as_of_an_instant_can_be_printed_at_any_time(http: Http) -> None:
    path = http.place()
    now = http.get(f"{path}/receipt").json()
    assert now["canceled"] == "not" and now["cancellations"] == []
    placed = parse_instant(http.get(path).json()["placed_at"])
    canceled = http.post(f"{path}/commands", {"command": "CancelLines", "command_id": "c", "actor": {"kind": "system",
        "id": "x"}, "reason": "other"})  # fmt: skip
    assert canceled.status_code == 200
    assert http.get(f"{path}/receipt").json()["canceled"] == "whole"
    then = http.get(f"{path}/receipt?as_of={format_instant(placed)}").json()
    assert (then["canceled"], then["as_of"]) == ("not", format_instant(placed))
    page = http.get(path.replace("/v1/", "/o/").replace("orders/", "") + f"/receipt?as_of={format_instant(placed)}")
    assert "was not cancelled, in whole or in part" in page.text
    assert http.get(f"{path}/receipt?as_of={format_instant(placed - SECOND)}").status_code == 404


def test_a_notice_is_sent_again_by_who_it_is_for_and_once_a_key(http: Http) -> None:
    assert http.app.notifying is not None
    path = killed(http)
    stream = f"acme/{path.rsplit('/', 1)[1]}"
    book = http.app.notifying.book
    end = time.monotonic() + 30
    while (found := book.find(stream, "told-4-buyer")) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert found.state == "no-address"
    send = f"{path}/notices/told-4-buyer/send"
    assert http.post(send, {}).status_code == 400
    assert http.post(send, {}, "k1", x_caller="seller/s-3").status_code == 404, "the buyer's is the buyer's"
    assert http.post(send, {}, "k1", x_caller="buyer/b-8").status_code == 404, "another's order"
    first = http.post(send, {}, "k1", x_caller="buyer/b-7")
    assert first.status_code == 202 and first.json()["notice"]["notice_id"] == "told-4-buyer"
    assert http.post(send, {}, "k1", x_caller="buyer/b-7").headers["Rescind-Replayed"] == "true"
    assert http.post(f"{path}/notices/told-99-buyer/send", {}, "k2").status_code == 404


def test_that_the_buyer_has_looked_at_the_receipt_is_on_the_record(http: Http) -> None:
    assert http.app.notifying is not None
    path = killed(http)
    stream = f"acme/{path.rsplit('/', 1)[1]}"
    book = http.app.notifying.book
    end = time.monotonic() + 30
    while book.find(stream, "told-4-buyer") is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    http.get(f"{path}/receipt")
    assert (
        http.get(f"{path}/receipt", x_caller="support/a").json()["cancellations"][0]["told"][0]["first_seen_at"] is None
    )
    seen = http.get(f"{path}/receipt", x_caller="buyer/b-7").json()["cancellations"][0]["told"]
    assert [(told["audience"], told["first_seen_at"] is not None) for told in seen] == [("buyer", True)]
    page = http.get(path.replace("/v1/", "/o/").replace("orders/", ""))
    assert "Who was told: 0 of 5 notices handed over" in page.text and "Not sent: no address" in page.text
    mine = http.get(path.replace("/v1/", "/o/").replace("orders/", ""), x_caller="seller/s-3")
    assert "told-4-seller" in mine.text and "told-4-buyer" not in mine.text
    assert http.get(f"{path}/receipt", x_caller="seller/s-4").status_code == 404
