"""B2: replay and verify, events a second on one core: decode the log, hash, admit, decode events, fold every order.

Beside it: the library replaying as many orders into aggregates, and SHA-256 with fastavro alone over the same bytes.
"""

import hashlib
import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from time import thread_time
from typing import Any, cast

from consumers.log.admission import Admission, MemoryHeads
from consumers.log.commit_codec import stamp_of
from consumers.ports.journal import JournalRecord
from consumers.ports.log_values import Admitted
from domain.folding import apply
from domain.order import Order, fresh
from schemas.codec import decode_event
from schemas.contracts import event_schema
from schemas.record import decode_record
from tests.bench import library
from tests.bench.engine import acknowledged
from tests.bench.figures import Figure
from tests.bench.writing import commits_in, records_in


def measure(scale: float) -> Iterator[Figure]:
    """``scale`` 1: the log of twenty thousand commands, replayed three times, the best of them."""
    with tempfile.TemporaryDirectory(prefix="rescind-bench-") as place:
        folder = Path(place)
        acknowledged(folder / "journal", 512, max(200, int(20_000 * scale)))
        log = records_in(folder / "journal")
        events, seconds = min((fold_everything(log) for _ in range(3)), key=lambda run: run[1])
        _, plain = min((fastavro_alone(log) for _ in range(3)), key=lambda run: run[1])
        saves = library.orders_of(commits_in(folder / "journal"))
        library.write_as_application(folder / "application.sqlite", saves, 16)
        theirs = library.replay(folder / "application.sqlite")
    yield Figure(
        "B2",
        "replay: decode, hash, admit, fold",
        events / seconds,
        "events/s",
        {"the library's replay": theirs.events_per_second, "SHA-256 and fastavro alone": events / plain},
        {"events": float(events), "bytes": float(sum(len(record.value) for record in log))},
    )


class Folding:
    """A whole replay with its checks: every record decoded, admitted, every event decoded, every order folded."""

    def __init__(self, partitions: int) -> None:
        self.events = 0
        self._admissions = [Admission(number, partitions, MemoryHeads()) for number in range(partitions)]
        self._orders: dict[str, Order] = {}

    def take(self, records: Sequence[JournalRecord]) -> None:
        """The next records, each partition's in its order."""
        orders = self._orders
        for record in records:
            for verdict in self._admissions[record.partition].take(record):
                if not isinstance(verdict, Admitted):
                    raise RuntimeError(f"a commit of the bench was not admitted: {verdict}")
                commit = verdict.commit
                stamp = stamp_of(commit)
                for part in commit.streams:
                    if part.stream.startswith("$"):
                        continue
                    order = orders.get(part.stream)
                    if order is None:
                        order = orders[part.stream] = fresh(*part.stream.split("/", 1))
                    for entry in part.events:
                        event = decode_event(entry.name, entry.schema_version, entry.body)
                        apply(order, event, entry.occurred_at, stamp)
                        self.events += 1


def fold_everything(log: Sequence[JournalRecord]) -> tuple[int, float]:
    """(events, seconds of this thread) of a whole replay of one partition."""
    folding = Folding(1)
    began = thread_time()
    folding.take(log)
    return folding.events, thread_time() - began


def fastavro_alone(log: Sequence[JournalRecord]) -> tuple[int, float]:
    """Pass the same bytes through the general decoder and the hash, and do nothing with them."""
    import fastavro

    schema = cast(Any, fastavro.parse_schema(json.loads(files("schemas").joinpath("journal/commit.avsc").read_text())))
    bodies: dict[tuple[str, int], Any] = {}
    began = thread_time()
    events = 0
    for record in log:
        for data in decode_record(record.value).commits:
            hashlib.sha256(data).digest()
            commit = cast(dict[str, Any], fastavro.schemaless_reader(io.BytesIO(data), schema, None))
            for part in commit["streams"]:
                for entry in part["events"]:
                    name = entry["name"], entry["schema_version"]
                    body = bodies.get(name)
                    if body is None:
                        body = bodies[name] = fastavro.parse_schema(event_schema(*name))
                    fastavro.schemaless_reader(io.BytesIO(entry["body"]), body, None)
                    events += 1
    return events, thread_time() - began
