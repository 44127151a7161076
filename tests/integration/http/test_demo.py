"""The demo marketplace: it shows every rule of docs/reference/rules.md, is the same every time, and is made once."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.commands import parse_command
from domain.instants import DAY, format_instant, parse_instant
from domain.presets import NAMES, preset
from domain.rulebook import RULE_IDS
from infra.demo import MARKETPLACE, NotEmpty, seed, seeding
from infra.demo.shops import SHOPS
from infra.demo.stories import FURTHER, SHOWN, name
from infra.store.history import history
from tests.integration.http.client import Http, placing, served
from tests.integration.http.shown import CLAIMS, FURTHER_CLAIMS, Seen

pytestmark = pytest.mark.xdist_group("demo")

NOW = parse_instant("2026-03-30T12:00:00Z")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    with served(tmp_path_factory.mktemp("demo")) as http:
        assert seed(http.app) > 1000
        assert http.app.views is not None
        assert http.app.views.catch_up(60)
        yield http


@pytest.fixture(scope="module")
def plots(demo: Http) -> dict[str, list[Seen]]:
    """Plot → its orders, as the seeded demo has them."""
    found: dict[str, list[Seen]] = {}
    for story in seeding.orders(NOW):
        stream = f"{MARKETPLACE}/{story.order_id}"
        events = history_of(demo, stream)
        assert events, story.order_id
        found.setdefault(story.plot, []).append(Seen(f"/v1/{MARKETPLACE}/orders/{story.order_id}", events, demo))
    return found


def history_of(demo: Http, stream: str) -> list[dict[str, Any]]:
    return demo.app.ask(lambda engine: list(history(engine.followers[engine.partition(stream)].state, stream)))


def test_every_rule_has_a_story() -> None:
    assert set(SHOWN) == RULE_IDS
    assert set(CLAIMS) <= RULE_IDS
    assert set(FURTHER_CLAIMS) == set(FURTHER)


@pytest.mark.parametrize("rule", sorted(SHOWN))
def test_every_rule_is_shown_by_an_order_of_its_story(plots: dict[str, list[Seen]], rule: str) -> None:
    claim = CLAIMS.get(rule, lambda seen: seen.speaks(rule))
    assert any(claim(seen) for seen in plots[name(SHOWN[rule])])


@pytest.mark.parametrize("what", sorted(FURTHER))
def test_further_behavior_of_the_rules_is_shown_too(plots: dict[str, list[Seen]], what: str) -> None:
    assert any(FURTHER_CLAIMS[what](seen) for seen in plots[name(FURTHER[what])])


def test_there_is_work_waiting(demo: Http) -> None:
    now = format_instant(demo.app.clock())
    orders = [
        demo.get(f"/v1/{MARKETPLACE}/orders/{story.order_id}?as_of={now}").json() for story in seeding.orders(NOW)
    ]
    waiting = {what for order in orders for what in order["attention"]}
    assert waiting >= {"case_open", "dispute_open", "return_open", "shipped_after_cancel", "late", "refund_failed"}
    assert any(order["status"] == "cancel_requested" for order in orders)


def test_the_first_page_explains_the_demo_and_what_to_try(demo: Http) -> None:
    home = demo.get("/").text
    assert "<h1>Demo marketplace</h1>" in home
    links = re.findall(r'<li><a href="(/o/demo/[^"]+)">', home)
    assert len(links) == 3
    paths = [link.replace("/o/demo", "/v1/demo/orders") for link in links]
    waiting, partly_shipped, shipped_after_cancel = (demo.get(path).json() for path in paths)
    assert waiting["status"] == "cancel_requested"
    assert {each for each in ("shipped", "canceled") if any(line[each] for line in partly_shipped["lines"])} == {
        "shipped",
        "canceled",
    }
    assert "shipped_after_cancel" in shipped_after_cancel["attention"]
    for link in re.findall(r'href="(/[^"]*)"', home):
        assert demo.get(link).status_code == 200, link


def test_a_marketplace_named_demo_that_the_demo_did_not_fill_is_none(tmp_path: Path) -> None:
    with served(tmp_path) as http:
        assert http.post("/v1/demo/orders", placing("PO-1"), "k1").status_code == 201
        assert http.app.views is not None
        assert http.app.views.catch_up(60)
        assert http.get("/").headers["Location"] == "/o/demo"


def test_every_preset_has_a_shop() -> None:
    assert set(NAMES) <= {shop.policy for shop in SHOPS}


def test_a_few_hundred_orders_of_the_past_weeks_and_none_of_the_future(demo: Http) -> None:
    stories = seeding.orders(NOW)
    assert 200 <= len(stories) <= 400
    assert all(NOW - 25 * DAY <= story.placed_at <= NOW for story in stories)
    assert all(parse_instant(body["at"]) <= NOW for body in seeding.commands(NOW))
    assert len(demo.get(f"/v1/{MARKETPLACE}/orders?limit=200").json()["orders"]) == 200


def test_the_same_instant_makes_the_same_commands() -> None:
    assert seeding.commands(NOW) == seeding.commands(NOW)
    assert seeding.commands(NOW) != seeding.commands(NOW + DAY)


def test_it_is_made_once(demo: Http) -> None:
    before = demo.app.ask(lambda engine: engine.followers[0].next_ordinal)
    assert seed(demo.app) == 0
    assert demo.app.ask(lambda engine: engine.followers[0].next_ordinal) == before


def test_afterwards_the_marketplace_is_live(demo: Http) -> None:
    waiting = demo.get(f"/v1/{MARKETPLACE}/orders?status=cancel_requested").json()["orders"]
    order = next(each for each in waiting if each["seller_id"] == "lumen-lighting")
    path = f"/v1/{MARKETPLACE}/orders/{order['order_id']}"
    request = next(each for each in demo.get(path).json()["requests"] if each["status"] == "open")
    seller = {"kind": "seller", "id": order["seller_id"]}
    answer = demo.confirmed(f"{path}/cancellations/{request['request_id']}/approve", {"actor": seller}, "k1")
    assert answer.status_code == 200
    assert answer.json()["order"]["status"] == "canceled"


def test_nothing_of_the_past_is_left_to_fire(demo: Http) -> None:
    assert demo.app.views is not None
    overdue = demo.app.views.views.deadlines(before=demo.app.clock() - DAY, marketplace=MARKETPLACE)
    assert overdue == []


def test_a_seeding_that_was_broken_off_goes_on_as_of_when_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Enough(Exception):
        pass

    with served(tmp_path) as http, monkeypatch.context() as patched:
        taken: list[object] = []

        def stop(body: object) -> object:
            taken.append(body)
            if len(taken) > 400:
                raise Enough
            return parse_command(body)

        patched.setattr(seeding, "parse_command", stop)
        with pytest.raises(Enough):
            seed(http.app)
    with served(tmp_path) as http:
        live = {"actor": {"kind": "support", "id": "agent-4"}, "reason": "other", "rule": "standing"}
        first = f"/v1/{MARKETPLACE}/orders/{seeding.orders(0)[0].order_id}"
        assert http.post(f"{first}/cancellations", live, "k1").json()["rule"] == "import-open"
        assert seed(http.app) > 1000
        assert seed(http.app) == 0
        assert http.get(first).json()["version"] > 1
        assert http.post(f"{first}/messages", {**_message(), "actor": live["actor"]}, "k2").status_code == 200


def test_a_store_with_orders_of_somebodys_is_not_filled(tmp_path: Path) -> None:
    with served(tmp_path) as http:
        placed = http.post("/v1/acme/orders", _order("PO-1"), "k1")
        assert placed.status_code == 201
        before = http.app.ask(lambda engine: engine.followers[0].next_ordinal), http.app.control.next_offset
        with pytest.raises(NotEmpty, match="acme/PO-1"):
            seed(http.app)
        assert before == (http.app.ask(lambda engine: engine.followers[0].next_ordinal), http.app.control.next_offset)


def test_a_marketplace_of_the_same_name_is_not_taken_for_the_demos(tmp_path: Path) -> None:
    with served(tmp_path) as http:
        first = seeding.orders(0)[0].order_id
        assert http.post(f"/v1/{MARKETPLACE}/orders", _order(first), "k1").status_code == 201
        with pytest.raises(NotEmpty, match=first):
            seed(http.app)


def test_a_demo_that_another_release_filled_is_served_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path) as http:
        with monkeypatch.context() as patched:
            patched.setattr(seeding, "EVERYDAY_ORDERS", 5)
            assert seed(http.app) > 0
        before = http.app.ask(lambda engine: engine.followers[0].next_ordinal)
        assert seed(http.app) == 0
        assert http.app.ask(lambda engine: engine.followers[0].next_ordinal) == before


def test_a_demo_in_which_somebody_went_on_is_still_the_demo(demo: Http) -> None:
    assert demo.post("/v1/acme/orders", _order("PO-1"), "k1").status_code == 201
    assert seed(demo.app) == 0


def _order(order_id: str) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "actor": {"kind": "system", "id": "checkout"},
        "buyer_id": "b-1",
        "seller_id": "s-1",
        "currency": "USD",
        "policy": "big-box",
        "lines": [{"line": 1, "sku": "A-1", "title": "Lamp", "quantity": 1, "unit_price": "10.00"}],
    }


def _message() -> dict[str, str]:
    return {"to": "seller", "text": "Still there?"}


def test_the_demos_own_policy_lists_what_no_preset_lists() -> None:
    assert seeding.policy().policy.lists("stalled-tracking")
    assert not any(preset(name).policy.lists("stalled-tracking") for name in NAMES)
