"""`rescind replay` reads the journal itself: each way of changing it is found, and no view is rebuilt from it."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import pytest

from schemas.record import decode_record, encode_record
from tests.integration.cli.driving import Store, lives

Rows = list[tuple[int, int, int, bytes]]
"""Offset, append time, checksum and value of every record."""


@pytest.fixture
def filled_store(store: Store) -> Store:
    """A store of 30 orders, with several records each."""
    rows = list(lives(0, 30))
    for part in (rows[::3], rows[1::3], rows[2::3]):
        store.take(part, check=None)
    return store


def signed(offset: int, appended_at: int, value: bytes) -> tuple[int, int, int, bytes]:
    """A record with the checksum that belongs to it."""
    return offset, appended_at, crc32(value), value


def renumbered(rows: Rows) -> Rows:
    return [signed(offset, appended_at, value) for offset, (_, appended_at, _, value) in enumerate(rows)]


def flipped(value: bytes, at: int) -> bytes:
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def in_a_commit(rows: Rows, which: int) -> Rows:
    """A bit of one event's body is changed, and the record's checksum with it."""
    offset, appended_at, _, value = rows[which]
    record = decode_record(value)
    commits = list(record.commits)
    at = commits[0].rindex(b"A-1") if b"A-1" in commits[0] else len(commits[0]) - 3
    commits[0] = flipped(commits[0], at + 2)
    rows[which] = signed(offset, appended_at, encode_record(record.writer, commits))
    return rows


@dataclass(frozen=True)
class Change:
    """A change that was made to the journal, and the message about it if local state is there."""

    make: Callable[[Rows], Rows]
    message: str
    found_alone: bool = True
    """Whether the journal's own bytes, or the views, show it without local state."""


def without(rows: Rows, which: int) -> Rows:
    return [row for at, row in enumerate(rows) if at != which]


def swapped(rows: Rows, one: int, other: int) -> Rows:
    rows[one], rows[other] = rows[other], rows[one]
    return renumbered(rows)


CHANGES = {
    "a bit of a record": Change(
        lambda rows: [(*rows[0][:3], flipped(rows[0][3], 50)), *rows[1:]], "record at offset 0 of partition 0 has a"
    ),
    "a bit of a commit": Change(lambda rows: in_a_commit(rows, 1), "Local state is right"),
    "an event of the last record": Change(
        lambda rows: in_a_commit(rows, -1), "and the log has no such commit. The log lost or changed it"
    ),
    "a record that is none": Change(
        lambda rows: [*rows[:2], signed(2, rows[2][1], b"rubbish"), *rows[3:]], "partition 0, offset 2"
    ),
    "a record removed": Change(lambda rows: without(rows, 2), "has no record at offset 2"),
    "a record removed and the rest moved up": Change(
        lambda rows: renumbered(without(rows, 2)), "partition 0, offset 2: local state 0 has the commit"
    ),
    "two records swapped": Change(lambda rows: swapped(rows, 1, 2), "partition 0, offset 1: local state 0 has the"),
    "a record inserted": Change(
        lambda rows: renumbered([*rows[:2], rows[0], *rows[2:]]), "and the log has it at offset 3", found_alone=False
    ),
    "an append time": Change(
        lambda rows: [*rows[:2], (rows[2][0], rows[2][1] + 1, *rows[2][2:]), *rows[3:]],
        "partition 0, offset 2: local state 0 has the commit",
        found_alone=False,
    ),
    "the front": Change(lambda rows: rows[2:], "the log begins at offset 2"),
    "the tail": Change(lambda rows: rows[:-1], "and the log has no such commit. The log lost or changed it"),
}


def change(store: Store, make: Callable[[Rows], Rows]) -> None:
    with closing(sqlite3.connect(store.journal / "journal.sqlite")) as database, database:
        rows = database.execute("SELECT offset, appended_at, crc, value FROM partition_0 ORDER BY offset").fetchall()
        assert len(rows) > 5
        database.execute("DELETE FROM partition_0")
        database.executemany("INSERT INTO partition_0 VALUES (?, ?, ?, ?)", make(list(rows)))


def tables(store: Store) -> list[str]:
    with closing(sqlite3.connect(store.views)) as database:
        return list(database.iterdump())


