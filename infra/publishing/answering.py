"""What an operator says to a publisher that has stopped and asks, while no engine needs to run."""

from contextlib import closing
from typing import Literal

from consumers.journal import Journal, JournalUnavailable
from consumers.public_log import Fenced, PublicLogUnavailable
from consumers.publishing import PartitionPublisher
from infra.cli.exits import Wrong
from infra.local_state import memory_local_state
from infra.publishing.public_log import KafkaPublicLog
from infra.publishing.running import schema_ids
from infra.reading import existing_store
from infra.settings import Settings


def open_existing(settings: Settings) -> Journal:
    """The settings' journal, as it is. JournalError if there is none."""
    store = existing_store(settings)
    return store.journal(settings.journal_at.partitions)


def partitions_of(settings: Settings) -> int:
    """How many partitions the settings' journal has. JournalError if there is none."""
    with closing(open_existing(settings)) as journal:
        return journal.partitions


def answer_all(settings: Settings, kind: str, how: Literal["again", "onwards"]) -> int:
    """Answer for every partition (``PartitionPublisher.answer``); how many there are.

    PublishingStopped, JournalError.
    """
    at = settings.public_topics_at
    if at is None:
        raise Wrong("nothing is published: say where with the setting publish")
    with closing(open_existing(settings)) as journal:
        ids = schema_ids(settings)
        for partition in range(journal.partitions):
            log = KafkaPublicLog(at, partition, journal.partitions, settings.security)
            source = memory_local_state(partition, journal.partitions)
            publisher = PartitionPublisher(at.prefix, partition, journal, source, log, ids)
            try:
                publisher.answer(kind, how)
            except (Fenced, PublicLogUnavailable) as later:
                raise JournalUnavailable(
                    f"partition {partition} of {at} cannot be answered for now: {later}"
                ) from later
            finally:
                publisher.close()
        return journal.partitions
