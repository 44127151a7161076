"""Any log gives the same verdicts to every reader: dictionaries, local state in memory and in SQLite, and a short fold
that was written from the description of the format without looking at ours."""

import io
import json
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fastavro
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.log.admission import Admission, MemoryHeads
from consumers.ports.journal import JournalRecord
from consumers.ports.local_state import LocalState
from consumers.ports.log_values import Admitted, Heads, Rejected
from infra.local_state import memory_local_state, open_local_state
from schemas.commit import ZERO_HASH, Commit, EventEntry, StreamEntry, StreamKind, commit_hash, encode_commit
from schemas.partitioning import partition_of
from schemas.wire import Malformed
from tests.effort import examples
from tests.spec.store.making import NOON, record, valid_commits

PARTITIONS = 2
_HERE, _THERE = ([n for n in map("s{}".format, range(20)) if partition_of(n, PARTITIONS) == p] for p in range(2))
STREAMS = [*_HERE[:3], "$c", "$format/1"]
STRAY = _THERE[0]


def _plain(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if key != "logicalType"}
    return [_plain(each) for each in schema] if isinstance(schema, list) else schema


def _contract(name: str) -> Any:
    text = files("schemas").joinpath(f"journal/{name}.avsc").read_text(encoding="utf-8")
    return fastavro.parse_schema(_plain(json.loads(text)))


COMMIT, RECORD = _contract("commit"), _contract("record")
TROUBLE = (EOFError, IndexError, ValueError, OverflowError, TypeError, KeyError)


class Naive:
    """Admission in the simplest words: fastavro, dictionaries, no thought of speed."""

    def __init__(self) -> None:
        self.heads: dict[str, tuple[bytes, int]] = {}
        self.versions: set[tuple[str, int]] = set()
        self.marks: dict[str, int] = {}
        self.ids: set[bytes] = set()
        self.commands: set[tuple[str, str]] = set()
        self.ordinal = self.position = 0

    def read(self, contract: Any, data: bytes) -> Any:
        """The value if the bytes are canonical and every number is in its type's range."""
        try:
            value = fastavro.schemaless_reader(io.BytesIO(data), contract, None)
            out = io.BytesIO()
            fastavro.schemaless_writer(out, contract, value)
            return value if out.getvalue() == data and fastavro.validate(value, contract, raise_errors=False) else None
        except TROUBLE:
            return None

    def take(self, value: bytes) -> list[tuple[Any, ...]]:
        record = self.read(RECORD, value)
        if record is None or record["format"] != 1 or not record["commits"] or len(record["writer"].encode()) > 255:
            return [("malformed",)]
        return [self.judge(data) for data in record["commits"]]

    def judge(self, data: bytes) -> tuple[Any, ...]:
        commit = self.read(COMMIT, data)
        if commit is None or not self.in_range(commit):
            return ("malformed",)
        first = commit["streams"][0]["stream"]
        if commit["commit_id"] in self.ids or (first, commit["command_id"]) in self.commands:
            return ("duplicate",)
        if not all(self.fits(part) for part in commit["streams"]):
            return ("superseded",)
        self.ids.add(commit["commit_id"])
        if commit["command_id"] is not None:
            self.commands.add((first, commit["command_id"]))
        admitted = ("admitted", self.ordinal, self.position)
        self.ordinal += 1
        for part in commit["streams"]:
            count = len(part["events"])
            if part["kind"] == "chain":
                self.heads[part["stream"]] = (sha256(data).digest(), part["first_event"] + count)
                self.position += count
            elif part["kind"] == "unique":
                self.versions |= {(part["stream"], part["first_event"] + n) for n in range(count)}
            else:
                self.marks[part["stream"]] = part["first_event"]
        return admitted

    def in_range(self, commit: Any) -> bool:
        parts = commit["streams"]
        indexes = [event["index"] for part in parts for event in part["events"]]
        texts = [(commit["writer"], 0, 255)]
        texts += [(commit[name], 0, 1024) for name in ("correlation_id", "causation_id")]
        texts.append((commit["command_id"], 1, 255))
        if commit["actor"]:
            texts += [(commit["actor"]["kind"], 1, 64), (commit["actor"]["id"], 0, 1024)]
        texts += [(part["stream"], 1, 1024) for part in parts]
        texts += [(event["name"], 1, 255) for part in parts for event in part["events"]]
        instants = [commit["recorded_at"], *(event["occurred_at"] for part in parts for event in part["events"])]
        return (
            commit["commit_version"] == 1
            and len(parts) > 0
            and len({part["stream"] for part in parts}) == len(parts)
            and all(low <= len(text.encode()) <= high for text, low, high in texts if text is not None)
            and all(-62_135_596_800_000_000 <= instant <= 253_402_300_799_999_999 for instant in instants)
            and all(event["schema_version"] >= 0 for part in parts for event in part["events"])
            and sorted(indexes) == list(range(len(indexes)))
            and all(self.part_in_range(part) for part in parts)
        )

    def part_in_range(self, part: Any) -> bool:
        own = [event["index"] for event in part["events"]]
        name, kind = part["stream"], part["kind"]
        return (
            own == sorted(own)
            and 0 <= part["first_event"] <= 2**62
            and (kind == "chain" or part["parent"] == ZERO_HASH)
            and (kind != "unique" or bool(own))
            and (kind != "watermark" or not own)
            and (kind != "chain" or name.startswith("$") or partition_of(name, PARTITIONS) == 0)
        )

    def fits(self, part: Any) -> bool:
        name, first = part["stream"], part["first_event"]
        if part["kind"] == "chain":
            if name not in self.heads:
                return bool(part["parent"] == ZERO_HASH)
            return (part["parent"], first) == self.heads[name]
        if part["kind"] == "unique":
            return not any((name, first + n) in self.versions for n in range(len(part["events"])))
        return bool(first > self.marks.get(name, -1))


