"""The publisher of one partition: writes public records and its progress in one transaction.

So no record is omitted and none is published twice. It has no thread, no clock and no Kafka client; the
``PublicLog`` port hides those.

``step`` publishes a batch of whole journal records. Before the first batch, and after every error, the publisher takes
over: it fences the other publisher of this partition, whose open transaction is aborted, and then reads the progress. A
fenced publisher waits. It takes over again when there is something to publish and no other publisher advances.

Each topic has its own offset in the progress (``KindAt.offset``). A topic that cannot be written is left out of the
transactions: its offset stays, and the other topics continue. Once it can be written again, it catches up in
transactions of its own (docs/adr/0017).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple, Protocol

from consumers.log.admission import in_sequence
from consumers.log.dead_letters import DeadLetter, malformed_id
from consumers.log.handoff_buffer import HandoffBuffer
from consumers.ports.journal import Journal, JournalError
from consumers.ports.local_state import LocalStateDamaged, LocalStateUnavailable, Parked
from consumers.ports.log_values import Admitted, CommitReader, Rejected
from consumers.ports.public_log import (
    Fenced,
    KindAt,
    OffsetRange,
    ParkedAt,
    Progress,
    PublicLog,
    PublicLogUnavailable,
    PublicRecord,
    PublishingStopped,
    TopicFailed,
    TopicSick,
    read_progress,
)
from consumers.publishing.public_records import Publisher, Unpublishable
from domain.instants import SECOND, Instant
from schemas.public.ids import RegistryUnavailable, SchemaIds
from schemas.public.topics import DEAD_LETTERS, EVENTS, INSTRUCTIONS, PUBLISHED, WRITTEN, topic_name
from schemas.record import decode_record
from schemas.wire import Malformed


class PublisherSource(CommitReader, Protocol):
    """Reads one partition's admitted commits and malformed records. A ``LocalState`` is one."""

    @property
    def next_offset(self) -> int: ...

    def parked(self, limit: int = 1000, first: int = 0) -> list[Parked]: ...


@dataclass(frozen=True, slots=True)
class PublisherLimits:
    """Bounds and intervals of a publisher, which are in microseconds.

    ``records`` and ``size`` (bytes): of one transaction, approximately. ``retry``: the pause after an error. ``look``:
    between two checks while standing by. ``take_over``: how long the other publisher may make no progress. ``lazily``:
    between two transactions that contain only progress. ``letters``: between two reads of the views' dead letters.
    ``heal``: the pause before a topic that could not be written is tried again, doubled after each failure up to
    sixteen times.
    """

    records: int = 4_000
    size: int = 4_000_000
    retry: Instant = SECOND // 2
    look: Instant = 2 * SECOND
    take_over: Instant = 10 * SECOND
    lazily: Instant = SECOND
    letters: Instant = SECOND
    heal: Instant = 5 * SECOND


KeyOf = Callable[[int, int], bytes]
"""Returns the key of the journal record in a partition at an offset."""
State = Literal["starting", "publishing", "standing by", "trouble", "stopped", "waiting"]


@dataclass(frozen=True, slots=True)
class PublisherOptions:
    """Limits and optional inputs of a publisher."""

    limits: PublisherLimits = field(default_factory=PublisherLimits)
    letters: Callable[[], Sequence[DeadLetter] | None] | None = None
    """Returns the views' dead letters of this partition, or None while they cannot be read. None without views."""
    key_of: KeyOf | None = None
    """Returns the key of a journal record, if the journal stores it."""
    begins: Callable[[], Mapping[str, int]] = dict
    """Returns by kind the journal offset where a new prefix begins because an older one ended there. It may raise
    PublishingStopped."""


@dataclass(frozen=True, slots=True)
class Sick:
    """A topic that is left out for now: why, whether an operator has to act, how often writing it has failed, and when
    it is tried again."""

    why: str
    asks: bool
    failures: int = 0
    not_before: Instant = 0


