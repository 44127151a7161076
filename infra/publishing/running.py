"""Publishing in a running engine: a thread per partition that this process follows, each on its own.

The engine hands commits over as it takes them in; what was missed is read from local state, through a connection of the
thread's own. Several processes may publish: of each partition one does, the others stand by.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from consumers.log.dead_letters import DeadLetter, unprojected_id
from consumers.log.follower import Follower
from consumers.ports.journal import Journal, JournalMismatch, JournalUnavailable
from consumers.ports.local_state import LocalState, Parked
from consumers.ports.log_values import Admitted, Rejected
from consumers.ports.public_log import Fenced, PublicLogUnavailable, PublishingStopped, read_progress
from consumers.ports.views import ViewsError
from consumers.publishing.partition_publisher import (
    KeyOf,
    PartitionPublisher,
    PublisherLimits,
    PublisherOptions,
    PublisherSource,
)
from domain.instants import Instant
from infra.addresses.kafka import KafkaAt, Security
from infra.kafka.kafka_python import connection
from infra.local_state import memory_local_state, open_local_state
from infra.local_state.slots import state_file
from infra.projection.running import FollowedPartition
from infra.publishing.earlier_prefixes import Earlier, remember
from infra.publishing.fronts import Fronts
from infra.publishing.public_log import KafkaPublicLog
from infra.publishing.reading import PublishingTimeouts, read_key, read_published
from infra.publishing.registry import Registry
from infra.publishing.topics import PublicTopics
from infra.runtime import loop as looping
from infra.runtime.loop import Loop
from infra.settings import Settings
from infra.views.reading import Row
from schemas.public.ids import PinnedIds, SchemaIds
from schemas.public.topics import WRITTEN

PAUSE: Final = 0.05
"""Seconds between two looks of a thread that has nothing to do and is not woken."""

_TURNS: Final = 10
"""So often several processes that begin at the same moment may disturb each other."""

ViewLetters = Callable[[], Sequence[Row] | None]
"""The rows of ``dead_letters``; None where there are no views yet."""


@dataclass(slots=True)
class PublishedFrom(FollowedPartition):
    """Local state that the engine's thread writes, as a publisher's source."""

    @property
    def next_offset(self) -> int:
        return self.follower.state.stored_offset

    def parked(self, limit: int = 1000, first: int = 0) -> list[Parked]:
        return self.state.parked(limit, first)


class Publishing:
    """The publishers of a process, and the threads that drive them. ``enable`` first, then ``start``."""

    def __init__(
        self,
        at: KafkaAt,
        security: Security,
        journal: Journal,
        sources: Mapping[int, PublishedFrom],
        ids: SchemaIds,
        *,
        letters: ViewLetters | None = None,
        key_of: KeyOf | None = None,
        limits: PublisherLimits | None = None,
        timeout: PublishingTimeouts | None = None,
        directory: Path | None = None,
    ) -> None:
        """``directory``: the store's, which remembers where it was published. JournalError if the journal does not say
        where it ends."""
        self.at = at
        self._security = security
        self._journal = journal
        self._timeout = timeout or PublishingTimeouts()
        self._directory = directory
        self._earlier = Earlier(at, security, journal, directory, self._timeout)
        self._ids = ids
        self._limits = limits
        self._key_of = key_of
        self._sources = dict(sources)
        self._letters = letters
        self._loops: dict[int, Loop] = {}
        self._on_broken: Callable[[], None] = lambda: None
        self.fronts = Fronts(at.prefix, journal.partitions, connection(at.servers, security), self._timeout)
        """Looks whether records were deleted from the public topics."""
        self.publishers: dict[int, PartitionPublisher] = {
            partition: self._publisher(partition, source) for partition, source in sources.items()
        }

    def _publisher(self, partition: int, source: PublisherSource) -> PartitionPublisher:
        return PartitionPublisher(
            self.at.prefix,
            partition,
            self._journal,
            source,
            KafkaPublicLog(self.at, partition, self._journal.partitions, self._security, self._timeout),
            self._ids,
            PublisherOptions(
                limits=self._limits or PublisherLimits(),
                letters=None if self._letters is None else self._letters_of(partition),
                key_of=self._key_of,
                begins=partial(self._earlier.begins, partition),
            ),
        )

    def enable(self) -> None:
        """Have what is instructed from now on go out, in every partition, whoever follows it, also if this process ends
        before it has published anything.

        PublicLogUnavailable, PublishingStopped.
        """
        for _ in range(_TURNS):
            waiting = [partition for partition, begun in self._begun().items() if not begun]
            for partition in waiting:
                self._begin(partition)
            if not waiting:
                if self._directory is not None:
                    remember(self._directory, self._journal.identity, self.at)
                return
        raise PublicLogUnavailable("other processes begin to publish at the same moment, again and again")

    def _begin(self, partition: int) -> None:
        own = self.publishers.get(partition)
        nothing = memory_local_state(partition, self._journal.partitions)
        publisher = own or self._publisher(partition, nothing)
        try:
            publisher.enable()
        except Fenced:  # another process does the same at this moment
            publisher.progress = None
        finally:
            if own is None:
                publisher.close()

    def _begun(self) -> dict[int, bool]:
        """Of each partition whether every kind has begun."""
        partitions = list(range(self._journal.partitions))
        found = read_published(self.at, partitions, connection(self.at.servers, self._security), self._timeout)
        values = {partition: found[partition].get(str(partition)) for partition in partitions}
        return {p: v is not None and all(kind in read_progress(v).kinds for kind in WRITTEN) for p, v in values.items()}

    def start(self, on_broken: Callable[[], None] = lambda: None) -> None:
        """Start the threads."""
        self._on_broken = on_broken
        self.fronts.start()
        for partition in self.publishers:
            self._start(partition)

    def _start(self, partition: int) -> None:
        step = partial(_step, self.publishers[partition])
        loop = self._loops[partition] = Loop(f"publisher {partition}", step, lambda: PAUSE)
        loop.on_broken = self._on_broken
        loop.start()

    def close(self) -> None:
        """End after what is under way."""
        self.fronts.stop()
        for loop in self._loops.values():
            loop.end()
        until = time.monotonic() + looping.TIMEOUT
        left = {partition for partition, loop in self._loops.items() if not loop.stop(until)}
        for partition in self.publishers.keys() - left:
            self.publishers[partition].close()
            self._sources[partition].state.close()

    # ---- partitions that come and go, from one thread ----------------------------------------------------------------

    def assign(self, follower: Follower, state: LocalState) -> None:
        """Publish a partition from now on: whoever does is fenced. ``state`` is a connection for its thread alone, and
        is closed here. JournalError."""
        partition = follower.partition
        source = PublishedFrom(state, follower)
        publisher = self._publisher(partition, source)
        self._sources[partition] = source
        self.publishers[partition] = publisher
        self._start(partition)

    def revoke(self, partition: int) -> None:
        """Publish it no longer, after what is under way. Nothing of it is touched any more when this returns, unless
        its thread is left behind: what that has under way is fenced by whoever publishes it next."""
        loop = self._loops.pop(partition, None)
        left = loop is not None and not loop.stop()
        publisher = self.publishers.pop(partition, None)
        source = self._sources.pop(partition, None)
        if left:
            return
        if publisher is not None:
            publisher.close()
        if source is not None:
            source.state.close()

    @property
    def loops(self) -> tuple[Loop, ...]:
        """What drives it: one per partition."""
        return tuple(dict(self._loops).values())

    @property
    def trouble(self) -> dict[str, str]:
        """Why partitions, or single topics of them, are not published at the moment, or for good. A partition that
        another process publishes is in no trouble."""
        found: dict[str, str] = {}
        for partition, of in dict(self.publishers).items():
            if of.state in ("trouble", "stopped") and of.trouble is not None:
                found[f"partition {partition}"] = of.trouble
            else:
                found |= {f"{kind}, partition {partition}": sick.why for kind, sick in dict(of.sick).items()}
        return found

    @property
    def behind(self) -> int:
        """Journal offsets that this process follows and has not published; of its active publishers."""
        return sum(publisher.behind for publisher in tuple(self.publishers.values()))

    # ---- the engine's listener, in the engine's thread ---------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        publisher = self.publishers.get(admitted.partition)
        if publisher is not None:
            publisher.admitted(admitted)
            if loop := self._loops.get(admitted.partition):
                loop.wake()

    def rejected(self, rejected: Rejected) -> None:
        """What is malformed is read from local state."""

    # ---- a partition's thread ----------------------------------------------------------------------------------------

    def _letters_of(self, partition: int) -> Callable[[], list[DeadLetter] | None]:
        """The views' dead letters of a partition; those of the control log are partition 0's."""

        def letters() -> list[DeadLetter] | None:
            assert self._letters is not None
            try:
                rows = self._letters()
            except ViewsError:
                return None
            if rows is None:
                return None
            here = [row for row in rows if (row["partition"] if row["log"] == "journal" else 0) == partition]
            return [self._letter(row) for row in here]

        return letters

    def _letter(self, row: Row) -> DeadLetter:
        commit = None
        if row["log"] == "journal" and (source := self._sources.get(row["partition"])) is not None:
            commit = source.commit_at(row["ordinal"])
        return DeadLetter(
            unprojected_id(row["log"], row["partition"], row["stream"]),
            "views",
            row["error"],
            row["stream"].encode(),
            b"" if commit is None else commit.data,
            row["log"],
            row["partition"],
            None if commit is None else commit.offset,
            None if commit is None else commit.index,
            row["stream"],
            row["ordinal"],
            row["event"],
        )


def _step(publisher: PartitionPublisher) -> bool:
    return publisher.step(_steady())


def _steady() -> Instant:
    return time.monotonic_ns() // 1000


def schema_ids(settings: Settings) -> SchemaIds:
    """The ids in the framing: a registry's where the settings name one, else the pinned ones."""
    if settings.schema_registry is None:
        return PinnedIds()
    credentials = settings.schema_registry_credentials
    return Registry(settings.schema_registry, None if credentials is None else credentials.get_secret_value())


