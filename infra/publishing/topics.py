"""The public topics on a cluster: created and checked like the journal's own (``infra.kafka.admin``)."""

from typing import Final

from consumers.ports.journal import JournalMismatch
from consumers.publishing.partition_publisher import what_to_answer
from infra.kafka.admin import Topics, wanted_settings
from schemas.public.topics import DEAD_LETTERS, PUBLISHED, TOPICS, topic_name

RECREATE_TOPIC: Final = "delete it once its readers have read it to its end, make it with `rescind topics create`"
"""What to do with a topic whose number of partitions was changed."""
LETTER_ROOM: Final = 8_192
"""Bytes by which a dead letter may be longer than its record: room for headers."""


def public_settings(prefix: str, name: str, replicas: int) -> dict[str, str]:
    """Return the settings of the public topic with this name and this number of replicas."""
    wanted = wanted_settings(replicas)
    if name == topic_name(prefix, DEAD_LETTERS):
        wanted["max.message.bytes"] = str(int(wanted["max.message.bytes"]) + LETTER_ROOM)
    if name == topic_name(prefix, PUBLISHED):
        wanted |= {"cleanup.policy": "compact", "segment.bytes": "16777216", "min.cleanable.dirty.ratio": "0.1"}
    return wanted


class PublicTopics(Topics):
    """The topics that other services read, and the publisher's progress. Close it."""

    @property
    def names(self) -> list[str]:
        return [topic_name(self.at.prefix, kind) for kind in (*(topic.kind for topic in TOPICS), PUBLISHED)]

    @property
    def complete(self) -> list[str]:
        """The topics that must hold every record from the beginning: all but the publisher's progress."""
        return [name for name in self.names if name != topic_name(self.at.prefix, PUBLISHED)]

    restore = "see that nothing deletes more; whoever reads from the beginning misses what was deleted"

    def wanted_settings(self, name: str, replicas: int) -> dict[str, str]:
        return public_settings(self.at.prefix, name, replicas)

    def _when_missing(self, name: str) -> str:
        kind = name.removeprefix(f"{self.at.prefix}.")
        if kind == PUBLISHED:
            return "bring it back, it says how far was published; or publish under another prefix, which asks"
        return f"`rescind topics create`; if it was there before, {what_to_answer(kind)}"

    def _when_other_partitions(self, name: str) -> str:
        kind = name.removeprefix(f"{self.at.prefix}.")
        if kind == PUBLISHED:
            return "bring it back from a copy; or publish under another prefix, which asks where instructions go on"
        return f"{RECREATE_TOPIC}, and {what_to_answer(kind)}"

    def _check_creatable(self, missing: list[str], names: list[str]) -> None:
        """Allow a new kind of topic. Refuse to create the progress topic if other topics exist; the topic of dead
        letters may exist for commands (``infra.command_topic``)."""
        progress, letters = topic_name(self.at.prefix, PUBLISHED), topic_name(self.at.prefix, DEAD_LETTERS)
        there = next((name for name in names if name not in missing and name != letters), None)
        if progress in missing and there is not None:
            raise JournalMismatch(
                f"{progress} is missing, but {there} is there: bring it back, it says how far was published; or "
                "publish under another prefix, which asks where instructions go on"
            )
