"""A PostgreSQL server of the tests' own, on 127.0.0.1: made, started, stopped, killed and started again at will.

Its data is thrown away: nothing is synced to the disk, and it ends with the process that started it. It does not run as
root, so there it is run as the user ``postgres``.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import Any

from tests.needs import postgresql_programs

TIMEOUT = 60.0
"""Seconds that the server gets to be ready, on a machine that is busy with other things."""
USER = "postgres"
_DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One server with its data."""

    def __init__(self, *settings: str) -> None:
        """``settings`` like ``fsync=on``."""
        programs = postgresql_programs()
        assert programs is not None
        self._programs = pathlib.Path(programs)
        self._settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", *settings]
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="rescind-postgresql-"))
        self._user = USER if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(self._folder, self._user, self._user)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.data = self._folder / "data"
        made = ["-D", str(self.data), "-U", USER, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(self._command("initdb", *made), check=True, capture_output=True, **self._as_user())
        self.start()

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(self._programs / program), *arguments]

    def _as_user(self) -> dict[str, Any]:
        who: dict[str, Any] = {"cwd": self._folder}
        return who if self._user is None else {**who, "user": self._user, "group": self._user, "extra_groups": []}

    def start(self) -> None:
        """Run it, and wait until it answers."""
        chosen = [part for setting in self._settings for part in ("-c", setting)]
        command = self._command("postgres", "-D", str(self.data), "-p", str(self.port), *chosen)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_DIE_WITH_PARENT, *command], stdout=subprocess.DEVNULL, stderr=log, **self._as_user()
            )
        probe = self._command("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port))
        until = time.monotonic() + TIMEOUT
        while subprocess.run(probe, check=False, cwd=self._folder).returncode:
            assert self._process.poll() is None and time.monotonic() < until, self.log
            time.sleep(0.05)

    @property
    def log(self) -> str:
        """The server's log."""
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT cuts connections and shuts down; SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(TIMEOUT)
            self._process = None

    def close(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)
