"""Erasing a subject in a running engine: the text is gone for ever, history is what it was, byte by byte."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from consumers.ports.vault import VaultUnavailable
from domain.commands import parse_command
from infra.app import App, AppOptions, open_app
from infra.settings import load_settings
from infra.vault.base import TextGone
from tests.integration.http.client import SUPPORT, Http

PARTITIONS = 4


def submitted(app: App, command: str, id: str, subject: str = "b-7", **fields: Any) -> tuple[str, str | None]:
    """The kind and the rule of the outcome of a command about a person's data."""
    body = {"command": command, "command_id": id, "marketplace": "acme", "subject": subject, "actor": SUPPORT}
    outcome = app.engine.submit(parse_command(body | fields)).result(10)
    return outcome.kind, outcome.rule


def writes(http: Http, order: str, text: str, id: str) -> str:
    """A message of the buyer b-7; where the vault has it."""
    body = {"actor": {"kind": "buyer", "id": "b-7"}, "message_id": id, "to": "seller", "text": text}
    answer = http.post(f"{order}/messages", body, id)
    assert answer.status_code in (200, 201), answer.text
    history = http.get(f"{order}/history").json()
    [sent] = [e for e in history if e["event"] == "MessageSent" and e["data"]["message_id"] == id]
    reference: str = sent["data"]["text"]["reference"]
    return reference


def gone(app: App, reference: str) -> bool:
    try:
        app.vault.open(reference)
    except TextGone:
        return True
    return False


def erasing_fails(app: App) -> None:
    """Wait until the eraser has tried, and has reported its error."""
    until = time.monotonic() + 30
    while app.erasing.trouble is None and time.monotonic() < until:
        assert not app.erasing.catch_up(0)


def commits(app: App) -> list[bytes]:
    """Every record of the journal, partition by partition."""
    journal = app.journal
    return [
        record.value
        for partition in range(journal.partitions)
        for record in journal.read(partition, 0, journal.end(partition))
    ]


def settings(directory: Path) -> Any:
    return load_settings(journal=f"sqlite:///{directory}/journal?partitions={PARTITIONS}", synchronous="normal")


@contextmanager
def engine(directory: Path, *, views: bool = True) -> Iterator[Http]:
    with open_app(settings(directory), AppOptions(views=views)) as app:
        app.catch_up()
        http = Http(app)
        try:
            yield http
        finally:
            http.close()


def test_the_text_is_gone_and_order_history_and_commits_are_what_they_were(tmp_path: Path) -> None:
    with engine(tmp_path) as http:
        order = http.place(policy="peer-to-peer")
        text = writes(http, order, "My door code is 4711.", "m1")
        before = http.get(order).content, http.get(f"{order}/history").content
        records = commits(http.app)
        assert http.app.vault.open(text) == "My door code is 4711."
        assert submitted(http.app, "EraseSubject", "x1") == ("accepted", None)
        assert http.app.erasing.catch_up(10)
        assert gone(http.app, text)
        assert (http.get(order).content, http.get(f"{order}/history").content) == before
        assert set(records) <= set(commits(http.app))
    with engine(tmp_path) as http:
        assert gone(http.app, text)
        assert (http.get(order).content, http.get(f"{order}/history").content) == before


@pytest.mark.parametrize("views", [True, False])
def test_an_erasure_that_was_admitted_while_nobody_erased_is_carried_out_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, views: bool
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("infra.erasing.runner.ErasingRunner.start", lambda *_: None)
        with engine(tmp_path) as http:
            text = writes(http, http.place(policy="peer-to-peer"), "mine", "m1")
            submitted(http.app, "EraseSubject", "x1")
            assert http.app.vault.open(text) == "mine"
    with engine(tmp_path, views=views) as http:
        assert http.app.erasing.catch_up(10)
        assert gone(http.app, text)


