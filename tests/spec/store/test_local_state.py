"""Local state: tests of both adapters, then tests of files."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.log.admission import Admission
from consumers.ports.local_state import (
    Due,
    LocalState,
    LocalStateDamaged,
    LocalStateUnavailable,
    Parked,
    Place,
    Version,
    all_due,
)
from consumers.ports.log_values import Admitted, Rejected
from infra.local_state import Opened, discard, memory_local_state, open_local_state
from infra.local_state import sqlite as module
from infra.local_state.file import Connection
from infra.local_state.streams import PACKED
from infra.local_state.swept_index import WINDOW, SweptIndex
from schemas.commit import commit_hash, encode_commit
from tests.effort import examples
from tests.spec.store.making import NOON, Chain, commit, events, part, record


@pytest.fixture(params=["memory", "sqlite", "sqlite, grouped"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalState]:
    grouped = 150 if "grouped" in request.param else 0
    made = (
        memory_local_state(0, 1)
        if request.param == "memory"
        else open_local_state(tmp_path / "s.sqlite", 0, 1, grouped=grouped).state
    )
    yield made
    made.close()


def fill(state: LocalState, *batches: list[bytes]) -> list[Admitted]:
    """Admit and flush each batch as a record."""
    found = []
    for batch in batches:
        for verdict in Admission(state.partition, state.partitions, state).take(
            record(*batch, offset=state.next_offset)
        ):
            if isinstance(verdict, Rejected):
                state.reject(verdict)
            else:
                assert isinstance(verdict, Admitted), verdict
                found.append(verdict)
        state.flush(state.next_offset + 1)
    return found


def test_it_starts_empty(state: LocalState) -> None:
    assert (state.identity, state.partition, state.partitions) == (None, 0, 1)
    assert (state.next_offset, state.next_index, state.next_ordinal, state.next_position) == (0, 0, 0, 0)
    assert (state.last, state.format, state.due_through) == (None, 1, 0)
    assert (state.commit_at(0), list(state.commits()), list(state.commits_of("s"))) == (None, [], [])
    assert (state.ordinal_at(0), state.versions("s"), state.streams(), state.parked()) == (0, [], [], [])
    assert state.due_before(NOON, 10) == []
    assert state.rejections() == {"duplicate": 0, "superseded": 0, "malformed": 0}


def test_every_commit_is_read_back_as_admitted(state: LocalState) -> None:
    one, two = Chain("s"), Chain("t")
    found = fill(state, [one.next("A", command="c1"), two.next("A", "B")], [one.next("B"), one.next()])
    assert list(state.commits()) == found
    assert list(state.commits(1, 3)) == found[1:3]
    assert [state.commit_at(n) for n in range(5)] == [*found, None]
    assert state.commit_at(-1) is None
    assert state.last == Place(1, 1, found[-1].hash)
    assert state.next_offset == 2


def test_commits_are_read_in_pages_to_the_end(state: LocalState) -> None:
    chain = Chain("s")
    found = fill(state, *[[chain.next("A") for _ in range(100)] for _ in range(11)])
    assert [a.ordinal for a in state.commits(50)] == list(range(50, 1100))
    assert [a.hash for a in state.commits_of("s")] == [a.hash for a in found]


def test_a_stream_is_read_in_log_order_from_an_event_or_behind_a_commit(state: LocalState) -> None:
    one, two = Chain("s"), Chain("t")
    found = fill(
        state, [one.next("A", "B"), two.next("A")], [one.next(), one.next("C")], [two.next("B"), one.next("D", "E")]
    )
    of = [found[0], found[2], found[3], found[5]]
    assert list(state.commits_of("s")) == of
    assert list(state.commits_of("s", first=1)) == of
    assert list(state.commits_of("s", first=2)) == of[2:]
    assert list(state.commits_of("s", first=4)) == of[3:]
    assert list(state.commits_of("s", first=5)) == []
    assert list(state.commits_of("s", after=2)) == of[2:]
    assert list(state.commits_of("s", after=5)) == []
    assert list(state.commits_of("u")) == []


def test_a_commit_of_several_streams_is_found_by_each(state: LocalState) -> None:
    one, two = Chain("s"), Chain("t")
    first, second = one.next("A"), two.next("A")
    both = one.next("B", others=[part("t", commit_hash(second), 1, events("B", first=1)), part("u")])
    two.parent, two.count = commit_hash(both), 2
    found = fill(state, [first, second], [both], [two.next("C"), one.next("C")])
    assert list(state.commits_of("s")) == [found[0], found[2], found[4]]
    assert list(state.commits_of("t")) == [found[1], found[2], found[3]]
    assert list(state.commits_of("u")) == [found[2]]


def test_an_event_position_leads_to_its_commit(state: LocalState) -> None:
    one, two = Chain("s"), Chain("t")
    fill(state, [one.next(), one.next("A", "B"), two.next(), two.next("A"), one.next("C", "D", "E"), one.next()])
    assert [state.ordinal_at(position) for position in range(8)] == [1, 1, 3, 4, 4, 4, 6, 6]
    assert state.next_position == 6


def test_versions_of_a_unique_stream_are_listed_in_either_direction(state: LocalState) -> None:
    def snapshot(version: int, *names: str) -> bytes:
        return encode_commit(
            commit(part("snap", first=version, entries=events(*names), kind="unique"), command=str(version))
        )

    fill(state, [snapshot(7, "A"), snapshot(2, "A", "B")], [snapshot(5, "A")])
    assert state.versions("snap") == [Version(2, 1), Version(3, 1), Version(5, 2), Version(7, 0)]
    assert state.versions("snap", 3, 5) == [Version(3, 1), Version(5, 2)]
    assert state.versions("snap", last=6, newest_first=True, limit=1) == [Version(5, 2)]
    assert state.versions("other") == []
    assert state.streams() == []


def test_chain_streams_are_listed_in_the_order_in_which_they_appeared(state: LocalState) -> None:
    chains = [Chain(name) for name in "cab"]
    fill(state, [chain.next("A") for chain in chains], [chains[2].next("B")])
    assert state.streams() == ["c", "a", "b"]
    assert state.streams(limit=2) == ["c", "a"]
    assert state.streams(after="c") == ["a", "b"]
    assert state.streams(after="b") == []


def test_unflushed_admissions_are_seen_by_admission_and_dropped_by_a_rollback(state: LocalState) -> None:
    chain = Chain("s")
    (first,) = fill(state, [chain.next("A", command="c1")])
    state.write()
    fold = Admission(0, 1, state)
    later = chain.next("B", command="c2", others=[part("n"), part("w", first=3, kind="watermark")])
    snapshot = commit(part("u", entries=events("S"), kind="unique"))
    (staged, _) = fold.take(record(later, offset=1)) + fold.take(record(snapshot, offset=2))
    bad = fold.take(record(b"rubbish", offset=3))[0]
    assert isinstance(staged, Admitted)
    assert isinstance(bad, Rejected)
    state.reject(bad)

    def seen() -> list[object]:
        head = state.head("s")
        return [
            head is not None and head.hash == first.hash,
            state.head("n") is not None,
            state.watermark("w"),
            state.has_version("u", 0),
            state.ordinal_of_command("s", "c2"),
            state.ordinal_of_commit(staged.commit.commit_id),
            state.next_ordinal,
        ]

    assert seen() == [False, True, 3, True, 1, 1, 3]
    state.rollback()
    assert seen() == [True, False, None, False, None, None, 1]
    assert state.rejections()["malformed"] == 0
    assert state.parked() == []
    assert list(state.commits()) == [first]
    chain.parent, chain.count = first.hash, 1
    assert fill(state, [chain.next("C", command="c2")])[0].ordinal == 1


def test_command_ids_are_found_on_streams_of_any_length(state: LocalState) -> None:
    short, long = Chain("short"), Chain("long")
    fill(state, [short.next("A", command="c0")])
    batches = [[long.next("A", command=f"c{n}") for n in range(at, at + 10)] for at in range(0, 5 * PACKED, 10)]
    fill(state, *batches)
    for n in range(5 * PACKED):
        assert state.ordinal_of_command("long", f"c{n}") == n + 1
    assert state.ordinal_of_command("short", "c0") == 0
    for stream, command in (("long", "c-1"), ("short", "c1"), ("none", "c0")):
        assert state.ordinal_of_command(stream, command) is None
    fold = Admission(0, 1, state)
    staged = [long.next("A", command="late"), long.next("A", command="later")]
    assert len([v for v in fold.take(record(*staged, offset=99)) if isinstance(v, Admitted)]) == 2
    assert state.ordinal_of_command("long", "later") == 5 * PACKED + 2


def test_deadlines_are_replaced_stream_by_stream_and_returned_earliest_first(state: LocalState) -> None:
    fill(state, [Chain(name).next("A") for name in "abc"])
    state.set_due("b", [("decide-1", 30), ("reminder-1", 10)])
    state.set_due("a", [("unpaid-1", 30)])
    state.mark_due(3)
    assert state.due_before(31, 10) == [Due(10, "b", "reminder-1"), Due(30, "a", "unpaid-1"), Due(30, "b", "decide-1")]
    assert state.due_before(30, 10) == [Due(10, "b", "reminder-1")]
    assert state.due_before(31, 1) == [Due(10, "b", "reminder-1")]
    state.set_due("b", [("decide-1", 5)])
    state.set_due("c", [])
    assert state.due_before(31, 10) == [Due(5, "b", "decide-1"), Due(30, "a", "unpaid-1")]
    state.set_due("a", [])
    assert state.due_before(31, 10) == [Due(5, "b", "decide-1")]
    assert state.due_through == 3


def test_deadlines_survive_a_rollback_since_their_commits_do(state: LocalState) -> None:
    fill(state, [Chain("a").next("A")])
    state.set_due("a", [("unpaid-1", 30)])
    state.mark_due(1)
    state.write()
    state.rollback()
    assert state.due_through == 1
    assert state.due_before(31, 10) == [Due(30, "a", "unpaid-1")]


def test_deadlines_belong_to_a_stream_that_is_there(state: LocalState) -> None:
    with pytest.raises(ValueError, match="there is no stream s"):
        state.set_due("s", [("unpaid-1", 30)])
    fill(state, [Chain("t").next("A")])
    assert state.due_before(NOON, 9) == []


def test_the_earliest_deadlines_of_several_partitions_are_returned_first() -> None:
    states = [memory_local_state(partition, 2) for partition in range(2)]
    for state, name, due in zip(states, ("$a", "$b"), (7, 5), strict=True):
        fill(state, [Chain(name).next("A")])
        state.set_due(name, [("d-1", due)])
    assert all_due(states, 10, 1) == [Due(5, "$b", "d-1")]
    assert all_due(states, 10, 9) == [Due(5, "$b", "d-1"), Due(7, "$a", "d-1")]
    assert all_due([], 10, 10) == []


def test_a_malformed_record_is_parked_and_the_rest_counted(state: LocalState) -> None:
    chain = Chain("s")
    first = chain.next("A")
    fill(state, [first, first], [b"rubbish", chain.next("B"), b"more"])
    assert state.rejections() == {"duplicate": 1, "superseded": 0, "malformed": 2}
    assert [(p.offset, p.index) for p in state.parked()] == [(1, 0), (1, 2)]
    assert state.parked(1) == state.parked()[:1]
    assert isinstance(state.parked(1)[0], Parked)
    assert state.parked(1)[0].reason
    assert state.parked(first=1) == state.parked()
    assert state.parked(first=2) == []


# ---- the file --------------------------------------------------------------------------------------------------------


def opened(path: Path, **more: int) -> Opened:
    return open_local_state(path, 0, 1, **more)  # type: ignore[arg-type]


def rebuilt(path: Path) -> str | None:
    """Return why a start rebuilds the file, or None."""
    found = opened(path)
    found.state.close()
    return found.rebuilt


def filled(path: Path) -> list[Admitted]:
    """Make a file with a little of everything, and close it."""
    state = opened(path).state
    state.bind("the journal")
    one, two = Chain("s"), Chain("t")
    found = fill(
        state,
        [one.next("A", command="c1"), two.next("A")],
        [one.next("B", others=[part("w", first=3, kind="watermark")])],
    )
    fill(state, [b"rubbish"])
    state.set_due("s", [("d-1", 50)])
    state.mark_due(2)
    state.flush(7, 3)
    state.close()
    return found


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    found = filled(tmp_path / "s.sqlite")
    assert rebuilt(tmp_path / "s.sqlite") is None
    state = opened(tmp_path / "s.sqlite").state
    assert (state.identity, state.next_offset, state.next_index, state.next_ordinal) == ("the journal", 7, 3, 3)
    assert (state.next_position, state.due_through, state.format) == (3, 2, 1)
    assert list(state.commits()) == found
    assert list(state.commits_of("s")) == [found[0], found[2]]
    assert list(state.commits_of("w")) == [found[2]]
    assert state.watermark("w") == 3
    assert state.ordinal_of_command("s", "c1") == 0
    assert [state.ordinal_of_commit(a.commit.commit_id) for a in found] == [0, 1, 2]
    assert state.due_before(51, 9) == [Due(50, "s", "d-1")]
    assert state.rejections()["malformed"] == 1
    assert state.last == Place(found[-1].offset, found[-1].index, found[-1].hash)


def test_a_first_start_and_a_lost_file_are_reported_as_missing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "s.sqlite"
    assert rebuilt(path) == "missing"
    filled(path)
    discard(path)
    again = opened(path)
    assert again.rebuilt == "missing"
    assert again.state.next_ordinal == 0


@pytest.mark.parametrize("content", [b"", b"rubbish" * 1000])
def test_an_unreadable_file_is_rebuilt_and_reported(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.sqlite"
    path.write_bytes(content)
    again = opened(path)
    assert again.rebuilt is not None
    assert "is no SQLite file" in again.rebuilt
    assert again.state.next_ordinal == 0
    assert rebuilt(path) is None


def test_a_truncated_file_is_rebuilt(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    filled(path)
    os.truncate(path, path.stat().st_size - 4096)
    assert rebuilt(path) == "was cut off"


def test_a_reader_finds_a_complete_file_while_its_owner_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.sqlite"
    filled(path)
    owner = opened(path).state
    chain = Chain("another")
    wrote: list[str] = []

    class Slow(sqlite3.Connection):
        """A connection on which the owner writes once during each statement."""

        def execute(self, *args: Any) -> sqlite3.Cursor:
            found = super().execute(*args)
            wrote.append(args[0])
            fill(owner, [chain.next("A")])
            return found

    real = sqlite3.connect

    def slow(*args: Any, **more: Any) -> sqlite3.Connection:
        return real(*args, **({"factory": Slow} | more))

    with monkeypatch.context() as patched:
        patched.setattr("infra.local_state.file.sqlite3.connect", slow)
        found = opened(path, read_only=True)
    assert len(wrote) > 3
    assert found.rebuilt is None
    owner.close()
    found.state.close()


def test_a_file_of_another_layout_is_rebuilt(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    filled(path)
    for change in ("ALTER TABLE commits ADD COLUMN more", "PRAGMA application_id=1"):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(change)
        assert rebuilt(path) == "is of another layout"
        assert rebuilt(path) is None


def test_a_file_whose_parts_do_not_fit_each_other_is_rebuilt(tmp_path: Path) -> None:
    for change in (
        "DELETE FROM commits WHERE ordinal = 2",
        "UPDATE progress SET next_ordinal = 2",
        "DELETE FROM progress",
    ):
        path = tmp_path / "s.sqlite"
        filled(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(change)
        assert rebuilt(path) is not None, change
        discard(path)


def test_damage_found_in_use_is_an_error_and_the_next_start_rebuilds_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    filled(path)
    whole = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'streams'").fetchone()
    whole[(root - 1) * 4096 : root * 4096] = b"\xa5" * 4096
    path.write_bytes(whole)
    again = opened(path)
    assert again.rebuilt is None
    with pytest.raises(LocalStateDamaged, match="The next start rebuilds it from the log"):
        again.state.head("s")
    again.state.close()
    assert rebuilt(path) == "was found damaged while it was in use"
    assert rebuilt(path) is None
    assert path.with_name("s.sqlite.aside").read_bytes() == whole, "what is damaged may show what happened"


def test_a_commit_that_does_not_fit_its_hash_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (data,) = connection.execute("SELECT data FROM commits WHERE ordinal = 0").fetchone()
        changed = data[:-1] + bytes([data[-1] ^ 1])
        connection.execute("UPDATE commits SET data = ? WHERE ordinal = 0", (changed,))
    again = opened(path)
    assert again.rebuilt is None
    with pytest.raises(LocalStateDamaged, match="commit 0 does not match its hash"):
        list(again.state.commits_of("s"))
    again.state.close()
    assert rebuilt(path) == "was found damaged while it was in use"


def test_a_commit_that_is_missing_in_the_middle_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM commits WHERE ordinal = 0")
    again = opened(path)
    assert again.rebuilt is None
    with pytest.raises(LocalStateDamaged, match="a row is missing"):
        list(again.state.commits_of("s"))
    again.state.close()
    assert rebuilt(path) == "was found damaged while it was in use"


def test_a_failed_transaction_leaves_nothing_behind_and_its_batch_can_be_admitted_again(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    state = opened(path).state
    chain = Chain("s")
    fill(state, [chain.next("A")])
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    state._connection.execute("PRAGMA busy_timeout=0")
    batch = record(chain.next("B", command="c"), offset=1)
    Admission(0, 1, state).take(batch)
    with pytest.raises(LocalStateUnavailable, match="locked"):
        state.flush(2)
    assert (state.next_ordinal, state.next_offset) == (1, 1)
    assert state.ordinal_of_command("s", "c") is None
    blocker.execute("COMMIT")
    blocker.close()
    assert [type(v) for v in Admission(0, 1, state).take(batch)] == [Admitted]
    state.flush(2)
    assert state.ordinal_of_command("s", "c") == 1


def test_a_second_reader_sees_flushed_rows_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    state = opened(path).state
    chain = Chain("s")
    (first,) = fill(state, [chain.next("A")])
    reader = open_local_state(path, 0, 1, read_only=True).state
    assert list(reader.commits_of("s")) == [first]
    assert reader.ordinal_of_commit(first.commit.commit_id) == 0
    with pytest.raises(LocalStateUnavailable, match="readonly"):
        fill(reader, [chain.next("B")])
    with pytest.raises(FileNotFoundError):
        open_local_state(tmp_path / "none.sqlite", 0, 1, read_only=True)
    assert not (tmp_path / "none.sqlite").exists()
    (tmp_path / "bad.sqlite").write_bytes(b"bad")
    with pytest.raises(LocalStateDamaged, match="is no SQLite file"):
        open_local_state(tmp_path / "bad.sqlite", 0, 1, read_only=True)
    assert (tmp_path / "bad.sqlite").read_bytes() == b"bad"


def test_waiting_batches_are_written_together_and_a_second_reader_sees_them_then(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    chain = Chain("s")
    with closing(open_local_state(path, 0, 1, grouped=4).state) as state:
        fill(state, [chain.next("A", command="c1")], [chain.next("B")])
        assert (state.next_offset, state.next_ordinal) == (2, 2)
        assert (state.stored_offset, state.stored_ordinal) == (0, 0)
        with closing(open_local_state(path, 0, 1, read_only=True).state) as reader:
            assert (reader.next_ordinal, list(reader.commits())) == (0, [])
            state.write()
            assert (state.stored_offset, state.stored_ordinal) == (2, 2)
            reader.refresh()
            assert [a.ordinal for a in reader.commits()] == [0, 1]
        fill(state, [chain.next("C"), chain.next("D"), chain.next("E"), chain.next("F")])
        assert state.stored_ordinal == 6, "as many as may wait have come"
        fill(state, [chain.next("G")])
        assert state.stored_ordinal == 6
        assert [a.ordinal for a in state.commits(6)] == [6], "whoever reads the tables has what waits written first"
        assert state.stored_ordinal == 7


def test_batches_waiting_when_the_process_ends_are_read_from_the_log_again(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    chain = Chain("s")
    with closing(open_local_state(path, 0, 1, grouped=100).state) as state:
        fill(state, [chain.next("A", command="c1")])
        state.set_due("s", [("unpaid-1", NOON)])
        state.mark_due(1)
        state.write()
        fill(state, [chain.next("B", command="c2")])
        state.mark_due(2)
    with closing(open_local_state(path, 0, 1, grouped=100).state) as state:
        assert (state.next_offset, state.next_ordinal, state.due_through) == (1, 1, 1)
        assert (state.ordinal_of_command("s", "c1"), state.ordinal_of_command("s", "c2")) == (0, None)
        assert state.due_before(NOON + 1, 10) == [Due(NOON, "s", "unpaid-1")]


def test_deadlines_of_commits_that_could_not_be_written_are_written_with_these_later(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    chain = Chain("s")
    first = chain.next("A")
    with closing(open_local_state(path, 0, 1, grouped=100).state) as state:
        fill(state, [first])
        state.set_due("s", [("unpaid-1", NOON)])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            state._connection.execute("PRAGMA busy_timeout=0")
            with pytest.raises(LocalStateUnavailable, match="locked"):
                state.write()
            other.execute("ROLLBACK")
        assert (state.next_offset, state.next_ordinal, state.head("s")) == (0, 0, None), "it is to be read again"
        state.write()
        fill(state, [first])
        assert state.due_before(NOON + 1, 10) == [Due(NOON, "s", "unpaid-1")]


def test_streams_no_longer_in_memory_are_read_from_the_file(tmp_path: Path) -> None:
    state = open_local_state(tmp_path / "s.sqlite", 0, 1, streams_in_memory=2).state
    chains = [Chain(f"s{n}") for n in range(10)]
    for turn in range(4):
        fill(state, [chain.next("A", command=f"c{turn}") for chain in chains])
    assert len(state._streams) <= 2
    for chain in chains:
        head = state.head(chain.stream)
        assert head is not None
        assert (head.hash, head.count) == (chain.parent, 4)
        assert state.ordinal_of_command(chain.stream, "c2") is not None


@pytest.mark.parametrize("reopen", [False, True])
def test_names_and_ids_are_found_before_and_after_they_are_swept_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reopen: bool
) -> None:
    for name, value in (("_BUCKETS", 8), ("_EVERY", 4), ("_SHIFT", 44), ("WINDOW", 32)):
        monkeypatch.setattr(f"infra.local_state.swept_index.{name}", value)
    monkeypatch.setattr(module, "WINDOW", 32)
    path = tmp_path / "s.sqlite"
    state = open_local_state(path, 0, 1, streams_in_memory=1).state
    made: list[tuple[str, bytes]] = []
    for turn in range(40):
        batch = [Chain(f"s{turn}-{n}") for n in range(turn % 7)]
        made += [(chain.stream, data[1:17]) for chain in batch for data in (chain.next("A"),)]
        fill(state, [Chain(chain.stream).next("A") for chain in batch] or [b"nothing"])
        if reopen:
            state.close()
            state = open_local_state(path, 0, 1, streams_in_memory=1).state
    assert [state.ordinal_of_commit(id) for _, id in made] == list(range(len(made)))
    assert all(state.head(name) is not None for name, _ in made)
    assert state.head("none") is None
    with closing(sqlite3.connect(path)) as connection:
        (swept,) = connection.execute("SELECT count(*) FROM ids").fetchone()
    assert 0 < swept < len(made)


def test_values_with_equal_compact_hashes_are_distinguished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "key_of_text", len)
    monkeypatch.setattr(module, "key_of_id", lambda id: 5)
    for reopen in (False, True):
        path = tmp_path / f"{reopen}.sqlite"
        state = opened(path, streams_in_memory=1).state
        chains = [Chain(f"s{n}") for n in range(5)]
        batches = [[chain.next("A", command=f"c{turn}") for chain in chains] for turn in range(9)]
        found = fill(state, *batches)
        if reopen:
            state.close()
            state = opened(path).state
        assert [state.ordinal_of_commit(a.commit.commit_id) for a in found] == list(range(45))
        assert state.ordinal_of_commit(bytes(16)) is None
        for at, chain in enumerate(chains):
            head = state.head(chain.stream)
            assert head is not None
            assert head.hash == chain.parent
            assert [state.ordinal_of_command(chain.stream, f"c{turn}") for turn in range(9)] == list(range(at, 45, 5))
            assert state.ordinal_of_command(chain.stream, "c9") is None
        assert state.head("s9") is None


@settings(max_examples=examples(30))
@given(st.lists(st.tuples(st.integers(0, 2**47 - 1) | st.integers(0, 3), st.booleans()), max_size=60))
def test_an_index_finds_every_number_however_its_buckets_are_swept(entries: list[tuple[int, bool]]) -> None:
    with closing(sqlite3.connect(":memory:", factory=Connection)) as connection, pytest.MonkeyPatch.context() as patch:
        connection.execute("CREATE TABLE t (key INTEGER, number INTEGER, PRIMARY KEY (key, number)) WITHOUT ROWID")
        for name, value in (("_BUCKETS", 4), ("_EVERY", 2), ("_SHIFT", 45)):
            patch.setattr(f"infra.local_state.swept_index.{name}", value)
        index = SweptIndex(connection, "t")
        swept = 0
        for number, (key, sweep) in enumerate(entries):
            index.add(key, number)
            if sweep:
                index.sweep(swept, number + 1)
                swept = number + 1
        for key, _ in entries:
            assert sorted(index.find(key)) == [n for n, (other, _) in enumerate(entries) if other == key]
        fresh = SweptIndex(connection, "t")
        fresh.load((key, n) for n, (key, _) in enumerate(entries) if n >= swept - 8)
        for key, _ in entries:
            assert sorted(fresh.find(key)) == [n for n, (other, _) in enumerate(entries) if other == key]
        fresh.clear()
        assert all(n < swept for key, _ in entries for n in fresh.find(key))


def test_the_window_of_an_index_is_the_number_of_entries_one_sweep_may_leave_in_memory() -> None:
    assert WINDOW == 256 * 128
