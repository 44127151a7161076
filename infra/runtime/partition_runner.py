"""Threads that work through the partitions that this process follows: erasing, views, notifications, publishing.

The engine's thread hands over each commit that it admits (``admitted``). A runner reads the commits that it missed from
local state, through a connection of its own.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from consumers.log.follower import Follower
from consumers.ports.local_state import Due, LocalState, LocalStateDamaged, LocalStateUnavailable, Parked
from consumers.ports.log_values import Admitted, Rejected
from infra.runtime.components import Health, LoopComponent, health_of
from infra.runtime.loop import Loop


@dataclass(slots=True)
class FollowedPartition:
    """The local state of a followed partition, read through a connection of the reader's own: the engine's thread
    writes it through another."""

    state: LocalState
    follower: Follower

    @property
    def partition(self) -> int:
        return self.follower.partition

    @property
    def next_ordinal(self) -> int:
        """Ordinal of the first commit that is not in the file yet."""
        return self.follower.state.stored_ordinal

    @property
    def next_offset(self) -> int:
        """Offset of the first journal record that is not in the file yet."""
        return self.follower.state.stored_offset

    def commit_at(self, ordinal: int) -> Admitted | None:
        return self.state.commit_at(ordinal)

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]:
        return self.state.commits(first, behind)

    def commits_of(self, stream: str, first: int = 0) -> Iterator[Admitted]:
        self.state.refresh()  # drop what the connection has cached of the stream
        return self.state.commits_of(stream, first)

    def parked(self, limit: int = 1000, first: int = 0) -> list[Parked]:
        return self.state.parked(limit, first)

    def due_before(self, instant: int, limit: int) -> list[Due]:
        self.state.refresh()
        return self.state.due_before(instant, limit)

    def close(self) -> None:
        """Close the connection."""
        self.state.close()


class PartitionListener(Protocol):
    """Works through partitions that are assigned to a process and revoked from it."""

    def assign(self, follower: Follower, state: LocalState) -> None:
        """Begin with a partition. ``state`` is a connection for the listener alone, which closes it; if this raises,
        the caller does."""
        ...

    def revoke(self, partition: int) -> None:
        """End with a partition: nothing of it is touched any more when this returns. Does nothing for a partition that
        was not assigned."""
        ...


class PartitionRunner(LoopComponent, ABC):
    """Base of a component with one thread, which works through partitions.

    A subclass works in ``_work``. If it listens to the engine, it takes commits in ``admitted``.
    """

    PAUSE: ClassVar[float] = 0.25
    """Seconds between two steps that nobody wakes."""
    RETRY: ClassVar[float] = 1.0
    """Seconds before the next step after an error of ``ERRORS``."""
    ERRORS: ClassVar[tuple[type[Exception], ...]] = (LocalStateDamaged, LocalStateUnavailable)
    """Errors that pass: they are the runner's trouble until a step succeeds."""

    def __init__(
        self, thread: str, sources: Mapping[int, FollowedPartition], on_defect: Callable[[], None] = lambda: None
    ) -> None:
        """``sources``: the partitions, whose connections are closed by ``stop``. ``on_defect`` is called if a defect
        ends the thread."""
        loop = Loop(thread, self._step, lambda: self.PAUSE)
        loop.on_broken = on_defect
        super().__init__(loop)
        self.trouble: str | None = None
        """Why the work has stopped. None while it goes on."""
        self._sources = dict(sources)
        self._not_before = 0.0

    def rejected(self, rejected: Rejected) -> None:
        """Ignore a record that is no part of the history. In the engine's thread."""

    def health(self) -> Health:
        """The runner's trouble, and its loop's."""
        return health_of(self.trouble, self.loop)

    @abstractmethod
    def _work(self) -> bool:
        """Do the next piece of work; whether anything moved."""

    def _step(self) -> bool:
        if time.monotonic() < self._not_before:
            return False
        try:
            return self._work()
        except self.ERRORS as away:
            self.trouble = str(away)
            self._not_before = time.monotonic() + self.RETRY
            return False

    def _close(self) -> None:
        for source in self._sources.values():
            source.close()


class AssignablePartitionRunner(PartitionRunner):
    """Base of a runner whose partitions are assigned and revoked while it runs (``PartitionListener``).

    A subclass begins with a partition in ``_begin`` and ends with it in ``_end``, both in the runner's thread.
    """

    def assign(self, follower: Follower, state: LocalState) -> None:
        """Begin with a partition. From any thread."""
        source = FollowedPartition(state, follower)

        def begin() -> None:
            self._begin(source)
            self._sources[follower.partition] = source

        self.loop.between_steps(begin)

    def revoke(self, partition: int) -> None:
        """End with a partition. From any thread."""

        def end() -> None:
            self._end(partition)
            source = self._sources.pop(partition, None)
            if source is not None:
                source.close()

        self.loop.between_steps(end)

    @abstractmethod
    def _begin(self, source: FollowedPartition) -> None:
        """Begin with a partition."""

    @abstractmethod
    def _end(self, partition: int) -> None:
        """End with a partition."""
