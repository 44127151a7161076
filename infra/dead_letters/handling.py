"""Lists, retries and discards dead letters, wherever they are stored.

Malformed commits are in local state. Orders that could not be projected are in the views' table ``dead_letters``.
Orders that could not be published are in the publisher's progress. Records that were no commands are on the topic of
dead letters itself.

A discarded letter stays where it is, because it is derived from the log. A file in the store's directory records that
it needs no attention. It is listed again if its order is parked again at another commit.
"""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from consumers.engine.control_log import ControlLog
from consumers.log.dead_letters import DeadLetter, unprojected_id, unpublished_id
from consumers.ports.journal import JournalUnavailable
from consumers.ports.local_state import LocalState
from consumers.ports.public_log import Fenced, ParkedAt, PublicLogUnavailable, PublishingStopped
from consumers.ports.views import Log, PositionMoved
from consumers.projection.projector import Projector
from consumers.publishing.partition_publisher import PartitionPublisher, malformed_letter
from infra.runtime.partition_runner import FollowedPartition
from infra.settings import Settings
from infra.store.opening import open_control
from infra.store.reader import Reader, open_reader
from infra.views.base import DatabaseViews
from infra.views.opening import existing_views
from infra.views.reading import Row
from schemas.public.ids import RegistryUnavailable

DISCARDED_FILE: Final = "discarded-letters.json"
_PAGE: Final = 500
_ATTEMPTS: Final = 20
"""Attempts while a running projector moves the views."""


class NoSuchLetter(Exception):
    """There is no dead letter with this id."""


class NotToBeTried(Exception):
    """This letter cannot be retried. The message says why."""


