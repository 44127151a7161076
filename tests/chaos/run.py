"""Three brokers, two engines on the same orders, mixed load, and a kill -9 every few seconds; then everything heals,
every command gets its answer, and the oracles look at the log."""

import base64
import queue
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from tests.broker.local import LocalCluster
from tests.chaos.engines import Engine, OutputLine
from tests.chaos.load import Load
from tests.chaos.oracles import check
from tests.postgresql.server import Server
from tests.simulation.oracles import Broken
from tests.simulation.traffic import MARKETS

PARTITIONS = 6
IN_FLIGHT = 24
"""Commands on their way at each engine."""
RATE = 400.0
"""Commands a second that are asked, at most: the brokers and the oracles have the same two cores."""
HEAL = 90.0
"""Seconds in which everything must be answered once nobody is killed any more."""
APPEND_WITHIN = 6
"""Seconds; short, so that outcomes become unknown and must be settled."""
ANSWER_WITHIN = 15
"""Seconds, where what is not followed is asked of others."""
SHARES = 0.7
"""How many lives follow a share, where some do."""
RETRIED = 2_000


@dataclass(slots=True)
class Report:
    """The result of a run."""

    seconds: float
    engines_killed: int
    brokers_killed: int
    intents: int
    attempts: int
    lost: int
    kinds: dict[str, int]
    p50: float
    p99: float
    longest: float
    silence: float
    heal: float
    commits: int
    events: int
    orders: int
    rejected: dict[str, int]
    passed_on: int

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.kinds.items(), key=lambda each: -each[1]))
        return (
            f"{self.seconds:.0f} s of load; kill -9: {self.engines_killed} engines, {self.brokers_killed} brokers\n"
            f"{self.intents:,} commands, sent {self.attempts:,} times; {self.lost:,} answers died with their process, "
            f"{self.passed_on:,} came from another process than the one that got the command\n"
            f"answers: {counts}\n"
            f"p50 {self.p50 * 1000:.0f} ms, p99 {self.p99 * 1000:.0f} ms, longest {self.longest:.1f} s; longest "
            f"without any definite answer {self.silence:.1f} s; all settled {self.heal:.1f} s after the last kill\n"
            f"log: {self.commits:,} commits, {self.events:,} events, {self.orders:,} orders; rejected "
            + ", ".join(f"{count:,} {kind}" for kind, count in self.rejected.items())
        )


class Breaker:
    """Kills something every few seconds: an engine, or a broker when all three are whole."""

    def __init__(self, rng: Random, cluster: LocalCluster, engines: list[Engine], note: Callable[[str], None]) -> None:
        self.killed: Counter[str] = Counter()
        self._rng = rng
        self._cluster = cluster
        self._engines = engines
        self._note = note
        self._next = time.monotonic() + 3
        self._down: tuple[int, float] | None = None
        self._healing: threading.Thread | None = None
        self._failed: list[BaseException] = []

    @property
    def whole(self) -> bool:
        """Whether every broker is in the cluster."""
        if self._failed:
            raise self._failed[0]
        return self._down is None and (self._healing is None or not self._healing.is_alive())

    def step(self) -> None:
        now = time.monotonic()
        self.mend(now)
        if now < self._next:
            return
        self._next = now + self._rng.uniform(2, 5)
        ready = [engine for engine in self._engines if engine.ready]
        if self.whole and (not ready or self._rng.random() < 0.4):
            number = self._rng.randrange(1, 4)
            self._note(f"kill -9 of broker {number}")
            self._cluster.node(number).kill()
            self._down = number, now + self._rng.uniform(0.2, 4)
            self.killed["broker"] += 1
        elif ready:
            engine = self._rng.choice(ready)
            self._note(f"kill -9 of engine {engine.name}")
            engine.kill()
            self.killed["engine"] += 1

    def mend(self, now: float) -> None:
        """Start a broker again whose time has come. From this thread: brokers end with the thread that starts them."""
        if self._down is not None and now >= self._down[1]:
            self._cluster.node(self._down[0]).start()
            self._down = None
            self._healing = threading.Thread(target=self._wait, daemon=True)
            self._healing.start()

    def _wait(self) -> None:
        try:
            self._cluster.wait()
        except Exception as error:  # noqa: BLE001 - raised again where somebody looks
            self._failed.append(error)


def chaos(minutes: float, seed: int, note: Callable[[str], None] = lambda line: None, *, share: bool = False) -> Report:
    """Run it. Broken where an oracle speaks. ``share``: in each of its lives an engine follows all partitions or the
    share that the group gives it, by chance."""
    with ExitStack() as closing:
        cluster = LocalCluster(3)
        closing.callback(cluster.close)
        database: Server | None = None
        if share:
            database = Server()
            closing.callback(database.close)
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="rescind-chaos-")))
        return _Run(cluster, folder, seed, note, database).run(minutes * 60)


