"""The command line creates and compares the topics of commands, and the doctor examines them."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.cli.main import run
from infra.settings import SettingsError, load_settings
from tests.broker.fixtures import GROUP, Kafka
from tests.broker.topics import admin
from tests.integration.command_topic.stage import Stage, placed, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]


@pytest.fixture
def stage(kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage(kafka, tmp_path)
    for key, value in stage.named("one").items():
        monkeypatch.setenv(f"RESCIND_{key.upper()}", value)
    return stage


def found(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    report: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return report


def test_the_topics_of_commands_are_made_beside_the_journals_and_compared(
    kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prefix = kafka.prefix()
    monkeypatch.setenv("RESCIND_JOURNAL", kafka.url(prefix, 2))
    monkeypatch.setenv("RESCIND_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("RESCIND_COMMANDS", "on")
    assert run(["topics", "create", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)["partitions"]
    kinds = {name.removeprefix(f"{prefix}."): count for name, count in made.items()}
    assert kinds == {"journal": 2, "control": 1, "commands": 2, "outcomes": 2, "dead-letters": 2}
    assert run(["topics", "check", "--json"]) == 0
    retention = {f["topic"]: f["found"] for f in found(capsys) if f["what"] == "retention.ms"}
    assert retention[f"{prefix}.commands"] == retention[f"{prefix}.outcomes"] == "-1"
    monkeypatch.setenv("RESCIND_PUBLISH", "on")  # later: what is there is taken in
    assert run(["topics", "create", "--json"]) == 0
    assert f"{prefix}.order-events" in json.loads(capsys.readouterr().out)["made"]
    with admin(kafka.servers) as admin_client:
        admin_client.delete_topics([f"{prefix}.outcomes"])
    wait_until(lambda: run(["topics", "check"]) == 1)
    assert "outcomes" in capsys.readouterr().out


def test_the_doctor_reports_unanswered_commands_and_whether_an_engine_processes_them(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    def commands() -> dict[str, Any]:
        run(["doctor", "--json"])
        (finding,) = [each for each in found(capsys) if each["part"] == "commands"]
        return finding

    with stage:
        with stage.open():
            stage.send(placed("PO-1"))
            stage.wait_for(1)
            assert commands()["state"] == "ok"
        stage.send(placed("PO-2"))
        wait_until(lambda: commands()["state"] == "wrong")  # once the session of the engine that ended is over
        assert "1 are unanswered, and no engine takes commands" in commands()["said"]
        with stage.open():
            stage.wait_for(2)
            wait_until(lambda: commands()["state"] == "ok")


def test_commands_need_topics() -> None:
    with pytest.raises(SettingsError, match="a journal on Kafka, or publish as"):
        _ = load_settings(journal="memory:", commands="on").commands_at
    at = load_settings(journal="memory:", publish="kafka://h:1/p", commands="on").commands_at
    assert at is not None
    assert (at.commands, at.outcomes) == ("p.commands", "p.outcomes")
