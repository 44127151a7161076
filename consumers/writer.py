"""The writer: group commit, pipelined, settled by read-back. No thread, no clock, no ids of its own (DESIGN 3.2).

Commits proposed for the same partition at the same moment go into one record. What became of a commit is said by the
follower alone: an append's own answer never settles anything but a certain *refused*. An unknown append is settled by
a fence: an empty commit on the same parent, after which the unknown one can no longer be admitted, unless it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from consumers.admission import Admitted, Rejected
from consumers.journal import Journal
from domain.instants import Instant
from schemas.commit import Commit

SettledKind = Literal["admitted", "duplicate", "superseded", "malformed", "refused", "unknown"]


@dataclass(slots=True)
class Settled:
    """What became of a proposed commit.

    ``admitted``: the commit itself (kind admitted), or the one admitted first that it repeats (kind duplicate; it may
    answer another body: compare fingerprints). superseded: it lost a race and never happened, decide again. refused:
    never written; ``retriable`` says whether asking again makes sense. unknown: the writer was closed before the log
    said.
    """

    kind: SettledKind
    admitted: Admitted | None = None
    reason: str = ""
    retriable: bool = False


class Writer:
    """Group commit for one journal. It is a Listener: pass on what the followers of its partitions say."""

    def __init__(
        self,
        journal: Journal,
        name: str,
        new_id: Callable[[], bytes],
        first_of: Callable[[int, int], Admitted | None],
        *,
        wake: Callable[[], None] | None = None,
        record_commits: int = 256,
        record_bytes: int = 262_144,
        records_in_flight: int = 4,
        commits_in_flight: int = 4096,
    ) -> None:
        """``name`` is the writer's name in records and fences; ``new_id`` gives 16 unique bytes (ids of fences);
        ``first_of(partition, ordinal)`` looks up the commit that a duplicate repeats; ``wake`` is called, from any
        thread, when an append was answered and ``step`` has something to do. Bounds are per partition, but for
        ``commits_in_flight``."""
        raise NotImplementedError

    def propose(
        self,
        partition: int,
        key: bytes,
        data: bytes,
        done: Callable[[Settled], None],
        commit: Commit | None = None,
    ) -> None:
        """Queue a commit. ``done`` is called once, from ``step``, ``admitted``, ``rejected`` or ``close``.

        ``commit`` is what ``encode_commit`` made ``data`` of; without it the bytes are decoded here. Malformed if they
        are no commit or too large for the journal; ValueError if the very same bytes are on their way already.
        """
        raise NotImplementedError

    def step(self, now: Instant) -> bool:
        """Take answers of appends, send what waits, fence what is unknown; whether anything was done."""
        raise NotImplementedError

    def admitted(self, admitted: Admitted) -> None:
        """The follower admitted a commit: settles it if it is ours."""
        raise NotImplementedError

    def rejected(self, rejected: Rejected) -> None:
        """The follower rejected a commit: settles it if it is ours."""
        raise NotImplementedError

    def known(self, data: bytes) -> Commit | None:
        """The commit on its way that has exactly these bytes."""
        raise NotImplementedError

    @property
    def in_flight(self) -> int:
        """Commits proposed and not settled."""
        raise NotImplementedError

    @property
    def has_room(self) -> bool:
        """Whether another commit may be proposed within the bound."""
        raise NotImplementedError

    def close(self) -> None:
        """Settle everything that is still open as unknown; send nothing any more."""
        raise NotImplementedError
