"""Baseline of B1 and B2: the same orders through the `eventsourcing` library's own SQLite recorder.

Two shapes, both with the library as it comes. ``write`` gives its recorder the very events that our journal has (same
bodies, same commits), so only storing is measured: one transaction each, one writer at a time, no group commit.
``write_as_application`` does what its users do: load the aggregate, trigger, save; three saves an order, events as JSON
of the same sizes. ``replay`` reads such a file back through the notification log into aggregates.

Durability of both: WAL with ``synchronous`` as SQLite's own default has it (``durability`` says which: FULL, an fsync
of the log a transaction, the same promise as our journal's default).
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, CanMutateAggregate, event
from eventsourcing.persistence import ApplicationRecorder, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from infra.eventsourcing_journal import Factory
from schemas.commit import Commit

TIMEOUT: Final = 600
"""Seconds a writer waits for its turn: the library's five are too few for 512 in flight on a slow disk."""
PAGE: Final = 1000
"""Notifications read at a time in a replay."""
_SYNCHRONOUS: Final = ("OFF", "NORMAL", "FULL", "EXTRA")
_ORDERS: Final = UUID("6f1d7a52-8c0e-4f6b-9a53-0d1c7e2b4a90")


class Save(NamedTuple):
    """One commit of one order: its stream, the number of its first event, and (name, body) of each."""

    stream: str
    first: int
    events: tuple[tuple[str, bytes], ...]


@dataclass(slots=True)
class Written:
    """The times of writing. Latencies are of single saves, in microseconds."""

    commits: int
    events: int
    in_flight: int
    seconds: float
    p50: float
    p99: float
    durability: str

    @property
    def commits_per_second(self) -> float:
        return self.commits / self.seconds


@dataclass(slots=True)
class Replayed:
    """The time of reading everything back."""

    events: int
    aggregates: int
    seconds: float

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds


def orders_of(commits: Iterable[Commit]) -> list[list[Save]]:
    """The saves of each order, in log order, from the commits of our journal; empty commits have nothing to save."""
    orders: dict[str, list[Save]] = {}
    for commit in commits:
        for part in commit.streams:
            if part.kind == "chain" and part.events and not part.stream.startswith("$"):
                events = tuple((entry.name, entry.body) for entry in part.events)
                orders.setdefault(part.stream, []).append(Save(part.stream, part.first_event, events))
    return list(orders.values())


def write(path: Path, orders: Sequence[Sequence[Save]], in_flight: int) -> Written:
    """Write the orders through the library's application recorder, ``in_flight`` of them at a time."""
    datastore = SQLiteDatastore(str(path), lock_timeout=TIMEOUT, pool_timeout=TIMEOUT, originator_id_type="text")
    recorder = SQLiteApplicationRecorder(datastore)
    recorder.create_table()
    try:
        return measured(orders, in_flight, through(recorder), durability(path))
    finally:
        datastore.close()


def write_on_journal(directory: Path, orders: Sequence[Sequence[Save]], in_flight: int) -> Written:
    """Write through the library's recorder on our journal: the gain of an application that changes its module."""
    factory = Factory({"JOURNAL_URL": f"sqlite:///{directory}", "JOURNAL_TOPIC": "orders"})
    try:
        return measured(orders, in_flight, through(factory.application_recorder()), "wal, synchronous=FULL")
    finally:
        factory.close()


def write_as_application(path: Path, orders: Sequence[Sequence[Save]], in_flight: int) -> Written:
    """Write as many aggregates with as many saves, each event of the same size, through the library's Application."""
    with _application(path) as app:
        return measured(orders, in_flight, write_purchases(app), durability(path))


def write_purchases(app: "Purchases") -> Callable[[Sequence[Save], list[int]], None]:
    """Load, trigger and save an order's aggregate, once for each of its saves."""

    def write_order(order: Sequence[Save], took: list[int]) -> None:
        stream = order[0].stream
        for save in order:
            began = perf_counter_ns()
            purchase: Purchase = (
                app.repository.get(Purchase.create_id(stream)) if save.first else Purchase(stream=stream)
            )
            for name, body in save.events:
                purchase.note(name, "x" * len(body))
            app.save(purchase)
            took.append(perf_counter_ns() - began)

    return write_order


def replay(path: Path) -> Replayed:
    """Everything that ``write_as_application`` wrote, through the notification log into aggregates again."""
    with _application(path) as app:
        aggregates: dict[UUID, Purchase | None] = {}
        events = 0
        began = perf_counter()
        while page := app.recorder.select_notifications(events + 1, PAGE):
            for notification in page:
                happened = app.mapper.to_domain_event(notification)
                assert isinstance(happened, CanMutateAggregate)
                id = happened.originator_id
                aggregates[id] = happened.mutate(aggregates.get(id))
            events += len(page)
        return Replayed(events, len(aggregates), perf_counter() - began)


def durability(path: Path) -> str:
    """Journal mode and ``synchronous`` that a connection of the library's to this file has."""
    with sqlite3.connect(path) as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    connection.close()
    return f"{mode}, synchronous={_SYNCHRONOUS[synchronous]}"


class Purchase(Aggregate):
    """An order as one would write it with the library: each event goes through a decorated method."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.sizes: dict[str, int] = {}

    @staticmethod
    def create_id(stream: str) -> UUID:
        return uuid5(_ORDERS, stream)

    @event("Noted")
    def note(self, name: str, document: str) -> None:
        self.sizes[name] = self.sizes.get(name, 0) + len(document)


class Purchases(Application[UUID]):
    """The library's application."""

    name = "purchases"


def _application(path: Path) -> Purchases:
    return Purchases({"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path)})


def through(recorder: ApplicationRecorder) -> Callable[[Sequence[Save], list[int]], None]:
    """Write an order's saves by a recorder alone."""

    def write_order(order: Sequence[Save], took: list[int]) -> None:
        for save in order:
            began = perf_counter_ns()
            recorder.insert_events(
                [StoredEvent(save.stream, save.first + n, name, body) for n, (name, body) in enumerate(save.events)]
            )
            took.append(perf_counter_ns() - began)

    return write_order


def measured(
    orders: Sequence[Sequence[Save]],
    in_flight: int,
    write_order: Callable[[Sequence[Save], list[int]], None],
    durability: str,
) -> Written:
    """Write the orders with so many threads, each order by one of them, its saves one after the other."""
    took: list[list[int]] = [[] for _ in range(in_flight)]
    left = iter(orders)

    def work(mine: list[int]) -> None:
        for order in left:
            write_order(order, mine)

    began = perf_counter()
    with ThreadPoolExecutor(in_flight) as threads:
        for done in [threads.submit(work, mine) for mine in took]:
            done.result()
    seconds = perf_counter() - began
    latencies = sorted(nanoseconds for mine in took for nanoseconds in mine)
    commits = len(latencies)
    return Written(
        commits=commits,
        events=sum(len(save.events) for order in orders for save in order),
        in_flight=in_flight,
        seconds=seconds,
        p50=latencies[commits // 2] / 1000,
        p99=latencies[commits * 99 // 100] / 1000,
        durability=durability,
    )
