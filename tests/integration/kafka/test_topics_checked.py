"""`rescind topics check`: each way in which a topic can differ from what a journal needs, on real brokers."""

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.broker import jars
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.broker.local import LocalCluster
from tests.broker.topics import make_topic
from tests.integration.cli.driving import Store
from tests.integration.kafka.test_brokers_that_break import Make
from tests.integration.kafka.waiting import wait_until

WRONG = {
    "cleanup.policy": "compact",
    "retention.ms": "86400000",
    "retention.bytes": "1000000000",
    "max.message.bytes": "1048587",
    "unclean.leader.election.enable": "true",
    "message.timestamp.type": "CreateTime",
    "compression.type": "gzip",
}
"""A value of each setting that would lose, change or refuse what is acknowledged."""


def pointed_at(place: Path, servers: str, prefix: str, **more: str) -> Store:
    url = f"kafka://{servers}/{prefix}?partitions=2"
    return Store(place, 2, {"RESCIND_JOURNAL": url, "RESCIND_DIRECTORY": str(place / "own"), **more})


Findings = dict[tuple[str, str], dict[str, Any]]


def differs(store: Store, code: int | None = 1) -> Findings:
    """The differences by topic (without its prefix) and setting. ``code``: the exit code of the check."""
    return found_in(store.rescind("topics", "check", "--json", check=code).json)


def found_in(findings: list[dict[str, Any]]) -> Findings:
    """The differences in the findings of the check."""
    assert {finding["state"] for finding in findings} <= {"ok", "note", "wrong"}
    assert all(finding["do"] for finding in findings if finding["state"] != "ok"), "each has an advice"
    return {
        (finding["topic"].rpartition(".")[2], finding["what"]): finding
        for finding in findings
        if finding["state"] != "ok"
    }


def underscored(settings: dict[str, str]) -> dict[str, Any]:
    """As ``make_topic`` takes them."""
    return {key.replace(".", "_"): value for key, value in settings.items()}


def wrong(store: Store) -> Findings:
    """The differences that lose acknowledged records, or do not work."""
    return {where: finding for where, finding in differs(store).items() if finding["state"] == "wrong"}


@pytest.mark.kafka
@pytest.mark.xdist_group(SECOND_GROUP)
@pytest.mark.parametrize("topic", ["control", "journal"])
def test_every_setting_that_is_wrong_is_found_alone_with_its_cure(kafka: Kafka, tmp_path: Path, topic: str) -> None:
    prefix = kafka.prefix()
    store = pointed_at(tmp_path, kafka.servers, prefix)
    other, count = ("journal", 1) if topic == "control" else ("control", 2)
    make_topic(kafka.servers, f"{prefix}.{other}", 2 if other == "journal" else 1)
    make_topic(kafka.servers, f"{prefix}.{topic}", count, **underscored(WRONG))
    found = wrong(store)
    assert set(found) == {(topic, key) for key in WRONG}
    for (_, key), finding in found.items():
        assert finding["found"] == WRONG[key]
        change = f"--alter --topic {prefix}.{topic} --add-config {key}={finding['wanted']}"
        assert finding["do"] == f"kafka-configs --bootstrap-server {kafka.servers} {change}"


@pytest.mark.kafka
@pytest.mark.xdist_group(SECOND_GROUP)
def test_the_suggested_command_for_a_setting_works_as_printed(kafka: Kafka, tmp_path: Path) -> None:
    prefix = kafka.prefix()
    store = pointed_at(tmp_path, kafka.servers, prefix)
    make_topic(kafka.servers, f"{prefix}.control", 1)
    make_topic(kafka.servers, f"{prefix}.journal", 2, retention_ms="86400000")
    (finding,) = wrong(store).values()
    name, *arguments = shlex.split(finding["do"])
    assert name == "kafka-configs"  # the program that this name starts
    subprocess.run(jars.java("kafka.admin.ConfigCommand", *arguments), check=True, capture_output=True, timeout=120)
    wait_until(lambda: store.rescind("topics", "check", check=None).code == 0)


@pytest.mark.kafka
@pytest.mark.xdist_group(SECOND_GROUP)
@pytest.mark.parametrize("key", WRONG)
def test_one_setting_that_is_wrong_is_enough(kafka: Kafka, tmp_path: Path, key: str) -> None:
    prefix = kafka.prefix()
    make_topic(kafka.servers, f"{prefix}.control", 1)
    make_topic(kafka.servers, f"{prefix}.journal", 2, **underscored({key: WRONG[key]}))
    assert set(wrong(pointed_at(tmp_path, kafka.servers, prefix))) == {("journal", key)}


