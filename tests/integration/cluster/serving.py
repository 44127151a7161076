"""Processes of ``rescind serve`` that share one journal out, on a real broker and a real PostgreSQL."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from infra.addresses.kafka import KafkaAt, Security, kafka_at
from infra.cluster.membership import Group, Places
from tests.integration.kafka.waiting import wait_until

ROOT = Path(__file__).parents[3]
KEY = "c2hhcmUgc2hhcmUgc2hhcmUgc2hhcmUgc2hhcmUhISE="
PARTITIONS = 6


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Serving:
    """One process, and a client of it."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.directory = directory
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        self._environment = {
            **os.environ,
            **environment,
            "RESCIND_DIRECTORY": str(directory),
            "RESCIND_ADVERTISE": self.url,
            "RESCIND_PORT": str(self.port),
        }
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [str(Path(sys.executable).with_name("rescind")), "serve"]
        return subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL)

    @property
    def is_ready(self) -> bool:
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}"
            return False

    def kill(self) -> None:
        """kill -9, and wait for its end."""
        self.process.kill()
        self.process.wait(30)

    def restart(self) -> None:
        """A new process in the same place, at the same address."""
        self.process = self._start()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def leave(self) -> None:
        """Send SIGTERM, and wait until it ends."""
        self.process.terminate()
        assert self.process.wait(60) == 0

    def close(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)

    # ---- requests ----------------------------------------------------------------------------------------------------

    def post(self, path: str, body: Any, key: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, json=body, headers={"Idempotency-Key": key, **named})

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


class Together:
    """Some of them on one journal, one set of views and one vault."""

    def __init__(self, journal: str, postgresql: str, folder: Path, **settings: str) -> None:
        self.journal = journal
        self.postgresql = postgresql
        self.all: list[Serving] = []
        self._folder = folder
        self.environment = {
            "RESCIND_JOURNAL": f"{journal}?partitions={PARTITIONS}",
            "RESCIND_VIEWS": postgresql,
            "RESCIND_VAULT": postgresql,
            "RESCIND_VAULT_KEY": KEY,
            "RESCIND_COMMANDS": "on",
            "RESCIND_FOLLOW": "share",
            "RESCIND_ANSWER_WITHIN": "20",
        } | {f"RESCIND_{name.upper()}": value for name, value in settings.items()}

    def start(self, *, wait: bool = True) -> Serving:
        """One more."""
        made = Serving(self.environment, self._folder / str(len(self.all)))
        self.all.append(made)
        if wait:
            wait_until(lambda: made.is_ready, 120)
        return made

    @property
    def at(self) -> KafkaAt:
        return kafka_at(self.journal.removeprefix("kafka://"))

    def places(self) -> Places:
        """The process that follows each partition according to the group, once every partition is followed."""
        group = Group(self.at, Security())
        found: list[Places] = []

        def all_of_them() -> bool:
            followed = group()
            found[:] = [] if followed is None else [followed]
            return followed is not None and len(followed) == PARTITIONS

        try:
            wait_until(all_of_them, 120)
        finally:
            group.close()
        return found[0]

    def shared_out(self, *among: Serving) -> None:
        """Until these (all that there are) have the partitions between them, and each of them is ready."""
        these = among or tuple(self.all)
        urls = {each.url for each in these}
        try:
            wait_until(lambda: set(self.places().values()) == urls, 180)
            wait_until(lambda: all(each.is_ready for each in these), 180)
        except AssertionError:
            states = [f"{each.url} says {each.get('/readyz').text}" for each in these]
            raise AssertionError(f"not shared out: {dict(self.places())}; {'; '.join(states)}") from None

    def close(self) -> None:
        for each in self.all:
            each.close()


@contextmanager
def together(journal: str, postgresql: str, folder: Path, **settings: str) -> Iterator[Together]:
    made = Together(journal, postgresql, folder, **settings)
    try:
        yield made
    finally:
        made.close()
