"""Who cancels and why, which ids are accepted, and which policy an order gets."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.commands import parse_command
from domain.decide import decide
from domain.errors import BadInput
from domain.events import LinesCanceled
from domain.marketplace_settings import MarketSettings
from domain.pseudonyms import holds_address
from tests.spec.domain.story import Story, book

ADDRESS = "Ann.Lee+shop@Mail.Example.org"
AT = "2026-03-02T11:00:00Z"
LINE = {"line": 1, "sku": "k", "quantity": 3, "unit_price": "1.00"}


def place(market: MarketSettings, **fields: object) -> None:
    """Decide the placing of an order. Raises BadInput."""
    body = {
        "command": "PlaceOrder",
        "command_id": "c1",
        "marketplace": "acme",
        "order_id": "PO-1",
        "actor": {"kind": "system", "id": "shop"},
        "buyer_id": "b-1",
        "seller_id": "s-1",
        "currency": "USD",
        "lines": [LINE],
        **fields,
    }
    decide(None, parse_command(body), book(), market, 1_772_445_600_000_000)


# ---- who canceled (rule standing) --------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "rule"), [("seller", {}), ("system", {}), ("support", {"rule": "standing"})])
def test_a_cancellation_carries_the_kind_of_actor_that_decided_it(by: str, rule: dict[str, str]) -> None:
    story = Story("big-box").placed()
    assert story.send("CancelLines", AT, by=by, reason="suspected_fraud", **rule) == "accepted"
    [canceled] = [event for event, _ in story.commits[-1][0] if isinstance(event, LinesCanceled)]
    assert [part.cause for part in canceled.lines] == [by]


def test_a_refused_notice_says_how_many_units_can_still_ship() -> None:
    story = Story("big-box").placed(lines=[LINE])
    story.send("CancelLines", AT, lines=[{"line": 1, "quantity": 1}], reason="out_of_stock")
    story.send("Ship", AT, shipment_id="s1", lines=[{"line": 1, "quantity": 3}])
    assert story.last is not None
    assert story.last.verdict is not None
    assert story.last.verdict.because.endswith("2 units of it can still ship.")


# ---- ids (rule personal-data-in-id) ------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["buyer_id", "seller_id", "po_number", "checkout_id", "correlation_id"])
def test_a_new_id_with_an_address_is_bad_and_its_field_is_named(field: str) -> None:
    with pytest.raises(BadInput, match="pseudonym") as bad:
        place(MarketSettings(), policy="big-box", **{field: f"cart:{ADDRESS}:7"})
    assert (bad.value.pointer, bad.value.rule) == (f"/{field}", "personal-data-in-id")


def test_the_id_of_the_actor_is_judged_too() -> None:
    with pytest.raises(BadInput) as bad:
        place(MarketSettings(), policy="big-box", actor={"kind": "system", "id": ADDRESS})
    assert bad.value.pointer == "/actor/id"


def test_a_marketplace_may_permit_addresses_in_ids() -> None:
    story = Story("big-box", market=MarketSettings(personal_ids=True)).placed(po_number=ADDRESS)
    assert story.here.terms.po_number == ADDRESS


def test_an_id_that_the_order_knows_is_accepted_again() -> None:
    story = Story("big-box", market=MarketSettings(personal_ids=True)).placed(correlation_id=ADDRESS)
    ticket = {"channel": "phone", "ticket": "desk@example.org"}
    assert story.send("RecordContact", AT, by="support", contact_id="c1", **ticket) == "accepted"
    story.market = MarketSettings()
    assert story.send("RecordContact", AT, by="support", contact_id="c2", **ticket) == "accepted"
    known = {"channel": "phone", "correlation_id": ADDRESS}
    assert story.send("RecordContact", AT, by="support", contact_id="c3", **known) == "accepted"
    new = {"channel": "phone", "ticket": "new@example.org"}
    assert story.send("RecordContact", AT, by="support", contact_id="c4", **new) == "bad:/ticket"


@given(st.text(alphabet="a. @b\t", max_size=12))
def test_an_address_is_what_the_expression_finds(text: str) -> None:
    assert holds_address(text) == (re.search(r"[^@\s]+@[^@\s]+\.[^@\s]+", text) is not None)


# ---- the policy of a new order (rules policy-missing, no-such-policy) --------------------------------------------


def test_an_order_without_a_policy_is_bad_where_the_marketplace_sets_none() -> None:
    with pytest.raises(BadInput, match=r"published are .*big-box@") as bad:
        place(MarketSettings())
    assert (bad.value.pointer, bad.value.rule) == ("/policy", "policy-missing")


def test_an_order_without_a_policy_gets_the_marketplaces() -> None:
    story = Story("big-box", market=MarketSettings(policy="auction-house"))
    body: dict[str, Any] = {"lines": [LINE], "buyer_id": "b-1", "seller_id": "s-1", "currency": "USD"}
    assert story.send("PlaceOrder", AT, **body) == "accepted"
    assert story.here.terms.policy.id == "auction-house"


@pytest.mark.parametrize(("name", "nearest"), [("big-bx", "big-box"), ("big-box@77", "big-box@")])
def test_an_unknown_policy_is_answered_with_the_nearest_name(name: str, nearest: str) -> None:
    story = Story("big-box")
    body = {"lines": [LINE], "buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "policy": name}
    command = {"command": "PlaceOrder", "command_id": "c1", "marketplace": "acme", "order_id": "PO-1", "at": AT}
    actor = {"kind": "system", "id": "shop"}
    decided = decide(None, parse_command({**command, "actor": actor, **body}), story.policies, story.market, 0)
    assert decided.refused == "no-such-policy"
    assert decided.verdict is not None
    assert "published are " in decided.verdict.because
    assert f"Did you mean {nearest}" in decided.verdict.because
