"""The embedded journal: the contract, several processes, kill -9, damaged files."""

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings

from consumers.ports.journal import (
    Appended,
    AppendRefused,
    JournalDamaged,
    JournalError,
    JournalMismatch,
    JournalUnavailable,
    LogLost,
)
from infra.journals.sqlite import MAX_PARTITIONS, SqliteJournal, open_sqlite_journal
from tests.contract.journal.contract import (
    TIMEOUT,
    JournalContract,
    check_that_any_records_are_read_back,
    done,
    some_records,
)
from tests.effort import examples


class SqliteTopic:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = count(1000).__next__
        self.handles: list[SqliteJournal] = []

    def open(self) -> SqliteJournal:
        handle = open_sqlite_journal(self.path, JournalContract.PARTITIONS, synchronous="OFF", clock=self.clock)
        self.handles.append(handle)
        return handle

    def cut_front(self, partition: int, begin: int) -> None:
        with closing(sqlite3.connect(self.path)) as file, file:
            file.execute(f"DELETE FROM partition_{partition} WHERE offset < ?", (begin,))


@pytest.fixture
def topic(tmp_path: Path) -> Iterator[SqliteTopic]:
    made = SqliteTopic(tmp_path / "one.sqlite")
    yield made
    for handle in made.handles:
        handle.close()


class TestSqliteJournal(JournalContract):
    @pytest.fixture
    def another_topic(self, tmp_path: Path) -> SqliteTopic:
        return SqliteTopic(tmp_path / "two.sqlite")


@settings(max_examples=examples(20))
@given(some_records)
def test_any_records_are_read_back(records: list[tuple[int, bytes]]) -> None:
    with TemporaryDirectory() as folder:
        check_that_any_records_are_read_back(SqliteTopic(Path(folder) / "journal.sqlite").open(), records)


def written(path: Path, *values: bytes) -> Path:
    """A file with these records in partition 0, closed whole."""
    journal = open_sqlite_journal(path, 1)
    for value in values:
        done(journal.append(0, b"", value))
    journal.close()
    journal._thread.join(TIMEOUT)
    return path


def test_a_file_is_whole_on_the_disk_before_an_append_is_answered(tmp_path: Path) -> None:
    journal = open_sqlite_journal(tmp_path / "j.sqlite", 1)
    done(journal.append(0, b"", b"x"))
    for name in ("j.sqlite", "j.sqlite-wal"):
        shutil.copy(tmp_path / name, tmp_path / f"copy-{name}")
    (tmp_path / "copy-j.sqlite-wal").rename(tmp_path / "copy.sqlite-wal")
    (tmp_path / "copy-j.sqlite").rename(tmp_path / "copy.sqlite")
    copy = open_sqlite_journal(tmp_path / "copy.sqlite")
    assert [record.value for record in copy.read(0, 0, 9)] == [b"x"]
    assert copy.identity == journal.identity
    journal.close()
    copy.close()


def test_the_default_is_a_full_flush_for_each_transaction(tmp_path: Path) -> None:
    statements: list[str] = []
    real = sqlite3.connect

    def watched(*args: Any, **more: Any) -> sqlite3.Connection:
        connection = real(*args, **more)
        connection.set_trace_callback(statements.append)
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infra.journals.sqlite.sqlite3.connect", watched)
        written(tmp_path / "j.sqlite", b"x")
    assert "PRAGMA synchronous=FULL" in statements
    assert statements.count("PRAGMA journal_mode=WAL") == 2, "of the new file, and of one that is opened"


