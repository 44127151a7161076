"""Examine the control log, the journal and local state: the source of truth, and its cache."""

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
from infra.diagnostics.rebuilt import LocalStateDiverged, Rebuilt, snapshot
from infra.local_state import memory_local_state, open_local_state
from infra.local_state.slots import is_claimed, slot_path, slots_in, state_file
from infra.runtime.clock import clock
from infra.runtime.import_lock import WHAT_TO_DO, is_held
from infra.settings import Settings
from infra.store.control_note import unlike_noted
from infra.store.pinned_policies import Pinned, pinned_in_commits, unpublished
from infra.store.recorded_positions import Marks
from infra.vault.base import ControlNote

RECENT: Final = 2_000
"""Newest commits of each partition that are compared with local state, as at a start."""
_LOST: Final = (
    "stop every engine and restore the journal from a copy that is at least as new. Keep views, vault, notification "
    "store and local state: they record what was acknowledged"
)
_LOST_CONTROL: Final = (
    "stop every engine and bring the control log back from a copy that is at least as new. Delete and rebuild nothing "
    "until then: journal, views and local state know which policies there were"
)
_CHANGED: Final = (
    "stop every engine, and copy everything aside before anything else. Then compare the log with a backup. Delete and "
    "rebuild nothing before you know which one is right"
)
_DAMAGED: Final = "stop every engine, copy the file aside, and restore the journal from a copy"
_ASIDE: Final = "keep the file that was moved aside, and find out what changed it. The log has all its commits"
_DIFFERS: Final = (
    "stop every engine and move {path} aside, with its -wal and -shm: the next engine rebuilds it. Keep the moved "
    "files to find out what changed them"
)

_CUT: Final = (
    "stop every engine, keep local state, set retention.ms and retention.bytes of the topic to -1, and restore the "
    "journal from a copy that begins at offset 0"
)


def check_control_log(
    control: ControlLog, marks: Sequence[Mark], noted: ControlNote | None, pinned: Sequence[Pinned], has_history: bool
) -> Iterator[Finding]:
    """Check the policies, what the log says about the journal, and whether anything was changed or is missing.

    ``noted``: what the vault has noted of it; ``pinned``: orders and their policies; ``has_history``: whether the
    journal has records.
    """
    replaced = unlike_noted(control, noted)
    if replaced is not None:
        yield Finding("control log", "wrong", str(replaced), _do_control(replaced))
        return
    state = control.follower.state
    for mark in marks:
        last = state.commit_at(mark.ordinal - 1) if 0 < mark.ordinal <= state.next_ordinal else None
        wrong: JournalError | None = ahead(mark, 0, state.next_ordinal, control.end())
        if wrong is None and mark.ordinal:
            wrong = unlike(mark, 0, None if last is None else last.hash)
        if wrong is not None:
            yield Finding("control log", "wrong", str(wrong), _do_control(wrong))
            return
    readmission = Readmission(0, 1)
    for _ in readmit(readmission, records_of(control.journal, 0)):
        pass
    if readmission.orphans:
        yield Finding("control log", "wrong", _orphans(0, readmission.orphans), _CHANGED)
        return
    if control.policies.changed:
        names = ", ".join(control.policies.changed)
        message = f"the text of {names} does not match its hash: the text or the hash was changed"
        yield Finding("control log", "wrong", f"{message}. Commands on orders pinned to it wait", _CHANGED)
        return
    if readmission.back_at is not None:
        yield Finding("control log", "wrong", _backwards(0, readmission.back_at), _CHANGED)
        return
    missing = unpublished(control, pinned)
    if missing is not None:
        yield Finding("control log", "wrong", str(missing), _do_control(missing))
        return
    if control.partitions is None and has_history:
        text = "it does not know of the journal, which has records: it was replaced by another one, or lost its own"
        yield Finding("control log", "wrong", text, _LOST_CONTROL)
        return
    if control.partitions is None:
        message = "it does not have the journal's number of partitions yet"
        yield Finding("control log", "note", f"{message}; the next engine writes it")
        return
    unreadable = control.policies.unreadable
    if unreadable:
        message = f"{len(unreadable)} of its policies cannot be read by this release"
        yield Finding(
            "control log",
            "note",
            message,
            "install the release that published them; commands on orders under them wait",
        )
        return
    yield Finding(
        "control log", "ok", f"{counted(len(control.book.documents), 'policy', 'policies')}, each text matches its hash"
    )


