"""The control log, the journal and local state: the truth, and the cache of it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from consumers.admission import Admission, Admitted, MemoryHeads
from consumers.control import ControlLog
from consumers.follower import Follower
from consumers.imports import LIST_STREAM, Imports
from consumers.journal import Journal, JournalError, front_cut
from consumers.local_state import LocalState, LocalStateDamaged, LocalStateUnavailable
from domain.instants import MINUTE
from infra.examining.findings import Finding, Progress
from infra.importing.holding import WHAT_TO_DO, is_held
from infra.local_state import open_local_state
from infra.local_state.slots import is_claimed, slot_path
from infra.places import clock, state_file
from infra.settings import Settings

_PAGE: Final = 500
_LOST: Final = (
    "stop every engine and bring the journal back from a copy that is at least as new; keep local state, it knows what "
    "was acknowledged"
)

_CUT: Final = (
    "stop every engine, keep local state, set retention.ms and retention.bytes of the topic to -1, and restore the "
    "journal from a copy that begins at offset 0"
)


def look_at_control(control: ControlLog) -> Finding:
    """The policies, and what the log says of the journal."""
    if control.partitions is None:
        said = "it does not say yet how many partitions the journal has"
        return Finding("control log", "note", f"{said}; the next engine does")
    unreadable = control.policies.unreadable
    if unreadable:
        said = f"{len(unreadable)} of its policies cannot be read by this release"
        return Finding("control log", "note", said, "install the release that published them; orders under them wait")
    return Finding("control log", "ok", f"{len(control.book.documents)} policies")


def look_at_markets(control: ControlLog, settings: Settings) -> Iterator[Finding]:
    """Whether the policies that the settings name for marketplaces are there."""
    unreadable = {name for id, version in control.policies.unreadable for name in (id, f"{id}@{version}")}
    for market, table in sorted(settings.marketplaces.items()):
        if table.policy is None or table.policy in unreadable:  # the finding about the control log says so
            continue
        if control.book.named(table.policy) is None:
            said = f"orders that name no policy are refused: there is no policy {table.policy}"
            do = f"`rescind policy publish` it, or name another in [marketplaces.{market}]"
            yield Finding(f"marketplace {market}", "wrong", said, do)


def look_at_journal(journal: Journal, progress: Progress | None) -> Iterator[Finding]:
    """Every record is read, and its checksum compared."""
    ends = [journal.end(partition) for partition in range(journal.partitions)]
    total, done, newest = sum(ends), 0, 0
    for partition in range(journal.partitions):
        if begin := journal.begin(partition):
            yield Finding("journal", "wrong", str(front_cut(partition, begin)), _CUT)
            return
    for partition, end in enumerate(ends):
        offset = 0
        while offset < end:
            try:
                records = journal.read(partition, offset, _PAGE)
            except JournalError as wrong:
                yield Finding("journal", "wrong", str(wrong), "stop every engine and bring the file back from a copy")
                return
            offset = records[-1].offset + 1
            newest = max(newest, records[-1].appended_at)
            done += len(records)
            if progress is not None:
                progress(done, total)
    yield Finding("journal", "ok", f"{total:,} records in {journal.partitions} partitions, every checksum fits")
    ahead = newest - clock()
    if ahead > MINUTE:
        said = f"the newest record was appended {ahead // MINUTE} minutes in this clock's future"
        yield Finding("clock", "wrong", said, "set this machine's clock right")


def look_at_local_state(directory: Path, journal: Journal, *, deep: bool) -> Iterator[Finding]:
    """Every slot; of the first one also what the log says: parked commits and open imports."""
    number = 0
    while slot_path(directory, number).is_dir():
        yield from _slot(directory, number, journal, deep=deep and number == 0)
        number += 1
    if not number:
        yield Finding("local state", "note", "there is none yet; it is made from the log when it is needed")


def _slot(directory: Path, number: int, journal: Journal, *, deep: bool) -> Iterator[Finding]:
    name = f"local state {number}"
    behind = parked = 0
    imports = Imports()
    for partition in range(journal.partitions):
        path = state_file(slot_path(directory, number), partition)
        try:
            with closing(open_local_state(path, partition, journal.partitions, read_only=True).state) as state:
                follower = Follower(journal, partition, state)
                follower.start()
                if deep:
                    _judge_anew(journal, partition, follower)
                behind += max(0, journal.end(partition) - follower.next_offset)
                parked += len(state.parked())
                if number == 0:
                    _read_imports(state, imports)
        except FileNotFoundError:
            yield Finding(name, "note", f"there is none of partition {partition}; it is made from the log when needed")
            return
        except (LocalStateDamaged, LocalStateUnavailable) as wrong:
            yield Finding(name, "note", f"{wrong}; the next engine makes it anew from the log")
            return
        except JournalError as wrong:
            yield Finding(name, "wrong", str(wrong), _LOST)
            return
        except Differs as wrong:
            yield Finding(name, "wrong", str(wrong), f"stop every engine and delete {path}: it is made anew")
            return
    said = f"{behind:,} records behind the log" if behind else "at the log's end"
    said += ", in use" if is_claimed(directory, number) else ""
    said += ", every commit judged anew comes out the same" if deep else ""
    yield Finding(name, "ok", said)
    if number == 0:
        yield from _told(imports, parked, is_held(directory))


def _told(imports: Imports, parked: int, held: bool) -> Iterator[Finding]:
    """``held``: whether somebody imports on this machine now. On a cluster it may be somebody on another one."""
    for marketplace, sha256 in sorted(imports.inputs()):
        said = f"the input {sha256.hex()[:16]}… is being imported into {marketplace}"
        if held:
            yield Finding("imports", "note", f"{said}: no live write is taken there, no deadline fires until it ends")
        else:
            said += ", but by nobody on this machine: no live write is taken there, and no deadline fires"
            yield Finding("imports", "wrong", said, WHAT_TO_DO)
    if parked:
        said = f"{parked} malformed commits are parked: they never became part of the history"
        yield Finding("log", "note", said, "find out who else writes to this log")


def _read_imports(state: LocalState, imports: Imports) -> None:
    for admitted in state.commits_of(LIST_STREAM):
        imports.admitted(admitted)


class Differs(Exception):
    """Local state is not what the log comes to."""


def _judge_anew(journal: Journal, partition: int, follower: Follower) -> None:
    """Admit the partition again from its first record, and compare with what local state has."""
    admission = Admission(partition, journal.partitions, MemoryHeads())
    stored = follower.state.commits()
    offset = 0
    while offset < follower.next_offset:
        for record in journal.read(partition, offset, _PAGE):
            offset = record.offset + 1
            if record.offset >= follower.next_offset:
                break
            for verdict in admission.take(record):
                if isinstance(verdict, Admitted):
                    kept = next(stored, None)
                    if kept is None or (kept.ordinal, kept.hash) != (verdict.ordinal, verdict.hash):
                        raise Differs(f"partition {partition}: local state has another commit {verdict.ordinal}")
    if next(stored, None) is not None:
        raise Differs(f"partition {partition}: local state has commits that the log does not admit")