def test_appends_that_wait_together_go_into_one_transaction(topic: SqliteTopic) -> None:
    journal = topic.open()
    other = sqlite3.connect(topic.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # another process has its turn
    futures = [journal.append(n % 3, b"", b"%d" % n) for n in range(60)]
    other.execute("COMMIT")
    other.close()
    moments = {done(future).appended_at for future in futures}
    assert len(moments) < 10


def test_anybody_can_look_at_all_records_with_sql(topic: SqliteTopic) -> None:
    journal = topic.open()
    done(journal.append(2, b"", b"x"))
    done(journal.append(0, b"", b"y"))
    with sqlite3.connect(topic.path) as connection:
        rows = connection.execute("SELECT partition, offset, value FROM record ORDER BY partition").fetchall()
    connection.close()
    assert rows == [(0, 0, b"y"), (2, 0, b"x")]


def test_the_number_of_partitions_is_fixed_when_the_file_is_made(tmp_path: Path) -> None:
    path = written(tmp_path / "j.sqlite", b"x")
    assert open_sqlite_journal(path).partitions == 1
    with pytest.raises(JournalMismatch, match="has 1 partition, not 2"):
        open_sqlite_journal(path, 2)
    for partitions in (0, MAX_PARTITIONS + 1):
        with pytest.raises(JournalMismatch, match=r"not in 1\.\."):
            open_sqlite_journal(tmp_path / "new.sqlite", partitions)


def test_the_maximum_number_of_partitions_can_be_used(tmp_path: Path) -> None:
    journal = open_sqlite_journal(tmp_path / "j.sqlite", MAX_PARTITIONS)
    done(journal.append(MAX_PARTITIONS - 1, b"", b"x"))
    with sqlite3.connect(journal.path) as connection:
        assert connection.execute("SELECT partition, value FROM record").fetchall() == [(MAX_PARTITIONS - 1, b"x")]
    connection.close()
    journal.close()


def test_a_missing_file_is_created_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "j.sqlite"
    for opening in (lambda: open_sqlite_journal(path), lambda: open_sqlite_journal(path, 1, create=False)):
        with pytest.raises(JournalUnavailable, match="there is no journal at"):
            opening()
    assert not path.exists()
    open_sqlite_journal(path, 1).close()
    assert path.exists()


def test_processes_that_make_the_same_file_at_once_get_the_same_journal(tmp_path: Path) -> None:
    found: list[str] = []
    start = threading.Barrier(8)

    def make() -> None:
        start.wait(TIMEOUT)
        journal = open_sqlite_journal(tmp_path / "j.sqlite", 2)
        found.append(journal.identity)
        journal.close()

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.count(".") > 1] == []


# ---- damage ----------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_sqlite_is_reported_as_damaged(tmp_path: Path) -> None:
    for content in (b"", b"not a database, but long enough to have a header of a hundred bytes " * 3):
        path = tmp_path / "j.sqlite"
        path.write_bytes(content)
        with pytest.raises(JournalDamaged, match="is not an SQLite file"):
            open_sqlite_journal(path, 1)


def test_another_kind_of_sqlite_file_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "views.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id TEXT)")
    connection.close()
    with pytest.raises(JournalMismatch, match="not a rescind journal"):
        open_sqlite_journal(path, 1)


def test_a_truncated_file_is_reported_as_damaged(tmp_path: Path) -> None:
    path = written(tmp_path / "j.sqlite", *(bytes(5000) for _ in range(20)))
    os.truncate(path, path.stat().st_size - 4096)
    with pytest.raises(JournalDamaged, match="it was truncated"):
        open_sqlite_journal(path)


def test_a_file_truncated_behind_its_wal_is_reported_as_damaged_too(tmp_path: Path) -> None:
    whole = tmp_path / "j.sqlite"
    written(whole, *(bytes(5000) for _ in range(20)))
    journal = open_sqlite_journal(whole)
    done(journal.append(0, b"", bytes(9000)))
    pages = whole.stat().st_size // 4096
    for name, left in (("whole", pages), ("short", pages - 1)):
        for suffix in ("", "-wal"):
            shutil.copy(f"{whole}{suffix}", tmp_path / f"{name}{suffix}")
        os.truncate(tmp_path / name, left * 4096)
    journal.close()
    copy = open_sqlite_journal(tmp_path / "whole")
    assert copy.end(0) == 21
    copy.close()
    with pytest.raises(JournalDamaged, match="it was truncated"):
        open_sqlite_journal(tmp_path / "short")


COUNTED = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM record').fetchone())"


def test_a_process_that_has_opened_the_file_twice_loses_nothing_to_one_that_ends(topic: SqliteTopic) -> None:
    def counted() -> int:
        command = [sys.executable, "-c", COUNTED, str(topic.path)]
        return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    journal = topic.open()
    done(journal.append(0, b"", b"x"))
    topic.open()
    assert counted() == 1
    done(journal.append(0, b"", b"y"))
    assert counted() == 2


