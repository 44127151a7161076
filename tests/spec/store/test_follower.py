"""The follower: log order, one transaction a batch, then the listener; and what stops a partition."""

import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from consumers.log.divergence import Mark
from consumers.log.follower import Follower, FormatTooNew
from consumers.ports.journal import JournalMismatch, JournalRecord, LogChanged, LogCut, LogLost
from consumers.ports.local_state import LocalState, LocalStateUnavailable
from consumers.ports.log_values import Admitted, Rejected
from infra.journals.memory import MemoryLog
from infra.journals.sqlite import open_sqlite_journal
from infra.local_state import memory_local_state, open_local_state
from schemas.commit import Commit
from tests.spec.store.making import Chain, commit, events, part, record


class Listening:
    """Records its notifications, and how far local state was then."""

    def __init__(self) -> None:
        self.notified: list[tuple[str, int, int, int]] = []
        self.state: LocalState | None = None

    def admitted(self, admitted: Admitted) -> None:
        assert self.state is not None
        self.notified.append(("admitted", admitted.offset, admitted.index, self.state.next_offset))

    def rejected(self, rejected: Rejected) -> None:
        assert self.state is not None
        self.notified.append((rejected.kind, rejected.offset, rejected.index, self.state.next_offset))


def followed(log: MemoryLog, state: LocalState | None = None) -> tuple[Follower, Listening]:
    listening = Listening()
    listening.state = state or memory_local_state(0, len(log.records))
    return Follower(log.journal(), 0, listening.state, listening), listening


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(1, count().__next__, identity="the log")


def write(log: MemoryLog, *commits: bytes | Commit) -> None:
    log.journal().append(0, b"", record(*commits).value).result(0)


def test_listeners_get_commits_in_log_order_after_local_state_has_the_whole_batch(log: MemoryLog) -> None:
    chain = Chain("s")
    first = chain.next("A", command="c1")
    write(log, first, first)
    write(log, b"rubbish", chain.next("B"))
    follower, listening = followed(log)
    follower.start()
    assert follower.behind == 2
    assert follower.advance() == 2
    assert listening.notified == [
        ("admitted", 0, 0, 2),
        ("duplicate", 0, 1, 2),
        ("malformed", 1, 0, 2),
        ("admitted", 1, 1, 2),
    ]
    assert follower.advance() == 0
    assert (follower.next_offset, follower.next_ordinal, follower.next_position, follower.behind) == (2, 2, 2, 0)
    assert follower.state.identity == "the log"
    assert follower.state.rejections() == {"duplicate": 1, "superseded": 0, "malformed": 1}


def test_a_batch_has_at_most_so_many_records(log: MemoryLog) -> None:
    chain = Chain("s")
    for _ in range(5):
        write(log, chain.next("A"))
    follower, _ = followed(log)
    assert [follower.advance(2) for _ in range(4)] == [2, 2, 1, 0]


def test_the_follower_answers_for_its_local_state(log: MemoryLog) -> None:
    chain = Chain("s")
    write(log, chain.next("A", command="c1"), chain.next("B"))
    follower, _ = followed(log)
    follower.advance()
    head = follower.head("s")
    assert head is not None
    assert head.count == 2
    assert [a.ordinal for a in follower.commits_of("s", first=1)] == [1]
    assert follower.ordinal_of_command("s", "c1") == 0
    at = follower.commit_at(1)
    assert at is not None
    assert at.hash == head.hash


def test_an_error_of_local_state_loses_nothing_and_the_next_advance_repeats_it(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, Chain("s").next("A"))
    state = memory_local_state(0, 1)
    follower, listening = followed(log, state)
    with monkeypatch.context() as patch:

        def full(next_offset: int, next_index: int = 0) -> None:
            raise OSError("disk full")

        patch.setattr(state, "flush", full)
        with pytest.raises(OSError, match="disk full"):
            follower.advance()
    assert (listening.notified, follower.next_ordinal, follower.stopped) == ([], 0, None)
    assert follower.advance() == 1
    assert listening.notified == [("admitted", 0, 0, 1)]


