"""The Journal port on one Kafka topic, with either client.

``infra.kafka.appending`` appends and ``infra.kafka.reading`` reads. This module combines them and tracks the known
ends: ``read`` waits for every offset that an append or ``end`` has returned. The topic's id is checked at the start, at
intervals, and when an offset does not fit. The first offsets of the partitions are checked at intervals too.
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
from infra.kafka.appending import Appending, topic_replaced
from infra.kafka.client import OVERHEAD, Client
from infra.kafka.reading import BrokerQueries, Tail, Window
from infra.kafka.refusals import hidden

_FETCH_WAIT = 0.1
"""Seconds that a broker may wait before it answers an empty fetch."""
_END_CHECKS = 3
"""How often the end is queried again before the log counts as shorter than a known offset."""
_MISSING_LIMIT = 3
"""How often in a row the topic must be missing before it counts as deleted."""


class KafkaJournal:
    """The Journal port (``consumers.ports.journal``) on one topic. Any thread may call."""

    def __init__(
        self,
        client: Client,
        partitions: int | None = None,
        *,
        timings: Timings | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """``wake`` is called from another thread whenever records arrive. JournalUnavailable if the brokers do not
        answer or the topic does not exist. JournalMismatch if it has another number of partitions than
        ``partitions``."""
        self._client = client
        self._timings = timings = timings or Timings()
        found = client.describe(timings.query)
        if found is None:
            raise JournalUnavailable(
                f"there is no topic {client.topic}: create it with `rescind topics create`, or name another prefix"
                f"{hidden(client.topic, client.security)}"
            )
        if partitions is not None and found.partitions != partitions:
            raise JournalMismatch(
                f"the topic {client.topic} has {counted(found.partitions, 'partition')}, not {partitions}. The number "
                f"was fixed when the topic was created: use ?partitions={found.partitions}, or name another prefix"
            )
        self.identity = found.id
        self.partitions = found.partitions
        self.record_limit = min(RECORD_LIMIT, found.largest - OVERHEAD)
        self._largest = found.largest
        self._wake = wake
        self._stopped: JournalError | None = None
        self._times_missing = 0
        self._last_contact = time.monotonic()
        self._closed = False
        self._known = [0] * found.partitions
        """The largest end that any caller has received, per partition."""
        self._holes: dict[int, tuple[int, int]] = {}
        """The offset at which a read found no record, and the next offset that may have one, per partition."""
        self._in_transit: dict[int, tuple[int, float]] = {}
        """The offset that ``ready`` is waiting for, and since when, per partition."""
        self._begins: dict[int, int] = {}
        """The first offset of each partition, as of the last check. Empty until somebody asks."""
        self._refresh_begins_at = 0.0
        """When to check that again, by the monotonic clock."""
        self._opening = threading.Lock()
        self._tail: Tail | None = None
        self._queries = BrokerQueries(client.topic, lambda: client.reader(self.partitions, 0.01), timings)
        self._appending = Appending(
            client.topic,
            lambda: client.sender(self._largest, timings),
            self._check_topic,
            self._acknowledged,
            self._on_closed,
            timings,
        )

    # ---- the port ----------------------------------------------------------------------------------------------------

    @property
    def silence(self) -> float:
        return time.monotonic() - self._last_contact

    def append(self, partition: int, key: bytes, record: bytes) -> Future[Appended]:
        self._check(partition)
        if len(record) > self.record_limit or len(record) + len(key) + OVERHEAD > self._largest:
            future: Future[Appended] = Future()
            what = f"the record has {len(record)} bytes, {self._client.topic} accepts {self.record_limit}"
            future.set_exception(AppendRefused(what, retriable=False))
            return future
        return self._appending.append(partition, key, record)

    def read(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        return self._read(partition, offset, limit, wait=True)

    def ready(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        return self._read(partition, offset, limit, wait=False)

    def _read(self, partition: int, offset: int, limit: int, *, wait: bool) -> list[JournalRecord]:
        self._check(partition)
        self._check_usable()
        tail = self._follow()
        with tail.changed:
            window = tail.touch(partition)
            if window is not None and window.error is not None:
                tail.retry(partition)
                raise window.error
            if window is not None and offset >= window.start:
                if offset < window.next:
                    return window.read(offset, limit)
                if offset == window.next:
                    if self._known[partition] <= offset:
                        return []
                    if not wait and self._is_in_transit(partition, offset):
                        tail.want(partition, self._known[partition])
                        return []
        return self._read_outside_window(tail, partition, offset, limit)

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
        self._check_usable()
        if not self._begins:
            self._refresh_begins()
        return self._begins[partition]

    def end(self, partition: int) -> int:
        self._check(partition)
        self._check_usable()
        return self._ends()[partition]

    def wait(self, partition: int, offset: int, timeout: float) -> bool:
        self._check(partition)
        until = time.monotonic() + timeout
        tail = self._follow()
        while self._known[partition] <= offset:
            self._check_usable()
            window = self._window(tail, partition)
            with tail.changed:
                if window.error is not None:
                    tail.retry(partition)
                    raise window.error
                left = until - time.monotonic()
                if window.next <= offset and left > 0:
                    tail.changed.wait(min(left, self._timings.check_topic))
                self._note_end(partition, window.next)
                if left <= 0:
                    break
        return self._known[partition] > offset

    def close(self) -> None:
        self._closed = True
        self._appending.close()
        if self._tail is not None:
            self._tail.close()

    # ---- reading -----------------------------------------------------------------------------------------------------

    def _is_in_transit(self, partition: int, offset: int) -> bool:
        """Whether a record that is known to be in the log may still be on its way to this process."""
        of, since = self._in_transit.get(partition, (-1, 0.0))
        if of != offset:
            self._in_transit[partition] = (offset, time.monotonic())
            return True
        return time.monotonic() - since < self._timings.lag

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self.partitions:
            raise ValueError(f"there is no partition {partition} of {self.partitions}")

    def _check_usable(self) -> None:
        if self._stopped is not None:
            raise self._stopped
        if self._closed:
            raise JournalUnavailable(f"{self._client.topic} was closed")

    def _follow(self) -> Tail:
        """The tail. The first read starts it."""
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
        """The window of a partition. A new window begins at the log's end."""
        with tail.changed:
            window = tail.touch(partition)
        return window or tail.follow(partition, self._ends()[partition])

    def _ends(self) -> dict[int, int]:
        ends = self._queries.ends()
        for partition, end in ends.items():
            self._note_end(partition, end)
        return ends

    def _note_end(self, partition: int, end: int) -> None:
        self._known[partition] = max(self._known[partition], end)

    def _read_outside_window(self, tail: Tail, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        """Read what the window does not have: the offset is older, is in transit, or does not exist."""
        window = self._window(tail, partition)
        if offset > self._known[partition] or offset < 0:
            end = self._ends()[partition]
            for _ in range(_END_CHECKS):  # a new leader may not know its end yet
                if offset <= end:
                    break
                time.sleep(_FETCH_WAIT)
                end = self._ends()[partition]
            if offset > end or offset < 0:
                self._check_topic()
                self._check_usable()
                raise LogLost(
                    f"{self._client.topic}: partition {partition} ends at offset {end}, there is no offset {offset}: "
                    "the log lost acknowledged records. Restore it from a copy"
                )
        if offset < window.start and (records := self._read_older(window.start, partition, offset, limit)):
            return records
        offset = max(offset, window.start)
        with tail.changed:
            if not tail.wait_for(window, partition, offset, max(self._known[partition], offset), self._timings.lag):
                self._check_usable()
                raise JournalUnavailable(
                    f"{self._client.topic}: partition {partition} ends at offset {self._known[partition]}, but the "
                    f"brokers have delivered nothing from offset {window.next} on yet"
                )
            if window.error is not None:
                tail.retry(partition)
                raise window.error
            if offset >= window.start:
                return window.read(offset, limit)
        return self._read_older(window.start, partition, offset, limit)

    def _read_older(self, start: int, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        """Records from before the window's ``start``. [] if there are none up to there."""
        first = offset
        while offset < start:
            try:
                records, offset = self._queries.read(partition, offset, limit)
            except LogLost as lost:
                with suppress(JournalUnavailable):
                    self._refresh_begins()
                if offset < (begin := self._begins.get(partition, 0)):
                    raise front_cut(partition, begin) from lost
                raise
            if records:
                return records
            self._holes[partition] = (first, offset)
        return []

    # ---- in the threads that append ----------------------------------------------------------------------------------

    def _acknowledged(self, partition: int, where: Appended) -> None:
        self._note_end(partition, where.offset + 1)

    def _check_topic(self) -> None:
        """Check that the topic is the same as at the start."""
        try:
            found = self._client.describe(self._timings.query)
        except JournalUnavailable:
            return
        self._last_contact = time.monotonic()
        if found is None:
            self._times_missing += 1
            if self._times_missing >= _MISSING_LIMIT:
                self._stop(LogLost(f"the topic {self._client.topic} was deleted: stop every engine, and restore it"))
        elif found.id != self.identity:
            self._stop(topic_replaced(self._client.topic, self.identity, found.id))
        elif found.partitions != self.partitions:
            self._stop(
                LogChanged(
                    f"{self._client.topic} has {counted(found.partitions, 'partition')} now, it had "
                    f"{self.partitions}: orders would be looked up in the wrong partition. The number must not change. "
                    "Stop every engine, and restore the topic from a copy"
                )
            )
        else:
            self._times_missing = 0
            if self._begins and time.monotonic() >= self._refresh_begins_at:
                with suppress(JournalUnavailable):
                    self._refresh_begins()

    def _refresh_begins(self) -> None:
        """Query where the partitions begin. JournalUnavailable."""
        self._begins = self._queries.begins()
        self._refresh_begins_at = time.monotonic() + self._timings.check_begins

    def _stop(self, why: JournalError) -> None:
        self._stopped = why
        self._appending.stop(why)
        self._wake()

    def _on_closed(self) -> None:
        self._queries.close()
        self._client.close()


class JournalOpener:
    """Opens journals with one kind of client. ``connect`` makes the client for a topic."""

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
        """Open the journal in this topic. JournalUnavailable and JournalMismatch as for ``KafkaJournal``."""
        client = self._connect(servers, topic, security or Security())
        try:
            return KafkaJournal(client, partitions, timings=timings, wake=wake)
        except BaseException:
            client.close()
            raise
