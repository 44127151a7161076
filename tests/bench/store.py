"""The store alone, nothing decided: what the engine cannot be quicker than (the floor under B1, B2 and B5).

``codec`` times one typical commit; ``appends`` drives the whole path through an embedded journal (propose, group
commit, flush to the disk, read back, admit, local state, settle); ``replay`` reads a log (record, hash, decode, admit)
and adds nothing to it; ``growth`` watches the cost of a commit in local state as history grows. Commits are of one
event with a body of 180 bytes, some 350 bytes in all. Computation is timed by the thread's CPU time, so that a
busy machine does not change it. ``python -m tests.bench.store`` prints everything.
"""

import json
import random
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any, Final

from consumers.log.admission import Admission, MemoryHeads
from consumers.log.follower import Follower
from consumers.log.writer import Settled, Writer
from consumers.ports.journal import JournalRecord
from consumers.ports.local_state import LocalState
from consumers.ports.log_values import Admitted, Rejected
from domain.instants import Instant
from infra.journals.sqlite import Synchronous, open_sqlite_journal
from infra.local_state import open_local_state
from schemas.commit import (
    COMMIT_VERSION,
    ZERO_HASH,
    ActorEntry,
    Commit,
    EventEntry,
    StreamEntry,
    commit_hash,
    commit_id,
    decode_commit,
    encode_commit,
)
from schemas.partitioning import partition_of
from schemas.record import encode_record

AT: Final[Instant] = 1_772_452_800_000_000
BODY: Final = random.Random(7).randbytes(180)
FINGERPRINT: Final = BODY[:32]


@dataclass(slots=True)
class CodecCost:
    """Microseconds for one commit of ``bytes`` bytes."""

    bytes: int
    encode_us: float
    decode_us: float
    hash_us: float


@dataclass(slots=True)
class AppendRate:
    """Commits acknowledged after read-back; latencies from proposing to settling."""

    in_flight: int
    partitions: int
    synchronous: str
    commits_per_second: float
    cpu_us_per_commit: float
    p50_ms: float
    p99_ms: float
    records: int


@dataclass(slots=True)
class ReplayRate:
    """One core: record and commit decoded, hashed, admitted on dictionaries."""

    commits: int
    commits_per_second: float


@dataclass(slots=True)
class Growth:
    """Local state at ``orders`` orders of three commits: thread CPU microseconds a commit, while new orders come and
    go, and for commits on old orders picked at random."""

    orders: int
    new_us: float
    old_us: float


class Orders:
    """Streams with their heads; makes their next commits."""

    def __init__(self) -> None:
        self.heads: dict[str, tuple[bytes, int]] = {}
        self.made = 0

    def next(self, stream: str) -> tuple[bytes, Commit]:
        """The next commit of a stream, and its bytes."""
        parent, count = self.heads.get(stream, (ZERO_HASH, 0))
        self.made += 1
        at = AT + self.made * 1000
        command = f"c-{count}"
        commit = Commit(
            COMMIT_VERSION,
            commit_id(stream, command, parent),
            command,
            FINGERPRINT,
            ActorEntry("buyer", "b-123"),
            None,
            None,
            at,
            "engine",
            (StreamEntry(stream, "chain", parent, count, (EventEntry(0, "CancelRequested", 1, at, BODY),)),),
        )
        data = encode_commit(commit)
        self.heads[stream] = (commit_hash(data), count + 1)
        return data, commit


def codec(times: int = 50_000) -> CodecCost:
    """The cost of writing, reading and hashing one typical commit. Instants differ from commit to commit."""
    orders = Orders()
    made = [orders.next(f"acme/PO-{n}") for n in range(times)]

    def each_us(work: Callable[[Any], object], of: Iterable[Any]) -> float:
        began = thread_time()
        for one in of:
            work(one)
        return (thread_time() - began) / times * 1e6

    all_bytes = [data for data, _ in made]
    return CodecCost(
        len(made[0][0]),
        each_us(encode_commit, [commit for _, commit in made]),
        each_us(decode_commit, all_bytes),
        each_us(commit_hash, all_bytes),
    )


class _Settling:
    """A listener that does nothing but settle."""

    writer: Writer

    def admitted(self, admitted: Admitted) -> None:
        self.writer.admitted(admitted)

    def rejected(self, rejected: Rejected) -> None:
        self.writer.rejected(rejected)


