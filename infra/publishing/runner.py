"""Publishing in a running engine: one thread for each followed partition.

Several processes may publish. One of them publishes a partition, and the others wait.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from consumers.log.dead_letters import DeadLetter, unprojected_id
from consumers.log.follower import Follower
from consumers.ports.journal import Journal, JournalMismatch, JournalUnavailable
from consumers.ports.local_state import LocalState
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
from infra.addresses.kafka import KafkaAt, Security
from infra.kafka.kafka_python import connection
from infra.local_state import memory_local_state
from infra.publishing.earlier_prefixes import Earlier, remember
from infra.publishing.fronts import Fronts
from infra.publishing.public_log import KafkaPublicLog
from infra.publishing.reading import PublishingTimeouts, read_key, read_published
from infra.publishing.registry import Registry
from infra.publishing.topics import PublicTopics
from infra.runtime import loop as looping
from infra.runtime.components import Health, health_of
from infra.runtime.partition_runner import FollowedPartition, PartitionRunner
from infra.settings import Settings
from infra.views.reading import Row
from schemas.public.ids import PinnedIds, SchemaIds
from schemas.public.topics import WRITTEN

_TURNS: Final = 10
"""Attempts to begin while other processes begin at the same moment."""

DeadLetterRows = Callable[[], Sequence[Row] | None]
"""Returns the rows of the views' table ``dead_letters``; None while there are no views."""


