"""The projector: follows one partition of a log and updates the views. No thread, no clock.

``advance`` is one step: it translates a batch of admitted commits into row changes, and writes them into the views
together with the new position. If a commit cannot be projected, its stream is parked in ``dead_letters`` and all others
continue. This happens if its events are newer than this release, do not fit their history, or give rows that the
database refuses.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from consumers.log.commit_codec import HISTORY, UNREADABLE, positions_of, stamp_of
from consumers.log.handoff_buffer import HandoffBuffer
from consumers.ports.log_values import Admitted, CommitReader, Rejected
from consumers.ports.views import Batch, Log, Position, PositionMoved, ProjectionDeadLetter, RowsRefused, Views
from domain.folding import apply
from domain.order import Order, fresh
from projections.changes import CommitView, EventView
from projections.every import control_changes, journal_changes
from projections.orders import state_rows
from schemas.codec import Undecodable, decode_event, event_data
from schemas.commit import StreamEntry


class Part(NamedTuple):
    """One partition of one log, and the source of its commits."""

    log: Log
    partition: int
    source: CommitReader


class ViewsOfAnotherLog(Exception):
    """The views were built from another history than this log's. They have to be rebuilt."""


class Projector:
    """Projects one partition of one log.

    It may be the follower's listener, so that it need not read the commits again. ``admitted`` may then be called from
    another thread than ``advance``; everything else belongs to one thread.
    """

    def __init__(
        self,
        log: Log,
        partition: int,
        source: CommitReader,
        views: Views,
        *,
        capacity: int = 16_384,
        waiting: int = 8_192,
    ) -> None:
        """``capacity``: cached orders. ``waiting``: buffered commits that are not projected yet; more are read from the
        source."""
        self.log: Log = log
        self.partition = partition
        self._source = source
        self._views = views
        self._capacity = capacity
        self._handoff = HandoffBuffer(waiting)
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self._parked: dict[str, ProjectionDeadLetter] = {}
        self._position: Position | None = None
        self._checked = False

    @property
    def position(self) -> Position:
        """The views' position in this partition, as this projector knows it."""
        if self._position is None:
            self._position = self._views.position(self.log, self.partition)
            self._parked = {letter.stream: letter for letter in self._views.parked(self.log, self.partition)}
            self._orders.clear()
            self._checked = False
        return self._position

    # ---- the follower's listener ----------------------------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        """Buffer a commit that the source has."""
        self._handoff.add(admitted)

    def rejected(self, rejected: Rejected) -> None:
        """Do nothing: rejected commits are in no view."""

    # ---- one step -------------------------------------------------------------------------------------------------

    def advance(self, limit: int = 2_000, *, behind: int | None = None) -> int:
        """Project at most ``limit`` commits (with ordinals below ``behind``). Returns the number of commits projected.

        0: the views have caught up with the source, or are ahead of it because another process has followed further.
        Raises ViewsOfAnotherLog if they cannot have been built from this log; PositionMoved if another projector was
        faster (continue from there); ViewsUnavailable if nothing was written and the same call may succeed later.
        """
        before = self.position
        commits = self._next(before.ordinal, limit, behind) if self.check() else []
        if not commits:
            return 0
        try:
            self._apply(before, commits)
        except (RowsRefused, *UNREADABLE):
            self._one_by_one(commits)
        return len(commits)

    @property
    def behind(self) -> int:
        """Number of commits that the source has and the views do not."""
        return max(0, self._source.next_ordinal - self.position.ordinal)

    @property
    def ahead(self) -> int:
        """Number of commits that the views have and the source does not, because another process has followed further
        or the log has lost them."""
        return max(0, self.position.ordinal - self._source.next_ordinal)

    def check(self) -> bool:
        """Compare the views' last commit with the log's. Raises ViewsOfAnotherLog if it is another commit.

        Returns False while the source is not that far, because another process has followed further.
        """
        before = self.position
        if not self._checked and before.ordinal > 0:
            last = self._source.commit_at(before.ordinal - 1)
            if last is None:
                return False
            if last.hash != before.last:
                raise ViewsOfAnotherLog(
                    f"the views were built from another history of partition {self.partition} of the {self.log} log"
                )
        self._checked = True
        return True

    def _next(self, ordinal: int, limit: int, behind: int | None) -> list[Admitted]:
        """Return the next commits of the source."""
        end = min(self._source.next_ordinal, ordinal + limit)
        return list(self._handoff.commits(ordinal, end if behind is None else min(end, behind), self._source))

    def _apply(self, before: Position, commits: Sequence[Admitted], parked_because: str | None = None) -> None:
        """Apply one batch, all or nothing. ``parked_because``: park the streams of these commits with this error."""
        batch = Batch(self.log, self.partition, before, after(commits[-1]))
        touched: dict[str, Order] = {}
        done = False
        try:
            for admitted in commits:
                for part in admitted.commit.streams:
                    if part.kind != "chain" or not part.events or part.stream in self._parked:
                        continue
                    if parked_because is None:
                        self._translate(batch, touched, admitted, part)
                    else:
                        self._park(batch, admitted, part, parked_because)
            for order in touched.values():
                self._put_state(batch, order)
            batch.after = batch.after._replace(letters=before.letters + len(batch.parked))
            self._views.apply(batch)
            done = True
        except PositionMoved:
            self._position = None
            raise
        finally:
            if not done:
                self._forget(batch)
        self._position = batch.after
        while len(self._orders) > self._capacity:
            self._orders.popitem(last=False)

    def _one_by_one(self, commits: Sequence[Admitted]) -> None:
        """Apply a failed batch commit by commit, and park the streams of each commit that fails."""
        for admitted in commits:
            before = self.position
            try:
                self._apply(before, [admitted])
            except (RowsRefused, *UNREADABLE) as wrong:
                self._apply(before, [admitted], parked_because=_error_text(wrong))

    def _translate(self, batch: Batch, touched: dict[str, Order], admitted: Admitted, part: StreamEntry) -> None:
        """Add the changes that one commit makes to one stream. Park the stream if they cannot be translated."""
        stream = part.stream
        state = None
        translation = CommitTranslation(admitted, part)
        try:
            if self.log == "control":
                batch.changes.take([*control_changes(translation.view(None))])
                return
            if translation.order_id is not None:
                state = self._state_before(admitted, part)
            view = translation.view(state)
            batch.changes.take([*journal_changes(view)])
        except UNREADABLE as wrong:
            touched.pop(stream, None)
            self._park(batch, admitted, part, _error_text(wrong), translation.event)
            return
        if state is not None:
            touched[stream] = state

    def _state_before(self, admitted: Admitted, part: StreamEntry) -> Order:
        """Return the order before this commit. ``CommitTranslation`` applies the commit's events to it."""
        stream = part.stream
        order = self._orders.get(stream)
        if order is not None:
            self._orders.move_to_end(stream)
        else:
            order = self._orders[stream] = fold_order(stream, self._earlier(stream, part, admitted.ordinal))
        return order

    def _earlier(self, stream: str, part: StreamEntry, ordinal: int) -> Iterator[Admitted]:
        """Yield the stream's commits before this one."""
        if not part.first_event:
            return
        for admitted in self._source.commits_of(stream):
            if admitted.ordinal >= ordinal:
                break
            yield admitted

    def _put_state(self, batch: Batch, order: Order, *, unreadable: bool = False) -> None:
        owner = (order.marketplace, order.order_id)
        for table, rows in state_rows(order, self.partition, unreadable=unreadable):
            batch.changes.put(table, rows, owner)

    def _forget(self, batch: Batch) -> None:
        """Drop the cached orders and the dead letters of a batch that was not written."""
        self._orders.clear()
        for letter in batch.parked:
            self._parked.pop(letter.stream, None)

    # ---- dead letters ---------------------------------------------------------------------------------------------

    def _park(self, batch: Batch, admitted: Admitted, part: StreamEntry, error: str, event: str | None = None) -> None:
        """Park a stream from this commit on. Its rows stay as they were, and its order's row says so."""
        stream = part.stream
        self._orders.pop(stream, None)
        positions = positions_of(admitted, part)
        letter = ProjectionDeadLetter(stream, admitted.ordinal, positions[0], event, error)
        self._parked[stream] = letter
        batch.parked.append(letter)
        if self.log == "journal" and _order_of(stream) is not None:
            try:
                order = fold_order(stream, self._earlier(stream, part, admitted.ordinal))
                self._put_state(batch, order, unreadable=True)
            except UNREADABLE:
                pass  # the order had no row before this commit either, so the dead letter is the only sign

    def retry(self, stream: str) -> str | None:
        """Project a parked stream again, from where it stopped to where the views are.

        Returns the error if it fails again, or None if the stream is free. Raises LookupError if it is not parked.
        """
        before = self.position
        letter = self._parked[stream]
        batch = Batch(self.log, self.partition, before, before._replace(letters=before.letters + 1), freed=[stream])
        touched: dict[str, Order] = {}
        del self._parked[stream]
        self._orders.pop(stream, None)
        done = False
        try:
            for admitted in self._source.commits_of(stream):
                part = next(part for part in admitted.commit.streams if part.stream == stream)
                if letter.ordinal <= admitted.ordinal < before.ordinal and part.events:
                    self._translate(batch, touched, admitted, part)
                    if batch.parked:
                        return batch.parked[0].error
            if stream in touched:
                self._put_state(batch, touched[stream])
            self._views.apply(batch)
            done = True
            self._position = batch.after
        except PositionMoved:
            self._position = None
            raise
        except (RowsRefused, *UNREADABLE) as wrong:
            return _error_text(wrong)
        finally:
            if not done:
                self._orders.pop(stream, None)
                self._parked[stream] = letter
        return None


