"""Reads both logs for a replay, from their first record on, and admits every commit again.

Local state is not trusted. The commits are admitted into a temporary local state, and the local state of every slot is
compared with it. Views are rebuilt only from a log that was found unchanged.
"""

import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from consumers.log.follower import FormatTooNew
from consumers.log.readmission import Orphan, Readmission, records_of
from consumers.ports.journal import Journal, JournalDamaged, LogChanged, LogLost, front_cut
from consumers.ports.local_state import LocalState, LocalStateDamaged, LocalStateUnavailable
from consumers.ports.log_values import Admitted, Rejected, Stop
from consumers.ports.vault import VaultUnavailable
from consumers.ports.views import Log, ViewsError
from consumers.projection.projector import Part
from domain.instants import MINUTE, format_instant
from domain.wording import counted
from infra.local_state import memory_local_state, open_local_state
from infra.local_state.slots import slot_path, state_file
from infra.runtime.clock import clock
from infra.settings import Settings, ViewsAt
from infra.store.control_note import control_noted, unlike_noted
from infra.store.logs import Store
from infra.store.opening import follow_control
from infra.store.pinned_policies import Pinned, pinned_in_commits, unpublished
from infra.store.reader import NoJournal, existing_store
from infra.vault.opening import open_vault, vault_exists
from infra.views.base import DatabaseViews
from infra.views.opening import existing_views, open_views
from infra.views.replay import (
    Positions,
    Progress,
    ReplayReport,
    control_log_differs,
    of_another_log,
    positions_in,
    replay,
)
from infra.views.replay import compare as compare_views
from schemas.commit import commit_hash
from schemas.wire import Malformed

KEEP: Final = (
    "Stop every engine and keep everything: journal, control log, local state and views. Restore the log from a copy, "
    "and do not rebuild views from this one. Delete nothing"
)
"""What to do if the journal or the control log was changed."""
GROUPED: Final = 4_000
"""Commits that the temporary local state writes in one transaction."""
FLUSHED: Final = 200
"""Records after which the temporary local state takes in the admitted commits."""
_MOVE_ASIDE: Final = "Stop the engine that uses it and move its directory aside: it is rebuilt from the log"
MOST_ORPHANS: Final = 3
"""The most orphans that are named one by one."""


def run_replay(settings: Settings, *, check: bool, progress: Progress | None = None) -> ReplayReport:
    """Rebuild the settings' views from their journal, or compare them with it, which changes nothing.

    ``check`` reports what is wrong with the journal. Without it a journal that was changed or lost records is an error,
    and the views stay as they are: JournalDamaged, LogLost, LogChanged. JournalError and ViewsError if something cannot
    be read. A comparison also raises ViewsDamaged and ViewsOfAnotherRelease, if the views differ.
    """
    at = settings.views_at
    if not at.persistent:
        raise NoJournal("memory: views end with their process. Name persistent views with --views sqlite:///FILE")
    store = existing_store(settings)
    return _check(settings, store, progress) if check else _rebuild(settings, store, progress)


def _check(settings: Settings, store: Store, progress: Progress | None) -> ReplayReport:
    with ExitStack() as stack:
        views = _there(settings.views_at, stack)
        live = stack.enter_context(views.snapshot())  # taken before the log is read, so that the log is at least as far
        judged = stack.enter_context(read_logs(settings, store, progress))
        judged.compare_control(positions_in(live))
        if judged.wrong:
            return judged.completed(ReplayReport())
        report = judged.completed(compare_views(views, live, judged.parts, progress))
        report.confirmed = judged.confirms(positions_in(live))
        if report.another_log is not None and not report.confirmed:
            report.wrong = [f"{report.another_log}, and no local state confirms what the journal has"]
        return report


def _rebuild(settings: Settings, store: Store, progress: Progress | None) -> ReplayReport:
    at = settings.views_at
    before = _positions(at)
    with read_logs(settings, store, progress) as judged:
        judged.compare_control(before)
        if judged.wrong:
            raise LogChanged(f"{'; '.join(judged.wrong)}. {KEEP}. The views were left as they are")
        another = of_another_log(before, judged.parts)
        if another is not None and not judged.confirms(before):
            raise LogChanged(
                f"{another}, and no local state confirms what the journal has. {KEEP}, unless it is meant: then name "
                "new views with --views. The views were left as they are"
            )
        for note in (*judged.notes, *judged.local_state):
            sys.stderr.write(f"rescind: {note}\n")
        opened = open_views(at)
        with closing(opened.views):
            if opened.rebuilt is not None:
                sys.stderr.write(f"rescind: rebuilding the views from the log: {opened.rebuilt}\n")
            return judged.completed(replay(opened.views, judged.parts, progress))


