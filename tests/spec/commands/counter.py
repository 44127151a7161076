"""A gateway at which everything is done by hand: what comes, what the engine says, what is written, what fails."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from consumers.command_topic.gateway import Batch, Gateway, InputRecord, ReceivedRecord
from consumers.engine.dependencies import Confirm
from consumers.engine.outcome import Outcome, unavailable
from consumers.ports.public_log import PublicRecord
from domain.commands import Command, parse_command
from domain.instants import SECOND
from schemas.public.topics import COMMANDS, OUTCOMES

TIMEOUT = 30 * SECOND


def command(order: str, command_id: str) -> Command:
    actor = {"kind": "system", "id": "carrier"}
    named = {"command": "Deliver", "command_id": command_id, "marketplace": "acme", "order_id": order}
    return parse_command(named | {"actor": actor})


class PlainForm:
    """Records that hold ``ORDER COMMAND_ID``, or ``ORDER COMMAND_ID PARTITION`` where it belongs to another one, or
    nothing that can be read."""

    def __init__(self) -> None:
        self.not_ready: list[Outcome] = []
        """Answers to the next commands before they are decided."""

    def read(self, given: InputRecord) -> ReceivedRecord:
        words = (given.value or b"").decode().split()
        if len(words) not in (2, 3):
            return ReceivedRecord(given, answer=(self._record(given, b"letter"),))
        return ReceivedRecord(given, command(*words[:2]), belongs_to=int(words[2]) if words[2:] else None)

    def ready(self, command: ReceivedRecord) -> Outcome | None:
        return self.not_ready.pop(0) if self.not_ready else None

    def outcome_records(self, command: ReceivedRecord, outcome: Outcome) -> Sequence[PublicRecord]:
        return (self._record(command.record, (outcome.rule or outcome.kind).encode()),)

    def forwarded(self, command: ReceivedRecord) -> PublicRecord:
        assert command.command is not None
        return PublicRecord(COMMANDS, b"", f"{command.command.order_id} {command.command.command_id}".encode(), ())

    @staticmethod
    def _record(given: InputRecord, value: bytes) -> PublicRecord:
        return PublicRecord(OUTCOMES, f"{given.partition}:{given.offset}".encode(), value, ())


class Hands:
    """An engine that answers on request. It remembers the commands it accepted, as the log does."""

    def __init__(self) -> None:
        self.pending: list[tuple[Command, Future[Outcome]]] = []
        self.decided: dict[tuple[str, str], int] = defaultdict(int)
        self.order: dict[str, list[str]] = defaultdict(list)
        """Of each order the commands in the order in which they were decided."""

    def submit(
        self, command: Command, *, expected_version: int | None = None, confirm: Confirm | None = None
    ) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self.pending.append((command, future))
        return future

    def answer(self, at: int = 0, outcome: Outcome | None = None) -> None:
        """The open question at this place gets its answer: the recorded one if there is one."""
        command, future = self.pending.pop(at)
        name = (command.stream, command.command_id)
        if outcome is None and not self.decided[name]:
            self.decided[name] = 1
            self.order[command.stream].append(command.command_id)
            future.set_result(Outcome("accepted"))
        else:
            future.set_result(outcome or Outcome("duplicate", original=Outcome("accepted")))


@dataclass
class Counter:
    """The topics: what was sent, how far it is answered, and the outcomes."""

    form: PlainForm = field(default_factory=PlainForm)
    engine: Hands = field(default_factory=Hands)
    sent: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    read: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    outcomes: list[tuple[str, bytes]] = field(default_factory=list)
    now: int = 0

    def __post_init__(self) -> None:
        self.gateway = Gateway(self.form, self.engine, timeout=TIMEOUT)

    def send(self, partition: int, *values: str) -> None:
        self.sent[partition] += values

    def take(self, partition: int, most: int = 1_000) -> None:
        """Read on, as the consumer would."""
        first = self.read[partition]
        values = self.sent[partition][first : first + most]
        self.read[partition] += len(values)
        given = [InputRecord(partition, first + n, b"", value.encode(), {}) for n, value in enumerate(values)]
        self.gateway.take(given, self.now)

    def lose(self, *partitions: int) -> None:
        """Inputs come again from where they are answered."""
        self.gateway.revoke(partitions)
        for partition in partitions:
            self.read[partition] = self.committed[partition]

    def step(self) -> None:
        while self.gateway.step(self.now):
            pass

    def write(self, batch: Batch | None = None, *, confirmed: bool = True) -> None:
        """Write the batch to the topics. ``confirmed`` False: its writer never learns of it."""
        batch = batch or self.gateway.batch()
        if batch is None:
            return
        self.outcomes += [(record.key.decode(), record.value) for _, record in batch.records]
        self.committed.update(batch.offsets)
        if confirmed:
            self.gateway.written(batch)

    def answers(self) -> list[bytes]:
        return [value for _, value in self.outcomes]


NOT_NOW = unavailable("journal-unavailable", "the brokers do not answer")
