"""Where the log and what was read from it disagree: which of the two the chain supports, and what to do.

Each commit names the hash of the commit before it on its stream. So a commit that others were written behind cannot be
exchanged without leaving these without a parent. What supports neither side needs a copy to compare with. Nothing here
advises deleting anything: both sides are evidence.
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
"""What to do where the log lacks what was acknowledged."""
KEEP_BOTH: Final = (
    "Stop every engine, and copy both aside before anything else. Delete neither. Then compare the log with a backup"
)
"""What to do where the log has other content than was acknowledged."""
_FURTHER: Final = 10_000
"""Records behind the place of a disagreement that are searched for commits that were written behind it."""


class Mark(NamedTuple):
    """How far something beside the log has followed a partition: the log must have at least that much.

    ``what`` names it for people, in the singular. ``ordinal``: it has the commits below this one. ``hash``: of the last
    of these, where it is recorded. ``offset``: it has read the records below this one, where it records that instead.
    """

    what: str
    ordinal: int = 0
    hash: bytes | None = None
    offset: int = 0


def ahead(mark: Mark, partition: int, commits: int, end: int) -> LogLost | None:
    """The error for a log with so many commits that ends at ``end``, if the mark says that it had more."""
    if mark.offset > end:
        said = f"{mark.what} has read the log up to offset {mark.offset:,}, the log ends at {end:,}"
    elif mark.ordinal > commits:
        missing = mark.ordinal - commits
        said = (
            f"{mark.what} has {counted(mark.ordinal, 'commit')}, the log has {commits:,}: {missing:,} that "
            f"{'was' if missing == 1 else 'were'} acknowledged {'is' if missing == 1 else 'are'} missing"
        )
    else:
        return None
    return LogLost(f"partition {partition}: {said}. {BRING_BACK}")


def unlike(mark: Mark, partition: int, hash: bytes | None) -> LogChanged | None:
    """The error for a log whose commit ``mark.ordinal - 1`` has this hash, if the mark recorded another one."""
    if mark.hash is None or mark.hash == hash:
        return None
    return LogChanged(
        f"partition {partition}: commit {mark.ordinal - 1:,} of the log is not the one that {mark.what} has "
        f"({mark.hash.hex()}): the log was changed, or {mark.what} is of another journal. {KEEP_BOTH}"
    )


def disagreement(journal: Journal, kept: Admitted, marks: Sequence[Mark] = ()) -> LogChanged:
    """The error for a commit that local state has (``kept``; its bytes fit its hash) and the log does not have at that
    place. ``marks`` may have recorded its hash, too."""
    where = f"partition {kept.partition}: the commit at offset {kept.offset} (number {kept.index} there)"
    what = f"{where} is not the one that was acknowledged ({kept.hash.hex()})"
    return LogChanged(f"{what}. {_supported(journal, kept, marks)}. {KEEP_BOTH}")


def _supported(journal: Journal, kept: Admitted, marks: Sequence[Mark]) -> str:
    try:
        here, *later = islice(records_of(journal, kept.partition, first=kept.offset), _FURTHER)
    except ValueError:
        return "The log has nothing at this place, and local state has it whole: this supports local state"
    except JournalError as wrong:
        return (
            f"The log cannot be read there ({wrong}), and local state has the commit whole: this supports local state"
        )
    found = commits_in(here)
    now = found[kept.index] if here.offset == kept.offset and kept.index < len(found) else None
    if now == kept.data:
        return (
            f"The log has the same commit, but as appended at another time ({here.appended_at}, local state has "
            f"{kept.appended_at}): the chain does not say which is right"
        )
    for each in (commit for record in (here, *later) for commit in _decoded(commits_in(record))):
        for part in each.streams:
            if part.kind == "chain" and part.parent == kept.hash:
                return (
                    f"A later commit of {part.stream} in the log itself was written behind the acknowledged one: the "
                    "chain supports local state, and the log was changed"
                )
            if part.kind == "chain" and now is not None and part.parent == commit_hash(now):
                return (
                    f"A later commit of {part.stream} in the log was written behind the one that stands there now: the "
                    "chain supports the log"
                )
    for mark in marks:
        if mark.ordinal == kept.ordinal + 1 and mark.hash == kept.hash:
            return f"{mark.what} has recorded the same hash as local state: this supports local state"
    return "Local state fits its own hashes, and nothing was written behind this commit: the chain supports neither"


def _decoded(commits: Sequence[bytes]) -> list[Commit]:
    found = []
    for data in commits:
        with suppress(Malformed):
            found.append(decode_commit(data))
    return found
