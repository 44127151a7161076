"""Taking commands in a running engine: one thread reads inputs, has them decided, and writes their outcomes.

Kafka's consumer group assigns the partitions of the commands topic to processes. An outcome is written in the same
transaction as the offset of the input that it answers. After any doubt, the runner drops what it has read and begins
again from the offsets that the group has committed. It does not matter which process answers an input: the engine
decides each command once, whichever process submits it.
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
from infra.addresses.kafka import KafkaAt
from infra.command_topic.committed_offsets import CommandsUnavailable, GroupMovedOn
from infra.command_topic.consumer import CommandConsumer, MemberFenced
from infra.command_topic.producer import OutcomeProducer
from infra.command_topic.topics import CommandTopics
from infra.command_topic.translation import CommandForm, Texts
from infra.runtime.components import Health, LoopComponent, health_of
from infra.runtime.loop import Loop

if TYPE_CHECKING:
    from consumers.engine.engine import Engine
    from consumers.ports.journal import Journal
    from infra.settings import Settings

AT_ONCE: Final = 500
"""The most records of one poll."""
IDLE: Final = 0.05
"""Seconds that a poll waits for inputs while no command is being decided."""
PAUSE: Final = 0.005
"""Seconds between two looks at the topic while commands are being decided. An answer wakes the loop earlier."""
RETRY_AFTER: Final = SECOND
"""Time before the topics are tried again after an error."""
COUNT_INTERVAL: Final = SECOND
"""Time between two counts of the unanswered inputs."""


class PartitionOwner(Protocol):
    """Follows partitions while their inputs are this process's. Called in the thread that takes commands."""

    def assign(self, partition: int) -> None:
        """Begin: inputs of this partition come next."""
        ...

    def revoke(self, partition: int) -> None:
        """End: no more inputs of it come, and another process answers the unanswered ones."""
        ...


