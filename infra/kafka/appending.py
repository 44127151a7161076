"""Appends to a Kafka topic. Every append is answered within a time limit, even if its producer fails.

A producer that failed one append is abandoned. Its other appends in progress are answered *unknown* (fences settle
them, ``consumers.log.writer``), and a new producer is connected. Appends that arrive in between are held for a short
time, then *refused*, because they were never sent.

Two threads do the work. The timeout thread expires overdue appends. The connection thread connects producers and checks
the topic's id at intervals, since both take time.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from consumers.ports.journal import Appended, AppendRefused, AppendUnknown, JournalError, LogChanged
from infra.addresses.kafka import Timings
from infra.kafka.client import NotSent, Sender


@dataclass(eq=False, slots=True)
class _Flight:
    partition: int
    key: bytes
    record: bytes
    future: Future[Appended]
    until: float
    """When the append expires, by the monotonic clock."""


class Appending:
    """The appending half of a journal."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Sender],
        check_topic: Callable[[], None],
        acknowledged: Callable[[int, Appended], None],
        closed: Callable[[], None],
        timings: Timings,
    ) -> None:
        """``connect`` makes a producer. ``check_topic`` checks the topic's id and is called at intervals.
        ``acknowledged`` is called for each successful append. ``closed`` is called last, by the connection thread."""
        self._name = name
        self._connect = connect
        self._check_topic = check_topic
        self._on_acknowledged = acknowledged
        self._on_closed = closed
        self._timings = timings
        self._sender: Sender | None = None
        self._trouble: str | None = None
        """Why no producer can be connected at the moment."""
        self._flights: dict[int, _Flight] = {}
        """The present producer's appends in progress, oldest first."""
        self._held: deque[_Flight] = deque()
        self._number = 0
        self._closed = False
        self._stopped: JournalError | None = None
        self._lock = threading.RLock()  # a client may call back while it is called
        self._changed = threading.Condition(self._lock)
        threading.Thread(target=self._run_timeouts, name=f"append timeouts of {name}", daemon=True).start()
        threading.Thread(target=self._run_maintenance, name=f"connection of {name}", daemon=True).start()

    def append(self, partition: int, key: bytes, record: bytes) -> Future[Appended]:
        """Append a record, as ``Journal.append``."""
        future: Future[Appended] = Future()
        flight = _Flight(partition, key, record, future, 0.0)
        with self._lock:
            refused = self._refusal()
            sender = self._sender
            if refused is None and sender is not None:
                number = self._register(flight)
            elif refused is None:
                flight.until = time.monotonic() + self._timings.hold
                self._held.append(flight)
                self._changed.notify_all()
                return future
        if refused is not None:
            future.set_exception(refused)
        elif sender is not None:
            self._send(sender, number, flight)
        return future

    def stop(self, why: JournalError) -> None:
        """Refuse every append from now on, because the log has changed."""
        with self._lock:
            self._stopped = why

    def close(self) -> None:
        """Take no more appends. Those in progress still get an answer, and then the timeout thread ends. Does not
        wait."""
        self._closed = True

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _refusal(self) -> AppendRefused | None:
        if self._closed:
            return AppendRefused("the journal is closed", retriable=False)
        if self._stopped is not None:
            return AppendRefused(str(self._stopped), retriable=False)
        if self._sender is None and self._trouble is not None:
            return AppendRefused(f"{self._name} cannot be written now: {self._trouble}", retriable=True)
        return None

    def _register(self, flight: _Flight) -> int:
        self._number += 1
        flight.until = time.monotonic() + self._timings.delivery + 1.0
        self._flights[self._number] = flight
        return self._number

    def _unregister(self, number: int) -> _Flight | None:
        with self._lock:
            return self._flights.pop(number, None)

    def _send(self, sender: Sender, number: int, flight: _Flight) -> None:
        def done(answer: Appended | Exception) -> None:
            waiting = self._unregister(number)
            if waiting is None:  # it expired before
                return
            if isinstance(answer, Exception):
                waiting.future.set_exception(_unknown(answer))
                self._abandon(sender, f"{type(answer).__name__}: {answer}")
            else:
                self._on_acknowledged(waiting.partition, answer)
                waiting.future.set_result(answer)

        try:
            sender.send(flight.partition, flight.key, flight.record, done)
        except NotSent as refused:
            if self._unregister(number) is not None:
                flight.future.set_exception(AppendRefused(str(refused), retriable=refused.retriable))
            if refused.dead:
                self._abandon(sender, str(refused))

    def _abandon(self, sender: Sender, why: str) -> None:
        """Give up this producer. Its other appends in progress are unknown."""
        with self._lock:
            if self._sender is not sender:
                return
            self._sender = None
            lost, self._flights = self._flights, {}
            self._changed.notify_all()
        for flight in lost.values():
            flight.future.set_exception(_unknown(why))
        sender.abandon()

    # ---- the timeout thread ------------------------------------------------------------------------------------------

    def _run_timeouts(self) -> None:
        while not self._closed or self._flights or self._held:
            self._expire()
            with self._changed:
                until = min([time.monotonic() + 0.25, *self._next_expiries()])
                self._changed.wait(max(0.0, until - time.monotonic()))
        with self._lock:
            sender, self._sender = self._sender, None
        if sender is not None:
            sender.abandon()

    def _next_expiries(self) -> list[float]:
        """When the oldest sent and the oldest held append expire. Called under the lock."""
        oldest = next(iter(self._flights.values()), None)
        return [flight.until for flight in (oldest, self._held[0] if self._held else None) if flight is not None]

    def _expire(self) -> None:
        now = time.monotonic()
        with self._lock:
            oldest = next(iter(self._flights.values()), None)
            sender = self._sender
            late: list[_Flight] = []
            while self._held and (self._held[0].until <= now or self._stopped is not None):
                late.append(self._held.popleft())
            if late and self._trouble is None:
                self._trouble = "the brokers have not answered yet"
            trouble = self._stopped or self._trouble
        for flight in late:
            refused = AppendRefused(f"{self._name} cannot be written now: {trouble}", retriable=self._stopped is None)
            flight.future.set_exception(refused)
        if oldest is not None and oldest.until <= now and sender is not None:
            self._abandon(sender, f"there was no answer in {self._timings.delivery:.0f} seconds")

    # ---- the connection thread ---------------------------------------------------------------------------------------

    def _run_maintenance(self) -> None:
        check_due = 0.0
        pause = 0.05
        while not self._closed or self._held:
            try:
                if time.monotonic() >= check_due and not self._closed:
                    check_due = time.monotonic() + self._timings.check_topic
                    self._check_topic()
                connected = self._sender is not None or self._try_to_connect()
            except Exception as defect:  # noqa: BLE001 - no other thread would connect
                sys.stderr.write(
                    f"rescind: an internal error while connecting to {self._name}, which is retried: {defect!r}\n"
                )
                connected = False
            if not connected:
                time.sleep(pause)
                pause = min(pause * 2, 1.0)
                continue
            pause = 0.05
            with self._changed:
                self._changed.wait_for(lambda: self._sender is None or self._closed, 0.25)
        self._on_closed()

    def _try_to_connect(self) -> bool:
        try:
            sender = self._connect()
        except JournalError as error:
            with self._lock:
                self._trouble = str(error)
            return False
        with self._lock:  # held appends go first
            self._sender = sender
            self._trouble = None
            while self._held and self._sender is sender:
                flight = self._held.popleft()
                self._send(sender, self._register(flight), flight)
        return True


def _unknown(why: object) -> AppendUnknown:
    return AppendUnknown(f"the broker did not say whether it was written: {why}")


def topic_replaced(topic: str, before: str, now: str) -> LogChanged:
    """The error for a topic that was deleted and created again."""
    return LogChanged(
        f"{topic} has the id {now}, it had {before}: the topic was deleted and created again, and its acknowledged "
        "records are gone. Stop every engine, and restore the old topic. No engine goes on with a shorter history"
    )
