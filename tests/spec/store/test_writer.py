"""The writer: appends commits in groups, settles them by read-back alone, and fences unknown appends."""

from collections.abc import Callable, Iterator
from itertools import count
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.log.follower import Follower
from consumers.log.writer import FIRST_PAUSE, LONGEST_PAUSE, Settled, Writer, WriterLimits, fence
from consumers.ports.journal import RECORD_LIMIT
from consumers.ports.local_state import LocalState
from consumers.ports.log_values import Admitted
from infra.journals.memory import Fate, MemoryJournal, MemoryLog
from infra.local_state import memory_local_state
from schemas.commit import Commit, EventEntry, commit_hash, decode_commit, encode_commit
from schemas.partitioning import partition_of
from schemas.record import decode_record
from schemas.wire import Malformed
from tests.effort import examples
from tests.spec.store.making import NOON, Chain, commit, events, part, record

LATER = NOON + 10 * LONGEST_PAUSE


class Process:
    """A writer and the followers of its log, driven by hand."""

    def __init__(self, log: MemoryLog, name: str = "p", **bounds: int) -> None:
        self.journal: MemoryJournal = log.journal(name)
        self.states: list[LocalState] = [memory_local_state(n, len(log.records)) for n in range(len(log.records))]
        ids = count(1)
        self.writer = Writer(
            self.journal,
            name,
            lambda: b"%8.8s%08d" % (name.encode(), next(ids)),
            lambda partition, ordinal: self.states[partition].commit_at(ordinal),
            limits=WriterLimits(**bounds),
        )
        self.followers = [
            Follower(self.journal, n, state, self.writer, self.writer.known) for n, state in enumerate(self.states)
        ]
        self.settled: dict[bytes, list[Settled]] = {}

    def propose(self, data: bytes, partition: int = 0, key: bytes = b"key") -> bytes:
        self.writer.propose(partition, key, data, self.settled.setdefault(data, []).append)
        return data

    def step(self, now: int = NOON) -> bool:
        return self.writer.step(now)

    def read(self) -> None:
        for follower in self.followers:
            while follower.advance():
                pass

    def run(self, now: int = NOON) -> None:
        """Step and read until there is nothing left to do at this instant."""
        while self.step(now):
            self.read()
        self.read()

    def one(self, data: bytes) -> Settled:
        (settled,) = self.settled[data]
        return settled

    def kinds(self, *data: bytes) -> list[str]:
        return [self.one(each).kind for each in data]


def log_of(*fates: Fate, auto: bool = True, partitions: int = 1) -> MemoryLog:
    """Return a log whose appends have these fates in turn. The rest are ok."""
    rest: Iterator[Fate] = iter(fates)

    def plan(number: int, by: str, partition: int, record: bytes) -> Fate:
        return next(rest, "ok")

    return MemoryLog(partitions, count().__next__, auto=auto, plan=plan)


def history(process: Process) -> list[bytes]:
    return [admitted.data for admitted in process.states[0].commits()]


def test_an_admitted_commit_is_settled_with_its_position_only_after_it_was_read_back() -> None:
    process = Process(log_of())
    data = process.propose(Chain("s").next("A", command="c1"))
    assert process.writer.in_flight == 1
    process.step()
    process.step()
    assert process.settled[data] == []
    process.read()
    settled = process.one(data)
    assert settled.kind == "admitted"
    assert settled.admitted is not None
    assert (settled.admitted.offset, settled.admitted.ordinal, settled.admitted.data) == (0, 0, data)
    assert process.writer.in_flight == 0
    assert process.step() is False


def test_an_own_commit_is_not_decoded_again_when_it_is_read_back() -> None:
    process = Process(log_of())
    made = commit(part("s", entries=events("A")))
    data = encode_commit(made)
    settled: list[Settled] = []
    process.writer.propose(0, b"", data, settled.append, made)
    assert process.writer.known(data) is made
    process.run()
    assert settled[0].admitted is not None
    assert settled[0].admitted.commit is made
    assert process.writer.known(data) is None


def test_commits_that_wait_together_travel_in_one_record_with_the_first_ones_key() -> None:
    log = log_of(auto=False, partitions=2)
    process = Process(log, records_in_flight=1)
    append = Mock(side_effect=process.journal.append)
    process.journal.append = append  # type: ignore[method-assign]
    for n in range(5):
        process.propose(Chain(f"$s{n}").next("A"), n % 2, b"key-%d" % n)
    process.step()
    assert [len(decode_record(flight.record).commits) for flight in log.flights] == [3, 2]
    assert [call.args[1] for call in append.call_args_list] == [b"key-0", b"key-1"]


