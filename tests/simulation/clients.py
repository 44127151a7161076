"""Those who send commands: again and again under the same id, to any process, sometimes with another body.

They write down every answer, and hold it against every other answer to the same command.
"""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from consumers.engine.outcome import Outcome
from domain.commands import Command, parse_command
from domain.errors import BadInput
from domain.policy import PolicyDocument
from tests.simulation.process import Process
from tests.simulation.traffic import Body

if TYPE_CHECKING:
    from tests.simulation.world import World


@dataclass(eq=False, slots=True)
class Attempt:
    """One sending of a command to one life of a process."""

    name: str
    process: str
    body: Body
    command: Command
    future: Future[Outcome]
    asked: int
    """When it was sent: a number that grows with every sending and every answer."""
    end: int
    """The log's end of its partition, and of the control log, when it was sent."""
    control_end: int
    answered: int = 0
    outcome: Outcome | None = None
    defect: BaseException | None = None
    """The error that the engine raised instead of answering."""
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
        self._heard: deque[Attempt] = deque()
        self._moment = 0
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
        try:
            command = parse_command(dict(body))
        except BadInput as wrong:
            self.world.trace_line(f"{intent.key} is not sent: {wrong}")
            return
        version = self.world.rng.randrange(6) if self.world.faults and self.world.rng.random() < 0.03 else None
        future = process.engine.submit(command, expected_version=version)
        name = f"{'/'.join(intent.key)} {body['command']} {command.fingerprint.hex()[:6]}"
        partition = process.engine.partition(command.stream)
        ends = len(self.world.log.records[partition]), len(self.world.control_log.records[0])
        self._moment += 1
        attempt = Attempt(name, process.name, body, command, future, self._moment, *ends)
        intent.attempts.append(attempt)
        self.open.append(attempt)
        future.add_done_callback(lambda _: self._heard.append(attempt))
        self.world.trace_line(f"{process.name} gets {name}")

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
        while self._heard:
            attempt = self._heard.popleft()
            if attempt.lost:
                continue
            self.open.remove(attempt)
            attempt.defect = attempt.future.exception()
            if attempt.defect is not None:
                continue
            outcome = attempt.outcome = attempt.future.result()
            self._moment += 1
            attempt.answered = self._moment
            if outcome.effective.kind == "accepted":
                self.world.traffic.heard(attempt.body)
            commit_position = (
                "" if outcome.effective.commit_position is None else outcome.effective.commit_position.hash.hex()[:8]
            )
            counts = self.world.counts
            counts[outcome.kind] = counts.get(outcome.kind, 0) + 1
            self.world.trace_line(
                f"{attempt.process} answers {attempt.name}: {outcome.kind} {outcome.effective.rule} {commit_position}"
            )

    def retry_unsettled(self) -> None:
        """After healing: everything once more, to whoever comes along."""
        for intent in self.intents:
            self.send(self.world.rng.choice(self.world.processes), intent, intent.body)
