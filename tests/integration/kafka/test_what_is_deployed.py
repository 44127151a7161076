"""What ``deploy/`` starts: settings that exist, brokers that find one another, a cluster that the engine runs on."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.app import open_app
from infra.kafka.topics import Topics
from infra.settings import Settings, load_settings
from tests.broker.local import LocalCluster

DEPLOY = Path(__file__).parents[3] / "deploy"
SERVICES: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
BROKERS = {name: service["environment"] for name, service in SERVICES.items() if name.startswith("broker-")}


def test_the_engine_is_set_as_its_settings_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = SERVICES["engine"]["environment"]
    assert {key.removeprefix("RESCIND_").lower() for key in environment} <= set(Settings.model_fields)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    at = load_settings().journal_at
    assert at.kafka is not None
    listening = [each["KAFKA_ADVERTISED_LISTENERS"].removeprefix("PLAINTEXT://") for each in BROKERS.values()]
    assert at.kafka.servers.split(",") == listening
    assert at.partitions == 12


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
@pytest.mark.slow
def test_an_engine_runs_on_three_brokers_with_everything_as_it_must_be(
    cluster: Callable[..., LocalCluster], tmp_path: Path
) -> None:
    of_the_topics = ("OFFSETS_TOPIC", "TRANSACTION_STATE", "AUTO_CREATE")
    given = {
        key.removeprefix("KAFKA_").lower().replace("_", "."): value
        for key, value in BROKERS["broker-1"].items()
        if any(name in key for name in of_the_topics)
    }
    three = cluster(3, given)
    settings = load_settings(journal=f"kafka://{three.servers}/rescind?partitions=12", directory=str(tmp_path))
    with open_app(settings, views=False) as app:
        assert app.journal.partitions == 12
    at = settings.journal_at.kafka
    assert at is not None
    topics = Topics(at, settings.security)
    assert {finding.state for finding in topics.check(12)} == {"ok"}
    topics.close()