def test_commits_that_could_not_be_stored_are_read_again_and_not_notified_again(log: MemoryLog, tmp_path: Path) -> None:
    chain = Chain("s")
    path = tmp_path / "s.sqlite"
    with closing(open_local_state(path, 0, 1, grouped=100).state) as state:
        follower, listening = followed(log, state)
        write(log, chain.next("A"))
        assert follower.advance() == 1
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            state._connection.execute("PRAGMA busy_timeout=0")
            with pytest.raises(LocalStateUnavailable, match="locked"):
                state.write()
            other.execute("ROLLBACK")
        write(log, chain.next("B"))
        assert follower.advance() == 2, "the one that was lost, and the new one"
        assert listening.notified == [("admitted", 0, 0, 1), ("admitted", 1, 0, 2)]
        state.write()
        assert state.stored_ordinal == 2


def test_without_a_listener_local_state_is_still_updated(log: MemoryLog) -> None:
    write(log, Chain("s").next("A"))
    follower = Follower(log.journal(), 0, memory_local_state(0, 1))
    assert follower.advance() == 1
    assert follower.next_ordinal == 1


# ---- what stops a partition ------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def read_to_the_end(request: pytest.FixtureRequest, log: MemoryLog, tmp_path: Path) -> LocalState:
    """Return the local state of a log of two records with a rejected commit at the end."""
    chain = Chain("s")
    write(log, chain.next("A"))
    write(log, chain.next("B"), b"rubbish")
    if request.param == "memory":
        state = memory_local_state(0, 1)
    else:
        state = open_local_state(tmp_path / "s.sqlite", 0, 1).state
    follower, _ = followed(log, state)
    follower.start()
    follower.advance()
    return state


def test_local_state_that_fits_the_log_goes_on(log: MemoryLog, read_to_the_end: LocalState) -> None:
    write(log, Chain("t").next("A"))
    follower, listening = followed(log, read_to_the_end)
    follower.start()
    assert follower.advance() == 1
    assert listening.notified == [("admitted", 2, 0, 3)]


def test_a_log_that_ends_before_the_position_read_is_lost(log: MemoryLog, read_to_the_end: LocalState) -> None:
    log.truncate(0, 1)
    follower, _ = followed(log, read_to_the_end)
    with pytest.raises(LogLost, match="ends at offset 1, local state has read up to 2") as stop:
        follower.start()
    assert follower.stopped is stop.value
    with pytest.raises(LogLost):
        follower.advance()


def test_a_log_of_another_identity_is_another_log_whatever_it_holds(
    log: MemoryLog, read_to_the_end: LocalState
) -> None:
    log.identity = "another"
    follower, _ = followed(log, read_to_the_end)
    with pytest.raises(LogChanged, match="journal another, local state is of journal the log"):
        follower.start()
    assert follower.stopped is not None


@pytest.mark.parametrize("other", ["another commit", "no record", "no commit"])
def test_another_commit_where_the_last_one_was_is_a_changed_log(
    log: MemoryLog, read_to_the_end: LocalState, other: str
) -> None:
    value = {
        "another commit": record(Chain("t").next("A")).value,
        "no record": b"rubbish",
        "no commit": b"",
    }[other]
    log.records[0][1] = JournalRecord(0, 1, 0, value)
    follower, _ = followed(log, read_to_the_end)
    with pytest.raises(LogChanged, match="is not the one that was acknowledged"):
        follower.start()


def test_a_log_with_another_number_of_partitions_does_not_start(read_to_the_end: LocalState) -> None:
    follower, _ = followed(MemoryLog(2, count().__next__, identity="the log"), read_to_the_end)
    with pytest.raises(JournalMismatch, match="of partition 0 of 1, the journal's is 0 of 2"):
        follower.start()


