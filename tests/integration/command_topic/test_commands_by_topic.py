"""Commands that come by the topic are decided, and answered on ``outcomes``, each once."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker.fixtures import GROUP, Kafka
from tests.integration.command_topic.stage import BUYER, Stage, command_document, placed, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]


@pytest.fixture
def stage(kafka: Kafka, tmp_path: Path) -> Iterator[Stage]:
    with Stage(kafka, tmp_path) as stage:
        yield stage


def test_an_outcome_equals_the_http_answer_and_names_the_input_that_it_answers(stage: Stage) -> None:
    with stage.open() as app:
        sent = stage.send(placed("PO-1"), [("rescind-ask", b"mine")])
        stage.send(command_document("Ship", "PO-1", "ship", shipment_id="s1", lines=[{"line": 1, "quantity": 3}]))
        found = stage.wait_for(2)
        assert app.command_topic is not None
        assert app.command_topic.trouble is None
        wait_until(lambda: app.command_topic is not None and app.command_topic.lag == 0)
    (first,) = found["acme/PO-1/place"]
    assert first["outcome"] == "accepted"
    assert [each["event"] for each in first["events"]] == ["OrderPlaced", "PaymentReceived"]
    assert first["order"]["status"] == "open"
    headers = first["headers"]
    assert headers["rescind-status"] == "201"
    assert headers["rescind-ask"] == "mine"
    assert headers["rescind-input"].endswith(f":{sent[0]}:{sent[1]}")
    assert headers["location"] == "/v1/acme/orders/PO-1"
    (second,) = found["acme/PO-1/ship"]
    assert [each["event"] for each in second["events"]] == ["LinePartiallyShipped", "AutoCanceled", "RefundDue"]
    assert json.loads(json.dumps(second["order"]))["lines"][0]["canceled"] == 7


def test_a_refusal_a_retry_and_a_stranger_get_the_same_answer_as_over_http(stage: Stage) -> None:
    with stage.open():
        stage.send(placed("PO-1"))
        stage.send(placed("PO-1"))
        cancel = command_document("CancelLines", "PO-1", "cancel", {"kind": "seller", "id": "s-1"})
        stage.send(cancel)
        stage.send(command_document("Ship", "PO-2", "ship", shipment_id="s1"))
        stage.send(command_document("Ship", "PO-1", "place", shipment_id="s1"))
        found = stage.wait_for(5)
    first, repeated, reused = found["acme/PO-1/place"]
    assert repeated["headers"].pop("rescind-replayed") == "true"
    assert {k: v for k, v in repeated.items() if k != "headers"} == {k: v for k, v in first.items() if k != "headers"}
    assert (reused["outcome"], reused["rule"]) == ("bad", "command-id-reused")
    (refused,) = found["acme/PO-1/cancel"]
    assert (refused["outcome"], refused["rule"], refused["status"]) == ("refused", "reason-required", 409)
    (stranger,) = found["acme/PO-2/ship"]
    assert (stranger["outcome"], stranger["status"]) == ("refused", 404)


def test_a_persons_own_call_that_was_passed_on_needs_its_confirmation(stage: Stage) -> None:
    request = command_document("RequestCancel", "PO-1", "r1", BUYER, request_id="r1", reason="ordered_by_mistake")
    with stage.open():
        stage.send(placed("PO-1", policy="peer-to-peer"))
        stage.send(request, [("rescind-confirm", b"required")])
        (missing,) = stage.wait_for(2)["acme/PO-1/r1"]
        assert (missing["outcome"], missing["rule"]) == ("refused", "cancel-is-final")
        confirmed = request | {"confirmation": missing["preview"]["confirmation"]}
        stage.send(confirmed, [("rescind-confirm", b"required"), ("rescind-if-match", b"2")])
        found = stage.wait_for(3)["acme/PO-1/r1"]
    assert [each["outcome"] for each in found] == ["refused", "accepted"]


def test_an_answer_to_a_request_that_was_passed_on_needs_its_confirmation_too(stage: Stage) -> None:
    seller = {"kind": "seller", "id": "s-1"}
    approve = command_document("ApproveCancel", "PO-1", "a1", seller, request_id="r1")
    with stage.open():
        stage.send(placed("PO-1", policy="seller-portal"))
        stage.send(command_document("RequestCancel", "PO-1", "r1", BUYER, request_id="r1", reason="ordered_by_mistake"))
        stage.send(approve, [("rescind-confirm", b"required")])
        (missing,) = stage.wait_for(3)["acme/PO-1/a1"]
        assert (missing["outcome"], missing["rule"]) == ("refused", "cancel-is-final")
        stage.send(approve | {"confirmation": missing["preview"]["confirmation"]}, [("rescind-confirm", b"required")])
        found = stage.wait_for(4)["acme/PO-1/a1"]
    assert [each["outcome"] for each in found] == ["refused", "accepted"]
