"""What ``deploy/`` starts: settings that exist, brokers that find one another, a cluster that the engine runs on."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from infra.app import open_app
from infra.kafka.admin import Topics
from infra.settings import Settings, load_settings
from tests.broker.local import LocalCluster
from tests.integration.http.client import BUYER, Http, placing

DEPLOY = Path(__file__).parents[3] / "deploy"
SERVICES: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
BROKERS = {name: service["environment"] for name, service in SERVICES.items() if name.startswith("broker-")}


ENGINES = {name: service["environment"] for name, service in SERVICES.items() if name.startswith("engine-")}


@pytest.mark.parametrize("name", ["engine-1", "engine-2"])
def test_an_engine_is_set_as_its_settings_are_called(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {key: value for key, value in ENGINES[name].items() if key.startswith("RESCIND_")}
    assert {key.removeprefix("RESCIND_").lower() for key in environment} <= set(Settings.model_fields)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    settings = load_settings()
    at = settings.journal_at
    assert at.kafka is not None
    listening = [each["KAFKA_ADVERTISED_LISTENERS"].removeprefix("PLAINTEXT://") for each in BROKERS.values()]
    assert at.kafka.servers.split(",") == listening
    assert at.partitions == 12
    assert at.directory == Path("/var/lib/rescind")
    assert settings.views_at.postgresql == settings.vault_at.postgresql is not None
    assert settings.share_url == f"http://127.0.0.1:{settings.port}"


def test_two_engines_differ_in_where_they_are_alone() -> None:
    one, other = ENGINES.values()
    assert {key for key in one if one[key] != other[key]} == {"RESCIND_PORT", "RESCIND_ADVERTISE"}
    services = [{k: v for k, v in SERVICES[name].items() if k != "environment"} for name in ENGINES]
    assert services[0] == services[1]


def test_the_engines_speak_to_the_postgresql_that_is_started() -> None:
    service = SERVICES["postgresql"]
    started, engine = service["environment"], ENGINES["engine-1"]
    place = conninfo_to_dict(engine["RESCIND_VIEWS"])
    assert (place["user"], place["dbname"]) == (started["POSTGRES_USER"], started["POSTGRES_DB"])
    assert engine["PGPASSWORD"] == started["POSTGRES_PASSWORD"]
    set_so = dict(each.split("=") for each in service["command"] if each != "-c")
    assert set_so == {"listen_addresses": place["host"], "port": place["port"]}
    assert service["healthcheck"]["test"][-1] == place["port"]


def test_the_brokers_know_one_another() -> None:
    voters = {
        f"{each['KAFKA_NODE_ID']}@{controller}"
        for each in BROKERS.values()
        for controller in re.findall(r"CONTROLLER://([^,]+)", each["KAFKA_LISTENERS"])
    }
    for each in BROKERS.values():
        assert set(each["KAFKA_CONTROLLER_QUORUM_VOTERS"].split(",")) == voters
        assert len(each["CLUSTER_ID"]) == 22
    assert len({each["CLUSTER_ID"] for each in BROKERS.values()}) == 1
    assert len(voters) == 3


@pytest.mark.kafka
@pytest.mark.postgresql
@pytest.mark.slow
def test_two_engines_run_on_three_brokers_and_postgresql_with_everything_as_it_must_be(
    cluster: Callable[..., LocalCluster], postgresql: str, tmp_path: Path
) -> None:
    of_the_topics = ("OFFSETS_TOPIC", "TRANSACTION_STATE", "AUTO_CREATE")
    given = {
        key.removeprefix("KAFKA_").lower().replace("_", "."): value
        for key, value in BROKERS["broker-1"].items()
        if any(name in key for name in of_the_topics)
    }
    three = cluster(3, given)
    journal = f"kafka://{three.servers}/rescind?partitions=12"
    settings = load_settings(journal=journal, directory=str(tmp_path), views=postgresql, vault=postgresql)
    with open_app(settings) as one, open_app(settings) as other:
        assert one.journal.partitions == 12
        first, second = Http(one), Http(other)
        try:
            for number in range(6):
                http = (first, second)[number % 2]
                answer = http.post("/v1/acme/orders", placing(f"PO-{number}"), f"key-{number}")
                assert answer.status_code == 201
                message = {"actor": BUYER, "message_id": "m1", "to": "seller", "text": f"About {number}"}
                answer = http.post(f"/v1/acme/orders/PO-{number}/messages", message, f"message-{number}")
                assert answer.status_code == 200
            one.catch_up()
            other.catch_up()
            for app in (one, other):
                assert app.views is not None
                assert app.views.catch_up(30)
            lists = [http.get("/v1/acme/orders").json()["orders"] for http in (first, second)]
            assert len(lists[0]) == 6
            assert lists[0] == lists[1]
        finally:
            first.close()
            second.close()
        assert one.vault.counts() == other.vault.counts() == (1, 6)
    at = settings.journal_at.kafka
    assert at is not None
    topics = Topics(at, settings.security)
    assert {finding.state for finding in topics.check(12)} == {"ok"}
    topics.close()
