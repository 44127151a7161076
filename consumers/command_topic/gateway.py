"""The gateway: takes commands from a topic, has them decided in order, and answers them on another topic.

It takes records of ``PREFIX.commands``, submits their commands to the engine, and returns batches of outcomes together
with the offsets that are answered. Its caller writes both in one transaction. An input without a written answer comes
again after a crash, after a failed transaction, or when a partition moves. A command that was decided before then gets
its recorded outcome, by its id. A command that came by another partition than its order's is not decided: a copy is
written to the right partition, in the same transaction as the offset. ``RecordTranslation`` knows the format of the
records. The gateway has no thread and no clock: ``step(now)`` and the rest belong to one loop.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from consumers.engine.dependencies import Confirm
from consumers.engine.outcome import Outcome, unavailable
from consumers.ports.public_log import PublicRecord
from domain.commands import Command
from domain.instants import SECOND, Instant

PERMANENT: Final = frozenset({"order-stuck", "malformed", "partition-stopped", "defect"})
"""Reasons for an unavailable outcome that do not go away soon, so that it is the answer at once."""
ELSEWHERE: Final = frozenset({"not-followed", "closing"})
"""Reasons why a command is not decided here. It stays in the topic until a process follows its partition."""
PAUSE: Final = SECOND // 20
"""The pause before a command without a final answer is submitted again."""
IN_FLIGHT: Final = 1024
"""Inputs at most whose answers are not written, and below it the bytes of their records."""
IN_FLIGHT_BYTES: Final = 32 * 1024 * 1024
BATCH: Final = 500
"""Approximate number of records in one transaction, and below it the bytes of their values."""
BATCH_BYTES: Final = 8 * 1024 * 1024


class InputRecord(NamedTuple):
    """A record of the commands topic. ``value`` is None where it has none."""

    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: Mapping[str, bytes]


@dataclass(slots=True)
class ReceivedRecord:
    """A parsed record: its command, or the ``answer`` that says what is wrong with it."""

    record: InputRecord
    command: Command | None = None
    belongs_to: int | None = None
    """The partition that the command has to be forwarded to; None if it came by the right one."""
    expected_version: int | None = None
    confirm: Confirm | None = None
    answer: Sequence[PublicRecord] = ()


class RecordTranslation(Protocol):
    """Translates records into commands, and outcomes into records."""

    def read(self, record: InputRecord) -> ReceivedRecord:
        """Parse a record. Never raises, whatever the record contains."""
        ...

    def ready(self, received: ReceivedRecord) -> Outcome | None:
        """Prepare the command for its decision. Returns the outcome if that fails: unavailable (tried again) or bad."""
        ...

    def outcome_records(self, received: ReceivedRecord, outcome: Outcome) -> Sequence[PublicRecord]:
        """Return the records of its command's outcome, for the partition that it came from."""
        ...

    def forwarded(self, received: ReceivedRecord) -> PublicRecord:
        """Return the copy of the record for its command's partition. ``ready`` has returned None for it."""
        ...


class CommandSubmitter(Protocol):
    """Submits commands to be decided. The engine is one."""

    def submit(
        self, command: Command, *, expected_version: int | None = None, confirm: Confirm | None = None
    ) -> Future[Outcome]: ...


class Batch(NamedTuple):
    """The content of one transaction: records with their partitions, and the offset of the first unanswered input of
    each partition."""

    records: Sequence[tuple[int, PublicRecord]]
    offsets: Mapping[int, int]


@dataclass(eq=False, slots=True)
class _Input:
    received: ReceivedRecord
    since: Instant
    size: int
    records: Sequence[PublicRecord] | None = None
    """Its answer, once it has one."""
    to: int | None = None
    """The partition that its answer is written to, if it is not the input's own."""
    gone: bool = False


@dataclass(slots=True)
class _Queue:
    inputs: deque[_Input] = field(default_factory=deque)


