"""Reading a topic: a window over the newest records of every partition that is read, and questions asked beside it.

The *tail* is a thread that reads partitions at their ends and keeps what comes, a few megabytes of it. Whoever follows
the log closely reads from these windows and never waits for the network. What nobody reads for a while is not fetched:
a process that follows a share is not sent the rest. Whoever is further behind, or asks where the log ends, goes through
the *asker*: a second consumer, used by one caller at a time, each for a bounded time. After it failed once, callers are
told so at once, and one of them tries again every half second.
"""

import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Final, TypeVar

from consumers.ports.journal import JournalError, JournalRecord, JournalUnavailable
from infra.addresses.kafka import Timings
from infra.kafka.client import PositionLost, Reader

T = TypeVar("T")

_WINDOW_BYTES: Final = 4 * 1024 * 1024
_WINDOW_RECORDS: Final = 10_000
_POLL: Final = 0.1
_IDLE: Final = 10.0
"""Seconds after which a partition that nobody reads is not fetched any more."""
_AGAIN: Final = 0.5
"""Seconds between two tries while the brokers do not answer."""


class Window:
    """The newest records of one partition: all that the log has from ``start`` to before ``next``."""

    def __init__(self, end: int) -> None:
        self.start = end
        self.next = end
        self.error: JournalError | None = None
        """Why nothing more comes."""
        self.asked_at = time.monotonic()
        """When it was last asked for."""
        self.awaited = 0
        """How many wait for it to go on."""
        self._records: list[JournalRecord] = []
        self._bytes = 0

    def add(self, records: list[JournalRecord]) -> None:
        self._records += records
        self._bytes += sum(len(record.value) for record in records)
        self.next = records[-1].offset + 1
        if self._bytes > _WINDOW_BYTES or len(self._records) > _WINDOW_RECORDS:
            self._shrink()

    def read(self, offset: int, limit: int) -> list[JournalRecord]:
        """Records from ``offset`` on, which is not before ``start``."""
        records = self._records
        if offset >= self.next:
            return []
        first = bisect_left(records, offset, key=_offset)
        return records[first : first + limit]

    def _shrink(self) -> None:
        """Forget the older half."""
        kept, size = len(self._records), 0
        while kept > 0 and size < _WINDOW_BYTES // 2 and len(self._records) - kept < _WINDOW_RECORDS // 2:
            kept -= 1
            size += len(self._records[kept].value)
        del self._records[:kept]
        self._bytes = size
        self.start = self._records[0].offset


def _offset(record: JournalRecord) -> int:
    return record.offset


