"""Bugs to plant, to see that the oracles catch them. They live here and nowhere else.

Each makes an engine that is wrong in one way; everything around it is as it is.
"""

from collections.abc import Callable
from typing import Any

from consumers.engine.command_handler import CommandHandler
from consumers.engine.engine import Engine
from consumers.engine.read_barrier import ReadBarrier
from consumers.engine.stream_queues import PendingCommand
from consumers.log.admission import Admission
from consumers.log.writer import Done, Settled, Writer
from consumers.ports.log_values import AdmissionResult, Admitted, Rejected
from domain.instants import LATEST, Instant
from schemas.commit import Commit, commit_hash


def _whatever(settled: Settled) -> None:
    """Nobody listens any more."""


class _HastyWriter(Writer):
    def propose(self, partition: int, key: bytes, data: bytes, done: Done, commit: Commit | None = None) -> None:
        super().propose(partition, key, data, _whatever, commit)
        assert commit is not None
        engine: Engine = self._commit_at.__self__  # type: ignore[attr-defined]
        follower = engine.followers[partition]
        at = (partition, follower.next_offset, 0, follower.next_ordinal, follower.next_position)
        done(Settled("admitted", Admitted(*at, engine._clock.now, commit_hash(data), commit, data)))


def hasty(*given: Any, **named: Any) -> Engine:
    """Acknowledges before read-back: as soon as a commit is on its way."""
    engine = Engine(*given, **named)
    engine._writer.__class__ = _HastyWriter
    return engine


class _CarelessAdmission(Admission):
    def _take_commit(self, offset: int, index: int, appended_at: Instant, data: bytes) -> AdmissionResult:
        result = super()._take_commit(offset, index, appended_at, data)
        if not isinstance(result, Rejected) or result.kind != "superseded" or result.commit is None:
            return result
        heads = self.heads
        at = (self.partition, offset, index, heads.next_ordinal, heads.next_position)
        admitted = Admitted(*at, appended_at, commit_hash(data), result.commit, data)
        heads.next_ordinal += 1
        heads.next_position += sum(len(part.events) for part in result.commit.streams)
        heads.admit(admitted)
        return admitted


def careless(*given: Any, **named: Any) -> Engine:
    """Skips the parent check: a commit that lost a race is still admitted."""
    engine = Engine(*given, **named)
    for follower in engine.followers.values():
        follower._admission.__class__ = _CarelessAdmission
    return engine


class _ForgetfulHandler(CommandHandler):
    def handle(self, pending: PendingCommand) -> None:
        self._orders.get(pending.partition, pending.stream).answered.clear()
        super().handle(pending)


def forgetful(*given: Any, **named: Any) -> Engine:
    """Forgets the command id: a retry is a new command."""
    engine = Engine(*given, **named)
    engine._handler.__class__ = _ForgetfulHandler
    for follower in engine.followers.values():
        follower.state.ordinal_of_command = lambda stream, command_id: None  # type: ignore[method-assign]
    return engine


class _ImpatientBarrier(ReadBarrier):
    def reached(self, pending: PendingCommand, *, control: bool) -> bool:
        return True


def impatient(*given: Any, **named: Any) -> Engine:
    """Says that there is no such order without having read the log to its end."""
    engine = Engine(*given, **named)
    engine._barrier.__class__ = _ImpatientBarrier
    return engine


def early(*given: Any, **named: Any) -> Engine:
    """Fires deadlines by its own clock alone."""
    engine = Engine(*given, **named)
    engine._log_clock.seen = _Future(engine._log_clock.seen)
    return engine


class _Future(dict[int, Instant]):
    """The log's time is always later than everything."""

    def __getitem__(self, partition: int) -> Instant:
        return LATEST


PLANTS: dict[str, Callable[..., Engine]] = {
    "nothing": Engine,
    "hasty": hasty,
    "careless": careless,
    "forgetful": forgetful,
    "impatient": impatient,
    "early": early,
}
"""The bugs that may be planted, by name."""