def test_a_check_reports_what_it_did(filled_store: Store) -> None:
    with closing(sqlite3.connect(filled_store.journal / "journal.sqlite")) as database:
        (records,) = database.execute("SELECT count(*) FROM partition_0").fetchone()
    with closing(sqlite3.connect(filled_store.journal / "control.sqlite")) as database:
        (policies,) = database.execute("SELECT count(*) FROM partition_0").fetchone()
    with closing(sqlite3.connect(filled_store.journal / "state" / "0" / "journal-0.sqlite")) as database:
        (commits,) = database.execute("SELECT next_ordinal FROM progress").fetchone()
    message = filled_store.rescind("replay", "--check").out
    checked = filled_store.rescind("replay", "--check", "--json").json
    assert (checked["clean"], checked["journal_clean"], checked["local_state"]) == (True, True, [])
    assert checked["records"] == records + policies
    assert checked["admitted"] == checked["commits"] > commits
    assert (
        f"read {records + policies:,} records of 1 partition and of the control log, admitted {checked['admitted']:,} "
        "commits"
    ) in message
    assert f"compared {checked['compared']} tables from {checked['commits']:,} commits" in message
    assert "clean: the journal fits its hashes, and the views are what it says" in message


@pytest.mark.parametrize("what", CHANGES)
def test_a_journal_that_was_changed_is_found_and_nothing_is_rebuilt_from_it(filled_store: Store, what: str) -> None:
    before = tables(filled_store)
    change(filled_store, CHANGES[what].make)

    checked = filled_store.rescind("replay", "--check", check=1)
    assert CHANGES[what].message in checked.err
    assert "Stop every engine and keep everything" in checked.err
    assert "rescind replay" not in checked.out + checked.err
    found = filled_store.rescind("replay", "--check", "--json", check=1).json
    assert (found["clean"], found["journal_clean"]) == (False, False)
    refused = filled_store.rescind("replay", check=3)
    assert "The views were left as they are" in refused.err
    assert tables(filled_store) == before


@pytest.mark.parametrize("what", CHANGES)
def test_where_no_local_state_is_left_nobody_is_advised_to_rebuild(filled_store: Store, what: str) -> None:
    change(filled_store, CHANGES[what].make)
    shutil.rmtree(filled_store.journal / "state")
    checked = filled_store.rescind("replay", "--check", check=1 if CHANGES[what].found_alone else None)
    assert "`rescind replay`" not in checked.out + checked.err
    assert not (filled_store.journal / "state").exists(), "local state was neither trusted nor made"


@pytest.mark.parametrize("column", ["data", "hash"])
def test_changed_local_state_is_distinguished_from_a_changed_journal(filled_store: Store, column: str) -> None:
    path = filled_store.journal / "state" / "0" / "journal-0.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        [(ordinal, bytes_)] = database.execute(
            f"SELECT ordinal, {column} FROM commits WHERE ordinal IN (SELECT previous FROM commits) LIMIT 1"
        )
        database.execute(f"UPDATE commits SET {column} = ? WHERE ordinal = ?", (flipped(bytes_, 20), ordinal))
    checked = filled_store.rescind("replay", "--check", check=1)
    assert "The log is right" in checked.out
    assert "move its directory aside" in checked.out
    assert filled_store.rescind("replay", "--check", "--json", check=1).json["journal_clean"]
    assert "The log is right" in filled_store.rescind("replay").err, "it rebuilds, from the journal"
    state: Path = filled_store.journal / "state" / "0"
    state.rename(filled_store.place / "aside")
    assert filled_store.rescind("replay", "--check").code == 0


def test_views_of_a_longer_journal_are_not_replaced(filled_store: Store) -> None:
    """An older copy of the journal was put in its place, and local state is gone, as after any restore."""
    older = filled_store.place / "older.sqlite"
    with (
        closing(sqlite3.connect(filled_store.journal / "journal.sqlite")) as journal,
        closing(sqlite3.connect(older)) as copy,
    ):
        journal.backup(copy)
    filled_store.take(lives(100, 5))
    before = tables(filled_store)
    for path in filled_store.journal.glob("journal.sqlite*"):
        path.unlink()
    older.rename(filled_store.journal / "journal.sqlite")
    shutil.rmtree(filled_store.journal / "state")
    checked = filled_store.rescind("replay", "--check", check=1)
    assert "no local state confirms what the journal has. Stop every engine and keep everything" in checked.err
    assert "The views were left as they are" in filled_store.rescind("replay", check=3).err
    assert tables(filled_store) == before


def test_an_order_that_was_changed_by_hand_is_repaired_from_a_clean_journal(filled_store: Store) -> None:
    with closing(sqlite3.connect(filled_store.views)) as database, database:
        database.execute("UPDATE orders SET total_minor = 1")
    assert (
        "the journal is clean, `rescind replay` rebuilds the views"
        in filled_store.rescind("replay", "--check", check=1).out
    )
    filled_store.rescind("replay")
    assert filled_store.rescind("replay", "--check", "--json").json["clean"]
