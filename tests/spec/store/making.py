"""Commits, records and logs for tests of the store: small valid ones, and random ones."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from consumers.log.admission import Admission, MemoryHeads
from consumers.ports.journal import JournalRecord
from consumers.ports.log_values import AdmissionResult, Heads
from domain.instants import EARLIEST, LATEST
from schemas.commit import (
    COMMIT_VERSION,
    ZERO_HASH,
    ActorEntry,
    Commit,
    EventEntry,
    StreamEntry,
    StreamKind,
    commit_hash,
    commit_id,
    encode_commit,
)
from schemas.record import encode_record

NOON = 1_772_452_800_000_000
"""2026-03-02T12:00:00Z."""


def events(*names: str, first: int = 0) -> tuple[EventEntry, ...]:
    """Return events of these names, numbered from ``first``. Each body contains its name."""
    return tuple(EventEntry(first + n, name, 1, NOON, name.encode()) for n, name in enumerate(names))


def part(
    stream: str,
    parent: bytes = ZERO_HASH,
    first: int = 0,
    entries: tuple[EventEntry, ...] = (),
    kind: StreamKind = "chain",
) -> StreamEntry:
    return StreamEntry(stream, kind, parent, first, entries)


def commit(*parts: StreamEntry, command: str | None = None, id: bytes | None = None, at: int = NOON) -> Commit:
    """Return a commit of these parts. Unless given, its id follows from the first one's name, parent and command."""
    if id is None:
        id = commit_id(parts[0].stream, command or "none", parts[0].parent)
    fingerprint = None if command is None else commit_hash(command.encode())
    return Commit(COMMIT_VERSION, id, command, fingerprint, None, None, None, at, "test", parts)


def record(*commits: Commit | bytes, offset: int = 0, partition: int = 0) -> JournalRecord:
    """Return a record as a log returns it."""
    value = encode_record("test", [each if isinstance(each, bytes) else encode_commit(each) for each in commits])
    return JournalRecord(partition, offset, NOON + offset, value)


class Chain:
    """A stream that is written commit by commit. Each call returns the next commit's bytes."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.parent = ZERO_HASH
        self.count = 0

    def next(self, *names: str, command: str | None = None, others: Sequence[StreamEntry] = ()) -> bytes:
        made = encode_commit(
            commit(part(self.stream, self.parent, self.count, events(*names)), *others, command=command)
        )
        self.parent = commit_hash(made)
        self.count += len(names)
        return made


def judge(
    records: Sequence[JournalRecord], partition: int = 0, partitions: int = 1, heads: Heads | None = None
) -> list[AdmissionResult]:
    """Return admission's results for these records."""
    fold = Admission(partition, partitions, heads if heads is not None else MemoryHeads())
    return [verdict for each in records for verdict in fold.take(each)]


def kinds(verdicts: Sequence[AdmissionResult]) -> list[str]:
    """Return the kinds of these results, in order."""
    return [getattr(verdict, "kind", type(verdict).__name__.lower()) for verdict in verdicts]


# ---- random ones -----------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
instants = st.integers(EARLIEST, LATEST) | st.integers(NOON, NOON + 10**9)
hashes = st.binary(min_size=32, max_size=32)


@st.composite
def valid_commits(draw: st.DrawFn) -> Commit:
    """Draw any commit that the format allows."""
    streams = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    shapes: list[Any] = [
        (stream, draw(st.sampled_from(("chain", "unique", "watermark"))), draw(st.integers(0, 3))) for stream in streams
    ]
    counts = [0 if kind == "watermark" else max(n, 1) if kind == "unique" else n for _, kind, n in shapes]
    owners = draw(st.permutations([at for at, count in enumerate(counts) for _ in range(count)]))
    entries: list[list[EventEntry]] = [[] for _ in shapes]
    for index, owner in enumerate(owners):
        version = draw(st.integers(0, 2**31 - 1))
        body = draw(st.binary(max_size=40))
        entries[owner].append(EventEntry(index, draw(names), version, draw(instants), body))
    return Commit(
        COMMIT_VERSION,
        draw(st.binary(min_size=16, max_size=16)),
        draw(st.none() | names),
        draw(st.none() | hashes),
        draw(st.none() | st.builds(ActorEntry, names, texts)),
        draw(st.none() | texts),
        draw(st.none() | texts),
        draw(instants),
        draw(texts),
        tuple(
            StreamEntry(
                stream, kind, draw(hashes) if kind == "chain" else ZERO_HASH, draw(st.integers(0, 2**62)), tuple(own)
            )
            for (stream, kind, _), own in zip(shapes, entries, strict=True)
        ),
    )
