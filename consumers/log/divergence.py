"""Divergence: the log and something read from it disagree. Finds which side the chain supports, and what to do.

Each commit has the hash of its parent, the commit before it on its stream. So a commit that has children cannot be
replaced without leaving them without a parent. If the chain supports neither side, a backup is needed to compare with.
No advice here is to delete anything, because both sides are evidence.
"""

from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Final, NamedTuple

from consumers.log.readmission import commits_in, records_of
from consumers.ports.journal import Journal, JournalError, LogChanged, LogLost
from consumers.ports.log_values import Admitted
from domain.wording import counted
from schemas.commit import Commit, commit_hash, decode_commit
from schemas.wire import Malformed

BRING_BACK: Final = (
    "Nothing is decided on a shorter history. Stop every engine and bring the log back from a newer copy. Delete "
    "nothing until then: what is ahead may be all that is left of the missing part"
)
"""What to do if the log lost acknowledged commits."""
KEEP_BOTH: Final = (
    "Stop every engine, and copy both aside before anything else. Delete neither. Then compare the log with a backup"
)
"""What to do if the log has other content than it acknowledged."""
_FURTHER: Final = 10_000
"""Number of records after a disagreement that are searched for children of the two commits."""


class Mark(NamedTuple):
    """How far something else has followed a partition. The log must have at least that much.

    ``what`` names it for people, in the singular. ``ordinal``: it has the commits below this one. ``hash``: the hash of
    the last of these, if it is recorded. ``offset``: it has read the records below this offset, if it records that.
    """

    what: str
    ordinal: int = 0
    hash: bytes | None = None
    offset: int = 0


def ahead(mark: Mark, partition: int, commits: int, end: int) -> LogLost | None:
    """Return the error for a log with so many commits that ends at ``end``, if the mark proves that it had more."""
    if mark.offset > end:
        evidence = f"{mark.what} has read the log up to offset {mark.offset:,}, the log ends at {end:,}"
    elif mark.ordinal > commits:
        missing = mark.ordinal - commits
        evidence = (
            f"{mark.what} has {counted(mark.ordinal, 'commit')}, the log has {commits:,}: {missing:,} that "
            f"{'was' if missing == 1 else 'were'} acknowledged {'is' if missing == 1 else 'are'} missing"
        )
    else:
        return None
    return LogLost(f"partition {partition}: {evidence}. {BRING_BACK}")


def unlike(mark: Mark, partition: int, hash: bytes | None) -> LogChanged | None:
    """Return the error for a log whose commit ``mark.ordinal - 1`` has this hash, if the mark has another one."""
    if mark.hash is None or mark.hash == hash:
        return None
    return LogChanged(
        f"partition {partition}: commit {mark.ordinal - 1:,} of the log is not the one that {mark.what} has "
        f"({mark.hash.hex()}): the log was changed, or {mark.what} is of another journal. {KEEP_BOTH}"
    )


def disagreement(journal: Journal, stored: Admitted, marks: Sequence[Mark] = ()) -> LogChanged:
    """Return the error for a commit that local state has and the log does not have at that place.

    ``stored``: the commit in local state; its bytes fit its hash. ``marks`` may have its hash, too.
    """
    where = f"partition {stored.partition}: the commit at offset {stored.offset} (number {stored.index} there)"
    what = f"{where} is not the one that was acknowledged ({stored.hash.hex()})"
    return LogChanged(f"{what}. {_supported(journal, stored, marks)}. {KEEP_BOTH}")


def _supported(journal: Journal, stored: Admitted, marks: Sequence[Mark]) -> str:
    try:
        here, *later = islice(records_of(journal, stored.partition, first=stored.offset), _FURTHER)
    except ValueError:
        return "The log has nothing at this place, and local state has it whole: this supports local state"
    except JournalError as wrong:
        return (
            f"The log cannot be read there ({wrong}), and local state has the commit whole: this supports local state"
        )
    found = commits_in(here)
    now = found[stored.index] if here.offset == stored.offset and stored.index < len(found) else None
    if now == stored.data:
        return (
            f"The log has the same commit, but as appended at another time ({here.appended_at}, local state has "
            f"{stored.appended_at}): the chain does not say which is right"
        )
    for each in (commit for record in (here, *later) for commit in _decoded(commits_in(record))):
        for part in each.streams:
            if part.kind == "chain" and part.parent == stored.hash:
                return (
                    f"A later commit of {part.stream} in the log itself was written behind the acknowledged one: the "
                    "chain supports local state, and the log was changed"
                )
            if part.kind == "chain" and now is not None and part.parent == commit_hash(now):
                return (
                    f"A later commit of {part.stream} in the log was written behind the one that is there now: the "
                    "chain supports the log"
                )
    for mark in marks:
        if mark.ordinal == stored.ordinal + 1 and mark.hash == stored.hash:
            return f"{mark.what} has recorded the same hash as local state: this supports local state"
    return "Local state fits its own hashes, and nothing was written behind this commit: the chain supports neither"


def _decoded(commits: Sequence[bytes]) -> list[Commit]:
    found = []
    for data in commits:
        with suppress(Malformed):
            found.append(decode_commit(data))
    return found
