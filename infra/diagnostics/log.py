"""The control log, the journal and local state: the truth, and the cache of it."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from consumers.engine.control_log import ControlLog
from consumers.engine.imports import LIST_STREAM, Imports
from consumers.log.divergence import Mark, ahead, unlike
from consumers.log.follower import Follower
from consumers.log.readmission import Orphan, Readmission, readmit, records_of
from consumers.ports.journal import Journal, JournalError, LogChanged, LogCut, LogLost, front_cut
from consumers.ports.local_state import LocalState, LocalStateDamaged, LocalStateUnavailable
from domain.instants import MINUTE
from domain.wording import counted
from infra.diagnostics.findings import Finding, Progress
from infra.diagnostics.rebuilt import LocalStateDiverged, Rebuilt, pinned_otherwise, snapshot
from infra.local_state import memory_local_state, open_local_state
from infra.local_state.slots import is_claimed, slot_path, slots_in, state_file
from infra.runtime.clock import clock
from infra.runtime.import_lock import WHAT_TO_DO, is_held
from infra.settings import Settings
from infra.store.recorded_positions import Marks

RECENT: Final = 2_000
"""Newest commits of each partition that are compared with local state, as at a start."""
_LOST: Final = (
    "stop every engine and bring the journal back from a copy that is at least as new. Keep views, vault, notification "
    "store and local state: they know what was acknowledged"
)
_CHANGED: Final = (
    "stop every engine, and copy everything aside before anything else. Then compare the log with a backup. Delete and "
    "rebuild nothing before you know which one is right"
)
_DAMAGED: Final = "stop every engine, copy the file aside, and bring the journal back from a copy"
_ASIDE: Final = "keep what was moved aside, and find out what changed it: the log has everything that it has"
_DIFFERS: Final = (
    "stop every engine and move {path} aside, with its -wal and -shm: the next engine rebuilds it. Keep it to find out "
    "what changed it"
)

_CUT: Final = (
    "stop every engine, keep local state, set retention.ms and retention.bytes of the topic to -1, and restore the "
    "journal from a copy that begins at offset 0"
)


def look_at_control(control: ControlLog) -> Iterator[Finding]:
    """The policies, what the log says of the journal, and whether anything in it was changed."""
    readmission = Readmission(0, 1)
    for _ in readmit(readmission, records_of(control.journal, 0)):
        pass
    if readmission.orphans:
        yield Finding("control log", "wrong", _orphans(0, readmission.orphans), _CHANGED)
        return
    if control.policies.changed:
        said = f"the text of {', '.join(control.policies.changed)} does not fit its hash: one of them was changed"
        yield Finding("control log", "wrong", f"{said}. Orders pinned to it wait", _CHANGED)
        return
    if readmission.back_at is not None:
        yield Finding("control log", "wrong", _back(0, readmission.back_at), _CHANGED)
        return
    if control.partitions is None:
        said = "it does not say yet how many partitions the journal has"
        yield Finding("control log", "note", f"{said}; the next engine does")
        return
    unreadable = control.policies.unreadable
    if unreadable:
        said = f"{len(unreadable)} of its policies cannot be read by this release"
        yield Finding("control log", "note", said, "install the release that published them; orders under them wait")
        return
    yield Finding(
        "control log", "ok", f"{counted(len(control.book.documents), 'policy', 'policies')}, each text fits its hash"
    )


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
        try:
            for record in records_of(journal, partition, end):
                newest = max(newest, record.appended_at)
                done += 1
                if progress is not None:
                    progress(done, total)
        except JournalError as wrong:
            yield Finding("journal", "wrong", str(wrong), _DAMAGED)
            return
    yield Finding(
        "journal",
        "ok",
        f"{counted(total, 'record')} in {counted(journal.partitions, 'partition')}, every checksum fits",
    )
    ahead = newest - clock()
    if ahead > MINUTE:
        said = f"the newest record was appended {counted(ahead // MINUTE, 'minute')} in this clock's future"
        yield Finding("clock", "wrong", said, "set this machine's clock right")


def look_at_history(
    directory: Path,
    journal: Journal,
    marks: Marks,
    control: ControlLog | None,
    *,
    deep: bool,
    progress: Progress | None,
) -> Iterator[Finding]:
    """Whether the log has everything that was read from it. ``deep``: every commit is judged again from the log's
    bytes, and local state compared with that, table by table."""
    if not deep:
        yield from _look_at_marks(directory, journal, marks)
        return
    wrong = False
    compared = range(len(list(slots_in(directory))))
    differing: set[int] = set()
    with TemporaryDirectory(prefix="rescind-doctor-") as place:
        for partition in range(journal.partitions):
            path = Path(place) / f"{partition}.sqlite"
            try:
                with closing(Rebuilt(journal, partition, path, progress)) as rebuilt:
                    for number, found in _local_states(rebuilt, directory, journal, marks.get(partition, [])):
                        differing.add(number)
                        yield found
                    rebuilt.advance()
                    for finding in _judged(rebuilt, journal, marks.get(partition, []), control):
                        wrong = wrong or finding.state == "wrong"
                        yield finding
            except JournalError as damaged:
                wrong, compared = True, range(0)
                yield Finding("history", "wrong", str(damaged), _CUT if isinstance(damaged, LogCut) else _DAMAGED)
    if not wrong:
        yield Finding("history", "ok", "every commit was judged again from the log's bytes: none was changed since")
    for number in compared:
        if number not in differing:
            yield Finding(f"local state {number}", "ok", "judged again from the log, it comes out the same")


def _look_at_marks(directory: Path, journal: Journal, marks: Marks) -> Iterator[Finding]:
    for partition in range(journal.partitions):
        try:
            with closing(_followed(directory, journal, partition)) as state:
                follower = Follower(journal, partition, state)
                follower.start(marks.get(partition, []))
                while follower.expecting:
                    follower.advance()
        except JournalError as wrong:
            yield Finding("history", "wrong", str(wrong), _do(wrong))
            return
    said = "the log has everything that views, vault, notification store and local state have read of it"
    yield Finding("history", "ok", f"{said}. Its commits were not judged: --deep does")


def _followed(directory: Path, journal: Journal, partition: int) -> LocalState:
    """Local state of the partition that is at the log's end: the first slot's, or an empty one in memory."""
    with suppress(FileNotFoundError, LocalStateDamaged, LocalStateUnavailable):
        path = state_file(slot_path(directory, 0), partition)
        state = open_local_state(path, partition, journal.partitions, read_only=True).state
        if state.next_offset == journal.end(partition) and state.identity == journal.identity:
            return state
        state.close()
    return memory_local_state(partition, journal.partitions)


def _local_states(
    rebuilt: Rebuilt, directory: Path, journal: Journal, marks: Sequence[Mark]
) -> Iterator[tuple[int, Finding]]:
    """What differs in the local state of each slot, by the slot's number. The slot that is furthest behind is first."""
    paths = [state_file(slot, rebuilt.partition) for slot in slots_in(directory)]
    opened: list[tuple[int, int, Path]] = []
    for number, path in enumerate(paths):
        with suppress(sqlite3.Error), snapshot(path) as theirs:
            (offset,) = theirs.execute("SELECT next_offset FROM progress").fetchone()
            if offset <= journal.end(rebuilt.partition):  # else a mark says what is missing
                opened.append((offset, number, path))
    for _, number, path in sorted(opened):
        try:
            with snapshot(path) as theirs:
                rebuilt.advance(theirs.execute("SELECT next_offset FROM progress").fetchone()[0])
                partitions = rebuilt.state.partitions
                with closing(open_local_state(path, rebuilt.partition, partitions, read_only=True).state) as state:
                    rebuilt.compare_commits(state, marks)
                rebuilt.compare_tables(theirs)
        except (LocalStateDamaged, LocalStateUnavailable, sqlite3.Error) as wrong:
            yield number, Finding(f"local state {number}", "wrong", str(wrong), _ASIDE)
        except LocalStateDiverged as wrong:
            yield number, Finding(f"local state {number}", "wrong", str(wrong), _DIFFERS.format(path=path))
        except (LogChanged, LogLost) as wrong:
            yield number, Finding(f"local state {number}", "wrong", str(wrong), _CHANGED)


