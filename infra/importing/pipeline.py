"""Imports an input: submits thousands of commands at a time and counts their outcomes.

Commands of one order are decided in sequence, those of different orders concurrently. Outcomes are counted in the order
of the input. An import is opened for a marketplace, in every partition, before its first command and closed at the end.
An interrupted import stays open; importing the same input again continues it, because command ids are idempotent.
"""

import json
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Final, Protocol

from consumers.engine.engine import Engine
from consumers.engine.outcome import Outcome
from domain.commands import Command, SubjectCommand
from domain.events import Verdict
from domain.instants import Instant
from infra.app import App
from infra.importing.items import Input, Item, error_text
from infra.importing.repeated import ended_before, would_reach, would_write
from schemas.codec import verdict_data

WINDOW: Final = 4096
"""Commands submitted and not yet counted, at most."""
CHUNK: Final = 256
"""Commands that are submitted together."""
MOST_BAD_LINES: Final = 100
TIMEOUT: Final = 120.0
"""Seconds without any answer before the import gives up."""
STALLED: Final = 20.0
"""Seconds without a successful write before the import gives up."""
POLL_INTERVAL: Final = 1.0
"""Seconds between two checks of whether anything is written."""


class ImportFailed(Exception):
    """The import cannot continue; the message says why. The same command continues it later."""


