"""Taking commands in a running engine: one thread that reads inputs, has them decided, and writes their outcomes.

Inputs, outcomes and what is remembered between them are Kafka's: which partitions' inputs are this process's is the
group's to say, and outcomes are written in the transaction that says which inputs they answer. Whatever is in doubt is
given up and begun again from what the group remembers. Who answers an input matters to nobody: the engine decides each
command once, whichever process asks.
"""

import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Final, Protocol

from consumers.command_topic.gateway import CommandSubmitter, Gateway
from domain.instants import SECOND, Instant
from infra.addresses.kafka import KafkaAt, Security
from infra.command_topic.committed_offsets import CommandsUnavailable, GroupMovedOn
from infra.command_topic.consumer import CommandConsumer, MemberFenced
from infra.command_topic.producer import OutcomeProducer
from infra.command_topic.topics import CommandTopics
from infra.command_topic.translation import CommandForm, Texts
from infra.publishing.reading import PublishingTimeouts
from infra.runtime.loop import Loop

if TYPE_CHECKING:
    from consumers.engine.engine import Engine
    from consumers.ports.journal import Journal
    from infra.settings import Settings

AT_ONCE: Final = 500
"""Records that a poll brings at most."""
IDLE: Final = 0.05
"""Seconds that a poll waits for inputs where nothing is on its way."""
PAUSE: Final = 0.005
"""Seconds between two looks at the topic while something is; answers wake the loop before."""
RETRY_AFTER: Final = SECOND
"""Before the topics are tried again."""
COUNTED: Final = SECOND
"""Between two counts of what is not answered."""


class PartitionOwner(Protocol):
    """Who follows partitions while their inputs are this process's. Called in the thread that takes commands."""

    def assign(self, partition: int) -> None:
        """Inputs of this partition come next."""
        ...

    def revoke(self, partition: int) -> None:
        """No more inputs of it come; those that are not answered are somebody else's."""
        ...


