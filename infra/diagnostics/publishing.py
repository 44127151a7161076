"""Examine the public topics: their settings, whether they have what was published, and how far publishing has come."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from consumers.ports.journal import Journal, JournalError
from consumers.ports.public_log import Progress, PublicLogUnavailable, PublishingStopped
from consumers.publishing.partition_publisher import PartitionPublisher
from domain.wording import counted
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
    from infra.local_state import memory_local_state
    from infra.publishing.public_log import KafkaPublicLog
    from infra.publishing.topics import PublicTopics
    from schemas.public.ids import PinnedIds
    from schemas.public.topics import topic_name

    try:
        with closing(PublicTopics(at, settings.security)) as topics:
            found = [each for each in topics.check(journal.partitions) if each.do]
    except JournalError as wrong:
        yield Finding("public topics", "wrong", str(wrong), _REACH)
        return
    yield from map(of_topic, found)
    behind = parked = 0
    sick: dict[str, str] = {}
    far: dict[int, Progress] = {}
    for partition in range(journal.partitions):
        log = KafkaPublicLog(at, partition, journal.partitions, settings.security)
        source = memory_local_state(partition, journal.partitions)
        publisher = PartitionPublisher(at.prefix, partition, journal, source, log, PinnedIds())
        try:
            with closing(publisher):
                progress = publisher.compare()
        except PublishingStopped as wrong:
            yield Finding(
                "publishing", "wrong", str(wrong), "until this is solved, nothing of this partition is published"
            )
            return
        except PublicLogUnavailable as wrong:
            yield Finding("publishing", "wrong", str(wrong), _REACH)
            return
        far[partition] = progress
        sick |= {kind: each.why for kind, each in publisher.sick.items()}
        behind += max(0, journal.end(partition) - progress.offset)
        parked += len(publisher.parked)
    for kind, why in sick.items():
        yield Finding(
            topic_name(at.prefix, kind),
            "wrong",
            why,
            "until this is solved, nothing is published on this topic; the other topics go on",
        )
    if parked:
        said = f"{counted(parked, 'order')} could not be published and {'is' if parked == 1 else 'are'} left out"
        yield Finding(
            "publishing",
            "note",
            said,
            "install a release that can publish them, then `rescind dead-letters retry --all`",
        )
    elif behind:
        yield Finding(
            "publishing", "note", f"{counted(behind, 'record')} behind the journal; `rescind serve` publishes them"
        )
    else:
        yield Finding("publishing", "ok", "at the journal's end")
    yield from check_instructions(settings, at, directory, journal, far)
