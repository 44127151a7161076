"""Appends on their way: every one is answered in bounded time, whatever becomes of the producer.

A producer that failed one append is not trusted again: it is abandoned, what it had on its way is *unknown* (fences
settle it, ``consumers.log.writer``), and a new one is connected. Appends that come meanwhile are held for a moment and
then
*refused*: they never left. Two threads: the keeper ends what has waited long enough, the visitor does all that takes
time: it connects, and looks now and then at the topic's id.
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
    """When patience ends, by the monotonic clock."""


class Appending:
    """The appending half of a journal."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Sender],
        watch: Callable[[], None],
        landed: Callable[[int, Appended], None],
        closed: Callable[[], None],
        timings: Timings,
    ) -> None:
        """``connect`` makes a producer; ``watch`` looks at the topic's id, now and then; ``landed`` hears of every
        append that was answered well; ``closed`` is called last, by the visitor."""
        self._name = name
        self._connect = connect
        self._watch = watch
        self._landed = landed
        self._ended = closed
        self._timings = timings
        self._sender: Sender | None = None
        self._trouble: str | None = None
        """Why no producer can be had at the moment."""
        self._flights: dict[int, _Flight] = {}
        """What the present producer has on its way, oldest first."""
        self._held: deque[_Flight] = deque()
        self._number = 0
        self._closed = False
        self._stopped: JournalError | None = None
        self._lock = threading.RLock()  # a client may answer while it is being asked
        self._changed = threading.Condition(self._lock)
        threading.Thread(target=self._keep, name=f"keeper of {name}", daemon=True).start()
        threading.Thread(target=self._visit, name=f"visitor of {name}", daemon=True).start()

    def append(self, partition: int, key: bytes, record: bytes) -> Future[Appended]:
        """See ``Journal.append``."""
        future: Future[Appended] = Future()
        flight = _Flight(partition, key, record, future, 0.0)
        with self._lock:
            refused = self._refusal()
            sender = self._sender
            if refused is None and sender is not None:
                number = self._took_off(flight)
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
        """Refuse every append from now on: the log is not what it was."""
        with self._lock:
            self._stopped = why

    def close(self) -> None:
        """No more appends. Those on their way still get their answer; the keeper ends then. Waits for nothing."""
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

    def _took_off(self, flight: _Flight) -> int:
        self._number += 1
        flight.until = time.monotonic() + self._timings.delivery + 1.0
        self._flights[self._number] = flight
        return self._number

    def _landing(self, number: int) -> _Flight | None:
        with self._lock:
            return self._flights.pop(number, None)

    def _send(self, sender: Sender, number: int, flight: _Flight) -> None:
        def done(answer: Appended | Exception) -> None:
            landed = self._landing(number)
            if landed is None:  # it was given up before
                return
            if isinstance(answer, Exception):
                landed.future.set_exception(_unknown(answer))
                self._abandon(sender, f"{type(answer).__name__}: {answer}")
            else:
                self._landed(landed.partition, answer)
                landed.future.set_result(answer)

        try:
            sender.send(flight.partition, flight.key, flight.record, done)
        except NotSent as refused:
            if self._landing(number) is not None:
                flight.future.set_exception(AppendRefused(str(refused), retriable=refused.retriable))
            if refused.dead:
                self._abandon(sender, str(refused))

    def _abandon(self, sender: Sender, why: str) -> None:
        """Trust this producer no more; what else it has on its way is unknown."""
        with self._lock:
            if self._sender is not sender:
                return
            self._sender = None
            lost, self._flights = self._flights, {}
            self._changed.notify_all()
        for flight in lost.values():
            flight.future.set_exception(_unknown(why))
        sender.abandon()

    # ---- the keeper: whose patience has ended ------------------------------------------------------------------------

    def _keep(self) -> None:
        while not self._closed or self._flights or self._held:
            self._expire()
            with self._changed:
                until = min([time.monotonic() + 0.25, *self._timeout()])
                self._changed.wait(max(0.0, until - time.monotonic()))
        with self._lock:
            sender, self._sender = self._sender, None
        if sender is not None:
            sender.abandon()

    def _timeout(self) -> list[float]:
        """When the oldest that waits has waited long enough; under the lock."""
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

    # ---- the visitor: what takes time --------------------------------------------------------------------------------

    def _visit(self) -> None:
        look_at = 0.0
        pause = 0.05
        while not self._closed or self._held:
            try:
                if time.monotonic() >= look_at and not self._closed:
                    look_at = time.monotonic() + self._timings.watch
                    self._watch()
                connected = self._sender is not None or self._try_to_connect()
            except Exception as defect:  # noqa: BLE001 - nobody else would ever connect
                sys.stderr.write(f"rescind: a defect in visiting {self._name}, which is tried again: {defect!r}\n")
                connected = False
            if not connected:
                time.sleep(pause)
                pause = min(pause * 2, 1.0)
                continue
            pause = 0.05
            with self._changed:
                self._changed.wait_for(lambda: self._sender is None or self._closed, 0.25)
        self._ended()

    def _try_to_connect(self) -> bool:
        try:
            sender = self._connect()
        except JournalError as error:
            with self._lock:
                self._trouble = str(error)
            return False
        with self._lock:  # nobody overtakes what was held
            self._sender = sender
            self._trouble = None
            while self._held and self._sender is sender:
                flight = self._held.popleft()
                self._send(sender, self._took_off(flight), flight)
        return True


def _unknown(why: object) -> AppendUnknown:
    return AppendUnknown(f"the broker did not say whether it was written: {why}")


def changed(topic: str, before: str, now: str) -> LogChanged:
    """Another topic stands where ours stood."""
    return LogChanged(
        f"{topic} is topic {now}, it was {before}: it was deleted and made anew, and what it had acknowledged is gone. "
        "Stop every engine, and bring the old one back; nothing is decided anew on a shorter history"
    )
