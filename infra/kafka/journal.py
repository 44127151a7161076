"""The Journal port over one Kafka topic, whichever client speaks to the brokers.

Appends are ``infra.kafka.appending``, reading is ``infra.kafka.reading``; here they meet, with what is known of the
ends: an offset that was answered to an append or to ``end`` is waited for by ``read``. The topic's id is compared at
the start, now and then, and when something does not fit. Where its partitions begin is asked now and then too.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from consumers.ports.journal import (
    RECORD_LIMIT,
    Appended,
    AppendRefused,
    JournalError,
    JournalMismatch,
    JournalRecord,
    JournalUnavailable,
    LogChanged,
    LogLost,
    front_cut,
)
from domain.wording import counted
from infra.addresses.kafka import Security, Timings
from infra.kafka.appending import Appending, changed
from infra.kafka.client import OVERHEAD, Client
from infra.kafka.reading import Asker, Tail, Window
from infra.kafka.refusals import hidden

_FETCH_WAIT = 0.1
"""Seconds that a broker keeps a fetch that finds nothing."""
_DOUBTS = 3
"""So often it is asked again whether the log really ends before an offset that it had."""
_MISSED = 3
"""So often in a row the topic must be missing before it counts as deleted."""


class KafkaJournal:
    """See ``consumers.ports.journal.Journal``. Any thread may call."""

    def __init__(
        self,
        client: Client,
        partitions: int | None = None,
        *,
        timings: Timings | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """``wake`` is called from another thread whenever records came. JournalUnavailable if the brokers do not answer
        or there is no such topic, JournalMismatch if it has another number of partitions than ``partitions``."""
        self._client = client
        self._timings = timings = timings or Timings()
        found = client.describe(timings.ask)
        if found is None:
            raise JournalUnavailable(
                f"there is no topic {client.topic}: make it with `rescind topics create`, or name another prefix"
                f"{hidden(client.topic, client.security)}"
            )
        if partitions is not None and found.partitions != partitions:
            raise JournalMismatch(
                f"the topic {client.topic} has {counted(found.partitions, 'partition')}, not {partitions}: "
                "their number was fixed "
                f"when it was made. Ask for {found.partitions}, or for another prefix"
            )
        self.identity = found.id
        self.partitions = found.partitions
        self.record_limit = min(RECORD_LIMIT, found.largest - OVERHEAD)
        self._largest = found.largest
        self._wake = wake
        self._stopped: JournalError | None = None
        self._missed = 0
        self._heard = time.monotonic()
        self._closed = False
        self._known = [0] * found.partitions
        """The largest end that anybody was told of, per partition."""
        self._holes: dict[int, tuple[int, int]] = {}
        """Where a read found no record, and where it found the next offset that may have one, per partition."""
        self._awaited: dict[int, tuple[int, float]] = {}
        """The offset that ``ready`` found not to have come yet, and since when, per partition."""
        self._begins: dict[int, int] = {}
        """Where each partition begins, as it was at the last look; empty until somebody asks."""
        self._front_at = 0.0
        """When to look at that again, by the monotonic clock."""
        self._opening = threading.Lock()
        self._tail: Tail | None = None
        self._asker = Asker(client.topic, lambda: client.reader(self.partitions, 0.01), timings)
        self._appending = Appending(
            client.topic,
            lambda: client.sender(self._largest, timings),
            self._watch,
            self._landed,
            self._ended,
            timings,
        )

    # ---- the port ----------------------------------------------------------------------------------------------------

    @property
    def silence(self) -> float:
        return time.monotonic() - self._heard

    def append(self, partition: int, key: bytes, record: bytes) -> Future[Appended]:
        self._check(partition)
        if len(record) > self.record_limit or len(record) + len(key) + OVERHEAD > self._largest:
            future: Future[Appended] = Future()
            what = f"the record has {len(record)} bytes, {self._client.topic} takes {self.record_limit}"
            future.set_exception(AppendRefused(what, retriable=False))
            return future
        return self._appending.append(partition, key, record)

    def read(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        return self._read(partition, offset, limit, wait=True)

    def ready(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        return self._read(partition, offset, limit, wait=False)

    def _read(self, partition: int, offset: int, limit: int, *, wait: bool) -> list[JournalRecord]:
        self._check(partition)
        self._go_on()
        tail = self._follow()
        with tail.changed:
            window = tail.touched(partition)
            if window is not None and window.error is not None:
                tail.try_again(partition)
                raise window.error
            if window is not None and offset >= window.start:
                if offset < window.next:
                    return window.read(offset, limit)
                if offset == window.next:
                    if self._known[partition] <= offset:
                        return []
                    if not wait and self._is_on_its_way(partition, offset):
                        tail.want(partition, self._known[partition])
                        return []
        return self._read_elsewhere(tail, partition, offset, limit)

    def behind_hole(self, partition: int, offset: int) -> int:
        first, behind = self._holes.get(partition, (0, 0))
        if first <= offset < behind:
            offset = behind
        if self._tail is None:
            return offset
        with self._tail.changed:
            window = self._tail.windows.get(partition)
            if window is not None and window.start <= offset < window.next and not window.read(offset, 1):
                return window.next
        return offset

    def begin(self, partition: int) -> int:
        self._check(partition)
        self._go_on()
        if not self._begins:
            self._look_at_front()
        return self._begins[partition]

    def end(self, partition: int) -> int:
        self._check(partition)
        self._go_on()
        return self._ends()[partition]

    def wait(self, partition: int, offset: int, timeout: float) -> bool:
        self._check(partition)
        until = time.monotonic() + timeout
        tail = self._follow()
        while self._known[partition] <= offset:
            self._go_on()
            window = self._window(tail, partition)
            with tail.changed:
                if window.error is not None:
                    tail.try_again(partition)
                    raise window.error
                left = until - time.monotonic()
                if window.next <= offset and left > 0:
                    tail.changed.wait(min(left, self._timings.watch))
                self._tell_end(partition, window.next)
                if left <= 0:
                    break
        return self._known[partition] > offset

    def close(self) -> None:
        self._closed = True
        self._appending.close()
        if self._tail is not None:
            self._tail.close()

    # ---- reading -----------------------------------------------------------------------------------------------------

    def _is_on_its_way(self, partition: int, offset: int) -> bool:
        """Whether a record that is known to stand there has not been waited for long."""
        of, since = self._awaited.get(partition, (-1, 0.0))
        if of != offset:
            self._awaited[partition] = (offset, time.monotonic())
            return True
        return time.monotonic() - since < self._timings.lag

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self.partitions:
            raise ValueError(f"there is no partition {partition} of {self.partitions}")

    def _go_on(self) -> None:
        if self._stopped is not None:
            raise self._stopped
        if self._closed:
            raise JournalUnavailable(f"{self._client.topic} was closed")

    def _follow(self) -> Tail:
        """The tail, started with the first who reads."""
        if self._tail is None:
            with self._opening:
                if self._tail is None:
                    wait = _FETCH_WAIT
                    self._tail = Tail(
                        self._client.topic,
                        lambda: self._client.reader(self.partitions, wait),
                        self._ends(),
                        self._wake,
                    )
        return self._tail

    def _window(self, tail: Tail, partition: int) -> Window:
        """The window of a partition, from the log's end on if nobody read it before."""
        with tail.changed:
            window = tail.touched(partition)
        return window or tail.follow(partition, self._ends()[partition])

    def _ends(self) -> dict[int, int]:
        ends = self._asker.ends()
        for partition, end in ends.items():
            self._tell_end(partition, end)
        return ends

    def _tell_end(self, partition: int, end: int) -> None:
        self._known[partition] = max(self._known[partition], end)

    def _read_elsewhere(self, tail: Tail, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        """What the window does not have: it lies further back, or is on its way, or there is no such offset."""
        window = self._window(tail, partition)
        if offset > self._known[partition] or offset < 0:
            end = self._ends()[partition]
            for _ in range(_DOUBTS):  # a new leader may not know yet how far it is
                if offset <= end:
                    break
                time.sleep(_FETCH_WAIT)
                end = self._ends()[partition]
            if offset > end or offset < 0:
                self._watch()
                self._go_on()
                raise LogLost(
                    f"{self._client.topic}: partition {partition} ends at offset {end}, there is no offset {offset}: "
                    "the log lost what was acknowledged. Restore it from a copy"
                )
        if offset < window.start and (records := self._read_behind(window.start, partition, offset, limit)):
            return records
        offset = max(offset, window.start)
        with tail.changed:
            if not tail.wait_for(window, partition, offset, max(self._known[partition], offset), self._timings.lag):
                self._go_on()
                raise JournalUnavailable(
                    f"{self._client.topic}: partition {partition} goes on to offset {self._known[partition]}, but the "
                    f"brokers have given nothing behind {window.next} yet"
                )
            if window.error is not None:
                tail.try_again(partition)
                raise window.error
            if offset >= window.start:
                return window.read(offset, limit)
        return self._read_behind(window.start, partition, offset, limit)

    def _read_behind(self, start: int, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        """Records from before the window's ``start``; [] if there is none up to there."""
        first = offset
        while offset < start:
            try:
                records, offset = self._asker.read(partition, offset, limit)
            except LogLost as lost:
                with suppress(JournalUnavailable):
                    self._look_at_front()
                if offset < (begin := self._begins.get(partition, 0)):
                    raise front_cut(partition, begin) from lost
                raise
            if records:
                return records
            self._holes[partition] = (first, offset)
        return []

    # ---- in the keeper's thread --------------------------------------------------------------------------------------

    def _landed(self, partition: int, where: Appended) -> None:
        self._tell_end(partition, where.offset + 1)

    def _watch(self) -> None:
        """Look whether the topic is still the one that it was."""
        try:
            found = self._client.describe(self._timings.ask)
        except JournalUnavailable:
            return
        self._heard = time.monotonic()
        if found is None:
            self._missed += 1
            if self._missed >= _MISSED:
                self._stop(LogLost(f"the topic {self._client.topic} is gone: stop every engine, and bring it back"))
        elif found.id != self.identity:
            self._stop(changed(self._client.topic, self.identity, found.id))
        elif found.partitions != self.partitions:
            self._stop(
                LogChanged(
                    f"{self._client.topic} has {counted(found.partitions, 'partition')} now, it had "
                    f"{self.partitions}: orders "
                    "would be looked for where they are not. Their number must not change; copy the journal to another"
                )
            )
        else:
            self._missed = 0
            if self._begins and time.monotonic() >= self._front_at:
                with suppress(JournalUnavailable):
                    self._look_at_front()

    def _look_at_front(self) -> None:
        """Look where the partitions begin. JournalUnavailable."""
        self._begins = self._asker.begins()
        self._front_at = time.monotonic() + self._timings.front

    def _stop(self, why: JournalError) -> None:
        self._stopped = why
        self._appending.stop(why)
        self._wake()

    def _ended(self) -> None:
        self._asker.close()
        self._client.close()


class Opening:
    """Opens journals through one client, which ``connect`` makes for a topic."""

    def __init__(self, connect: Callable[[str, str, Security], Client]) -> None:
        self._connect = connect

    def __call__(
        self,
        servers: str,
        topic: str,
        partitions: int | None = None,
        *,
        security: Security | None = None,
        timings: Timings | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> KafkaJournal:
        """The journal in this topic. JournalUnavailable, JournalMismatch (``KafkaJournal``)."""
        client = self._connect(servers, topic, security or Security())
        try:
            return KafkaJournal(client, partitions, timings=timings, wake=wake)
        except BaseException:
            client.close()
            raise
