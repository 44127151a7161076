"""The receipt (rule ``both-told``): what was canceled with its reference, or that nothing was as of an instant."""

import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import get_args
from urllib.parse import quote

import httpx
import pytest
from starlette.requests import HTTPConnection

from consumers.ports.notifications import Contact, State
from domain.instants import SECOND, format_instant, parse_instant
from domain.references import read_reference, reference_of
from infra.app import AppOptions, open_app
from infra.documents.packs import LANGUAGES, pack
from infra.http.authenticator import Principal
from infra.server.server import create
from infra.settings import load_settings
from infra.web import receipt_page
from infra.web.languages import accepted
from tests.integration.http.client import HERE, SYSTEM, Http, notice
from tests.integration.http.test_pages import Strict

CAUSES = ("request", "seller", "support", "system", "late_ship", "unpaid", "dispute")
"""Causes of cancellations but fill or kill."""


class HeaderAuthenticator:
    """An authenticator that trusts a header."""

    def identify(self, request: HTTPConnection, marketplace: str | None) -> Principal:
        kind, _, name = request.headers.get("x-caller", "").partition("/")
        return Principal(kind or None, name or "loopback")


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    directory: Path = tmp_path_factory.mktemp("store")
    settings = load_settings(journal=f"sqlite:///{directory}/journal", synchronous="normal")
    with open_app(settings, AppOptions(publish=True)) as app:
        http = Http(app)
        transport = httpx.ASGITransport(create(app, HeaderAuthenticator()), raise_app_exceptions=False)
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
    due = {"refund_id": "refund-1", "amount_minor": 7000, "status": "due", "failed": False, "on_its_way_minor": 7000}
    assert canceled["refund"].items() >= due.items()
    page = http.get(path.replace("/v1/", "/o/").replace("orders/", "") + "/receipt")
    assert canceled["reference"] in page.text and "70.00 USD will be refunded to the buyer" in page.text
    strict = Strict()
    strict.feed(page.text)
    assert strict.open == [] and strict.styled == []


def test_a_receipt_shows_a_failed_refund_as_due_and_a_paid_one_as_refunded(
    http: Http,
) -> None:
    path = killed(http)
    for step, english, german in (
        ("fail", "70.00 USD could not be refunded to the buyer yet and stay due", "konnten dem Käufer noch nicht"),
        ("confirm", "70.00 USD were refunded to the buyer", "wurden dem Käufer erstattet"),
    ):
        answer = http.post(f"{path}/refunds/refund-1/{step}", {"actor": SYSTEM}, f"refund-{step}")
        assert answer.status_code == 200, answer.text
        assert http.get(f"{path}/receipt").json()["cancellations"][0]["refund"]["failed"] is (step == "fail")
        page = path.replace("/v1/", "/o/").replace("orders/", "") + "/receipt"
        for text, language in ((english, "en"), (german, "de")):
            content = http.get(f"{page}?lang={language}").text
            assert (
                text in content and "will be refunded" not in content and "werden dem Käufer erstattet" not in content
            )


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
    assert "was not canceled, in whole or in part" in page.text
    assert http.get(f"{path}/receipt?as_of={format_instant(placed - SECOND)}").status_code == 404


def test_a_notice_is_resent_by_its_recipient_and_once_for_each_key(http: Http) -> None:
    assert http.app.notifications is not None
    path = killed(http)
    stream = f"acme/{path.rsplit('/', 1)[1]}"
    book = http.app.notifications.store
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
    assert http.app.notifications is not None
    path = killed(http)
    stream = f"acme/{path.rsplit('/', 1)[1]}"
    book = http.app.notifications.store
    end = time.monotonic() + 30
    while book.find(stream, "told-4-buyer") is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    http.get(f"{path}/receipt")
    assert (
        http.get(f"{path}/receipt", x_caller="support/a").json()["cancellations"][0]["told"][0]["first_seen_at"] is None
    )
    seen = http.get(f"{path}/receipt", x_caller="buyer/b-7").json()["cancellations"][0]["told"]
    assert [(notification["audience"], notification["first_seen_at"] is not None) for notification in seen] == [
        ("buyer", True)
    ]
    page = http.get(path.replace("/v1/", "/o/").replace("orders/", ""))
    assert "Notifications: 0 of 5 messages sent" in page.text and "Not sent: no address" in page.text
    mine = http.get(path.replace("/v1/", "/o/").replace("orders/", ""), x_caller="seller/s-3")
    assert "told-4-seller" in mine.text and "told-4-buyer" not in mine.text
    assert http.get(f"{path}/receipt", x_caller="seller/s-4").status_code == 404


