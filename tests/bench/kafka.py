"""K1, which is B1 on Kafka: acknowledged commands a second on an existing cluster, with the floor in one run.

The floor are the very records that our run wrote, sent again and read again by the same client with the same settings,
with as many commits on their way, and nothing decided, hashed, admitted or stored. They are sent once as they are, and
once with each commit in a record of its own, as they would be without group commit. The benchmark starts no broker. It
makes topics of its own next to the prefix it is given, and deletes them.
"""

import tempfile
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, sleep
from typing import Final

from consumers.ports.journal import Appended, JournalUnavailable
from infra.addresses.kafka import KafkaAt
from infra.kafka.admin import PARTITIONS, OneTopic
from infra.kafka.client import Client
from infra.kafka.kafka_python import PythonClient, connection
from infra.kafka.quiet_import import KafkaAdminClient, KafkaError
from infra.settings import Settings
from schemas.commit import decode_commit
from schemas.record import decode_record, encode_record
from tests.bench import library
from tests.bench.engine import Measured, acknowledged_on, paced_on
from tests.bench.figures import Figure
from tests.bench.library import Written

IN_FLIGHT: Final = (1, 16, 128, 512)
PACE: Final = 1_000.0
"""Commands a second of the open loop."""
WARM: Final = 5_000
"""As many come before them, uncounted, unless a shorter run is asked for."""
CLIENTS: Final = ("kafka-python", "librdkafka")
TIMEOUT: Final = 60.0
"""Seconds within which the floor must make progress."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A record as it was sent, and how many commits are in it."""

    partition: int
    key: bytes
    value: bytes
    commits: int


@dataclass(slots=True)
class Floor:
    """The result of the client alone. Seconds from sending a record to having read it."""

    commits_per_second: float
    p99: float


def measure(scale: float, settings: Settings) -> Iterator[Figure]:
    """``scale`` 1: sixteen thousand commands a run. A client that is not installed is left out."""
    at = settings.journal_at.kafka
    if at is None:
        raise ValueError("the settings name no journal on Kafka")
    partitions = settings.journal_at.partitions or PARTITIONS
    for client in CLIENTS:
        if client == "librdkafka" and find_spec("confluent_kafka") is None:
            continue
        for in_flight in IN_FLIGHT:
            commands = max(64, int((500 if in_flight == 1 else 4_000 if in_flight == 16 else 16_000) * scale))
            with _topics_of_a_run(settings, at) as run:
                yield _with_floor(settings, run, client, partitions, in_flight, commands)
        with _topics_of_a_run(settings, at) as run:
            yield _at_a_pace(settings, run, client, partitions, max(64, int(20_000 * scale)))


@contextmanager
def _topics_of_a_run(settings: Settings, at: KafkaAt) -> Iterator[KafkaAt]:
    """A prefix of its own next to the given one, whose topics are deleted at the end."""
    run = replace(at, prefix=f"{at.prefix}.k1.{uuid.uuid4().hex[:8]}")
    try:
        yield run
    finally:
        delete(settings, run)


def _ours(
    settings: Settings, at: KafkaAt, client: str, partitions: int, run: Callable[[Settings], Measured]
) -> tuple[Measured, list[Sent]]:
    """Measure the engine there, and return the result with the records that it wrote."""
    with tempfile.TemporaryDirectory(prefix="rescind-bench-") as place:
        here = {"journal": f"{at}?partitions={partitions}", "directory": str(Path(place)), "kafka_client": client}
        ours = _patiently(lambda: run(settings.model_copy(update=here)))
    if ours.kinds != {"accepted": ours.commands}:
        raise RuntimeError(f"not every command was accepted: {ours.kinds}")
    return ours, records_of(client_of(settings, client, at.journal), partitions)