class CommitTranslation:
    """Translates a commit's entry for one stream into the CommitView that projections take."""

    __slots__ = ("admitted", "event", "order_id", "part")

    def __init__(self, admitted: Admitted, part: StreamEntry) -> None:
        self.admitted = admitted
        self.part = part
        self.order_id = _order_of(part.stream)
        self.event: str | None = None
        """The stored name of the event that is being translated, for the error if it fails."""

    def view(self, order: Order | None) -> CommitView:
        """Decode the events and apply them to ``order``, in place. Raises any of UNREADABLE."""
        admitted, part = self.admitted, self.part
        commit = admitted.commit
        stamp = stamp_of(commit)
        events = []
        for entry, position in zip(part.events, positions_of(admitted, part), strict=True):
            self.event = entry.name
            event = decode_event(entry.name, entry.schema_version, entry.body)
            if order is not None:
                apply(order, event, entry.occurred_at, stamp)
            events.append(EventView(entry.name, event, _JSON(event_data(event)), entry.occurred_at, position))
        stream = part.stream
        return CommitView(
            admitted.partition,
            admitted.ordinal,
            part.first_event + 1,
            admitted.hash,
            stamp.recorded_at,
            stamp.actor_kind,
            stamp.actor_id,
            None if stream.startswith("$") or "/" not in stream else stream.partition("/")[0],
            self.order_id,
            order,
            events,
            commit.writer == HISTORY,
        )


