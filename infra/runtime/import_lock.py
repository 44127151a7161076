"""The import lock of a store: says whether a process of this machine is importing. An open import without it broke off.

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
"""About an import that was broken off."""


@contextlib.contextmanager
def held(directory: Path | None) -> Iterator[None]:
    """Import for as long as the block lasts, beside any number of others. None: the store is nobody else's."""
    if directory is None:
        yield
        return
    directory.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(FileIO(directory / LOCK_FILE, "a")) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def is_held(directory: Path) -> bool:
    """Whether a process of this machine imports into the store in ``directory``."""
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
