"""One public topic cannot be written: the others continue, and it has every record once, in order, after the repair."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka.admin import ACL, ACLFilter, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from infra.cli.main import run
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.broker.local import LocalCluster
from tests.broker.topics import admin
from tests.integration.publishing.stage import Stage, a_history, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(SECOND_GROUP)]


@pytest.fixture
def stage(kafka: Kafka, tmp_path: Path) -> Stage:
    return Stage(tmp_path, kafka.servers, kafka.prefix(), 2)


def seen(stage: Stage, kind: str) -> int:
    return sum(map(len, stage.seen(kind).values()))


def rescind(stage: Stage, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RESCIND_JOURNAL", f"sqlite:///{stage.folder}")
        patched.setenv("RESCIND_PUBLISH", str(stage.at))
        return run(list(arguments))


def delete(stage: Stage, kind: str = "order-events") -> None:
    """Delete a topic, and wait until it is gone."""
    name = f"{stage.at.prefix}.{kind}"
    with admin(stage.at.servers) as admin_client:
        admin_client.delete_topics([name])
        wait_until(lambda: admin_client.describe_topics([name])[0]["error_code"] == 3)


def add_a_partition(stage: Stage) -> None:
    with admin(stage.at.servers) as admin_client:
        admin_client.create_partitions({f"{stage.at.prefix}.order-events": stage.partitions + 1})


@pytest.mark.parametrize("broken", [delete, add_a_partition])
@pytest.mark.parametrize(
    "running",
    ["the publisher runs on", pytest.param("the publisher is killed repeatedly", marks=pytest.mark.slow)],
)
def test_while_events_cannot_be_written_refunds_continue_and_the_suggested_command_repairs_it(
    stage: Stage, broken: Callable[[Stage], None], running: str, capfd: pytest.CaptureFixture[str]
) -> None:
    history = a_history(stage.partitions, 90)
    records = list(stage.records(history))
    third = len(records) // 3
    with stage:
        child = stage.child("a")
        child.ready()
        for partition, record in records[:third]:
            stage.append(partition, record)
        wait_until(lambda: seen(stage, "refunds") > 0)
        broken(stage)
        if broken is add_a_partition:  # which does no harm to a running producer
            child.kill()
            child = stage.child("a")
            child.ready()
        for partition, record in records[third:]:
            stage.append(partition, record)
            if running != "the publisher runs on" and partition == 0 and chance(len(record)):
                child.kill()
                child = stage.child("a")
                child.ready()
        wanted = {kind: len(found) for (kind, _), found in stage.expected(history).items()}
        refunds = sum(len(found) for (kind, _), found in stage.expected(history).items() if kind == "refunds")
        assert wanted["refunds"]
        wait_until(lambda: seen(stage, "refunds") == refunds)
        stderr = ""

        def is_reported() -> bool:
            nonlocal stderr
            stderr += capfd.readouterr().err
            return all(f"(order-events, partition {number})" in stderr for number in range(stage.partitions))

        wait_until(is_reported)
        assert "`rescind topics create`" in stderr
        assert "`rescind topics answer order-events --again`" in stderr
        if broken is add_a_partition:
            assert "delete it" in stderr
            delete(stage)
        assert rescind(stage, "topics", "create") == 0
        assert rescind(stage, "topics", "answer", "order-events", "--again") == 0
        if running != "the publisher runs on":
            for _ in range(3):
                threading.Event().wait(0.3)
                child.kill()
                child = stage.child("a")
                child.ready()
        stage.all_seen_once(history)


def test_a_recreated_instruction_topic_continues_after_the_last_record_of_the_old_one(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    history = a_history(stage.partitions, 60)
    records = list(stage.records(history))
    half = len(records) // 2
    name = f"{stage.at.prefix}.refunds"
    with stage:
        child = stage.child("a")
        child.ready()
        for partition, record in records[:half]:
            stage.append(partition, record)
        wait_until(lambda: all(stage.seen("refunds").get(number) for number in range(stage.partitions)))
        child.kill()
        with admin(stage.at.servers) as admin_client:
            admin_client.create_partitions({name: stage.partitions + 1})
        child = stage.child("a")
        child.ready()
        for partition, record in records[half:]:
            stage.append(partition, record)
        events = sum(len(found) for (kind, _), found in stage.expected(history).items() if kind == "order-events")
        wait_until(lambda: seen(stage, "order-events") == events)
        stderr = ""

        def is_reported() -> bool:
            nonlocal stderr
            stderr += capfd.readouterr().err
            return all(f"(refunds, partition {number})" in stderr for number in range(stage.partitions))

        wait_until(is_reported)
        assert "delete it once its readers have read it to its end" in stderr
        assert "`rescind topics answer refunds --onwards`" in stderr
        assert "--again" not in stderr
        old = stage.seen("refunds")
        delete(stage, "refunds")
        assert rescind(stage, "topics", "create") == 0
        assert rescind(stage, "topics", "answer", "refunds", "--onwards") == 0
        wanted = {p: [r.value for r in stage.expected(history)["refunds", p]] for p in range(stage.partitions)}

        def all_of_them() -> bool:
            new = stage.seen("refunds")
            return {p: [r.value for r in (*old[p], *new[p])] for p in wanted} == wanted

        wait_until(all_of_them)
        assert all(old[partition] and len(old[partition]) < len(wanted[partition]) for partition in wanted)


def chance(number: int) -> bool:
    """Now and then, and in every run at the same records."""
    return number % 37 == 0


def test_while_an_access_rule_forbids_the_events_refunds_go_on_and_events_follow_once_it_is_gone(
    cluster: Callable[..., LocalCluster], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rules = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    brokers = cluster(1, rules)
    history = a_history(2, 60)
    records = list(Stage.records(history))
    half = len(records) // 2
    with Stage(tmp_path, brokers.servers, "ruled", 2) as stage:
        child = stage.child("a")
        child.ready()
        for partition, record in records[:half]:
            stage.append(partition, record)
        wait_until(lambda: seen(stage, "refunds") > 0)
        pattern = ResourcePattern(ResourceType.TOPIC, "ruled.order-events")
        denied = ACL("User:ANONYMOUS", "*", ACLOperation.WRITE, ACLPermissionType.DENY, pattern)
        with admin(brokers.servers) as admin_client:
            admin_client.create_acls([denied])
        for partition, record in records[half:]:
            stage.append(partition, record)
        refunds = sum(len(found) for (kind, _), found in stage.expected(history).items() if kind == "refunds")
        wait_until(lambda: seen(stage, "refunds") == refunds)
        stderr = ""

        def is_reported() -> bool:
            nonlocal stderr
            stderr += capfd.readouterr().err
            return all(f"(order-events, partition {number})" in stderr for number in range(2))

        wait_until(is_reported)
        assert "it needs Write on the topic ruled.order-events" in stderr
        assert "(refunds, partition" not in stderr
        with admin(brokers.servers) as admin_client:
            admin_client.delete_acls(
                [ACLFilter("User:ANONYMOUS", "*", ACLOperation.WRITE, ACLPermissionType.DENY, pattern)]
            )
        stage.all_seen_once(history)