def test_no_more_records_are_on_their_way_than_allowed_and_the_rest_waits_together() -> None:
    log = log_of(auto=False)
    process = Process(log, records_in_flight=2)
    for n in range(7):
        process.propose(Chain(f"s{n}").next("A"))
        process.step()
    assert [len(decode_record(flight.record).commits) for flight in log.flights] == [1, 1]
    log.step(log.flights[0])
    assert process.step() is False  # applied, but not answered yet
    log.step(log.flights[0])
    assert process.step() is True
    assert [len(decode_record(flight.record).commits) for flight in log.flights] == [1, 5]


def test_records_are_bounded_by_commits_and_by_bytes_but_any_commit_travels() -> None:
    log = log_of(auto=False)
    process = Process(log, records_in_flight=99, record_commits=3, record_bytes=2000)
    big = encode_commit(commit(part("big", entries=(EventEntry(0, "A", 1, NOON, bytes(5000)),))))
    for data in [Chain(f"s{n}").next("A") for n in range(7)] + [big, Chain("t").next("A")]:
        process.propose(data)
    process.step()
    assert [len(decode_record(flight.record).commits) for flight in log.flights] == [3, 3, 1, 1, 1]
    assert all(len(flight.record) <= 2000 for flight in log.flights[:3])


def test_an_invalid_or_oversized_commit_is_not_sent() -> None:
    process = Process(log_of())
    for data in (b"rubbish", b""):
        with pytest.raises(Malformed):
            process.propose(data)
    process.journal.record_limit = 400
    small = Process(log_of())
    small.journal.record_limit = 400
    small.writer = Writer(small.journal, "p", lambda: bytes(16), lambda p, o: None)
    with pytest.raises(Malformed, match="do not go into a record of 400"):
        small.propose(encode_commit(commit(part("s", entries=(EventEntry(0, "A", 1, NOON, bytes(300)),)))))
    assert small.writer.in_flight == 0
    assert RECORD_LIMIT == 1_040_000


def test_the_same_bytes_are_on_their_way_to_a_partition_only_once() -> None:
    process = Process(log_of(partitions=2))
    data = Chain("$import/acme").next("ImportOpened")
    process.propose(data, 0)
    with pytest.raises(ValueError, match="is proposed already"):
        process.propose(data, 0)
    process.propose(data, 1)
    process.run()
    assert [settled.kind for settled in process.settled[data]] == ["admitted", "admitted"]
    assert {s.admitted.partition for s in process.settled[data] if s.admitted} == {0, 1}


def test_there_is_room_until_as_many_are_in_flight_as_allowed() -> None:
    process = Process(log_of(), commits_in_flight=2)
    assert process.writer.has_room
    process.propose(Chain("s").next("A"))
    process.propose(Chain("t").next("A"))
    assert not process.writer.has_room
    process.run()
    assert process.writer.has_room


def test_a_lost_race_is_answered_superseded_and_a_repeat_gets_the_first_answer() -> None:
    log = log_of()
    one, two = Process(log, "one"), Process(log, "two")
    start = Chain("s")
    first = start.next("A", command="c1")
    one.propose(first)
    one.run()
    again = encode_commit(commit(part("s", start.parent, 1, events("B")), command="c1"))
    winner = encode_commit(commit(part("s", start.parent, 1, events("B")), command="c2"))
    loser = encode_commit(commit(part("s", start.parent, 1, events("C")), command="c3"))
    one.propose(winner)
    one.run()
    two.propose(loser)
    two.propose(again)
    two.run()
    assert two.kinds(loser, again) == ["superseded", "duplicate"]
    first_of = two.one(again).admitted
    assert first_of is not None
    assert first_of.data == first
    assert two.one(loser).admitted is None


def test_a_commit_that_admission_finds_malformed_is_answered_malformed() -> None:
    process = Process(log_of(partitions=2))
    stray = next(f"s{n}" for n in range(9) if partition_of(f"s{n}", 2) == 1)
    data = process.propose(Chain(stray).next("A"), 0)
    process.run()
    assert process.one(data).kind == "malformed"
    assert "another partition" in process.one(data).reason


@pytest.mark.parametrize(("fate", "retriable"), [("refused", True), ("refused-for-good", False)])
def test_a_refused_append_is_answered_at_once_and_not_sent_again(fate: Fate, retriable: bool) -> None:
    process = Process(log_of(fate))
    data = process.propose(Chain("s").next("A"))
    process.run()
    assert process.one(data).kind == "refused"
    assert process.one(data).retriable is retriable
    assert history(process) == []
    process.propose(data)
    process.run()
    assert [settled.kind for settled in process.settled[data]] == ["refused", "admitted"]