def _there(at: ViewsAt, stack: ExitStack) -> DatabaseViews:
    """Open the views; if there are none, empty ones that end with ``stack``."""
    views = existing_views(at)
    if views is None:
        nowhere = stack.enter_context(TemporaryDirectory(prefix="rescind-"))
        views = open_views(ViewsAt(Path(nowhere) / "views.sqlite")).views
    return stack.enter_context(closing(views))


def _positions(at: ViewsAt) -> Positions:
    """Return how far the views are; nothing if there are none, or they cannot be read."""
    try:
        views = existing_views(at)
        if views is None:
            return {}
        with closing(views), views.snapshot() as live:
            return positions_in(live)
    except ViewsError:
        return {}


# ---- the logs, admitted again
# ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Judged:
    """The result of reading both logs again."""

    shared: bool = False
    """Whether others than engines can append to the journal. Then a commit without a parent does not prove a change, if
    local state has every commit before it."""
    parts: list[Part] = field(default_factory=list)
    records: int = 0
    partitions: int = 0
    admitted: int = 0
    wrong: list[str] = field(default_factory=list)
    """Why the journal counts as changed: nothing may be rebuilt from it."""
    notes: list[str] = field(default_factory=list)
    """Append times that go back, and records of others in a shared log."""
    local_state: list[str] = field(default_factory=list)
    """Differences of local state from a log that is right."""
    pinned: dict[tuple[str, int, bytes], Pinned] = field(default_factory=dict)
    """The policies that orders are pinned to, each with the first of these orders, by id, version and hash."""
    confirmed: dict[int, int] = field(default_factory=dict)
    """By partition the number of commits that some slot's local state has like the log."""

    def confirms(self, positions: Positions) -> bool:
        """Whether local state agrees with the log up to these positions of the views."""
        ends = {part.partition: part.source.next_ordinal for part in self.parts if part.log == "journal"}
        return all(
            0 < min(ordinal, ends[partition]) <= self.confirmed.get(partition, 0)
            for (log, partition), (ordinal, _) in positions.items()
            if log == "journal" and ordinal and partition in ends
        )

    def compare_control(self, positions: Positions) -> None:
        """Compare the control log with what views at these positions have of it."""
        if not self.wrong and (differs := control_log_differs(positions, self.parts)) is not None:
            self.wrong.append(differs)

    def completed(self, report: ReplayReport) -> ReplayReport:
        """Return the report, completed by the result of reading."""
        return replace(
            report,
            records=self.records,
            partitions=self.partitions,
            admitted=self.admitted,
            wrong=list(self.wrong),
            notes=list(self.notes),
            local_state=list(self.local_state),
        )


@contextmanager
def read_logs(settings: Settings, store: Store, progress: Progress | None) -> Iterator[Judged]:
    """Read and admit every record of the control log and of the journal, and compare local state with it.

    FormatTooNew; JournalError if a log cannot be read now.
    """
    judged = Judged(shared=settings.journal_at.kafka is not None)
    with ExitStack() as stack:
        nowhere = Path(stack.enter_context(TemporaryDirectory(prefix="rescind-replay-")))
        control = stack.enter_context(closing(store.control(create=False)))
        journal = stack.enter_context(closing(store.journal(settings.journal_at.partitions)))
        judged.partitions = journal.partitions
        total = control.end(0) + sum(journal.end(partition) for partition in range(journal.partitions))

        def tick() -> None:
            judged.records += 1
            if progress is not None and judged.records % FLUSHED == 0:
                progress(judged.records, max(total, judged.records))

        state = memory_local_state(0, 1)
        _admit("control", control, 0, state, [], judged, tick)
        for partition in range(journal.partitions):
            path = nowhere / f"{partition}.sqlite"
            state = open_local_state(path, partition, journal.partitions, grouped=GROUPED).state
            stack.callback(state.close)
            slots = [stack.enter_context(closing(slot)) for slot in _slots(store.directory, journal, partition, judged)]
            _admit("journal", journal, partition, state, slots, judged, tick)
        if not judged.wrong:
            judged.wrong += _control_lacks(settings, control, journal, judged)
        yield judged


