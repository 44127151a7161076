"""The port through which recorders read and write: one partition of one topic.

``PartitionStore`` (``partition_store``) follows the partition in a thread of its own. Inside an engine's process,
``infra.application`` uses ``EngineStore`` (``engine_store``), which reads through the engine's follower.

``__del__`` of the library's applications may run in any thread, at any point. So the methods that it calls
(``Store.unlisten``, ``Lease.release``) take no lock and join no thread.
"""

from collections.abc import Callable
from threading import Event
from typing import Protocol, TypeVar

from eventsourcing.persistence import DatabaseError, OperationalError, PersistenceError

from consumers.ports.journal import JournalError, JournalUnavailable
from consumers.ports.local_state import LocalState
from infra.eventsourcing_journal.drafts import Draft

T = TypeVar("T")


class Store(Protocol):
    """One partition of one topic. Any thread may call any method.

    Errors are those of ``eventsourcing.persistence``. IntegrityError: the save lost a race or never fitted. DataError:
    no commit can hold it. OperationalError: it may succeed later. DatabaseError: the log is damaged, truncated or
    another one (``rescind doctor`` says what to do).
    """

    def save(self, draft: Draft) -> None:
        """Write a draft. Its future is answered when its commit was read back and admitted, or can never be."""
        ...

    def read(self, question: Callable[[LocalState], T], *, fresh: bool = True) -> T:
        """Answer a question about the current log. The question must read everything it needs before it returns.

        ``fresh`` False: use what this process has followed so far, without querying the log's end. That includes
        everything saved here. Recent saves of other processes may be missing, and a save based on the older state
        fails.
        """
        ...

    def listen(self, grown: Event) -> None:
        """Set ``grown`` whenever a commit is admitted, whichever process wrote it."""
        ...

    def unlisten(self, grown: Event) -> None:
        """Stop setting ``grown``. Takes no lock."""
        ...


class Lease:
    """A share in a store, until it is released. The issuer decides when the store ends."""

    def __init__(self, store: Store, again: Callable[[], "Lease"], released: Callable[[], None]) -> None:
        """``again`` returns one more share. ``released`` is called once, takes no lock and joins no thread."""
        self._held = [store]
        self._again = again
        self._released = released

    @property
    def store(self) -> Store:
        """The store. OperationalError after ``release``."""
        try:
            return self._held[0]
        except IndexError:
            raise closed() from None

    def another(self) -> "Lease":
        """One more share in the same store."""
        return self._again() if self._held else _refused()

    def release(self) -> None:
        """Give the share up. Takes no lock, joins no thread, and may be called more than once."""
        try:
            self._held.pop()
        except IndexError:
            return
        self._released()


def closed() -> OperationalError:
    """The error of every call on a store, or on a factory, after it was closed."""
    return OperationalError("the journal was closed: construct the application again")


def as_persistence_error(error: JournalError) -> PersistenceError:
    """Translate an error of the log to one of the library's."""
    if isinstance(error, JournalUnavailable):
        return OperationalError(str(error))
    return DatabaseError(f"{type(error).__name__}: {error}")


def _refused() -> Lease:
    raise closed()
