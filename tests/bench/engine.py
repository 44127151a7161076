"""B1 on the embedded journal: acknowledged commands per second through the whole engine.

Clients in a closed loop: each has one order and one command on its way; as soon as that is acknowledged it sends the
next one, from placing over a request, its approval and a shipping notice to the next order. Measured is everything
between a parsed command and its outcome: decide, encode, append with ``synchronous`` as set, read back, admit, local
state. ``overhead`` is the same without a disk and without a decision: what the engine itself costs.
"""

import gc
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter, perf_counter_ns, process_time, sleep, time_ns
from typing import Any, Final

from consumers.engine.control_log import ControlLog
from consumers.engine.engine import Engine, EngineDependencies, EngineLimits
from consumers.engine.outcome import Outcome
from domain.commands import Command, parse_command
from domain.events import Sealed
from domain.marketplace_settings import MarketSettings
from domain.presets import preset
from infra.app import GARBAGE, AppOptions, open_app
from infra.journals.memory import MemoryLog
from infra.local_state import memory_local_state
from infra.settings import Settings

PER_ORDER: Final = 4
"""Commands of one order's life."""
MARKETPLACE: Final = "bench"
POLICY: Final = "seller-portal"


@dataclass(slots=True)
class Measured:
    """The result of a run. Latencies in microseconds, from submit to outcome; ``cpu`` is seconds of all threads."""

    in_flight: int
    commands: int
    events: int
    seconds: float
    cpu: float
    p50: float
    p99: float
    kinds: dict[str, int]

    @property
    def per_second(self) -> float:
        """Acknowledged commands per second."""
        return self.commands / self.seconds

    @property
    def cpu_per_command(self) -> float:
        """Microseconds of processor time per acknowledged command."""
        return self.cpu / self.commands * 1e6


def life(number: int) -> list[Command]:
    """The commands of one order: placed with two lines, a request for one is granted, the rest is shipped."""
    common = {"marketplace": MARKETPLACE, "order_id": f"PO-{number:08}"}
    buyer = {"kind": "buyer", "id": f"b-{number % 997}"}
    seller = {"kind": "seller", "id": f"s-{number % 89}"}
    lines = [
        {"line": 1, "sku": f"SKU-{number % 53}", "title": "Lamp", "quantity": 3, "unit_price": "19.90", "tax": "1.10"},
        {"line": 2, "sku": f"SKU-{number % 31}", "title": "Shade", "quantity": 1, "unit_price": "7.50"},
    ]
    parties = {"buyer_id": buyer["id"], "seller_id": seller["id"], "policy": POLICY}
    placing = {**parties, "currency": "USD", "shipping": "4.90", "lines": lines}
    system = {"kind": "system", "id": "checkout"}
    request = {"request_id": "r1", "reason": "changed_mind", "lines": [2]}
    shipping = {"shipment_id": "asn-1", "carrier": "UPS", "tracking_number": f"1Z{number:010}", "lines": [1]}
    bodies: list[dict[str, Any]] = [
        {"command": "PlaceOrder", "command_id": "place", **common, "actor": system, **placing},
        {"command": "RequestCancel", "command_id": "ask", **common, "actor": buyer, **request},
        {"command": "ApproveCancel", "command_id": "grant", **common, "actor": seller, "request_id": "r1"},
        {"command": "Ship", "command_id": "ship", **common, "actor": seller, **shipping},
    ]
    return [parse_command(body) for body in bodies]


class Clients:
    """Clients that each wait for their answer before they send the next command."""

    def __init__(self, engine: Engine, lives: Iterator[list[Command]], commands: int) -> None:
        self._engine = engine
        self._lives = lives
        self._left = commands
        self._open = 0
        self.latencies: list[int] = []
        self.events = 0
        self.kinds: dict[str, int] = {}
        self.done = threading.Event()

    def start(self, clients: int) -> None:
        """Let so many begin."""
        self._open = clients
        for _ in range(clients):
            self._next(iter(()))

    def _next(self, rest: Iterator[Command]) -> None:
        if self._left <= 0:
            self._open -= 1
            if not self._open:
                self.done.set()
            return
        command = next(rest, None)
        if command is None:
            rest = iter(next(self._lives))
            command = next(rest)
        self._left -= 1
        began = perf_counter_ns()

        def answered(future: Future[Outcome]) -> None:
            self.latencies.append(perf_counter_ns() - began)
            outcome = future.result()
            self.events += len(outcome.events)
            self.kinds[outcome.kind] = self.kinds.get(outcome.kind, 0) + 1
            self._next(rest)

        self._engine.submit(command).add_done_callback(answered)


def acknowledged(directory: Path, in_flight: int, commands: int, *, partitions: int = 1, first: int = 0) -> Measured:
    """Run ``commands`` through the engine on the embedded journal in ``directory``, ``in_flight`` at a time."""
    return acknowledged_on(
        Settings(journal=f"sqlite:///{directory}?partitions={partitions}"), in_flight, commands, first
    )


def acknowledged_on(settings: Settings, in_flight: int, commands: int, first: int = 0) -> Measured:
    """Measure acknowledged commands on the journal of these settings, which is created if it is missing."""
    with open_app(prepared(settings, in_flight), AppOptions(views=False)) as app:
        return measure_in(app.engine, in_flight, commands, first)


