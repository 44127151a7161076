"""Open imports: the marketplaces whose history is being imported, per partition.

An import records its beginning and its end on ``$import/MARKETPLACE/SHA256`` in every partition. Each of these commits
touches ``$imports``, too, so that a starting process finds them without reading every stream. While an import is open,
no deadline of the marketplace fires and live commands for it are answered ``unavailable``. A deadline that was set and
due before the last import was closed never fires live. See docs/reference/decisions.md, Importing history.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from consumers.engine.control_log import ControlWrites
from consumers.log.commit_codec import events_of
from consumers.log.writer import Settled
from consumers.ports.log_values import Admitted
from domain.events import Event, ImportClosed, ImportOpened
from domain.instants import EARLIEST, Instant
from schemas.codec import Undecodable

IMPORT_STREAMS: Final = "$import/"
LIST_STREAM: Final = "$imports"


def stream_of(marketplace: str, source: bytes) -> str:
    """Return the control stream of one input, which is identified by its SHA-256."""
    return f"{IMPORT_STREAMS}{marketplace}/{source.hex()}"


@dataclass(slots=True)
class ImportPeriod:
    """A time during which some import of a marketplace was open, as recorded in one partition."""

    opened_at: Instant
    closed_at: Instant
    """When an import was last closed, in this period or an earlier one."""


class Imports:
    """The open and closed imports of the followed partitions."""

    def __init__(self) -> None:
        self._open: dict[int, set[tuple[str, bytes]]] = defaultdict(set)
        self._periods: dict[tuple[int, str], list[ImportPeriod]] = defaultdict(list)

    def admitted(self, admitted: Admitted) -> bool:
        """Take in a commit. Returns whether it opened or closed an import."""
        found = False
        for part in admitted.commit.streams:
            if not part.stream.startswith(IMPORT_STREAMS):
                continue
            try:
                events = events_of(part)
            except Undecodable:
                continue
            for event, _ in events:
                if isinstance(event, ImportOpened):
                    self._opened(admitted, event)
                    found = True
                elif isinstance(event, ImportClosed):
                    self._closed(admitted, event)
                    found = True
        return found

    def _opened(self, admitted: Admitted, event: ImportOpened) -> None:
        if not self.is_open(admitted.partition, event.marketplace):
            periods = self._periods[admitted.partition, event.marketplace]
            before = periods[-1].closed_at if periods else EARLIEST
            periods.append(ImportPeriod(max(admitted.commit.recorded_at, before), before))
        self._open[admitted.partition].add((event.marketplace, event.input))

    def _closed(self, admitted: Admitted, event: ImportClosed) -> None:
        self._open[admitted.partition].discard((event.marketplace, event.input))
        periods = self._periods[admitted.partition, event.marketplace]
        if not periods:
            periods.append(ImportPeriod(admitted.commit.recorded_at, EARLIEST))
        periods[-1].closed_at = max(periods[-1].closed_at, periods[-1].opened_at, admitted.commit.recorded_at)

    def revoke(self, partition: int) -> None:
        """Forget a partition that is followed no longer."""
        self._open.pop(partition, None)
        for key in [key for key in self._periods if key[0] == partition]:
            del self._periods[key]

    def is_open(self, partition: int, marketplace: str) -> bool:
        """Whether an import of the marketplace is open in this partition."""
        return any(name == marketplace for name, _ in self._open.get(partition, ()))

    def inputs(self, marketplace: str | None = None) -> set[tuple[str, bytes]]:
        """Return (marketplace, SHA-256) of the inputs that are open in any partition."""
        return {each for here in self._open.values() for each in here if marketplace in (None, each[0])}

    def closed_at(self, partition: int, marketplace: str) -> Instant:
        """Return when an import of the marketplace was last closed. Deadlines set and due before never fire live."""
        periods = self._periods.get((partition, marketplace))
        return periods[-1].closed_at if periods else EARLIEST

    def closed_as_of(self, partition: int, marketplace: str, instant: Instant | None, now: Instant) -> Instant:
        """Return ``closed_at`` as it was known at an instant (None: ``now``).

        While an import is open nothing fires, so it counts as closed at that instant.
        """
        is_open = self.is_open(partition, marketplace)
        if instant is None:
            return now if is_open else self.closed_at(partition, marketplace)
        periods = self._periods.get((partition, marketplace), [])
        for period in reversed(periods):
            if period.opened_at <= instant:
                return instant if is_open and period is periods[-1] else min(instant, period.closed_at)
        return EARLIEST

    def has_opened(self, partition: int, marketplace: str, source: bytes) -> bool:
        """Whether this input is open in this partition."""
        return (marketplace, source) in self._open.get(partition, ())

    # ---- writing -----------------------------------------------------------------------------------------------------

    def open(
        self,
        writes: ControlWrites,
        partitions: Iterable[int],
        marketplace: str,
        source: bytes,
        now: Instant,
        done: Callable[[list[Settled | None]], None],
    ) -> None:
        """Open an input in every partition where it is not open. ``done`` gets the result of each commit."""

        def decide(partition: int) -> Sequence[Event] | None:
            return None if self.has_opened(partition, marketplace, source) else (ImportOpened(marketplace, source),)

        self._write(writes, partitions, stream_of(marketplace, source), now, decide, done)

    def close(
        self,
        writes: ControlWrites,
        partitions: Iterable[int],
        marketplace: str,
        source: bytes,
        until: Instant | None,
        now: Instant,
        done: Callable[[list[Settled | None]], None],
    ) -> None:
        """Close an input in every partition where it is open. ``done`` gets the result of each commit."""

        def decide(partition: int) -> Sequence[Event] | None:
            if not self.has_opened(partition, marketplace, source):
                return None
            return (ImportClosed(marketplace, source, until),)

        self._write(writes, partitions, stream_of(marketplace, source), now, decide, done)

    def _write(
        self,
        writes: ControlWrites,
        partitions: Iterable[int],
        stream: str,
        now: Instant,
        decide: Callable[[int], Sequence[Event] | None],
        done: Callable[[list[Settled | None]], None],
    ) -> None:
        found: list[Settled | None] = []
        targets = list(partitions)

        def settled(one: Settled | None) -> None:
            found.append(one)
            if len(found) == len(targets):
                done(found)

        for partition in targets:
            writes.write(partition, stream, now, partial(decide, partition), settled, listed=LIST_STREAM)
