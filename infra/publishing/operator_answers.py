"""Applies an operator's answer to a publisher that has stopped and asks. No engine needs to run."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Final, Literal

from consumers.ports.journal import Journal, JournalUnavailable
from consumers.ports.public_log import Fenced, PublicLogUnavailable
from consumers.publishing.partition_publisher import PartitionPublisher
from infra.addresses.kafka import KafkaAt, kafka_at
from infra.local_state import memory_local_state
from infra.publishing.earlier_prefixes import ended
from infra.publishing.public_log import KafkaPublicLog
from infra.publishing.reading import PublishingTimeouts
from infra.publishing.runner import schema_ids
from infra.settings import Settings, SettingsError
from infra.store.reader import existing_store


class NoSuchPlace(Exception):
    """The place of ``--from`` is neither another prefix nor an offset that the journal has."""


def open_existing(settings: Settings) -> Journal:
    """Open the settings' journal without creating it. JournalError if there is none."""
    store = existing_store(settings)
    return store.journal(settings.journal_at.partitions)


def partitions_of(settings: Settings) -> int:
    """Return the number of partitions of the settings' journal. JournalError if there is none."""
    with closing(open_existing(settings)) as journal:
        return journal.partitions


def answer_all(settings: Settings, kinds: Sequence[str], how: Literal["again", "onwards"]) -> int:
    """Answer for every partition (``PartitionPublisher.answer``). Returns the number of partitions.

    PublishingStopped, JournalError.
    """

    def answer(publisher: PartitionPublisher, kind: str) -> None:
        publisher.answer(kind, how)

    at = _public_topics(settings)
    with closing(open_existing(settings)) as journal:
        return _answer(settings, at, journal, kinds, range(journal.partitions), answer)


def begin_at(settings: Settings, kinds: Sequence[str], places: Sequence[str]) -> int:
    """Have these kinds go on from ``places``: the end of another prefix, or ``PARTITION:OFFSET`` in the journal.

    Returns the number of partitions. PublishingStopped, JournalError; NoSuchPlace.
    """
    at = _public_topics(settings)
    with closing(open_existing(settings)) as journal:
        starts: dict[int, Mapping[str, int]] = {}
        for place in places:
            if found := _OFFSET.fullmatch(place):
                partition = int(found[1])
                if partition >= journal.partitions:
                    raise NoSuchPlace(f"--from {place}: the journal has the partitions 0 to {journal.partitions - 1}")
                starts[partition] = dict.fromkeys(kinds, int(found[2]))
                continue
            old = _prefix(place, at)
            for partition in range(journal.partitions):
                try:
                    starts[partition] = ended(old, settings.security, journal, partition, PublishingTimeouts())
                except PublicLogUnavailable as later:
                    raise JournalUnavailable(f"{old} cannot be asked now: {later}") from later

        def answer(publisher: PartitionPublisher, kind: str) -> None:
            publisher.begin_at(kind, starts[publisher.partition].get(kind))

        return _answer(settings, at, journal, kinds, sorted(starts), answer)


_OFFSET: Final = re.compile(r"([0-9]{1,4}):([0-9]{1,18})", re.ASCII)


def _prefix(place: str, at: KafkaAt) -> KafkaAt:
    """Parse another prefix; it is on this cluster unless it is a URL."""
    try:
        old = kafka_at(place.removeprefix("kafka://") if "://" in place else f"{at.servers}/{place}")
    except ValueError:
        old = at
    if old == at:
        raise NoSuchPlace(f"--from {place}: name another prefix, or PARTITION:OFFSET in the journal")
    return old


def _public_topics(settings: Settings) -> KafkaAt:
    at = settings.public_topics_at
    if at is None:
        raise SettingsError("nothing is published: say where with the setting publish")
    return at


def _answer(
    settings: Settings,
    at: KafkaAt,
    journal: Journal,
    kinds: Sequence[str],
    partitions: Sequence[int],
    answer: Callable[[PartitionPublisher, str], None],
) -> int:
    ids = schema_ids(settings)
    for partition in partitions:
        log = KafkaPublicLog(at, partition, journal.partitions, settings.security)
        source = memory_local_state(partition, journal.partitions)
        publisher = PartitionPublisher(at.prefix, partition, journal, source, log, ids)
        try:
            for kind in kinds:
                answer(publisher, kind)
        except (Fenced, PublicLogUnavailable) as later:
            raise JournalUnavailable(f"partition {partition} of {at} cannot be answered for now: {later}") from later
        finally:
            publisher.close()
    return len(partitions)
