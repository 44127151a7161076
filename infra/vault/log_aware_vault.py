"""The vault of an engine. Every text carries how far the log was known when it was sealed.

So no key outlives an erasure that the engine knew when it made the key, and no erasure destroys a key that was made
after it was admitted (docs/adr/0013).
"""

from collections.abc import Mapping

from consumers.erasing.eraser import erased_at
from consumers.log.follower import Follower
from domain.events import Sealed
from infra.vault.base import DatabaseVault, Seen
from schemas.partitioning import partition_of

REMEMBERED = 1_000
"""Subject streams whose last erasure is cached."""


class LogAwareVault:
    """The Vault port of an engine. Call ``seal`` in the engine's thread only, and ``seen`` in any thread."""

    def __init__(self, vault: DatabaseVault, journal: str, partitions: int) -> None:
        self._vault = vault
        self._journal = journal
        self._partitions = partitions
        self._followers: Mapping[int, Follower] = {}
        self._erased: dict[str, tuple[bytes, int]] = {}
        """By subject stream: its head, and the ordinal of the last erasure up to it (-1: none)."""

    def follow(self, followers: Mapping[int, Follower]) -> None:
        """Take the known position of the log from these followers."""
        self._followers = followers
        self._vault.seen = self.seen

    def seen(self, marketplace: str, subject: str) -> Seen | None:
        """How far the partition of the subject's own stream is known. None if it is not followed here."""
        follower = self._followers.get(partition_of(f"{marketplace}/subject/{subject}", self._partitions))
        return None if follower is None else Seen(self._journal, follower.next_ordinal)

    def seal(self, marketplace: str, subject: str, text: str) -> Sealed:
        seen = self.seen(marketplace, subject)
        if seen is not None:
            seen = seen._replace(erased=self._last_erased(f"{marketplace}/subject/{subject}"))
        return self._vault.seal(marketplace, subject, text, seen)

    def _last_erased(self, stream: str) -> int:
        state = self._followers[partition_of(stream, self._partitions)].state
        head = state.head(stream)
        if head is None:
            return -1
        known = self._erased.get(stream)
        if known is None or known[0] != head.hash:
            commits = list(state.commits_of(stream))
            known = head.hash, max(erased_at(stream, commits), default=-1)
            if commits and commits[-1].hash == head.hash:  # staged commits are not in commits_of yet
                if len(self._erased) >= REMEMBERED:
                    self._erased.clear()
                self._erased[stream] = known
        return known[1]
