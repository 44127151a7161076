"""Histories for tests of views: commands are decided one after another and admitted into local state in memory.

No engine, no journal: the log's end is the last command sent.
"""

from collections.abc import Sequence
from typing import Any

from consumers.engine.control_log import entries
from consumers.log.admission import Admission
from consumers.ports.journal import JournalRecord
from consumers.ports.log_values import Admitted
from domain.commands import Command, parse_command
from domain.decide import Decided, decide, due, reach
from domain.events import Event, JournalCreated, Sealed
from domain.instants import Instant, parse_instant
from domain.marketplace_settings import MarketSettings
from domain.order import Order
from domain.policy import PolicyBook
from domain.presets import presets
from infra.local_state import memory_local_state
from schemas.commit import (
    COMMIT_VERSION,
    ZERO_HASH,
    ActorEntry,
    Commit,
    EventEntry,
    StreamEntry,
    commit_id,
    encode_commit,
)
from schemas.partitioning import partition_of
from schemas.record import encode_record
from tests.presets import pinned

MARKET = "acme"
MONDAY = "2026-03-02T10:00:00Z"


class Log:
    """One partition (of however many), written commit by commit."""

    def __init__(self, partition: int = 0, partitions: int = 1) -> None:
        self.partition = partition
        self.state = memory_local_state(partition, partitions)
        self._admission = Admission(partition, partitions, self.state)
        self._ids = 0

    def append(
        self,
        parts: Sequence[tuple[str, Sequence[EventEntry]]],
        recorded_at: Instant,
        actor: tuple[str, str] | None = None,
        command_id: str | None = None,
        fingerprint: bytes | None = None,
    ) -> Admitted:
        """One commit over these chain streams, admitted."""
        streams = []
        for stream, events in parts:
            head = self.state.head(stream)
            parent, count = (ZERO_HASH, 0) if head is None else (head.hash, head.count)
            streams.append(StreamEntry(stream, "chain", parent, count, tuple(events)))
        self._ids += 1
        first = streams[0]
        id = self._ids.to_bytes(16, "big") if command_id is None else commit_id(first.stream, command_id, first.parent)
        commit = Commit(
            COMMIT_VERSION,
            id,
            command_id,
            fingerprint,
            None if actor is None else ActorEntry(*actor),
            None,
            None,
            recorded_at,
            "test",
            tuple(streams),
        )
        offset = self.state.next_offset
        record = JournalRecord(self.partition, offset, recorded_at, encode_record("test", [encode_commit(commit)]))
        [verdict] = self._admission.take(record)
        assert isinstance(verdict, Admitted), verdict
        self.state.flush(offset + 1)
        return verdict

    def write(self, stream: str, *events: Event, at: str = MONDAY, actor: tuple[str, str] | None = None) -> Admitted:
        """A commit of these events on one stream, decided by nobody."""
        instant = parse_instant(at)
        return self.append([(stream, entries([(event, instant) for event in events]))], instant, actor)


def control_log() -> Log:
    """A control log with the seven presets."""
    log = Log()
    log.write("$journal", JournalCreated(1))
    for document in presets():
        log.write(f"$policy/{document.policy.id}", document.published, actor=("system", "engine"))
    return log


def book() -> PolicyBook:
    """The seven presets, published."""
    made = PolicyBook()
    for document in presets():
        made = made.with_published(document.published)
    return made


class History:
    """A marketplace that decides commands; deadlines before a command's instant are reached first."""

    def __init__(self, partitions: int = 1, market: MarketSettings | None = None) -> None:
        self.logs = [Log(partition, partitions) for partition in range(partitions)]
        self.market = market or MarketSettings()
        self.orders: dict[str, Order] = {}
        self._book = book()
        self._last = 0
        self._count = 0

    def log_of(self, order_id: str) -> Log:
        return self.logs[partition_of(f"{MARKET}/{order_id}", len(self.logs))]

    def send(self, command: str, order_id: str = "PO-1", at: str | None = None, **fields: Any) -> Decided:
        """Decide a command and commit its events. ``actor`` is KIND or KIND/ID."""
        self._count += 1
        kind, _, name = fields.pop("actor", "system/test").partition("/")
        own = {"buyer": "b-1", "seller": "s-1"}
        at = at or MONDAY
        parsed = parse_command(
            {
                "command": command,
                "command_id": fields.pop("command_id", f"c{self._count}"),
                "marketplace": MARKET,
                "order_id": order_id,
                "at": at,
                "actor": {"kind": kind, "id": name or own.get(kind, "test")},
                **fields,
            }
        )
        parsed.seal(lambda field, text: Sealed(bytes([len(text) % 256]) * 32, f"{field}-{self._count}"))
        now = parse_instant(at)
        self.reach(order_id, now)
        decided = decide(self.orders.get(order_id), parsed, self._book, self.market, now)
        if not decided.answer:
            self._commit(parsed, decided, max(now, self._recorded_at(order_id)))
        return decided

    def place(self, order_id: str = "PO-1", at: str | None = None, **fields: Any) -> Decided:
        """Place an order: one line of 10 units at 10.00 under seller-portal, unless ``fields`` differ."""
        lines = fields.pop("lines", [{"line": 1, "sku": "A-1", "title": "Lamp", "quantity": 10, "unit_price": "10.00"}])
        given = {"buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "policy": "seller-portal", **fields}
        given["policy"] = pinned(given["policy"])
        decided = self.send("PlaceOrder", order_id, at, lines=lines, **given)
        assert decided.refused is None, decided
        return decided

    def reach(self, order_id: str, until: Instant) -> None:
        """Reach the order's deadlines before an instant, each in its own commit."""
        while (order := self.orders.get(order_id)) is not None and (waiting := due(order, until)):
            instant = max(waiting[0].due_at, order.recorded_at)
            decided = reach(order, waiting[0], self._book, self.market, instant)
            assert not decided.answer
            stream = f"{MARKET}/{order_id}"
            self.log_of(order_id).append(
                [(stream, entries(decided.events))], instant, None, f"deadline:{waiting[0].deadline_id}"
            )
            self.orders[order_id] = decided.order

    def _recorded_at(self, order_id: str) -> Instant:
        order = self.orders.get(order_id)
        return 0 if order is None else order.recorded_at

    def _commit(self, command: Command, decided: Decided, recorded_at: Instant) -> None:
        order_id = command.stream.partition("/")[2]
        actor = (command.actor.kind, command.actor.id)
        self.log_of(order_id).append(
            [(command.stream, entries(decided.events))], recorded_at, actor, command.command_id, command.fingerprint
        )
        self.orders[order_id] = decided.order

    @property
    def log(self) -> Log:
        """The only partition."""
        [log] = self.logs
        return log