def _at_a_pace(settings: Settings, at: KafkaAt, client: str, partitions: int, commands: int) -> Figure:
    """Latency of answers at ``PACE`` commands a second, and of the same records alone at the same pace."""
    before = min(WARM, commands)
    ours, records = _ours(settings, at, client, partitions, lambda here: paced_on(here, PACE, commands, before))
    same = KafkaAt(at.servers, f"{at.prefix}.same")
    floor = raw(settings, client, same, partitions, records, pace=PACE, before=before)
    return Figure(
        "K1",
        f"{client}, p99 of an answer at {PACE:,.0f} commands/s",
        ours.p99 / 1000,
        "ms",
        {"the same records at the same pace, produced and consumed": floor.p99 * 1000},
        {
            "p50_ms": ours.p50 / 1000,
            "per_second": ours.per_second,
            "cpu_us_per_command": ours.cpu_per_command,
            "commits_per_record": sum(record.commits for record in records) / len(records),
            "partitions": str(partitions),
            "durability": _durability(settings, at),
        },
    )


def _with_floor(settings: Settings, at: KafkaAt, client: str, partitions: int, in_flight: int, commands: int) -> Figure:
    ours, records = _ours(settings, at, client, partitions, lambda here: acknowledged_on(here, in_flight, commands))
    floor = raw(settings, client, KafkaAt(at.servers, f"{at.prefix}.same"), partitions, records, in_flight)
    alone = [one for record in records for one in single(record)]
    singles = raw(settings, client, KafkaAt(at.servers, f"{at.prefix}.single"), partitions, alone, in_flight)
    theirs = through_the_library(settings, records, in_flight)
    return Figure(
        "K1",
        f"{client}, acknowledged commands, {in_flight} in flight",
        ours.per_second,
        "commands/s",
        {
            "the same records, produced and consumed": floor.commits_per_second,
            "a record a commit, produced and consumed": singles.commits_per_second,
            **{name: written.commits_per_second for name, written in theirs.items()},
        },
        {
            "p50_ms": ours.p50 / 1000,
            "p99_ms": ours.p99 / 1000,
            "cpu_us_per_command": ours.cpu_per_command,
            "floor_p99_ms": floor.p99 * 1000,
            "commits_per_record": sum(record.commits for record in records) / len(records),
            "partitions": str(partitions),
            "durability": _durability(settings, at),
            **{f"durability of {name}": written.durability for name, written in theirs.items()},
        },
    )


def _durability(settings: Settings, at: KafkaAt) -> str:
    topics = OneTopic(at, at.journal, settings.security)
    try:
        replicas = {finding.what: finding.found for finding in topics.check()}["replicas"]
    finally:
        topics.close()
    return f"acks=all, page caches, replicas: {replicas}"


def through_the_library(settings: Settings, records: list[Sent], in_flight: int) -> dict[str, Written]:
    """Measure the eventsourcing library, on SQLite, and on PostgreSQL where ``--views`` names a server."""
    orders = library.orders_of(
        decode_commit(each) for record in records for each in decode_record(record.value).commits
    )
    with tempfile.TemporaryDirectory(prefix="rescind-bench-") as place:
        folder = Path(place)
        found = {
            "the library's recorder on SQLite": library.write(folder / "recorder.sqlite", orders, in_flight),
            "an application of it on SQLite": library.write_as_application(folder / "app.sqlite", orders, in_flight),
        }
    server = settings.views_at.postgresql
    if server is not None:
        from tests.bench import library_postgresql as postgresql

        found["the library's recorder on PostgreSQL"] = postgresql.write(server, orders, in_flight)
        found["an application of it on PostgreSQL"] = postgresql.write_as_application(server, orders, in_flight)
    return found


def _patiently(run: Callable[[], Measured]) -> Measured:
    """A topic that was just made may have no leader yet when it is opened: once more then."""
    until = perf_counter() + TIMEOUT
    while True:
        try:
            return run()
        except JournalUnavailable:
            if perf_counter() > until:
                raise
            sleep(0.2)


def records_of(client: Client, partitions: int) -> list[Sent]:
    """Every record of a topic."""
    reader = client.reader(partitions, 0.1)
    try:
        ends = reader.ends(TIMEOUT)
        reader.follow(dict.fromkeys(ends, 0))
        found: list[Sent] = []
        until = perf_counter() + TIMEOUT
        while any(reader.position(partition) < end for partition, end in ends.items()):
            if perf_counter() > until:
                raise RuntimeError(f"{client.topic} cannot be read to its end")
            for partition, records in reader.poll(0.5, 10_000).items():
                for record in records:
                    commits = len(decode_record(record.value).commits)
                    found.append(Sent(partition, b"bench", record.value, commits))
    finally:
        reader.close()
        client.close()
    return found


