"""Events and verdicts as JSON for people and other programs."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import events as e
from domain.instants import parse_instant
from schemas.codec import event_data, verdict_data
from schemas.contracts import event_schema
from schemas.names import CURRENT, NAME_OF
from tests.effort import examples
from tests.spec.schemas.showing import shown
from tests.spec.schemas.strategies import built, values

NOON = parse_instant("2026-03-02T12:00:00Z")
HASH = bytes(range(32))
HEX = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
VERDICT = e.Verdict(
    "cancel",
    "ask_seller",
    "seller-has-final-say",
    e.PolicyRef("peer-to-peer", 1, HASH),
    (e.Input("placed_at", "2026-03-02T08:00:00Z"), e.Input("window", "3 hours")),
    "The window closed, so the seller decides.",
    (e.Instead("contact", "Write to the seller.", None), e.Instead("return", "Return it.", NOON + 1)),
    NOON,
)


def test_a_verdict_has_the_form_of_the_contract() -> None:
    assert verdict_data(VERDICT) == {
        "action": "cancel",
        "allowed": False,
        "outcome": "ask_seller",
        "rule": "seller-has-final-say",
        "policy": {"id": "peer-to-peer", "version": 1, "sha256": HEX},
        "inputs": {"placed_at": "2026-03-02T08:00:00Z", "window": "3 hours"},
        "because": "The window closed, so the seller decides.",
        "instead": [
            {"option": "contact", "text": "Write to the seller.", "until": None},
            {"option": "return", "text": "Return it.", "until": "2026-03-02T12:00:00.000001Z"},
        ],
        "next_change_at": "2026-03-02T12:00:00Z",
    }
    assert list(verdict_data(VERDICT)) == [
        "action", "allowed", "outcome", "rule", "policy", "inputs", "because", "instead", "next_change_at"
    ]  # fmt: skip


def test_a_verdict_is_allowed_only_when_it_is_granted() -> None:
    granted = dataclasses.replace(VERDICT, outcome="granted")
    assert verdict_data(granted)["allowed"] is True
    assert event_data(e.CancelRefused("r1", granted))["verdict"] == verdict_data(granted)


def test_an_event_names_its_fields_as_the_contract_does() -> None:
    decide = e.Deadline("decide-1", "decide", NOON, "r1")
    event = e.CancelRequested("r1", "buyer", None, (e.LineQuantity(1, 3),), e.Sealed(HASH, "v/1"), VERDICT, (decide,))
    assert event_data(event) == {
        "request_id": "r1",
        "by": "buyer",
        "reason": None,
        "lines": [{"line": 1, "quantity": 3}],
        "text": {"commitment": HEX, "reference": "v/1"},
        "verdict": verdict_data(VERDICT),
        "deadlines": [{"deadline_id": "decide-1", "kind": "decide", "due_at": "2026-03-02T12:00:00Z", "ref": "r1"}],
    }


def test_every_detail_of_a_placed_order_is_there() -> None:
    placed = e.OrderPlaced(
        po_number="PO-1",
        checkout_id=None,
        buyer_id="b-7",
        seller_id="s-3",
        currency="USD",
        policy=e.PolicyRef("seller-portal", 1, HASH),
        sale_format="fixed",
        lines=(e.PlacedLine(1, "A-1", None, 10, 1000, 0, 0, 10000, 0, e.Listing("L-1", HASH)),),
        tax_included=True,
        discount=0,
        shipping=1150,
        shipping_tax=0,
        rounding=-1,
        total=11149,
        ship_by=NOON,
        pay_by=None,
        calendar=e.Calendar("UTC", ("sat", "sun"), ("2026-12-25",), None),
        replaces=e.Replaces("PO-0", (1, 2)),
        deadlines=(),
    )
    data = event_data(placed)
    assert data["lines"] == [
        {
            "line": 1,
            "sku": "A-1",
            "title": None,
            "quantity": 10,
            "unit_price": 1000,
            "discount": 0,
            "tax": 0,
            "goods": 10000,
            "refundable_tax": 0,
            "listing": {"ref": "L-1", "sha256": HEX},
            "shipping": 0,
            "shipping_tax": 0,
            "refundable_shipping_tax": 0,
            "amount": None,
            "price": None,
            "part_of": None,
        }
    ]
    assert data["fees"] == []
    assert data["ship_by"] == "2026-03-02T12:00:00Z"
    assert data["pay_by"] is None
    assert data["tax_included"] is True
    assert data["replaces"] == {"order_id": "PO-0", "lines": [1, 2], "quantities": []}
    assert data["calendar"]["holidays"] == ["2026-12-25"]
    assert event_data(dataclasses.replace(placed, replaces=None))["replaces"] is None


@pytest.mark.parametrize(("of", "name", "version"), CURRENT, ids=[name for _, name, _ in CURRENT])
@settings(max_examples=examples(15))
@given(data=st.data())
def test_every_event_is_json_of_exactly_its_contracts_fields(
    of: type[e.Event], name: str, version: int, data: st.DataObject
) -> None:
    event = built(name, data.draw(values(name, version)))
    assert event.__class__ is of
    form = event_data(event)
    schema = event_schema(name, version)
    assert form == shown(schema, event)
    assert list(form) == [field["name"] for field in schema["fields"]]
    assert json.loads(json.dumps(form)) == form


@pytest.mark.parametrize("thing", [e.LineQuantity(1, 2), None, {}], ids=repr)
def test_only_events_and_verdicts_are_shown(thing: Any) -> None:
    assert thing.__class__ not in NAME_OF
    with pytest.raises(TypeError, match="is not an event"):
        event_data(thing)
