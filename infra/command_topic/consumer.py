"""The consumer of the commands topic: one member of the group ``PREFIX.engines``, through kafka-python.

This module works around what is odd about the client's groups. The client calls its listener in the middle of a poll,
so the listener only records the moves. The client may change its generation at any time. So offsets are committed with
the membership seen right after a poll, when the moves were known too, and the broker refuses it once the group has gone
on. No partition is ever paused, because a partition that is resumed is sometimes never read again.
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
"""Seconds of silence after which a member is dropped from the group, and others get its partitions."""
STALLED: Final = 120.0
"""Seconds without a poll after which a member leaves by itself."""
_BEAT: Final = 2.0
_JOINING: Final = 1.0
"""The shortest wait of a poll that is to join the group, in seconds. This client throws away a join that was done
between two polls, and begins another. With short polls it never becomes a member."""
_IDLE: Final = 20.0
"""Seconds after which a member without partitions asks for a new assignment."""
_LOOK: Final = 10.0
"""Seconds between two checks for records that are there and do not come."""

Move = tuple[Literal["came", "went"], frozenset[int]]


class MemberFenced(Exception):
    """Another process takes commands under this member's name; this one ends."""


class CommandConsumer:
    """One member of the group. ``open`` it, ``poll`` it, and after each poll read ``moves`` before the records. One
    thread."""

    def __init__(
        self,
        at: KafkaAt,
        security: Security,
        member: str,
        partitions: int,
        timeout: PublishingTimeouts | None = None,
        url: str | None = None,
    ) -> None:
        """``member``: a name that no other process has. ``url``: where this process is reached, if the group is to tell
        the other members. Connects later, in ``open``."""
        self.member = member
        self.topic_id = ""
        """The id of the commands topic, once open."""
        self.membership: ConsumerGroupMetadata | None = None
        """The membership with which offsets are committed; None while this process is no member."""
        self.settled = False
        """Whether no assignment was under way after the last poll."""
        self._at = at
        self._connection = connection(at.servers, security) | ({} if url is None else {"client_id": url})
        self._partitions = partitions
        self._timeout = timeout or PublishingTimeouts()
        self._consumer: Any = None
        self._moves: list[Move] = []
        self._idle_since = 0.0
        """Since when it has no partitions, or last asked for a new assignment."""
        self._introduced = False
        """Whether it has sent its partitions to the group since it was opened."""
        self._member_id: str | None = None
        """The group's id for this member at the last poll."""
        self._looked_at = 0.0
        self._seen: dict[TopicPartition, int | None] = {}
        """Positions, at the last check, of the partitions that had more records."""

    @property
    def group(self) -> str:
        """The group's name."""
        return self._at.engines

    @property
    def joined(self) -> bool:
        """Whether this process is a member of the group, and knows its partitions."""
        return self.membership is not None and self.membership.state == MemberState.STABLE

    @property
    def assigned(self) -> frozenset[int]:
        """This member's partitions."""
        return frozenset() if self._consumer is None else frozenset(p.partition for p in self._consumer.assignment())

    def open(self) -> None:
        """Become a member; the partitions come with later polls. CommandsUnavailable, also if a topic is missing."""
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
            # a leader that does not know the partitions assigns none
            self._consumer.partitions_for_topic(self._at.commands)
        except (KafkaError, OSError) as error:
            raise self._unavailable(error) from error
        self._consumer.subscribe([self._at.commands], listener=_Listener(self._moves))
        self._idle_since, self._introduced = time.monotonic(), False
        self._looked_at, self._seen, self._member_id = time.monotonic(), {}, None

    def poll(self, timeout: float, limit: int) -> list[InputRecord]:
        """Return the next records, at most ``limit``, in order within a partition; [] after ``timeout`` seconds.

        CommandsUnavailable: close it, and begin again. MemberFenced.
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
            raise self._fenced_error() from fenced
        except (OffsetOutOfRangeError, LogTruncationError) as lost:
            raise CommandsUnavailable(
                f"{self._at.commands} does not have what is to be read next ({lost}): it was cut, or created again. "
                f"Bring it back; or stop every engine, and set the offsets of the group {self.group} to where to go on"
            ) from lost
        except KafkaError as error:
            raise self._unavailable(error) from error
        now = consumer.group_metadata()
        if now.generation_id < 0:
            self.membership = None
        elif now.state == MemberState.STABLE:
            self.membership = now
            if self._start_over_if_readmitted(now.member_id):
                came = {}
            self._request_assignment()
        self.settled = now.state == MemberState.STABLE and not coordinator.need_rejoin()
        if now.state == MemberState.REBALANCING and not coordinator.need_rejoin():
            raise CommandsUnavailable(f"this client has lost its way in the group {self.group}")  # and waits for ever
        self._check_silence()
        return [_given(record) for records in came.values() for record in records]

    def moves(self) -> list[Move]:
        """Return which partitions came and went since the last call, in order. A partition that went and came again was
        another member's in between."""
        moves = self._moves[:]
        del self._moves[: len(moves)]
        return moves

    def rewind(self) -> None:
        """Read every partition on from the offset that the group has committed. CommandsUnavailable. MemberFenced,
        which polls and heartbeats do not report."""
        places = self._consumer.assignment()
        self._seek(places)
        if places and self.joined:
            self._commit_again(min(places))

    def _commit_again(self, place: TopicPartition) -> None:
        """Commit the committed offset once more: the group accepts that from its own member only."""
        milliseconds = int(self._timeout.ask * 1000)
        where = self._consumer.position(place, timeout_ms=milliseconds)
        try:
            self._consumer.commit({place: OffsetAndMetadata(where, "", -1)}, timeout_ms=milliseconds)
        except FencedInstanceIdError as fenced:
            raise self._fenced_error() from fenced
        except CommitFailedError:
            return  # the group is assigning partitions; the next poll brings the result
        except KafkaError as error:
            raise self._unavailable(error) from error

    def behind(self, unanswered: Mapping[int, int]) -> int:
        """Return about how many records of its partitions are not answered, without a request to the brokers."""
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
        """Leave the group. It remembers the name for a while, so that a restart moves no partition."""
        consumer, self._consumer, self.membership = self._consumer, None, None
        if consumer is not None:
            close_consumer(consumer)
        self._moves = []

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _start_over_if_readmitted(self, member_id: str) -> bool:
        """Start over if the group has dropped this member since the last poll and admitted it again; whether it has.

        Other members may have had the partitions in between. This client does not report that if it happened during a
        join, and would read on where it was. So all partitions count as gone, and are read on from the committed
        offsets."""
        before, self._member_id = self._member_id, member_id
        if before in (None, member_id):
            return False
        places = self._consumer.assignment()
        self._moves.append(("went", frozenset(place.partition for place in places)))
        self._seek(places)
        return True

    def _request_assignment(self) -> None:
        """Ask for a new assignment if a partition may have no member.

        A member that comes back under a known name gets the partitions that it had, without a new assignment. If it
        left in the middle of a move, the partitions that it had given up would have no member; so it asks once after
        it was opened. A leader that lost sight of the topic for a moment assigns nothing, and may leave it at that; so
        a member without partitions asks again after a while.
        """
        steady = time.monotonic()
        if self._consumer.assignment():
            self._idle_since = steady
        if not self._introduced or steady - self._idle_since > _IDLE:
            self._introduced, self._idle_since = True, steady
            self._consumer._coordinator.request_rejoin()

    def _check_silence(self) -> None:
        """Raise CommandsUnavailable if a partition has more records, and none came between two checks. This client
        sometimes never reads a partition again that it had lost for a while."""
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
            return  # the partition was assigned just now
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

    def _fenced_error(self) -> MemberFenced:
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
                raise self._fenced_error() from fenced
            except (KafkaError, ValueError) as error:  # ValueError: the partition was revoked just now
                raise self._unavailable(error) from error

    def _first(self, partition: int) -> int:
        """Return where to begin if the group has no committed offset: Kafka forgets a group that had no member for some
        days. The last outcome names the input that it answers, and the last copy the one that was passed on."""
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
    """Records the moves of partitions, in the client's own thread."""

    def __init__(self, moves: list[Move]) -> None:
        self._moves = moves

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._moves.append(("went", frozenset(each.partition for each in revoked)))

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._moves.append(("came", frozenset(each.partition for each in assigned)))


def _given(record: Any) -> InputRecord:
    headers = {name: value or b"" for name, value in record.headers}
    return InputRecord(record.partition, record.offset, record.key or b"", record.value, headers)
