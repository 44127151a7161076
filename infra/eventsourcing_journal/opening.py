"""Open the store of an application. The process shares it: one journal per topic, with a reference count.

Opening takes this module's one lock. Releasing takes none, because the garbage collector calls ``Application.__del__``
in any thread. It queues a note instead, and the next opening or the janitor thread handles it. So a journal in memory
ends soon after its last application is closed, and never while another one uses it.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final, Generic, TypeVar
from urllib.parse import quote

from consumers.ports.journal import Journal
from consumers.ports.local_state import LocalState
from infra.eventsourcing_journal.partition_store import PartitionStore
from infra.eventsourcing_journal.store import Lease
from infra.journals.memory import MemoryLog
from infra.journals.sqlite import open_sqlite_journal
from infra.local_state import Slot, claim_slot, memory_local_state, open_local_state
from infra.settings import journal_at, load_settings
from infra.store.logs import open_topic

V = TypeVar("V")

_MEMORY: Final = "memory:"
_SQLITE: Final = "sqlite:///"
_KAFKA: Final = "kafka://"
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._\-]")
"""Characters that the name of a topic must not have."""


@dataclass(frozen=True, slots=True)
class Address:
    """The place of an application's events: the journal's URL, the topic, and the partition of the topic.

    URLs are ``memory:`` or ``memory:NAME`` (one per name and process), ``sqlite:///DIRECTORY`` and
    ``kafka://HOST:PORT/PREFIX``. ``create`` is the number of partitions of a new topic; None: the topic must exist.
    ``directory`` has the local state of a journal on Kafka; None: it is in memory, and read from the log each time.
    """

    url: str
    topic: str
    partition: int = 0
    create: int | None = field(default=1, compare=False)
    directory: Path | None = None


def open_lease(address: Address) -> Lease:
    """Return a share in the store of this address, which is opened if this process has not opened it yet.

    ValueError for an invalid URL or partition. JournalError if the log is missing, or differs from what local state
    recorded.
    """
    address = _normalized(address)
    with _lock:
        _sweep()
        _start_janitor()
        store = _stores.take(address, lambda: _open(address))

    def released() -> None:
        _released.append(address)
        _wakeups.put(None)

    return Lease(store, lambda: open_lease(address), released)


# ---- opening, under the lock -----------------------------------------------------------------------------------------


class _Counted(Generic[V]):
    """Shared values with reference counts: created for the first user, disposed of after the last."""

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


def _open(address: Address) -> PartitionStore:
    """Open the store of an address from shared parts. Closing the store gives the parts up."""
    taken: list[Callable[[], None]] = []

    def on_close() -> None:
        while taken:
            taken.pop()()

    def shared(counted: _Counted[V], key: Hashable, make: Callable[[], V]) -> V:
        value = counted.take(key, make)
        taken.append(lambda: counted.leave(key))
        return value

    partition, topic = address.partition, (address.url, address.topic)
    try:
        if address.url.startswith(_MEMORY):
            journal = shared(_journals, topic, lambda: _memory_journal(address))
            state: LocalState = memory_local_state(partition, journal.partitions)
        elif address.url.startswith(_KAFKA):
            journal = shared(_journals, topic, lambda: _kafka_journal(address))
            if address.directory is None:
                state = memory_local_state(partition, journal.partitions)
            else:
                own = address.directory
                slot = shared(_slots, own, lambda: claim_slot(own))
                file = f"{quote(address.topic, safe='')}-{partition}.sqlite"
                state = open_local_state(slot.path / file, partition, journal.partitions).state
        else:
            directory = Path(address.url.removeprefix(_SQLITE))
            file = quote(address.topic, safe="")
            slot = shared(_slots, directory, lambda: claim_slot(directory))
            path = directory / f"{file}.sqlite"
            journal = shared(_journals, topic, lambda: open_sqlite_journal(path, address.create))
            state = open_local_state(slot.path / f"{file}-{partition}.sqlite", partition, journal.partitions).state
        taken.append(state.close)
        if not 0 <= partition < journal.partitions:
            raise ValueError(
                f"{address.topic} has no partition {partition}: JOURNAL_PARTITION must be below {journal.partitions}"
            )
        return PartitionStore(journal, partition, state, address.topic, on_close=on_close)
    except BaseException:
        on_close()
        raise


def _normalized(address: Address) -> Address:
    """The address with one spelling of its URL, however the directory was named."""
    if address.url.startswith(_MEMORY):
        return address
    at = journal_at(address.url)
    if at.kafka is not None:
        own = None if address.directory is None else address.directory.resolve()
        return replace(address, url=str(at.kafka), create=at.partitions or address.create, directory=own)
    assert at.directory is not None
    return replace(address, url=f"{_SQLITE}{at.directory.resolve()}", create=at.partitions or address.create)


def _memory_journal(address: Address) -> Journal:
    log = MemoryLog(address.create or 1, lambda: time.time_ns() // 1000, identity=f"{address.url}/{address.topic}")
    return log.journal(address.topic)


def _kafka_journal(address: Address) -> Journal:
    """The topic PREFIX.TOPIC. How to connect to the brokers comes from rescind's own settings in the environment."""
    from infra.addresses.kafka import kafka_at
    from infra.kafka.admin import OneTopic

    settings = load_settings()
    at = kafka_at(address.url.removeprefix(_KAFKA))
    name = f"{at.prefix}.{_UNFIT.sub('_', address.topic)}"
    if address.create is not None:
        with closing(OneTopic(at, name, settings.security)) as topic:
            topic.create(address.create)
    return open_topic(at.servers, name, settings)


def _close_journal(journal: Journal) -> None:
    journal.close()


_lock: Final = Lock()
_released: Final[deque[Address]] = deque()
_wakeups: Final[SimpleQueue[None]] = SimpleQueue()
_journals: Final[_Counted[Journal]] = _Counted(_close_journal)
_slots: Final[_Counted[Slot]] = _Counted(Slot.release)
_stores: Final[_Counted[PartitionStore]] = _Counted(PartitionStore.close)


@cache
def _start_janitor() -> None:
    """Start the janitor thread, once per process, with the first store."""
    Thread(target=_run_janitor, name="store janitor", daemon=True).start()


def _sweep() -> None:
    """Give up the shares that were released. Called under the lock."""
    while _released:
        _stores.leave(_released.popleft())


def _run_janitor() -> None:
    while True:
        _wakeups.get()
        with _lock:
            _sweep()
