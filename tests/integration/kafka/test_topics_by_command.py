"""`rescind topics`, and the whole command line on a journal of topics."""

import json
from pathlib import Path

import pytest

from infra.kafka.admin import wanted_settings
from infra.settings import SettingsError, load_settings
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.broker.topics import admin, make_topic
from tests.integration.cli.driving import Store
from tests.integration.kafka.orders import commands

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(SECOND_GROUP)]


@pytest.fixture
def store(kafka: Kafka, tmp_path: Path) -> Store:
    """The command line pointed at topics that nobody has used."""
    more = {"RESCIND_JOURNAL": kafka.url(partitions=3), "RESCIND_DIRECTORY": str(tmp_path / "own")}
    return Store(tmp_path, 3, more)


def prefix(store: Store) -> str:
    return store.more["RESCIND_JOURNAL"].rpartition("/")[2].partition("?")[0]


def test_topics_are_made_once_and_then_they_are_as_they_must_be(store: Store) -> None:
    missing = store.rescind("topics", "check", check=1)
    assert missing.out.count("missing") == 2
    made = store.rescind("topics", "create")
    assert made.out.splitlines() == [
        f"{prefix(store)}.control: made, 1 partition",
        f"{prefix(store)}.journal: made, 3 partitions",
    ]
    assert "was there, 3 partitions" in store.rescind("topics", "create").out
    findings = json.loads(store.rescind("topics", "check", "--json").out)
    assert {f["what"] for f in findings if f["state"] == "note"} == {"replicas"}
    assert {f["what"] for f in findings} >= set(wanted_settings(1)) | {"partitions"}


def test_each_setting_that_differs_is_reported_with_what_to_do(kafka: Kafka, store: Store) -> None:
    name = prefix(store)
    make_topic(kafka.servers, f"{name}.control", 1)
    make_topic(kafka.servers, f"{name}.journal", 2, retention_ms="1000", message_timestamp_type="CreateTime")
    found = store.rescind("topics", "check", check=1)
    wrong = [line.split() for line in found.out.splitlines() if line.endswith("WRONG")]
    assert sorted(line[1] for line in wrong) == ["message.timestamp.type", "partitions", "retention.ms"]
    assert f"--topic {name}.journal --add-config retention.ms=-1" in found.out


def test_more_room_for_records_than_is_needed_is_fine(kafka: Kafka, store: Store) -> None:
    name = prefix(store)
    make_topic(kafka.servers, f"{name}.control", 1)
    make_topic(kafka.servers, f"{name}.journal", 3, max_message_bytes="5000000")
    store.rescind("topics", "check")


def test_a_missing_topic_next_to_an_existing_one_is_not_created(kafka: Kafka, store: Store) -> None:
    make_topic(kafka.servers, f"{prefix(store)}.journal", 3)
    refused = store.rescind("topics", "create", check=3)
    assert "restore the missing topic" in refused.err


def test_more_replicas_than_brokers_cannot_be_had(kafka: Kafka, store: Store) -> None:
    with admin(kafka.servers) as admin_client:
        brokers = len(admin_client.describe_cluster()["brokers"])
    refused = store.rescind("topics", "create", "--replicas", brokers + 1, check=3)
    assert "replicas need" in refused.err


def test_other_journals_have_no_topics(tmp_path: Path) -> None:
    refused = Store(tmp_path).rescind("topics", "check", check=2)
    assert "has no topics" in refused.err


def test_a_missing_cluster_is_reported(tmp_path: Path) -> None:
    nobody = Store(tmp_path, 1, {"RESCIND_JOURNAL": "kafka://127.0.0.1:1/x", "RESCIND_DIRECTORY": str(tmp_path)})
    assert "cannot be queried" in nobody.rescind("order", "show", "acme/PO-1", check=3).err


def test_an_unreadable_certificate_is_reported(store: Store, tmp_path: Path) -> None:
    store.rescind("topics", "create")
    store.more |= {"RESCIND_KAFKA_SECURITY": "SSL", "RESCIND_KAFKA_CA_FILE": str(tmp_path / "nowhere.pem")}
    assert "rescind: " in store.rescind("order", "show", "acme/PO-1", check=3).err


def test_the_command_line_works_on_topics_as_on_files(store: Store) -> None:
    lines = "".join(
        json.dumps({**document, "at": f"2026-03-02T10:{number // 60:02}:{number % 60:02}Z"}) + "\n"
        for number, document in enumerate(commands("a", 8, 1))
    )
    first = store.rescind("import", "-", "--json", input=lines)
    repeated = store.rescind("import", "-", "--json", input=lines)
    assert json.loads(first.out.splitlines()[-1])["duplicate"] == 0
    assert json.loads(repeated.out.splitlines()[-1])["duplicate"] == 40
    shown = store.rescind("order", "show", "acme/PO-3", "--json").json
    assert len(shown["lines"]) == 3
    assert store.rescind("journal", "stats", "--json").json["streams"] == 8
    assert (
        store.rescind("replay", "--check")
        .out.rstrip()
        .endswith("clean: the journal fits its hashes, and the views are what it says")
    )
    doctor = store.rescind("doctor", "--json").json
    assert {finding["state"] for finding in doctor} <= {"ok", "note"}
    assert len(store.rescind("policy", "list").out.splitlines()) > 5


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("kafka://", "is not a server address"),
        ("kafka://a b/x", "is not a server address"),
        ("kafka://a:1/x/y", "is not a topic prefix"),
        ("kafka://a:1/..", "is not a topic prefix"),
        ("kafka://a:1/x?partitions=0", "1 to 400 partitions"),
    ],
)
def test_a_malformed_url_is_refused_with_its_expected_form(url: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        load_settings(journal=url)


def test_a_password_is_not_in_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "rescind.toml"
    file.write_text('kafka_user = "u"\nkafka_password = "p"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="RESCIND_KAFKA_PASSWORD"):
        load_settings(str(file))
