"""Open imports: which marketplaces are being filled with history, per partition.

See docs/reference/decisions.md, Importing history.

An import says so on ``$import/MARKETPLACE/SHA256`` in every partition before its first command, and again at its end.
Each of these commits touches ``$imports`` too, so that a process that starts finds them without a look at every stream.
While any of them is open nothing fires for the marketplace and live writes to it wait; what was set and due before the
last closing never fires live.
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
    """The control stream of one input, told by its SHA-256."""
    return f"{IMPORT_STREAMS}{marketplace}/{source.hex()}"


@dataclass(slots=True)
class Span:
    """A time during which some import of a marketplace was open, as one partition tells it."""

    opened_at: Instant
    closed_at: Instant
    """The latest closing so far, of this time or an earlier one."""


class Imports:
    """Open and closed imports as the followed partitions tell them."""

    def __init__(self) -> None:
        self._open: dict[int, set[tuple[str, bytes]]] = defaultdict(set)
        self._spans: dict[tuple[int, str], list[Span]] = defaultdict(list)

    def admitted(self, admitted: Admitted) -> bool:
        """One commit on an import's stream; whether it said anything of an import."""
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
            spans = self._spans[admitted.partition, event.marketplace]
            before = spans[-1].closed_at if spans else EARLIEST
            spans.append(Span(max(admitted.commit.recorded_at, before), before))
        self._open[admitted.partition].add((event.marketplace, event.input))

    def _closed(self, admitted: Admitted, event: ImportClosed) -> None:
        self._open[admitted.partition].discard((event.marketplace, event.input))
        spans = self._spans[admitted.partition, event.marketplace]
        if not spans:
            spans.append(Span(admitted.commit.recorded_at, EARLIEST))
        spans[-1].closed_at = max(spans[-1].closed_at, spans[-1].opened_at, admitted.commit.recorded_at)

    def revoke(self, partition: int) -> None:
        """The partition is followed no longer: what is known of it is of yesterday."""
        self._open.pop(partition, None)
        for key in [key for key in self._spans if key[0] == partition]:
            del self._spans[key]

    def is_open(self, partition: int, marketplace: str) -> bool:
        """Whether an import of the marketplace is open in this partition."""
        return any(name == marketplace for name, _ in self._open.get(partition, ()))

    def inputs(self, marketplace: str | None = None) -> set[tuple[str, bytes]]:
        """(marketplace, SHA-256) of the inputs that are open in any partition."""
        return {each for here in self._open.values() for each in here if marketplace in (None, each[0])}

    def closed_at(self, partition: int, marketplace: str) -> Instant:
        """When an import of the marketplace was last closed: what was set and due before that never fires live."""
        spans = self._spans.get((partition, marketplace))
        return spans[-1].closed_at if spans else EARLIEST

    def closed_as_of(self, partition: int, marketplace: str, instant: Instant | None, now: Instant) -> Instant:
        """The same as it was known at an instant; None: as it is ``now``. While one is open nothing fires: as if it
        were closed then."""
        is_open = self.is_open(partition, marketplace)
        if instant is None:
            return now if is_open else self.closed_at(partition, marketplace)
        spans = self._spans.get((partition, marketplace), [])
        for span in reversed(spans):
            if span.opened_at <= instant:
                return instant if is_open and span is spans[-1] else min(instant, span.closed_at)
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
        """Open an input in every partition where it is not open; ``done`` hears what became of each commit."""

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
        """Close an input in every partition where it is open."""

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
        everywhere = list(partitions)

        def settled(one: Settled | None) -> None:
            found.append(one)
            if len(found) == len(everywhere):
                done(found)

        for partition in everywhere:
            writes.write(partition, stream, now, partial(decide, partition), settled, listed=LIST_STREAM)