@pytest.mark.parametrize("when", ["2099-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_a_receipt_confirms_nothing_about_a_future_instant(http: Http, when: str) -> None:
    path = killed(http)
    refused = http.get(f"{path}/receipt?as_of={when}")
    assert (refused.status_code, refused.json()["rule"]) == (400, "as-of")
    assert when in refused.json()["detail"] and "Leave it out" in refused.json()["detail"]
    page = http.get(f"{page_of(path)}?as_of={when}")
    assert page.status_code == 400
    assert "is in the future" in page.text and "was not canceled" not in page.text
    assert http.get(f"{path}/eligibility?as_of={when}").status_code == 200, (
        "eligibility has answers as of a future instant"
    )


# ---- in the reader's language ----------------------------------------------------------------------------------------


def page_of(path: str) -> str:
    """The page of a receipt."""
    return path.replace("/v1/", "/o/").replace("orders/", "") + "/receipt"


def language_of(answer: httpx.Response) -> str:
    """The language of a page, from its header and its markup."""
    language: str = answer.headers["content-language"]
    assert f'<html lang="{language}">' in answer.text
    return language


def test_a_receipt_speaks_the_language_that_its_address_names(http: Http) -> None:
    order = killed(http)
    path, when = page_of(order), http.get(order).json()["at"]
    german, english = http.get(f"{path}?lang=de"), http.get(f"{path}?lang=en")
    assert (language_of(german), language_of(english)) == ("de", "en")
    assert "70,00 USD werden dem Käufer erstattet (refund-1, fällig)." in german.text
    assert (
        "Von 10 Stücken der Bestellung" in german.text
        and "storniert (1 Stornierung). Eine Stornierung kann nicht" in german.text
    )
    assert (
        "7 of 10 units of order" in english.text and "canceled (1 cancellation). A cancellation cannot" in english.text
    )
    assert 'href="?lang=en" hreflang="en" lang="en">English</a>' in german.text
    assert 'href="?lang=de" hreflang="de" lang="de">Deutsch</a>' in english.text
    then = http.get(f"{path}?as_of={when}&lang=de")
    assert f'href="?as_of={quote(when)}&amp;lang=en"' in then.text, "the other language has the same facts"
    strict = Strict()
    strict.feed(german.text)
    assert strict.open == [] and strict.styled == []


def test_nothing_on_a_german_receipt_is_english(http: Http) -> None:
    order = http.place()
    system = {"kind": "seller", "id": "s-3"}
    body = {"command": "CancelLines", "command_id": "c", "actor": system, "reason": "buyer_asked"}
    preview = http.post(f"{order}/cancellations/preview", {"actor": system, "reason": "buyer_asked"}).json()
    assert http.post(f"{order}/commands", {**body, "confirmation": preview["confirmation"]}).status_code == 200
    german, english = (http.get(f"{page_of(order)}?lang={name}").text for name in ("de", "en"))
    assert (
        "Der Verkäufer gibt an, dass der Käufer darum gebeten hat." in german
        and "vom Verkäufer: der Käufer hat" in german
    )
    assert "The seller says that the buyer asked for it." in english
    for section in ("page", "receipt", "cause", "delivery", "refund"):
        for key, text in pack("en").words[section].items():
            other = pack("de").words[section][key]
            if text != other and "{" not in text and len(text) > 5 and key != "other":
                assert f">{text}" not in german and f"{text}<" not in german, (section, key)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr-CA, DE;q=0.5, en;q=0.4", "de"),
        ("en;q=0.4, de;q=0.5", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("de;q=0", "en"),
        ("*", "en"),
        ("fr", "en"),
        ("de;q=high", "en"),
        ("deutsch", "en"),
        (",;q=1,\u00e4", "en"),
        ("x" * 5_000, "en"),
        ("", "en"),
    ],
)
def test_the_language_of_a_page_follows_the_browser(http: Http, header: str, language: str) -> None:
    assert accepted(header) == language
    if header.isascii():
        assert language_of(http.get(page_of(http.place()), accept_language=header)) == language


def test_the_language_of_a_contact_has_precedence_over_the_browsers(http: Http) -> None:
    assert http.app.notifications is not None
    path = page_of(http.place())
    http.app.notifications.contacts.set("acme", "buyer", "b-7", Contact("b7@example.org", "Béa", "de"))
    by = {"x_caller": "buyer/b-7", "accept_language": "en"}
    assert language_of(http.get(path, **by)) == "de"
    assert language_of(http.get(f"{path}?lang=en", **by)) == "en", "but the query has precedence"
    assert language_of(http.get(f"{path}?lang=fr", **by)) == "de"
    assert language_of(http.get(path, x_caller="seller/s-3", accept_language="en")) == "en"
    assert language_of(http.get(path, accept_language="en")) == "en", "a trusted caller is not the buyer"
    http.app.notifications.contacts.remove("acme", "buyer", "b-7")
    assert language_of(http.get(path, **by)) == "en"


def test_a_receipt_has_a_word_for_everything_and_uses_every_word() -> None:
    used = (resources.files("infra.web") / "templates" / "receipt.html").read_text(encoding="utf-8")
    code = Path(receipt_page.__file__).read_text(encoding="utf-8")
    for language in LANGUAGES:
        words = pack(language).words
        assert set(words["delivery"]) == set(receipt_page.STATE) == {*get_args(State), "delivered", "seen", "came-back"}
        assert set(words["cause"]) == {*CAUSES, "fill_or_kill"}
        for key in words["receipt"]:
            names = (f"w.{key} ", f"w.{key}}}", f'w["{key}"]', '"to-" ~ told.audience' if key[:3] == "to-" else "-")
            in_code = f'"{key}"' in code or key in ("not", "partly", "whole")
            assert in_code or any(name in used for name in names), key
