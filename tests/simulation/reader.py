"""A second reader of the log: fastavro instead of our codec, and admission written again.

See docs/reference/journal-format.md.

Small and slow on purpose. It shares nothing with the engine but the schema files and the bytes.
"""

import io
import json
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

from fastavro import parse_schema, schemaless_reader

from infra.journals.memory import MemoryLog

_SCHEMAS = files("schemas").joinpath("journal")


def _schema(name: str) -> Any:
    """The schema without logical types: instants stay whole numbers."""
    text = _SCHEMAS.joinpath(f"{name}.avsc").read_text(encoding="utf-8")
    return parse_schema(
        json.loads(text, object_hook=lambda node: {k: v for k, v in node.items() if k != "logicalType"})
    )


def _read(schema: Any, data: bytes) -> Any:
    return schemaless_reader(io.BytesIO(data), schema, None)


COMMIT = _schema("commit")
RECORD = _schema("record")


@dataclass(slots=True)
class AdmittedCommit:
    """An admitted commit: its position, its hash, when it was appended, and what fastavro read."""

    partition: int
    offset: int
    ordinal: int
    hash: bytes
    appended_at: int
    commit: dict[str, Any]

    @property
    def stream(self) -> str:
        name: str = self.commit["streams"][0]["stream"]
        return name


@dataclass(slots=True)
class Reading:
    """The result of reading a log: admitted commits in order, and the number of rejected ones."""

    admitted: list[AdmittedCommit]
    rejected: dict[str, int]

    def of(self, stream: str) -> list[AdmittedCommit]:
        """The commits of a stream, in order."""
        return [commit for commit in self.admitted if commit.stream == stream]


def read(log: MemoryLog) -> Reading:
    """All partitions of a log, read from the start."""
    found = Reading([], {"duplicate": 0, "superseded": 0})
    for partition, records in enumerate(log.records):
        heads: dict[str, tuple[bytes, int]] = {}
        ids: set[bytes] = set()
        commands: set[tuple[str, str]] = set()
        ordinal = 0
        for record in records:
            for data in _read(RECORD, record.value)["commits"]:
                commit = _read(COMMIT, data)
                parts = commit["streams"]
                command = (parts[0]["stream"], commit["command_id"])
                if commit["commit_id"] in ids or (commit["command_id"] is not None and command in commands):
                    found.rejected["duplicate"] += 1
                    continue
                if any((p["parent"], p["first_event"]) != heads.get(p["stream"], (bytes(32), 0)) for p in parts):
                    found.rejected["superseded"] += 1
                    continue
                hash_ = sha256(data).digest()
                for part in parts:
                    heads[part["stream"]] = (hash_, part["first_event"] + len(part["events"]))
                ids.add(commit["commit_id"])
                if commit["command_id"] is not None:
                    commands.add(command)
                found.admitted.append(
                    AdmittedCommit(partition, record.offset, ordinal, hash_, record.appended_at, commit)
                )
                ordinal += 1
    return found