def test_a_hold_defers_an_erasure_until_it_is_released_and_requested_again(tmp_path: Path) -> None:
    with engine(tmp_path) as http:
        text = writes(http, http.place(policy="peer-to-peer"), "mine", "m1")
        submitted(http.app, "PlaceLegalHold", "h", hold_id="lawsuit")
        assert submitted(http.app, "EraseSubject", "x1") == ("refused", "legal-hold")
        assert http.app.erasing.catch_up(10)
        assert http.app.vault.open(text) == "mine"
        submitted(http.app, "ReleaseLegalHold", "r", hold_id="lawsuit")
        assert http.app.erasing.catch_up(10)
        assert http.app.vault.open(text) == "mine"
        assert submitted(http.app, "EraseSubject", "x2") == ("accepted", None)
        assert http.app.erasing.catch_up(10)
        assert gone(http.app, text)


def test_a_text_written_right_after_the_erasure_survives_a_second_read_of_the_log(tmp_path: Path) -> None:
    with engine(tmp_path) as http:
        order = http.place(policy="peer-to-peer")
        old = writes(http, order, "old", "m1")
        submitted(http.app, "EraseSubject", "x1")
        new = writes(http, order, "new", "m2")  # at once: the eraser may not have reached it
        assert http.app.erasing.catch_up(10)
        assert (gone(http.app, old), http.app.vault.open(new)) == (True, "new")
    shutil.rmtree(tmp_path / "journal" / "state")
    with engine(tmp_path) as one, engine(tmp_path) as other:
        for http in (one, other):
            assert http.app.erasing.catch_up(10)
            assert (gone(http.app, old), http.app.vault.open(new)) == (True, "new")
    with closing(sqlite3.connect(tmp_path / "journal" / "vault.sqlite")) as database, database:
        assert database.execute("delete from erasing").rowcount > 0
    with engine(tmp_path) as http:  # a second read of the whole log does not take the later key
        assert http.app.erasing.catch_up(10)
        assert (gone(http.app, old), http.app.vault.open(new)) == (True, "new")


def test_it_waits_for_nobody_where_the_eraser_is_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("infra.erasing.runner.ErasingRunner.start", lambda *_: None)
        with engine(tmp_path) as http:
            order = http.place(policy="peer-to-peer")
            old = writes(http, order, "old", "m1")
            submitted(http.app, "EraseSubject", "x1")
            new = writes(http, order, "new", "m2")
            assert (gone(http.app, old), http.app.vault.open(new)) == (True, "new")
    with engine(tmp_path) as http:
        assert http.app.erasing.catch_up(10)
        assert http.app.vault.open(new) == "new"


def test_cut_off_between_erasing_and_scrubbing_the_next_start_goes_on_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(vault: object) -> None:
        raise VaultUnavailable("cut off")

    with monkeypatch.context() as patched, engine(tmp_path) as http:
        text = writes(http, http.place(policy="peer-to-peer"), "mine", "m1")
        patched.setattr("infra.vault.sqlite.SqliteVault.scrub", killed)
        submitted(http.app, "EraseSubject", "x1")
        erasing_fails(http.app)
        answer = http.get("/readyz").json()
        assert (answer["status"], answer["trouble"], list(answer["since"])) == (
            "ready",
            {"erasing": "cut off"},
            ["erasing"],
        )
    with engine(tmp_path) as http:
        assert http.app.erasing.catch_up(10)
        assert gone(http.app, text)
        assert http.get("/readyz").json() == {"status": "ready"}


def test_an_unreachable_vault_is_retried_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.erasing.runner.ErasingRunner.RETRY", 0.01)
    with engine(tmp_path) as http:
        text = writes(http, http.place(policy="peer-to-peer"), "mine", "m1")
        database = tmp_path / "journal" / "vault.sqlite"
        with closing(sqlite3.connect(database)) as other:
            other.execute("alter table erasing rename to away")
        submitted(http.app, "EraseSubject", "x1")
        erasing_fails(http.app)
        assert "erasing" in http.get("/readyz").json()["trouble"]["erasing"]
        with closing(sqlite3.connect(database)) as other:
            other.execute("alter table away rename to erasing")
        assert http.app.erasing.catch_up(30)
        assert gone(http.app, text)


def test_a_journal_in_memory_erases_too() -> None:
    with open_app(load_settings(journal="memory:")) as app:
        http = Http(app)
        text = writes(http, http.place(policy="peer-to-peer"), "mine", "m1")
        submitted(app, "EraseSubject", "x1")
        assert app.erasing.catch_up(10)
        assert gone(app, text)
        http.close()
