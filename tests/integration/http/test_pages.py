"""The pages: what they answer at the top, what they link to, and that they trust nothing that people typed."""

import html
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from infra.http import listing, reads
from infra.http.reads import Reads, Seen
from infra.views.reading import Page
from infra.web.list_page import ListPage, MatchingOrders
from tests.integration.http.client import BUYER, SELLER, SYSTEM, Http, notice, placing, served

VOID = {"meta", "link", "br", "input", "path", "circle", "use", "img"}


class Strict(HTMLParser):
    """Reads a page as strictly as a validator would look at nesting, and collects what it refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.styled: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("href", "src", "action"):
                self.references.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if name == "style" or name.startswith("on"):
                self.styled.append(name)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


def read(text: str) -> Strict:
    page = Strict()
    page.feed(text)
    page.close()
    assert page.open == []
    assert page.styled == []
    assert len(page.ids) == len(set(page.ids))
    assert all(each.startswith(("/", "#")) or each == "" for each in page.references)
    assert "<script" not in text
    return page


def words(text: str) -> str:
    """A page's text, spaces collapsed."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


@pytest.fixture(scope="module")
def shop(http: Http) -> Http:
    """A marketplace with an order that waits, one that shipped in part, and one that is open."""
    for name in ("waits", "partly", "open"):
        http.post("/v1/shop/orders", placing(name, policy="peer-to-peer" if name == "waits" else "seller-portal"), "k1")
    ask = {"actor": SYSTEM, "request_id": "r1", "reason": "changed_mind"}
    http.post("/v1/shop/orders", placing("late", ship_by="2026-01-01T00:00:00Z"), "k1")
    http.post("/v1/shop/orders/open/cancellations", ask, "k2")
    token = http.post("/v1/shop/orders/partly/shipments", {**notice(3), "actor": SYSTEM}, "k2").headers
    http.get("/v1/shop/orders", rescind_position=token["rescind-position"])
    return http


def test_the_list_shows_overdue_requests_at_the_top(shop: Http) -> None:
    text = shop.get("/o/shop").text
    read(text)
    assert "1 cancellation request needs an answer" in words(text)
    assert "Cancellation requested 1" in words(text)
    assert "All 4" in words(text)
    assert "shipping overdue since" in words(text)


def test_every_page_with_times_names_their_zone_at_the_top(http: Http) -> None:
    placed = http.post("/v1/zoned/orders", placing("berlin", timezone="Europe/Berlin"), "k1").headers
    http.get("/v1/zoned/orders", rescind_position=placed["rescind-position"])
    assert "Placed, UTC" in words(http.get("/o/zoned").text)
    assert "Times in Europe/Berlin" in words(http.get("/o/zoned/berlin").text)


def test_the_filters_are_links_with_counts(shop: Http) -> None:
    text = shop.get("/o/shop?status=shipped").text
    assert 'aria-current="true">Shipped 1</a>' in text
    assert ">partly</a>" in text
    assert ">waits</a>" not in text
    assert "Delivered 0" in words(text)


@pytest.mark.parametrize(("q", "found"), [("partly", 1), ("s-3", 4), ("b-7", 4), ("nobody", 0)])
def test_one_box_finds_orders_sellers_and_buyers(shop: Http, q: str, found: int) -> None:
    text = shop.get(f"/o/shop?q={q}").text
    read(text)
    assert len(re.findall(r'<a class="id" href="/o/shop/', text)) == found
    assert ("No order has this PO number" in text) is (found == 0)


def test_the_page_of_a_marketplace_without_orders_explains_how_to_place_one(tmp_path: Path) -> None:
    with served(tmp_path) as http:
        text = http.get("/o/nowhere").text
    read(text)
    assert "There are no orders in nowhere yet." in words(text)


def test_the_first_page_leads_to_the_marketplaces(shop: Http) -> None:
    answer = shop.get("/")
    assert answer.status_code in (200, 303)
    assert shop.get("/o/shop").status_code == 200


def test_the_order_page_summarizes_it_in_a_sentence_and_adds_the_money_up(shop: Http) -> None:
    text = shop.get("/o/shop/partly").text
    read(text)
    page_text = words(text)
    assert (
        "3 units have shipped, 7 units are canceled and nothing is open. A refund of 70.00 USD is on its way"
        in page_text
    )
    assert "Paid by the buyer 100.00 Refunds due −70.00 Refunds paid 0.00 Left with the seller 30.00" in page_text
    assert "7 canceled by fill or kill · cannot be reopened" in page_text
    assert "Can the buyer cancel it? No What is left of the order has shipped" in page_text


