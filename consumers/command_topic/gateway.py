"""The gateway: commands that come by a topic, decided in order, and answered on another.

It takes records of ``PREFIX.commands``, has their commands decided, and gives batches of outcomes with how far the
inputs are answered: whoever drives it writes both in one transaction. After a crash, after a transaction that failed,
or when a partition moved, inputs whose answers were not written come again; a command that was decided then gets its
recorded outcome, by its id. A command that came by another partition than its order's is not decided: a copy of it is
written to the right partition, in the same transaction as the offset. What the records look like is the form's
business. No thread and no clock: ``step(now)`` and the rest belong to one loop.
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

FOR_GOOD: Final = frozenset({"order-stuck", "malformed", "partition-stopped", "defect"})
"""Why a command may be unavailable that asking again soon does not mend."""
NOT_HERE: Final = frozenset({"not-followed", "closing"})
"""Why a command is not decided here: it stays in the topic until somebody follows its partition."""
PAUSE: Final = SECOND // 20
"""Before a command that had no answer that stands is asked again."""
IN_FLIGHT: Final = 1024
"""Inputs whose answers are not written, at most, and the bytes of their records."""
IN_FLIGHT_BYTES: Final = 32 * 1024 * 1024
BATCH: Final = 500
"""Records of one transaction, about, and the bytes of their values."""
BATCH_BYTES: Final = 8 * 1024 * 1024


class Given(NamedTuple):
    """A record of the commands topic. ``value`` is None where it has none."""

    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: Mapping[str, bytes]


@dataclass(slots=True)
class ReceivedRecord:
    """What a record asks: a command, or what is wrong with it (``answer`` without one)."""

    given: Given
    command: Command | None = None
    belongs_to: int | None = None
    """The partition that the command has to be passed on to; None where it came by the right one."""
    expected_version: int | None = None
    confirm: Confirm | None = None
    answer: Sequence[PublicRecord] = ()


class RecordTranslation(Protocol):
    """How commands and outcomes are written on topics."""

    def read(self, given: Given) -> ReceivedRecord:
        """What the record asks. Raises for nothing that anybody may have written."""
        ...

    def ready(self, asked: ReceivedRecord) -> Outcome | None:
        """Make its command ready to be decided; else why it cannot be: unavailable (asked again), or bad."""
        ...

    def told(self, asked: ReceivedRecord, outcome: Outcome) -> Sequence[PublicRecord]:
        """The outcome of its command, for the partition that it came from."""
        ...

    def passed_on(self, asked: ReceivedRecord) -> PublicRecord:
        """The copy of the record for the partition that its command belongs to. ``ready`` has returned None for it."""
        ...


class Submits(Protocol):
    """What decides: the engine."""

    def submit(
        self, command: Command, *, expected_version: int | None = None, confirm: Confirm | None = None
    ) -> Future[Outcome]: ...


class Batch(NamedTuple):
    """What is to be written in one transaction: records with their partitions, and by partition the offset of the
    first input that is not answered then."""

    records: Sequence[tuple[int, PublicRecord]]
    offsets: Mapping[int, int]


@dataclass(eq=False, slots=True)
class _Input:
    asked: ReceivedRecord
    since: Instant
    size: int
    records: Sequence[PublicRecord] | None = None
    """Its answer, once there is one."""
    to: int | None = None
    """The partition that its answer is written to, if it is not the input's own."""
    gone: bool = False


@dataclass(slots=True)
class _Lane:
    inputs: deque[_Input] = field(default_factory=deque)