# ---- unknown appends -------------------------------------------------------------------------------------------------


def test_an_answer_that_was_lost_does_not_matter_once_the_commit_is_read_back() -> None:
    process = Process(log_of("answer-lost"))
    data = process.propose(Chain("s").next("A"))
    process.step()
    process.read()
    assert process.one(data).kind == "admitted"
    process.run(LATER)
    assert history(process) == [data]


def test_a_lost_append_is_settled_by_a_fence_at_once() -> None:
    process = Process(log_of("ok", "lost"))
    chain = Chain("s")
    process.propose(chain.next("A"))
    process.run()
    log_before = history(process)
    data = process.propose(chain.next("B", command="c1"))
    process.run()
    assert process.one(data).kind == "superseded"
    (only,) = [decode_commit(each) for each in history(process)[len(log_before) :]]
    assert (only.command_id, only.streams[0].events) == (None, ())
    assert only.recorded_at == NOON


def test_a_fence_and_the_commit_that_it_fences_are_never_both_admitted() -> None:
    log = log_of("delayed", auto=False)
    process = Process(log)
    data = process.propose(Chain("s").next("A", command="c1"))
    process.step()
    (late,) = log.flights
    log.step(late)  # answered unknown
    process.step()
    fence_flight = log.flights[1]
    for flight in (fence_flight, fence_flight, late):
        log.step(flight)
    process.run()
    assert process.one(data).kind == "superseded"
    assert data not in history(process)
    assert process.states[0].rejections() == {"duplicate": 0, "superseded": 1, "malformed": 0}


def test_a_commit_that_arrives_before_its_fence_is_admitted_and_the_fence_is_harmless() -> None:
    log = log_of("delayed", auto=False)
    process = Process(log)
    data = process.propose(Chain("s").next("A", command="c1"))
    process.step()
    (late,) = log.flights
    log.step(late)
    process.step()
    log.step(late)
    log.settle()
    process.run()
    assert process.one(data).kind == "admitted"
    assert history(process) == [data]


def test_a_fence_that_does_not_get_through_is_tried_again_after_growing_pauses() -> None:
    log = log_of("lost", "refused", "lost", "refused", "refused")
    process = Process(log)
    data = process.propose(Chain("s").next("A"))
    process.run(NOON)
    assert log._sent == 2
    assert process.writer.next_fence_at == NOON + FIRST_PAUSE
    now, pause = NOON, FIRST_PAUSE
    for sent in (3, 4, 5):
        process.run(now + pause - 1)
        assert log._sent == sent - 1
        now += pause
        pause = min(2 * pause, LONGEST_PAUSE)
        process.run(now)
        assert log._sent == sent
    assert process.settled[data] == []
    process.run(LATER)
    assert process.one(data).kind == "superseded"
    assert process.writer.next_fence_at is None


def test_a_fence_that_was_lost_leaves_its_commit_open_until_another_one_is_read() -> None:
    process = Process(log_of("answer-lost", "lost"))
    data = process.propose(Chain("s").next("A"))
    process.step()
    process.step()
    process.read()
    assert process.one(data).kind == "admitted"
    process.run(LATER)
    assert history(process) == [data]


def test_only_unknown_appends_are_fenced_and_each_by_its_own_fence() -> None:
    process = Process(log_of("lost"))
    chains = [Chain(f"s{n}") for n in range(3)]
    lost = [process.propose(chain.next("A")) for chain in chains]
    process.step()
    fine = process.propose(Chain("t").next("A"))
    process.run()
    assert process.kinds(*lost) == ["superseded"] * 3
    assert process.kinds(fine) == ["admitted"]
    assert len(history(process)) == 4


def test_a_commit_without_a_chain_stream_is_sent_again_and_admitted_once() -> None:
    snapshot = encode_commit(commit(part("snap", first=3, entries=events("S"), kind="unique")))
    mark = encode_commit(commit(part("tracking", first=3, kind="watermark")))
    fates: list[tuple[Fate, int]] = [("lost", 1), ("answer-lost", 1), ("delayed", 2)]
    for fate, copies in fates:
        log = log_of(fate)
        process = Process(log)
        for data in (snapshot, mark):
            process.propose(data)
        process.step()
        process.step(LATER)
        process.run(LATER)
        assert process.kinds(snapshot, mark) == ["admitted", "admitted"]
        log.settle()
        process.run(LATER)
        assert history(process) == [snapshot, mark]
        assert len(log.records[0]) >= copies


