"""The policies in force, as the control log has them. The newest policy is the last one in that log, whatever its time.

``PolicyBook`` is a value of the domain; the registry updates it. A document that this release cannot read is registered
with its id, version and hash: other content cannot be published under them, and orders pinned to it wait.
"""

import hashlib

from consumers.log.commit_codec import events_of
from domain.errors import BadInput
from domain.events import PolicyPublished
from domain.policy import PolicyBook
from schemas.codec import Undecodable
from schemas.commit import StreamEntry


class PolicyRegistry:
    """A PolicyBook that follows the control log."""

    def __init__(self) -> None:
        self.book = PolicyBook()
        self.unreadable: dict[tuple[str, int], str] = {}
        """Why this release cannot read a published policy, by id and version."""
        self.changed: list[str] = []
        """Policies (id@version) whose text does not fit their hash. Orders pinned to them wait."""
        self._hashes: dict[tuple[str, int], bytes] = {}

    def admitted(self, part: StreamEntry) -> None:
        """Take in the entry of a policy's stream in a commit."""
        try:
            events = events_of(part)
        except Undecodable as newer:
            self.unreadable[part.stream, part.first_event] = str(newer)
            return
        for event, _ in events:
            if isinstance(event, PolicyPublished):
                self._published(event)

    def sha256_of(self, policy_id: str, version: int) -> bytes | None:
        """Return the hash of the document first published under this id@version."""
        return self._hashes.get((policy_id, version))

    def highest(self, policy_id: str) -> int | None:
        """Return the highest version published under this id, readable or not, or None."""
        return max((version for id, version in self._hashes if id == policy_id), default=None)

    def _published(self, event: PolicyPublished) -> None:
        key = (event.id, event.version)
        if key in self._hashes:
            return
        self._hashes[key] = event.sha256
        if hashlib.sha256(event.document.encode("utf-8")).digest() != event.sha256:
            self.changed.append(f"{event.id}@{event.version}")
            self.unreadable[key] = "its text does not fit its hash: one of them was changed"
            return
        try:
            self.book = self.book.with_published(event)
        except (BadInput, ValueError) as unknown:
            self.unreadable[key] = str(unknown)