def check_marketplaces(control: ControlLog, settings: Settings) -> Iterator[Finding]:
    """Check that the policies named in the settings of marketplaces exist."""
    unreadable = {name for id, version in control.policies.unreadable for name in (id, f"{id}@{version}")}
    for market, table in sorted(settings.marketplaces.items()):
        if table.policy is None or table.policy in unreadable:  # the finding about the control log reports it
            continue
        if control.book.named(table.policy) is None:
            message = f"orders that name no policy are refused: the policy {table.policy} does not exist"
            do = f"publish it with `rescind policy publish`, or name another in [marketplaces.{market}]"
            yield Finding(f"marketplace {market}", "wrong", message, do)


def check_journal(journal: Journal, progress: Progress | None) -> Iterator[Finding]:
    """Read every record, and verify its checksum."""
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
        f"{counted(total, 'record')} in {counted(journal.partitions, 'partition')}, every checksum matches",
    )
    ahead = newest - clock()
    if ahead > MINUTE:
        message = (
            f"this clock is behind: the newest record was appended {counted(ahead // MINUTE, 'minute')} in its future"
        )
        yield Finding("clock", "wrong", message, "correct this machine's clock")


def check_history(
    directory: Path,
    journal: Journal,
    marks: Marks,
    control: ControlLog | None,
    *,
    deep: bool,
    progress: Progress | None,
) -> Iterator[Finding]:
    """Check that the log has everything that was read from it.

    ``deep``: admit every commit again from the log's bytes, and compare local state with the result, table by table.
    """
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
                    for finding in _check_readmitted(rebuilt, journal, marks.get(partition, []), control):
                        wrong = wrong or finding.state == "wrong"
                        yield finding
            except JournalError as damaged:
                wrong, compared = True, range(0)
                yield Finding("history", "wrong", str(damaged), _CUT if isinstance(damaged, LogCut) else _DAMAGED)
    if not wrong:
        yield Finding("history", "ok", "every commit was admitted again from the log's bytes: none was changed")
    for number in compared:
        if number not in differing:
            yield Finding(f"local state {number}", "ok", "rebuilt from the log, it is the same")


def _look_at_marks(directory: Path, journal: Journal, marks: Marks) -> Iterator[Finding]:
    for partition in range(journal.partitions):
        try:
            with closing(_followed(directory, journal, partition)) as state:
                follower = Follower(journal, partition, state)
                follower.start(marks.get(partition, []))
                while follower.expecting:
                    follower.advance()
        except JournalError as wrong:
            yield Finding("history", "wrong", str(wrong), _remedy(wrong))
            return
    message = "the log has everything that views, vault, notification store and local state have read from it"
    yield Finding("history", "ok", f"{message}. Its commits were not admitted again: --deep does this")


def _followed(directory: Path, journal: Journal, partition: int) -> LocalState:
    """Local state of the partition that has reached the log's end: the first slot's, or an empty one in memory."""
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
    """Differences in the local state of each slot, with the slot's number. The slot that is furthest behind comes
    first."""
    paths = [state_file(slot, rebuilt.partition) for slot in slots_in(directory)]
    opened: list[tuple[int, int, Path]] = []
    for number, path in enumerate(paths):
        with suppress(sqlite3.Error), snapshot(path) as theirs:
            (offset,) = theirs.execute("SELECT next_offset FROM progress").fetchone()
            if offset <= journal.end(rebuilt.partition):  # otherwise a mark reports what is missing
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


