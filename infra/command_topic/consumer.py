"""Inputs: the commands topic as one member of the group ``PREFIX.engines`` reads it, through kafka-python.

What is odd about this client's groups stays here. Its listener is called in its own thread, in the middle of a poll, so
it only notes what moved. Which generation this member belongs to may change behind anybody's back; the membership that
offsets are committed with is the one seen right after a poll, when what moved was known too: the broker refuses it once
the group has gone on. Nothing is paused: a partition that is resumed is sometimes never read again.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from kafka.structs import ConsumerGroupMetadata, MemberState

from consumers.command_topic.gateway import InputRecord
from infra.addresses.kafka import KafkaAt, Security
from infra.command_topic.committed_offsets import CommandsUnavailable, last_answered, last_passed_on, topic_id
from infra.kafka.client import FETCH_BYTES
from infra.kafka.kafka_python import connection
from infra.kafka.quiet_import import CONNECTION_ERRORS
from infra.kafka.refusals import DENIED, GROUP, code_of, security_of, why
from infra.publishing.reading import PublishingTimeouts, close_consumer

SESSION: Final = 10.0
"""Seconds after which a member that says nothing is given up, and others get its partitions."""
STALLED: Final = 120.0
"""Seconds after which a member that does not poll leaves by itself."""
_BEAT: Final = 2.0
_JOINING: Final = 1.0
"""Seconds that a poll waits at least which is to join the group: this client throws away a join that was done between
two polls, and begins another; with short polls it never becomes a member, or believes for ever that it will."""
_IDLE: Final = 20.0
"""Seconds after which a member without partitions asks the group once more."""
_LOOK: Final = 10.0
"""Seconds between two looks whether something is there that does not come."""

Move = tuple[Literal["came", "went"], frozenset[int]]


class MemberFenced(Exception):
    """Another process takes commands under this member's name; this one does no more."""