class Gateway:
    """Inputs on their way to their answers: of one order one after the other, of different orders at once."""

    def __init__(
        self,
        form: RecordTranslation,
        engine: Submits,
        *,
        timeout: int,
        in_flight: int = IN_FLIGHT,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """``timeout``: microseconds for which a command that cannot be decided now is asked again, before that is its
        answer. ``wake`` is called, from any thread, when ``step`` has something to do."""
        self._form = form
        self._engine = engine
        self._timeout = timeout
        self._in_flight = in_flight
        self._wake = wake
        self._inputs: dict[int, deque[_Input]] = {}
        self._turns: deque[int] = deque()
        """The partitions of ``_inputs``; whose turn it is in a batch stands first."""
        self._lanes: dict[str, _Lane] = {}
        self._answered: deque[tuple[_Input, Future[Outcome] | None]] = deque()
        """Without a future: it is to be passed on."""
        self._later: deque[tuple[Instant, _Input]] = deque()
        self._bytes = 0

    @property
    def room(self) -> int:
        """How many more inputs should be taken."""
        return 0 if self._bytes >= IN_FLIGHT_BYTES else max(0, self._in_flight - self.pending)

    @property
    def pending(self) -> int:
        """Inputs whose answers are not written."""
        return sum(map(len, self._inputs.values()))

    @property
    def unanswered(self) -> dict[int, int]:
        """Of each partition that has inputs here the offset of the first one: its answer is not written."""
        return {partition: inputs[0].asked.given.offset for partition, inputs in self._inputs.items() if inputs}

    def take(self, given: Iterable[Given], now: Instant) -> None:
        """Inputs of partitions that are this process's, in the topic's order."""
        for each in given:
            asked = self._form.read(each)
            entry = _Input(asked, now, len(each.value or b""))
            asked.given = each._replace(value=None)  # what it said is in the command, or in the answer
            if each.partition not in self._inputs:
                self._inputs[each.partition] = deque()
                self._turns.append(each.partition)
            self._inputs[each.partition].append(entry)
            self._bytes += entry.size
            if asked.command is None:
                entry.records = asked.answer
                continue
            lane = self._lanes.setdefault(asked.command.stream, _Lane())
            lane.inputs.append(entry)
            if len(lane.inputs) == 1:
                self._ask(entry)

    def revoke(self, partitions: Iterable[int]) -> None:
        """The inputs of these partitions come again, here or at somebody else's, from the first that has no written
        answer."""
        for partition in partitions:
            inputs = self._inputs.pop(partition, None)
            if inputs is None:
                continue
            self._turns.remove(partition)
            for entry in inputs:
                entry.gone = True
                self._bytes -= entry.size
            for entry in inputs:
                self._leave(entry)

    def step(self, now: Instant) -> bool:
        """Take answers, ask again what has none that stands; whether there was anything."""
        moved = False
        while self._answered:
            moved = True
            entry, future = self._answered.popleft()
            if entry.gone:
                continue
            if future is None:
                self._pass_on(entry)
            else:
                self._judge(entry, _outcome_of(future), now)
        while self._later and self._later[0][0] <= now:
            moved = True
            entry = self._later.popleft()[1]
            if not entry.gone:
                self._ask(entry)
        return moved

    def batch(self, limit: int = BATCH, size: int = BATCH_BYTES) -> Batch | None:
        """The answers that may be written now: of each partition those before the first input that has none.

        ``limit`` records and ``size`` bytes, or a little more. The partitions take turns in being first.
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
                offsets[partition] = entry.asked.given.offset + 1
        if not offsets:
            return None
        self._turns.rotate(-1)
        return Batch(records, offsets)

    def written(self, batch: Batch) -> None:
        """The batch stands in the topics."""
        for partition, offset in batch.offsets.items():
            inputs = self._inputs.get(partition)
            while inputs and inputs[0].asked.given.offset < offset:
                self._bytes -= inputs.popleft().size

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _ask(self, entry: _Input) -> None:
        asked = entry.asked
        assert asked.command is not None
        wrong = self._form.ready(asked)
        if wrong is None and asked.belongs_to is not None:
            self._answered.append((entry, None))
            return
        if wrong is None:
            future = self._engine.submit(asked.command, expected_version=asked.expected_version, confirm=asked.confirm)
        else:
            future = Future()
            future.set_result(wrong)
        future.add_done_callback(lambda done: self._hear(entry, done))

    def _hear(self, entry: _Input, future: Future[Outcome]) -> None:
        """In the thread of who answers."""
        self._answered.append((entry, future))
        self._wake()

    def _pass_on(self, entry: _Input) -> None:
        """Its answer is a copy of it, written where its command belongs."""
        entry.records = (self._form.passed_on(entry.asked),)
        entry.to = entry.asked.belongs_to
        self._leave(entry)

    def _judge(self, entry: _Input, outcome: Outcome, now: Instant) -> None:
        if self._asks_again(entry, outcome, now):
            self._later.append((now + PAUSE, entry))
            return
        entry.records = self._form.told(entry.asked, outcome)
        self._leave(entry)

    def _asks_again(self, entry: _Input, outcome: Outcome, now: Instant) -> bool:
        """Whether the outcome is none that stands, and another may come."""
        if outcome.kind not in ("unknown", "unavailable") or outcome.rule in FOR_GOOD:
            return False
        return outcome.rule in NOT_HERE or now - entry.since < self._timeout

    def _leave(self, entry: _Input) -> None:
        """It is answered, or gone: the next of its order has its turn."""
        command = entry.asked.command
        lane = None if command is None else self._lanes.get(command.stream)
        if command is None or lane is None or entry not in lane.inputs:
            return
        first = lane.inputs[0] is entry
        lane.inputs.remove(entry)
        if not lane.inputs:
            del self._lanes[command.stream]
        elif first and not lane.inputs[0].gone:
            self._ask(lane.inputs[0])


def _outcome_of(future: Future[Outcome]) -> Outcome:
    defect = future.exception()
    if defect is not None:
        return unavailable("defect", f"internal error, please report it: {type(defect).__name__}; ask again later")
    return future.result()