def test_a_closed_writer_answers_unknown_for_open_appends_and_takes_no_more() -> None:
    process = Process(log_of("lost"))
    sent, waiting = process.propose(Chain("s").next("A")), Chain("t").next("A")
    process.step()
    process.step()
    process.propose(waiting)
    process.writer.close()
    assert process.kinds(sent, waiting) == ["unknown", "unknown"]
    assert process.writer.in_flight == 0
    assert process.step(LATER) is False
    with pytest.raises(ValueError, match="the writer is closed"):
        process.propose(Chain("u").next("A"))


def test_a_settled_call_may_propose_the_next_commit() -> None:
    process = Process(log_of())
    chain = Chain("s")
    then = [chain.next("A"), chain.next("B"), chain.next("C")]
    kinds: list[str] = []

    def go(settled: Settled) -> None:
        kinds.append(settled.kind)
        if then:
            process.writer.propose(0, b"", then.pop(0), go)

    process.writer.propose(0, b"", then.pop(0), go)
    process.run()
    assert kinds == ["admitted"] * 3


def test_the_writers_caller_is_woken_when_an_append_is_answered() -> None:
    log = log_of(auto=False)
    woken: list[bool] = []
    writer = Writer(log.journal(), "p", lambda: bytes(16), lambda p, o: None, wake=lambda: woken.append(True))
    writer.propose(0, b"", Chain("s").next("A"), lambda settled: None)
    writer.step(NOON)
    log.step(log.flights[0])
    assert woken == []
    log.step(log.flights[0])
    assert woken == [True]


def test_a_fence_is_an_empty_commit_on_the_same_parent() -> None:
    of = commit(part("s", bytes([7]) * 32, 5, events("A")), command="c1", at=NOON + 9)
    made = fence(of, of.streams[0], bytes([1]) * 16, "w")
    assert made == Commit(
        1, bytes([1]) * 16, None, None, None, None, None, NOON + 9, "w", (part("s", bytes([7]) * 32, 5),)
    )


# ---- whatever happens ------------------------------------------------------------------------------------------------

FATES: list[Fate] = ["ok", "lost", "answer-lost", "duplicated", "delayed", "refused"]


@settings(max_examples=examples(150))
@given(st.lists(st.sampled_from(FATES), max_size=25), st.data())
def test_each_commit_is_settled_once_as_in_the_log_whatever_happens(fates: list[Fate], data: st.DataObject) -> None:
    """Two processes on three streams; appends with any fate, applied, answered and read in any order."""
    log = log_of(*fates, auto=False)
    processes = [Process(log, name) for name in ("one", "two")]
    streams = ["s", "t", "u"]
    proposed: list[tuple[Process, bytes]] = []
    now = NOON

    def propose(process: Process) -> None:
        name = data.draw(st.sampled_from(streams))
        head = process.states[0].head(name)
        parts = part(name) if head is None else part(name, head.hash, head.count)
        parts.events = events("A")
        made = encode_commit(commit(parts, command=f"{process.writer._name}-{len(proposed)}"))
        proposed.append((process, process.propose(made)))

    def some_flight() -> None:
        if log.flights:
            log.step(data.draw(st.sampled_from(log.flights)))

    actions: list[Callable[[], object]] = [some_flight]
    for process in processes:
        actions += [
            lambda p=process: propose(p),  # type: ignore[misc]
            lambda p=process: p.step(now),  # type: ignore[misc]
            lambda p=process: p.followers[0].advance(1),  # type: ignore[misc]
        ]
    for _ in range(data.draw(st.integers(1, 60))):
        data.draw(st.sampled_from(actions))()
        now += FIRST_PAUSE // 3
    for _ in range(200):  # the trouble is over: everything settles
        log.plan = None
        log.settle()
        now += LONGEST_PAUSE
        if sum(process.step(now) for process in processes) == 0 and not log.flights:
            break
        for process in processes:
            process.read()
    for process in processes:
        process.read()
    assert history(processes[0]) == history(processes[1])
    admitted = {data: n for n, data in enumerate(history(processes[0]))}
    for process, made in proposed:
        settled = process.one(made)
        assert settled.kind in ("admitted", "superseded", "refused")
        assert (settled.kind == "admitted") == (made in admitted)
        if settled.kind == "admitted":
            assert isinstance(settled.admitted, Admitted)
            assert settled.admitted.ordinal == admitted[made]
            assert settled.admitted.hash == commit_hash(made)
    assert all(process.writer.in_flight == 0 and not process.writer._open for process in processes)


def test_a_record_of_another_process_settles_nothing_of_ours() -> None:
    log = log_of()
    process = Process(log)
    ours = process.propose(Chain("s").next("A"))
    log.journal("other").append(0, b"", record(Chain("t").next("A")).value)
    process.read()
    assert process.settled[ours] == []
