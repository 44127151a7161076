"""The topics of the asynchronous command path, created and checked like the journal's own (``infra.kafka.admin``).

``PREFIX.commands`` and ``PREFIX.outcomes`` have as many partitions as the journal. A record that cannot be read as a
command goes to ``PREFIX.dead-letters``, which is created too if nothing is published.
"""

from infra.addresses.kafka import KafkaAt, Security
from infra.kafka.admin import Topics
from infra.publishing.topics import public_settings
from schemas.public.topics import DEAD_LETTERS, topic_name


class CommandTopics(Topics):
    """The topics of one prefix. Close it."""

    def __init__(self, at: KafkaAt, security: Security, *, dead_letters: bool = True) -> None:
        """``dead_letters`` False: the topic of dead letters is created and checked elsewhere."""
        super().__init__(at, security)
        self._dead_letters = dead_letters

    @property
    def names(self) -> list[str]:
        more = [topic_name(self.at.prefix, DEAD_LETTERS)] if self._dead_letters else []
        return [self.at.commands, self.at.outcomes, *more]

    @property
    def complete(self) -> list[str]:
        """No topic has to be complete: they hold no history."""
        return []

    def wanted_settings(self, name: str, replicas: int) -> dict[str, str]:
        return public_settings(self.at.prefix, name, replicas)

    def _check_creatable(self, missing: list[str], names: list[str]) -> None:
        """Allow it: the topics hold no history, so any of them may be created again."""