def test_a_log_that_shrinks_while_it_is_followed_stops_the_partition(log: MemoryLog) -> None:
    chain = Chain("s")
    write(log, chain.next("A"), chain.next("B"))
    follower, _ = followed(log)
    follower.advance()
    log.truncate(0, 0)
    for _ in range(2):
        with pytest.raises(LogLost):
            follower.advance()
    assert isinstance(follower.stopped, LogLost)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_newer_format_stops_the_partition_where_it_begins_and_a_restart_stops_there_again(
    log: MemoryLog, tmp_path: Path, at: int
) -> None:
    chain = Chain("s")
    raised = commit(part("$format/7", entries=events("FormatRaised")))
    before = [chain.next("A") for _ in range(at)]
    write(log, Chain("t").next("A"))
    write(log, *before, raised, b"\x0e of the seventh kind")
    for turn in range(2):
        state = open_local_state(tmp_path / "s.sqlite", 0, 1).state
        follower, listening = followed(log, state)
        follower.start()
        for _ in range(2):
            with pytest.raises(FormatTooNew, match="install a release that reads format 7") as stop:
                follower.advance()
        assert (stop.value.stop.offset, stop.value.stop.index) == (1, at)
        assert len(listening.notified) == (1 + at if turn == 0 else 0)
        assert (state.next_offset, state.next_index, state.next_ordinal) == (1, at, 1 + at)
        state.close()


def test_a_release_that_reads_the_newer_format_goes_on_in_the_middle_of_the_record(
    log: MemoryLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = Chain("s")
    raised = commit(part("$format/2", entries=events("FormatRaised")))
    write(log, chain.next("A"), raised, chain.next("B"))
    state = open_local_state(tmp_path / "s.sqlite", 0, 1).state
    with pytest.raises(FormatTooNew):
        followed(log, state)[0].advance()
    state.close()
    monkeypatch.setattr("consumers.log.admission.COMMIT_VERSION", 2)
    state = open_local_state(tmp_path / "s.sqlite", 0, 1).state
    follower, listening = followed(log, state)
    follower.start()
    assert follower.advance() == 1
    assert [entry[:3] for entry in listening.notified] == [("admitted", 0, 1), ("admitted", 0, 2)]
    assert state.format == 2
    state.close()
    assert open_local_state(tmp_path / "s.sqlite", 0, 1).state.format == 2


def test_local_state_of_a_recreated_embedded_journal_stops(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    state = open_local_state(tmp_path / "s.sqlite", 0, 1).state
    journal = open_sqlite_journal(path, 1)
    journal.append(0, b"", record(Chain("s").next("A")).value).result(30)
    follower = Follower(journal, 0, state)
    follower.start()
    assert follower.advance() == 1
    journal.close()
    for name in ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    recreated = open_sqlite_journal(path, 1)
    with pytest.raises(LogChanged, match="the log was replaced by another one"):
        Follower(recreated, 0, state).start()
    recreated.close()
    state.close()


# ---- how far others have followed the log ----------------------------------------------------------------------------


def hashes(state: LocalState) -> list[bytes]:
    return [admitted.hash for admitted in state.commits()]


def test_a_log_with_the_commits_that_others_have_continues(log: MemoryLog) -> None:
    chain = Chain("s")
    write(log, chain.next("A"), chain.next("B"))
    write(log, chain.next("C"))
    reference, _ = followed(log)
    reference.advance()
    follower, listening = followed(log)
    follower.start([Mark("x", 2, hashes(reference.state)[1]), Mark("y", 3), Mark("z", offset=2)])
    assert follower.expecting, "ordinals are not known before the log is followed"
    assert follower.advance(1) == 1
    assert follower.expecting
    assert follower.advance() == 1
    assert not follower.expecting
    assert len(listening.notified) == 3


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (Mark("the list", 5), "the list has 5 commits, the log has 2: 3 that were acknowledged are missing"),
        (Mark("the list", 3), "the list has 3 commits, the log has 2: 1 that was acknowledged is missing"),
        (Mark("the list", offset=9), "the list has read the log up to offset 9, the log ends at 1"),
        (Mark("the list", 2, b"x" * 32), "commit 1 of the log is not the one that the list has"),
    ],
)
@pytest.mark.parametrize("with_state", [False, True])
def test_a_log_without_the_commits_that_others_have_stops_and_notifies_nobody(
    log: MemoryLog, mark: Mark, message: str, with_state: bool
) -> None:
    chain = Chain("s")
    write(log, chain.next("A"), chain.next("B"))
    state = memory_local_state(0, 1)
    if with_state:
        followed(log, state)[0].advance()
    follower, listening = followed(log, state)

    def go() -> None:
        follower.start([mark])
        follower.advance()

    with pytest.raises((LogLost, LogChanged), match=message):
        go()
    assert follower.stopped is not None
    assert listening.notified == []
    with pytest.raises((LogLost, LogChanged), match=message):
        follower.advance()


