"""Read a topic: a window over the newest records of each partition in use, and queries for everything else.

The *tail* is a thread that reads partitions at their ends and stores a few megabytes of the newest records in windows.
A caller that follows the log closely reads from these windows and never waits for the network. A partition that nobody
reads for a while is no longer fetched, so a process that follows a share of the partitions does not receive the others.

``BrokerQueries`` answers callers that are further behind, and queries for the log's end. It is a second consumer, used
by one caller at a time, with a time limit. After a failure, callers get the error at once, and one of them retries
every half second.
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
"""Seconds after which a partition without readers is no longer fetched."""
_RETRY_AFTER: Final = 0.5
"""Seconds between two attempts while the brokers do not answer."""


class Window:
    """The newest records of one partition: all records of the log from ``start`` to before ``next``."""

    def __init__(self, end: int) -> None:
        self.start = end
        self.next = end
        self.error: JournalError | None = None
        """Why no more records arrive."""
        self.last_read_at = time.monotonic()
        """When it was last read."""
        self.awaited = 0
        """Number of callers that wait for it to advance."""
        self._records: list[JournalRecord] = []
        self._bytes = 0

    def add(self, records: list[JournalRecord]) -> None:
        self._records += records
        self._bytes += sum(len(record.value) for record in records)
        self.next = records[-1].offset + 1
        if self._bytes > _WINDOW_BYTES or len(self._records) > _WINDOW_RECORDS:
            self._shrink()

    def read(self, offset: int, limit: int) -> list[JournalRecord]:
        """Records from ``offset`` on, which must not be before ``start``."""
        records = self._records
        if offset >= self.next:
            return []
        first = bisect_left(records, offset, key=_offset)
        return records[first : first + limit]

    def _shrink(self) -> None:
        """Drop the older half."""
        first, size = len(self._records), 0
        while first > 0 and size < _WINDOW_BYTES // 2 and len(self._records) - first < _WINDOW_RECORDS // 2:
            first -= 1
            size += len(self._records[first].value)
        del self._records[:first]
        self._bytes = size
        self.start = self._records[0].offset


def _offset(record: JournalRecord) -> int:
    return record.offset


class BrokerQueries:
    """Queries to the brokers: where partitions begin and end, and older records."""

    def __init__(self, name: str, open_reader: Callable[[], Reader], timings: Timings) -> None:
        self._name = name
        self._open = open_reader
        self._timings = timings
        self._reader: Reader | None = None
        self._lock = threading.Lock()
        self._trouble: str | None = None
        self._retry_at = 0.0

    def ends(self) -> dict[int, int]:
        """The current end of every partition."""
        return self._run(lambda reader, timeout: reader.ends(timeout))

    def begins(self) -> dict[int, int]:
        """The current first offset of every partition."""
        return self._run(lambda reader, timeout: reader.begins(timeout))

    def read(self, partition: int, offset: int, limit: int) -> tuple[list[JournalRecord], int]:
        """Records from an offset below the end, and the offset to continue at. No records: there are none before that
        offset. LogLost, JournalUnavailable, JournalDamaged."""
        return self._run(lambda reader, timeout: reader.read_at(partition, offset, limit, timeout))

    def close(self) -> None:
        """Close the consumer. Waits, so only the thread that may wait calls this."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
            self._reader = None

    def _run(self, query: Callable[[Reader, float], T]) -> T:
        timeout = self._timings.query
        if self._trouble is not None:
            if time.monotonic() < self._retry_at:
                raise self._unavailable(self._trouble)
            self._retry_at = time.monotonic() + _RETRY_AFTER
            timeout = min(timeout, _RETRY_AFTER)
        if not self._lock.acquire(timeout=timeout):
            raise self._unavailable(self._trouble or "the brokers do not answer")
        try:
            if self._reader is None:
                self._reader = self._open()
            answer = query(self._reader, timeout)
            self._trouble = None
        except PositionLost as lost:
            raise next(iter(lost.errors.values())) from lost
        except JournalUnavailable as error:
            self._trouble = str(error)
            self._retry_at = time.monotonic() + _RETRY_AFTER
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
        """Follow these partitions from their ends. ``grown`` is called in the thread when records arrive."""
        self.windows = {partition: Window(end) for partition, end in ends.items()}
        self.changed = threading.Condition()
        self._name = name
        self._open = open_reader
        self._grown = grown
        self._assignment_changed = False
        """Whether the windows differ from the partitions that the reader follows."""
        self._followed: set[int] = set()
        """Partitions that the reader follows. A window that another thread has just added is not among them yet."""
        self._to_retry: set[int] = set()
        self._wanted: dict[int, int] = {}
        self._closed = False
        threading.Thread(target=self._run, name=f"tail of {name}", daemon=True).start()

    def touch(self, partition: int) -> Window | None:
        """The window of a partition, marked as in use. None if the partition is not followed. Called under
        ``changed``."""
        window = self.windows.get(partition)
        if window is not None:
            window.last_read_at = time.monotonic()
        return window

    def follow(self, partition: int, end: int) -> Window:
        """The window of a partition. A new one begins at ``end``."""
        with self.changed:
            window = self.touch(partition)
            if window is None:
                window = self.windows[partition] = Window(end)
                self._assignment_changed = True
            return window

    def wait_for(self, window: Window, partition: int, offset: int, end: int, timeout: float) -> bool:
        """Wait until the window has a record from ``offset`` on, or everything below ``end``, or an error. Called under
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
        """Have the window advance to ``end``, even over offsets without records. Called under ``changed``."""
        self._wanted[partition] = max(end, self._wanted.get(partition, 0))

    def retry(self, partition: int) -> None:
        """Continue reading the partition after its error was raised. Called under ``changed``."""
        self._to_retry.add(partition)

    def close(self) -> None:
        """End the thread soon. Does not wait."""
        self._closed = True

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closed:
            reader: Reader | None = None
            try:
                reader = self._open()
                self._assignment_changed = True
                while not self._closed:
                    self._poll_once(reader)
            except JournalError:
                time.sleep(_POLL)
            except Exception as defect:  # noqa: BLE001 - no other thread would continue reading
                sys.stderr.write(
                    f"rescind: an internal error while reading {self._name}, which is restarted: {defect!r}\n"
                )
                time.sleep(_POLL)
            finally:
                if reader is not None:
                    reader.close()

    def _poll_once(self, reader: Reader) -> None:
        if not self._assign(reader):
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
                    window.next = max(window.next, reader.position(partition))  # past offsets that hold no record
                if window.next >= end:
                    del self._wanted[partition]
            self.changed.notify_all()
        if came:
            self._grown()

    def _assign(self, reader: Reader) -> bool:
        """Have the reader follow exactly the partitions with a window. Returns whether there are any."""
        now = time.monotonic()
        with self.changed:
            idle = [p for p, window in self.windows.items() if not window.awaited and now - window.last_read_at > _IDLE]
            for partition in idle:
                del self.windows[partition]
            moved, self._assignment_changed = self._assignment_changed or bool(idle), False
            places = {partition: window.next for partition, window in self.windows.items()}
        if moved:
            reader.follow(places)
            self._followed = set(places)
        return bool(places)

    def _seek(self, reader: Reader) -> None:
        if not self._to_retry:
            return
        with self.changed:
            again, self._to_retry = self._to_retry, set()
            for partition in again & self.windows.keys() & self._followed:
                window = self.windows[partition]
                window.error = None
                reader.seek(partition, window.next)
