"""A stream of commands on orders that several processes may fight over, and what must be true of the log afterwards."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from consumers.log.follower import Follower
from consumers.ports.journal import Journal
from consumers.ports.log_values import Admitted, Rejected
from infra.local_state import memory_local_state
from infra.settings import Settings
from infra.store.reader import open_reader
from tests.integration.kafka.waiting import TIMEOUT

ROOT = Path(__file__).parents[3]
Answer = tuple[str, str | None, str | None]
"""The answer to a command: its outcome, the rule that refused it, and the hash of its commit."""


def commands(name: str, orders: int, seed: int) -> Iterator[dict[str, Any]]:
    """Each order is placed, requested, shipped and canceled by lines, at random; ids begin with ``name``."""
    chance = random.Random(seed)
    waiting: list[dict[str, Any]] = []
    for number in range(orders):
        order = f"PO-{number}"
        lines = [{"line": n, "sku": f"S-{n}", "quantity": 4, "unit_price": "10.00"} for n in (1, 2, 3)]
        parties = {"buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "policy": "seller-portal", "paid": True}
        yield command_document(name, "PlaceOrder", order, "p", "system", lines=lines, **parties)
        more = [
            command_document(
                name, "RequestCancel", order, "r", "buyer", request_id=f"{name}-r", lines=[1], reason="changed_mind"
            ),
            command_document(
                name, "Ship", order, "s", "system", shipment_id=f"{name}-s", lines=[{"line": 2, "quantity": 1}]
            ),
            command_document(name, "CancelLines", order, "c", "seller", lines=[3], reason="out_of_stock"),
            command_document(
                name, "Ship", order, "t", "system", shipment_id=f"{name}-t", lines=[{"line": 3, "quantity": 4}]
            ),
        ]
        chance.shuffle(more)
        waiting += more
        while len(waiting) > 40:
            yield waiting.pop(0)
    yield from waiting


def command_document(name: str, command: str, order: str, step: str, actor: str, **fields: Any) -> dict[str, Any]:
    id = {"buyer": "b-1", "seller": "s-1"}.get(actor, name)
    return {
        "command": command,
        "command_id": f"{name}-{order}-{step}",
        "marketplace": "acme",
        "order_id": order,
        "actor": {"kind": actor, "id": id},
        **fields,
    }


class Child:
    """An engine in a process of its own that works through the stream; ``answers`` is what it has printed so far."""

    def __init__(self, journal: str, directory: Path, name: str, orders: int, seed: int = 1, **env: str) -> None:
        order = [sys.executable, "-m", "tests.integration.kafka.child", journal, str(directory), name, str(orders)]
        self.answers: list[tuple[str, Answer]] = []
        self.process = subprocess.Popen(
            [*order, str(seed)],
            cwd=ROOT,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("]\n"):  # a line that was cut off by a kill is no answer
                command_id, *answer = json.loads(line)
                self.answers.append((command_id, tuple(answer)))

    def has_answered(self, answers: int) -> bool:
        return len(self.answers) >= answers

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, code: int = 0) -> list[tuple[str, Answer]]:
        """Wait for the end of the process and of its output."""
        assert self.process.wait(TIMEOUT * 3) == code
        self._reader.join(TIMEOUT)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.answers


class _Commits:
    def __init__(self) -> None:
        self.admitted_: list[Admitted] = []

    def admitted(self, admitted: Admitted) -> None:
        self.admitted_.append(admitted)

    def rejected(self, rejected: Rejected) -> None: ...


def admitted(journal: Journal) -> list[Admitted]:
    """Every commit of the log that counts, by a fold of its own from the log alone."""
    found = _Commits()
    for partition in range(journal.partitions):
        follower = Follower(journal, partition, memory_local_state(partition, journal.partitions), found)
        follower.start()
        while follower.next_offset < journal.end(partition):
            follower.advance()
    return found.admitted_


def check(settings: Settings, journal: Journal, answers: list[tuple[str, Answer]]) -> None:
    """Nothing acknowledged is lost, nothing happened twice, every answer to one command id is the same, and every line
    has its quantity exactly once."""
    commits = [each for each in admitted(journal) if each.commit.command_id]
    admitted_hashes = {(each.commit.streams[0].stream, each.commit.command_id): each.hash.hex() for each in commits}
    assert len(admitted_hashes) == len(commits), "a command was admitted twice"
    hashes = {command_id: where for (_, command_id), where in admitted_hashes.items()}
    answers_by_command: dict[str, set[Answer]] = {}
    for command_id, answer in answers:
        if answer[2] is not None:
            assert hashes.get(command_id) == answer[2], (command_id, answer)
            answers_by_command.setdefault(command_id, set()).add(answer)
    assert answers_by_command
    for command_id, each in answers_by_command.items():
        assert len(each) == 1, (command_id, each)
    with open_reader(settings) as reader:
        for stream in {stream for stream, _ in admitted_hashes}:
            order = reader.folded(stream).order
            assert order is not None
            for line in order.lines.values():
                assert line.open + line.shipped + line.canceled == line.ordered, (stream, line)
                assert min(line.open, line.shipped, line.canceled) >= 0