class Commanding:
    """The gateway of a process, and the thread that drives it."""

    def __init__(
        self,
        at: KafkaAt,
        security: Security,
        partitions: int,
        form: CommandForm,
        engine: CommandSubmitter,
        *,
        member: str,
        within: float,
        attend: PartitionOwner | None = None,
        url: str | None = None,
        timeout: PublishingTimeouts | None = None,
    ) -> None:
        """``member``: this process's name in the group, which no other has. ``within``: seconds for which a command
        that cannot be decided now is asked again. ``url``: where this process is reached, as the group tells the
        others. Nothing is connected yet."""
        self.at = at
        self.assigned: frozenset[int] = frozenset()
        """The partitions whose inputs are this process's."""
        self.lag = 0
        """Inputs of these that are not answered, about."""
        self.joined = False
        """Whether it is one of the group now, and knows which partitions are its own."""
        self.ousted = False
        """Whether it has ended, because another process has its name."""
        self._doubt: str | None = None
        self._unwritten = False
        """Whether the last transaction failed."""
        self._form = form
        self._attend = attend
        self._intake = CommandConsumer(at, security, member, partitions, timeout, url)
        self._outlet = OutcomeProducer(at, security, member, timeout)
        self._gateway = Gateway(form, engine, timeout=int(within * SECOND), wake=self.wake)
        self._loop = Loop("gateway", self._step, self._pause)
        self._is_open = False
        self._taken_over = False
        self._again_at: Instant = 0
        self._count_at: Instant = 0

    @property
    def trouble(self) -> str | None:
        """Why no commands are taken from the topic at the moment, or for good; None if they are."""
        if self._loop.broken is not None:
            return f"taking commands has ended by a defect: {self._loop.broken!r}"
        return self._doubt

    @property
    def loops(self) -> tuple[Loop, ...]:
        """What drives it."""
        return (self._loop,)

    def start(self, on_broken: Callable[[], None] = lambda: None) -> None:
        """Start the thread. Topics that cannot be reached yet are tried again and again."""
        self._loop.on_broken = on_broken
        self._loop.start()

    def wake(self) -> None:
        """An answer is there. From any thread."""
        self._loop.wake()

    def close(self) -> None:
        """End after what is under way. What is not answered then is answered by whoever comes next."""
        self._loop.stop()
        self._intake.close()
        self._outlet.let_go()

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _pause(self) -> float:
        return PAUSE if self._is_open and not self.ousted else IDLE

    def _step(self) -> bool:
        now = _steady()
        if self.ousted or now < self._again_at:
            return False
        try:
            self._begin()
            taken = self._take(now)
            moved = self._gateway.step(now)
            return self._write() or moved or taken
        except CommandsUnavailable as wrong:
            self._begin_again(str(wrong))
        except MemberFenced as wrong:
            self.ousted = True
            self._begin_again(str(wrong))
            self._follow(frozenset())
            sys.stderr.write(f"rescind: {wrong}\n")
        return False

    def _begin(self) -> None:
        """What is not there yet. The outlet first: what the group remembers is settled before it is asked."""
        if not self._taken_over:
            self._outlet.take_over()
            self._taken_over = True
            if self._is_open:
                self._intake.rewind()
        if not self._is_open:
            self._intake.open()
            self._form.topic_id = self._intake.topic_id
            self._is_open = True

    def _begin_again(self, why: str) -> None:
        """Nothing that was taken is this process's any more; it comes again."""
        self._doubt = why
        self._gateway.revoke(list(self._gateway.unanswered))
        self._intake.close()
        self._outlet.let_go()
        self._is_open = self._taken_over = self.joined = False
        self._again_at = _steady() + RETRY_AFTER

    def _take(self, now: Instant) -> bool:
        """Poll, and follow what moved, before what came is taken."""
        room = self._gateway.room
        if not room and self._intake.settled:  # otherwise all wait for this one to have its say
            return False
        given = self._intake.poll(0 if self._gateway.pending else IDLE, min(max(1, room), AT_ONCE))
        for kind, partitions in self._intake.moves():
            if kind == "went":
                self._gateway.revoke(partitions)
        if self._intake.joined:
            if not self._unwritten:
                self._doubt = None
            self.joined = True
            self._follow(self._intake.assigned)
        self._gateway.take(given, now)
        if now >= self._count_at:
            self._count_at = now + COUNTED
            self.lag = self._intake.behind(self._gateway.unanswered)
        return bool(given)

    def _follow(self, assigned: frozenset[int]) -> None:
        before, self.assigned = self.assigned, assigned
        if self._attend is not None:
            for partition in sorted(before - assigned):
                self._attend.revoke(partition)
            for partition in sorted(assigned - before):
                self._attend.assign(partition)

    def _write(self) -> bool:
        """Nothing while the partitions are being shared out anew: it would be refused."""
        membership = self._intake.membership if self._intake.settled else None
        batch = None if membership is None else self._gateway.batch()
        if batch is None or membership is None:
            return False
        try:
            self._outlet.write(batch.records, batch.offsets, membership)
        except CommandsUnavailable as wrong:
            if not isinstance(wrong, GroupMovedOn):
                if self._unwritten:
                    raise  # once more would be once too often
                self._unwritten, self._doubt = True, str(wrong)
            self._taken_over = False
            self._gateway.revoke(list(self._gateway.unanswered))
            self._begin()
        else:
            self._unwritten = False
            self._gateway.written(batch)
        return True


def _steady() -> Instant:
    return time.monotonic_ns() // 1000


def member_name(slot: Path) -> str:
    """A name for the process that has this slot of local state: the same one after a restart there."""
    place = hashlib.sha256(str(slot.resolve()).encode()).hexdigest()[:12]
    host = "".join(each if each.isalnum() and each.isascii() else "-" for each in gethostname())[:60]
    return f"{host}-{place}"


def open_commanding(
    settings: "Settings",
    journal: "Journal",
    slot: Path,
    engine: "Engine",
    vault: Texts,
    attend: PartitionOwner | None = None,
) -> Commanding:
    """Taking commands as the settings have it, not yet started. ``slot``: where this process's local state is.

    JournalError: the topics cannot be made.
    """
    at = settings.commands_at
    assert at is not None
    make_topics(settings, at, journal)
    return Commanding(
        at,
        settings.security,
        journal.partitions,
        CommandForm(at.commands, journal.partitions, settings.market, lambda: engine.control.book, vault),
        engine,
        member=settings.commands_member or member_name(slot),
        within=settings.answer_within,
        attend=attend,
        url=settings.advertise,
    )


def make_topics(settings: "Settings", at: KafkaAt, journal: "Journal") -> None:
    """Make what is missing of the topics: they hold no history."""
    topics = CommandTopics(at, settings.security)
    try:
        made = topics.create(journal.partitions)
    finally:
        topics.close()
    if made:
        sys.stderr.write(f"rescind: made the topics {', '.join(made)}\n")
