"""The import lock of a store: held while a process of this machine imports. An open import without it broke off.

The lock is a file lock in the store's directory. It ends with its process, however that ends.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Final

LOCK_FILE: Final = "import.lock"
WHAT_TO_DO: Final = "run the same import again, or close it with `rescind import --finish`"
"""What to do about an import that broke off."""


@contextlib.contextmanager
def held(directory: Path | None) -> Iterator[None]:
    """Hold the lock for the length of a block. Any number of imports may hold it. None: no other process has the
    store."""
    if directory is None:
        yield
        return
    directory.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(FileIO(directory / LOCK_FILE, "a")) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def is_held(directory: Path) -> bool:
    """Whether a process of this machine is importing into the store in ``directory``."""
    try:
        lock = FileIO(directory / LOCK_FILE, "r")
    except FileNotFoundError:
        return False
    with contextlib.closing(lock):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
