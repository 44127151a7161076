"""The pages in a real browser: they work without scripts, stay on this host, and the console is silent."""

import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from infra.demo import MARKETPLACE, seed
from tests.integration.http.running import running
from tests.needs import require

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo marketplace, served; its address."""
    with running(tmp_path_factory.mktemp("demo")) as (app, address):
        seed(app)
        assert app.views is not None
        assert app.views.catch_up(60)
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    require("browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, chromium: Browser, demo: str) -> Iterator[Page]:
    """A page that fails the test if it requests another host, or if anything is written to the console."""
    context = chromium.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900})
    shown = context.new_page()
    requested: list[str] = []
    messages: list[str] = []
    shown.on("request", lambda each: requested.append(each.url))
    shown.on("console", lambda each: messages.append(f"{each.type}: {each.text}"))
    shown.on("pageerror", lambda each: messages.append(f"error: {each}"))
    shown.on("requestfailed", lambda each: messages.append(f"failed: {each.url}: {each.failure}"))
    yield shown
    context.close()
    here = urlsplit(demo).netloc
    assert {urlsplit(url).netloc for url in requested} == {here}
    assert [each for each in messages if not each.endswith("net::ERR_ABORTED")] == []  # cut short by the next page


def follow(page: Page, link: Locator) -> None:
    """Click what leads to another page, and wait until that page has loaded: a click alone does not."""
    with page.expect_navigation():
        link.click()


def test_from_the_list_to_an_order_and_back_by_links(page: Page, demo: str) -> None:
    page.goto(demo)
    page.get_by_role("link", name="All orders").click()
    assert page.url == f"{demo}o/{MARKETPLACE}"
    assert page.locator("h1").inner_text() == "Orders"
    follow(page, page.get_by_role("link", name="Cancellation requested"))
    rows = page.locator("tbody tr")
    assert rows.count() > 5
    number = rows.first.locator("a.id").inner_text()
    follow(page, rows.first.locator("a.id"))
    assert page.locator("h1").inner_text() == f"Order {number}"
    assert page.locator(".lead").inner_text().startswith("The buyer asks to cancel")
    assert page.locator("ol.timeline > li").count() >= 2
    page.get_by_text("Other actions").click()
    assert page.locator("dl.others").is_visible()
    follow(page, page.locator(".timeline a", has_text="version 2"))
    assert "You see the order as of" in page.locator(".notice").inner_text()


def test_a_search_finds_the_order_that_was_filled_or_killed(page: Page, demo: str) -> None:
    page.goto(f"{demo}o/{MARKETPLACE}")
    page.get_by_label("PO number, order ID, tracking number, SKU, seller or buyer").fill("lumen-lighting")
    follow(page, page.get_by_role("button", name="Search"))
    assert page.locator("tbody tr").count() > 10
    assert page.locator("tbody tr", has_not_text="lumen-lighting").count() == 0


def test_nothing_is_wider_than_a_phone(page: Page, demo: str) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    for path in (f"o/{MARKETPLACE}", f"o/{MARKETPLACE}?status=cancel_requested", "rules", "policies/general-store/1"):
        page.goto(demo + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
    page.goto(f"{demo}o/{MARKETPLACE}")
    follow(page, page.locator("tbody a.id").first)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_cases_page_is_reached_from_its_order_and_is_no_wider_than_a_phone(page: Page, demo: str) -> None:
    listed = page.request.get(f"{demo}v1/{MARKETPLACE}/orders?limit=200&status=delivered").json()["orders"]
    cases = [each["order_id"] for each in listed if "case_open" in each["attention"]]
    answers = {
        order_id: page.request.get(f"{demo}v1/{MARKETPLACE}/orders/{order_id}/cases/case-a") for order_id in cases
    }
    order_id = next(each for each in cases if answers[each].json()["reason"] == "not_as_described")
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(f"{demo}o/{MARKETPLACE}/{order_id}")
    follow(page, page.get_by_role("link", name="Case case-a"))
    assert page.locator("h1").inner_text() == "Case case-a"
    assert page.locator(".lead").inner_text().startswith("The buyer says: not as described.")
    for heading in ("Recommendation", "What is missing", "Messages", "Chronology", "Policy when the order was placed"):
        assert page.get_by_role("heading", name=heading).is_visible(), heading
    page.get_by_text("Text of the policy").click()
    assert page.locator("pre").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_receipt_is_read_in_another_language_by_a_link_that_no_paper_shows(page: Page, demo: str) -> None:
    listed = page.request.get(f"{demo}v1/{MARKETPLACE}/orders?limit=200&status=canceled").json()["orders"]
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(f"{demo}o/{MARKETPLACE}/{listed[0]['order_id']}/receipt")
    assert (page.locator("html").get_attribute("lang"), page.locator("h1").inner_text()) == ("en", "Canceled")
    follow(page, page.get_by_role("link", name="Deutsch"))
    assert (page.locator("html").get_attribute("lang"), page.locator("h1").inner_text()) == ("de", "Storniert")
    assert page.url.endswith("/receipt?lang=de")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.emulate_media(media="print")
    assert page.locator(".lead").is_visible()
    assert not page.get_by_role("link", name="English").is_visible()
    page.emulate_media(media="screen")
    follow(page, page.get_by_role("link", name="English"))
    assert page.locator("h1").inner_text() == "Canceled"
