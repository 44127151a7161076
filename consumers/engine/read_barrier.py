"""Answers that no commit backs: given only after the follower has reached the log's end as it was when the command
arrived. Until then the job waits here, and is considered again on what came meanwhile.
"""

from collections.abc import Mapping

from consumers.engine.control_log import ControlLog
from consumers.engine.stream_queues import PendingCommand
from consumers.log.follower import Follower
from consumers.ports.journal import Journal


class ReadBarrier:
    """Who waits for which end. An end is read once for all that were taken before it was read."""

    def __init__(self, journal: Journal, control: ControlLog, followers: Mapping[int, Follower]) -> None:
        self._journal = journal
        self._control = control
        self._followers = followers
        self._ends: dict[int | None, int] = {}
        self._waiting: list[PendingCommand] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def newcomers(self) -> None:
        """Commands have arrived: ends that were read before are older than they are."""
        self._ends.clear()

    def revoke(self, partition: int) -> None:
        """The partition is followed no longer; its jobs are finished."""
        self._ends.pop(partition, None)
        self._waiting = [job for job in self._waiting if not job.finished]

    def reached(self, job: PendingCommand, *, control: bool) -> bool:
        """Whether the job may be answered; ``control``: the control log counts too. JournalUnavailable."""
        if job.end is None:
            job.end = self._end(job.partition)
        if control and job.control_end is None:
            job.control_end = self._end(None)
        return self._is_followed(job)

    def wait(self, job: PendingCommand) -> None:
        """Keep it until its ends are reached."""
        self._waiting.append(job)

    def arrived(self) -> list[PendingCommand]:
        """Those whose ends are reached by now; they wait no longer."""
        found: list[PendingCommand] = []
        still: list[PendingCommand] = []
        for job in self._waiting:
            if not job.finished:
                (found if self._is_followed(job) else still).append(job)
        self._waiting = still
        return found

    def _is_followed(self, job: PendingCommand) -> bool:
        if job.end is not None and self._followers[job.partition].next_offset < job.end:
            return False
        return job.control_end is None or self._control.next_offset >= job.control_end

    def _end(self, partition: int | None) -> int:
        end = self._ends.get(partition)
        if end is None:
            end = self._control.end() if partition is None else self._journal.end(partition)
            self._ends[partition] = end
        return end