def paced_on(settings: Settings, rate: float, commands: int, before: int = 0) -> Measured:
    """Measure acknowledged commands in an open loop: ``rate`` commands a second, each sent when it is due.

    A latency counts from when its command was due, so that a late sender hides nothing. The first ``before`` commands
    are not counted, because connections are made and code is compiled during them.
    """
    with open_app(prepared(settings, before + commands), AppOptions(views=False)) as app:
        return _paced(app.engine, rate, commands, before)


def _paced(engine: Engine, rate: float, commands: int, before: int) -> Measured:
    lives = [life(number) for number in range(-(-(before + commands) // PER_ORDER))]
    turns = list(_in_turns(lives, max(1, int(rate / PER_ORDER))))[: before + commands]
    latencies: list[int] = []
    kinds: Counter[str] = Counter()
    events = 0
    left = len(turns)
    done = threading.Event()

    def answered(due: int, future: Future[Outcome]) -> None:
        nonlocal events, left
        if due >= counted_from:
            latencies.append(perf_counter_ns() - due)
            outcome = future.result()
            kinds[outcome.kind] += 1
            events += len(outcome.events)
        left -= 1
        if not left:
            done.set()

    began, cpu = perf_counter_ns(), process_time()
    counted_from = began + int(before / rate * 1e9)
    for number, command in enumerate(turns):
        due = began + int(number / rate * 1e9)
        while (early := due - perf_counter_ns()) > 0:
            sleep(early / 1e9)
        if number == before:
            cpu = process_time()
        engine.submit(command).add_done_callback(partial(answered, due))
    done.wait()
    seconds = (perf_counter_ns() - counted_from) / 1e9
    return _measured(len(latencies), latencies, events, seconds, process_time() - cpu, dict(kinds))


def _in_turns(lives: Sequence[list[Command]], orders: int) -> Iterator[Command]:
    """The first commands of so many orders, then their second ones, and so on; then those of the next orders."""
    for first in range(0, len(lives), orders):
        for step in range(PER_ORDER):
            for commands in lives[first : first + orders]:
                yield commands[step]


def prepared(settings: Settings, in_flight: int) -> Settings:
    """These settings, with room for so many commands at once."""
    return settings.model_copy(update={"commands_in_flight": max(1024, in_flight)})


def overhead(in_flight: int, commands: int) -> Measured:
    """Measure acknowledged commands on a journal and local state in memory, with the loop in this thread."""
    ids = count()

    def new_id() -> bytes:
        return next(ids).to_bytes(16, "big")

    def clock() -> int:
        return time_ns() // 1000

    control = ControlLog(MemoryLog(1, clock).journal(), memory_local_state(0, 1), "bench", new_id)
    control.start()
    control.publish(preset(POLICY), clock(), lambda verdict, settled: None)
    while control.step(clock()):
        pass
    ports = EngineDependencies(lambda name: MarketSettings(), _NoVault(), new_id, lambda attempt: 0)
    journal = MemoryLog(1, clock).journal("bench")
    engine = Engine(journal, control, {0: memory_local_state(0, 1)}, ports, name="bench", limits=EngineLimits())
    engine.start()
    return measure_in(engine, in_flight, commands, 0, step=lambda: engine.step(clock()))


class _NoVault:
    def seal(self, marketplace: str, subject: str, text: str) -> Sealed:
        raise AssertionError("the bench's commands carry no texts")


def measure_in(engine: Engine, in_flight: int, commands: int, first: int, step: Any = None) -> Measured:
    """Work through so many commands on orders that are numbered from ``first`` on, and time it."""
    lives = [life(first + number) for number in range(commands // PER_ORDER + in_flight + 1)]
    clients = Clients(engine, iter(lives), commands)
    began, cpu = perf_counter(), process_time()
    clients.start(in_flight)
    if step is None:
        clients.done.wait()
    else:
        while not clients.done.is_set():
            step()
    seconds, cpu = perf_counter() - began, process_time() - cpu
    return _measured(in_flight, clients.latencies, clients.events, seconds, cpu, clients.kinds)


def _measured(
    in_flight: int, latencies: list[int], events: int, seconds: float, cpu: float, kinds: dict[str, int]
) -> Measured:
    latencies = sorted(latencies)
    p50, p99 = (latencies[int(len(latencies) * part)] / 1000 for part in (0.5, 0.99))
    return Measured(in_flight, len(latencies), events, seconds, cpu, p50, p99, kinds)


def main() -> None:
    """Print a table: python -m tests.bench.engine."""
    gc.set_threshold(*GARBAGE)
    for in_flight in (1, 16, 128, 512):
        with tempfile.TemporaryDirectory() as place:
            found = acknowledged(Path(place), in_flight, 400 if in_flight == 1 else 8000)
        print(
            f"sqlite {in_flight:4} in flight: {found.per_second:8.0f}/s  p50 {found.p50 / 1000:6.1f} ms  "
            f"p99 {found.p99 / 1000:6.1f} ms  {found.cpu_per_command:6.1f} µs cpu a command  {found.kinds}"
        )
    found = overhead(128, 20_000)
    print(f"memory  128 in flight: {found.per_second:8.0f}/s  {found.cpu_per_command:6.1f} µs cpu a command")


if __name__ == "__main__":
    main()