class CommandConsumer:
    """One member. ``open`` it, ``poll`` it, and after each poll look at ``moves`` before its records. One thread."""

    def __init__(
        self,
        at: KafkaAt,
        security: Security,
        member: str,
        partitions: int,
        timeout: PublishingTimeouts | None = None,
        url: str | None = None,
    ) -> None:
        """``member``: a name that no other process has. ``url``: where this process is reached, if the others of the
        group are to know. Nothing is connected yet."""
        self.member = member
        self.topic_id = ""
        """The id of the commands topic, once open."""
        self.membership: ConsumerGroupMetadata | None = None
        """What offsets are to be committed with; None while this is no member."""
        self.settled = False
        """Whether nothing was being shared out anew after the last poll."""
        self._at = at
        self._connection = connection(at.servers, security) | ({} if url is None else {"client_id": url})
        self._partitions = partitions
        self._timeout = timeout or PublishingTimeouts()
        self._consumer: Any = None
        self._moves: list[Move] = []
        self._idle_since = 0.0
        """Since when it has no partitions, or was last told so."""
        self._introduced = False
        """Whether it has said to the group what it has."""
        self._member_id: str | None = None
        """What the group called it the last time."""
        self._looked_at = 0.0
        self._seen: dict[TopicPartition, int | None] = {}
        """Where the partitions were at the last look that had more then."""

    @property
    def group(self) -> str:
        """The group's name."""
        return self._at.engines

    @property
    def joined(self) -> bool:
        """Whether this is a member, and knows which partitions are its own."""
        return self.membership is not None and self.membership.state == MemberState.STABLE

    @property
    def assigned(self) -> frozenset[int]:
        """The partitions that are its own."""
        return frozenset() if self._consumer is None else frozenset(p.partition for p in self._consumer.assignment())

    def open(self) -> None:
        """Become a member; the partitions come with later polls. CommandsUnavailable, also where topics are missing."""
        self.close()
        milliseconds = int(self._timeout.ask * 1000)
        try:
            self.topic_id = topic_id(self._at, self._connection, self._partitions, milliseconds)
            self._consumer = KafkaConsumer(
                **self._connection,
                group_id=self.group,
                group_instance_id=self.member,
                partition_assignment_strategy=[CooperativeStickyAssignor],
                session_timeout_ms=int(SESSION * 1000),
                heartbeat_interval_ms=int(_BEAT * 1000),
                max_poll_interval_ms=int(STALLED * 1000),
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                allow_auto_create_topics=False,
                metrics_enabled=False,
                check_crcs=True,
                fetch_max_wait_ms=100,
                fetch_max_bytes=4 * FETCH_BYTES,
                max_partition_fetch_bytes=FETCH_BYTES,
                request_timeout_ms=milliseconds,
                bootstrap_timeout_ms=milliseconds,
                metadata_max_age_ms=30_000,
            )
            # who leads the group before it knows the partitions shares none
            self._consumer.partitions_for_topic(self._at.commands)
        except (KafkaError, OSError) as error:
            raise self._unavailable(error) from error
        self._consumer.subscribe([self._at.commands], listener=_Listener(self._moves))
        self._idle_since, self._introduced = time.monotonic(), False
        self._looked_at, self._seen, self._member_id = time.monotonic(), {}, None

    def poll(self, timeout: float, limit: int) -> list[InputRecord]:
        """What came, of each partition in its order, at most ``limit`` records; [] after ``timeout`` seconds.

        CommandsUnavailable: close it, and begin again. Ousted.
        """
        consumer, coordinator = self._consumer, self._consumer._coordinator
        came: Mapping[TopicPartition, list[Any]] = {}
        if coordinator.need_rejoin():
            timeout = max(timeout, _JOINING)
        try:
            came = consumer.poll(timeout_ms=max(1, int(timeout * 1000)), max_records=limit)
        except NoOffsetForPartitionError as new:
            self._seek(new.args[0])
        except FencedInstanceIdError as fenced:
            raise self._ousted() from fenced
        except (OffsetOutOfRangeError, LogTruncationError) as lost:
            raise CommandsUnavailable(
                f"{self._at.commands} does not have what is to be read next ({lost}): it was cut, or made anew. Bring "
                f"it back; or stop every engine, and set the offsets of the group {self.group} to where to go on"
            ) from lost
        except KafkaError as error:
            raise self._unavailable(error) from error
        now = consumer.group_metadata()
        if now.generation_id < 0:
            self.membership = None
        elif now.state == MemberState.STABLE:
            self.membership = now
            if self._start_over_if_taken_in_anew(now.member_id):
                came = {}
            self._have_all_shared_out()
        self.settled = now.state == MemberState.STABLE and not coordinator.need_rejoin()
        if now.state == MemberState.REBALANCING and not coordinator.need_rejoin():
            raise CommandsUnavailable(f"this client has lost its way in the group {self.group}")  # and waits for ever
        self._doubt_silence()
        return [_given(record) for records in came.values() for record in records]

    def moves(self) -> list[Move]:
        """Which partitions came and went since the last call, in order. What went and came again was somebody else's
        meanwhile."""
        moves = self._moves[:]
        del self._moves[: len(moves)]
        return moves

    def rewind(self) -> None:
        """Read every partition on from what the group remembers. CommandsUnavailable; Ousted, which polling and
        beating hearts do not say."""
        places = self._consumer.assignment()
        self._seek(places)
        if places and self.joined:
            self._say_again(min(places))

    def _say_again(self, place: TopicPartition) -> None:
        """Have the group remember what it does: it takes that from its member only."""
        milliseconds = int(self._timeout.ask * 1000)
        where = self._consumer.position(place, timeout_ms=milliseconds)
        try:
            self._consumer.commit({place: OffsetAndMetadata(where, "", -1)}, timeout_ms=milliseconds)
        except FencedInstanceIdError as fenced:
            raise self._ousted() from fenced
        except CommitFailedError:
            return  # the group goes on; the next poll tells how
        except KafkaError as error:
            raise self._unavailable(error) from error

    def behind(self, unanswered: Mapping[int, int]) -> int:
        """Records of its partitions that are not answered, as far as is known without asking."""
        consumer, behind = self._consumer, 0
        for place in () if consumer is None else consumer.assignment():
            try:
                end, position = consumer.highwater(place), consumer.position(place, timeout_ms=0)
            except KafkaError:
                continue
            first = unanswered.get(place.partition, position)
            if end is not None and first is not None:
                behind += max(0, end - first)
        return behind

    def close(self) -> None:
        """Be a member no longer; the group remembers its name for a while, so that a restart moves nothing."""
        consumer, self._consumer, self.membership = self._consumer, None, None
        if consumer is not None:
            close_consumer(consumer)
        self._moves = []

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _start_over_if_taken_in_anew(self, member_id: str) -> bool:
        """Where the group had given this member up since the last time and took it in anew, its partitions were others'
        meanwhile. This client does not say so where it happened while it was joining, and would go on where it was: so
        all of them went, and are read on from what the group remembers. Whether it was so."""
        before, self._member_id = self._member_id, member_id
        if before in (None, member_id):
            return False
        places = self._consumer.assignment()
        self._moves.append(("went", frozenset(place.partition for place in places)))
        self._seek(places)
        return True

    def _have_all_shared_out(self) -> None:
        """Ask the group to share out once more, where a partition may be nobody's.

        Who comes back under a name that the group knows gets what it had, and nothing is shared out. If it went in the
        middle of a move, what it had let go of would stay nobody's: so it says once what it has. And a leader that had
        lost sight of the topic for a moment gives nobody anything, and may stay with that.
        """
        steady = time.monotonic()
        if self._consumer.assignment():
            self._idle_since = steady
        if not self._introduced or steady - self._idle_since > _IDLE:
            self._introduced, self._idle_since = True, steady
            self._consumer._coordinator.request_rejoin()

    def _doubt_silence(self) -> None:
        """CommandsUnavailable where a partition has more, and from one look to the next nothing of it came: this client
        sometimes never reads one again that it has lost for a while."""
        steady = time.monotonic()
        if steady - self._looked_at < _LOOK:
            return
        self._looked_at = steady
        places = list(self._consumer.assignment())
        milliseconds = int(self._timeout.ask * 1000)
        try:
            ends = self._consumer.end_offsets(places, timeout_ms=milliseconds) if places else {}
            at = {place: self._consumer.position(place, timeout_ms=milliseconds) for place in places}
        except NoOffsetForPartitionError:
            return  # it has just come
        except KafkaError as error:
            raise self._unavailable(error) from error
        before, self._seen = self._seen, {place: at[place] for place in places if at[place] != ends[place]}
        for place, position in self._seen.items():
            if place in before and before[place] == position:
                raise CommandsUnavailable(f"partition {place.partition} of {place.topic} has more, and nothing comes")

    def _unavailable(self, error: Exception) -> CommandsUnavailable:
        code = code_of(error)
        needs = f"Read on the group {self.group}" if code == GROUP else f"Read on the topic {self._at.commands}"
        return CommandsUnavailable(
            why(error, security_of(self._connection), needs if code in DENIED else "", CONNECTION_ERRORS)
        )

    def _ousted(self) -> MemberFenced:
        return MemberFenced(
            f"another process takes commands as {self.member!r}: every engine needs a name of its own "
            "(RESCIND_COMMANDS_MEMBER, or leave it out)"
        )

    def _seek(self, places: Iterable[TopicPartition]) -> None:
        for place in sorted(places):
            try:
                where = self._consumer.committed(place, timeout_ms=int(self._timeout.ask * 1000))
                self._consumer.seek(place, self._first(place.partition) if where is None else where)
            except FencedInstanceIdError as fenced:
                raise self._ousted() from fenced
            except (KafkaError, ValueError) as error:  # ValueError: it has just gone
                raise self._unavailable(error) from error

    def _first(self, partition: int) -> int:
        """Where to begin when the group remembers nothing: Kafka forgets a group that had no member for some days. The
        last outcome says which input it answers, and the last copy which one was passed on."""
        last = last_answered(self._at, self._connection, self.topic_id, partition, self._timeout)
        if last is None:
            place = TopicPartition(self._at.commands, partition)
            first: int = self._consumer.beginning_offsets([place], timeout_ms=int(self._timeout.ask * 1000))[place]
        else:
            first = last + 1
        passed_on = last_passed_on(
            self._at, self._connection, self.topic_id, partition, self._partitions, first, self._timeout
        )
        return first if passed_on is None else passed_on + 1


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what moves, in the client's own thread."""

    def __init__(self, moves: list[Move]) -> None:
        self._moves = moves

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._moves.append(("went", frozenset(each.partition for each in revoked)))

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._moves.append(("came", frozenset(each.partition for each in assigned)))


def _given(record: Any) -> InputRecord:
    headers = {name: value or b"" for name, value in record.headers}
    return InputRecord(record.partition, record.offset, record.key or b"", record.value, headers)