class Letters:
    """The dead letters of a store."""

    def __init__(self, settings: Settings, reader: Reader, control: ControlLog, views: DatabaseViews | None) -> None:
        self._settings = settings
        self._reader = reader
        self._control = control
        self._views = views
        self._file = reader.store.directory / DISCARDED_FILE
        self._discarded: set[str] = _read(self._file)

    def all(self) -> Iterator[DeadLetter]:
        """Yield malformed commits in log order, orders that could not be projected, orders that could not be published,
        and records that were no commands.

        JournalError, ViewsError; JournalUnavailable if a topic cannot be read.
        """
        yield from self._malformed()
        yield from self._unprojected()
        yield from self._unpublished()
        yield from self._no_commands()

    def find(self, id: str) -> DeadLetter:
        """Find a letter by its id. NoSuchLetter."""
        for letter in self.all():
            if letter.id == id:
                return letter
        raise NoSuchLetter(f"there is no dead letter {id}: `rescind dead-letters list --all` shows every one")

    def is_discarded(self, letter: DeadLetter) -> bool:
        """Whether the letter was discarded."""
        return _mark(letter) in self._discarded

    def discard(self, letter: DeadLetter) -> None:
        """Discard a letter: it is not listed any more. Nothing else changes."""
        self._discarded.add(_mark(letter))
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps(sorted(self._discarded), indent=1) + "\n", encoding="utf-8")
        os.replace(draft, self._file)

    def retry(self, letter: DeadLetter) -> str | None:
        """Retry a letter. Returns None if that worked, else what is still wrong. NotToBeTried."""
        match letter.origin:
            case "journal":
                raise NotToBeTried(
                    f"{letter.id} is malformed: it never became part of the history, and never will. Find out who "
                    "wrote it, and discard it with `rescind dead-letters discard`"
                )
            case "commands":
                raise NotToBeTried(
                    f"{letter.id} was no command: its sender has to send a correct one. Discard this one with "
                    "`rescind dead-letters discard`"
                )
            case "views":
                return self._project_again(letter)
            case "publisher":
                return self._publish_again(letter)

    # ---- where letters are stored
    # --------------------------------------------------------------------------------------------

    def _state(self, partition: int) -> LocalState:
        return self._reader.followers[partition].state

    def _malformed(self) -> Iterator[DeadLetter]:
        reader = self._reader
        at = self._settings.journal_at.kafka
        prefix = "rescind" if at is None else at.prefix
        for partition in sorted(reader.followers):
            first, state = 0, self._state(partition)
            while found := state.parked(_PAGE, first):
                last = found[-1].offset
                if len(found) == _PAGE:  # the last record may have more of them
                    found = [each for each in found if each.offset < last] or state.parked(1 << 20, last)
                for parked in found:
                    yield malformed_letter(reader.journal, prefix, partition, parked)
                first = found[-1].offset + 1

    def _unprojected(self) -> Iterator[DeadLetter]:
        for row in self._views.dead_letters() if self._views is not None else ():
            yield self._of_row(row)

    def _of_row(self, row: Row) -> DeadLetter:
        log, partition = row["log"], row["partition"]
        state = self._control.follower.state if log == "control" else self._state(partition)
        commit = state.commit_at(row["ordinal"])
        return DeadLetter(
            unprojected_id(log, partition, row["stream"]),
            "views",
            row["error"],
            row["stream"].encode(),
            b"" if commit is None else commit.data,
            log,
            partition,
            None if commit is None else commit.offset,
            None if commit is None else commit.index,
            row["stream"],
            row["ordinal"],
            row["event"],
        )

    def _unpublished(self) -> Iterator[DeadLetter]:
        at = self._settings.public_topics_at
        if at is None:
            return
        from infra.kafka.kafka_python import connection
        from infra.publishing.reading import PublishingTimeouts, read_published

        partitions = sorted(self._reader.followers)
        try:
            found = read_published(
                at, partitions, connection(at.servers, self._settings.security), PublishingTimeouts()
            )
        except (PublicLogUnavailable, PublishingStopped) as wrong:
            raise JournalUnavailable(f"what could not be published cannot be read: {wrong}") from wrong
        for partition in partitions:
            for key, value in found[partition].items():
                if "/parked/" in key:
                    parked = ParkedAt(**json.loads(value))
                    commit = self._state(partition).commit_at(parked.ordinal)
                    yield DeadLetter(
                        unpublished_id(partition, parked.stream),
                        "publisher",
                        parked.error,
                        parked.stream.encode(),
                        b"" if commit is None else commit.data,
                        "journal",
                        partition,
                        parked.offset,
                        None if commit is None else commit.index,
                        parked.stream,
                        parked.ordinal,
                    )

    def _no_commands(self) -> Iterator[DeadLetter]:
        at = self._settings.commands_at
        if at is None:
            return
        from infra.command_topic.dead_letters import read_letters

        try:
            yield from read_letters(at, self._settings.security)
        except (PublicLogUnavailable, PublishingStopped) as wrong:
            raise JournalUnavailable(f"what was no command cannot be read: {wrong}") from wrong

    # ---- retrying
    # -------------------------------------------------------------------------------------------------------

    def _project_again(self, letter: DeadLetter) -> str | None:
        assert self._views is not None and letter.stream is not None
        log: Log = "control" if letter.place == "control" else "journal"
        source = self._control.follower.state if log == "control" else self._state(letter.partition)
        for _ in range(_ATTEMPTS):
            projector = Projector(log, letter.partition, source, self._views)
            if projector.position.ordinal > source.next_ordinal:
                raise JournalUnavailable("the views are further than what was read; try again")
            try:
                return projector.retry(letter.stream)
            except PositionMoved:
                continue
            except LookupError:
                return None  # another process has retried it
        raise JournalUnavailable("the views move all the time; try again")

    def _publish_again(self, letter: DeadLetter) -> str | None:
        from infra.publishing.public_log import KafkaPublicLog
        from infra.publishing.runner import schema_ids

        at = self._settings.public_topics_at
        assert at is not None and letter.stream is not None
        journal = self._reader.journal
        follower = self._reader.followers[letter.partition]
        log = KafkaPublicLog(at, letter.partition, journal.partitions, self._settings.security)
        source = FollowedPartition(follower.state, follower)
        publisher = PartitionPublisher(
            at.prefix, letter.partition, journal, source, log, schema_ids(self._settings)
        )  # fmt: skip
        try:
            publisher.retry()
        except (Fenced, PublicLogUnavailable, RegistryUnavailable) as later:
            raise JournalUnavailable(f"it cannot be published now: {later}") from later
        except PublishingStopped as wrong:
            return str(wrong)
        left = publisher.parked.get(letter.stream)
        return None if left is None else left.error


@contextmanager
def open_letters(settings: Settings) -> Iterator[Letters]:
    """Open the dead letters of the settings' store. JournalError, ViewsError."""
    with ExitStack() as stack:
        reader = stack.enter_context(closing(open_reader(settings)))
        control = open_control(reader.store, "dead-letters", create=False)
        stack.callback(control.journal.close)
        views = existing_views(settings.views_at)
        if views is not None:
            stack.enter_context(closing(views))
        yield Letters(settings, reader, control, views)


def _mark(letter: DeadLetter) -> str:
    """Name a letter and the commit at which it began."""
    return f"{letter.id}@{letter.offset if letter.ordinal is None else letter.ordinal}"


def _read(file: Path) -> set[str]:
    try:
        return set(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return set()