def test_a_mark_that_comes_later_is_looked_at_too(log: MemoryLog) -> None:
    write(log, Chain("s").next("A"))
    follower, _ = followed(log)
    follower.start()
    assert follower.advance() == 1
    follower.expect([Mark("the list", 7)])
    with pytest.raises(LogLost, match="the list has 7 commits"):
        follower.advance()


def test_where_only_engines_append_a_commit_behind_one_that_is_not_there_stops(log: MemoryLog) -> None:
    chain, lost = Chain("s"), Chain("s")
    write(log, chain.next("A"))
    lost.next("X")
    write(log, lost.next("Y", command="late"))
    state = memory_local_state(0, 1)
    assert Follower(log.journal(), 0, memory_local_state(0, 1)).advance() == 2, "a stranger may append what they like"
    alone = Follower(log.journal(), 0, state, alone=True)
    with pytest.raises(LogChanged, match="was written behind a commit of s that the log does not have"):
        alone.advance()


def test_a_lost_race_is_no_sign_of_a_changed_log_where_only_engines_append(log: MemoryLog) -> None:
    chain, other = Chain("s"), Chain("s")
    write(log, chain.next("A"))
    other.next("A")
    write(log, chain.next("B"), other.next("C", command="late"))
    alone = Follower(log.journal(), 0, memory_local_state(0, 1), alone=True)
    assert alone.advance() == 2
    assert alone.state.rejections()["superseded"] == 1


def test_a_log_whose_front_was_cut_stops_the_partition_while_it_is_followed_and_at_the_next_start(
    log: MemoryLog,
) -> None:
    chain = Chain("s")
    for name in "ABC":
        write(log, chain.next(name))
    follower, listening = followed(log)
    follower.start()
    assert follower.advance() == 3
    log.cut_front(0, 2)
    for _ in range(2):
        with pytest.raises(LogCut, match="partition 0: the log begins at offset 2") as cut:
            follower.advance()
    assert follower.stopped is cut.value

    again = Follower(log.journal(), 0, follower.state)
    with pytest.raises(LogCut, match="keep local state"):
        again.start()
    assert [each.ordinal for each in again.commits_of("s")] == [0, 1, 2], "what it has can still be read"

    reader = Follower(log.journal(), 0, follower.state, appends=False)
    reader.start()
    assert reader.advance() == 0, "who only reads goes on"

    log.cut_front(0, 3)
    for state in (follower.state, memory_local_state(0, 1)):
        with pytest.raises(LogCut):
            Follower(log.journal(), 0, state).start()
    with pytest.raises(LogCut):
        Follower(log.journal(), 0, memory_local_state(0, 1), appends=False).start()
    log.cut_front(0, 0)
    restored = Follower(log.journal(), 0, follower.state)
    restored.start()
    assert restored.advance() == 0
    assert len(listening.notified) == 3


def test_a_log_that_is_both_cut_and_another_is_reported_as_another(log: MemoryLog) -> None:
    write(log, Chain("s").next("A"))
    write(log, Chain("t").next("A"))
    follower, _ = followed(log)
    follower.start()
    follower.advance()
    log.cut_front(0, 1)
    log.records[0][1] = log.records[0][1]._replace(value=record(Chain("u").next("A")).value)
    with pytest.raises(LogChanged):
        Follower(log.journal(), 0, follower.state).start()