def _control_lacks(settings: Settings, log: Journal, journal: Journal, judged: Judged) -> list[str]:
    """Return what this journal needs from the control log and the control log lacks. It has been read to its end."""
    control = follow_control(log, "replay")
    if control.partitions is None and any(journal.end(partition) for partition in range(journal.partitions)):
        return ["the control log does not know of the journal, which has records: it lost what it had, or is another's"]
    with ExitStack() as stack:
        noted = None
        with suppress(VaultUnavailable):
            if vault_exists(settings):
                noted = control_noted(stack.enter_context(closing(open_vault(settings))), journal.identity)
    replaced = unlike_noted(control, noted)
    if replaced is not None:
        return [str(replaced)]
    missing = unpublished(control, judged.pinned.values())
    return [] if missing is None else [str(missing)]


def _admit(
    log: Log,
    journal: Journal,
    partition: int,
    state: LocalState,
    slots: "Sequence[SlotState]",
    judged: Judged,
    tick: Callable[[], None],
) -> None:
    """Admit a partition into ``state``, from its first record on."""
    name = f"partition {partition}" if log == "journal" else "the control log"
    state.bind(journal.identity)
    readmission = Readmission(partition, journal.partitions, state)
    try:
        if begin := journal.begin(partition):
            raise front_cut(partition, begin)
        for number, record in enumerate(records_of(journal, partition), 1):
            for verdict in readmission.take(record):
                if isinstance(verdict, Stop):
                    raise FormatTooNew(verdict)
                if isinstance(verdict, Rejected):
                    state.reject(verdict)
                    continue
                judged.admitted += 1
                for stream, policy in pinned_in_commits((verdict,)) if log == "journal" else ():
                    judged.pinned.setdefault((policy.id, policy.version, policy.sha256), (stream, policy))
                for slot in slots:
                    slot.compare(verdict)
            if number % FLUSHED == 0:
                state.flush(record.offset + 1)
            tick()
    except (JournalDamaged, LogChanged, LogLost) as wrong:
        judged.wrong.append(f"{name}: {str(wrong).removeprefix(f'{name}: ')}")
        state.rollback()
        return
    state.flush(journal.end(partition))
    state.write()
    judged.parts.append(Part(log, partition, state))
    if readmission.back_at is not None:
        judged.notes.append(
            f"{name}, offset {readmission.back_at}: it was appended before the record in front of it, by the log's own "
            "times: a clock was set back, or records were moved"
        )
    if readmission.newest is not None and readmission.newest > clock() + MINUTE:
        judged.notes.append(
            f"{name}: a record was appended at {format_instant(readmission.newest)}, in this clock's future: this "
            "machine's clock is wrong, or the time was changed"
        )
    for slot in slots:
        slot.conclude(readmission.orphans, judged)
    confirmed = max((slot.confirmed for slot in slots), default=0) if judged.shared else 0
    foreign = [orphan for orphan in readmission.orphans if orphan.offset < confirmed]
    judged.notes += _name_some(foreign, name)
    judged.wrong += _name_some([orphan for orphan in readmission.orphans if orphan.offset >= confirmed], name)


def _name_some(orphans: Sequence[Orphan], name: str) -> list[str]:
    """Return a sentence for each of the first orphans, and one for the rest."""
    named = [_describe(orphan, name) for orphan in orphans[:MOST_ORPHANS]]
    more = len(orphans) - MOST_ORPHANS
    return [*named, f"{name}: the same of {counted(more, 'more commit')}"] if more > 0 else named


def _describe(orphan: Orphan, name: str) -> str:
    return (
        f"{name}, offset {orphan.offset}: commit {orphan.index} there, on {orphan.stream}, follows the commit "
        f"{orphan.parent.hex()}, which the log does not have: a record before it was changed, removed or moved, "
        "or somebody wrote it who had not read the log"
    )


# ---- local state, compared with the log ---------------------------------------------------------------------------


