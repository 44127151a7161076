"""`rescind dead-letters`: listed, shown, tried again by a release that can, put away."""

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.log.commit_codec import ENGINE
from domain.events import ContactRecorded
from domain.instants import parse_instant
from infra.app import App, open_app
from infra.cli.main import run
from infra.settings import Settings, load_settings
from schemas import codec
from schemas.commit import COMMIT_VERSION, ActorEntry, Commit, EventEntry, StreamEntry, encode_commit
from schemas.framing import unframe
from schemas.public.contracts import event_contract
from schemas.public.ids import pinned
from schemas.record import encode_record
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.integration.publishing.stage import read_topic, wait_until
from tests.integration.publishing.test_an_engine_that_publishes import Shop

AT = parse_instant("2027-03-05T10:00:00Z")


def unreadable(app: App, order_id: str) -> bytes:
    """Append an event of another release to an order; the commit's bytes."""
    stream = f"acme/{order_id}"
    partition = app.engine.partition(stream)
    head = app.ask(lambda engine: engine.followers[partition].head(stream))
    assert head is not None
    part = StreamEntry(stream, "chain", head.hash, head.count, (EventEntry(0, "Teleported", 1, AT, b"?"),))
    commit = Commit(COMMIT_VERSION, b"t" * 16, None, None, ActorEntry(*ENGINE), None, None, AT, "elsewhere", (part,))
    data = encode_commit(commit)
    app.journal.append(partition, b"", encode_record("elsewhere", [data])).result(10)
    return data


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RESCIND_JOURNAL", f"sqlite:///{tmp_path}/journal")
    return load_settings()


@pytest.fixture
def left(settings: Settings) -> bytes:
    """A store with a malformed record, a malformed commit, and an order that has something from another release."""
    shop = Shop(settings, "", "")
    with open_app(settings) as app:
        shop.order(app, "PO-1")
        shop.order(app, "PO-2")
        app.journal.append(0, b"", b"rubbish").result(10)
        app.journal.append(0, b"", encode_record("elsewhere", [b"also rubbish"])).result(10)
        data = unreadable(app, "PO-1")
        app.catch_up()
        assert app.views is not None
        assert app.views.catch_up(10)
    return data


def listed(capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, Any]]:
    assert run(["dead-letters", "list", "--json", *more]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


PARKED = "views:journal:0:acme/PO-1"


def teleporting(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this release knows the event."""
    read = ContactRecorded("t-1", "phone", None, None, None, None)
    monkeypatch.setitem(codec._READERS, ("Teleported", 1), lambda body: read)


def test_each_dead_letter_has_its_origin_and_its_error(left: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    whole, single, unhandled = listed(capsys)
    assert (whole["origin"], whole["index"], whole["bytes"]) == ("journal", None, 7)
    assert (single["origin"], single["index"], single["bytes"]) == ("journal", 0, 12)
    assert (unhandled["id"], unhandled["stream"], unhandled["event"]) == (PARKED, "acme/PO-1", "Teleported")
    assert run(["dead-letters", "list"]) == 0
    text = capsys.readouterr().out
    assert "Teleported" in text and "journal:0:" in text


def test_a_letter_is_shown_with_its_bytes_and_the_commit_in_them(
    left: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["dead-letters", "show", PARKED, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert bytes.fromhex(shown["value"]) == left
    assert shown["key"] == "acme/PO-1"
    assert shown["commit"]["writer"] == "elsewhere"
    assert shown["commit"]["streams"][0]["events"] == ["Teleported.1"]
    rubbish = listed(capsys)[0]["id"]
    assert run(["dead-letters", "show", rubbish]) == 0
    assert "rubbish" in capsys.readouterr().out
    assert run(["dead-letters", "show", "views:journal:0:acme/PO-9"]) == 1


def test_retry_fails_until_a_release_can_read_the_event(
    left: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["dead-letters", "retry", PARKED]) == 1
    assert "Teleported" in capsys.readouterr().out
    teleporting(monkeypatch)
    assert run(["dead-letters", "retry", PARKED, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": PARKED, "done": True, "error": None}
    assert [letter["origin"] for letter in listed(capsys)] == ["journal", "journal"]
    assert run(["replay", "--check"]) == 0


def test_all_that_can_be_tried_is_tried_at_once(left: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dead-letters", "retry", "--all"]) == 1
    assert capsys.readouterr().out.count(PARKED) == 1
    assert run(["dead-letters", "retry"]) == 2
    assert run(["dead-letters", "retry", "--all", PARKED]) == 2


def test_a_malformed_dead_letter_cannot_be_retried_but_discarded(
    left: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    rubbish = listed(capsys)[0]["id"]
    assert run(["dead-letters", "retry", rubbish]) == 1
    assert "never became part of the history" in capsys.readouterr().err
    assert run(["dead-letters", "discard", rubbish]) == 0
    assert "discarded" in capsys.readouterr().out
    assert rubbish not in [letter["id"] for letter in listed(capsys)]
    [gone] = [letter for letter in listed(capsys, "--all") if letter["id"] == rubbish]
    assert gone["discarded"]
    assert run(["dead-letters", "list"]) == 0
    assert "1 discarded" in capsys.readouterr().out


def test_a_store_without_dead_letters_reports_it(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dead-letters", "list"]) == 3
    with open_app(settings):
        pass
    assert run(["dead-letters", "list"]) == 0
    assert "no dead letters" in capsys.readouterr().out


@pytest.mark.kafka
@pytest.mark.xdist_group(SECOND_GROUP)
def test_an_event_that_could_not_be_published_is_a_dead_letter_and_is_published_once_it_can_be(
    settings: Settings, kafka: Kafka, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = kafka.prefix()
    monkeypatch.setenv("RESCIND_PUBLISH", f"kafka://{kafka.servers}/{prefix}")
    shop = Shop(load_settings(), kafka.servers, prefix)
    with shop.open() as app:
        shop.order(app, "PO-1")
        data = unreadable(app, "PO-1")
        app.journal.append(0, b"", b"rubbish").result(10)
        shop.order(app, "PO-2")
        wait_until(lambda: shop.keys("refunds") == ["acme/PO-1", "acme/PO-2"])
        wait_until(lambda: len(shop.seen("dead-letters")) == 3)
    letters = {dict(r.headers)["rescind-letter"].decode(): r for r in shop.seen("dead-letters")}
    unpublished = "publisher:0:acme/PO-1"
    assert {id.rpartition(":")[0] if id.startswith("journal") else id for id in letters} == {
        "journal:0", PARKED, unpublished
    }  # fmt: skip
    assert {r.value for r in letters.values()} == {data, b"rubbish"}
    assert b"Teleported" in dict(letters[unpublished].headers)["rescind-error"]

    assert sorted(letter["id"] for letter in listed(capsys)) == sorted(letters)
    assert run(["dead-letters", "retry", unpublished]) == 1
    teleporting(monkeypatch)
    monkeypatch.setitem(pinned(), event_contract("Teleported", 1), 9_999)
    assert run(["dead-letters", "retry", "--all"]) == 0
    out = [r for r in read_topic(kafka.servers, f"{prefix}.order-events")[0] if r.key == b"acme/PO-1"]
    assert [dict(r.headers)["rescind-version"] for r in out] == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert unframe(out[-1].value)[0] == 9_999
    capsys.readouterr()
    assert [letter["origin"] for letter in listed(capsys)] == ["journal"]
    with shop.open() as app:
        shop.order(app, "PO-3")
        wait_until(lambda: len(shop.keys("refunds")) == 3)
    assert len(shop.seen("dead-letters")) == 3