def keys_of(settings: Settings) -> KeyOf | None:
    """How the key of a journal record is known: a journal on Kafka keeps it."""
    at = settings.journal_at.kafka
    if at is None:
        return None
    return partial(read_key, at, connection(at.servers, settings.security))


def make_topics(settings: Settings, at: KafkaAt, journal: Journal) -> None:
    """Make the public topics of a journal that holds nothing yet; for any other they must be there."""
    if any(journal.end(partition) for partition in range(journal.partitions)):
        return
    topics = PublicTopics(at, settings.security)
    try:
        made = topics.create(journal.partitions)
    finally:
        topics.close()
    if made:
        sys.stderr.write(f"rescind: made {len(made)} public topics, {made[0]} and others\n")


def open_publishing(
    settings: Settings,
    journal: Journal,
    slot: Path,
    followers: Mapping[int, Follower],
    letters: ViewLetters | None,
    *,
    limits: PublisherLimits | None = None,
    directory: Path | None = None,
) -> Publishing:
    """Publishing as the settings have it, enabled and not yet started. ``slot``: where local state is, which the
    followers write. ``directory``: the store's.

    JournalError: the topics cannot be reached, or going on would leave something out.
    """
    at = settings.public_topics_at
    assert at is not None
    make_topics(settings, at, journal)
    publishing = Publishing(
        at,
        settings.security,
        journal,
        sources(slot, followers, journal.partitions),
        schema_ids(settings),
        letters=letters,
        key_of=keys_of(settings),
        limits=limits,
        directory=directory,
    )
    try:
        publishing.enable()
    except BaseException as wrong:
        publishing.close()
        if isinstance(wrong, PublicLogUnavailable):
            raise JournalUnavailable(f"{at} cannot be published to now: {wrong}") from wrong
        if isinstance(wrong, PublishingStopped):
            raise JournalMismatch(str(wrong)) from wrong
        raise
    return publishing


def sources(slot: Path, followers: Mapping[int, Follower], partitions: int) -> dict[int, PublishedFrom]:
    """What these followers write to local state in ``slot``, each read through a connection of its own."""
    made: dict[int, PublishedFrom] = {}
    for partition, follower in followers.items():
        opened = open_local_state(state_file(slot, partition), partition, partitions, read_only=True)
        made[partition] = PublishedFrom(opened.state, follower)
    return made
