"""The policies in force, as the control log tells them: newest is by that log, never by time.

The book itself is a value of the domain; this room keeps it up to date. A document that this release cannot read keeps
its place (id, version and hash): nobody can publish other content under it, and orders pinned to it wait.
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
        """Published policies that this release cannot read, and why."""
        self.changed: list[str] = []
        """Policies (id@version) whose text does not fit their hash: orders pinned to them wait."""
        self._hashes: dict[tuple[str, int], bytes] = {}

    def admitted(self, part: StreamEntry) -> None:
        """One commit's part in a policy's stream."""
        try:
            events = events_of(part)
        except Undecodable as newer:
            self.unreadable[part.stream, part.first_event] = str(newer)
            return
        for event, _ in events:
            if isinstance(event, PolicyPublished):
                self._published(event)

    def sha256_of(self, policy_id: str, version: int) -> bytes | None:
        """The hash of the document published first under this id@version."""
        return self._hashes.get((policy_id, version))

    def highest(self, policy_id: str) -> int | None:
        """The highest version published under this id, readable or not; None if there is none."""
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
