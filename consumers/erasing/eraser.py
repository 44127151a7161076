"""The eraser: a loop that reads admitted commits in log order, and has the vault destroy the keys of erased subjects.

A key goes only after an admitted ``SubjectErased`` on the subject's own stream with no legal hold open before it there.
That is judged here, from the log, whatever decided the command. The vault keeps the position with the erasure, in one
transaction, so it is carried out once whoever reads, and however often. No thread, no clock, no I/O of its own.
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
"""Commits that are looked at in one step."""
SPARSE: Final = 10_000
"""Commits without any erasure after which the position is stored all the same, so that a start looks at few again."""

_NAMES: Final = {of: name for of, name, _ in CURRENT}
_ERASED: Final = _NAMES[e.SubjectErased]
_PLACED: Final = _NAMES[e.LegalHoldPlaced]


class Erasure(NamedTuple):
    """A subject whose keys go, unless they were made by who knew the commit with this ordinal already."""

    marketplace: str
    subject: str
    ordinal: int


class Erasures(Protocol):
    """The vault, as the eraser uses it. Every call is durable when it returns; VaultUnavailable."""

    def erased_through(self, journal: str, partition: int) -> int:
        """Ordinal of the first commit of this journal's partition whose erasures were not carried out; 0 at first."""
        ...

    def carry_out(self, journal: str, partition: int, before: int, position: int, erasures: Sequence[Erasure]) -> bool:
        """Destroy these keys and move the position, in one transaction; False, and nothing done, if the position is no
        longer ``before``."""
        ...

    def scrub(self) -> None:
        """Have no file of the vault hold a key that was destroyed; nothing to do where none was since the last time."""
        ...


# ---- what the log says -----------------------------------------------------------------------------------------------


def subject_of(stream: str) -> tuple[str, str] | None:
    """Marketplace and subject of a stream ``MARKETPLACE/subject/ID``; None for any other."""
    marketplace, _, rest = stream.partition("/")
    kind, _, subject = rest.partition("/")
    return (marketplace, subject) if marketplace[:1] != "$" and kind == "subject" and subject else None


def erased_at(stream: str, commits: Iterable[Admitted]) -> Iterator[int]:
    """Ordinals of the commits of a subject's stream that erase it: no hold stands open before them.

    A hold that this release cannot read stands, a release that it cannot read lifts nothing, an erasure that it cannot
    read, or that names another subject than its stream, erases nothing: what was erased does not come back.
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
    """Erasures of the partitions that a process follows. ``admitted`` may be called from another thread."""

    def __init__(self, journal: str, sources: Mapping[int, CommitReader], vault: Erasures) -> None:
        """``journal``: its identity, under which the vault keeps the positions."""
        self._journal = journal
        self._sources = dict(sources)
        self._vault = vault
        self._handed = {partition: HandoffBuffer() for partition in sources}
        self._positions: dict[int, int] = {}
        self._stored: dict[int, int] = {}
        self._scrubbed = False

    def assign(self, partition: int, source: CommitReader) -> None:
        """Carry out the erasures of one more partition; in the thread of ``step``."""
        self._handed[partition] = HandoffBuffer()
        self._sources[partition] = source

    def revoke(self, partition: int) -> None:
        """Carry out those of a partition no longer; in the thread of ``step``."""
        for kept in (self._sources, self._handed, self._positions, self._stored):
            kept.pop(partition, None)

    def admitted(self, admitted: Admitted) -> None:
        """A commit that the source has by now; it need not be read again."""
        handed = self._handed.get(admitted.partition)
        if handed is not None:
            handed.add(admitted)

    def step(self) -> bool:
        """Carry out what stands next in the log; whether anything moved. VaultUnavailable: the same again later."""
        if not self._scrubbed:  # an earlier process, or an earlier step, may have been cut off before it
            self._vault.scrub()
            self._scrubbed = True
        moved = False
        for partition, source in self._sources.items():
            moved = self._take(partition, source) or moved
        return moved

    def done(self, partition: int) -> int:
        """Ordinal of the first commit of the partition whose erasures may not be carried out; 0 while destroyed keys
        have to be scrubbed. From any thread."""
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
            for admitted in self._handed[partition].commits(position, behind, source)
            for erasure in erasures_in(source, admitted)
        ]
        stored = self._stored[partition]
        if found or behind - stored >= SPARSE:
            self._positions.pop(partition)  # whatever comes of it, the vault knows how far it is
            self._scrubbed = self._scrubbed and not found
            if not self._vault.carry_out(self._journal, partition, stored, behind, found):
                return True
            self._stored[partition] = behind
        self._positions[partition] = behind
        return True


def erasures_in(source: CommitReader, admitted: Admitted) -> Iterator[Erasure]:
    """The subjects that a commit erases."""
    for part in admitted.commit.streams:
        about = subject_of(part.stream) if _may_erase(part) else None
        if about is not None and admitted.ordinal in erased_at(part.stream, source.commits_of(part.stream)):
            yield Erasure(*about, admitted.ordinal)
