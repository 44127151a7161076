"""B2 from Kafka: a topic is read from its first record to its end, every commit decoded, hashed and admitted, every
event decoded and every order folded, in one thread. The baselines are the same client that only reads, and the same
work on records that are in memory already. Wall time, since the brokers and the client's own threads have a part in it.
"""

import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter

from consumers.ports.journal import JournalRecord
from infra.addresses.kafka import KafkaAt
from infra.kafka.admin import PARTITIONS
from infra.settings import Settings
from tests.bench.engine import acknowledged_on
from tests.bench.figures import Figure
from tests.bench.kafka import TIMEOUT, client_of, delete
from tests.bench.replaying import Folding


def measure(scale: float, settings: Settings, at: KafkaAt) -> Iterator[Figure]:
    """``scale`` 1: the topic that twenty thousand commands left."""
    partitions = settings.journal_at.partitions or PARTITIONS
    run = replace(at, prefix=f"{at.prefix}.b2.{uuid.uuid4().hex[:8]}")
    try:
        with tempfile.TemporaryDirectory(prefix="rescind-bench-") as place:
            here = {"journal": f"{run}?partitions={partitions}", "directory": place}
            acknowledged_on(settings.model_copy(update=here), 512, max(200, int(20_000 * scale)))
        began = perf_counter()
        loaded = [record for records in portions(settings, run, partitions) for record in records]
        reading = perf_counter() - began
        folding = Folding(partitions)
        began = perf_counter()
        for records in portions(settings, run, partitions):
            folding.take(records)
        seconds = perf_counter() - began
        again = Folding(partitions)
        began = perf_counter()
        again.take(loaded)
        memory = perf_counter() - began
    finally:
        delete(settings, run)
    events = folding.events
    yield Figure(
        "B2",
        f"replay from Kafka, {settings.kafka_client}: read, decode, hash, admit, fold",
        events / seconds,
        "events/s",
        {"reading alone": events / reading, "the same from memory": events / memory},
        {"events": float(events), "records": float(len(loaded)), "partitions": str(partitions)},
    )


def portions(settings: Settings, at: KafkaAt, partitions: int) -> Iterator[list[JournalRecord]]:
    """Every record of the topic as the client returns it; each partition in its order."""
    client = client_of(settings, settings.kafka_client, at.journal)
    reader = client.reader(partitions, 0.1)
    try:
        ends = reader.ends(TIMEOUT)
        reader.follow(dict.fromkeys(ends, 0))
        until = perf_counter() + TIMEOUT
        while any(reader.position(partition) < end for partition, end in ends.items()):
            if perf_counter() > until:
                raise RuntimeError(f"{at.journal} cannot be read to its end")
            yield from reader.poll(0.5, 10_000).values()
    finally:
        reader.close()
        client.close()