def _check_readmitted(
    rebuilt: Rebuilt, journal: Journal, marks: Sequence[Mark], control: ControlLog | None
) -> Iterator[Finding]:
    """Findings about a partition after all its commits were admitted again: what contradicts itself, and what
    contradicts the marks of other stores."""
    partition, readmission = rebuilt.partition, rebuilt.readmission
    if readmission.orphans:
        yield Finding("history", "wrong", _orphans(partition, readmission.orphans), _CHANGED)
    if readmission.back_at is not None:
        yield Finding("history", "wrong", _backwards(partition, readmission.back_at), _CHANGED)
    if rebuilt.stopped is None:
        end = journal.end(partition)
        for mark in marks:
            lost = ahead(mark, partition, rebuilt.state.next_ordinal, end)
            changed = unlike(mark, partition, rebuilt.hash_at(mark.ordinal - 1)) if mark.ordinal and not lost else None
            if lost is not None:
                yield Finding("history", "wrong", str(lost), _LOST)
            elif changed is not None:
                yield Finding("history", "wrong", str(changed), _CHANGED)
    wrong = unpublished(control, pinned_in_commits(rebuilt.state.commits())) if control is not None else None
    if wrong is not None:
        yield Finding("history", "wrong", str(wrong), _do_control(wrong))


def _remedy(wrong: JournalError) -> str:
    return _CUT if isinstance(wrong, LogCut) else _LOST if isinstance(wrong, LogLost) else _CHANGED


def newest_pinned(directory: Path) -> Iterator[Pinned]:
    """The orders that the newest commits in the first slot's local state place, and the policy of each."""
    partition = 0
    while (path := state_file(slot_path(directory, 0), partition)).exists():
        with (
            suppress(FileNotFoundError, LocalStateDamaged, LocalStateUnavailable),
            closing(open_local_state(path, partition, 1, read_only=True).state) as state,
        ):
            yield from pinned_in_commits(state.commits(max(0, state.next_ordinal - RECENT)))
        partition += 1


def _do_control(wrong: JournalError) -> str:
    return _LOST_CONTROL if isinstance(wrong, LogLost) else _CHANGED


def _orphans(partition: int, orphans: Sequence[Orphan]) -> str:
    first = orphans[0]
    return (
        f"partition {partition}: commits whose parent is not in the log: {counted(len(orphans), 'commit')}, "
        f"the first at offset {first.offset} on {first.stream} (parent {first.parent.hex()}): earlier commits were "
        "changed, removed or moved, or somebody else wrote these"
    )


def _backwards(partition: int, offset: int) -> str:
    return (
        f"partition {partition}: the record at offset {offset} has an earlier append time than the one before it: "
        "records were moved or inserted, or a time was changed, or the clock was set back"
    )


def check_local_state(directory: Path, journal: Journal) -> Iterator[Finding]:
    """Check every slot. Of the first slot also report what the log says: parked commits and open imports."""
    for number, _ in enumerate(slots_in(directory)):
        yield from _slot(directory, number, journal)
    if not slot_path(directory, 0).is_dir():
        yield Finding("local state", "note", "there is none yet; it is built from the log when needed")


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
            yield Finding(name, "note", f"there is none of partition {partition}; it is built from the log when needed")
            return
        except (LocalStateDamaged, LocalStateUnavailable) as wrong:
            yield Finding(name, "note", f"{wrong}; the next engine rebuilds it from the log")
            return
        except JournalError as wrong:
            yield Finding(name, "wrong", str(wrong), _remedy(wrong))
            return
    message = f"{counted(behind, 'record')} behind the log" if behind else "at the log's end"
    message += ", in use" if is_claimed(directory, number) else ""
    yield Finding(name, "ok", f"{message}; {number} is the slot of a process, not a partition")
    if number == 0:
        yield from _import_findings(imports, parked, is_held(directory))


def _import_findings(imports: Imports, parked: int, held: bool) -> Iterator[Finding]:
    """Findings about open imports and parked commits. ``held``: whether an import runs on this machine. On a cluster it
    may run on another one."""
    for marketplace, sha256 in sorted(imports.inputs()):
        message = f"the input {sha256.hex()[:16]}… is being imported into {marketplace}"
        if held:
            yield Finding(
                "imports", "note", f"{message}: until it ends, live commands are refused there and no deadline fires"
            )
        else:
            message += (
                ", but no process of this machine imports: live commands are refused there, and no deadline fires"
            )
            yield Finding("imports", "wrong", message, WHAT_TO_DO)
    if parked:
        message = (
            f"{counted(parked, 'malformed commit is', 'malformed commits are')} parked, and not part of the history"
        )
        yield Finding("log", "note", message, "find out who else writes to this log")


def _read_imports(state: LocalState, imports: Imports) -> None:
    for admitted in state.commits_of(LIST_STREAM):
        imports.admitted(admitted)
