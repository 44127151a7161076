"""A process that follows a journal's file and publishes it, until it is killed:
``python -m tests.integration.publishing.child JOURNAL STATE kafka://HOST:PORT/PREFIX``."""

import sys
from pathlib import Path

from consumers.log.follower import Follower
from consumers.publishing.partition_publisher import PublisherLimits
from infra.addresses.kafka import Security, kafka_at
from infra.journals.sqlite import open_sqlite_journal
from infra.local_state import open_local_state
from infra.local_state.followed import open_followed
from infra.local_state.slots import state_file
from infra.publishing.reading import PublishingTimeouts
from infra.publishing.runner import PublishingOptions, PublishingRunner
from schemas.public.ids import PinnedIds

SMALL = PublisherLimits(records=60, retry=100_000, look=300_000, take_over=1_500_000, lazily=200_000, heal=300_000)
"""Many transactions, and no long waiting."""


def main(journal_file: str, state: str, url: str) -> None:
    journal = open_sqlite_journal(Path(journal_file), create=False)
    slot = Path(state)
    followers = {}
    for partition in range(journal.partitions):
        opened = open_local_state(state_file(slot, partition), partition, journal.partitions)
        followers[partition] = Follower(journal, partition, opened.state)
        followers[partition].start()
    publishing = PublishingRunner(
        kafka_at(url.removeprefix("kafka://")),
        Security(),
        journal,
        open_followed(slot, followers, journal.partitions),
        PinnedIds(),
        PublishingOptions(limits=SMALL, timeout=PublishingTimeouts(ask=5, take_over=10, write=10)),
    )
    publishing.enable()
    publishing.start()
    sys.stdout.write("publishing\n")
    sys.stdout.flush()
    reported: set[str] = set()
    while True:
        for piece, why in publishing.trouble.items():
            if piece not in reported:
                reported.add(piece)
                sys.stderr.write(f"publishing has stopped ({piece}): {why}\n")
        for partition, follower in followers.items():
            if not follower.advance(50):
                journal.wait(partition, follower.next_offset, 0.01)


if __name__ == "__main__":
    main(*sys.argv[1:])