TENDERS: list[tuple[str, dict[str, Any]]] = [
    ("ConfirmPayment", {"payment_id": "gift-7", "method": "gift_card", "amount": "20.00"}),
    ("ConfirmPayment", {"payment_id": "visa-7", "method": "card", "amount": "44.00"}),
    ("RecordOtherRefund", {"amount": "5.00", "covers": [{"line": 2, "amount": "5.00"}]}),
    ("Ship", {"shipment_id": "asn-1", "lines": [1]}),
    ("Ship", {"shipment_id": "asn-2", "lines": [2]}),
    ("Deliver", {"shipment_id": "asn-1"}),
    ("RequestReturn", {"reason": "changed_mind", "lines": [1]}),
    ("ReturnReceived", {"about": "return-1", "lines": [{"line": 1, "quantity": 1}]}),
    ("OpenChargeback", {"payment_id": "visa-7", "amount": "30.00"}),
    ("ReportUndelivered", {"shipment_id": "asn-2", "outcome": "lost"}),
]


def test_the_order_page_has_fees_payments_returns_lost_items_and_what_was_refunded_separately(http: Http) -> None:
    lines = [
        {"line": 1, "sku": "L-1", "title": "Lamp", "quantity": 2, "unit_price": "10.00"},
        {"line": 2, "sku": "C-2", "title": "Chair", "quantity": 1, "unit_price": "40.00"},
    ]
    fees = [{"fee_id": "wrap", "title": "Gift wrapping", "amount": "4.00"}]
    placed = placing("tenders", policy="general-store", lines=lines, paid=False, fees=fees)
    assert http.post("/v1/tenders/orders", placed, "k1").status_code == 201
    for number, (command, fields) in enumerate(TENDERS):
        body = {"command": command, "actor": SYSTEM, **fields}
        answer = http.post("/v1/tenders/orders/tenders/commands", body, f"t{number}")
        assert answer.status_code == 200, (command, answer.text)

    text = http.get("/o/tenders/tenders").text

    read(text)
    page = words(text)
    assert "A refund of 40.00 USD" not in page
    assert "waits for the end of a chargeback" in page
    assert "The buyer's bank demands 30.00 USD back (chargeback)." in page
    assert "5.00 USD was refunded separately on" in page
    assert "Refunded separately −5.00" in page
    assert "5.00 USD for “Chair”" in page
    assert "gift-7 gift card" in page
    assert "chargeback open: 30.00" in page
    assert "Gift wrapping never refunded 4.00 0.00" in page
    assert "Received in part" in page
    assert "received: 1 of “Lamp”" in page
    assert "Lost or damaged on the way: “Chair”." in page
    listed = words(http.get("/o/tenders?status=undelivered").text)
    assert "Lost on its way 0" in listed


def test_the_timeline_is_newest_first_with_actor_time_and_rule(shop: Http) -> None:
    text = shop.get("/o/shop/partly").text
    timeline = words(text.split('<ol class="timeline"')[1])
    assert timeline.index("Refund refund-1 of 70.00 USD is due.") < timeline.index("Order placed: 10 units of 1 item")
    assert "fill-or-kill · version 5" in timeline
    assert "system checkout" in timeline


def test_a_request_that_waits_shows_until_when(shop: Http) -> None:
    body = {"actor": SYSTEM, "request_id": "r1", "reason": "found_cheaper"}
    shop.post("/v1/shop/orders", placing("gavel", policy="auction-house"), "k1")
    shop.post("/v1/shop/orders/gavel/cancellations", body, "k2")
    page_text = words(shop.get("/o/shop/gavel").text)
    assert "The buyer asks to cancel the whole order: found it cheaper. The seller has until" in page_text
    assert "Without an answer in time the request is closed, and nothing is canceled." in page_text
    assert "3 days left" in page_text or "2 days 23 h left" in page_text


def test_offers_are_shown_with_the_time_until_which_the_buyer_may_choose(shop: Http) -> None:
    shop.post("/v1/shop/orders", placing("leaf", policy="general-store"), "k1")
    ask = {"actor": SYSTEM, "request_id": "r1", "reason": "changed_mind"}
    shop.post("/v1/shop/orders/leaf/cancellations", ask, "k2")
    page_text = words(shop.get("/o/shop/leaf").text)
    assert "The store offers a later date, another address, an exchange or a credit instead." in page_text
    assert "The buyer has until" in page_text
    assert "Without a choice in time the request continues." in page_text


