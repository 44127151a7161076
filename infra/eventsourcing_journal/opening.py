"""Which store belongs to an application, opened once a process and shared: one journal per topic, counted.

Opening takes the one lock of this room. Releasing takes none, since ``Application.__del__`` releases from whatever
thread the garbage collector happens to run in: it leaves a note, and the next opening, or the janitor's thread, sees to
it. So a journal in memory is gone as soon as its last application is closed, and never in the middle of two.
"""

import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final, Generic, TypeVar
from urllib.parse import quote, unquote, urlsplit

from consumers.journal import Journal
from infra.eventsourcing_journal.store import Store, closed
from infra.journals.memory import MemoryLog
from infra.journals.sqlite import open_sqlite_journal
from infra.local_state import Slot, claim_slot, memory_local_state, open_local_state

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Address:
    """Where an application's events are: the journal's URL, its topic there, and the partition of the topic.

    URLs are ``memory:`` or ``memory:NAME`` (one per name and process) and ``sqlite:///DIR``. ``partitions`` is how many
    a new topic gets; one that exists keeps its own.
    """

    url: str
    topic: str
    partition: int = 0
    partitions: int = 1


class Lease:
    """A share in a store, until it is released. The store closes behind its last one."""

    def __init__(self, address: Address, store: Store) -> None:
        self._address = address
        self._held = [store]

    @property
    def store(self) -> Store:
        """OperationalError once it was released."""
        try:
            return self._held[0]
        except IndexError:
            raise closed() from None

    def another(self) -> "Lease":
        """One more share in the same store."""
        self.store.poke()
        return lease(self._address)

    def release(self) -> None:
        """Give it up. Takes no lock, joins nobody, and may be called more than once."""
        try:
            self._held.pop()
        except IndexError:
            return
        _released.append(self._address)
        _notes.put(None)


def lease(address: Address) -> Lease:
    """A share in the store of this address, opened if nobody in this process has it open.

    ValueError for a URL that means nothing here; JournalError if the log is not what the local state remembers.
    """
    with _lock:
        _sweep()
        _start_janitor()
        return Lease(address, _stores.take(_key(address), lambda: _open(address)))


# ---- opening, under the lock -----------------------------------------------------------------------------------------


class _Counted(Generic[V]):
    """Values that several share: made for the first who takes one, disposed of behind the last who leaves it."""

    def __init__(self, dispose: Callable[[V], None]) -> None:
        self._dispose = dispose
        self._shared: dict[Hashable, tuple[V, int]] = {}

    def take(self, key: Hashable, make: Callable[[], V]) -> V:
        value, count = self._shared.get(key) or (make(), 0)
        self._shared[key] = (value, count + 1)
        return value

    def leave(self, key: Hashable) -> None:
        value, count = self._shared[key]
        if count > 1:
            self._shared[key] = (value, count - 1)
        else:
            del self._shared[key]
            self._dispose(value)


def _key(address: Address) -> tuple[str, str, int]:
    return (address.url, address.topic, address.partition)


def _open(address: Address) -> Store:
    """The store of an address, made of parts that are shared themselves; what was taken is left when it is closed."""
    taken: list[Callable[[], None]] = []

    def let_go() -> None:
        while taken:
            taken.pop()()

    try:
        scheme, place = _parse(address.url)
        topic = (address.url, address.topic)
        if scheme == "memory":
            journal: Journal = _journals.take(topic, lambda: _memory_journal(address))
            taken.append(lambda: _journals.leave(topic))
            state = memory_local_state(address.partition, journal.partitions)
        else:
            directory = Path(place)
            directory.mkdir(parents=True, exist_ok=True)
            slot = _slots.take(directory, lambda: claim_slot(directory))
            taken.append(lambda: _slots.leave(directory))
            file = quote(address.topic, safe="")
            journal = _journals.take(
                topic, lambda: open_sqlite_journal(directory / f"{file}.sqlite", address.partitions)
            )
            taken.append(lambda: _journals.leave(topic))
            state_file = slot.path / f"{file}-{address.partition:02}.sqlite"
            state = open_local_state(state_file, address.partition, journal.partitions).state
        taken.append(state.close)
        return Store(journal, address.partition, state, address.topic, let_go=let_go)
    except BaseException:
        let_go()
        raise


def _parse(url: str) -> tuple[str, str]:
    """The scheme of a journal's URL, and the directory, or the name in memory."""
    parts = urlsplit(url)
    if parts.scheme == "memory" and not parts.netloc:
        return parts.scheme, parts.path
    if parts.scheme == "sqlite" and not parts.netloc and parts.path not in ("", "/"):
        return parts.scheme, unquote(parts.path)
    raise ValueError(f"journal {url!r}: it must be memory:, memory:NAME or sqlite:///DIRECTORY")


def _memory_journal(address: Address) -> Journal:
    log = MemoryLog(address.partitions, lambda: time.time_ns() // 1000, identity=f"{address.url}/{address.topic}")
    return log.journal(address.topic)


def _close_journal(journal: Journal) -> None:
    journal.close()


_lock: Final = Lock()
_released: Final[deque[Address]] = deque()
_notes: Final[SimpleQueue[None]] = SimpleQueue()
_journals: Final[_Counted[Journal]] = _Counted(_close_journal)
_slots: Final[_Counted[Slot]] = _Counted(Slot.release)
_stores: Final[_Counted[Store]] = _Counted(Store.close)


@cache
def _start_janitor() -> None:
    """Once a process, with the first store."""
    Thread(target=_keep_house, name="store janitor", daemon=True).start()


def _sweep() -> None:
    """See to the shares that were released; under the lock."""
    while _released:
        _stores.leave(_key(_released.popleft()))


def _keep_house() -> None:
    while True:
        _notes.get()
        with _lock:
            _sweep()
