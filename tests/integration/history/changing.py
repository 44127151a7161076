"""Stores whose history is changed behind the engine's back, as an attacker, a broken disk or a wrong copy would."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import patch

from infra.app import App, AppOptions, open_app
from infra.settings import load_settings
from tests.golden.stores import unpack
from tests.integration.cli.driving import Store

WAL_SUFFIXES = ("-wal", "-shm")


def released(into: Path) -> Store:
    """A copy of the store that release 0.1.0 left: three partitions, views, vault, notification store."""
    unpack("0.1.0", into).rename(into / "journal")
    return Store(into, partitions=3, more={"RESCIND_VIEWS": f"sqlite:///{into}/journal/views.sqlite"})


@contextmanager
def opened(store: Store, *, texts_lost: bool = False) -> Iterator[App]:
    """The store's engine, as `rescind serve` starts it."""
    with patch.dict("os.environ", store.environment, clear=True):
        settings = load_settings()
    with open_app(settings, AppOptions(publish=True, texts_lost=texts_lost)) as app:
        yield app


def settle(path: Path) -> None:
    """Merge SQLite's write-ahead log into its file. The log may remain, empty, if an engine has the file open."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def change(path: Path, by: Callable[[sqlite3.Connection], object]) -> None:
    """Change a file through SQLite, and leave everything in the file itself."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        by(database)
    settle(path)


def cut_tail(store: Store, records: int, partitions: int = 3) -> None:
    """The journal as it was before its newest records: an older copy."""

    def cut(database: sqlite3.Connection) -> None:
        for partition in range(partitions):
            table = f"partition_{partition}"
            database.execute(f"DELETE FROM {table} WHERE offset > (SELECT max(offset) - ? FROM {table})", (records,))

    change(store.journal / "journal.sqlite", cut)


def remove_local_state(store: Store) -> None:
    """As every restore from a copy does."""
    shutil.rmtree(store.journal / "state")


def findings(store: Store, *options: str, check: int = 0) -> dict[str, tuple[str, str, str]]:
    """What `rescind doctor` finds of each part; of a part that is found twice the worse, else the later."""
    report = store.rescind("doctor", "--json", *options, check=check).json
    report.sort(key=lambda finding: finding["state"] == "wrong")
    return {f["part"]: (f["state"], f["said"], f["do"]) for f in report}
