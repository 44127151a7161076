"""Writes the golden commits, records, logs and malformed vectors: ``python -m tests.golden.writing_commits``.

It only adds files that are not there. Bytes are put together here by hand (``number``, ``text``, …), so that they do
not follow from the codec that they test. In a vector, ``bytes`` is a list of pieces [hex, how often].
"""

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from consumers.log.admission import Admission, MemoryHeads
from consumers.ports.journal import JournalRecord
from consumers.ports.log_values import AdmissionResult, Admitted, Stop
from schemas.commit import decode_commit
from schemas.partitioning import partition_of
from schemas.record import decode_record

FOLDER = Path(__file__).parent / "commits"
PARTITIONS = 4

NOON = 1_772_452_800_000_001
ZERO = bytes(32)
Pieces = list[tuple[bytes, int]]


# ---- Avro by hand ----------------------------------------------------------------------------------------------------


def number(value: int) -> bytes:
    """int and long: zigzag, seven bits a byte, the lowest first."""
    rest = value * 2 if value >= 0 else -value * 2 - 1
    out = b""
    while rest > 127:
        out += bytes([rest % 128 + 128])
        rest //= 128
    return out + bytes([rest])


def blob(value: bytes) -> bytes:
    return number(len(value)) + value


def text(value: str) -> bytes:
    return blob(value.encode())


def maybe(value: bytes | None) -> bytes:
    return b"\x00" if value is None else b"\x02" + value


def array(*items: bytes) -> bytes:
    return number(len(items)) + b"".join(items) + b"\x00" if items else b"\x00"


def event(index: int, name: str, version: int = 1, at: int = NOON, body: bytes = b"body") -> bytes:
    return number(index) + text(name) + number(version) + number(at) + blob(body)


KINDS = {"chain": b"\x00", "unique": b"\x02", "watermark": b"\x04"}


def part(stream: str, *events: bytes, kind: str = "chain", parent: bytes = ZERO, first: int = 0) -> bytes:
    return text(stream) + KINDS[kind] + parent + number(first) + array(*events)


FIELDS: dict[str, bytes] = {
    "commit_version": number(1),
    "commit_id": bytes(range(16)),
    "command_id": maybe(text("c1")),
    "command_fingerprint": maybe(bytes(range(32))),
    "actor": maybe(text("buyer") + text("b-7")),
    "correlation_id": maybe(None),
    "causation_id": maybe(None),
    "recorded_at": number(NOON),
    "writer": text("engine-1"),
    "streams": array(part("acme/PO-1001", event(0, "OrderPlaced"))),
}


def commit(**changes: bytes) -> bytes:
    return b"".join({**FIELDS, **changes}.values())


def record(*commits: bytes, format: bytes | None = None, writer: str = "engine-1") -> bytes:
    return (number(1) if format is None else format) + text(writer) + array(*map(blob, commits))


# ---- what is written -------------------------------------------------------------------------------------------------

FULL = commit(
    correlation_id=maybe(text("checkout K-9")),
    causation_id=maybe(text("")),
    streams=array(
        part(
            "acme/PO-1001",
            event(0, "CancelRequested"),
            event(2, "CancelApproved", 3, -1, b""),
            parent=sha256(b"a").digest(),
            first=70,
        ),
        part("snapshot of PO-1001", event(1, "Snapshot"), event(3, "Snapshot"), kind="unique", first=2**62),
        part("projection", kind="watermark", first=4096),
        part("$control/Größe – 電気 💡", first=0),
    ),
)
BARE = commit(
    command_id=maybe(None),
    command_fingerprint=maybe(None),
    actor=maybe(None),
    writer=text(""),
    recorded_at=number(-(10**15)),
    streams=array(part("acme/PO-1001", parent=sha256(commit()).digest(), first=1)),
)
GOOD: list[tuple[str, bytes]] = [
    ("a typical commit: one event on one order", commit()),
    ("everything that may be there: several streams of each kind, their events interleaved", FULL),
    ("nothing that may be absent: a fence, an empty commit without a command id", BARE),
    (
        "the earliest and the latest instants",
        commit(
            recorded_at=number(-62_135_596_800_000_000),
            streams=array(part("s", event(0, "A", 0, 253_402_300_799_999_999))),
        ),
    ),
    (
        "the longest names",
        commit(
            command_id=maybe(text("c" * 255)),
            writer=text("w" * 255),
            streams=array(part("s" * 1024, event(0, "E" * 255, 2**31 - 1))),
        ),
    ),
]