def _judged(rebuilt: Rebuilt, journal: Journal, marks: Sequence[Mark], control: ControlLog | None) -> Iterator[Finding]:
    """What a partition says of itself, judged again to its end, and what others have of it."""
    partition, readmission = rebuilt.partition, rebuilt.readmission
    if readmission.orphans:
        yield Finding("history", "wrong", _orphans(partition, readmission.orphans), _CHANGED)
    if readmission.back_at is not None:
        yield Finding("history", "wrong", _back(partition, readmission.back_at), _CHANGED)
    if rebuilt.stopped is None:
        end = journal.end(partition)
        for mark in marks:
            lost = ahead(mark, partition, rebuilt.state.next_ordinal, end)
            changed = unlike(mark, partition, rebuilt.hash_at(mark.ordinal - 1)) if mark.ordinal and not lost else None
            if lost is not None:
                yield Finding("history", "wrong", str(lost), _LOST)
            elif changed is not None:
                yield Finding("history", "wrong", str(changed), _CHANGED)
    pinned = list(pinned_otherwise(rebuilt.state.commits(), control)) if control is not None else []
    if pinned:
        stream, policy = pinned[0]
        said = (
            f"pinned to another text of their policy than the published one: {counted(len(pinned), 'order')}, first "
            f"{stream} ({policy.id}@{policy.version}): the policy or the order was changed"
        )
        yield Finding("history", "wrong", said, _CHANGED)


