"""One timeline of everything about an order, with its contradictions flagged.

The log alone decides the order of entries. Flagged are claimed times that disagree with the log, and reasons that
differ between request, case, return and cancellation. Nothing is merged or corrected.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from domain import events as e
from domain.instants import MINUTE, Instant
from domain.reasons import MARKETPLACE_CAUSES
from domain.record import Entry, Record

AGREES = MINUTE
"""A claimed time that differs from the log's by less than this agrees with it, because people round to the minute."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed time and the log's time. ``logged_at`` is None if the log has no event of the kind."""

    flag: str
    """before-the-order, after-it-was-attached, not-in-the-log, other-time, told-late"""
    version: int
    claimed_at: Instant
    logged_version: int | None
    logged_at: Instant | None


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason: where it was given, by whom, and in which version."""

    where: str
    """request, case, return or cancellation"""
    ref: str
    by: str
    reason: str
    version: int


@dataclass(frozen=True, slots=True)
class Chronology:
    """All entries in the log's order, with claimed times and reasons."""

    entries: Record
    claims: tuple[Claim, ...]
    reasons: tuple[Reason, ...]

    @property
    def reasons_differ(self) -> bool:
        """Whether more than one reason was given."""
        return len({given.reason for given in self.reasons}) > 1

    def flags(self, version: int) -> list[str]:
        """Return the flags of one entry."""
        found = [claim.flag for claim in self.claims if claim.version == version]
        if self.reasons_differ and any(given.version == version for given in self.reasons):
            found.append("reasons-differ")
        return found


def chronology(record: Record) -> Chronology:
    """Build the timeline of a record."""
    return Chronology(record, tuple(_claims(record)), tuple(_reasons(record)))


def _claims(record: Record) -> Iterator[Claim]:
    placed_at = next((x.occurred_at for x in record if isinstance(x.event, e.OrderPlaced)), None)
    log = _EventsByTime(record)
    latest: Entry | None = None
    for entry in record:
        event = entry.event
        if isinstance(event, e.EvidenceAdded) and event.claimed_at is not None:
            yield from _claimed(log, entry, event, event.claimed_at, placed_at)
        late = latest is not None and entry.occurred_at < latest.recorded_at <= entry.recorded_at
        if late and latest is not None and not isinstance(event, e.DeadlineReached):
            yield Claim("told-late", entry.version, entry.occurred_at, latest.version, latest.recorded_at)
        if latest is None or entry.recorded_at > latest.recorded_at:
            latest = entry


def _claimed(
    log: "_EventsByTime", entry: Entry, event: e.EvidenceAdded, claimed_at: Instant, placed_at: Instant | None
) -> Iterator[Claim]:
    """Compare a claimed time with its bounds, and with events of the same kind and side in the log."""
    if claimed_at > entry.recorded_at:
        yield Claim("after-it-was-attached", entry.version, claimed_at, entry.version, entry.recorded_at)
        return
    if placed_at is not None and claimed_at < placed_at:
        yield Claim("before-the-order", entry.version, claimed_at, 1, placed_at)
        return
    if event.kind not in _EVENTS_OF:
        return
    nearest = log.nearest(event.kind, event.side, claimed_at)
    if nearest is None:
        yield Claim("not-in-the-log", entry.version, claimed_at, None, None)
    elif abs(nearest.occurred_at - claimed_at) >= AGREES:
        yield Claim("other-time", entry.version, claimed_at, nearest.version, nearest.occurred_at)


_OWN: Final = ("seller", *MARKETPLACE_CAUSES)
_EVENTS_OF: Final = {"message": (e.MessageSent, e.CancelRequested), "ticket": (e.ContactRecorded, e.DisputeEscalated)}
"""Kind of evidence → the events that record it in the log."""


class _EventsByTime:
    """The log's events by kind of evidence and side, sorted by time once for all claims."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._sorted: dict[tuple[str, str], tuple[list[Instant], list[Entry]]] = {}

    def nearest(self, kind: str, side: str, at: Instant) -> Entry | None:
        """Return the entry nearest to an instant, the first if several are equally near; None if there is none."""
        if (kind, side) not in self._sorted:
            self._sorted[kind, side] = self._by_time(_EVENTS_OF[kind], side)
        instants, entries = self._sorted[kind, side]
        place = bisect_left(instants, at)
        return min(
            entries[max(place - 1, 0) : place + 1], key=lambda x: (abs(x.occurred_at - at), x.version), default=None
        )

    def _by_time(self, kinds: tuple[type, ...], side: str) -> tuple[list[Instant], list[Entry]]:
        """Return the first entry of each instant, sorted by time."""
        first: dict[Instant, Entry] = {}
        for entry in self._record:
            if isinstance(entry.event, kinds) and side in (entry.actor_kind, "support"):
                first.setdefault(entry.occurred_at, entry)
        instants = sorted(first)
        return instants, [first[instant] for instant in instants]


def _reasons(record: Record) -> Iterator[Reason]:
    """Yield every reason that a person gave. A cancellation that carries out a request adds none."""
    for entry in record:
        event, version, by = entry.event, entry.version, entry.actor_kind
        match event:
            case e.CancelRequested(request_id, requester, reason) if reason is not None:
                yield Reason("request", request_id, requester, reason, version)
            case e.CaseOpened(case_id, reason):
                yield Reason("case", case_id, by, reason, version)
            case e.ReturnOpened(return_id, about, reason) if reason is not None and about == return_id:
                yield Reason("return", return_id, by, reason, version)
            case e.LinesCanceled(lines) if by in _OWN:
                own = dict.fromkeys(x.reason for x in lines if x.cause in _OWN and x.reason is not None)
                yield from (Reason("cancellation", f"version {version}", by, reason, version) for reason in own)
            case _:
                pass
