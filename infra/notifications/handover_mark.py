"""The number of messages that were handed over, recorded next to the delivery store. It reveals an older copy of it.

The mark is in the notifier's lock file. The store counts each message before it is handed over, and the mark is
written between the two. So a store with a lower count than the mark is an older copy. Messages that it does not know
may have been sent.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from domain.instants import Instant

LOCK_FILE: Final = "notices.lock"
"""In the directory of the notification store. An empty one shows that there was a store."""


@dataclass(frozen=True, slots=True)
class HandoverMark:
    """``journal``: its identity. ``messages``: handed over so far, the last one ``at``. ``positions``: per partition
    the ordinal of the first commit that the store had not looked at."""

    journal: str
    messages: int
    at: Instant
    positions: Mapping[int, int]

    def write(self, directory: Path) -> None:
        """Write it durably, in place: the file may be locked. OSError."""
        text = json.dumps(asdict(self)).encode() + b"\n"
        file = os.open(directory / LOCK_FILE, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(file, text)
            os.ftruncate(file, len(text))
            os.fsync(file)
        finally:
            os.close(file)

    @classmethod
    def read(cls, directory: Path, journal: str) -> Self | None:
        """The mark there; None where there is none for this journal."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            found = json.loads((directory / LOCK_FILE).read_bytes())
            if found["journal"] == journal:
                positions = {int(partition): int(ordinal) for partition, ordinal in found["positions"].items()}
                return cls(journal, int(found["messages"]), int(found["at"]), positions)
        return None