@dataclass(slots=True)
class Totals:
    """Totals of an import: read = accepted + Σ refused + duplicate + bad."""

    read: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    duplicate: int = 0
    bad: int = 0
    bad_lines: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    reached: int = 0
    """Deadlines reached by ``until``."""
    stopped_at: int | None = None
    """The bad line at which a strict import stopped."""

    def json(self) -> dict[str, Any]:
        """Return the object that ``import --json`` prints."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "refused": dict(sorted(self.refused.items(), key=lambda each: (-each[1], each[0]))),
            "duplicate": self.duplicate,
            "bad": self.bad,
            "bad_lines": self.bad_lines,
            "seconds": round(self.seconds, 3),
        }


class ProgressReport(Protocol):
    """A file that refused and bad lines are written to."""

    def write(self, text: str, /) -> int:
        """Write all of the text."""
        ...


@dataclass(slots=True)
class ImportOptions:
    """Options of an import."""

    strict: bool = False
    """Stop at the first bad line. Commands are then submitted one by one, so none after it is submitted."""
    until: Instant | None = None
    report: ProgressReport | None = None
    """Receives a JSON line for every refused or bad command."""
    progress: Callable[[int, Totals], None] | None = None
    """Called from time to time with the bytes of the input that have been answered, and the totals."""


def run_import(app: App, source: Input, options: ImportOptions) -> Totals:
    """Import an input to its end. After ImportFailed or KeyboardInterrupt it stays open and can be continued."""
    return _Import(app, source, options).run()


def finish_imports(app: App, until: Instant | None) -> list[tuple[str, bytes, int]]:
    """Apply deadlines before ``until``, and close open imports. Returns marketplace, SHA-256 and deadlines of each."""
    open_now: set[tuple[str, bytes]] = app.ask(lambda engine: engine.imports.inputs())
    found = []
    reached = {name: _reach(app, name, until) for name in sorted({name for name, _ in open_now})}
    for marketplace, sha256 in sorted(open_now):
        _settled(app, app.engine.close_import(marketplace, sha256, until))
        found.append((marketplace, sha256, reached[marketplace]))
    return found


def _reach(app: App, marketplace: str, until: Instant | None) -> int:
    return 0 if until is None else app.engine.reach(marketplace, until).result()


def _settled(app: App, written: Future[Outcome]) -> None:
    outcome = _answer(app, written, "the import's opening or closing")
    if outcome.kind != "accepted":
        raise ImportFailed(f"the import could not be opened or closed: {outcome.message}")


def _answer(app: App, future: Future[Outcome], to: str) -> Outcome:
    """Wait for an outcome. ImportFailed if none comes, or if nothing has been written for too long."""
    until = time.monotonic() + TIMEOUT
    while True:
        try:
            return future.result(POLL_INTERVAL)
        except TimeoutError:
            if future.done():  # just now, or it failed with a TimeoutError
                return future.result()
        lasts = max(app.watch.lasts("writing"), app.watch.lasts("following"))
        if lasts < STALLED and time.monotonic() < until:
            continue
        why = "; ".join(app.watch.trouble.values())
        waited = TIMEOUT if time.monotonic() >= until else lasts
        raise ImportFailed(f"no answer to {to} within {waited:.0f} seconds" + (f": {why}" if why else ""))


class _Import:
    def __init__(self, app: App, source: Input, options: ImportOptions) -> None:
        self.app = app
        self.source = source
        self.options = options
        self.totals = Totals()
        self.waiting: deque[tuple[Item, Future[Outcome] | None, int]] = deque()
        """Items without an outcome, each with the bytes of the input up to the end of its chunk."""
        self.answered_bytes = 0
        self.seen: dict[str, bool] = {}
        """Marketplaces of the input → True if the import is open for it."""
        self.about_subjects = False
        """True if the last submitted command is about a person's data."""

    def run(self) -> Totals:
        began = time.monotonic()
        items = self.source.items()
        chunk_size, window = (1, 0) if self.options.strict else (CHUNK, WINDOW - CHUNK)
        self._progress()
        while chunk := list(islice(items, chunk_size)):
            self._open_for(chunk)
            for item in chunk:
                self._submit(item)
            self._take(window)
            if self.totals.stopped_at is not None:
                break
            self._progress()
        while self.waiting and self.totals.stopped_at is None:
            self._take(max(0, len(self.waiting) - CHUNK))
            self._progress()
        self._take(0)
        if self.totals.stopped_at is None:
            self._end()
        self.totals.seconds = time.monotonic() - began
        return self.totals

    def _progress(self) -> None:
        if self.options.progress is not None:
            self.options.progress(self.answered_bytes, self.totals)

    # ---- open and close --------------------------------------------------------------------------------------------

    def _open_for(self, chunk: list[Item]) -> None:
        """Open the import for the marketplaces that this chunk writes to."""
        by_market: dict[str, list[Command]] = {}
        for item in chunk:
            command = item.command
            if command is not None and not self.seen.get(command.marketplace):
                by_market.setdefault(command.marketplace, []).append(command)
        for marketplace, commands in by_market.items():
            if marketplace not in self.seen:
                self.seen[marketplace] = False
                if not self.app.ask(partial(self._ended_before, marketplace)):
                    self._open(marketplace)
                    continue
            if self.app.ask(partial(self._any_writes, marketplace, commands)):
                self._open(marketplace)

    def _ended_before(self, marketplace: str, engine: Engine) -> bool:
        return ended_before(engine, marketplace, self.source.sha256)

    def _would_reach(self, marketplace: str, until: Instant, engine: Engine) -> bool:
        return would_reach(engine, marketplace, until)

    def _any_writes(self, marketplace: str, commands: list[Command], engine: Engine) -> bool:
        market = self.app.market(marketplace)
        return any(would_write(engine, command, market) for command in commands)

    def _open(self, marketplace: str) -> None:
        _settled(self.app, self.app.engine.open_import(marketplace, self.source.sha256))
        self.seen[marketplace] = True

    def _end(self) -> None:
        """Apply deadlines before ``until``, and close the import."""
        until = self.options.until
        for marketplace, is_open in self.seen.items():
            if until is not None:
                if not is_open:
                    if not self.app.ask(partial(self._would_reach, marketplace, until)):
                        continue
                    self._open(marketplace)
                self.totals.reached += _reach(self.app, marketplace, until)
            if self.seen[marketplace]:
                _settled(self.app, self.app.engine.close_import(marketplace, self.source.sha256, until))

    # ---- commands and answers --------------------------------------------------------------------------------------

    def _submit(self, item: Item) -> None:
        """Submit an item. Commands about people's data wait for all earlier commands, and later ones wait for them.

        Orders are decided concurrently, but an erasure covers exactly what the input has before it.
        """
        command = item.command
        if command is not None and isinstance(command, SubjectCommand) is not self.about_subjects:
            self._take(0)
            self.about_subjects = not self.about_subjects
        future = None if command is None else self.app.engine.submit(command, rebuild=False)
        self.waiting.append((item, future, self.source.done))

    def _take(self, leave: int) -> None:
        """Count outcomes, oldest first, until only ``leave`` are missing."""
        waiting = self.waiting
        while len(waiting) > leave:
            item, future, self.answered_bytes = waiting.popleft()
            self.totals.read += 1
            if future is None:
                self._bad(item, item.error or "")
            else:
                self._answered(item, future)
            if self.options.strict and self.totals.bad:
                self.totals.stopped_at = item.line

    def _answered(self, item: Item, future: Future[Outcome]) -> None:
        totals = self.totals
        try:
            outcome = _answer(self.app, future, f"line {item.line}")
        except ImportFailed:
            raise
        except Exception as defect:  # noqa: BLE001 - an internal error of one command must not stop the others
            self._bad(item, f"internal error, please report it: {defect!r}")
            return
        match outcome.kind:
            case "accepted":
                totals.accepted += 1
            case "duplicate":
                totals.duplicate += 1
            case "refused":
                rule = outcome.rule or ""
                totals.refused[rule] += 1
                self._report(item, "refused", rule, outcome.message, outcome.verdict)
            case "bad":
                self._bad(item, error_text(outcome.pointer, outcome.rule, outcome.message), outcome.rule)
            case _ if outcome.rule in ("order-stuck", "malformed", "policy-unknown"):
                self._bad(item, error_text(None, outcome.rule, outcome.message), outcome.rule)
            case _:
                raise ImportFailed(f"stopped at line {item.line}: {outcome.message or outcome.rule or outcome.kind}")

    def _bad(self, item: Item, error: str, rule: str | None = None) -> None:
        totals = self.totals
        totals.bad += 1
        if len(totals.bad_lines) < MOST_BAD_LINES:
            totals.bad_lines.append({"line": item.line, "error": error})
        self._report(item, "bad", rule, error)

    def _report(self, item: Item, outcome: str, rule: str | None, message: str, verdict: Verdict | None = None) -> None:
        if self.options.report is None:
            return
        command = item.command
        entry: dict[str, Any] = {"line": item.line, "outcome": outcome, "rule": rule}
        entry["error" if outcome == "bad" else "because"] = message
        if outcome != "bad":
            entry["instead"] = [] if verdict is None else verdict_data(verdict)["instead"]
        if command is not None:
            entry |= {
                "command": command.command,
                "marketplace": command.marketplace,
                "order_id": command.order_id,
                "command_id": command.command_id,
            }
        self.options.report.write(json.dumps(entry, ensure_ascii=False) + "\n")