class _PublisherRunner(PartitionRunner):
    """The publisher of one partition, and its thread."""

    name = "publishing"
    PAUSE = 0.05
    ERRORS = ()  # the publisher has its own troubles

    def __init__(self, publisher: PartitionPublisher, source: FollowedPartition, on_defect: Callable[[], None]) -> None:
        super().__init__(f"publisher {source.partition}", {source.partition: source}, on_defect)
        self.publisher = publisher
        self.source = source

    def _work(self) -> bool:
        return self.publisher.step(time.monotonic_ns() // 1000)

    def stop(self, until: float | None = None) -> None:
        """End after the step under way (``Loop.stop``), and close the publisher."""
        if self.loop.stop(until):
            self._close()

    def _close(self) -> None:
        self.publisher.close()
        super()._close()


@dataclass(frozen=True, slots=True)
class PublishingOptions:
    """How records are published.

    ``dead_letters``: rows of the views' table, which go out as dead letters; ``key_of``: reads the key of a journal
    record, where the journal has keys; ``directory``: the store's, which remembers where it was published."""

    dead_letters: DeadLetterRows | None = None
    key_of: KeyOf | None = None
    limits: PublisherLimits | None = None
    timeout: PublishingTimeouts = field(default_factory=PublishingTimeouts)
    directory: Path | None = None


class PublishingRunner:
    """The publishers of a process, each with a thread. A component, and a listener of the engine. ``enable`` first,
    then ``start``."""

    name = "publishing"

    def __init__(
        self,
        at: KafkaAt,
        security: Security,
        journal: Journal,
        sources: Mapping[int, FollowedPartition],
        ids: SchemaIds,
        options: PublishingOptions | None = None,
        on_defect: Callable[[], None] = lambda: None,
    ) -> None:
        """JournalError if the journal does not say where it ends."""
        self.at = at
        self._security = security
        self._journal = journal
        self._ids = ids
        self._options = options or PublishingOptions()
        self._on_defect = on_defect
        timeout = self._options.timeout
        self._earlier = Earlier(at, security, journal, self._options.directory, timeout)
        self.fronts = Fronts(at.prefix, journal.partitions, connection(at.servers, security), timeout)
        """Looks whether records were deleted from the public topics. A component of its own."""
        self.runners = {partition: self._runner(source) for partition, source in sources.items()}
        """By partition. Changed between ``assign`` and ``revoke`` only."""

    @property
    def publishers(self) -> dict[int, PartitionPublisher]:
        """The publishers, by partition. From any thread."""
        return {partition: runner.publisher for partition, runner in dict(self.runners).items()}

    def _runner(self, source: FollowedPartition) -> _PublisherRunner:
        return _PublisherRunner(self._publisher(source.partition, source), source, self._on_defect)

    def _publisher(self, partition: int, source: PublisherSource) -> PartitionPublisher:
        options = self._options
        return PartitionPublisher(
            self.at.prefix,
            partition,
            self._journal,
            source,
            KafkaPublicLog(self.at, partition, self._journal.partitions, self._security, options.timeout),
            self._ids,
            PublisherOptions(
                limits=options.limits or PublisherLimits(),
                letters=None if options.dead_letters is None else partial(self._dead_letters, partition),
                key_of=options.key_of,
                begins=partial(self._earlier.begins, partition),
            ),
        )

    def enable(self) -> None:
        """Begin to publish every kind of record in every partition, whichever process follows it.

        Commits that are recorded from now on are published, even if this process ends before it publishes anything.
        PublicLogUnavailable, PublishingStopped.
        """
        for _ in range(_TURNS):
            waiting = [partition for partition, begun in self._begun().items() if not begun]
            for partition in waiting:
                self._begin(partition)
            if not waiting:
                if self._options.directory is not None:
                    remember(self._options.directory, self._journal.identity, self.at)
                return
        raise PublicLogUnavailable("other processes begin to publish at the same moment, again and again")

    def _begin(self, partition: int) -> None:
        runner = self.runners.get(partition)
        nothing = memory_local_state(partition, self._journal.partitions)
        publisher = self._publisher(partition, nothing) if runner is None else runner.publisher
        try:
            publisher.enable()
        except Fenced:  # another process begins the partition at this moment
            publisher.progress = None
        finally:
            if runner is None:
                publisher.close()

    def _begun(self) -> dict[int, bool]:
        """Return for each partition whether every kind has begun."""
        partitions = list(range(self._journal.partitions))
        connected = connection(self.at.servers, self._security)
        found = read_published(self.at, partitions, connected, self._options.timeout)
        values = {partition: found[partition].get(str(partition)) for partition in partitions}
        return {p: v is not None and all(kind in read_progress(v).kinds for kind in WRITTEN) for p, v in values.items()}

    def start(self) -> None:
        """Start the threads."""
        for runner in self.runners.values():
            runner.start()

    def stop(self) -> None:
        """End after the steps under way, and close the publishers."""
        for runner in self.runners.values():
            runner.loop.end()
        until = time.monotonic() + looping.TIMEOUT
        for runner in self.runners.values():
            runner.stop(until)

    def health(self) -> Health:
        """The trouble of each partition or topic, and of the threads."""
        return health_of(self.trouble, *(runner.loop for runner in tuple(self.runners.values())))

    # ---- partitions that come and go, from one thread ----------------------------------------------------------------

    def assign(self, follower: Follower, state: LocalState) -> None:
        """Publish a partition (``PartitionListener``). Another process that publishes it is fenced. JournalError."""
        runner = self._runner(FollowedPartition(state, follower))
        self.runners[follower.partition] = runner
        runner.start()

    def revoke(self, partition: int) -> None:
        """Publish a partition no longer, after the step under way (``PartitionListener``). If that does not come back,
        whoever publishes the partition next fences it."""
        runner = self.runners.pop(partition, None)
        if runner is not None:
            runner.stop()

    @property
    def trouble(self) -> dict[str, str]:
        """Why partitions, or single topics of them, are not published, for now or for good. A partition that another
        process publishes has no trouble."""
        found: dict[str, str] = {}
        for partition, of in self.publishers.items():
            if of.state in ("trouble", "stopped") and of.trouble is not None:
                found[f"partition {partition}"] = of.trouble
            else:
                found |= {f"{kind}, partition {partition}": sick.why for kind, sick in dict(of.sick).items()}
        return found

    @property
    def behind(self) -> int:
        """The number of journal offsets that this process follows and has not published, of its active publishers."""
        return sum(publisher.behind for publisher in self.publishers.values())

    # ---- the engine's listener, in the engine's thread ---------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        runner = self.runners.get(admitted.partition)
        if runner is not None:
            runner.publisher.admitted(admitted)
            runner.loop.wake()

    def rejected(self, rejected: Rejected) -> None:
        """Do nothing: what is malformed is read from local state."""

    # ---- in a partition's thread -------------------------------------------------------------------------------------

    def _dead_letters(self, partition: int) -> list[DeadLetter] | None:
        """The views' dead letters of a partition; those of the control log belong to partition 0."""
        assert self._options.dead_letters is not None
        try:
            rows = self._options.dead_letters()
        except ViewsError:
            return None
        if rows is None:
            return None
        here = [row for row in rows if (row["partition"] if row["log"] == "journal" else 0) == partition]
        return [self._dead_letter(row) for row in here]

    def _dead_letter(self, row: Row) -> DeadLetter:
        commit = None
        if row["log"] == "journal" and (runner := self.runners.get(row["partition"])) is not None:
            commit = runner.source.commit_at(row["ordinal"])
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


def schema_ids(settings: Settings) -> SchemaIds:
    """Return the schema ids of the framing: a registry's if the settings name one, else the pinned ones."""
    if settings.schema_registry is None:
        return PinnedIds()
    credentials = settings.schema_registry_credentials
    return Registry(settings.schema_registry, None if credentials is None else credentials.get_secret_value())


def keys_of(settings: Settings) -> KeyOf | None:
    """Return what reads the key of a journal record; None if the journal has no keys. A journal on Kafka has."""
    at = settings.journal_at.kafka
    if at is None:
        return None
    return partial(read_key, at, connection(at.servers, settings.security))


def make_topics(settings: Settings, at: KafkaAt, journal: Journal) -> None:
    """Create the public topics of an empty journal. Any other journal must have them already."""
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
    sources: Mapping[int, FollowedPartition],
    options: PublishingOptions,
    on_defect: Callable[[], None] = lambda: None,
) -> PublishingRunner:
    """The publishers that the settings name, enabled and not started. They close ``sources``.

    JournalError: the topics cannot be reached, or going on would leave something out.
    """
    at = settings.public_topics_at
    assert at is not None
    make_topics(settings, at, journal)
    options = replace(options, key_of=keys_of(settings))
    publishing = PublishingRunner(at, settings.security, journal, sources, schema_ids(settings), options, on_defect)
    try:
        publishing.enable()
    except BaseException as wrong:
        publishing.stop()
        if isinstance(wrong, PublicLogUnavailable):
            raise JournalUnavailable(f"{at} cannot be published to now: {wrong}") from wrong
        if isinstance(wrong, PublishingStopped):
            raise JournalMismatch(str(wrong)) from wrong
        raise
    return publishing