@pytest.mark.parametrize("policy", ["mutual-consent", "seller-portal"])
def test_a_request_that_stays_open_without_an_answer_says_so(shop: Http, policy: str) -> None:
    shop.post("/v1/shop/orders", placing(policy, policy=policy), "k1")
    ask = {"actor": SYSTEM, "request_id": "r1", "reason": "changed_mind"}
    shop.post(f"/v1/shop/orders/{policy}/cancellations", ask, "k2")
    assert "Without an answer the request stays open." in words(shop.get(f"/o/shop/{policy}").text)


def test_a_positive_verdict_has_its_end(shop: Http) -> None:
    page_text = words(shop.get("/o/shop/waits").text)
    assert "Can the buyer cancel it? Yes" in page_text
    assert "This answer changes" in page_text
    assert "(in 2 h 59 min)" in page_text or "(in 3 h)" in page_text


def test_a_refusal_in_the_timeline_has_its_reason_and_alternatives(shop: Http) -> None:
    body = {"actor": SELLER, "shipment_id": "asn-9", "lines": [{"line": 1, "quantity": 1}]}
    assert shop.post("/v1/shop/orders/partly/shipments", body, "k9").status_code == 409
    page_text = words(shop.get("/o/shop/partly").text)
    assert "Shipping notice asn-9 refused" in page_text
    assert "Have a new order placed for the quantity, linked to this one." in page_text


def test_a_refusal_says_its_times_as_the_page_does_and_names_no_command(shop: Http) -> None:
    shop.post("/v1/shop/orders", placing("local", policy="peer-to-peer", timezone="Europe/Berlin"), "k1")
    for request in ("r1", "r2"):
        ask = {"actor": SYSTEM, "request_id": request, "reason": "changed_mind"}
        shop.post("/v1/shop/orders/local/cancellations", ask, request)
    page_text = words(shop.get("/o/shop/local").text)
    assert "as the buyer asked by request r1, at " in page_text
    assert re.search(r"\d{4}-\d\d-\d\dT", page_text) is None
    assert re.search(r"\([A-Z][a-z]+[A-Z]", page_text) is None


def test_a_page_says_where_to_answer_and_an_open_order_has_no_receipt(shop: Http) -> None:
    page_text = words(shop.get("/o/shop/open").text)
    assert "This page is read-only. Answer over HTTP or the command line." in page_text
    assert "rule shipment-answers" in page_text
    assert "Receipt" not in page_text
    page_text = words(shop.get("/o/shop/partly").text)
    assert "read-only" not in page_text
    assert "Receipt proof of cancellation" in page_text


def test_the_page_of_an_order_as_of_an_instant_says_so(shop: Http) -> None:
    placed_at = shop.get("/v1/shop/orders/partly").json()["placed_at"]
    text = shop.get(f"/o/shop/partly?as_of={placed_at}").text
    read(text)
    assert "You see the order as of" in words(text)
    assert "All 10 units are still to ship" in words(text)


def test_an_unknown_order_has_a_page_with_status_404(http: Http) -> None:
    answer = http.get("/o/shop/never")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    read(answer.text)
    assert "There is no such order here." in answer.text


def test_typed_text_is_never_markup(http: Http) -> None:
    evil = '<img src=x onerror="alert(1)">'
    lines = [{"line": 1, "sku": evil, "title": evil, "quantity": 1, "unit_price": "1.00"}]
    body = placing("evil", po_number=evil, lines=lines, seller_id=evil, buyer_id="b-7")
    assert http.post("/v1/evil/orders", body, "k1").status_code == 201
    message = {"actor": BUYER, "to": "seller", "text": evil, "message_id": evil}
    token = http.post("/v1/evil/orders/evil/messages", message, "k2").headers["rescind-position"]
    http.get("/v1/evil/orders", rescind_position=token)
    for path in ("/o/evil", "/o/evil/evil", f"/o/evil?q={html.escape(evil)}", "/o/evil?q=%3Cscript%3E"):
        text = http.get(path).text
        assert "<img" not in text
        assert "<script" not in text.lower()


