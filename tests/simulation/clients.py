"""Those who send commands: again and again under the same id, to any process, sometimes with another body.

They write down every answer, and hold it against every other answer to the same command.
"""

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from consumers.outcomes import Outcome
from domain.commands import Command, parse_command
from domain.policy import PolicyDocument
from tests.simulation.process import Process
from tests.simulation.traffic import Body

if TYPE_CHECKING:
    from tests.simulation.world import World


@dataclass(slots=True)
class Attempt:
    """One sending of a command to one life of a process."""

    name: str
    process: str
    command: Command
    future: Future[Outcome]
    outcome: Outcome | None = None
    lost: bool = False


@dataclass(slots=True)
class Intent:
    """A command that somebody wants done, under its id, and how it went so far."""

    body: Body
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        return f"{self.body['marketplace']}/{self.body['order_id']}", self.body["command_id"]


class Clients:
    """All senders together."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.intents: list[Intent] = []
        self.open: list[Attempt] = []
        self.publications: list[tuple[PolicyDocument, Future[Outcome]]] = []

    @property
    def waiting(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self.open)

    def act(self) -> None:
        """Send something: a new command, or an earlier one again."""
        rng = self.world.rng
        process = rng.choice(self.world.processes)
        if process.engine is None:
            return
        if self.intents and rng.random() < 0.4:
            intent = rng.choice(self.intents[-12:])
            body = self.world.traffic.twisted(intent.body) if rng.random() < 0.1 else intent.body
            self.send(process, intent, body)
        else:
            intent = Intent(self.world.traffic.next(self.world.time))
            self.intents.append(intent)
            self.send(process, intent, intent.body)
            if rng.random() < 0.15:
                self.send(rng.choice([p for p in self.world.processes if p.engine is not None]), intent, intent.body)

    def send(self, process: Process, intent: Intent, body: Body) -> None:
        assert process.engine is not None
        command = parse_command(dict(body))
        version = self.world.rng.randrange(6) if self.world.faults and self.world.rng.random() < 0.03 else None
        future = process.engine.submit(command, expected_version=version)
        name = f"{'/'.join(intent.key)} {body['command']} {command.fingerprint.hex()[:6]}"
        attempt = Attempt(name, process.name, command, future)
        intent.attempts.append(attempt)
        self.open.append(attempt)
        self.world.say(f"{process.name} is asked {name}")

    def publish(self, process: Process, document: PolicyDocument) -> None:
        assert process.engine is not None
        self.publications.append((document, process.engine.publish(document)))

    def lost(self, process: Process) -> None:
        """The process is gone, and with it every answer that it owed."""
        for attempt in self.open:
            if attempt.process == process.name and not attempt.future.done():
                attempt.lost = True
        self.open = [attempt for attempt in self.open if not attempt.lost]

    def listen(self) -> None:
        """Write down what was answered."""
        if not self.open:
            return
        still: list[Attempt] = []
        for attempt in self.open:
            if attempt.future.done():
                outcome = attempt.outcome = attempt.future.result()
                standing = "" if outcome.told.standing is None else outcome.told.standing.hash.hex()[:8]
                counts = self.world.counts
                counts[outcome.kind] = counts.get(outcome.kind, 0) + 1
                self.world.say(f"{attempt.process} answers {attempt.name}: {outcome.kind} {outcome.told.rule} {standing}")
            else:
                still.append(attempt)
        self.open = still

    def ask_again(self) -> None:
        """After healing: everything once more, to whoever comes along."""
        for intent in self.intents:
            self.send(self.world.rng.choice(self.world.processes), intent, intent.body)