COMMITS: list[tuple[str, str, Pieces]] = [
    ("no bytes", "it ends too early", [(b"", 1)]),
    ("cut off by a byte", "it ends too early", [(commit()[:-1], 1)]),
    ("a byte behind the end", "it does not end where it should", [(commit() + b"\0", 1)]),
    (
        "a newer version that no $format commit announced",
        "commit_version is not in 1..1",
        [(commit(commit_version=number(2)), 1)],
    ),
    ("version 0", "commit_version is not in 1..1", [(commit(commit_version=number(0)), 1)]),
    (
        "not canonical: an overlong number",
        "a number is longer than it need be",
        [(commit(commit_version=b"\x82\x00"), 1)],
    ),
    (
        "not canonical: a number of more than 64 bits",
        "a number has more than 64 bits",
        [(commit(recorded_at=b"\xff" * 9 + b"\x02"), 1)],
    ),
    (
        "not canonical: union index -1",
        "command_id has a bad union index",
        [(commit(command_id=b"\x01" + text("c1")), 1)],
    ),
    ("not canonical: union index 2", "command_id has a bad union index", [(commit(command_id=b"\x04"), 1)]),
    (
        "not canonical: enum index 3",
        "streams.kind has a bad enum index",
        [(commit(streams=b"\x02" + text("s") + b"\x06" + ZERO + b"\0\0\0"), 1)],
    ),
    (
        "not canonical: enum index -1",
        "streams.kind has a bad enum index",
        [(commit(streams=b"\x02" + text("s") + b"\x01" + ZERO + b"\0\0\0"), 1)],
    ),
    (
        "not canonical: an array with its size in bytes",
        "a length is negative",
        [(commit(streams=number(-1) + blob(part("s")) + b"\0"), 1)],
    ),
    (
        "not canonical: an array in two blocks",
        "streams is not in one block",
        [(commit(streams=number(1) + part("s") + number(1) + part("t") + b"\0"), 1)],
    ),
    (
        "not canonical: an overlong empty array",
        "a number is longer than it need be",
        [(commit(streams=b"\x02" + text("s") + b"\0" + ZERO + b"\0\x80\0\0"), 1)],
    ),
    ("a text that is not UTF-8", "a text is not UTF-8", [(commit(writer=blob(b"\xff")), 1)]),
    ("a text with a surrogate", "a text is not UTF-8", [(commit(writer=blob(b"\xed\xa0\x80")), 1)]),
    ("a text with an overlong letter", "a text is not UTF-8", [(commit(writer=blob(b"\xc1\x81")), 1)]),
    ("a text of negative length", "a length is negative", [(commit(writer=b"\x01"), 1)]),
    (
        "out of range: recorded in the year 10000",
        "recorded_at is not in -62135596800000000..253402300799999999",
        [(commit(recorded_at=number(253_402_300_800_000_000)), 1)],
    ),
    (
        "out of range: recorded before the year 1",
        "recorded_at is not in -62135596800000000..253402300799999999",
        [(commit(recorded_at=number(-62_135_596_800_000_001)), 1)],
    ),
    (
        "out of range: an index of more than 32 bits",
        "streams.events.index is not in 0..65535",
        [(commit(streams=array(part("s", event(2**40, "A")))), 1)],
    ),
    (
        "out of range: a schema version below 0",
        "streams.events.schema_version is not in 0..2147483647",
        [(commit(streams=array(part("s", event(0, "A", -1)))), 1)],
    ),
    (
        "out of range: a negative event number",
        "streams.first_event is not in 0..4611686018427387904",
        [(commit(streams=array(part("s", first=-1))), 1)],
    ),
    (
        "out of range: a command id of no letters",
        "command_id has fewer than 1 bytes",
        [(commit(command_id=maybe(text(""))), 1)],
    ),
    (
        "out of range: a command id of 256 bytes",
        "command_id has more than 255 bytes",
        [(commit(command_id=maybe(text("é" * 128))), 1)],
    ),
    (
        "out of range: a stream without a name",
        "streams.stream has fewer than 1 bytes",
        [(commit(streams=array(part(""))), 1)],
    ),
    (
        "out of range: a stream name of 1025 bytes",
        "streams.stream has more than 1024 bytes",
        [(commit(streams=array(part("s" * 1025))), 1)],
    ),
    (
        "out of range: an event without a name",
        "streams.events.name has fewer than 1 bytes",
        [(commit(streams=array(part("s", event(0, "")))), 1)],
    ),
    ("no stream", "streams has fewer than 1 items", [(commit(streams=array()), 1)]),
    (
        "one stream too many",
        "streams has more than 4096 items",
        [(commit(streams=number(4097)), 1), (part("$s"), 4097), (b"\0", 1)],
    ),
    ("a stream that occurs twice", "a stream occurs twice", [(commit(streams=array(part("$s"), part("$s"))), 1)]),
    (
        "a stream that occurs twice, in two kinds",
        "a stream occurs twice",
        [(commit(streams=array(part("$s"), part("$s", kind="watermark"))), 1)],
    ),
    (
        "indexes that do not begin at 0",
        "the events' indexes are not dense from 0",
        [(commit(streams=array(part("s", event(1, "A")))), 1)],
    ),
    (
        "indexes with a hole",
        "the events' indexes are not dense from 0",
        [(commit(streams=array(part("s", event(0, "A")), part("$t", event(2, "B")))), 1)],
    ),
    (
        "an index that occurs twice",
        "the events' indexes are not dense from 0",
        [(commit(streams=array(part("s", event(0, "A")), part("$t", event(0, "B")))), 1)],
    ),
    (
        "indexes that fall within a stream",
        "the events' indexes do not rise within a stream",
        [(commit(streams=array(part("$s", event(1, "A"), event(0, "B")), part("$t"))), 1)],
    ),
    (
        "a unique stream with a parent",
        "a unique stream has a parent",
        [(commit(streams=array(part("s", event(0, "A"), kind="unique", parent=bytes([1]) * 32))), 1)],
    ),
    (
        "a unique stream without an event",
        "a unique stream has no event",
        [(commit(streams=array(part("s", kind="unique"))), 1)],
    ),
    (
        "a watermark with a parent",
        "a watermark stream has a parent",
        [(commit(streams=array(part("s", kind="watermark", parent=bytes([1]) * 32))), 1)],
    ),
    (
        "a watermark with an event",
        "a watermark stream has events",
        [(commit(streams=array(part("s", event(0, "A"), kind="watermark"))), 1)],
    ),
    (
        "over size by a byte",
        "the commit has more than 1000000 bytes",
        [(commit(), 1), (b"\0", 1_000_001 - len(commit()))],
    ),
    (
        "over size by a byte, canonical otherwise",
        "the commit has more than 1000000 bytes",
        [
            (
                OVER := commit(
                    streams=b"\x02"
                    + text("s")
                    + b"\0"
                    + ZERO
                    + b"\0\x02"
                    + number(0)
                    + text("A")
                    + number(1)
                    + number(NOON)
                ),
                1,
            ),
            (number(BODY := 1_000_001 - len(OVER) - 3 - 2), 1),
            (b"x", BODY),
            (b"\0\0", 1),
        ],
    ),
]

