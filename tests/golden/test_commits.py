"""Stored commits and records stay readable, and what is malformed stays malformed, for the same reason."""

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from consumers.log.admission import Admission, MemoryHeads
from consumers.ports.journal import JournalRecord
from consumers.ports.log_values import WHOLE_RECORD, Rejected
from infra.local_state import open_local_state
from schemas.commit import commit_hash, decode_commit, encode_commit
from schemas.record import decode_record, encode_record
from schemas.wire import Malformed
from tests.golden.writing_commits import PARTITIONS, jsonable, verdict

FOLDER = Path(__file__).parent / "commits"
CONTENT = {
    "commits.1.jsonl": "d39f521ec1160a3cb1c92e145934529bb24db0f5b969b5a21ad7cdea239fce8e",
    "log-of-partition-2-of-4.1.jsonl": "ddad86f1963946ddb10cd8b59ded8711691041818184c7af2bc3b1cb2a4faff0",
    "malformed-commits.1.jsonl": "adf728025be18e54e92e340dabae462616e0a98990a3e474801e0936b4c4112d",
    "malformed-records.1.jsonl": "44ba300dbee805cfee51626dad52c7593b82846e21141c6a98d1bc6b7db33784",
    "records.1.jsonl": "2d44f6cb78455632cde4d111d5baae4d245b721eead64073b5b6f12dbaa4e6d5",
}
"""Each file and its SHA-256: written once. A new version of the format brings new files."""


def lines(name: str) -> list[Any]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


def whole(pieces: list[tuple[str, int]]) -> bytes:
    return b"".join(bytes.fromhex(piece) * times for piece, times in pieces)


def vectors(name: str) -> list[Any]:
    return [pytest.param(line, id=line["what"].replace(" ", "-")) for line in lines(name)]


def test_golden_files_are_written_once() -> None:
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in FOLDER.iterdir()}
    assert found == CONTENT


@pytest.mark.parametrize("vector", vectors("commits.1.jsonl"))
def test_a_stored_commit_is_decoded_as_written_and_encoded_identically(vector: Any) -> None:
    data = bytes.fromhex(vector["bytes"])
    commit = decode_commit(data)
    assert jsonable(asdict(commit)) == vector["commit"]
    assert encode_commit(commit) == data
    assert commit_hash(data).hex() == vector["hash"]


@pytest.mark.parametrize("vector", vectors("records.1.jsonl"))
def test_a_stored_record_is_decoded_as_written_and_encoded_identically(vector: Any) -> None:
    value = bytes.fromhex(vector["bytes"])
    record = decode_record(value)
    assert jsonable(asdict(record)) == vector["record"]
    assert encode_record(record.writer, record.commits) == value


@pytest.mark.parametrize("vector", vectors("malformed-commits.1.jsonl"))
def test_a_malformed_commit_is_parked_by_itself_for_the_same_reason(vector: Any) -> None:
    data = whole(vector["bytes"])
    with pytest.raises(Malformed) as wrong:
        decode_commit(data)
    assert wrong.value.reason == vector["reason"]
    (verdict,) = Admission(0, 1, MemoryHeads()).take(JournalRecord(0, 5, 0, encode_record("w", [data])))
    assert isinstance(verdict, Rejected)
    assert (verdict.kind, verdict.offset, verdict.index, verdict.reason) == ("malformed", 5, 0, vector["reason"])


@pytest.mark.parametrize("vector", vectors("malformed-records.1.jsonl"))
def test_a_malformed_record_is_parked_whole_for_the_same_reason(vector: Any) -> None:
    value = whole(vector["bytes"])
    (verdict,) = Admission(0, 1, MemoryHeads()).take(JournalRecord(0, 5, 0, value))
    assert isinstance(verdict, Rejected)
    assert (verdict.kind, verdict.index, verdict.reason) == ("malformed", WHOLE_RECORD, vector["reason"])


@pytest.mark.parametrize("heads", ["in dictionaries", "in SQLite"])
def test_a_stored_log_has_the_same_admission_results_in_every_release(tmp_path: Path, heads: str) -> None:
    state = open_local_state(tmp_path / "s.sqlite", 2, PARTITIONS).state
    fold = Admission(2, PARTITIONS, MemoryHeads() if heads == "in dictionaries" else state)
    log = lines("log-of-partition-2-of-4.1.jsonl")
    results = [
        [verdict(found) for found in fold.take(JournalRecord(2, line["offset"], 0, bytes.fromhex(line["bytes"])))]
        for line in log
    ]
    assert results == [line["verdicts"] for line in log]
    kinds = {found["is"] for line in log for found in line["verdicts"]}
    assert kinds == {"admitted", "duplicate", "superseded", "malformed", "stop"}
    state.close()
