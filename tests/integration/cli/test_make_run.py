"""`make run`: ctrl-C and SIGTERM end it without an error, and a taken port is answered with the command to type."""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = str(ROOT / "deploy/make_run.py")


@contextmanager
def in_a_terminal(data: Path) -> Iterator[tuple[int, int]]:
    """A shell that runs the script in a terminal of its own, and then reports how it ended: its pid and its
    terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        run = f"'{sys.executable}' '{SCRIPT}' '{data}' 127.0.0.1 0; echo ended with $?"
        os.execvp("sh", ["sh", "-c", run])
    try:
        yield pid, terminal
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def read_until(terminal: int, words: str, within: float = 60) -> str:
    """The output of the terminal up to these words."""
    seen, until = b"", time.monotonic() + within
    while words.encode() not in seen:
        assert time.monotonic() < until, seen
        try:
            seen += os.read(terminal, 65_536)
        except OSError:
            break
    assert words in seen.decode(), seen
    return seen.decode()


@pytest.mark.parametrize("moment", ["the store is", "filling the marketplace", "listening on"])
def test_ctrl_c_ends_the_engine_and_not_what_started_it(tmp_path: Path, moment: str) -> None:
    with in_a_terminal(tmp_path) as (_, terminal):
        read_until(terminal, moment)
        os.write(terminal, b"\x03")
        rest = read_until(terminal, "ended with")
    assert "ended with 0" in rest
    assert moment == "the store is" or "Traceback" not in rest, "Python itself answers while it starts"


def test_sigterm_of_make_ends_the_engine(tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, str(tmp_path), "127.0.0.1", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as run:
        assert run.stdout is not None
        assert "the store is" in run.stdout.readline()
        assert "listening on" in run.stdout.readline()
        run.send_signal(signal.SIGTERM)
        assert run.wait(60) == 0


@pytest.mark.parametrize(
    ("data", "host", "repeated"),
    [("var", "127.0.0.1", ""), ("/tmp/my shop", "127.0.0.2", " HOST=127.0.0.2 DATA='/tmp/my shop'")],
)
def test_a_taken_port_is_answered_with_a_free_one_and_the_other_settings(data: str, host: str, repeated: str) -> None:
    with socket.create_server((host, 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, SCRIPT, data, host, str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    said = rf"port {port} is taken on {re.escape(host)}\. Type: make run PORT=\d+{re.escape(repeated)}$"
    assert re.search(said, done.stderr.strip())