RECORDS: list[tuple[str, str, Pieces]] = [
    ("no bytes", "it ends too early", [(b"", 1)]),
    (
        "a newer format that no $format commit announced",
        "format is not in 1..1",
        [(record(commit(), format=number(2)), 1)],
    ),
    ("no commit", "commits has fewer than 1 items", [(record(), 1)]),
    ("a byte behind the end", "it does not end where it should", [(record(commit()) + b"\0", 1)]),
    (
        "not canonical: commits in two blocks",
        "commits is not in one block",
        [(number(1) + text("w") + (number(1) + blob(commit())) * 2 + b"\0", 1)],
    ),
    (
        "not canonical: an overlong length",
        "a number is longer than it need be",
        [(number(1) + b"\x82\x00w" + array(blob(commit())), 1)],
    ),
    ("a writer's name of 256 bytes", "writer has more than 255 bytes", [(record(commit(), writer="w" * 256), 1)]),
    (
        "one commit too many",
        "commits has more than 16384 items",
        [(number(1) + text("w") + number(16_385), 1), (b"\0", 16_386)],
    ),
    (
        "over size by a byte",
        "the record has more than 1040000 bytes",
        [(record(commit()), 1), (b"\0", 1_040_001 - len(record(commit())))],
    ),
]

WRONG = next(f"acme/PO-{n}" for n in range(99) if partition_of(f"acme/PO-{n}", PARTITIONS) != 2)
HOME = next(f"acme/PO-{n}" for n in range(99) if partition_of(f"acme/PO-{n}", PARTITIONS) == 2)


