"""Imports left open: nothing live happens to their marketplace, and a deadline due in that time never fires.

A world that has settled after all its faults. An import of one marketplace is opened, by an engine that then dies;
time passes; the engines die and come back; the import is closed; time passes again.
"""

from consumers.engine.engine import Engine
from domain import events as e
from domain.deadlines import live
from domain.instants import DAY, Instant
from tests.simulation.clients import Intent
from tests.simulation.oracles import Broken, decoded, fold
from tests.simulation.reader import read
from tests.simulation.world import Build, World

SOURCE = bytes(range(32))
"""The input's SHA-256."""


class LeftOpen(World):
    """The world, and an import of ``market`` that somebody leaves open."""

    def __init__(self, seed: int, build: Build = Engine) -> None:
        super().__init__(seed, build)
        self.market = self.markets[0]
        self.opened_at: Instant = 0
        self.turned_away = 0
        self.spared = 0
        """Deadlines that were due while it was open."""
        self.fired = 0
        """Number of deadlines of other marketplaces that fired while it was open."""

    def run(self, steps: int = 900) -> None:
        super().run(steps)
        opening = self.rng.choice(self.processes)
        assert opening.engine is not None
        opened = opening.engine.open_import(self.market, SOURCE)
        self.settle()
        assert opened.result().kind == "accepted", opened.result()
        self.opened_at = self.time
        opening.crash(self.rng.choice(("intact", "torn", "lost")))
        self._pass(6 * DAY)
        self._ask()
        opening.start()
        other = self.rng.choice(self.processes)
        other.crash("lost")
        other.start()
        self._pass(6 * DAY)
        self.fired = self._fired(mine=False)
        if self._fired(mine=True):
            raise Broken("import", f"a deadline of {self.market} fired while an import of it was open")
        self.spared = self._due()
        closing = self.rng.choice(self.processes)
        assert closing.engine is not None
        closed = closing.engine.close_import(self.market, SOURCE, None)
        self.settle()
        assert closed.result().kind == "accepted", closed.result()
        closing.crash("lost")
        closing.start()
        self._pass(30 * DAY)
        self._never_late()

    def _pass(self, long: int) -> None:
        """Time passes for all who are there, day by day."""
        until = self.time + long
        while self.time < until:
            self.time += DAY
            self.settle()

    def _ask(self) -> None:
        """Send a command to every order. Those of the imported marketplace are refused."""
        for intent in [each for each in self.clients.intents if each.body["command"] == "SendMessage"]:
            body = {**intent.body, "command_id": f"late-{intent.body['command_id']}", "message_id": "m-late"}
            intent = Intent(body)
            self.clients.intents.append(intent)
            self.clients.send(self.rng.choice([p for p in self.processes if p.engine is not None]), intent, body)
            self.settle()
            for attempt in intent.attempts:
                mine = attempt.command.marketplace == self.market
                assert attempt.outcome is not None
                rule = attempt.outcome.rule
                if mine and attempt.outcome.commit_position is not None:
                    raise Broken("import", f"{attempt.name} was decided while an import was open")
                if (rule == "import-open") > mine:
                    raise Broken("import", f"{attempt.name} was turned away for another marketplace's import")
                self.turned_away += rule == "import-open"

    def _fired(self, *, mine: bool) -> int:
        """Commits since the opening that reach a deadline, of the imported marketplace or of the others."""
        found = 0
        for admitted in read(self.log).admitted:
            if admitted.appended_at < self.opened_at or admitted.stream.startswith(f"{self.market}/") is not mine:
                continue
            found += any(isinstance(event, e.DeadlineReached) for event in decoded(admitted))
        return found

    def _due(self) -> int:
        """Deadlines of the imported marketplace that apply and are past."""
        reading = read(self.log)
        streams = {admitted.stream for admitted in reading.admitted if admitted.stream.startswith(f"{self.market}/")}
        orders = [fold(reading, stream).order for stream in sorted(streams)]
        return sum(each.due_at < self.time for order in orders if order is not None for each in live(order))

    def _never_late(self) -> None:
        """A deadline that was due before the closing never fires live."""
        closed: dict[int, Instant] = {}
        for admitted in read(self.log).admitted:
            for event in decoded(admitted):
                if isinstance(event, e.ImportClosed):
                    closed[admitted.partition] = admitted.commit["recorded_at"]
                if not isinstance(event, e.DeadlineReached) or not admitted.stream.startswith(f"{self.market}/"):
                    continue
                if event.due_at < closed.get(admitted.partition, 0):
                    raise Broken("import", f"{admitted.stream} {event.deadline_id} was due before the import closed")
