"""A log that ends before what views, vault, notification store or local state have of it has lost something."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from consumers.ports.journal import JournalError
from domain.commands import parse_command
from tests.integration.cli.driving import Store, lives, placed
from tests.integration.history.changing import change, cut_tail, findings, opened, released, remove_local_state
from tests.integration.kafka.waiting import wait_until

WITNESSES = ("views", "vault", "notification store", "another process's local state")


@pytest.fixture
def older(tmp_path: Path) -> Store:
    """The released store over an older copy of its journal, without local state."""
    store = released(tmp_path)
    cut_tail(store, 40)
    remove_local_state(store)
    return store


def test_an_older_journal_without_local_state_is_not_decided_on(older: Store) -> None:
    with opened(older) as app:
        with pytest.raises(Exception, match="acknowledged are missing"):
            app.catch_up()
        wait_until(lambda: sorted(app.engine.stopped) == [0, 1, 2])
        outcome = app.engine.submit(parse_command(placed("PO-NEW"))).result(30)
        assert (outcome.kind, outcome.rule) == ("unavailable", "partition-stopped")
    before = sizes(older)
    refused = older.rescind("import", older.file([placed("PO-NEW")]), check=3)
    assert "bring the log back from a newer copy" in refused.err
    assert sizes(older) == before, "nothing was appended"


@pytest.mark.parametrize("witness", WITNESSES)
def test_each_follower_that_is_ahead_of_the_log_reports_it_by_itself(tmp_path: Path, witness: str) -> None:
    store = released(tmp_path)
    journal = store.journal
    witness_file = {"views": "views.sqlite", "vault": "vault.sqlite", "notification store": "notices.sqlite"}.get(
        witness
    )
    if witness == "another process's local state":
        (journal / "state" / "0").rename(journal / "state" / "1")
        (journal / "state" / "0").mkdir()
    else:
        remove_local_state(store)
    cut_tail(store, 1 if witness_file is None else newest(journal, partition=1) - 1)
    for name in {"views.sqlite", "notices.sqlite", "notices.lock"} - {witness_file}:
        (journal / name).unlink()
    if witness == "vault":
        row = "INSERT INTO erasing SELECT substr(name, 9), 1, 494 FROM about WHERE name GLOB 'journal *'"
        change(journal / "vault.sqlite", lambda vault: vault.execute(row))
    expected = (
        "local state in" if witness_file is None else f"the {'database of views' if witness == 'views' else witness}"
    )
    state, found, do = findings(store, check=1)["history"]
    assert (state, expected in found) == ("wrong", True), found
    assert "acknowledged" in found or "has read the log up to" in found
    assert "restore the journal from a copy" in do
    assert findings(store, "--deep", check=1)["history"][0] == "wrong"
    with opened(store) as app:
        with pytest.raises(JournalError, match=expected):
            app.catch_up()
        outcomes = [app.engine.submit(parse_command(placed(f"PO-NEW-{n}"))).result(30) for n in range(9)]
        assert "partition-stopped" in {outcome.rule for outcome in outcomes}


def test_an_older_control_log_is_not_published_to(tmp_path: Path) -> None:
    store = released(tmp_path)
    change(store.journal / "control.sqlite", lambda log: log.execute("DELETE FROM partition_0 WHERE offset > 3"))
    with pytest.raises(JournalError, match="control log, partition 0: the database of views"), opened(store):
        pass
    with closing(sqlite3.connect(store.journal / "control.sqlite")) as log:
        assert log.execute("SELECT max(offset) FROM partition_0").fetchone() == (3,)


def test_an_older_journal_is_also_noticed_where_the_views_are_of_another_history(tmp_path: Path) -> None:
    store = released(tmp_path)
    remove_local_state(store)
    other = bytes(32).hex()
    change(
        store.journal / "views.sqlite", lambda views: views.execute("UPDATE positions SET last_commit = ?", (other,))
    )
    with pytest.raises(JournalError, match=f"is not the one that the database of views .* has .{other}"), opened(store):
        pass


def test_a_log_that_has_everything_is_rebuilt_from_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = released(tmp_path)
    remove_local_state(store)
    with opened(store) as app:
        app.catch_up()
        assert app.engine.submit(parse_command(placed("PO-NEW"))).result(30).kind == "accepted"
        assert app.views is not None
        assert app.views.catch_up(30)
    expected = capsys.readouterr().err
    assert expected.count("is missing: it is rebuilt from the log") == 3
    assert findings(store, "--deep")["history"][0] == "ok"


def test_going_on_from_an_older_copy_works_as_documented(tmp_path: Path) -> None:
    """docs/how-to/copy-a-store.md: without a newer copy, everything that is ahead is moved aside."""
    store = released(tmp_path / "store")
    cut_tail(store, 5)
    aside = tmp_path / "aside"
    aside.mkdir()
    for name in ("state", "views.sqlite", "notices.sqlite"):
        (store.journal / name).rename(aside / name)
    with opened(store) as app:
        app.catch_up()
        assert app.engine.submit(parse_command(placed("PO-NEW"))).result(30).kind == "accepted"
        assert app.notifications is not None
        assert app.views is not None
        book = app.notifications.store
        assert all(book.lost[partition] > 0 for partition in range(3)), "what may have been sent is not sent again"
        app.views.catch_up(30)
    assert findings(store, "--deep")["history"][0] == "ok"
    assert store.rescind("replay", "--check", "--json").json["clean"]


def newest(journal: Path, partition: int) -> int:
    with closing(sqlite3.connect(journal / "journal.sqlite")) as log:
        (offset,) = log.execute(f"SELECT max(offset) FROM partition_{partition}").fetchone()
    return int(offset)


def sizes(store: Store) -> list[int]:
    return [p["records"] for p in store.stats()["partitions"]]


@pytest.mark.postgresql
def test_an_older_journal_is_also_noticed_by_views_in_postgresql(tmp_path: Path, postgresql: str) -> None:
    store = Store(tmp_path, more={"RESCIND_VIEWS": postgresql})
    store.take(lives(0, 6))
    change(store.journal / "journal.sqlite", lambda log: log.execute("DELETE FROM partition_0 WHERE offset > 2"))
    remove_local_state(store)
    (store.journal / "notices.lock").unlink(missing_ok=True)
    assert "the database of views" in findings(store, check=1)["history"][1]
    refused = store.rescind("import", store.file(lives(0, 6)), check=3)
    assert "that were acknowledged are missing" in refused.err