class Gateway:
    """Has commands decided and collects their answers: one at a time per order, many orders at once."""

    def __init__(
        self,
        translation: RecordTranslation,
        engine: CommandSubmitter,
        *,
        timeout: int,
        in_flight: int = IN_FLIGHT,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """``timeout``: microseconds for which an unavailable command is submitted again before that is its answer.
        ``wake`` is called, from any thread, when ``step`` has something to do."""
        self._translation = translation
        self._engine = engine
        self._timeout = timeout
        self._in_flight = in_flight
        self._wake = wake
        self._inputs: dict[int, deque[_Input]] = {}
        self._turns: deque[int] = deque()
        """The partitions of ``_inputs``, in the order in which the next batch takes them."""
        self._queues: dict[str, _Queue] = {}
        self._answered: deque[tuple[_Input, Future[Outcome] | None]] = deque()
        """Inputs with the future of their outcome. None: the command is to be forwarded."""
        self._delayed: deque[tuple[Instant, _Input]] = deque()
        self._bytes = 0

    @property
    def room(self) -> int:
        """The number of further inputs that should be taken."""
        return 0 if self._bytes >= IN_FLIGHT_BYTES else max(0, self._in_flight - self.pending)

    @property
    def pending(self) -> int:
        """The number of inputs whose answers are not written."""
        return sum(map(len, self._inputs.values()))

    @property
    def unanswered(self) -> dict[int, int]:
        """The offset of the first input of each partition whose answer is not written."""
        return {partition: inputs[0].received.record.offset for partition, inputs in self._inputs.items() if inputs}

    def take(self, record: Iterable[InputRecord], now: Instant) -> None:
        """Take inputs of this process's partitions, in the topic's order."""
        for each in record:
            received = self._translation.read(each)
            entry = _Input(received, now, len(each.value or b""))
            received.record = each._replace(value=None)  # its content is in the command or in the answer
            if each.partition not in self._inputs:
                self._inputs[each.partition] = deque()
                self._turns.append(each.partition)
            self._inputs[each.partition].append(entry)
            self._bytes += entry.size
            if received.command is None:
                entry.records = received.answer
                continue
            queue = self._queues.setdefault(received.command.stream, _Queue())
            queue.inputs.append(entry)
            if len(queue.inputs) == 1:
                self._submit(entry)

    def revoke(self, partitions: Iterable[int]) -> None:
        """Drop the inputs of these partitions. Those without a written answer are read again, here or elsewhere."""
        for partition in partitions:
            inputs = self._inputs.pop(partition, None)
            if inputs is None:
                continue
            self._turns.remove(partition)
            for entry in inputs:
                entry.gone = True
                self._bytes -= entry.size
            for entry in inputs:
                self._finish(entry)

    def step(self, now: Instant) -> bool:
        """Take outcomes, and submit commands without a final one again. Returns whether there were any."""
        moved = False
        while self._answered:
            moved = True
            entry, future = self._answered.popleft()
            if entry.gone:
                continue
            if future is None:
                self._forward(entry)
            else:
                self._take_outcome(entry, _outcome_of(future), now)
        while self._delayed and self._delayed[0][0] <= now:
            moved = True
            entry = self._delayed.popleft()[1]
            if not entry.gone:
                self._submit(entry)
        return moved

    def batch(self, limit: int = BATCH, size: int = BATCH_BYTES) -> Batch | None:
        """Return the answers that may be written now: those before the first input of a partition without an answer.

        It has ``limit`` records and ``size`` bytes, or a little more. Each batch begins with another partition.
        """
        records: list[tuple[int, PublicRecord]] = []
        offsets: dict[int, int] = {}
        written = 0
        for partition in self._turns:
            for entry in self._inputs[partition]:
                if entry.records is None or len(records) >= limit or written >= size:
                    break
                to = partition if entry.to is None else entry.to
                records += [(to, record) for record in entry.records]
                written += sum(len(record.value) for record in entry.records)
                offsets[partition] = entry.received.record.offset + 1
        if not offsets:
            return None
        self._turns.rotate(-1)
        return Batch(records, offsets)

    def written(self, batch: Batch) -> None:
        """Drop the inputs of a batch that was written to the topics."""
        for partition, offset in batch.offsets.items():
            inputs = self._inputs.get(partition)
            while inputs and inputs[0].received.record.offset < offset:
                self._bytes -= inputs.popleft().size

    # ---- internals ---------------------------------------------------------------------------------------------------

    def _submit(self, entry: _Input) -> None:
        received = entry.received
        assert received.command is not None
        wrong = self._translation.ready(received)
        if wrong is None and received.belongs_to is not None:
            self._answered.append((entry, None))
            return
        if wrong is None:
            future = self._engine.submit(
                received.command, expected_version=received.expected_version, confirm=received.confirm
            )
        else:
            future = Future()
            future.set_result(wrong)
        future.add_done_callback(lambda done: self._answered_by_engine(entry, done))

    def _answered_by_engine(self, entry: _Input, future: Future[Outcome]) -> None:
        """Queue an outcome. Called in the engine's thread."""
        self._answered.append((entry, future))
        self._wake()

    def _forward(self, entry: _Input) -> None:
        """Answer an input with its copy, which is written to its command's partition."""
        entry.records = (self._translation.forwarded(entry.received),)
        entry.to = entry.received.belongs_to
        self._finish(entry)

    def _take_outcome(self, entry: _Input, outcome: Outcome, now: Instant) -> None:
        if self._will_retry(entry, outcome, now):
            self._delayed.append((now + PAUSE, entry))
            return
        entry.records = self._translation.outcome_records(entry.received, outcome)
        self._finish(entry)

    def _will_retry(self, entry: _Input, outcome: Outcome, now: Instant) -> bool:
        """Whether the outcome is not final, so that the command is submitted again."""
        if outcome.kind not in ("unknown", "unavailable") or outcome.rule in PERMANENT:
            return False
        return outcome.rule in ELSEWHERE or now - entry.since < self._timeout

    def _finish(self, entry: _Input) -> None:
        """Remove an answered or dropped input from its order's queue, and submit the next one."""
        command = entry.received.command
        queue = None if command is None else self._queues.get(command.stream)
        if command is None or queue is None or entry not in queue.inputs:
            return
        first = queue.inputs[0] is entry
        queue.inputs.remove(entry)
        if not queue.inputs:
            del self._queues[command.stream]
        elif first and not queue.inputs[0].gone:
            self._submit(queue.inputs[0])


def _outcome_of(future: Future[Outcome]) -> Outcome:
    defect = future.exception()
    if defect is not None:
        return unavailable("defect", f"internal error, please report it: {type(defect).__name__}; ask again later")
    return future.result()