class CommandTopicRunner(LoopComponent):
    """The gateway of a process, and its thread. A component."""

    name = "commands"

    def __init__(
        self,
        form: CommandForm,
        engine: CommandSubmitter,
        consumer: CommandConsumer,
        producer: OutcomeProducer,
        *,
        within: float,
        owner: PartitionOwner | None = None,
        on_defect: Callable[[], None] = lambda: None,
    ) -> None:
        """``within``: seconds for which a command that cannot be decided now is submitted again. ``owner`` hears of the
        partitions that come and go. Consumer and producer connect in the thread."""
        super().__init__(Loop("gateway", self._step, self._pause))
        self.loop.on_broken = on_defect
        self.assigned: frozenset[int] = frozenset()
        """The partitions whose inputs are this process's."""
        self.lag = 0
        """About how many of these inputs are not answered."""
        self.joined = False
        """Whether this process is a member of the group now, and knows its partitions."""
        self.fenced = False
        """Whether the thread idles for good, because another process has this member's name."""
        self._doubt: str | None = None
        self._unwritten = False
        """Whether the last transaction failed."""
        self._form = form
        self._owner = owner
        self._consumer = consumer
        self._producer = producer
        self._gateway = Gateway(form, engine, timeout=int(within * SECOND), wake=self.loop.wake)
        self._is_open = False
        self._taken_over = False
        self._again_at: Instant = 0
        self._count_at: Instant = 0

    @property
    def trouble(self) -> str | None:
        """Why no commands are taken from the topic, for now or for good; None if they are."""
        if self.loop.broken is not None:
            return f"taking commands has ended by a defect: {self.loop.broken!r}"
        return self._doubt

    def health(self) -> Health:
        """The trouble with the topics, and the loop's."""
        return health_of(self.trouble, self.loop)

    def stop(self) -> None:
        """End after the step under way, and leave the group. Inputs without an answer are answered by whoever gets
        their partitions next."""
        self.loop.stop()
        self._consumer.close()
        self._producer.let_go()

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _pause(self) -> float:
        return PAUSE if self._is_open and not self.fenced else IDLE

    def _step(self) -> bool:
        now = _steady()
        if self.fenced or now < self._again_at:
            return False
        try:
            self._begin()
            taken = self._take(now)
            moved = self._gateway.step(now)
            return self._write() or moved or taken
        except CommandsUnavailable as wrong:
            self._begin_again(str(wrong))
        except MemberFenced as wrong:
            self.fenced = True
            self._begin_again(str(wrong))
            self._follow(frozenset())
            sys.stderr.write(f"rescind: {wrong}\n")
        return False

    def _begin(self) -> None:
        """Connect what is not connected. The producer comes first, because it settles the offsets that the consumer
        asks for."""
        if not self._taken_over:
            self._producer.take_over()
            self._taken_over = True
            if self._is_open:
                self._consumer.rewind()
        if not self._is_open:
            self._consumer.open()
            self._form.topic_id = self._consumer.topic_id
            self._is_open = True

    def _begin_again(self, why: str) -> None:
        """Drop every input that was read; it is read again."""
        self._doubt = why
        self._gateway.revoke(list(self._gateway.unanswered))
        self._consumer.close()
        self._producer.let_go()
        self._is_open = self._taken_over = self.joined = False
        self._again_at = _steady() + RETRY_AFTER

    def _take(self, now: Instant) -> bool:
        """Poll. Notify the owner of the partitions that came and went before taking their inputs."""
        room = self._gateway.room
        if not room and self._consumer.settled:  # otherwise the whole group waits for this member
            return False
        given = self._consumer.poll(0 if self._gateway.pending else IDLE, min(max(1, room), AT_ONCE))
        for kind, partitions in self._consumer.moves():
            if kind == "went":
                self._gateway.revoke(partitions)
        if self._consumer.joined:
            if not self._unwritten:
                self._doubt = None
            self.joined = True
            self._follow(self._consumer.assigned)
        self._gateway.take(given, now)
        if now >= self._count_at:
            self._count_at = now + COUNT_INTERVAL
            self.lag = self._consumer.behind(self._gateway.unanswered)
        return bool(given)

    def _follow(self, assigned: frozenset[int]) -> None:
        before, self.assigned = self.assigned, assigned
        if self._owner is not None:
            for partition in sorted(before - assigned):
                self._owner.revoke(partition)
            for partition in sorted(assigned - before):
                self._owner.assign(partition)

    def _write(self) -> bool:
        """Write the outcomes that are ready; not while the group assigns partitions, because it would refuse them."""
        membership = self._consumer.membership if self._consumer.settled else None
        batch = None if membership is None else self._gateway.batch()
        if batch is None or membership is None:
            return False
        try:
            self._producer.write(batch.records, batch.offsets, membership)
        except CommandsUnavailable as wrong:
            if not isinstance(wrong, GroupMovedOn):
                if self._unwritten:
                    raise  # the second failure in a row
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
    """Name the process that has this slot of local state; a restart there gets the same name."""
    place = hashlib.sha256(str(slot.resolve()).encode()).hexdigest()[:12]
    host = "".join(each if each.isalnum() and each.isascii() else "-" for each in gethostname())[:60]
    return f"{host}-{place}"


def open_command_topic(
    settings: "Settings",
    journal: "Journal",
    slot: Path,
    engine: "Engine",
    vault: Texts,
    owner: PartitionOwner | None = None,
    on_defect: Callable[[], None] = lambda: None,
) -> CommandTopicRunner:
    """Taking commands as the settings have it, not started. ``slot``: where this process's local state is.

    JournalError: the topics cannot be made.
    """
    at = settings.commands_at
    assert at is not None
    make_topics(settings, at, journal)
    member = settings.commands_member or member_name(slot)
    return CommandTopicRunner(
        CommandForm(at.commands, journal.partitions, settings.market, lambda: engine.control.book, vault),
        engine,
        CommandConsumer(at, settings.security, member, journal.partitions, url=settings.advertise),
        OutcomeProducer(at, settings.security, member),
        within=settings.answer_within,
        owner=owner,
        on_defect=on_defect,
    )


def make_topics(settings: "Settings", at: KafkaAt, journal: "Journal") -> None:
    """Create the topics that are missing; they hold no history."""
    topics = CommandTopics(at, settings.security)
    try:
        made = topics.create(journal.partitions)
    finally:
        topics.close()
    if made:
        sys.stderr.write(f"rescind: made the topics {', '.join(made)}\n")