def _slots(directory: Path, journal: Journal, partition: int, judged: Judged) -> "Iterator[SlotState]":
    """Open the local state of the partition in every slot. This comes before the log's end is read, so that the log is
    at least as far."""
    number = 0
    while (slot := slot_path(directory, number)).is_dir():
        try:
            path = state_file(slot, partition)
            state = open_local_state(path, partition, journal.partitions, read_only=True).state
        except (FileNotFoundError, LocalStateDamaged, LocalStateUnavailable, sqlite3.Error):
            pass  # it is rebuilt from the log when it is used
        else:
            if state.identity in (None, journal.identity):
                yield SlotState(state, partition, number)
            else:
                judged.wrong.append(
                    f"partition {partition}: local state {number} is of journal {state.identity}, this one is "
                    f"{journal.identity}: another journal was put in its place"
                )
                state.close()
        number += 1


class SlotState:
    """A slot's local state of one partition, compared commit by commit with what the log admits."""

    def __init__(self, state: LocalState, partition: int, number: int) -> None:
        self._state = state
        self._name = f"local state {number}"
        self._partition = partition
        self._stored = state.commits(0, state.next_ordinal)
        self._same = 0
        self._other: tuple[Admitted, Admitted | None] | None = None
        """The first commit that differs, as local state has it and as the log has it."""
        self._damaged = False
        self._end = state.next_offset

    @property
    def confirmed(self) -> int:
        """The offset before which local state agrees with the log; 0 if they differ."""
        return 0 if self._other is not None or self._damaged else self._end

    def compare(self, admitted: Admitted) -> None:
        """Compare the next commit that the log admits."""
        if self._other is not None or self._damaged:
            return
        stored = self._next()
        if stored is None:
            self._stored = iter(())
        elif _place_and_bytes(stored) == _place_and_bytes(admitted):
            self._same += 1
        else:
            self._other = stored, admitted

    def conclude(self, orphans: Sequence[Orphan], judged: Judged) -> None:
        """Report what differs, and which of the two the chain of parents supports."""
        if self._other is None and not self._damaged and (left := self._next()) is not None:
            self._other = left, None
        if self._damaged:
            judged.local_state.append(
                f"partition {self._partition}: {self._name} cannot be read at its commit {self._same:,}. The log is "
                f"right. {_MOVE_ASIDE}"
            )
        if self._other is None:
            judged.confirmed[self._partition] = max(self._same, judged.confirmed.get(self._partition, 0))
            return
        stored, admitted = self._other
        there = "has no such commit"
        if admitted is not None:
            where = f"at offset {admitted.offset}, appended at {format_instant(admitted.appended_at)}"
            there = f"has it {where}" if admitted.hash == stored.hash else f"has {admitted.hash.hex()} instead"
        difference = (
            f"partition {self._partition}, offset {stored.offset}: {self._name} has the commit {stored.hash.hex()} of "
            f"{stored.commit.streams[0].stream} there, appended at {format_instant(stored.appended_at)}, and the log "
            f"{there}"
        )
        hashes, fits = self._rest(stored)
        if not fits:
            judged.local_state.append(
                f"{difference}. The log is right: {self._name} does not fit its own hashes. {_MOVE_ASIDE}"
            )
        elif any(orphan.parent in hashes for orphan in orphans):
            judged.wrong.append(f"{difference}. Local state is right: later commits of the log follow what it has")
        elif admitted is None or (admitted.hash in hashes and admitted.hash != stored.hash):
            judged.wrong.append(f"{difference}. The log lost or changed it: local state has what was acknowledged")
        else:
            judged.wrong.append(f"{difference}. The log's own chain does not say which of the two was changed")

    def close(self) -> None:
        self._state.close()

    def _next(self) -> Admitted | None:
        try:
            return next(self._stored, None)
        except (LocalStateDamaged, Malformed):
            self._damaged = True
            return None

    def _rest(self, first: Admitted) -> tuple[set[bytes], bool]:
        """Return the hashes of local state's commits from the first that differs, and whether that one fits its own
        hash and the commits after it."""
        hashes = {first.hash}
        fits = commit_hash(first.data) == first.hash
        follows = {part.stream for part in first.commit.streams if part.kind == "chain"}
        while (stored := self._next()) is not None:
            hashes.add(stored.hash)
            for part in stored.commit.streams:
                if part.kind == "chain" and part.stream in follows:
                    follows.remove(part.stream)
                    fits = fits and part.parent == first.hash
        return hashes, fits


def _place_and_bytes(admitted: Admitted) -> tuple[int, int, int, bytes, bytes]:
    return admitted.offset, admitted.index, admitted.appended_at, admitted.hash, admitted.data