def history() -> list[list[bytes]]:
    """A little log of partition 2 of 4, in which every verdict occurs but malformed records."""

    def one(id: int, streams: bytes, command: str | None = None) -> bytes:
        given = maybe(None if command is None else text(command))
        return commit(commit_id=bytes([id]) * 16, command_id=given, streams=streams)

    placed = one(1, array(part(HOME, event(0, "OrderPlaced"), event(1, "PaymentReceived"))), "c1")
    head = sha256(placed).digest()
    canceled = one(2, array(part(HOME, event(0, "LinesCanceled"), parent=head, first=2)), "c2")
    shipped = one(3, array(part(HOME, event(0, "LineShipped"), parent=head, first=2)), "c3")
    retried = one(4, array(part(HOME, event(0, "LinesCanceled"), parent=sha256(canceled).digest(), first=3)), "c2")
    fenced = one(5, array(part(HOME, parent=sha256(canceled).digest(), first=3)))
    stray = one(6, array(part(WRONG, event(0, "OrderPlaced"))), "c1")
    both = one(
        7,
        array(
            part(HOME, event(1, "RefundDue"), parent=sha256(fenced).digest(), first=3),
            part("$import/acme", event(0, "ImportOpened")),
            part(f"snapshot of {HOME}", event(2, "Snapshot"), kind="unique", first=4),
            part("projection", kind="watermark", first=3),
        ),
        "c4",
    )
    snapshot = one(8, array(part(f"snapshot of {HOME}", event(0, "Snapshot"), kind="unique", first=4)))
    older = one(9, array(part("projection", kind="watermark", first=3)))
    newer = one(10, array(part("projection", kind="watermark", first=4)))
    known = one(11, array(part("$format/1", event(0, "FormatRaised"))))
    unknown = one(12, array(part("$format/2", event(0, "FormatRaised"))))
    return [
        [placed, canceled, shipped],
        [canceled, retried, fenced, stray, b"rubbish"],
        [both, snapshot, older, newer],
        [known, newer, unknown, commit(commit_version=number(2))],
    ]


def verdict(of: AdmissionResult) -> dict[str, Any]:
    """A verdict as the golden log has it."""
    if isinstance(of, Admitted):
        return {
            "index": of.index,
            "is": "admitted",
            "ordinal": of.ordinal,
            "position": of.position,
            "hash": of.hash.hex(),
        }
    if isinstance(of, Stop):
        return {"index": of.index, "is": "stop", "format": of.format}
    return {"index": of.index, "is": of.kind, "reason": of.reason}


def jsonable(value: Any) -> Any:
    """Bytes in hex, tuples as lists."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: jsonable(each) for key, each in value.items()}
    return [jsonable(each) for each in value] if isinstance(value, list | tuple) else value


def pieces(of: Pieces) -> list[list[Any]]:
    return [[each.hex(), times] for each, times in of]


def add(name: str, lines: list[dict[str, Any]]) -> None:
    path = FOLDER / name
    if path.exists():
        return
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def main() -> None:
    """Add the files that are not there."""
    FOLDER.mkdir(exist_ok=True)
    add(
        "commits.1.jsonl",
        [
            {
                "what": what,
                "bytes": data.hex(),
                "hash": sha256(data).hexdigest(),
                "commit": jsonable(asdict(decode_commit(data))),
            }
            for what, data in GOOD
        ],
    )
    records = [
        ("a commit by itself", record(commit())),
        ("several commits that waited together", record(FULL, BARE, commit(), writer="")),
    ]
    add(
        "records.1.jsonl",
        [
            {"what": what, "bytes": value.hex(), "record": jsonable(asdict(decode_record(value)))}
            for what, value in records
        ],
    )
    add(
        "malformed-commits.1.jsonl",
        [{"what": what, "reason": reason, "bytes": pieces(of)} for what, reason, of in COMMITS],
    )
    add(
        "malformed-records.1.jsonl",
        [{"what": what, "reason": reason, "bytes": pieces(of)} for what, reason, of in RECORDS],
    )
    fold = Admission(2, PARTITIONS, MemoryHeads())
    log = [(offset, record(*commits)) for offset, commits in enumerate(history())]
    add(
        "log-of-partition-2-of-4.1.jsonl",
        [
            {
                "offset": offset,
                "bytes": value.hex(),
                "verdicts": [verdict(v) for v in fold.take(JournalRecord(2, offset, 0, value))],
            }
            for offset, value in log
        ],
    )


if __name__ == "__main__":
    main()
