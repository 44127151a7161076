"""Publishing one partition: public records and how far it is go out in one transaction, so that nothing is left out and
nothing goes out twice. No thread, no clock, no Kafka: those are behind the ``PublicLog`` port.

``step`` publishes a batch of whole journal records. Before the first, and after whatever went wrong, it takes over: the
other publisher of this partition is fenced, the transaction that it may have had open is ended, and only then progress
is read. Who is fenced stands by, and takes over in turn when there is something to publish and nobody does.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from consumers.admission import Admitted, Rejected, in_sequence
from consumers.dead_letters import Letter, PublicRecord, malformed_id
from consumers.handed import Handed
from consumers.journal import Journal, JournalError
from consumers.local_state import LocalStateDamaged, LocalStateUnavailable, Parked
from consumers.public_log import (
    Fenced,
    KindAt,
    ParkedAt,
    Progress,
    PublicLog,
    PublicLogUnavailable,
    PublishingStopped,
    Span,
    read_progress,
)
from consumers.publisher import Publisher, Unpublishable
from domain.instants import SECOND, Instant
from schemas.public.ids import RegistryUnavailable, SchemaIds
from schemas.public.topics import EVENTS, INSTRUCTIONS, PUBLISHED, WRITTEN, topic_name
from schemas.record import decode_record
from schemas.wire import Malformed


class Source(Protocol):
    """One partition's admitted commits: a ``LocalState`` is one, read through a connection of one's own."""

    @property
    def next_offset(self) -> int: ...

    @property
    def next_ordinal(self) -> int: ...

    def commit_at(self, ordinal: int) -> Admitted | None: ...

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]: ...

    def commits_of(self, stream: str, first: int = 0) -> Iterator[Admitted]: ...

    def parked(self, limit: int = 1000, first: int = 0) -> list[Parked]: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """``records`` and ``size`` (bytes): of one transaction, about. Times in microseconds: ``retry`` after trouble,
    ``look`` between two looks of who stands by, ``take_over`` until nobody is thought to be there, ``lazily`` between
    two transactions that hold nothing but progress, ``letters`` between two looks at the views' dead letters."""

    records: int = 4_000
    size: int = 4_000_000
    retry: Instant = SECOND // 2
    look: Instant = 2 * SECOND
    take_over: Instant = 10 * SECOND
    lazily: Instant = SECOND
    letters: Instant = SECOND


KeyOf = Callable[[int, int], bytes]
"""Partition and offset → the key of the journal record there."""
State = Literal["starting", "publishing", "standing by", "trouble", "stopped", "waiting"]


