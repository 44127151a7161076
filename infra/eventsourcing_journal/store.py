"""What recorders read from and write to: one partition of one topic, as a port.

``PartitionStore`` (``partition_store``) follows the partition by itself, in a thread of its own; inside an engine's
process ``infra.application`` has one that uses the engine's follower instead.

``__del__`` of the library's applications may run in any thread, in the middle of anything. So what is called from there
(``Store.unlisten``, ``Lease.release``) takes no lock and joins nobody.
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

    Errors are those of ``eventsourcing.persistence``: IntegrityError for what lost a race or never fitted, DataError
    for what no commit can hold, OperationalError for what may succeed later, DatabaseError for a log that is damaged,
    truncated or another one (``rescind doctor`` says what to do).
    """

    def save(self, draft: Draft) -> None:
        """Write a draft: its future is answered once its commit was read back and admitted, or never can be."""
        ...

    def read(self, question: Callable[[LocalState], T], *, fresh: bool = True) -> T:
        """The answer to a question about the log as it stands now; all that it needs it reads before it returns.

        ``fresh`` False: as far as the log has come to this process, without asking where it ends. That has all that was
        saved here; what others have just saved may be missing, which a save on it finds out.
        """
        ...

    def listen(self, grown: Event) -> None:
        """Set ``grown`` whenever a commit was admitted, whichever process wrote it."""
        ...

    def unlisten(self, grown: Event) -> None:
        """Set it no more. Takes no lock."""
        ...


class Lease:
    """A share in a store, until it is released. Whoever hands it out knows what becomes of the store then."""

    def __init__(self, store: Store, again: Callable[[], "Lease"], released: Callable[[], None]) -> None:
        """``again`` gives one more share; ``released`` is called once, takes no lock and joins nobody."""
        self._held = [store]
        self._again = again
        self._released = released

    @property
    def store(self) -> Store:
        """OperationalError once it was released."""
        try:
            return self._held[0]
        except IndexError:
            raise closed() from None

    def another(self) -> "Lease":
        """One more share in the same store."""
        return self._again() if self._held else _refused()

    def release(self) -> None:
        """Give it up. Takes no lock, joins nobody, and may be called more than once."""
        try:
            self._held.pop()
        except IndexError:
            return
        self._released()


def closed() -> OperationalError:
    """What everything raises that is asked of a store, or of a factory, after it was closed."""
    return OperationalError("the journal was closed: construct the application anew")


def as_persistence_error(error: JournalError) -> PersistenceError:
    """An error of the log, as the library knows it."""
    if isinstance(error, JournalUnavailable):
        return OperationalError(str(error))
    return DatabaseError(f"{type(error).__name__}: {error}")


def _refused() -> Lease:
    raise closed()
