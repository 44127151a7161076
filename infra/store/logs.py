"""Where the two logs of a store are: two files in a directory, or two topics on a Kafka cluster.

Nothing is judged here: ``infra.store.opening`` knows what belongs together, and when something new may be made.
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


def _nobody() -> None:
    """Nobody is woken."""


class Store(Protocol):
    """A control log and a journal. Opening raises JournalError."""

    directory: Path
    """What is this process's own: local state, and beside it vault and views."""

    def __str__(self) -> str:
        """As it is named to people."""
        ...

    def there(self) -> tuple[bool, bool]:
        """Whether there is a control log, and whether there is a journal."""
        ...

    def size(self) -> int | None:
        """Bytes of the journal on this machine's disk; None where it is not kept there."""
        ...

    def control(self, *, create: bool, wake: Callable[[], None] = _nobody) -> Journal:
        """The control log's journal, made if need be and allowed. ``wake`` is called when others' records came."""
        ...

    def journal(
        self, partitions: int | None, *, create: int | None = None, wake: Callable[[], None] = _nobody
    ) -> Journal:
        """The journal, which must have so many partitions; made with ``create`` of them if it is not there."""
        ...


def _bytes_of(file: Path) -> int:
    """The size of a file; 0 where SQLite has just taken it away, as it does with its WAL when the last one closes."""
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

    def there(self) -> tuple[bool, bool]:
        return (self.directory / CONTROL_FILE).exists(), (self.directory / JOURNAL_FILE).exists()

    def size(self) -> int | None:
        return sum(_bytes_of(file) for file in self.directory.glob(f"{JOURNAL_FILE}*"))

    def control(self, *, create: bool, wake: Callable[[], None] = _nobody) -> Journal:
        return open_sqlite_journal(self.directory / CONTROL_FILE, 1, create=create, synchronous=self._synchronous)

    def journal(
        self, partitions: int | None, *, create: int | None = None, wake: Callable[[], None] = _nobody
    ) -> Journal:
        asked = partitions or (None if self.there()[1] else create)
        path = self.directory / JOURNAL_FILE
        return open_sqlite_journal(path, asked, create=create is not None, synchronous=self._synchronous)


class KafkaStore:
    """Two topics, with local files beside them."""

    def __init__(self, at: "KafkaAt", settings: "Settings", directory: Path) -> None:
        self.directory = directory
        self._at = at
        self._settings = settings

    def __str__(self) -> str:
        return str(self._at)

    def there(self) -> tuple[bool, bool]:
        found = self._counted()
        return found[self._at.control] is not None, found[self._at.journal] is not None

    def size(self) -> int | None:
        return None

    def control(self, *, create: bool, wake: Callable[[], None] = _nobody) -> Journal:
        if create and self.there() == (False, False):
            if any(self.directory.glob("state/*/journal-*.sqlite")):
                raise JournalUnavailable(
                    f"there are no topics at {self._at}, but {self.directory} remembers a journal there: bring them "
                    "back. If a new journal is meant, name another directory (RESCIND_DIRECTORY)"
                )
            self._make(self._settings.journal_at.partitions)
        return self._open(self._at.control, 1, wake)

    def journal(
        self, partitions: int | None, *, create: int | None = None, wake: Callable[[], None] = _nobody
    ) -> Journal:
        """``create`` changes nothing: both topics are made at once, when there is neither."""
        return self._open(self._at.journal, partitions, wake)

    def _open(self, topic: str, partitions: int | None, wake: Callable[[], None]) -> Journal:
        return open_topic(self._at.servers, topic, self._settings, partitions, wake)

    def _counted(self) -> dict[str, int | None]:
        from infra.kafka.admin import Topics

        topics = Topics(self._at, self._settings.security)
        try:
            return topics.partitions()
        finally:
            topics.close()

    def _make(self, partitions: int | None) -> None:
        import sys

        from infra.kafka.admin import PARTITIONS as MANY
        from infra.kafka.admin import Topics

        topics = Topics(self._at, self._settings.security)
        try:
            made = topics.create(partitions or MANY)
        finally:
            topics.close()
        if made:
            sys.stderr.write(
                f"rescind: made the topics {' and '.join(made)}, {counted(partitions or MANY, 'partition')}\n"
            )


def open_topic(
    servers: str,
    topic: str,
    settings: "Settings",
    partitions: int | None = None,
    wake: Callable[[], None] = _nobody,
) -> Journal:
    """The journal in a topic, by the client that the settings name. JournalUnavailable, JournalMismatch."""
    if settings.kafka_client == "librdkafka":
        try:
            from infra.kafka.librdkafka import open_librdkafka_journal as opened
        except ImportError as missing:
            raise JournalUnavailable(
                "kafka_client is librdkafka, but it is not installed: install rescind[librdkafka], or leave the setting"
            ) from missing
    else:
        from infra.kafka.kafka_python import open_kafka_journal as opened
    return opened(servers, topic, partitions, security=settings.security, timings=settings.timings, wake=wake)


def store_of(settings: "Settings") -> Store | None:
    """The store that the settings name; None for ``memory:``, which is kept nowhere."""
    at = settings.journal_at
    if at.directory is None:
        return None
    if at.kafka is not None:
        return KafkaStore(at.kafka, settings, at.directory)
    return FileStore(at.directory, "NORMAL" if settings.synchronous == "normal" else "FULL")
