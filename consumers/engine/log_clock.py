"""The log's own time: the append times seen in each partition, ticks that read it again, and the engine clock's skew.

A deadline fires live only when both the engine's clock and an append time seen in its partition are past it. Where
nothing was appended lately, the engine appends a *tick*, an empty commit on ``$tick``. An engine decides nothing while
its clock differs from the append time of its own record by more than the tolerance.
"""

from collections.abc import Callable, Iterable
from typing import Final

from consumers.engine.control_log import ControlWrites
from consumers.engine.step_clock import StepClock
from consumers.log.writer import Settled
from domain.instants import EARLIEST, Instant

TICK_STREAM: Final = "$tick"


class LogClock:
    """The log's time, as far as this engine knows it."""

    def __init__(self, writes: ControlWrites, partitions: Iterable[int], tolerance: int, clock: StepClock) -> None:
        self.seen: dict[int, Instant] = dict.fromkeys(partitions, EARLIEST)
        """The latest append time seen in each partition."""
        self.skew: int | None = None
        """Microseconds that the engine's clock is ahead of the log's (negative: behind), if beyond the tolerance."""
        self._writes = writes
        self._tolerance = tolerance
        self._clock = clock
        self._ticking: dict[int, tuple[Instant, list[Callable[[bool], None]]]] = {}
        self._next: dict[int, list[Callable[[bool], None]]] = {}

    def assign(self, partition: int) -> None:
        """Begin with a partition of which no append time is known."""
        self.seen[partition] = EARLIEST

    def revoke(self, partition: int) -> None:
        """Forget a partition. Its ticks are settled."""
        self.seen.pop(partition, None)

    def observe(self, partition: int, appended_at: Instant) -> None:
        """Note the append time of a commit in a partition."""
        self.seen[partition] = max(self.seen[partition], appended_at)

    def compare(self, sent_at: Instant, appended_at: Instant) -> None:
        """Compare the clocks by an own record that was just read back: its append time lies between then and now."""
        if appended_at < sent_at - self._tolerance:
            self.skew = sent_at - appended_at
        elif appended_at > self._clock.now + self._tolerance:
            self.skew = self._clock.now - appended_at
        else:
            self.skew = None

    def tick(self, partition: int, then: Callable[[bool], None]) -> None:
        """Read a partition's time again. Calls ``then(True)`` once it was read, ``then(False)`` if it cannot be.

        A tick serves the calls made at the instant when it was sent. Later calls wait for the next tick, because the
        current one may have been appended before they were made.
        """
        sent_at, callbacks = self._ticking.get(partition, (EARLIEST, None))
        if callbacks is None:
            self._send(partition, [then])
        elif sent_at >= self._clock.now:
            callbacks.append(then)
        else:
            self._next.setdefault(partition, []).append(then)

    def _send(self, partition: int, callbacks: list[Callable[[bool], None]]) -> None:
        sent_at = self._clock.now
        self._ticking[partition] = (sent_at, callbacks)

        def settled(settled: Settled | None) -> None:
            del self._ticking[partition]
            read = settled is not None and settled.kind in ("admitted", "duplicate", "superseded")
            if settled is not None and settled.kind == "admitted" and settled.admitted is not None:
                self.observe(partition, settled.admitted.appended_at)
                self.compare(sent_at, settled.admitted.appended_at)
            waiting = self._next.pop(partition, None)
            if waiting is not None and settled is not None and settled.kind != "unknown":
                self._send(partition, waiting)
            elif waiting is not None:
                callbacks.extend(waiting)
            for then in callbacks:
                then(read)

        self._writes.write(partition, TICK_STREAM, sent_at, lambda: (), settled)