class PartitionPublisher:
    """Publishes one partition of the journal. ``admitted`` may be called from another thread, the rest from one."""

    def __init__(
        self,
        prefix: str,
        partition: int,
        journal: Journal,
        source: PublisherSource,
        log: PublicLog,
        ids: SchemaIds,
        options: PublisherOptions | None = None,
    ) -> None:
        options = options or PublisherOptions()
        self.prefix = prefix
        self.partition = partition
        self.state: State = "starting"
        self.trouble: str | None = None
        """Why nothing is published at the moment, or any more."""
        self.progress: Progress | None = None
        self.parked: dict[str, ParkedAt] = {}
        """Streams that are not published further."""
        self.sick: dict[str, Sick] = {}
        """Topics that are left out at the moment, by kind."""
        self._journal = journal
        self._source = source
        self._log = log
        self._limits = options.limits
        self._publisher = Publisher(partition, source, ids)
        self._letters = options.letters
        self._key_of = options.key_of
        self._begins = options.begins
        self._known_letters: set[str] = set()
        self._handoff = HandoffBuffer()
        self._enabled_at = journal.end(partition)
        self._compared = False
        self._retry_is_due = False
        self._committed: bytes | None = None
        """The progress as this publisher last read or wrote it."""
        self._front: _Cursor | None = None
        """The place of the topics that are furthest, as it was last found."""
        self._now: Instant = 0
        self._check_sick_at: Instant = 0
        self._failures: dict[str, int] = {}
        """How often in a row a topic could not be written, for topics that are tried again now."""
        self._not_before: Instant = 0
        self._check_letters_at: Instant = 0
        self._unwritten_since: Instant | None = None
        self._last_progress: tuple[bytes, Instant] | None = None

    # ---- the follower's listener ------------------------------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        """Buffer a commit that the source has, so that it need not be read again."""
        self._handoff.add(admitted)

    def rejected(self, rejected: Rejected) -> None:
        """Do nothing: malformed commits are read from the source."""

    # ---- calls ------------------------------------------------------------------------------------------------------

    def enable(self) -> None:
        """Have every kind that has not begun before begin where the journal ends now. Called before commands are taken.

        order-events begin at the journal's start if nothing was ever published. Raises PublicLogUnavailable,
        PublishingStopped.
        """
        known = self._log.committed().get(self._key)
        if known is None or any(kind not in read_progress(known).kinds for kind in WRITTEN):
            self._take_over()

    def step(self, now: Instant) -> bool:
        """Publish a batch, or do what has to be done first. Returns whether anything was done.

        ``now``: a clock that never goes back.
        """
        self._now = now
        if self.state == "stopped" or now < self._not_before:
            return False
        try:
            if self.state == "standing by" and not self._is_abandoned(now):
                return False
            if self.progress is None:
                self._take_over()
            elif self.sick and now >= self._check_sick_at:
                self._check_topics_again(self.progress)
            return self._go_on(now)
        except TopicFailed as failed:
            self._mark_sick(failed.why)
            self._leave(self.state, str(failed))
            return True
        except Fenced:
            self._leave("standing by", "another process publishes this partition")
            self._last_progress = None
            self._not_before = now + self._limits.look
        except PublicLogUnavailable as later:
            self._leave(self.state if self.state == "standing by" else "trouble", str(later))
            self._not_before = now + self._limits.retry
        except (RegistryUnavailable, JournalError, LocalStateUnavailable) as later:
            self.state, self.trouble = "trouble", str(later)
            self._not_before = now + self._limits.retry
        except (PublishingStopped, LocalStateDamaged) as wrong:
            self._leave("stopped", str(wrong))
        return False

    def answer(self, kind: str, how: Literal["again", "onwards"]) -> None:
        """Apply an operator's answer about a topic that lost records.

        ``again`` publishes it again from the journal's start, ``onwards`` continues and leaves the gap. Raises
        PublishingStopped if ``again`` would repeat instructions.
        """
        if how == "again" and kind in INSTRUCTIONS:
            raise PublishingStopped(f"{topic_name(self.prefix, kind)} has instructions, which are not published twice")
        if how == "again":
            self.begin_at(kind, 0)
        else:
            self.begin_at(kind, None)

    def begin_at(self, kind: str, offset: int | None) -> None:
        """Have a topic continue with the records from this journal offset on. The records that it has stay.

        None: continue where it was, or begin where the journal ends. Raises PublishingStopped, PublicLogUnavailable,
        Fenced.
        """
        end = self._journal.end(self.partition)
        if offset is not None and offset > end:
            raise PublishingStopped(
                f"partition {self.partition} of the journal ends at offset {end}: {kind} cannot begin at {offset}"
            )
        self._log.take_over()
        topic, progress = self._log.topics()[kind], self._progress_of(self._log.committed())
        if isinstance(topic, TopicSick):
            raise PublishingStopped(f"{topic.why}: {topic.do}") if topic.do else PublicLogUnavailable(topic.why)
        before = progress.kinds.get(kind)
        if offset is not None:
            at = KindAt(*topic, offset, offset)
        elif before is None:
            at = KindAt(*topic, self._enabled_at, self._enabled_at)
        else:
            at = KindAt(*topic, before.offset, before.begins)
        if before is not None and at.offset < before.offset and kind in INSTRUCTIONS:
            raise PublishingStopped(
                f"{topic_name(self.prefix, kind)}, partition {self.partition}, has the instructions before offset "
                f"{before.offset}: those from {at.offset} on would be published twice"
            )
        progress.kinds[kind] = at
        if at.offset < progress.offset:  # from the start: each topic knows what it has
            progress.offset = progress.position = progress.ordinal = 0
            progress.commit = ""
        self._log.write((), lambda _: [self._progress_record(self._key, progress.value)])
        self._log.let_go()

    def retry(self) -> None:
        """Take over and publish the parked streams again. Those that fail again stay in ``parked``.

        The current publisher is fenced, and takes over again by itself a little later. Raises PublicLogUnavailable,
        PublishingStopped, RegistryUnavailable.
        """
        try:
            self._take_over()
            assert self.progress is not None
            if not self._is_this_history(self.progress):
                raise PublicLogUnavailable("local state is not as far as what was published; try again in a moment")
            if self.parked and not self._is_level(self.progress):
                late = ", ".join(sorted(self.sick)) or "a topic that catches up"
                raise PublicLogUnavailable(f"an order is published again on all topics or on none, and {late} waits")
            self._retry_parked(self.progress)
        finally:
            self.progress = None
            self._log.let_go()

    def compare(self) -> Progress:
        """Read the progress and compare it with the journal and the topics, without fencing a publisher.

        ``parked`` is set to the committed state. Raises PublicLogUnavailable, PublishingStopped.
        """
        committed = self._log.committed()
        progress = self._progress_of(committed)
        self._compare_with_journal(progress)
        self._compare_topics(progress)
        self._remember(committed)
        return progress

    def close(self) -> None:
        """Stop being the publisher."""
        self._log.let_go()

    @property
    def behind(self) -> int:
        """Number of journal offsets that were followed and are not published."""
        return 0 if self.progress is None else max(0, self._source.next_offset - self.progress.offset)

    # ---- taking over ------------------------------------------------------------------------------------------------

    @property
    def _key(self) -> str:
        return str(self.partition)

    def _progress_record(self, key: str, value: bytes) -> PublicRecord:
        return PublicRecord(PUBLISHED, key.encode(), value, ())

    def _progress_of(self, committed: Mapping[str, bytes]) -> Progress:
        value = committed.get(self._key)
        return Progress(self._journal.identity) if value is None else read_progress(value)

    def _take_over(self) -> None:
        self._log.take_over()
        committed = self._log.committed()
        progress = self._progress_of(committed)
        self._compare_with_journal(progress)
        if any(kind not in progress.kinds for kind in INSTRUCTIONS):
            begins = self._begins()
            if late := [kind for kind, offset in begins.items() if offset > self._journal.end(self.partition)]:
                raise PublishingStopped(
                    f"partition {self.partition}: {', '.join(late)} went out further under another prefix than this "
                    "journal goes: it lost acknowledged records. Restore it from a copy"
                )
        else:
            begins = {}
        enabled = self._compare_topics(progress, begins)
        self._committed = committed.get(self._key)
        if enabled:
            self._write((), (), progress)
        self._remember(committed)
        self._compared = False
        self._retry_is_due = True
        self._front = None
        self._check_sick_at = self._now + self._limits.heal
        self.progress = progress

    def _remember(self, committed: Mapping[str, bytes]) -> None:
        """Take the parked orders and the published dead letters from the progress topic."""
        self.parked = {}
        self._known_letters = set()
        for key, value in committed.items():
            place, slash, stream = key.partition("/parked/")
            if slash and place == self._key:
                self.parked[stream] = ParkedAt(**json.loads(value))
            place, slash, letter = key.partition("/letter/")
            if slash and place == self._key:
                self._known_letters.add(letter)

    def _compare_with_journal(self, progress: Progress) -> None:
        """Raise PublishingStopped unless the journal has everything that was published from it."""
        if progress.journal != self._journal.identity:
            raise PublishingStopped(
                f"partition {self.partition} was published from journal {progress.journal}, this one is "
                f"{self._journal.identity}: bring the old one back, or publish this one under another prefix"
            )
        furthest = max([progress.offset, *(at.offset for at in progress.kinds.values())])
        end = self._journal.end(self.partition)
        if furthest > end:
            raise PublishingStopped(
                f"partition {self.partition} was published up to offset {furthest}, but the journal ends at {end}: it "
                "lost acknowledged records. Restore it from a copy; nothing is published of a shorter history"
            )

    def _compare_topics(self, progress: Progress, begins: Mapping[str, int] | None = None) -> list[str]:
        """Compare the topics with the progress. Topics that lost records, or cannot be written, are ``sick`` then.

        Adds the kinds that begin now to the progress, and returns them. Raises PublishingStopped if one cannot begin.
        """
        enabled = []
        failed, self.sick = self.sick, {}
        topics = self._log.topics()
        for kind in WRITTEN:
            name = f"{topic_name(self.prefix, kind)}, partition {self.partition},"
            now, known = topics[kind], progress.kinds.get(kind)
            if isinstance(now, TopicSick):
                if known is None:
                    raise PublishingStopped(f"{now.why}: {now.do}") if now.do else PublicLogUnavailable(now.why)
                why = f"{now.why}: {now.do}, and {what_to_answer(kind)}" if now.do else now.why
                self.sick[kind] = Sick(why, bool(now.do))
            elif known is None:
                if now.end and kind in (EVENTS, *INSTRUCTIONS):
                    raise PublishingStopped(
                        f"{name} holds records, but nothing says how far was published: bring the topic "
                        f"{topic_name(self.prefix, PUBLISHED)} back, or publish under another prefix, which asks where "
                        "instructions go on"
                    )
                first = 0 if kind == EVENTS else (begins or {}).get(kind, self._enabled_at)
                progress.kinds[kind] = KindAt(now.id, now.end, first, first)
                enabled.append(kind)
            elif now.end < known.end:
                why = f"{name} ends at offset {now.end}, it had {known.end} and more"
                self.sick[kind] = Sick(f"{why}: bring it back from a copy, or {what_to_answer(kind)}", True)
            elif now.id != known.id:
                why = f"{name} was deleted and created again (topic {now.id}, it was {known.id})"
                self.sick[kind] = Sick(f"{why}: bring it back from a copy, or {what_to_answer(kind)}", True)
            elif (before := failed.get(kind)) is not None and not before.asks:
                if before.not_before > self._now:
                    self.sick[kind] = before
                else:  # it is tried again now
                    self._failures[kind] = before.failures
        return enabled

    def _check_topics_again(self, progress: Progress) -> None:
        """Check whether topics that are left out can be written now. Raises Fenced if another publisher has written."""
        self._check_sick_at = self._now + self._limits.heal
        if self._log.committed().get(self._key) != self._committed:
            raise Fenced
        self._compare_topics(progress)

    def _mark_sick(self, why: Mapping[str, str]) -> None:
        """Leave out the topics that did not take their records."""
        for kind, text in why.items():
            failures = self._failures.pop(kind, 0) + 1
            again = self._now + (self._limits.heal << min(failures - 1, 4))
            self.sick[kind] = Sick(f"{topic_name(self.prefix, kind)} cannot be written: {text}", False, failures, again)

    def _retry_parked(self, progress: Progress) -> None:
        """Publish parked streams again, because this release may be able to."""
        for stream, since in tuple(self.parked.items()):
            records: list[PublicRecord] = []
            failed: list[Unpublishable] = []
            for admitted in self._source.commits_of(stream):
                if since.ordinal <= admitted.ordinal < progress.ordinal:
                    made, failed = self._publisher.records(admitted, {}, stream)
                    if failed:
                        break
                    records += [each for each in made if admitted.offset >= progress.kinds[each.kind].begins]
            if not failed:
                self._write(records, [self._progress_record(f"{self._key}/parked/{stream}", b"")], progress)
                del self.parked[stream]

    def _leave(self, state: State, why: str) -> None:
        self.state = state
        self.trouble = why
        self.progress = None
        self._log.let_go()

    def _is_abandoned(self, now: Instant) -> bool:
        """Whether there is something to publish and its publisher has made no progress for ``take_over``."""
        value = self._log.committed().get(self._key, b"")
        progress = read_progress(value) if value else Progress(self._journal.identity)
        behind = [kind for kind, at in progress.kinds.items() if at.offset < self._source.next_offset]
        if self._last_progress is None or value != self._last_progress[0] or not (behind or not value):
            self._last_progress = (value, now)
        if now - self._last_progress[1] >= self._limits.take_over:
            topics = self._log.topics()  # a topic that this process could not write either does not count
            if not value or any(not isinstance(topics[kind], TopicSick) for kind in behind):
                return True
            self._last_progress = (value, now)
        self._not_before = now + self._limits.look
        return False

    # ---- a batch ----------------------------------------------------------------------------------------------------

    def _go_on(self, now: Instant) -> bool:
        progress = self.progress
        assert progress is not None
        if not self._is_this_history(progress):
            self.state = "waiting"
            return False
        self.state, self.trouble = "publishing", None
        if self._retry_is_due and self._is_level(progress):
            self._retry_parked(progress)
            self._retry_is_due = False
        healthy = [kind for kind in WRITTEN if kind not in self.sick]
        if not healthy:
            return False
        front = max(progress.kinds[kind].offset for kind in healthy)
        late = [kind for kind in healthy if progress.kinds[kind].offset < front]
        moved = self._catch_up(now, late, front) if late else False
        return self._publish_front(now, [kind for kind in healthy if kind not in late], front) or moved

    def _catch_up(self, now: Instant, kinds: Sequence[str], front: int) -> bool:
        """Publish a batch on the topics that are behind, at most up to where the others are."""
        assert self.progress is not None
        first = min(self.progress.kinds[kind].offset for kind in kinds)
        if self._source.next_offset < first:
            return False
        at = self._cursor(first)
        batch = self._gather(at, kinds, front)
        return self._publish(now, batch, kinds, [])

    def _publish_front(self, now: Instant, kinds: Sequence[str], front: int) -> bool:
        """Publish a batch on the topics that are furthest."""
        if self._source.next_offset < front:  # they begin further on than the journal is followed
            return False
        if self._front is None or self._front.offset != front:
            self._front = self._cursor(front)
        batch = self._gather(self._front, kinds, None)
        notes = [self._progress_record(f"{self._key}/parked/{at.stream}", at.value) for at in batch.parked]
        if now >= self._check_letters_at and self._letters is not None and DEAD_LETTERS in kinds:
            self._check_letters_at = now + self._limits.letters
            letters = self._letters()
            if letters is not None:
                letter_records, letter_notes = self._new_letters(letters)
                batch.records += letter_records
                notes += letter_notes
        moved = self._publish(now, batch, kinds, notes)
        for parked in batch.parked:
            self.parked[parked.stream] = parked
        self._front = batch.at
        return moved

    def _publish(self, now: Instant, batch: "_Batch", kinds: Sequence[str], notes: Sequence[PublicRecord]) -> bool:
        """Write a batch and the progress of its kinds. Returns whether there was anything to write."""
        progress = self.progress
        assert progress is not None
        records = batch.records
        reached = batch.at.offset
        if not records and not notes and all(progress.kinds[kind].offset >= reached for kind in kinds):
            return False
        after = replace(progress, kinds={kind: replace(at) for kind, at in progress.kinds.items()})
        for kind in kinds:
            after.kinds[kind].offset = max(after.kinds[kind].offset, reached)
        low = min(at.offset for at in after.kinds.values())
        if low > progress.offset:
            at = batch.at if low == reached else self._cursor(low)
            after.offset, after.position, after.ordinal, after.commit = at
        if not records and not notes:
            if self._unwritten_since is None:
                self._unwritten_since = now
            if now - self._unwritten_since < self._limits.lazily:
                self.progress = after
                return True
        self._write(records, notes, after)
        self.progress = after
        self._unwritten_since = None
        for kind in {record.kind for record in records}:
            self._failures.pop(kind, None)
        return True

    def _is_level(self, progress: Progress) -> bool:
        """Whether no topic is left out and all are at the same offset."""
        return not self.sick and len({at.offset for at in progress.kinds.values()}) == 1

    def _cursor(self, offset: int) -> "_Cursor":
        """Return the place in the source after all journal records below this offset. The source has them."""
        progress = self.progress
        assert progress is not None
        if offset == progress.offset:
            return _Cursor(progress.offset, progress.position, progress.ordinal, progress.commit)
        if self._front is not None and offset == self._front.offset:
            return self._front
        low, high = progress.ordinal if offset > progress.offset else 0, self._source.next_ordinal
        while low < high:
            middle = (low + high) // 2
            if self._commit(middle).offset < offset:
                low = middle + 1
            else:
                high = middle
        if not low:
            return _Cursor(offset, 0, 0, "")
        last = self._commit(low - 1)
        return _Cursor(offset, last.position + in_sequence(last.commit), low, last.hash.hex())

    def _commit(self, ordinal: int) -> Admitted:
        found = self._source.commit_at(ordinal)
        if found is None:
            raise LocalStateUnavailable(f"local state has no commit {ordinal} of partition {self.partition} yet")
        return found

    def _is_this_history(self, progress: Progress) -> bool:
        """Whether the source is as far as the progress. Raises PublishingStopped if it has another history."""
        if self._compared:
            return True
        if self._source.next_ordinal < progress.ordinal or self._source.next_offset < progress.offset:
            return False
        last = self._source.commit_at(progress.ordinal - 1) if progress.ordinal else None
        if last is not None and last.hash.hex() != progress.commit:
            raise PublishingStopped(
                f"partition {self.partition}: commit {last.ordinal} of the journal is not the one that was published: "
                "the log was changed. Restore it from a copy, or publish this one under another prefix"
            )
        self._compared = True
        return True

    def _gather(self, at: "_Cursor", kinds: Sequence[str], until: int | None) -> "_Batch":
        """Collect the records of the next whole journal records, up to the limits, that these topics do not have.

        ``until``: the offset of the topics that are further; None: these are the furthest.
        """
        assert self.progress is not None
        offsets = {kind: self.progress.kinds[kind].offset for kind in kinds}
        behind = self._source.next_offset  # read before the commits, so that all of them are there
        if until is not None:
            behind = min(behind, until)
        malformed: list[Parked] = []
        if DEAD_LETTERS in offsets:
            malformed, behind = self._malformed(at.offset, behind)
        batch = _Batch(at)
        late = () if until is None else kinds
        size = 0
        full = False
        for admitted in self._commits(at.ordinal, behind, handed=until is None):
            full = (len(batch.records) >= self._limits.records or size >= self._limits.size) and (
                admitted.offset >= batch.at.offset
            )
            if full:
                break
            made = [
                each
                for each in self._records(admitted, batch, late)
                if admitted.offset >= offsets.get(each.kind, _NEVER)
            ]
            batch.records += made
            size += sum(len(record.value) + _HEADERS for record in made)
            position = admitted.position + in_sequence(admitted.commit)
            batch.at = _Cursor(admitted.offset + 1, position, admitted.ordinal + 1, admitted.hash.hex())
        if not full:
            batch.at = batch.at._replace(offset=max(batch.at.offset, behind))
        for parked in malformed:
            if offsets[DEAD_LETTERS] <= parked.offset < batch.at.offset:
                letter = malformed_letter(self._journal, self.prefix, self.partition, parked, self._key_of)
                batch.records.append(letter.record)
        return batch

    def _records(self, admitted: Admitted, batch: "_Batch", late: Sequence[str]) -> list[PublicRecord]:
        """Return a commit's public records, and park its orders that cannot be published.

        ``late``: the topics that catch up, if the records are for these. The other topics have published this commit,
        so the orders that could not be published are known. Raises TopicFailed if another one cannot.
        """
        known = {**self.parked, **{each.stream: each for each in batch.parked}} if batch.parked else self.parked
        left_out: dict[str, ParkedAt] = {}
        if known:
            streams = [part.stream for part in admitted.commit.streams if part.stream in known]
            left_out = {each: known[each] for each in streams if known[each].ordinal <= admitted.ordinal}
        made, failed = self._publisher.records(admitted, left_out)
        if not late:
            for each in failed:
                batch.parked.append(ParkedAt(each.ordinal, admitted.offset, each.letter.error, each.stream))
                made.append(each.letter.record)
            return made
        if failed:
            cannot = f"this release cannot publish commit {admitted.ordinal} of partition {self.partition}"
            could = "the one that wrote the other topics could: install that one"
            raise TopicFailed(dict.fromkeys(late, f"{cannot} ({failed[0].letter.error}), and {could}"))
        for stream, since in left_out.items():
            if since.ordinal == admitted.ordinal:  # its dead letter
                made += [each.letter.record for each in self._publisher.records(admitted, {}, stream)[1]]
        return made

    def _malformed(self, first: int, behind: int) -> tuple[list[Parked], int]:
        """Return the malformed records and commits of a batch, and where it ends so that there are not too many."""
        found = [parked for parked in self._source.parked(_MALFORMED, first) if parked.offset < behind]
        if len(found) == _MALFORMED:
            last = found[-1].offset
            if last > first:
                return [parked for parked in found if parked.offset < last], last
            return [parked for parked in self._source.parked(1 << 20, first) if parked.offset == first], first + 1
        return found, behind

    def _commits(self, ordinal: int, behind: int, *, handed: bool) -> Iterator[Admitted]:
        """Yield the commits from an ordinal on whose journal records are followed to their end.

        ``handed``: take them from the handoff buffer as far as it has them.
        """
        until = self._source.next_ordinal
        commits = (
            self._handoff.commits(ordinal, until, self._source) if handed else self._source.commits(ordinal, until)
        )
        for admitted in commits:
            if admitted.offset >= behind:
                return
            yield admitted

    def _new_letters(self, letters: Sequence[DeadLetter]) -> tuple[list[PublicRecord], list[PublicRecord]]:
        """Return the records of the views' new dead letters, and the notes about them for the progress topic."""
        now = {letter.id: letter for letter in letters}
        records = [letter.record for id, letter in now.items() if id not in self._known_letters]
        notes = [self._progress_record(f"{self._key}/letter/{id}", b"1") for id in now if id not in self._known_letters]
        notes += [self._progress_record(f"{self._key}/letter/{id}", b"") for id in self._known_letters if id not in now]
        return records, notes

    def _write(self, records: Sequence[PublicRecord], notes: Sequence[PublicRecord], after: Progress) -> None:
        def then(ranges: Mapping[str, OffsetRange]) -> Sequence[PublicRecord]:
            for kind, offsets in ranges.items():
                at = after.kinds[kind]
                if offsets.first < at.end:
                    had = f"partition {self.partition} had {at.end} records and more"
                    raise TopicFailed({kind: f"{had}, and now begins again at offset {offsets.first}"})
                at.end = offsets.last + 1
            return [*notes, self._progress_record(self._key, after.value)]

        self._log.write(records, then)
        self._committed = after.value
        for note in notes:
            _, slash, letter = note.key.decode().partition("/letter/")
            if slash:
                (self._known_letters.add if note.value else self._known_letters.discard)(letter)