@st.composite
def plausible_commits(draw: st.DrawFn, heads: MemoryHeads, seen: list[bytes]) -> bytes:
    """A commit that may well fit: few streams, few ids, parents that were heads once; sometimes with a byte changed."""
    names = draw(st.lists(st.sampled_from([*STREAMS, STRAY]), min_size=1, max_size=3, unique=True))
    parts = []
    index = 0
    for name in names:
        kind: StreamKind = draw(st.sampled_from(["chain", "chain", "chain", "unique", "watermark"]))
        count = 0 if kind == "watermark" else draw(st.integers(kind == "unique", 2))
        entries = tuple(EventEntry(index + n, "A", 1, NOON, b"") for n in range(count))
        index += count
        head = heads.head(name) if kind == "chain" else None
        if head is not None and draw(st.integers(0, 4)):
            parts.append(StreamEntry(name, kind, head.hash, head.count, entries))
        else:
            some = [ZERO_HASH, *map(commit_hash, seen[-3:])]
            parent = draw(st.sampled_from(some)) if kind == "chain" else ZERO_HASH
            parts.append(StreamEntry(name, kind, parent, draw(st.integers(0, 3)), entries))
    id = draw(st.integers(0, 30)).to_bytes(16, "big")
    command = draw(st.none() | st.sampled_from(["c1", "c2", "c3"]))
    data = encode_commit(Commit(1, id, command, None, None, None, None, NOON, "w", tuple(parts)))
    if not draw(st.integers(0, 9)):
        at = draw(st.integers(0, len(data) - 1))
        data = data[:at] + draw(st.binary(max_size=2)) + data[at + draw(st.integers(0, 2)) :]
    return data


@st.composite
def logs(draw: st.DrawFn) -> list[JournalRecord]:
    """Records that one partition might have."""
    heads = MemoryHeads()
    guide = Admission(0, PARTITIONS, heads)
    found: list[JournalRecord] = []
    seen: list[bytes] = []
    for offset in range(draw(st.integers(1, 8))):
        commits = []
        for _ in range(draw(st.integers(1, 4))):
            match draw(st.integers(0, 9)):
                case 0:
                    commits.append(encode_commit(draw(valid_commits())))
                case 1 if seen:
                    commits.append(draw(st.sampled_from(seen)))
                case 2:
                    commits.append(draw(st.binary(max_size=60)))
                case _:
                    commits.append(draw(plausible_commits(heads, seen)))
            guide.take(record(commits[-1]))
        seen += commits
        value = record(*commits).value
        if not draw(st.integers(0, 9)):
            at = draw(st.integers(0, len(value)))
            value = value[:at] + draw(st.binary(max_size=2)) + value[at:]
        found.append(JournalRecord(0, offset, NOON + offset, value))
    return found


def results_of(heads: Heads, log: list[JournalRecord]) -> list[tuple[Any, ...]]:
    fold = Admission(0, PARTITIONS, heads)
    results: list[tuple[Any, ...]] = []
    for each in log:
        for verdict in fold.take(each):
            if isinstance(verdict, Admitted):
                results.append(("admitted", verdict.ordinal, verdict.position))
            else:
                assert isinstance(verdict, Rejected)  # no format but 1 is drawn
                results.append((verdict.kind,))
        if hasattr(heads, "flush"):
            heads.flush(each.offset + 1)
    return results


@settings(max_examples=examples(150))
@given(logs())
def test_every_reader_gives_the_same_admission_results(log: list[JournalRecord]) -> None:
    naive = Naive()
    expected = [verdict for each in log for verdict in naive.take(each.value)]
    assert results_of(MemoryHeads(), log) == expected
    assert results_of(memory_local_state(0, PARTITIONS), log) == expected
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state.sqlite"
        state: LocalState = open_local_state(path, 0, PARTITIONS, streams_in_memory=1).state
        assert results_of(state, log) == expected
        state.close()


@settings(max_examples=examples(50))
@given(logs(), st.data())
def test_a_reader_that_stops_and_continues_gives_the_same_admission_results(
    log: list[JournalRecord], data: st.DataObject
) -> None:
    expected = results_of(MemoryHeads(), log)
    cut = data.draw(st.integers(0, len(log)))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state.sqlite"
        state = open_local_state(path, 0, PARTITIONS).state
        results = results_of(state, log[:cut])
        for each in log[cut : cut + 1]:  # what is judged and not flushed is forgotten
            Admission(0, PARTITIONS, state).take(each)
        if data.draw(st.booleans()):
            state.close()
            state = open_local_state(path, 0, PARTITIONS).state
        else:
            state.rollback()
        assert results + results_of(state, log[cut:]) == expected
        assert state.next_offset == len(log)
        state.close()


@given(st.lists(st.binary(max_size=120), max_size=5))
def test_no_bytes_make_the_fold_raise(values: list[bytes]) -> None:
    fold = Admission(0, PARTITIONS, MemoryHeads())
    for offset, value in enumerate(values):
        assert fold.take(JournalRecord(0, offset, NOON, value))
    for value in values:
        try:
            assert fold.take(record(value, value))
        except Malformed:
            raise AssertionError("the fold let Malformed through") from None
