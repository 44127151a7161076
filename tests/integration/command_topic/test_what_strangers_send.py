"""Any bytes may be sent to the topic: they stop nobody, and no text appears where it does not belong."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.dead_letters.handling import NotToBeTried, open_letters
from schemas.partitioning import partition_of
from tests.broker.fixtures import GROUP, Kafka
from tests.broker.topics import NotUtf8, admin
from tests.integration.command_topic.stage import BUYER, SELLER, Stage, command_document, placed, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]

SECRET = "Lea Winter lives at 12 Harbour Road"


@pytest.fixture
def stage(kafka: Kafka, tmp_path: Path) -> Iterator[Stage]:
    with Stage(kafka, tmp_path) as stage:
        yield stage


def test_arbitrary_bytes_on_the_topic_become_dead_letters_and_stop_nobody(stage: Stage) -> None:
    ship = json.dumps(command_document("Ship", "PO-1", "c1", shipment_id="s1")).encode()
    here = partition_of("acme/PO-1", stage.partitions)
    strange: list[tuple[int, bytes | None, bytes | None, list[tuple[str, Any]]]] = [
        (0, b"any", None, []),
        (0, None, b"", []),
        (1, b"\xff\xfe", b"\xff\xfe", [("rescind-if-match", b"\xff")]),
        (2, b"acme/PO-1", b"x" * 1_000_000, []),
        (2, b"", b"[" * 1_000_000, []),
        (0, b"acme/PO-1", b'{"command":"Explode"}', [(NotUtf8("h"), b"v"), ("none", b"")]),
        ((here + 1) % stage.partitions, b"acme/PO-1", ship, []),
        (here, b"acme/PO-2", ship, []),
        (here, b"acme/PO-1", ship, [("rescind-ask", bytes(900_000))]),
    ]
    sent = [stage.send_raw(*each) for each in strange]
    for number in range(9):
        stage.send(placed(f"PO-{number}"))
    with stage.open():
        found = stage.wait_for(12)
        wait_until(lambda: len(stage.seen("dead-letters")) == len(strange) - 1)
    assert [found[f"acme/PO-{number}/place"][0]["outcome"] for number in range(9)] == ["accepted"] * 9
    results = sorted(each.get("rule", each["outcome"]) for each in found["acme/PO-1/c1"])
    assert results == ["accepted", "ask", "wrong-key"]
    letters_of = sorted(f"commands:{p}:{o}" for p, o in (*sent[:6], *sent[7:]))
    letters = [{n: (v or b"").decode() for n, v in record.headers} for record in stage.seen("dead-letters")]
    assert sorted(letter["rescind-letter"] for letter in letters) == letters_of
    with open_letters(stage.settings()) as dead_letters:
        listed = list(dead_letters.all())
        assert sorted(letter.id for letter in listed) == letters_of
        with pytest.raises(NotToBeTried, match="send a correct one"):
            dead_letters.retry(listed[0])
        dead_letters.discard(listed[0])
        assert dead_letters.is_discarded(dead_letters.find(listed[0].id))


def test_a_text_in_clear_is_stored_in_the_vault_and_is_on_no_topic_but_the_commands_topic(stage: Stage) -> None:
    message = command_document("SendMessage", "PO-1", "m1", BUYER, message_id="m1", to="seller", text=SECRET)
    key = b"acme/PO-1"
    here = partition_of("acme/PO-1", stage.partitions)
    with stage.open() as app:
        stage.send(placed("PO-1"))
        stage.send(message)
        stage.send(command_document("CancelLines", "PO-1", "c1", SELLER, note=SECRET))
        stage.send_raw(here, key, json.dumps(message).encode()[:-1])
        stage.send_raw(here, key, json.dumps([message]).encode())
        stage.send_raw(here, b"acme/PO-2", json.dumps(message).encode())
        stage.send_raw(here, key, json.dumps(message | {SECRET: SECRET}).encode())
        stage.send_raw(here, key, json.dumps(message | {"text": {"commitment": SECRET, "reference": SECRET}}).encode())
        stage.send_raw(here, key, json.dumps(message | {"command": SECRET}).encode())
        found = stage.wait_for(7)
        wait_until(lambda: len(stage.seen("dead-letters")) == 7)
        (event,) = found["acme/PO-1/m1"][0]["events"]
        assert app.vault.open(event["data"]["text"]["reference"]) == SECRET
    topics = [name for name in everything(stage) if not name.endswith(".commands")]
    assert {name.rpartition(".")[2] for name in topics} >= {"journal", "outcomes", "dead-letters"}
    for name in topics:
        for record in stage.seen(name.removeprefix(f"{stage.at.prefix}."), committed=False):
            for part in (record.key, record.value, *(value for _, value in record.headers)):
                assert b"Winter" not in (part or b""), name


def everything(stage: Stage) -> list[str]:
    """The names of all topics of the stage."""
    with admin(stage.at.servers) as admin_client:
        return [name for name in admin_client.list_topics() if name.startswith(f"{stage.at.prefix}.")]


def test_after_the_group_lost_its_offsets_the_outcomes_show_what_is_answered(stage: Stage) -> None:
    sent = 0
    with stage.open():
        for number in range(9):
            stage.send(placed(f"PO-{number}"))
            stage.send(command_document("Ship", f"X-{number}", "lost", shipment_id="s"))
            sent += 2
        stage.wait_for(sent)
    group = f"{stage.at.prefix}.engines"
    with admin(stage.at.servers) as admin_client:
        until = time.monotonic() + 60
        while admin_client.describe_groups([group])[group][
            "members"
        ]:  # a member that is gone is remembered for a session
            assert time.monotonic() < until
        admin_client.delete_groups([group])
    with stage.open():
        for number in range(9):
            stage.send(command_document("Ship", f"PO-{number}", "ship", shipment_id="s1"))
            sent += 1
        stage.wait_for(sent)
    assert len(stage.answered()) == len(set(stage.answered())) == sent


def test_a_second_process_under_the_same_name_replaces_the_first_which_reports_it_and_stops(stage: Stage) -> None:
    with stage.open("one") as first:
        assert first.command_topic is not None
        stage.send(placed("PO-1"))
        stage.wait_for(1)
        elsewhere = stage.named("one") | {"directory": str(stage.folder / "elsewhere")}
        with stage.open_as(elsewhere) as second:
            assert second.command_topic is not None
            heir = second.command_topic
            wait_until(lambda: len(heir.assigned) == stage.partitions)
            for number in range(2, 40):
                stage.send(placed(f"PO-{number}"))
            stage.wait_for(39)
            fenced = first.command_topic
            wait_until(lambda: fenced.fenced)
            assert fenced.trouble is not None
            assert "a name of its own" in fenced.trouble
            assert fenced.assigned == frozenset()
            stage.send(placed("PO-40"))
            stage.wait_for(40)
            assert heir.trouble is None
    assert len(stage.answered()) == len(set(stage.answered())) == 40
