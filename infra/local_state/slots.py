"""Slots: directories for local state. A process owns its slot until it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from io import FileIO
from pathlib import Path


@dataclass(slots=True)
class Slot:
    """A directory that belongs to this process until ``release``, or until the process ends."""

    path: Path
    number: int
    _lock: FileIO

    def release(self) -> None:
        """Free the slot for another process. Its files stay. Call it once."""
        self._lock.close()


def claim_slot(directory: Path) -> Slot:
    """Claim the free slot with the smallest number in ``directory``/state, creating it if needed."""
    number = 0
    while True:
        path = slot_path(directory, number)
        path.mkdir(parents=True, exist_ok=True)
        lock = FileIO(path / "lock", "a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            number += 1
            continue
        except OSError:
            lock.close()
            raise
        return Slot(path, number, lock)


def slot_path(directory: Path, number: int) -> Path:
    """The path of a slot, claimed or not."""
    return directory / "state" / str(number)


def slots_in(directory: Path) -> Iterator[Path]:
    """Every existing slot, claimed or not."""
    number = 0
    while (path := slot_path(directory, number)).is_dir():
        yield path
        number += 1


def is_claimed(directory: Path, number: int) -> bool:
    """Whether a process owns this slot now."""
    path = slot_path(directory, number)
    if not (path / "lock").exists():
        return False
    with closing(FileIO(path / "lock", "a")) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def state_file(slot: Path, partition: int) -> Path:
    """The local state file of a partition in a slot."""
    return slot / f"journal-{partition}.sqlite"
