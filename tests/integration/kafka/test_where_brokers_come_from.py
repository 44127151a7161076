"""The three ways to a broker for tests, in their order: given servers, a container, a local process. An
engine works on each; RESCIND_REQUIRE=docker,kafka lets none of them be left out."""

import itertools
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from domain.commands import parse_command
from infra.app import AppOptions, open_app
from infra.kafka.admin import Topics
from infra.settings import load_settings
from tests.broker import containers
from tests.broker.fixtures import ExistingBroker, Started, start
from tests.broker.local import LocalCluster
from tests.integration.kafka.orders import Answer, check, commands
from tests.integration.kafka.waiting import TIMEOUT

pytestmark = [pytest.mark.kafka]

NOBODY = "unix:///nowhere/docker.sock"


def worked(broker: Started, directory: Path, partitions: int = 3) -> None:
    """An engine works on the broker, and one that comes later finds all of it."""
    url = f"kafka://{broker.servers}/shop"
    settings = load_settings(journal=f"{url}?partitions={partitions}", directory=str(directory / "first"))
    with open_app(settings, AppOptions(views=False)) as app:
        environment = {
            document["command_id"]: app.engine.submit(parse_command(document))
            for document in itertools.islice(commands("a", 8, 1), 40)
        }
        answers: list[tuple[str, Answer]] = []
        for command_id, future in environment.items():
            outcome = future.result(TIMEOUT)
            assert outcome.commit_position is not None, outcome
            answers.append((command_id, (outcome.kind, outcome.rule, outcome.commit_position.hash.hex())))
    later = load_settings(journal=url, directory=str(directory / "later"))
    with open_app(later, AppOptions(views=False)) as app:
        check(later, app.journal, answers)


@pytest.mark.docker
def test_a_container_of_an_image_that_is_built_here_is_a_broker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    with closing(start()) as broker:
        assert isinstance(broker, containers.Container), "the engine does not have the image"
        worked(broker, tmp_path)


def test_configured_servers_come_first_and_are_not_changed(
    monkeypatch: pytest.MonkeyPatch, cluster: Callable[..., LocalCluster], tmp_path: Path
) -> None:
    somebodys = cluster(1)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", somebodys.servers)
    with closing(start()) as broker:
        assert isinstance(broker, ExistingBroker)
        worked(broker, tmp_path)
    assert somebodys.node(1).running
    somebodys.wait()


def test_without_servers_and_without_an_engine_a_local_process_is_the_broker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("DOCKER_HOST", NOBODY)
    with closing(start()) as broker:
        assert isinstance(broker, LocalCluster)
        worked(broker, tmp_path)
    assert not broker.node(1).running


def test_local_processes_are_three_brokers_and_each_acknowledged_record_is_on_two_of_them(
    cluster: Callable[..., LocalCluster], tmp_path: Path
) -> None:
    three = cluster(3)
    worked(three, tmp_path)
    at = load_settings(journal=f"kafka://{three.servers}/shop").journal_at.kafka
    assert at is not None
    with closing(Topics(at, load_settings().security)) as topics:
        found = {(finding.what, finding.found) for finding in topics.check()}
    assert {("replicas", "3"), ("min.insync.replicas", "2")} <= found
