"""Examine the public topics: their settings, whether they have what was published, and how far publishing has come."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from consumers.ports.journal import Journal, JournalError
from consumers.ports.public_log import Progress, PublicLogUnavailable, PublishingStopped
from consumers.publishing.partition_publisher import PartitionPublisher
from domain.wording import counted
from infra.addresses.kafka import KafkaAt
from infra.diagnostics.findings import Finding, of_topic
from infra.settings import Settings, SettingsError

_REACH = "check that the brokers run and can be reached from this machine"


def check_publishing(settings: Settings, directory: Path, journal: Journal) -> Iterator[Finding]:
    """Check the public topics. Nothing is fenced or changed, so a running publisher is not disturbed."""
    try:
        at = settings.public_topics_at
    except SettingsError as wrong:
        yield Finding("public topics", "wrong", str(wrong), "correct the setting")
        return
    if at is None:
        return
    from infra.diagnostics.instructions import check_instructions
    from infra.publishing.topics import PublicTopics

    try:
        with closing(PublicTopics(at, settings.security)) as topics:
            found = [each for each in topics.check(journal.partitions) if each.do]
    except JournalError as wrong:
        yield Finding("public topics", "wrong", str(wrong), _REACH)
        return
    yield from map(of_topic, found)
    try:
        state = _compare(settings, at, journal)
    except PublishingStopped as wrong:
        yield Finding("publishing", "wrong", str(wrong), "until this is solved, nothing of this partition is published")
        return
    except PublicLogUnavailable as wrong:
        yield Finding("publishing", "wrong", str(wrong), _REACH)
        return
    yield from _findings(state, at)
    yield from check_instructions(settings, at, directory, journal, state.progress)


@dataclass(slots=True)
class _State:
    """How far publishing has come, in all partitions."""

    progress: dict[int, Progress] = field(default_factory=dict)
    """By partition."""
    sick: dict[str, str] = field(default_factory=dict)
    """By kind of public record, why its topic is not published to."""
    behind: int = 0
    """Journal records that are not published yet."""
    parked: int = 0
    """Orders that could not be published."""


def _compare(settings: Settings, at: KafkaAt, journal: Journal) -> _State:
    """Compare each partition with what was published of it. PublishingStopped, PublicLogUnavailable."""
    from infra.local_state import memory_local_state
    from infra.publishing.public_log import KafkaPublicLog
    from schemas.public.ids import PinnedIds

    state = _State()
    for partition in range(journal.partitions):
        log = KafkaPublicLog(at, partition, journal.partitions, settings.security)
        source = memory_local_state(partition, journal.partitions)
        publisher = PartitionPublisher(at.prefix, partition, journal, source, log, PinnedIds())
        with closing(publisher):
            progress = state.progress[partition] = publisher.compare()
        state.sick |= {kind: each.why for kind, each in publisher.sick.items()}
        state.behind += max(0, journal.end(partition) - progress.offset)
        state.parked += len(publisher.parked)
    return state


def _findings(state: _State, at: KafkaAt) -> Iterator[Finding]:
    from schemas.public.topics import topic_name

    for kind, why in state.sick.items():
        do = "until this is solved, nothing is published on this topic; the other topics go on"
        yield Finding(topic_name(at.prefix, kind), "wrong", why, do)
    if state.parked:
        verb = "is" if state.parked == 1 else "are"
        message = f"{counted(state.parked, 'order')} could not be published and {verb} left out"
        do = "install a release that can publish them, then `rescind dead-letters retry --all`"
        yield Finding("publishing", "note", message, do)
    elif state.behind:
        message = f"{counted(state.behind, 'record')} behind the journal; `rescind serve` publishes them"
        yield Finding("publishing", "note", message)
    else:
        yield Finding("publishing", "ok", "at the journal's end")
