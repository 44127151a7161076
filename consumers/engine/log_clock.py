"""The log's own time: the append times seen in each partition, ticks that read it anew, and whether our clock agrees.

A deadline fires live only when the engine's clock and an append time seen in that partition are both past it.
Where nothing was appended lately, a *tick* is: an empty commit on ``$tick``. An engine whose clock is
off the append time of its own record by more than the tolerance decides nothing.
"""

from collections.abc import Callable, Iterable
from typing import Final

from consumers.engine.control_log import ControlWrites
from consumers.log.writer import Settled
from domain.instants import EARLIEST, Instant

TICK_STREAM: Final = "$tick"


class LogClock:
    """What is known of the log's time."""

    def __init__(self, writes: ControlWrites, partitions: Iterable[int], tolerance: int, clock: Callable[[], Instant]):
        """``clock``: the engine's, as of the step at hand."""
        self.seen: dict[int, Instant] = dict.fromkeys(partitions, EARLIEST)
        """The latest append time seen in each partition."""
        self.off: int | None = None
        """Microseconds that the engine's clock is ahead of the log (negative: behind), if it is too far off."""
        self._writes = writes
        self._tolerance = tolerance
        self._clock = clock
        self._ticking: dict[int, tuple[Instant, list[Callable[[bool], None]]]] = {}
        self._next: dict[int, list[Callable[[bool], None]]] = {}

    def assign(self, partition: int) -> None:
        """The partition is followed from now on; nothing of its time is known yet."""
        self.seen[partition] = EARLIEST

    def revoke(self, partition: int) -> None:
        """It is followed no longer; its ticks are settled."""
        self.seen.pop(partition, None)

    def saw(self, partition: int, appended_at: Instant) -> None:
        """A commit stands in the partition that was appended then."""
        self.seen[partition] = max(self.seen[partition], appended_at)

    def own(self, sent_at: Instant, appended_at: Instant) -> None:
        """A record that was sent then was read back just now: the log's time must lie between."""
        if appended_at < sent_at - self._tolerance:
            self.off = sent_at - appended_at
        elif appended_at > self._clock() + self._tolerance:
            self.off = self._clock() - appended_at
        else:
            self.off = None

    def tick(self, partition: int, then: Callable[[bool], None]) -> None:
        """Have the partition's time read anew; ``then(True)`` once it was, ``then(False)`` if it cannot be.

        A tick serves all who asked at the instant when it was sent. Who asks later waits for the next one: the one on
        its way may stand in the log already, with a time from before the asking.
        """
        sent_at, asking = self._ticking.get(partition, (EARLIEST, None))
        if asking is None:
            self._send(partition, [then])
        elif sent_at >= self._clock():
            asking.append(then)
        else:
            self._next.setdefault(partition, []).append(then)

    def _send(self, partition: int, asking: list[Callable[[bool], None]]) -> None:
        sent_at = self._clock()
        self._ticking[partition] = (sent_at, asking)

        def settled(settled: Settled | None) -> None:
            del self._ticking[partition]
            read = settled is not None and settled.kind in ("admitted", "duplicate", "superseded")
            if settled is not None and settled.kind == "admitted" and settled.admitted is not None:
                self.saw(partition, settled.admitted.appended_at)
                self.own(sent_at, settled.admitted.appended_at)
            waiting = self._next.pop(partition, None)
            if waiting is not None and settled is not None and settled.kind != "unknown":
                self._send(partition, waiting)
            elif waiting is not None:
                asking.extend(waiting)
            for then in asking:
                then(read)

        self._writes.write(partition, TICK_STREAM, sent_at, lambda: (), settled)
