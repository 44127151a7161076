"""Files of a store that are removed or replaced under a running engine: nothing is acknowledged that would be lost."""

import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumers.ports.notifications import Contact
from consumers.ports.views import ViewsUnavailable
from domain.commands import parse_command
from infra.app import App
from infra.sqlite.file import open_existing
from infra.views.sqlite import SqliteViews
from tests.integration.cli.driving import BUYER, Body, Store, command, placed
from tests.integration.history.changing import WAL_SUFFIXES, findings, opened

FILES = {
    "journal": "journal.sqlite",
    "control log": "control.sqlite",
    "vault": "vault.sqlite",
    "views": "views.sqlite",
    "notification store": "notices.sqlite",
    "local state of partition 0": "state/0/journal-0.sqlite",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path, more={"RESCIND_POST": "outbox", "RESCIND_MAIL_FROM": "shop@example.org"})
    made.more["RESCIND_VIEWS"] = f"sqlite:///{made.journal}/views.sqlite"
    with opened(made) as app:
        assert submitted(app, placed("PO-1")) == "accepted"
        assert app.views is not None
        app.views.catch_up(30)
    return made


def submitted(app: App, body: Body) -> str:
    live: dict[str, Any] = {key: value for key, value in body.items() if key != "at"}
    return app.engine.submit(parse_command(live)).result(30).kind


def message(number: int) -> Body:
    fields = {"message_id": f"m{number}", "to": "seller", "text": "please leave it with the neighbor"}
    return command("SendMessage", "PO-1", "", BUYER, f"message-{number}", **fields)


def with_wal_files(path: Path) -> list[Path]:
    return [path, *(path.with_name(path.name + suffix) for suffix in WAL_SUFFIXES)]


def wait_until(reached: Callable[[], bool], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < until, "in vain"
        time.sleep(0.05)


def remove(path: Path) -> None:
    for each in with_wal_files(path):
        each.unlink(missing_ok=True)


def replace_by_a_copy(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    remove(path)
    copy.rename(path)


def take_the_wal_away(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


@pytest.mark.parametrize("change", [remove, replace_by_a_copy, take_the_wal_away])
@pytest.mark.parametrize("what", FILES)
def test_a_file_that_is_removed_or_replaced_is_reported(
    store: Store, what: str, change: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    path = store.journal / FILES[what]
    with opened(store) as app:
        app.catch_up()
        assert app.watch.trouble == {}
        change(path)
        assert list(app.watch.trouble) == ["files"], "noticed without a write"
        assert f"{what}: {path}" in app.watch.trouble["files"]
        if what in ("journal", "vault"):
            assert submitted(app, message(1)) == "unavailable"
        else:
            assert submitted(app, message(1)) == "accepted"
        output = ""

        def is_reported() -> bool:
            nonlocal output
            output += capsys.readouterr().err
            return f"({what}): {path}" in output

        wait_until(is_reported)


@pytest.mark.parametrize("change", [remove, replace_by_a_copy])
def test_views_whose_file_was_removed_do_not_advance(store: Store, change: Callable[[Path], None]) -> None:
    path = store.journal / "views.sqlite"
    with opened(store) as app:
        app.catch_up()
        assert app.views is not None
        change(path)
        assert submitted(app, placed("PO-2")) == "accepted"
        wait_until(lambda: "views" in app.watch.trouble)
        assert not path.with_name("views.sqlite.damaged").exists()
    if change is remove:
        assert not path.exists(), "nothing was made in its place"


def test_a_reader_makes_no_empty_file_in_place_of_the_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file may go between the look at it and the opening of a connection."""
    path = tmp_path / "views.sqlite"
    views = SqliteViews(path)
    monkeypatch.setattr(views, "_look_at_file", lambda: None)
    remove(path)
    with pytest.raises(ViewsUnavailable, match="unable to open"):
        views.query("SELECT 1", ())
    assert not path.exists()
    views.close()


@pytest.mark.parametrize("read_only", [True, False])
def test_opening_a_file_that_is_gone_makes_none(tmp_path: Path, read_only: bool) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        open_existing(tmp_path / "journal.sqlite", read_only=read_only)
    assert list(tmp_path.iterdir()) == []


def test_no_mail_is_sent_whose_sending_cannot_be_recorded(store: Store) -> None:
    with opened(store) as app:
        app.catch_up()
        assert app.notifications is not None
        app.notifications.contacts.set("acme", "buyer", "b-7", Contact("b@example.org"))
        remove(store.journal / "notices.sqlite")
        assert submitted(app, placed("PO-2")) == "accepted"
        wait_until(lambda: "notices" in app.watch.trouble)
    assert list((store.journal / "outbox").glob("**/*.eml")) == []


def test_a_file_that_is_restored_is_used_again(store: Store) -> None:
    path = store.journal / "vault.sqlite"
    away = path.with_name("away")
    with opened(store) as app:
        app.catch_up()
        path.rename(away)
        assert submitted(app, message(1)) == "unavailable"
        away.rename(path)
        assert submitted(app, message(2)) == "accepted"
        wait_until(lambda: app.watch.trouble == {})
    assert findings(store, "--deep")["vault"][0] == "ok"