def _do(wrong: JournalError) -> str:
    return _CUT if isinstance(wrong, LogCut) else _LOST if isinstance(wrong, LogLost) else _CHANGED


def _orphans(partition: int, orphans: Sequence[Orphan]) -> str:
    first = orphans[0]
    return (
        f"partition {partition}: written behind commits that the log does not have: {counted(len(orphans), 'commit')}, "
        f"the first at offset {first.offset} on {first.stream} (behind {first.parent.hex()}): what was before them was "
        "changed, removed or moved, or somebody else wrote them"
    )


def _back(partition: int, offset: int) -> str:
    return (
        f"partition {partition}: the record at offset {offset} was appended earlier than the one before it, by the "
        "log's own times: records were moved or inserted, or a time was changed, or the clock was set back"
    )


def look_at_local_state(directory: Path, journal: Journal) -> Iterator[Finding]:
    """Every slot; of the first one also what the log says: parked commits and open imports."""
    for number, _ in enumerate(slots_in(directory)):
        yield from _slot(directory, number, journal)
    if not slot_path(directory, 0).is_dir():
        yield Finding("local state", "note", "there is none yet; it is made from the log when it is needed")


def _slot(directory: Path, number: int, journal: Journal) -> Iterator[Finding]:
    name = f"local state {number}"
    behind = parked = 0
    imports = Imports()
    for partition in range(journal.partitions):
        path = state_file(slot_path(directory, number), partition)
        try:
            with closing(open_local_state(path, partition, journal.partitions, read_only=True).state) as state:
                follower = Follower(journal, partition, state)
                try:
                    follower.start(recent=RECENT)
                except LocalStateDamaged as wrong:
                    yield Finding(name, "wrong", str(wrong), _ASIDE)
                    return
                behind += max(0, journal.end(partition) - follower.next_offset)
                parked += len(state.parked())
                if number == 0:
                    _read_imports(state, imports)
        except FileNotFoundError:
            yield Finding(name, "note", f"there is none of partition {partition}; it is made from the log when needed")
            return
        except (LocalStateDamaged, LocalStateUnavailable) as wrong:
            yield Finding(name, "note", f"{wrong}; the next engine rebuilds it from the log")
            return
        except JournalError as wrong:
            yield Finding(name, "wrong", str(wrong), _do(wrong))
            return
    said = f"{counted(behind, 'record')} behind the log" if behind else "at the log's end"
    said += ", in use" if is_claimed(directory, number) else ""
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
