"""An answer that cannot be written: a sentence and exit 3 without room for it, 141 if the reader has gone."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import pytest

from infra.local_state.slots import slot_path, state_file
from tests.integration.cli.driving import RESCIND, Done, Store, lives, placed

ANSWERS = [
    ("--help",),
    ("order", "show", "acme/PO-000001"),
    ("order", "show", "acme/PO-000001", "--json"),
    ("journal", "tail"),
    ("reasons", "list", "--house", "ebay"),
    ("doctor",),
    ("replay",),
    ("policy", "explain", "big-box"),
    ("deadlines", "list", "--json"),
]


@pytest.fixture(scope="module")
def filled_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("outlets"))
    store.take(lives(0, 12))
    return store


def written_to(store: Store, arguments: tuple[object, ...], out: IO[bytes] | int, redirected: str = "") -> Done:
    """A command of its own process whose standard output is ``out``; ``redirected`` in the syntax of a shell."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {redirected}', RESCIND, *map(str, arguments)],
        env=store.environment,
        cwd=store.place,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, "", done.stderr.decode())


@contextmanager
def read_by_nobody() -> Iterator[int]:
    """The end of a pipe whose other end is closed."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


@pytest.mark.parametrize("arguments", ANSWERS, ids=" ".join)
def test_where_the_reader_has_gone_the_answer_is_neither_yes_nor_no(
    filled_store: Store, arguments: tuple[str, ...]
) -> None:
    with read_by_nobody() as out:
        assert written_to(filled_store, arguments, out) == Done(141, "", "")


@pytest.mark.parametrize("arguments", ANSWERS, ids=" ".join)
def test_an_answer_that_does_not_fit_on_the_disk_is_reported_in_a_sentence(
    filled_store: Store, arguments: tuple[str, ...]
) -> None:
    with open("/dev/full", "wb") as out:
        done = written_to(filled_store, arguments, out)
    assert done.code == 3
    assert done.err.startswith("rescind: standard output cannot be written (No space left on device)")
    assert done.err.count("\n") == 1


def test_without_a_standard_output_nothing_is_done(store: Store) -> None:
    done = written_to(store, ("import", store.file([placed("PO-1")])), subprocess.DEVNULL, ">&-")
    assert (done.code, done.err.count("\n")) == (3, 1)
    assert "standard output is closed" in done.err and "/dev/null" in done.err
    assert not store.journal.exists()


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", "<&-", "<&- 2>&-"])
def test_without_standard_input_or_error_the_answer_is_the_same(filled_store: Store, redirected: str) -> None:
    with open(filled_store.place / "answer", "w+b") as out:
        assert written_to(filled_store, ("order", "show", "acme/PO-000001", "--json"), out, redirected).code == 0
        out.seek(0)
        assert out.read() == filled_store.rescind("order", "show", "acme/PO-000001", "--json").out.encode()
    assert written_to(filled_store, ("order", "show", "acme/PO-404"), subprocess.DEVNULL, redirected).code == 1
    assert written_to(filled_store, ("import", "-"), subprocess.DEVNULL, redirected).code == 0


def test_a_command_that_follows_the_journal_ends_with_its_reader(filled_store: Store) -> None:
    process = filled_store.begin("journal", "tail", "-f", "-n", "1")
    assert process.stdout is not None and process.stderr is not None
    with closing(process.stderr):
        assert process.stdout.readline()
        process.stdout.close()
        filled_store.take([placed("PO-more")])
        assert process.wait(60) == 141
        assert process.stderr.read() == b""


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("into", ["a pipe", "a file"])
def test_a_running_server_writes_its_messages_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbuffered: str, into: str
) -> None:
    store = Store(tmp_path)
    store.take([placed("PO-1")])
    state = state_file(slot_path(store.journal, 0), 0)
    state.write_bytes(b"no database")
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)  # the empty string: as if it were not set
    with open(tmp_path / "stderr", "w+b") as file:
        server = subprocess.Popen(
            [RESCIND, "serve", "--port", "0"],
            env=store.environment,
            cwd=store.place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if into == "a pipe" else file,
        )
        try:
            assert server.stdout is not None
            assert server.stdout.readline().startswith(b"rescind: listening on http://127.0.0.1:")
            if server.stderr is not None:
                assert select.select([server.stderr], [], [], 60)[0], "no output before the end"
                output = os.read(server.stderr.fileno(), 4096)
            else:
                output = (tmp_path / "stderr").read_bytes()
            assert b"rescind: local state of partition 0" in output
            assert server.poll() is None
        finally:
            server.terminate()
            server.communicate(timeout=60)


@pytest.mark.parametrize("number", ["1", "2"])
def test_unbuffered_output_without_a_line_end_appears_at_once(number: str) -> None:
    code = (
        "import sys; from infra.cli.standard_streams import open_outlets; open_outlets(); "
        "(sys.stdout if sys.argv[1] == '1' else sys.stderr).write('half a l'); sys.stdin.read()"
    )
    piped = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-u", "-c", code, number], stdin=piped, stdout=piped, stderr=piped)
    stream = process.stdout if number == "1" else process.stderr
    assert stream is not None
    try:
        assert select.select([stream], [], [], 60)[0], "no output before the end"
        assert os.read(stream.fileno(), 100) == b"half a l"
    finally:
        process.communicate(timeout=60)
