"""The two logs of a store: two files in a directory, or two topics on a Kafka cluster.

This module makes no decisions: ``infra.store.opening`` checks that the logs belong together and decides whether to
create new ones.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from consumers.ports.journal import Journal, JournalUnavailable
from domain.wording import counted
from infra.addresses.files import CONTROL_FILE, JOURNAL_FILE
from infra.journals.sqlite import Synchronous, open_sqlite_journal

if TYPE_CHECKING:
    from infra.addresses.kafka import KafkaAt
    from infra.settings import Settings

PARTITIONS = 1
"""Partitions of a new embedded journal, unless its URL names another number: one file, the fewest disk writes."""


def _no_wake() -> None:
    """Default for ``wake``: notify nobody."""


class Store(Protocol):
    """A control log and a journal. The methods that open one raise JournalError."""

    directory: Path
    """This process's own files: local state, and by default the vault and the views."""

    def __str__(self) -> str:
        """Return the name of the store for people."""
        ...

    def exists(self) -> tuple[bool, bool]:
        """Whether the control log exists, and whether the journal exists."""
        ...

    def size(self) -> int | None:
        """The journal's size in bytes on this machine's disk. None if it is elsewhere."""
        ...

    def control(self, *, create: bool, wake: Callable[[], None] = _no_wake) -> Journal:
        """Open the control log's journal, creating it if it is missing and ``create`` allows it. ``wake`` is called
        when records of other processes arrive."""
        ...

    def journal(
        self, partitions: int | None, *, create: int | None = None, wake: Callable[[], None] = _no_wake
    ) -> Journal:
        """Open the journal. ``partitions`` is the number it must have. If it is missing, it is created with ``create``
        partitions."""
        ...


def _bytes_of(file: Path) -> int:
    """The size of a file. 0 if it vanished: SQLite deletes its WAL when the last connection closes."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


class FileStore:
    """The embedded store: everything in one directory."""

    def __init__(self, directory: Path, synchronous: Synchronous = "FULL") -> None:
        self.directory = directory
        self._synchronous = synchronous

    def __str__(self) -> str:
        return str(self.directory)

    def exists(self) -> tuple[bool, bool]:
        return (self.directory / CONTROL_FILE).exists(), (self.directory / JOURNAL_FILE).exists()

    def size(self) -> int | None:
        return sum(_bytes_of(file) for file in self.directory.glob(f"{JOURNAL_FILE}*"))

    def control(self, *, create: bool, wake: Callable[[], None] = _no_wake) -> Journal:
        return open_sqlite_journal(self.directory / CONTROL_FILE, 1, create=create, synchronous=self._synchronous)

    def journal(
        self, partitions: int | None, *, create: int | None = None, wake: Callable[[], None] = _no_wake
    ) -> Journal:
        wanted = partitions or (None if self.exists()[1] else create)
        path = self.directory / JOURNAL_FILE
        return open_sqlite_journal(path, wanted, create=create is not None, synchronous=self._synchronous)


class KafkaStore:
    """Two topics on a cluster, and a local directory for this process's own files."""

    def __init__(self, at: "KafkaAt", settings: "Settings", directory: Path) -> None:
        self.directory = directory
        self._at = at
        self._settings = settings

    def __str__(self) -> str:
        return str(self._at)

    def exists(self) -> tuple[bool, bool]:
        found = self._partition_counts()
        return found[self._at.control] is not None, found[self._at.journal] is not None

    def size(self) -> int | None:
        return None

    def control(self, *, create: bool, wake: Callable[[], None] = _no_wake) -> Journal:
        if create and self.exists() == (False, False):
            if any(self.directory.glob("state/*/journal-*.sqlite")):
                raise JournalUnavailable(
                    f"the topics at {self._at} are missing, but {self.directory} has local state of a journal there: "
                    "restore the topics. To begin a new journal, name another directory (RESCIND_DIRECTORY)"
                )
            self._make(self._settings.journal_at.partitions)
        return self._open(self._at.control, 1, wake)

    def journal(
        self, partitions: int | None, *, create: int | None = None, wake: Callable[[], None] = _no_wake
    ) -> Journal:
        """Open the journal. ``create`` has no effect, because both topics are created together when neither exists."""
        return self._open(self._at.journal, partitions, wake)

    def _open(self, topic: str, partitions: int | None, wake: Callable[[], None]) -> Journal:
        return open_topic(self._at.servers, topic, self._settings, partitions, wake)

    def _partition_counts(self) -> dict[str, int | None]:
        from infra.kafka.admin import Topics

        topics = Topics(self._at, self._settings.security)
        try:
            return topics.partitions()
        finally:
            topics.close()

    def _make(self, partitions: int | None) -> None:
        import sys

        from infra.kafka.admin import PARTITIONS as DEFAULT_PARTITIONS
        from infra.kafka.admin import Topics

        topics = Topics(self._at, self._settings.security)
        try:
            made = topics.create(partitions or DEFAULT_PARTITIONS)
        finally:
            topics.close()
        if made:
            sys.stderr.write(
                f"rescind: created the topics {' and '.join(made)} with "
                f"{counted(partitions or DEFAULT_PARTITIONS, 'partition')}\n"
            )


def open_topic(
    servers: str,
    topic: str,
    settings: "Settings",
    partitions: int | None = None,
    wake: Callable[[], None] = _no_wake,
) -> Journal:
    """Open the journal in a topic with the client that the settings name. JournalUnavailable, JournalMismatch."""
    if settings.kafka_client == "librdkafka":
        try:
            from infra.kafka.librdkafka import open_librdkafka_journal as opened
        except ImportError as missing:
            raise JournalUnavailable(
                "kafka_client is librdkafka, but it is not installed: install rescind[librdkafka] or remove the setting"
            ) from missing
    else:
        from infra.kafka.kafka_python import open_kafka_journal as opened
    return opened(servers, topic, partitions, security=settings.security, timings=settings.timings, wake=wake)


def store_of(settings: "Settings") -> Store | None:
    """The store that the settings name. None for ``memory:``, which stores nothing."""
    at = settings.journal_at
    if at.directory is None:
        return None
    if at.kafka is not None:
        return KafkaStore(at.kafka, settings, at.directory)
    return FileStore(at.directory, "NORMAL" if settings.synchronous == "normal" else "FULL")