@pytest.mark.kafka
@pytest.mark.xdist_group(SECOND_GROUP)
@pytest.mark.parametrize(("control", "journal"), [(2, 2), (1, 3), (1, 1)])
def test_a_number_of_partitions_that_is_not_the_journals_is_found(
    kafka: Kafka, tmp_path: Path, control: int, journal: int
) -> None:
    prefix = kafka.prefix()
    make_topic(kafka.servers, f"{prefix}.control", control)
    make_topic(kafka.servers, f"{prefix}.journal", journal)
    found = wrong(pointed_at(tmp_path, kafka.servers, prefix))
    topic, wanted, has = ("control", 1, control) if control != 1 else ("journal", 2, journal)
    assert set(found) == {(topic, "partitions")}
    finding = found[topic, "partitions"]
    assert (finding["wanted"], finding["found"]) == (str(wanted), str(has))


@pytest.mark.kafka
@pytest.mark.xdist_group(SECOND_GROUP)
@pytest.mark.parametrize("missing", ["control", "journal"])
def test_a_missing_topic_is_found_and_the_other_topics_are_still_checked(
    kafka: Kafka, tmp_path: Path, missing: str
) -> None:
    prefix = kafka.prefix()
    there, count = ("journal", 2) if missing == "control" else ("control", 1)
    make_topic(kafka.servers, f"{prefix}.{there}", count, retention_ms="1000")
    found = wrong(pointed_at(tmp_path, kafka.servers, prefix))
    assert set(found) == {(missing, "topic"), (there, "retention.ms")}
    assert found[missing, "topic"]["found"] == "missing"


@pytest.mark.kafka
@pytest.mark.xdist_group(SECOND_GROUP)
def test_public_topics_have_settings_of_their_own(kafka: Kafka, tmp_path: Path) -> None:
    prefix = kafka.prefix()
    store = pointed_at(tmp_path, kafka.servers, prefix, RESCIND_PUBLISH=f"kafka://{kafka.servers}/{prefix}")
    make_topic(kafka.servers, f"{prefix}.published", 2)  # like a log's topic: progress would be stored for ever
    make_topic(kafka.servers, f"{prefix}.dead-letters", 2)  # the largest record and its headers find no room
    make_topic(kafka.servers, f"{prefix}.order-events", 3)
    make_topic(kafka.servers, f"{prefix}.refunds", 2, cleanup_policy="compact")
    make_topic(kafka.servers, f"{prefix}.control", 1)
    make_topic(kafka.servers, f"{prefix}.journal", 2)
    assert set(wrong(store)) == {
        ("published", "cleanup.policy"),
        ("published", "segment.bytes"),
        ("published", "min.cleanable.dirty.ratio"),
        ("dead-letters", "max.message.bytes"),
        ("order-events", "partitions"),
        ("refunds", "cleanup.policy"),
        *((kind, "topic") for kind in ("rebills", "credit-memos", "restock", "notifications")),
    }


@pytest.mark.kafka
def test_replicas_that_are_too_few_or_not_waited_for_or_not_in_step_are_found(cluster: Make, tmp_path: Path) -> None:
    three: LocalCluster = cluster(3)
    well = pointed_at(tmp_path, three.servers, "well")
    well.rescind("topics", "create")
    wait_until(lambda: differs(well, None) == {})  # a new replica takes a moment to be in step
    well.rescind("topics", "check")

    store = pointed_at(tmp_path, three.servers, "t")
    make_topic(three.servers, "t.control", 1, replicas=2)
    make_topic(three.servers, "t.journal", 2, replicas=3, min_insync_replicas="1")
    wait_until(lambda: differs(store, None).keys() == {("control", "replicas"), ("journal", "min.insync.replicas")})
    found = differs(store)
    assert found["control", "replicas"]["state"] == "note"
    assert found["control", "replicas"]["do"] == "spread it over 3 brokers"
    finding = found["journal", "min.insync.replicas"]
    assert (finding["state"], finding["wanted"], finding["found"]) == ("wrong", "2", "1")

    three.node(3).kill()

    def behind() -> Findings:
        done = well.rescind("topics", "check", "--json", check=None)
        return {} if done.code == 3 else found_in(done.json)  # for a moment it still gets the requests

    wait_until(lambda: behind().get(("journal", "in sync"), {}).get("found") == "partitions 0, 1 have fewer")
    finding = differs(well, code=0)["journal", "in sync"]
    assert (finding["state"], finding["do"]) == ("note", "check whether a broker is down")
