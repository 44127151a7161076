"""Commits that a follower hands to a slower reader of the same partition, so that they need not be read again."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from consumers.ports.log_values import Admitted, CommitReader

MOST: Final = 8_192
"""Commits that wait in memory at most."""


class HandoffBuffer:
    """The commits of one partition that were handed over. ``add`` may be called from another thread than the rest."""

    def __init__(self, most: int = MOST) -> None:
        """``most``: what is handed over while so many wait is left to the source."""
        self._waiting: deque[Admitted] = deque()
        self._most = most

    def add(self, admitted: Admitted) -> None:
        """A commit that the source has by now. To be called in the order of the ordinals; some may be left out."""
        if len(self._waiting) < self._most:
            self._waiting.append(admitted)

    def commits(self, first: int, behind: int, source: CommitReader) -> Iterator[Admitted]:
        """The commits with ordinals from ``first`` to before ``behind``, in order: those that were handed over, and
        from the source what is missing before, between and after them. The last one that was given stays at hand: a
        reader may find that it is one too many."""
        waiting = self._waiting
        while first < behind:
            while waiting and waiting[0].ordinal < first:
                waiting.popleft()
            if waiting and waiting[0].ordinal == first:
                yield waiting[0]
                first += 1
                continue
            until = min(behind, waiting[0].ordinal) if waiting else behind
            yield from source.commits(first, until)
            first = until
