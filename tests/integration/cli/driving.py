"""Driving the command line as people do, in a store of its own for each test."""

import io
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import IO, Any
from unittest.mock import patch

from infra.cli.main import run

RESCIND = pathlib.Path(sys.executable).with_name("rescind")
Body = dict[str, Any]


@dataclass(frozen=True)
class Done:
    """The exit code and the output of one call."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON value."""
        assert self.out, self.err
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Store:
    """A place with a journal and views, and the command line pointed at it."""

    place: pathlib.Path
    partitions: int = 1
    more: dict[str, str] = field(default_factory=dict)

    @property
    def journal(self) -> pathlib.Path:
        return self.place / "journal"

    @property
    def views(self) -> pathlib.Path:
        return self.place / "views.sqlite"

    @property
    def environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RESCIND_")}
        return {
            **inherited,
            "RESCIND_JOURNAL": f"sqlite:///{self.journal}?partitions={self.partitions}",
            "RESCIND_VIEWS": f"sqlite:///{self.views}",
            "COLUMNS": "200",
            **self.more,
        }

    def rescind(
        self, *arguments: object, input: str | bytes = b"", check: int | None = 0, own_process: bool = False
    ) -> Done:
        """Run one command to its end; ``check`` is the exit code that is expected (None: any).

        It runs in this process, through the entry point of the console script, unless ``own_process`` is set.
        """
        run = _in_own_process if own_process else _in_this_process
        found = run([str(a) for a in arguments], self, input.encode() if isinstance(input, str) else input)
        if check is not None:
            assert found.code == check, (found.code, found.out[-2000:], found.err[-4000:])
        assert "Traceback" not in found.err, found.err[-4000:]
        return found

    def begin(self, *arguments: object, stdin: int | IO[bytes] = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start one command and leave it running; the caller ends it."""
        return subprocess.Popen(
            [RESCIND, *map(str, arguments)],
            env=self.environment,
            cwd=self.place,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def file(self, rows: Iterable[Body | str], name: str = "commands.jsonl") -> pathlib.Path:
        """A commands file with these rows; a string is written as it is."""
        path = self.place / name
        path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), encoding="utf-8")
        return path

    def take(self, rows: Iterable[Body | str], *options: object, check: int | None = 0) -> Body:
        """Import these rows; the totals."""
        totals: Body = self.rescind("import", self.file(rows), *options, "--json", check=check).json
        return totals

    def show(self, order: str, *options: object) -> Body:
        """``order show --json``."""
        shown: Body = self.rescind("order", "show", order, *options, "--json").json
        return shown

    def history(self, order: str) -> list[Body]:
        """``order history --json``."""
        return self.rescind("order", "history", order, "--json").lines

    def stats(self) -> Body:
        """``journal stats --json`` without the size of the files, which SQLite decides."""
        statistics: Body = self.rescind("journal", "stats", "--json").json
        return {k: v for k, v in statistics.items() if k != "bytes"}

    def everything(self) -> dict[str, Any]:
        """The content of the store without writer and times: each order's commits, and the number of rows of each
        table."""
        commits = [
            {k: v for k, v in commit.items() if k not in ("offset", "appended_at", "ordinal", "position")}
            for commit in self.rescind("journal", "tail", "-n", 10_000_000, "--json").lines
            if not commit["streams"][0]["stream"].startswith("$")
        ]
        commits.sort(key=lambda commit: (commit["streams"][0]["stream"], commit["streams"][0]["first_event"]))
        check = self.rescind("replay", "--check", "--json").json
        assert check["clean"], check
        return {"commits": commits, "rows": check["rows"]}


def _in_own_process(arguments: list[str], store: Store, input: bytes) -> Done:
    done = subprocess.run(
        [RESCIND, *arguments],
        env=store.environment,
        cwd=store.place,
        input=input,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def _in_this_process(arguments: list[str], store: Store, input: bytes) -> Done:
    out, err, stdin = (io.TextIOWrapper(io.BytesIO(content), encoding="utf-8") for content in (b"", b"", input))
    with (
        patch.dict(os.environ, store.environment, clear=True),
        patch.object(sys, "stdin", stdin),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = run(arguments)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8"))
    return Done(code, *texts)


def ended(process: "subprocess.Popen[bytes]", number: int | None = None, timeout: float = 60) -> Done:
    """Send a signal (None: none), wait for the end, and return exit code and output."""
    if number is not None:
        process.send_signal(number)
    out, err = process.communicate(timeout=timeout)
    return Done(process.returncode, out.decode(), err.decode())


KILL = signal.SIGKILL
CTRL_C = signal.SIGINT
TERM = signal.SIGTERM


# ---- commands --------------------------------------------------------------------------------------------------------

SYSTEM = {"kind": "system", "id": "checkout"}


def command(name: str, order: str, at: str, actor: Body, command_id: str | None = None, **fields: Any) -> Body:
    """A command for an order of the marketplace ``acme``."""
    return {
        "command": name,
        "command_id": command_id or f"{name.lower()}-{at}",
        "marketplace": "acme",
        "order_id": order,
        "at": at,
        "actor": actor,
        **fields,
    }


def placed(order: str, at: str = "2026-03-02T10:00:00Z", quantity: int = 10, **fields: Any) -> Body:
    """A PlaceOrder of one line, 10.00 each, under seller-portal."""
    body: Body = {
        "buyer_id": "b-7",
        "seller_id": "s-3",
        "currency": "USD",
        "policy": "seller-portal",
        "lines": [{"line": 1, "sku": "A-1", "title": "Lamp", "quantity": quantity, "unit_price": "10.00"}],
    }
    return command("PlaceOrder", order, at, SYSTEM, "place", **{**body, **fields})


SELLER = {"kind": "seller", "id": "s-3"}
BUYER = {"kind": "buyer", "id": "b-7"}


def ships(order: str, at: str, quantity: int, notice: str = "asn-1") -> Body:
    """A shipping notice."""
    lines = [{"line": 1, "quantity": quantity}]
    return command("Ship", order, at, SELLER, f"ship-{notice}", shipment_id=notice, carrier="UPS", lines=lines)


def requests_cancel(order: str, at: str, request: str = "r1", **fields: Any) -> Body:
    """A buyer's request to cancel."""
    body = {"request_id": request, "reason": "changed_mind", **fields}
    return command("RequestCancel", order, at, BUYER, f"ask-{request}", **body)


def grants(order: str, at: str, request: str = "r1") -> Body:
    """The seller's approval."""
    return command("ApproveCancel", order, at, SELLER, f"grant-{request}", request_id=request)


def lives(first: int, count: int) -> list[Body]:
    """So many orders, four commands each, woven into one another as they would come."""
    by_order: list[list[Body]] = []
    for number in range(first, first + count):
        order = f"PO-{number:06}"
        day = f"2026-03-{2 + number % 20:02}"
        by_order.append(
            [
                placed(order, f"{day}T10:00:00Z", policy=("peer-to-peer", "seller-portal", "big-box")[number % 3]),
                requests_cancel(order, f"{day}T14:00:00Z"),
                grants(order, f"{day}T15:00:00Z") if number % 2 else ships(order, f"{day}T15:00:00Z", 4),
                ships(order, f"{day}T16:00:00Z", 1, "asn-2"),
            ]
        )
    return [by_order[n - step][step] for n in range(count + 3) for step in range(4) if 0 <= n - step < count]
