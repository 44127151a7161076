"""A process that does not follow an order gives the same answers about it: the tests of the HTTP API run unchanged
against such a process."""

import inspect
import re
from typing import Any

import pytest

from schemas.partitioning import partition_of
from tests.chaos.oracles import log
from tests.integration.cluster.elsewhere import order_in
from tests.integration.cluster.serving import PARTITIONS, Together
from tests.integration.http import (
    test_confirming,
    test_cross_site,
    test_evidence,
    test_ids_in_paths,
    test_matters,
    test_methods,
    test_pages,
    test_procedure_paths,
    test_reading,
    test_receipt,
    test_subjects,
    test_writes,
)
from tests.integration.http.client import BUYER, Http, placing

pytestmark = [pytest.mark.kafka, pytest.mark.postgresql, pytest.mark.xdist_group("share")]

MODULES = (
    test_writes, test_reading, test_confirming, test_evidence, test_matters, test_receipt, test_pages,
    test_procedure_paths, test_subjects, test_ids_in_paths, test_methods, test_cross_site,
)  # fmt: skip
INSIDE = re.compile(r"http\.app\b|served\(|Tokened|tmp_path|Store\(|monkeypatch|\"0:\"")
"""Matches tests that look into the process, start another one, or know of one partition only."""
QUICK = "test_the_list_shows_overdue_requests_at_the_top"
"""Looks at an order before a scheduler does, which cancels it."""


def _of(module: Any) -> dict[str, Any]:
    """The tests of a module that only send requests, and the fixtures that these need."""
    found = {}
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) != module.__name__ or name == "http":
            continue
        if name.startswith("test_") and inspect.isfunction(value):
            if name == QUICK:
                continue
            fixtures = {"http", "shipped", "listed", "shop"} & inspect.signature(value).parameters.keys()
            if fixtures and not INSIDE.search(inspect.getsource(value)):
                found[f"{name}_elsewhere"] = value
        elif type(value).__name__ == "FixtureFunctionDefinition" and not INSIDE.search(inspect.getsource(value)):
            found[name] = value
    return found


for _module in MODULES:
    globals().update(_of(_module))


# ---- further requests ------------------------------------------------------------------------------------------------


def test_a_dashboard_is_answered_wherever_the_sellers_newest_order_is_followed(http: Http, pair: Together) -> None:
    answer = http.post("/v1/boards/orders", placing("B-1", seller_id="s-9"), "k1")
    token = answer.headers["rescind-position"]
    dashboards = [each.get("/v1/boards/sellers/s-9/dashboard", rescind_position=token) for each in pair.all]
    assert [each.status_code for each in dashboards] == [200, 200]
    assert dashboards[0].json()["orders"] == dashboards[1].json()["orders"] == {"open": 1}


def test_both_processes_give_the_same_answer_byte_for_byte(http: Http, pair: Together) -> None:
    for number in range(PARTITIONS):
        order = order_in(number, marketplace="acme")
        placed = http.post("/v1/acme/orders", placing(order), "place")
        assert placed.status_code == 201, placed.text
        token = {"rescind_position": placed.headers["rescind-position"]}
        then = placed.json()["order"]["at"]
        for path in ("", "/history", "/eligibility?as_of=2030-01-01T00:00:00Z", f"/receipt?as_of={then}"):
            one, other = [each.get(f"/v1/acme/orders/{order}{path}", **token) for each in pair.all]
            assert (one.status_code, one.content) == (other.status_code, other.content)
            assert one.headers["etag"] == other.headers["etag"]
            assert "rescind-stale" not in one.headers
        repeated = [each.post("/v1/acme/orders", placing(order), "place") for each in pair.all]
        assert {(each.status_code, each.content, each.headers["rescind-replayed"]) for each in repeated} == {
            (201, placed.content, "true")
        }


def test_no_text_is_in_clear_on_a_topic(http: Http, pair: Together) -> None:
    secret = "nobody may read this on a topic"
    order = http.place()
    body = {"actor": BUYER, "message_id": "m1", "to": "seller", "text": secret}
    assert http.post(f"{order}/messages", body, "k1").status_code == 200
    at = pair.at
    for topic in (at.commands, at.outcomes, at.journal):
        records = [record for partition in log(at.servers, topic, PARTITIONS).records for record in partition]
        assert records
        assert not any(secret.encode() in record.value for record in records)


def test_a_position_that_is_not_reached_yet_is_stale_at_every_process(http: Http, pair: Together) -> None:
    order = http.place()
    partition = partition_of(order.removeprefix("/v1/").replace("/orders/", "/"), PARTITIONS)
    for each in pair.all:
        answer = each.get(order, rescind_position=f"{partition}:999999")
        assert (answer.headers["rescind-stale"], answer.json()["stale"]) == ("true", True)
        others = ",".join(f"{number}:999999" for number in range(PARTITIONS) if number != partition)
        assert each.get("/v1/acme/orders", rescind_position=others).headers["rescind-stale"] == "true"