def test_rules_and_policies_have_their_text(http: Http) -> None:
    rules = http.get("/rules")
    page = read(rules.text)
    assert {"grace-window", "already-canceled", "auto-canceled-is-final"} <= set(page.ids)
    policy = http.get("/policies/general-store/1")
    read(policy.text)
    assert "offers: wait, address, exchange, credit" in words(policy.text)
    assert http.get("/policies/general-store/9").status_code == 404
    assert http.get("/policies/general-store/x").status_code == 404


def test_only_the_files_of_the_pages_are_served(http: Http) -> None:
    css = http.get(re.findall(r'href="(/static/rescind.css[^"]*)"', http.get("/rules").text)[0])
    assert css.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in css.headers["cache-control"]
    assert "url(" not in css.text
    assert "@import" not in css.text
    for name in ("../templates/base.html", "%2e%2e/words.py", "nothing"):
        assert http.get(f"/static/{name}").status_code == 404


def test_a_page_after_ones_own_write_shows_it_or_is_marked_stale(shop: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "TIMEOUT", 0.01)
    monkeypatch.setattr(listing, "TIMEOUT", 0.01)
    for path in ("/o/shop", "/o/shop/partly"):
        assert "This page is not up to date yet" in shop.get(path, rescind_position="0:999999").text
        assert "This page is not up to date yet" not in shop.get(path).text


def test_an_unreadable_order_is_reported_and_no_rules_are_applied(shop: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Reads.order

    async def unreadable(self: Reads, marketplace: str, order_id: str, as_of: int | None = None) -> Seen | None:
        seen = await found(self, marketplace, order_id, as_of)
        assert seen is not None
        return Seen(seen.order, seen.head, "OrderPainted version 1 is unknown here", seen.closed_at)

    monkeypatch.setattr(Reads, "order", unreadable)
    page_text = words(shop.get("/o/shop/open").text)
    assert "A newer version of this software wrote this order" in page_text
    assert "OrderPainted version 1 is unknown here" in page_text
    assert "Can the buyer cancel it?" not in page_text
    assert shop.get("/v1/shop/orders/open").json()["attention"] == ["stuck"]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
def test_an_order_that_may_ship_for_ever_has_its_page_its_answers_and_its_preview(http: Http, zone: str) -> None:
    place = http.place(policy="everything-store", timezone=zone, ship_by="9999-12-31T23:59:59Z")
    page = http.get(place.replace("/v1/", "/o/").replace("/orders", ""))
    assert page.status_code == 200
    assert "9999" in words(page.text)
    assert len(http.get(f"{place}/eligibility").json()) == 5
    assert http.get(f"{place}/eligibility?as_of=9999-12-31T23:59:59Z").status_code == 200
    preview = {"actor": {"kind": "buyer", "id": "b-7"}, "request_id": "r1", "reason": "changed_mind"}
    assert http.post(f"{place}/cancellations/preview", preview).status_code == 200
    assert http.get(f"{place}/receipt").status_code == 200


@pytest.mark.parametrize(
    ("q", "status", "after", "counts", "sentence"),
    [
        ("", None, None, {}, "There are no orders in shop yet."),
        ("", None, "cursor", {"open": 100}, "This page is past the end of the list."),
        ("", "shipped", "cursor", {"open": 1, "shipped": 100}, "This page is past the end of the list."),
        ("", "shipped", None, {"open": 1}, "No order has this status."),
        ("s-1", "shipped", None, {"open": 1}, "None of these orders has this status."),
        ("s-9", None, None, {}, "No order has this PO number, order ID, tracking number, SKU, seller or buyer."),
        (
            "s-9",
            "shipped",
            None,
            {},
            "No order has this PO number, order ID, tracking number, SKU, seller or buyer.",
        ),
    ],
)
def test_an_empty_list_shows_why_it_is_empty(
    q: str, status: str | None, after: str | None, counts: dict[str, int], sentence: str
) -> None:
    found = MatchingOrders(Page([], None), None, counts, [])
    shown = ListPage("shop", found, q, status, after, "UTC", 0)
    assert shown.empty == sentence
    assert shown.has_orders is bool(counts)


def test_an_empty_page_of_a_marketplace_with_orders_does_not_claim_that_there_are_none(shop: Http) -> None:
    for query in ("status=canceled", "q=s-3&status=canceled"):
        text = words(shop.get(f"/o/shop?{query}").text)
        assert "no orders" not in text and "No order here" not in text, query
