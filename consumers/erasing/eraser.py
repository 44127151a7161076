"""The eraser: a loop that reads admitted commits in log order, and has the vault destroy the keys of erased subjects.

A key is destroyed only after an admitted ``SubjectErased`` on the subject's own stream with no open legal hold before
it. The eraser checks this itself from the log, without relying on the decision of the command. The vault stores the
position in the same transaction as the erasure, so that each is carried out once, however often the log is read. The
eraser has no thread, no clock and no I/O of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from consumers.log.commit_codec import decoded, part_of
from consumers.log.handoff_buffer import HandoffBuffer
from consumers.ports.log_values import Admitted, CommitReader
from domain import events as e
from schemas.commit import StreamEntry
from schemas.names import CURRENT

COMMITS: Final = 1_000
"""Commits read in one step."""
SPARSE: Final = 10_000
"""Number of commits without an erasure after which the position is stored, so that a restart reads few again."""

_NAMES: Final = {of: name for of, name, _ in CURRENT}
_ERASED: Final = _NAMES[e.SubjectErased]
_PLACED: Final = _NAMES[e.LegalHoldPlaced]


class Erasure(NamedTuple):
    """A subject whose keys are destroyed, except those made after the commit with this ordinal was known."""

    marketplace: str
    subject: str
    ordinal: int


class Erasures(Protocol):
    """The vault as the eraser uses it. Every call is durable when it returns, and may raise VaultUnavailable."""

    def erased_through(self, journal: str, partition: int) -> int:
        """Return the ordinal of the first commit of a partition whose erasures were not carried out; 0 at first."""
        ...

    def carry_out(self, journal: str, partition: int, before: int, position: int, erasures: Sequence[Erasure]) -> bool:
        """Destroy keys and move the position from ``before``, in one transaction.

        Returns False and does nothing if the position is no longer ``before``.
        """
        ...

    def scrub(self) -> None:
        """Remove destroyed keys from the vault's files. Does nothing if none was destroyed since the last time."""
        ...


# ---- erasures in the log ---------------------------------------------------------------------------------------------


def subject_of(stream: str) -> tuple[str, str] | None:
    """Return marketplace and subject of a stream ``MARKETPLACE/subject/ID``; None for any other."""
    marketplace, _, rest = stream.partition("/")
    kind, _, subject = rest.partition("/")
    return (marketplace, subject) if marketplace[:1] != "$" and kind == "subject" and subject else None


def erased_at(stream: str, commits: Iterable[Admitted]) -> Iterator[int]:
    """Yield the ordinals of the commits of a subject's stream that erase it: those with no open hold before them.

    An erasure cannot be undone. So of the events that this release cannot read, a hold counts, but the release of a
    hold and an erasure do not. An erasure that names another subject than its stream does not count either.
    """
    about = subject_of(stream)
    holds: set[str | None] = set()
    for admitted in commits:
        part = part_of(admitted.commit, stream)
        if part is None or part.kind != "chain":
            continue
        erases = False
        for entry in part.events:
            match decoded(entry):
                case e.LegalHoldPlaced(hold_id=hold):
                    holds.add(hold)
                case e.LegalHoldReleased(hold_id=hold):
                    holds.discard(hold)
                case e.SubjectErased(subject=subject) if about is not None and subject == about[1] and not holds:
                    erases = True
                case None if entry.name == _PLACED:
                    holds.add(None)
                case _:
                    pass
        if erases:
            yield admitted.ordinal


def _may_erase(part: StreamEntry) -> bool:
    return part.kind == "chain" and "/subject/" in part.stream and any(each.name == _ERASED for each in part.events)


# ---- the loop --------------------------------------------------------------------------------------------------------


class Eraser:
    """Carries out the erasures of the followed partitions. ``admitted`` may be called from another thread."""

    def __init__(self, journal: str, sources: Mapping[int, CommitReader], vault: Erasures) -> None:
        """``journal``: its identity, under which the vault stores the positions."""
        self._journal = journal
        self._sources = dict(sources)
        self._vault = vault
        self._handoffs = {partition: HandoffBuffer() for partition in sources}
        self._positions: dict[int, int] = {}
        self._stored: dict[int, int] = {}
        self._scrubbed = False

    def assign(self, partition: int, source: CommitReader) -> None:
        """Carry out the erasures of one more partition. Called in the thread of ``step``."""
        self._handoffs[partition] = HandoffBuffer()
        self._sources[partition] = source

    def revoke(self, partition: int) -> None:
        """Stop carrying out the erasures of a partition. Called in the thread of ``step``."""
        for by_partition in (self._sources, self._handoffs, self._positions, self._stored):
            by_partition.pop(partition, None)

    def admitted(self, admitted: Admitted) -> None:
        """Buffer a commit that the source has, so that it need not be read again."""
        handoff = self._handoffs.get(admitted.partition)
        if handoff is not None:
            handoff.add(admitted)

    def step(self) -> bool:
        """Carry out the next erasures of each partition. Returns whether there was anything to read.

        Raises VaultUnavailable; the same call may succeed later.
        """
        if not self._scrubbed:  # an earlier process, or an earlier step, may have been cut off before it
            self._vault.scrub()
            self._scrubbed = True
        moved = False
        for partition, source in self._sources.items():
            moved = self._take(partition, source) or moved
        return moved

    def done(self, partition: int) -> int:
        """Return the ordinal of the first commit of a partition whose erasures may not be carried out yet.

        0 while destroyed keys have to be scrubbed. From any thread.
        """
        return self._positions.get(partition, 0) if self._scrubbed else 0

    def _take(self, partition: int, source: CommitReader) -> bool:
        position = self._positions.get(partition)
        if position is None:
            position = self._vault.erased_through(self._journal, partition)
            self._positions[partition] = self._stored[partition] = position
        behind = min(source.next_ordinal, position + COMMITS)
        if behind <= position:
            return False
        found = [
            erasure
            for admitted in self._handoffs[partition].commits(position, behind, source)
            for erasure in erasures_in(source, admitted)
        ]
        stored = self._stored[partition]
        if found or behind - stored >= SPARSE:
            self._positions.pop(partition)  # if the call fails, the vault has the position
            self._scrubbed = self._scrubbed and not found
            if not self._vault.carry_out(self._journal, partition, stored, behind, found):
                return True
            self._stored[partition] = behind
        self._positions[partition] = behind
        return True


def erasures_in(source: CommitReader, admitted: Admitted) -> Iterator[Erasure]:
    """Yield the subjects that a commit erases."""
    for part in admitted.commit.streams:
        about = subject_of(part.stream) if _may_erase(part) else None
        if about is not None and admitted.ordinal in erased_at(part.stream, source.commits_of(part.stream)):
            yield Erasure(*about, admitted.ordinal)