_HEADERS: Final = 300
"""Approximate bytes of a record's headers."""
_NEVER: Final = 1 << 63
"""An offset after all others."""
_MALFORMED: Final = 64
"""Approximate number of dead letters in one transaction, because each may have a megabyte."""


class _Cursor(NamedTuple):
    """A place between two journal records, with the fields of ``Progress``."""

    offset: int
    position: int
    ordinal: int
    commit: str


@dataclass(slots=True)
class _Batch:
    """The records of one transaction, and the place after them."""

    at: _Cursor
    records: list[PublicRecord] = field(default_factory=list)
    parked: list[ParkedAt] = field(default_factory=list)


def what_to_answer(kind: str) -> str:
    """Return the advice about a topic that was replaced or lost records: how an operator can answer."""
    onwards = "it goes on with what it does not have yet"
    if kind in INSTRUCTIONS:
        return f"say `rescind topics answer {kind} --onwards`: {onwards}"
    return f"say `rescind topics answer {kind} --again`: all of it goes out again (`--onwards`: {onwards})"


def malformed_letter(
    journal: Journal, prefix: str, partition: int, parked: Parked, key_of: KeyOf | None = None
) -> DeadLetter:
    """Return the dead letter of a malformed commit or record, with its bytes from the journal. Raises JournalError."""
    value = b""
    records = journal.read(partition, parked.offset, 1)
    if records and records[0].offset == parked.offset:
        value = records[0].value
        if parked.index >= 0:
            try:
                value = decode_record(value).commits[parked.index]
            except (Malformed, IndexError):
                value = records[0].value
    return DeadLetter(
        malformed_id(partition, parked.offset, parked.index),
        "journal",
        parked.reason.replace("\0", "\\0"),
        b"" if key_of is None else key_of(partition, parked.offset),
        value,
        topic_name(prefix, "journal"),
        partition,
        parked.offset,
        None if parked.index < 0 else parked.index,
        None,
        None,
    )