def single(record: Sent) -> Iterator[Sent]:
    """Each commit of a record in a record of its own."""
    read = decode_record(record.value)
    for commit in read.commits:
        yield Sent(record.partition, record.key, encode_record(read.writer, [commit]), 1)


def raw(
    settings: Settings,
    name: str,
    at: KafkaAt,
    partitions: int,
    records: list[Sent],
    in_flight: int = 0,
    *,
    pace: float | None = None,
    before: int = 0,
) -> Floor:
    """Send and read, ``in_flight`` commits (at least a record) on their way, or ``pace`` commits a second, when they
    are due; each has arrived when it was read. Records of the first ``before`` commits alone are not counted among what
    it takes."""
    topics = OneTopic(at, at.journal, settings.security)
    try:
        topics.create(partitions)
    finally:
        topics.close()
    client = client_of(settings, name, at.journal)
    described = client.describe(settings.timings.query)
    if described is None:
        raise RuntimeError(f"{at.journal} was made, but is not there")
    sender = client.sender(described.largest, settings.timings)
    reader = client.reader(partitions, 0.1)
    reader.follow(dict.fromkeys(range(partitions), 0))
    failed: list[Exception] = []

    def done(answer: Appended | Exception) -> None:
        if isinstance(answer, Exception):
            failed.append(answer)

    under_way: list[deque[tuple[int, float, int]]] = [deque() for _ in range(partitions)]
    waits: list[float] = []
    left = deque(records)
    sent = flying = 0
    wait = 0.1 if pace is None else 0.001

    def may_go() -> bool:
        if pace is None:
            return not flying or flying + left[0].commits <= in_flight
        return began + sent / pace <= perf_counter()

    try:
        for partition in range(partitions):  # connected, and every partition is followed, before the clock runs
            sender.send(partition, b"bench", b"", done)
        first, until = 0, perf_counter() + TIMEOUT
        while first < partitions and perf_counter() < until:
            first += sum(len(arrived) for arrived in reader.poll(0.1, 10_000).values())
        began = heard = perf_counter()
        while left or flying:
            while left and may_go():
                record = left.popleft()
                due = perf_counter() if pace is None else began + sent / pace
                sent += record.commits
                under_way[record.partition].append((record.commits, due, sent))
                flying += record.commits
                sender.send(record.partition, record.key, record.value, done)
            batches = reader.poll(wait, 10_000)
            now = perf_counter()
            if failed or now - heard > TIMEOUT:
                raise RuntimeError(f"the floor cannot be measured: {failed[:1] or 'nothing comes'}")
            for partition, arrived in batches.items():
                heard = now
                for _ in arrived:
                    commits, at_, last = under_way[partition].popleft()
                    flying -= commits
                    if last > before:
                        waits.append(now - at_)
        seconds = perf_counter() - began
    finally:
        sender.abandon()
        reader.close()
        client.close()
    waits.sort()
    return Floor(sum(record.commits for record in records) / seconds, waits[int(len(waits) * 0.99)])


def client_of(settings: Settings, name: str, topic: str) -> Client:
    at = settings.journal_at.kafka
    if at is None:
        raise ValueError("the settings name no journal on Kafka")
    if name == "librdkafka":
        from infra.kafka.librdkafka import LibrdkafkaClient

        return LibrdkafkaClient(at.servers, topic, settings.security)
    return PythonClient(at.servers, topic, settings.security)


def delete(settings: Settings, at: KafkaAt) -> None:
    """The topics of a run."""
    names = {at.journal, at.control, f"{at.prefix}.same.journal", f"{at.prefix}.single.journal"}
    admin = KafkaAdminClient(**connection(at.servers, settings.security), bootstrap_timeout_ms=5_000)
    try:
        there = names & set(admin.list_topics())
        admin.delete_topics(sorted(there), timeout_ms=30_000)
    except KafkaError as error:
        print(f"rescind bench: the topics of {at.prefix} could not be deleted: {error}")
    finally:
        admin.close()
