"""The commit and the record: the bytes of the schema, nothing but the canonical ones, within the format's limits."""

import io
import json
import uuid
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.resources import files
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.commit import (
    MAX_COMMIT_BYTES,
    MAX_EVENTS,
    ZERO_HASH,
    Commit,
    EventEntry,
    commit_hash,
    commit_id,
    decode_commit,
    encode_commit,
)
from schemas.record import MAX_RECORD_BYTES, RECORD_OVERHEAD, decode_record, encode_record
from schemas.wire import Malformed
from tests.effort import examples
from tests.spec.store.making import NOON, Chain, commit, events, part, valid_commits


def schema(name: str) -> Any:
    """The contract as fastavro takes it, logical types left out so that instants stay integers."""
    found = json.loads(files("schemas").joinpath(f"journal/{name}.avsc").read_text(encoding="utf-8"))

    def plain(of: Any) -> Any:
        if isinstance(of, dict):
            return {key: plain(value) for key, value in of.items() if key != "logicalType"}
        return [plain(each) for each in of] if isinstance(of, list) else of

    return fastavro.parse_schema(plain(found))


COMMIT, RECORD = schema("commit"), schema("record")


def by_fastavro(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue()


def listed(value: Any) -> Any:
    """Tuples as lists, as fastavro reads them."""
    if isinstance(value, dict):
        return {key: listed(each) for key, each in value.items()}
    return [listed(each) for each in value] if isinstance(value, list | tuple) else value


def edited(**changes: Any) -> bytes:
    """The bytes of a small commit with these fields changed, as fastavro writes them: no check is in the way."""
    made = asdict(commit(part("acme/PO-1", entries=events("OrderPlaced")), command="c1"))
    return by_fastavro(COMMIT, {**made, **changes})


@given(valid_commits())
def test_a_commit_is_encoded_as_its_schema_defines(made: Commit) -> None:
    data = encode_commit(made)
    assert data == by_fastavro(COMMIT, asdict(made))
    assert fastavro.schemaless_reader(io.BytesIO(data), COMMIT, None) == listed(asdict(made))
    assert decode_commit(data) == made


@settings(max_examples=examples(300))
@given(valid_commits(), st.data())
def test_changed_bytes_are_another_commit_or_malformed_and_never_anything_else(
    made: Commit, data: st.DataObject
) -> None:
    changed = bytearray(encode_commit(made))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        changed = changed or bytearray(b"\0")
    try:
        other = decode_commit(bytes(changed))
    except Malformed:
        return
    assert encode_commit(other) == bytes(changed)


@given(st.binary(max_size=400))
def test_no_bytes_make_reading_raise_anything_but_malformed(data: bytes) -> None:
    for decode in (decode_commit, decode_record):
        with suppress(Malformed):
            decode(data)


SHA = bytes(range(32))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"commit_version": 2}, "commit_version is not in 1..1"),
        ({"commit_version": 0}, "commit_version is not in 1..1"),
        ({"command_id": ""}, "command_id has fewer than 1 bytes"),
        ({"command_id": "x" * 256}, "command_id has more than 255 bytes"),
        ({"correlation_id": "x" * 1025}, "correlation_id has more than 1024 bytes"),
        ({"actor": {"kind": "", "id": "b"}}, "actor.kind has fewer than 1 bytes"),
        ({"recorded_at": 253_402_300_800_000_000}, "recorded_at is not in -62135596800000000..253402300799999999"),
        ({"streams": []}, "streams has fewer than 1 items"),
        ({"streams": [asdict(part("", entries=events("A")))]}, "streams.stream has fewer than 1 bytes"),
        ({"streams": [asdict(part("s", first=-1))]}, "streams.first_event is not in 0..4611686018427387904"),
        ({"streams": [asdict(part("s", entries=events("")))]}, "streams.events.name has fewer than 1 bytes"),
        ({"streams": [asdict(part("s", entries=events("A", first=1)))]}, "the events' indexes are not dense from 0"),
        ({"streams": [asdict(part("s")), asdict(part("s"))]}, "a stream occurs twice"),
        ({"streams": [asdict(part("s")), asdict(part("s", kind="watermark"))]}, "a stream occurs twice"),
        ({"streams": [asdict(part("s", SHA, 1, events("A"), "unique"))]}, "a unique stream has a parent"),
        ({"streams": [asdict(part("s", kind="unique"))]}, "a unique stream has no event"),
        ({"streams": [asdict(part("s", SHA, 1, kind="watermark"))]}, "a watermark stream has a parent"),
        ({"streams": [asdict(part("s", entries=events("A"), kind="watermark"))]}, "a watermark stream has events"),
        (
            {"streams": [asdict(part("s", entries=events("A"))), asdict(part("t", entries=events("B", first=2)))]},
            "the events' indexes are not dense from 0",
        ),
        (
            {"streams": [asdict(part("s", entries=events("A"))), asdict(part("t", entries=events("B")))]},
            "the events' indexes are not dense from 0",
        ),
        (
            {"streams": [asdict(part("s", entries=events("B", first=1) + events("A"))), asdict(part("t"))]},
            "the events' indexes do not rise within a stream",
        ),
    ],
)
def test_a_value_that_the_format_forbids_is_neither_written_nor_read(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(Malformed) as wrong:
        decode_commit(edited(**changes))
    assert wrong.value.reason == reason


def test_events_of_several_streams_keep_the_writers_order() -> None:
    made = commit(
        part("s", entries=(*events("A"), *events("D", first=3))),
        part("t", entries=events("B", "C", first=1)),
        command="c",
    )
    assert decode_commit(encode_commit(made)) == made


def test_the_size_limit_is_part_of_the_format_and_a_full_commit_goes_into_a_record() -> None:
    small = commit(part("s", entries=events("A")))
    room = MAX_COMMIT_BYTES - len(encode_commit(small)) - 1
    body = EventEntry(0, "A", 1, NOON, bytes(room))
    full = encode_commit(replace(small, streams=(part("s", entries=(body,)),)))
    assert len(full) == MAX_COMMIT_BYTES
    assert decode_commit(full).streams[0].events[0].body == bytes(room)
    assert decode_record(encode_record("w" * 255, [full])).commits == (full,)
    body.body += b"x"
    with pytest.raises(Malformed, match="more than 1000000 bytes"):
        encode_commit(replace(small, streams=(part("s", entries=(body,)),)))
    with pytest.raises(Malformed, match="more than 1000000 bytes"):
        decode_commit(full + b"\0")


def test_a_commit_has_a_bounded_number_of_events() -> None:
    half = MAX_EVENTS // 2
    first = tuple(EventEntry(n, "A", 1, 0, b"") for n in range(half))
    second = tuple(EventEntry(half + n, "A", 1, 0, b"") for n in range(half))
    made = commit(part("s", entries=first), part("t", entries=second))
    assert decode_commit(encode_commit(made)) == made
    with pytest.raises(Malformed, match=r"index is not in 0\.\.65535"):
        encode_commit(
            commit(part("s", entries=first), part("t", entries=(*second, EventEntry(MAX_EVENTS, "A", 1, 0, b""))))
        )


def test_the_hash_is_the_sha_256_of_the_bytes() -> None:
    assert commit_hash(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_id_of_a_commit_is_a_uuid_version_5_that_follows_from_stream_command_and_parent() -> None:
    id = uuid.UUID(bytes=commit_id("acme/PO-1", "c1", ZERO_HASH))
    assert (id.version, id.variant) == (5, uuid.RFC_4122)
    namespace = uuid.UUID("6f2d1f2e-6a0b-5c1e-9d47-3f0f5f8f2b61")
    assert id == uuid.uuid5(namespace, f"acme/PO-1\0c1\0{'00' * 32}")
    others = [("acme/PO-2", "c1", ZERO_HASH), ("acme/PO-1", "c2", ZERO_HASH), ("acme/PO-1", "c1", SHA)]
    assert len({id.bytes, *(commit_id(*each) for each in others)}) == 4


@given(
    st.lists(st.binary(max_size=50), min_size=1, max_size=5),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
)
def test_a_record_is_encoded_as_its_schema_defines(commits: list[bytes], writer: str) -> None:
    value = encode_record(writer, commits)
    assert value == by_fastavro(RECORD, {"format": 1, "writer": writer, "commits": commits})
    assert decode_record(value).commits == tuple(commits)
    assert len(value) <= RECORD_OVERHEAD + sum(len(each) + 5 for each in commits)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"format": 2, "writer": "w", "commits": [b"x"]}, "format is not in 1..1"),
        ({"format": 1, "writer": "w" * 256, "commits": [b"x"]}, "writer has more than 255 bytes"),
        ({"format": 1, "writer": "w", "commits": []}, "commits has fewer than 1 items"),
        ({"format": 1, "writer": "w", "commits": [b""] * 16_385}, "commits has more than 16384 items"),
        ({"format": 1, "writer": "w", "commits": [bytes(MAX_RECORD_BYTES)]}, "the record has more than 1040000 bytes"),
    ],
)
def test_a_record_outside_the_format_is_neither_written_nor_read(made: dict[str, Any], reason: str) -> None:
    with pytest.raises(Malformed) as wrong:
        decode_record(by_fastavro(RECORD, made))
    assert wrong.value.reason == reason


def test_a_record_over_a_limit_is_not_written() -> None:
    with pytest.raises(Malformed):
        encode_record("w", [bytes(MAX_RECORD_BYTES)])
    with pytest.raises(Malformed):
        encode_record("w", [])


def test_the_same_history_has_the_same_bytes() -> None:
    one, other = Chain("acme/PO-1"), Chain("acme/PO-1")
    assert [one.next("A", command="c1"), one.next("B", command="c2")] == [
        other.next("A", command="c1"),
        other.next("B", command="c2"),
    ]
