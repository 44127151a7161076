"""A desk for testing engines: two logs in memory, a clock set by hand, and engines on them."""

from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from typing import Any

from consumers.engine.control_log import ControlLog
from consumers.engine.engine import LIVE, Engine, EngineDependencies, EngineLimits, Mode
from consumers.engine.order_cache import CachedOrder
from consumers.engine.outcome import Outcome
from consumers.ports.local_state import LocalState
from consumers.ports.vault import VaultUnavailable
from domain.commands import parse_command
from domain.events import Event, Sealed
from domain.instants import Instant, parse_instant
from domain.marketplace_settings import MarketSettings
from domain.policy import PolicyDocument
from domain.presets import presets
from infra.journals.memory import Fate, MemoryJournal, MemoryLog
from infra.local_state import memory_local_state
from schemas.codec import decode_event
from schemas.commit import Commit
from schemas.record import decode_record
from schemas.wire import Malformed
from tests.presets import pinned

MORNING = parse_instant("2026-03-02T10:00:00Z")
LIMITS = EngineLimits(poll=0, schedule=0)

BUYER = {"kind": "buyer", "id": "b-1"}
SELLER = {"kind": "seller", "id": "s-1"}
SYSTEM = {"kind": "system", "id": "checkout"}


class Vault:
    """Stores texts, unless it is locked."""

    def __init__(self) -> None:
        self.sealed: list[tuple[str, str, str]] = []
        self.locked = False

    def seal(self, marketplace: str, subject: str, text: str) -> Sealed:
        if self.locked:
            raise VaultUnavailable("the vault is locked")
        self.sealed.append((marketplace, subject, text))
        return Sealed(len(self.sealed).to_bytes(32, "big"), f"v{len(self.sealed)}")


class Desk:
    """Logs, clock and engines. ``clock`` is the true time, with which appends are stamped. Engines may have another."""

    def __init__(self, partitions: int = 1, policy: str = "seller-portal", auto: bool = True) -> None:
        self.clock: Instant = MORNING
        self.ids = count(1)
        self.log = MemoryLog(partitions, lambda: self.clock, identity="journal", auto=auto)
        self.control_log = MemoryLog(1, lambda: self.clock, identity="control")
        self.markets: dict[str, MarketSettings] = {}
        self.market = MarketSettings(policy=pinned(policy))
        self.vault = Vault()
        self.fates: list[Fate] = []
        self.log.plan = lambda *_: self.fates.pop(0) if self.fates else "ok"
        self.engines: list[Engine] = []
        self.journals: list[MemoryJournal] = []
        self._control_state = memory_local_state(0, 1)
        control = self.control()
        control.create(partitions, MORNING, lambda settled: None)
        for document in presets():
            control.publish(document, MORNING, lambda verdict, settled: None)
        while control.step(MORNING):
            pass

    def new_id(self) -> bytes:
        return next(self.ids).to_bytes(16, "big")

    def control(self) -> ControlLog:
        """Return another process's control log, read to its end."""
        control = ControlLog(self.control_log.journal("control"), memory_local_state(0, 1), "setup", self.new_id)
        control.start()
        while control.follow():
            pass
        return control

    def engine(
        self,
        mode: Mode = LIVE,
        limits: EngineLimits = LIMITS,
        states: dict[int, LocalState] | None = None,
        backoff: Callable[[int], int] = lambda attempt: 0,
    ) -> Engine:
        """Start one more engine."""
        number = len(self.log.records)
        journal = self.log.journal(f"engine-{len(self.engines)}")
        ports = EngineDependencies(lambda name: self.markets.get(name, self.market), self.vault, self.new_id, backoff)
        given = {partition: memory_local_state(partition, number) for partition in range(number)}
        engine = Engine(journal, self.control(), states or given, ports, name=journal.by, mode=mode, limits=limits)
        engine.start()
        self.engines.append(engine)
        self.journals.append(journal)
        self.run(engine)
        return engine

    def run(self, *engines: Engine, now: Instant | None = None) -> None:
        """Step the engines (default: all) until none has anything to do."""
        for _ in range(200):
            moved = [engine.step(self.clock if now is None else now) for engine in engines or self.engines]
            if not any(moved):
                return
        raise AssertionError("it does not settle")

    def answer(self, engine: Engine, body: dict[str, Any], now: Instant | None = None, **how: Any) -> Outcome:
        """Submit a command, step this engine alone, and return the outcome."""
        future = engine.submit(parse_command(body), **how)
        self.run(engine, now=now)
        assert future.done(), "no answer"
        return future.result()

    def send(self, engine: Engine, body: dict[str, Any], **how: Any) -> "Future[Outcome]":
        """Submit a command without stepping."""
        return engine.submit(parse_command(body), **how)

    def publish(self, document: PolicyDocument) -> None:
        """Publish a policy from another process."""
        control = self.control()
        control.publish(document, self.clock, lambda verdict, settled: None)
        while control.step(self.clock):
            pass

    def commits(self) -> list[Commit]:
        """Return every commit in the log, admitted or not, in order."""
        from schemas.commit import decode_commit

        found = []
        for records in self.log.records:
            for record in records:
                for data in decode_record(record.value).commits:
                    try:
                        found.append(decode_commit(data))
                    except Malformed:
                        continue
        return found


def body(
    command: str, command_id: str, actor: dict[str, str], order: str = "acme/PO-1", **fields: Any
) -> dict[str, Any]:
    """Return a command's JSON."""
    marketplace, _, order_id = order.partition("/")
    return {
        "command": command,
        "command_id": command_id,
        "marketplace": marketplace,
        "order_id": order_id,
        "actor": actor,
        **fields,
    }


def place(command_id: str = "place", order: str = "acme/PO-1", quantity: int = 10, **fields: Any) -> dict[str, Any]:
    """Return a command that places an order of one line."""
    lines = [{"line": 1, "sku": "A-1", "quantity": quantity, "unit_price": "10.00"}]
    usual = {"buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "lines": lines}
    return body("PlaceOrder", command_id, SYSTEM, order, **{**usual, **fields})


def ship(command_id: str, quantity: int, order: str = "acme/PO-1", **fields: Any) -> dict[str, Any]:
    """Return a command that ships one line."""
    lines = [{"line": 1, "quantity": quantity}]
    return body("Ship", command_id, SELLER, order, shipment_id=f"asn-{command_id}", lines=lines, **fields)


def names(outcome: Outcome) -> list[str]:
    """Return the names of an outcome's events."""
    return [type(event).__name__ for event, _ in outcome.events]


def written(commit: Commit) -> list[Event]:
    """Return a commit's events."""
    entries = [entry for part in commit.streams for entry in part.events]
    return [decode_event(entry.name, entry.schema_version, entry.body) for entry in entries]


def folded(engine: Engine, order: str = "acme/PO-1") -> CachedOrder:
    """Return an order as an engine has it cached."""
    return engine.orders.get(engine.partition(order), order)