class Asker:
    """Ends, and records that lie behind: asked of the brokers by whoever wants to know."""

    def __init__(self, name: str, open_reader: Callable[[], Reader], timings: Timings) -> None:
        self._name = name
        self._open = open_reader
        self._timings = timings
        self._reader: Reader | None = None
        self._lock = threading.Lock()
        self._trouble: str | None = None
        self._again_at = 0.0

    def ends(self) -> dict[int, int]:
        """The end of every partition now."""
        return self._ask(lambda reader, timeout: reader.ends(timeout))

    def begins(self) -> dict[int, int]:
        """The first offset of every partition now."""
        return self._ask(lambda reader, timeout: reader.begins(timeout))

    def read(self, partition: int, offset: int, limit: int) -> tuple[list[JournalRecord], int]:
        """Records from an offset that is below the end, and where to read on. No records: there are none up to there.
        LogLost, JournalUnavailable, JournalDamaged."""
        return self._ask(lambda reader, timeout: reader.read_at(partition, offset, limit, timeout))

    def close(self) -> None:
        """From the one thread that may wait."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
            self._reader = None

    def _ask(self, question: Callable[[Reader, float], T]) -> T:
        timeout = self._timings.ask
        if self._trouble is not None:
            if time.monotonic() < self._again_at:
                raise self._unavailable(self._trouble)
            self._again_at = time.monotonic() + _AGAIN
            timeout = min(timeout, _AGAIN)
        if not self._lock.acquire(timeout=timeout):
            raise self._unavailable(self._trouble or "the brokers do not answer")
        try:
            if self._reader is None:
                self._reader = self._open()
            answer = question(self._reader, timeout)
            self._trouble = None
        except PositionLost as lost:
            raise next(iter(lost.errors.values())) from lost
        except JournalUnavailable as error:
            self._trouble = str(error)
            self._again_at = time.monotonic() + _AGAIN
            raise self._unavailable(str(error)) from error
        finally:
            self._lock.release()
        return answer

    def _unavailable(self, why: str) -> JournalUnavailable:
        return JournalUnavailable(f"{self._name} cannot be read now: {why}")


class Tail:
    """The windows, and the thread that fills them."""

    def __init__(
        self, name: str, open_reader: Callable[[], Reader], ends: dict[int, int], grown: Callable[[], None]
    ) -> None:
        """Follows these partitions from their ends. ``grown`` is called, in the thread, when records came."""
        self.windows = {partition: Window(end) for partition, end in ends.items()}
        self.changed = threading.Condition()
        self._name = name
        self._open = open_reader
        self._grown = grown
        self._moved = False
        """Whether another window is there than those that the reader follows."""
        self._followed: set[int] = set()
        """What the reader follows; a window that another thread has just made is not yet among them."""
        self._again: set[int] = set()
        self._wanted: dict[int, int] = {}
        self._closed = False
        threading.Thread(target=self._run, name=f"tail of {name}", daemon=True).start()

    def touched(self, partition: int) -> Window | None:
        """The window of a partition, which is read on; None if it is not followed; under ``changed``."""
        window = self.windows.get(partition)
        if window is not None:
            window.asked_at = time.monotonic()
        return window

    def follow(self, partition: int, end: int) -> Window:
        """The window of a partition; from ``end`` on if it was not followed."""
        with self.changed:
            window = self.touched(partition)
            if window is None:
                window = self.windows[partition] = Window(end)
                self._moved = True
            return window

    def wait_for(self, window: Window, partition: int, offset: int, end: int, timeout: float) -> bool:
        """Until the window has a record from ``offset`` on, or all that is below ``end``, or an error; under
        ``changed``."""
        self.want(partition, end)

        def came() -> bool:
            return window.next >= end or window.error is not None or bool(window.read(offset, 1))

        window.awaited += 1
        try:
            return self.changed.wait_for(came, timeout)
        finally:
            window.awaited -= 1

    def want(self, partition: int, end: int) -> None:
        """Have the window go on to ``end``, also over offsets that hold no record; under ``changed``."""
        self._wanted[partition] = max(end, self._wanted.get(partition, 0))

    def try_again(self, partition: int) -> None:
        """Read the partition on after its error was told; under ``changed``."""
        self._again.add(partition)

    def close(self) -> None:
        """The thread ends soon. Waits for nothing."""
        self._closed = True

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closed:
            reader: Reader | None = None
            try:
                reader = self._open()
                self._moved = True
                while not self._closed:
                    self._turn(reader)
            except JournalError:
                time.sleep(_POLL)
            except Exception as defect:  # noqa: BLE001 - nobody else would ever read on
                sys.stderr.write(f"rescind: a defect in reading {self._name}, which begins anew: {defect!r}\n")
                time.sleep(_POLL)
            finally:
                if reader is not None:
                    reader.close()

    def _turn(self, reader: Reader) -> None:
        if not self._share(reader):
            time.sleep(_POLL)
            return
        self._seek(reader)
        try:
            came = reader.poll(_POLL, _WINDOW_RECORDS)
        except PositionLost as lost:
            with self.changed:
                for partition, error in lost.errors.items():
                    if partition in self.windows:
                        self.windows[partition].error = error
                self.changed.notify_all()
            return
        if not came and not self._wanted:
            return
        with self.changed:
            for partition, records in came.items():
                if partition in self.windows:
                    self.windows[partition].add(records)
            for partition, end in tuple(self._wanted.items()):
                window = self.windows.get(partition)
                if window is None:
                    del self._wanted[partition]
                    continue
                if window.next < end and partition not in came and partition in self._followed:
                    window.next = max(window.next, reader.position(partition))  # behind what can hold no record
                if window.next >= end:
                    del self._wanted[partition]
            self.changed.notify_all()
        if came:
            self._grown()

    def _share(self, reader: Reader) -> bool:
        """Have the reader follow what is read, and nothing else; whether there is anything."""
        now = time.monotonic()
        with self.changed:
            idle = [p for p, window in self.windows.items() if not window.awaited and now - window.asked_at > _IDLE]
            for partition in idle:
                del self.windows[partition]
            moved, self._moved = self._moved or bool(idle), False
            places = {partition: window.next for partition, window in self.windows.items()}
        if moved:
            reader.follow(places)
            self._followed = set(places)
        return bool(places)

    def _seek(self, reader: Reader) -> None:
        if not self._again:
            return
        with self.changed:
            again, self._again = self._again, set()
            for partition in again & self.windows.keys() & self._followed:
                window = self.windows[partition]
                window.error = None
                reader.seek(partition, window.next)