def test_pages_of_rubbish_are_reported_as_damage_and_not_read_as_an_empty_log(tmp_path: Path) -> None:
    whole = written(tmp_path / "j.sqlite", *(os.urandom(3000) for _ in range(50))).read_bytes()
    errors = []
    for page in range(1, len(whole) // 4096):
        path = tmp_path / f"{page}.sqlite"
        path.write_bytes(whole[: page * 4096] + b"\xa5" * 4096 + whole[(page + 1) * 4096 :])
        try:
            journal = open_sqlite_journal(path)
            assert len(journal.read(0, 0, 100)) == 50, "some records are missing without an error"
            journal.close()
        except (JournalDamaged, LogLost) as error:
            errors.append(error)
    assert len(errors) >= len(whole) // 4096 - 2


def test_a_flipped_bit_in_a_record_is_found_by_its_checksum(tmp_path: Path) -> None:
    path = written(tmp_path / "j.sqlite", b"a long enough record to be found", b"another")
    content = path.read_bytes()
    assert content.count(b"a long enough") == 1
    path.write_bytes(content.replace(b"a long enough", b"a lonf enough"))
    journal = open_sqlite_journal(path)
    with pytest.raises(JournalDamaged, match="wrong checksum"):
        journal.read(0, 0, 9)
    assert journal.read(0, 1, 9)[0].value == b"another"
    journal.close()


def test_a_hole_and_a_lost_beginning_are_different_errors(topic: SqliteTopic) -> None:
    journal = topic.open()
    for n in range(5):
        done(journal.append(0, b"", b"%d" % n))
    with sqlite3.connect(topic.path) as connection:
        connection.execute("DELETE FROM partition_0 WHERE offset = 3")
    assert [record.offset for record in journal.read(0, 0, 9)] == [0, 1, 2]
    for read in (lambda: journal.read(0, 3, 9), lambda: journal.check_file(10**9)):
        with pytest.raises(JournalDamaged, match="has no record at offset 3, but later ones"):
            read()
    with connection:
        connection.execute("DELETE FROM partition_0 WHERE offset = 0")
    connection.close()
    with pytest.raises(LogLost, match="begins at offset 1"):
        journal.read(0, 0, 9)


def test_a_record_with_another_checksum_is_found_in_a_file_of_at_most_so_many_bytes(topic: SqliteTopic) -> None:
    journal = topic.open()
    done(journal.append(0, b"", b"as written"))
    assert journal.check_file(10**9)
    with closing(sqlite3.connect(topic.path)) as connection:
        connection.execute("UPDATE partition_0 SET value = X'00'")
        connection.commit()
    assert not journal.check_file(0), "a larger one is not read"
    with pytest.raises(JournalDamaged, match="the record at offset 0 of partition 0 has a wrong checksum"):
        journal.check_file(10**9)


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_the_files_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with closing(open_sqlite_journal(tmp_path / "one.sqlite", 1)) as journal:
            done(journal.append(0, b"", b"x"))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"one.sqlite": 0o600, "one.sqlite-wal": 0o600, "one.sqlite-shm": 0o600}


def test_a_mode_that_somebody_chose_stays(topic: SqliteTopic) -> None:
    topic.open().close()
    topic.path.chmod(0o660)
    with closing(topic.open()) as journal:
        done(journal.append(0, b"", b"x"))
        assert stat.S_IMODE(topic.path.stat().st_mode) == 0o660


def test_a_stop_leaves_everything_in_the_file_itself(tmp_path: Path) -> None:
    path = tmp_path / "one.sqlite"
    with closing(open_sqlite_journal(path, 1)) as journal:
        for n in range(50):
            done(journal.append(0, b"", b"%d" % n))
    alone = tmp_path / "copied.sqlite"
    alone.write_bytes(path.read_bytes())
    with closing(open_sqlite_journal(alone, 1)) as copied:
        assert [each.value for each in copied.read(0, 0, 99)] == [b"%d" % n for n in range(50)]


def test_a_stop_waits_for_no_other_process_that_has_the_file_open(tmp_path: Path) -> None:
    path = tmp_path / "one.sqlite"
    with closing(open_sqlite_journal(path, 1)) as other:
        with closing(open_sqlite_journal(path, 1)) as journal:
            for n in range(50):
                done(journal.append(0, b"", b"%d" % n))
        assert path.with_name("one.sqlite-wal").stat().st_size == 0
        with closing(sqlite3.connect(path)) as reading, closing(open_sqlite_journal(path, 1)) as journal:
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM partition_0").fetchone()
            done(journal.append(0, b"", b"later"))
        assert len(other.read(0, 0, 99)) == 51