def appends(
    folder: Path,
    commits: int = 40_000,
    in_flight: int = 128,
    partitions: int = 1,
    synchronous: Synchronous = "FULL",
    commits_an_order: int = 5,
) -> AppendRate:
    """Orders of a few commits each, ``in_flight`` orders at a time, at most one commit of each on its way."""
    journal = open_sqlite_journal(folder / "journal.sqlite", partitions, synchronous=synchronous)
    states: list[LocalState] = [
        open_local_state(folder / f"{n}.sqlite", n, partitions).state for n in range(partitions)
    ]
    woken = threading.Event()
    ids = iter(range(sys.maxsize))
    settling = _Settling()
    settling.writer = writer = Writer(
        journal, "bench", lambda: next(ids).to_bytes(16, "big"), lambda n, at: states[n].commit_at(at), wake=woken.set
    )
    followers = [Follower(journal, n, state, settling, writer.known) for n, state in enumerate(states)]
    for follower in followers:
        follower.start()
    orders = Orders()
    numbers = iter(range(commits))
    ready = [f"acme/PO-{next(numbers):07d}" for _ in range(in_flight)]
    waits: list[float] = []

    def propose(stream: str) -> None:
        data, commit = orders.next(stream)
        began = perf_counter()

        def settled(outcome: Settled) -> None:
            waits.append(perf_counter() - began)
            if outcome.kind != "admitted":
                raise RuntimeError(f"a commit of the bench was {outcome.kind}: {outcome.reason}")
            if orders.heads[stream][1] < commits_an_order:
                ready.append(stream)
            else:
                del orders.heads[stream]
                ready.append(f"acme/PO-{next(numbers, commits):07d}")

        writer.propose(partition_of(stream, partitions), stream.encode(), data, settled, commit)

    began, cpu = perf_counter(), thread_time()
    while len(waits) < commits:
        while ready and orders.made < commits:
            propose(ready.pop())
        worked = writer.step(AT)
        read = sum(follower.advance() for follower in followers)
        if not worked and not read and woken.wait(1.0):
            woken.clear()
    seconds, cpu = perf_counter() - began, thread_time() - cpu
    records = sum(journal.end(n) for n in range(partitions))
    writer.close()
    journal.close()
    for state in states:
        state.close()
    waits.sort()
    return AppendRate(
        in_flight,
        partitions,
        synchronous,
        commits / seconds,
        cpu / commits * 1e6,
        waits[len(waits) // 2] * 1e3,
        waits[len(waits) * 99 // 100] * 1e3,
        records,
    )


def log_of(orders: int, commits_an_order: int = 5, commits_a_record: int = 64) -> Iterator[JournalRecord]:
    """A log of orders whose commits are interleaved twenty by twenty."""
    made = Orders()
    waiting: list[bytes] = []
    offset = 0
    for first in range(0, orders, 20):
        for _ in range(commits_an_order):
            for number in range(first, min(first + 20, orders)):
                waiting.append(made.next(f"acme/PO-{number:07d}")[0])
                if len(waiting) == commits_a_record:
                    yield JournalRecord(0, offset, AT, encode_record("bench", waiting))
                    waiting, offset = [], offset + 1
    if waiting:
        yield JournalRecord(0, offset, AT, encode_record("bench", waiting))


def replay(orders: int = 40_000) -> ReplayRate:
    """Admission alone over a log in memory."""
    log = list(log_of(orders))
    heads = MemoryHeads()
    fold = Admission(0, 1, heads)
    began = thread_time()
    for record in log:
        fold.take(record)
    seconds = thread_time() - began
    return ReplayRate(heads.next_ordinal, heads.next_ordinal / seconds)


def growth(folder: Path, steps: Sequence[int] = (10_000, 100_000, 1_000_000)) -> list[Growth]:
    """Three commits an order, 128 orders at a time; at each step also commits on 3,000 old orders picked at random.

    Heads are looked up by a second reader, so only the local state grows. CPU time of this thread, because a shared
    disk would measure its other users.
    """
    state = open_local_state(folder / "state.sqlite", 0, 1).state
    fold = Admission(0, 1, state)
    chance = random.Random(7)
    found: list[Growth] = []
    there = 0

    def put(made: list[bytes]) -> float:
        record = JournalRecord(0, state.next_offset, AT, encode_record("bench", made))
        began = thread_time()
        if not all(isinstance(verdict, Admitted) for verdict in fold.take(record)):
            raise RuntimeError("a commit of the bench was rejected")
        state.flush(record.offset + 1)
        return thread_time() - began

    for step in steps:
        spent = 0.0
        first = there
        while there < step:
            orders = Orders()
            new = [f"acme/PO-{number:07d}" for number in range(there, min(there + 128, step))]
            there += len(new)
            spent += sum(put([orders.next(stream)[0] for stream in new]) for _ in range(3))
        old_spent, old = 0.0, 0
        for _ in range(24):
            orders = Orders()
            some = [f"acme/PO-{number:07d}" for number in chance.sample(range(there), min(128, there))]
            second_reader = open_local_state(folder / "state.sqlite", 0, 1, read_only=True).state
            for stream in some:
                head = second_reader.head(stream)
                if head is None:
                    raise RuntimeError(f"{stream} is not there")
                orders.heads[stream] = (head.hash, head.count)
            second_reader.close()
            old += len(some)
            old_spent += put([orders.next(stream)[0] for stream in some])
        found.append(Growth(step, spent / (3 * (step - first)) * 1e6, old_spent / old * 1e6))
    state.close()
    return found


def main() -> None:
    """Everything, as JSON lines."""
    results: list[Any] = [codec(), replay()]
    for in_flight, commits in ((1, 2_000), (16, 20_000), (128, 60_000), (512, 60_000)):
        with tempfile.TemporaryDirectory() as folder:
            results.append(appends(Path(folder), commits, in_flight))
    with tempfile.TemporaryDirectory() as folder:
        results += growth(Path(folder))
    for result in results:
        print(json.dumps({"measure": type(result).__name__, **asdict(result)}))


if __name__ == "__main__":
    main()
