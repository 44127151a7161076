"""The topics of the asynchronous command path, made and checked like the journal's own (``infra.kafka.admin``).

``PREFIX.commands`` and ``PREFIX.outcomes`` have the journal's partitions, p to p. What cannot be read as a command goes
to ``PREFIX.dead-letters``, which is made too where nothing is published.
"""

from infra.addresses.kafka import KafkaAt, Security
from infra.kafka.admin import Topics
from infra.publishing.topics import public_settings
from schemas.public.topics import DEAD_LETTERS, topic_name


class CommandTopics(Topics):
    """See above. Close it."""

    def __init__(self, at: KafkaAt, security: Security, *, letters: bool = True) -> None:
        """``letters`` False: the dead letters' topic is somebody else's to make and check."""
        super().__init__(at, security)
        self._letters = letters

    @property
    def names(self) -> list[str]:
        letters = [topic_name(self.at.prefix, DEAD_LETTERS)] if self._letters else []
        return [self.at.commands, self.at.outcomes, *letters]

    @property
    def complete(self) -> list[str]:
        """None of them: they carry what is on its way, and hold no history."""
        return []

    def wanted_settings(self, name: str, replicas: int) -> dict[str, str]:
        return public_settings(self.at.prefix, name, replicas)

    def _may_be_made(self, missing: list[str], names: list[str]) -> None:
        """They carry what is on its way, and hold no history: any of them may be made anew."""