def test_a_file_that_was_replaced_while_in_use_takes_no_more_appends(topic: SqliteTopic) -> None:
    journal = topic.open()
    done(journal.append(0, b"", b"x"))
    topic.path.rename(topic.path.with_name("away.sqlite"))
    gone = journal.append(0, b"", b"y").exception(TIMEOUT)
    assert isinstance(gone, AppendRefused)
    with pytest.raises(JournalDamaged, match=r"its one\.sqlite-wal exists"):
        topic.open()
    for suffix in ("-wal", "-shm"):
        topic.path.with_name(f"one.sqlite{suffix}").rename(topic.path.with_name(f"away.sqlite{suffix}"))
    other = topic.open()
    assert other.identity != journal.identity
    replaced = journal.append(0, b"", b"y").exception(TIMEOUT)
    assert isinstance(replaced, AppendRefused)
    assert not replaced.retriable
    assert "moved or replaced" in str(replaced)
    assert other.end(0) == 0


def test_reading_a_closed_journal_is_an_error(topic: SqliteTopic) -> None:
    journal = topic.open()
    journal.close()
    journal._thread.join(TIMEOUT)
    for opening in (lambda: journal.read(0, 0, 1), lambda: journal.end(0), lambda: journal.wait(0, 0, 0)):
        with pytest.raises(JournalUnavailable, match="was closed"):
            opening()


def test_a_full_disk_refuses_appends_until_there_is_room_again(topic: SqliteTopic) -> None:
    journal = topic.open()
    done(journal.append(0, b"", b"x"))
    batch: list[Callable[[], None]] = []
    real = journal._insert

    def full(connection: sqlite3.Connection, waiting: list[Any]) -> list[Appended]:
        if batch:
            return real(connection, waiting)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")
        try:
            return real(connection, waiting)
        finally:
            connection.execute("PRAGMA max_page_count=1000000")

    journal._insert = full  # type: ignore[method-assign,assignment]
    refused = journal.append(0, b"", bytes(500_000)).exception(TIMEOUT)
    assert isinstance(refused, AppendRefused)
    assert refused.retriable
    assert "full" in str(refused)
    batch.append(lambda: None)
    assert done(journal.append(0, b"", bytes(500_000))).offset == 1


# ---- other processes -------------------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from infra.journals.sqlite import open_sqlite_journal
journal = open_sqlite_journal(Path(sys.argv[1]), synchronous="OFF")
for n in range(int(sys.argv[3])):
    journal.append(0, b"", f"{sys.argv[2]}-{n}".encode()).result(30)
    print(n, flush=True)
"""


def process(path: Path, name: str, appends: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER, path, name, str(appends)], stdout=subprocess.PIPE, text=True)


def test_several_processes_write_into_one_file_and_nothing_is_lost(topic: SqliteTopic) -> None:
    journal = topic.open()
    running = [process(topic.path, name, 100) for name in "abc"]
    own = [journal.append(0, b"", b"own-%d" % n) for n in range(100)]
    for each in running:
        out, _ = each.communicate(timeout=60)
        assert out.split() == [str(n) for n in range(100)]
    assert all(done(future).offset >= 0 for future in own)
    values = [record.value.decode() for record in journal.read(0, 0, 1000)]
    for name in ("a", "b", "c", "own"):
        assert [value for value in values if value.startswith(f"{name}-")] == [f"{name}-{n}" for n in range(100)]
    assert len(values) == 400


def test_an_append_answered_before_a_kill_is_there_afterwards(topic: SqliteTopic) -> None:
    for turn in range(3):
        journal = topic.open()
        start = journal.end(0)
        running = process(topic.path, f"turn{turn}", 100_000)
        assert running.stdout is not None
        answered = -1
        for line in running.stdout:
            answered = int(line)
            if answered == 50 * (turn + 1):
                running.send_signal(signal.SIGKILL)
        running.wait(TIMEOUT)
        running.stdout.close()
        values = [record.value.decode() for record in journal.read(0, start, 100_000)]
        assert values == [f"turn{turn}-{n}" for n in range(len(values))]
        assert answered < len(values) <= answered + 2
        assert done(journal.append(0, b"", b"after")).offset == start + len(values)


def test_every_error_of_a_journal_is_one_of_the_ports() -> None:
    for error in (AppendRefused, JournalDamaged, JournalMismatch, JournalUnavailable, LogLost):
        assert issubclass(error, JournalError)