class PartitionPublisher:
    """One partition of the journal, published. ``admitted`` may be called from another thread, the rest from one."""

    def __init__(
        self,
        prefix: str,
        partition: int,
        journal: Journal,
        source: Source,
        log: PublicLog,
        ids: SchemaIds,
        *,
        limits: Limits | None = None,
        letters: Callable[[], Sequence[Letter] | None] | None = None,
        key_of: KeyOf | None = None,
    ) -> None:
        """``letters``: the views' dead letters that belong to this partition, if this process keeps views; None while
        they cannot be read. ``key_of``: the key of a journal record, where the journal keeps it."""
        self.prefix = prefix
        self.partition = partition
        self.state: State = "starting"
        self.trouble: str | None = None
        """Why nothing goes out at the moment, or for good."""
        self.progress: Progress | None = None
        self.parked: dict[str, ParkedAt] = {}
        """Streams that are published no further."""
        self._journal = journal
        self._source = source
        self._log = log
        self._limits = limits or Limits()
        self._publisher = Publisher(partition, source, ids)
        self._letters = letters
        self._key_of = key_of
        self._known_letters: set[str] = set()
        self._handed = Handed()
        self._enabled_at = journal.end(partition)
        self._compared = False
        self._not_before: Instant = 0
        self._look_at_letters: Instant = 0
        self._unwritten_since: Instant | None = None
        self._seen: tuple[int, Instant] | None = None

    # ---- the follower's listener ------------------------------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        """A commit that the source has by now; it need not be read again."""
        self._handed.add(admitted)

    def rejected(self, rejected: Rejected) -> None:
        """Malformed commits are read from the source."""

    # ---- what is called ---------------------------------------------------------------------------------------------

    def enable(self) -> None:
        """Have every kind begin where the journal ends now, if it has not begun before; order-events begin at the
        journal's start where nothing was ever published. To be called before commands are taken.

        PublicLogUnavailable, PublishingStopped.
        """
        known = self._log.committed().get(self._key)
        if known is None or any(kind not in read_progress(known).kinds for kind in WRITTEN):
            self._take_over()

    def step(self, now: Instant) -> bool:
        """Publish a batch, or whatever comes before that; whether anything moved. ``now``: a clock that never goes
        back."""
        if self.state == "stopped" or now < self._not_before:
            return False
        try:
            if self.state == "standing by" and not self._left_alone(now):
                return False
            if self.progress is None:
                self._take_over()
            return self._go_on(now)
        except Fenced:
            self._give_up("standing by", "another process publishes this partition")
            self._seen = None
            self._not_before = now + self._limits.look
        except PublicLogUnavailable as later:
            self._give_up(self.state if self.state == "standing by" else "trouble", str(later))
            self._not_before = now + self._limits.retry
        except (RegistryUnavailable, JournalError, LocalStateUnavailable) as later:
            self.state, self.trouble = "trouble", str(later)
            self._not_before = now + self._limits.retry
        except (PublishingStopped, LocalStateDamaged) as wrong:
            self._give_up("stopped", str(wrong))
        return False

    def answer(self, kind: str, how: Literal["again", "onwards"]) -> None:
        """What to do about a topic that lost records: ``again`` publishes it anew from the journal's start, ``onwards``
        goes on and leaves the gap. PublishingStopped where ``again`` would instruct somebody twice."""
        if how == "again" and kind in INSTRUCTIONS:
            raise PublishingStopped(f"{topic_name(self.prefix, kind)} instructs: nothing on it is said twice")
        self._log.take_over()
        topics, committed = self._log.topics(), self._log.committed()
        progress = self._progress_of(committed)
        before = progress.kinds.get(kind)
        offset, begins = (self._enabled_at,) * 2 if before is None else (before.offset, before.begins)
        at = progress.kinds[kind] = KindAt(*topics[kind], offset, begins)
        if how == "again":
            progress.offset = progress.position = progress.ordinal = at.offset = at.begins = 0
            progress.commit = ""
        self._log.write((), lambda _: [self._said(self._key, progress.value)])
        self._log.let_go()

    def retry(self) -> None:
        """Take over, and try the parked streams again: ``parked`` has what is left then. Whoever publishes is fenced,
        and goes on by itself a little later. PublicLogUnavailable, PublishingStopped, RegistryUnavailable."""
        try:
            self._take_over()
            assert self.progress is not None
            if not self._is_this_history(self.progress):
                raise PublicLogUnavailable("local state is not as far as what was published; try again in a moment")
        finally:
            self.progress = None
            self._log.let_go()

    def compare(self) -> Progress:
        """How far is published, compared with the journal and the topics; ``parked`` is as committed then. Nobody is
        disturbed. PublicLogUnavailable, PublishingStopped."""
        committed = self._log.committed()
        progress = self._progress_of(committed)
        self._compare_with_journal(progress)
        self._compare_topics(progress, fresh=self._key not in committed)
        self._remember(committed)
        return progress

    def close(self) -> None:
        """Be the publisher no longer."""
        self._log.let_go()

    @property
    def behind(self) -> int:
        """Journal offsets that were followed and are not published yet."""
        return 0 if self.progress is None else max(0, self._source.next_offset - self.progress.offset)

    # ---- taking over ------------------------------------------------------------------------------------------------

    @property
    def _key(self) -> str:
        return str(self.partition)

    def _said(self, key: str, value: bytes) -> PublicRecord:
        return PublicRecord(PUBLISHED, key.encode(), value, ())

    def _progress_of(self, committed: Mapping[str, bytes]) -> Progress:
        value = committed.get(self._key)
        return Progress(self._journal.identity) if value is None else read_progress(value)

    def _take_over(self) -> None:
        self._log.take_over()
        committed = self._log.committed()
        progress = self._progress_of(committed)
        self._compare_with_journal(progress)
        enabled = self._compare_topics(progress, fresh=self._key not in committed)
        if enabled:
            self._log.write((), lambda _: [self._said(self._key, progress.value)])
        self._remember(committed)
        self._compared = False
        self.progress = progress

    def _remember(self, committed: Mapping[str, bytes]) -> None:
        """What stands beside the progress: orders that are parked, letters that were told."""
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
        """The journal must have what was published from it."""
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
                "lost what was acknowledged. Restore it from a copy; nothing is published of a shorter history"
            )

    def _compare_topics(self, progress: Progress, *, fresh: bool) -> list[str]:
        """The topics must have what was published to them. The kinds that begin now are added, and returned."""
        enabled = []
        topics = self._log.topics()
        for kind in WRITTEN:
            name = f"{topic_name(self.prefix, kind)}, partition {self.partition},"
            now, known = topics[kind], progress.kinds.get(kind)
            if known is None:
                if fresh and now.end and kind in (EVENTS, *INSTRUCTIONS):
                    raise PublishingStopped(
                        f"{name} holds records, but nothing says how far was published: bring the topic "
                        f"{topic_name(self.prefix, PUBLISHED)} back, or publish under another prefix"
                    )
                begins = 0 if fresh and kind == EVENTS else self._enabled_at
                progress.kinds[kind] = KindAt(now.id, now.end, begins, begins)
                enabled.append(kind)
                continue
            ask = (
                "bring it back from a copy; or say `rescind topics answer`: what was on it goes out again (--again, "
                "not for instructions), or is left out (--onwards)"
            )
            if now.end < known.end:
                raise PublishingStopped(f"{name} ends at offset {now.end}, it had {known.end} and more: {ask}")
            if now.id != known.id:
                raise PublishingStopped(f"{name} was made anew (topic {now.id}, it was {known.id}): {ask}")
        return enabled

    def _retry_parked(self, progress: Progress) -> None:
        """Streams that could not be published: this release may be one that can."""
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
                self._write(records, [self._said(f"{self._key}/parked/{stream}", b"")], progress)
                del self.parked[stream]

    def _wanted(self, records: Sequence[PublicRecord], offset: int) -> list[PublicRecord]:
        """Without those of kinds that have this offset already, or begin behind it."""
        assert self.progress is not None
        kinds = self.progress.kinds
        return [record for record in records if offset >= kinds[record.kind].offset]

    def _give_up(self, state: State, why: str) -> None:
        self.state = state
        self.trouble = why
        self.progress = None
        self._log.let_go()

    def _left_alone(self, now: Instant) -> bool:
        """Whether something waits to be published and its publisher has not got on for a while."""
        progress = self._progress_of(self._log.committed())
        if self._seen is None or progress.offset != self._seen[0] or progress.offset >= self._source.next_offset:
            self._seen = (progress.offset, now)
        if now - self._seen[1] >= self._limits.take_over:
            return True
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
        batch = self._gather(progress)
        records = batch.records
        notes = [self._said(f"{self._key}/parked/{at.stream}", at.value) for at in batch.parked]
        if now >= self._look_at_letters and self._letters is not None:
            self._look_at_letters = now + self._limits.letters
            letters = self._letters()
            if letters is not None:
                told, kept = self._new_letters(letters)
                records = [*records, *told]
                notes += kept
        if batch.offset == progress.offset and not records and not notes:
            return False
        after = Progress(progress.journal, batch.offset, batch.position, batch.ordinal, batch.commit)
        for kind, at in progress.kinds.items():
            after.kinds[kind] = KindAt(at.id, at.end, max(at.offset, batch.offset), at.begins)
        if not records and not notes:
            if self._unwritten_since is None:
                self._unwritten_since = now
            if now - self._unwritten_since < self._limits.lazily:
                self.progress = after
                return True
        self._write(records, notes, after)
        for parked in batch.parked:
            self.parked[parked.stream] = parked
        self.progress = after
        self._unwritten_since = None
        return True

    def _is_this_history(self, progress: Progress) -> bool:
        """Whether the source is as far as was published; PublishingStopped if it tells another history."""
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
        self._retry_parked(progress)
        self._compared = True
        return True

    def _gather(self, progress: Progress) -> "_Batch":
        """The next whole journal records, up to the limits."""
        behind = self._source.next_offset  # read before the commits: these are then all there
        malformed, behind = self._malformed(progress.offset, behind)
        batch = _Batch(progress.offset, progress.position, progress.ordinal, progress.commit)
        size = 0
        full = False
        for admitted in self._commits(progress.ordinal, behind):
            full = (len(batch.records) >= self._limits.records or size >= self._limits.size) and (
                admitted.offset >= batch.offset
            )
            if full:
                break
            made, failed = self._publisher.records(admitted, batch.streams(self.parked))
            for each in failed:
                batch.parked.append(ParkedAt(each.ordinal, admitted.offset, each.letter.error, each.stream))
                made.append(each.letter.record)
            made = self._wanted(made, admitted.offset)
            batch.records += made
            size += sum(len(record.value) + _HEADERS for record in made)
            batch.offset = admitted.offset + 1
            batch.position = admitted.position + in_sequence(admitted.commit)
            batch.ordinal = admitted.ordinal + 1
            batch.commit = admitted.hash.hex()
        if not full:
            batch.offset = max(batch.offset, behind)
        for parked in malformed:
            if parked.offset < batch.offset:
                letter = malformed_letter(self._journal, self.prefix, self.partition, parked, self._key_of)
                batch.records += self._wanted([letter.record], parked.offset)
        return batch

    def _malformed(self, first: int, behind: int) -> tuple[list[Parked], int]:
        """What is malformed in the next records, and where the batch ends so that it is not too much of it."""
        found = [parked for parked in self._source.parked(_MALFORMED, first) if parked.offset < behind]
        if len(found) == _MALFORMED:
            last = found[-1].offset
            if last > first:
                return [parked for parked in found if parked.offset < last], last
            return [parked for parked in self._source.parked(1 << 20, first) if parked.offset == first], first + 1
        return found, behind

    def _commits(self, ordinal: int, behind: int) -> Iterator[Admitted]:
        """Commits from an ordinal on whose journal records were followed to their end."""
        for admitted in self._handed.commits(ordinal, self._source.next_ordinal, self._source):
            if admitted.offset >= behind:
                return
            yield admitted

    def _new_letters(self, letters: Sequence[Letter]) -> tuple[list[PublicRecord], list[PublicRecord]]:
        """The views' dead letters that nobody was told of yet, and what to remember of them."""
        now = {letter.id: letter for letter in letters}
        records = [letter.record for id, letter in now.items() if id not in self._known_letters]
        notes = [self._said(f"{self._key}/letter/{id}", b"1") for id in now if id not in self._known_letters]
        notes += [self._said(f"{self._key}/letter/{id}", b"") for id in self._known_letters if id not in now]
        return records, notes

    def _write(self, records: Sequence[PublicRecord], notes: Sequence[PublicRecord], after: Progress) -> None:
        def then(spans: Mapping[str, Span]) -> Sequence[PublicRecord]:
            for kind, span in spans.items():
                at = after.kinds[kind]
                if span.first < at.end:
                    raise PublishingStopped(
                        f"{topic_name(self.prefix, kind)}, partition {self.partition}, had {at.end} records and more, "
                        f"and now begins again at offset {span.first}: it was emptied or made anew"
                    )
                at.end = span.last + 1
            return [*notes, self._said(self._key, after.value)]

        self._log.write(records, then)
        for note in notes:
            _, slash, letter = note.key.decode().partition("/letter/")
            if slash:
                (self._known_letters.add if note.value else self._known_letters.discard)(letter)


_HEADERS: Final = 300
"""About what a record's headers take, in bytes."""
_MALFORMED: Final = 64
"""Letters in one transaction, about: each may have a megabyte."""


@dataclass(slots=True)
class _Batch:
    offset: int
    position: int
    ordinal: int
    commit: str
    records: list[PublicRecord] = field(default_factory=list)
    parked: list[ParkedAt] = field(default_factory=list)

    def streams(self, before: Mapping[str, Any]) -> Mapping[str, Any]:
        """The streams that are parked by now."""
        return before if not self.parked else {**before, **{at.stream: at for at in self.parked}}


def malformed_letter(
    journal: Journal, prefix: str, partition: int, parked: Parked, key_of: KeyOf | None = None
) -> Letter:
    """The letter of a malformed commit or record; its bytes are read from the journal. JournalError."""
    value = b""
    records = journal.read(partition, parked.offset, 1)
    if records and records[0].offset == parked.offset:
        value = records[0].value
        if parked.index >= 0:
            try:
                value = decode_record(value).commits[parked.index]
            except (Malformed, IndexError):
                value = records[0].value
    return Letter(
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