def fold_order(stream: str, commits: Iterable[Admitted]) -> Order:
    """Return an order after these commits of it."""
    order = fresh(*stream.split("/", 1))
    for admitted in commits:
        stamp = stamp_of(admitted.commit)
        for part in admitted.commit.streams:
            if part.stream == stream:
                for entry in part.events:
                    event = decode_event(entry.name, entry.schema_version, entry.body)
                    apply(order, event, entry.occurred_at, stamp)
    return order


def after(admitted: Admitted) -> Position:
    """Return the position of views that have this commit and all before it, with no stream parked."""
    commit = admitted.commit
    events = sum(len(part.events) for part in commit.streams if part.kind == "chain")
    return Position(admitted.ordinal + 1, admitted.position + events, admitted.hash, 0)


def _order_of(stream: str) -> str | None:
    """Return the order_id of ``marketplace/order_id``; None for every other stream."""
    marketplace, slash, order_id = stream.partition("/")
    return order_id if slash and marketplace[:1] != "$" and "/" not in order_id else None


def _error_text(wrong: Exception) -> str:
    """Return an error's text for a dead letter, cut and without zero characters because bytes of others are in it."""
    text = str(wrong) if isinstance(wrong, (Undecodable, RowsRefused)) else f"{type(wrong).__name__}: {wrong}"
    return text[:1_000].replace("\0", "\\0")


_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
