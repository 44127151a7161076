"""Read barrier: holds answers without a commit (duplicate, not found, conflict) until the log is read far enough.

This process must have read the log up to where it ended when the command arrived. The command is then handled again,
because the order may have changed.
"""

from collections.abc import Mapping

from consumers.engine.control_log import ControlLog
from consumers.engine.stream_queues import PendingCommand
from consumers.log.follower import Follower
from consumers.ports.journal import Journal


class ReadBarrier:
    """The commands that wait for an end of a log. One end serves all commands that were taken before it was read."""

    def __init__(self, journal: Journal, control: ControlLog, followers: Mapping[int, Follower]) -> None:
        self._journal = journal
        self._control = control
        self._followers = followers
        self._ends: dict[int | None, int] = {}
        self._waiting: list[PendingCommand] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def forget_ends(self) -> None:
        """Read the ends again for commands that arrive from now on."""
        self._ends.clear()

    def revoke(self, partition: int) -> None:
        """Forget a partition that is followed no longer. Its commands are finished."""
        self._ends.pop(partition, None)
        self._waiting = [pending for pending in self._waiting if not pending.finished]

    def reached(self, pending: PendingCommand, *, control: bool) -> bool:
        """Whether a command may be answered. ``control``: the control log's end counts, too.

        Raises JournalUnavailable.
        """
        if pending.end is None:
            pending.end = self._end(pending.partition)
        if control and pending.control_end is None:
            pending.control_end = self._end(None)
        return self._is_followed(pending)

    def add(self, pending: PendingCommand) -> None:
        """Have a command wait until its ends are reached."""
        self._waiting.append(pending)

    def take_reached(self) -> list[PendingCommand]:
        """Remove and return the commands whose ends are reached."""
        reached: list[PendingCommand] = []
        waiting: list[PendingCommand] = []
        for pending in self._waiting:
            if not pending.finished:
                (reached if self._is_followed(pending) else waiting).append(pending)
        self._waiting = waiting
        return reached

    def _is_followed(self, pending: PendingCommand) -> bool:
        if pending.end is not None and self._followers[pending.partition].next_offset < pending.end:
            return False
        return pending.control_end is None or self._control.next_offset >= pending.control_end

    def _end(self, partition: int | None) -> int:
        end = self._ends.get(partition)
        if end is None:
            end = self._control.end() if partition is None else self._journal.end(partition)
            self._ends[partition] = end
        return end
