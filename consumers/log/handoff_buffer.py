"""Buffers commits between a follower and a slower reader of the same partition, which need not read them again."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from consumers.ports.log_values import Admitted, CommitReader

CAPACITY: Final = 8_192
"""Commits buffered at most, unless the constructor has another number."""


class HandoffBuffer:
    """The buffered commits of one partition. ``add`` may be called from another thread than the rest."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        """``capacity``: a commit that is added while so many wait is not buffered, and is read from the source."""
        self._waiting: deque[Admitted] = deque()
        self._capacity = capacity

    def add(self, admitted: Admitted) -> None:
        """Buffer a commit that the source has. Called in the order of the ordinals; some may be left out."""
        if len(self._waiting) < self._capacity:
            self._waiting.append(admitted)

    def commits(self, first: int, behind: int, source: CommitReader) -> Iterator[Admitted]:
        """Yield the commits with ordinals from ``first`` on and below ``behind``, in order.

        Commits that are not buffered are read from the source. The last commit that was yielded stays buffered, so that
        the reader can ask for it again.
        """
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
