"""Other prefixes that a journal was published under: a new prefix begins its instructions where an older one ended.

The progress topics of the cluster (``PREFIX.published``) name the journal that was published. A file in the store's
directory records the prefixes too, so that one that is gone, or on another cluster, is asked about.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from kafka import KafkaAdminClient, TopicPartition

from consumers.ports.journal import Journal
from consumers.ports.public_log import Fenced, Progress, PublicLogUnavailable, PublishingStopped, read_progress
from infra.addresses.kafka import KafkaAt, Security, kafka_at
from infra.kafka.kafka_python import connection
from infra.publishing.public_log import KafkaPublicLog
from infra.publishing.reading import PublishingTimeouts, opened_consumer, unavailable
from schemas.public.topics import EVENTS, PUBLISHED, topic_name

FILE: Final = "published-to"
"""In the store's directory: the prefixes that the journal was published under, one a line: the journal's identity and
the URL."""
_SCHEME: Final = "kafka://"

Prefixes = Mapping[str, Mapping[int, Progress]]
"""Prefix → partition → how far it is published."""


def remember(directory: Path, journal: str, at: KafkaAt) -> None:
    """Record in the store's directory that the journal with this identity is published to ``at``."""
    if at not in remembered(directory, journal):
        with (directory / FILE).open("a", encoding="utf-8") as file:
            file.write(f"{journal} {at}\n")


def remembered(directory: Path, journal: str) -> list[KafkaAt]:
    """Return where the journal was published, as recorded in this directory."""
    try:
        lines = (directory / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    places = [place for identity, _, place in (line.partition(" ") for line in lines) if identity == journal]
    return [kafka_at(place.removeprefix(_SCHEME)) for place in places]


def other_prefixes(
    at: KafkaAt, security: Security, journal: Journal, timeout: PublishingTimeouts | None = None
) -> Prefixes:
    """Return the other prefixes of this cluster under which this journal was published, and how far.
    PublicLogUnavailable."""
    timeout = timeout or PublishingTimeouts()
    connected = connection(at.servers, security)
    with unavailable(connected):
        names = _progress_topics(connected, topic_name(at.prefix, PUBLISHED), journal.partitions, timeout)
        values = _last_values(names, journal.partitions, connected, timeout)
    found: dict[str, dict[int, Progress]] = {}
    for (name, partition), value in values.items():
        try:
            progress = read_progress(value)
        except PublishingStopped:  # written by another program, or by a newer release
            continue
        if progress.journal == journal.identity:
            found.setdefault(name.removesuffix(f".{PUBLISHED}"), {})[partition] = progress
    return found


def ended(
    at: KafkaAt, security: Security, journal: Journal, partition: int, timeout: PublishingTimeouts
) -> dict[str, int]:
    """Return by kind the journal offset where publishing under this prefix ended. First fences its publisher, and ends
    the transaction that it may have open. PublicLogUnavailable; PublishingStopped if the topic does not tell."""
    log = KafkaPublicLog(at, partition, journal.partitions, security, timeout)
    try:
        log.take_over()
        value = log.committed().get(str(partition))
    except Fenced as taken:
        raise PublicLogUnavailable(f"another process begins to publish to {at} at this moment") from taken
    finally:
        log.let_go()
    progress = None if value is None else read_progress(value)
    if progress is None or progress.journal != journal.identity:
        raise PublishingStopped(f"nothing says how far partition {partition} of this journal was published to {at}")
    return {kind: each.offset for kind, each in progress.kinds.items()}


class Earlier:
    """Finds where a new prefix begins. Used once for each prefix."""

    def __init__(
        self, at: KafkaAt, security: Security, journal: Journal, directory: Path | None, timeout: PublishingTimeouts
    ) -> None:
        """``directory``: the store's, which records the prefixes; None if nothing does."""
        self._at = at
        self._security = security
        self._journal = journal
        self._directory = directory
        self._timeout = timeout
        self._places: list[KafkaAt] | None = None

    def begins(self, partition: int) -> dict[str, int]:
        """Return by kind the journal offset where an older prefix ended; empty if there was none. PublicLogUnavailable;
        PublishingStopped, which asks the operator, if there was one and its end is not known."""
        if not self._journal.end(partition):
            return {}
        if self._places is None:
            self._places = self._older()
        found: dict[str, int] = {}
        for place in self._places:
            for kind, offset in self._ended(place, partition).items():
                if kind != EVENTS:
                    found[kind] = max(offset, found.get(kind, 0))
        return found

    def _older(self) -> list[KafkaAt]:
        here = [KafkaAt(self._at.servers, prefix) for prefix in self._on_cluster()]
        known = [] if self._directory is None else remembered(self._directory, self._journal.identity)
        return here + [place for place in known if place != self._at and place not in here]

    def _on_cluster(self) -> list[str]:
        return sorted(other_prefixes(self._at, self._security, self._journal, self._timeout))

    def _ended(self, place: KafkaAt, partition: int) -> dict[str, int]:
        try:
            return ended(place, self._security, self._journal, partition, self._timeout)
        except (PublicLogUnavailable, PublishingStopped) as unknown:
            raise PublishingStopped(
                f"this journal was published to {place} before, and where that ended is not known now ({unknown}). "
                f"Bring it back; or say of each partition where instructions go on in the journal: `rescind topics "
                "answer instructions --from PARTITION:OFFSET`; or leave out what is not on the old topics: `rescind "
                "topics answer instructions --onwards`"
            ) from unknown


def _progress_topics(connected: Mapping[str, Any], own: str, partitions: int, timeout: PublishingTimeouts) -> list[str]:
    """Return the progress topics of other prefixes that have as many partitions."""
    milliseconds = int(timeout.ask * 1000)
    admin = KafkaAdminClient(**connected, request_timeout_ms=milliseconds, bootstrap_timeout_ms=milliseconds)
    with closing(admin):
        names = [name for name in admin.list_topics() if name.endswith(f".{PUBLISHED}") and name != own]
        described = admin.describe_topics(names) if names else []
    return [each["name"] for each in described if not each["error_code"] and len(each["partitions"]) == partitions]


def _last_values(
    names: Sequence[str], partitions: int, connected: Mapping[str, Any], timeout: PublishingTimeouts
) -> dict[tuple[str, int], bytes]:
    """Return the progress of each partition in each of these topics."""
    found: dict[tuple[str, int], bytes] = {}
    places = [TopicPartition(name, partition) for name in names for partition in range(partitions)]
    if not places:
        return found
    until = time.monotonic() + 12 * timeout.ask
    with opened_consumer(connected, timeout) as consumer:
        consumer.assign(places)
        for place, begin in consumer.beginning_offsets(places).items():
            consumer.seek(place, begin)
        ends = consumer.end_offsets(places, timeout_ms=int(timeout.ask * 1000))
        left = {place for place in places if ends[place]}
        while left := {place for place in left if consumer.position(place) < ends[place]}:
            if time.monotonic() > until:
                raise PublicLogUnavailable("the progress topics of this cluster cannot be read to their ends")
            for place, records in consumer.poll(timeout_ms=200).items():
                for record in records:
                    if record.key == str(place.partition).encode() and record.value:
                        found[place.topic, place.partition] = record.value
    return found