class _Run:
    def __init__(
        self, cluster: LocalCluster, folder: Path, seed: int, note: Callable[[str], None], database: Server | None
    ) -> None:
        rng = Random(seed)
        self._began = time.monotonic()
        self._cluster = cluster
        self._note = lambda what: note(f"{time.monotonic() - self._began:7.1f} s  {what}")
        self._lines: queue.Queue[OutputLine] = queue.Queue()
        config = folder / "rescind.toml"
        config.write_text(_markets(), encoding="utf-8")
        environment = {
            "RESCIND_VAULT": str(folder / "vault.sqlite"),
            "RESCIND_VAULT_KEY": base64.b64encode(rng.randbytes(32)).decode(),
            "RESCIND_APPEND_WITHIN": str(APPEND_WITHIN),
        }
        if database is not None:
            environment |= {
                "RESCIND_VAULT": database.url,
                "RESCIND_VIEWS": database.url,
                "RESCIND_COMMANDS": "on",
                "RESCIND_ADVERTISE": "http://127.0.0.1:9",  # nobody reads here
                "RESCIND_ANSWER_WITHIN": str(ANSWER_WITHIN),
            }

        def lives() -> dict[str, str]:
            return {} if database is None else {"RESCIND_FOLLOW": "share" if rng.random() < SHARES else "all"}

        url = f"kafka://{cluster.servers}/chaos?partitions={PARTITIONS}"
        self._engines = [
            Engine(name, [str(config), url, str(folder / name)], environment, self._lines, lives) for name in ("a", "b")
        ]
        self._load = Load(rng, self._engines, IN_FLIGHT, RATE)
        self._breaker = Breaker(rng, cluster, self._engines, self._note)

    def run(self, seconds: float) -> Report:
        try:
            for engine in self._engines:  # the first one makes the topics
                engine.start()
                self._until(partial(_is_ready, engine), "an engine that starts")
            began = time.monotonic()
            while time.monotonic() < began + seconds:
                self._breaker.step()
                self._load.step()
                self._listen()
            ended = time.monotonic()
            self._until(self._healed, "everything to heal, and every command to be answered")
            heal = time.monotonic() - ended
            self._load.retry_all(RETRIED)
            self._until(self._load.settle, "the first answers once more")
            for engine in self._engines:
                engine.finish()
                code = engine.buried()
                if code:
                    raise Broken("end", f"engine {engine.name} ended with {code}")
        finally:
            for engine in self._engines:
                engine.destroy()
        return self._report(ended - began, heal)

    def _healed(self) -> bool:
        self._breaker.mend(time.monotonic())
        return self._load.settle() and self._breaker.whole and all(engine.ready for engine in self._engines)

    def _until(self, true: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + HEAL
        while not true():
            if time.monotonic() > until:
                raise Broken("answered", f"waited {HEAL:.0f} s for {what}: {self._load.owed()}")
            self._listen()

    def _listen(self) -> None:
        """Take the engines' output, for a moment."""
        until = time.monotonic() + 0.05
        wait = 0.005
        while time.monotonic() < until:
            try:
                engine, life, line = self._lines.get(timeout=wait)
            except queue.Empty:
                return
            wait = 0.0001
            if line is None:
                self._ended(engine, life)
            elif line == ["ready"]:
                engine.ready = not engine.ending
            else:
                self._load.heard(*line)

    def _ended(self, engine: Engine, life: int) -> None:
        code = engine.buried()
        if not engine.ending:
            raise Broken("end", f"engine {engine.name} ended by itself, with {code}")
        self._load.gone(engine, life)
        engine.start()

    def _report(self, seconds: float, heal: float) -> Report:
        load = self._load
        reading = check(self._cluster.servers, "chaos.journal", PARTITIONS, load.intents)
        latencies = sorted(load.latencies)
        p50, p99, longest = (latencies[min(int(len(latencies) * part), len(latencies) - 1)] for part in (0.5, 0.99, 1))
        killed = self._breaker.killed
        return Report(
            seconds,
            killed["engine"],
            killed["broker"],
            len(load.intents),
            sum(len(intent.attempts) for intent in load.intents),
            load.lost,
            dict(load.kinds),
            p50,
            p99,
            longest,
            load.silence,
            heal,
            len(reading.admitted),
            sum(len(admitted.commit["streams"][0]["events"]) for admitted in reading.admitted),
            len({admitted.stream for admitted in reading.admitted if not admitted.stream.startswith("$")}),
            reading.rejected,
            load.passed_on,
        )


def _is_ready(engine: Engine) -> bool:
    return engine.ready


def _markets() -> str:
    """The settings file of both engines: the simulation's marketplaces."""
    lines = []
    for name, market in MARKETS.items():
        lines += [f"[marketplaces.{name}]", f'policy = "{market.policy}"', f'timezone = "{market.timezone}"']
        if market.holiday_calendar:
            lines.append(f'holiday_calendar = "{market.holiday_calendar}"')
    return "\n".join(lines) + "\n"
