"""Looks from time to time where the public topics begin, because deleted records may never have been read.

Publishing goes on: later records do not depend on the deleted ones, and refunds do not wait.
"""

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from consumers.ports.public_log import PublicLogUnavailable
from infra.kafka.quiet_import import TopicPartition
from infra.publishing.reading import PublishingTimeouts, opened_consumer, unavailable
from infra.runtime.components import Health, health_of
from infra.runtime.loop import Rhythm
from schemas.public.topics import TOPICS, topic_name

CHECK_INTERVAL: Final = 10.0
"""Seconds between two looks."""


class Fronts:
    """Looks where the public topics of a prefix begin. ``trouble`` names those that were cut. A component."""

    name = "public topics"

    def __init__(
        self,
        prefix: str,
        partitions: int,
        connection: Mapping[str, Any],
        timeout: PublishingTimeouts,
        look: float = CHECK_INTERVAL,
    ) -> None:
        self.trouble: str | None = None
        """Which topics lack their first records, and what to do about it. From any thread."""
        self._names = [topic_name(prefix, topic.kind) for topic in TOPICS]
        self._partitions = partitions
        self._connection = connection
        self._timeout = timeout
        self._rhythm = Rhythm("fronts of the public topics", self.look, look)

    def start(self) -> None:
        """Start the thread."""
        self._rhythm.start()

    def stop(self) -> None:
        """Look no more. Returns at once."""
        self._rhythm.stop()

    def health(self) -> Health:
        """The topics that were cut."""
        return health_of(self.trouble)

    def look(self) -> None:
        """Look once, and report on standard error when a cut is found, and when it is gone. The publishers report
        whether the brokers answer."""
        with suppress(PublicLogUnavailable):
            before, self.trouble = self.trouble, self._cut()
            if self.trouble != before and self.trouble is not None:
                sys.stderr.write(f"rescind: public records were deleted: {self.trouble}\n")
            elif self.trouble is None and before is not None:
                sys.stderr.write("rescind: the public topics begin at offset 0 again\n")

    def _cut(self) -> str | None:
        places = [TopicPartition(name, partition) for name in self._names for partition in range(self._partitions)]
        with unavailable(self._connection), opened_consumer(self._connection, self._timeout) as consumer:
            begins = consumer.beginning_offsets(places, timeout_ms=int(self._timeout.ask * 1000))
        return cut_message({(of.topic, of.partition): begin for of, begin in begins.items() if begin > 0})


def cut_message(begins: Mapping[tuple[str, int], int]) -> str | None:
    """Describe topics whose partitions begin after offset 0; None if there are none."""
    if not begins:
        return None
    where = "; ".join(f"{name}, partition {p}, begins at offset {begin}" for (name, p), begin in sorted(begins.items()))
    return (
        f"{where}. Readers that had not read the records before it miss them. Set retention.ms and retention.bytes of "
        "the topic to -1 (`rescind topics check`). Publishing goes on; the deleted records are in the journal and in "
        "the views"
    )
