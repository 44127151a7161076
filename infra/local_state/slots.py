"""Slots: directories for local state, each one process's own for as long as it lives."""

import fcntl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from io import FileIO
from pathlib import Path


@dataclass(slots=True)
class Slot:
    """A directory that is this process's own until it is released, or the process is gone."""

    path: Path
    number: int
    _lock: FileIO

    def release(self) -> None:
        """Let another process have it; the files stay for it. Once is enough."""
        self._lock.close()


def claim_slot(directory: Path) -> Slot:
    """The free slot with the smallest number below ``directory``/state, made if need be."""
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
    """Where the slot with this number is, claimed or not."""
    return directory / "state" / str(number)


def slots_in(directory: Path) -> Iterator[Path]:
    """Every slot that there is, claimed or not."""
    number = 0
    while (path := slot_path(directory, number)).is_dir():
        yield path
        number += 1


def is_claimed(directory: Path, number: int) -> bool:
    """Whether some process has this slot now."""
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
    """The local state of a partition in a slot."""
    return slot / f"journal-{partition}.sqlite"
