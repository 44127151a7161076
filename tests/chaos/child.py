"""One engine in a process of its own: commands come in as lines, each outcome goes out as a line, in any order.

In: ``[NUMBER, BODY]``. Out: ``["ready"]``, then ``[NUMBER, KIND, RULE, STANDING]`` for each command, where STANDING is
null or ``[PARTITION, ORDINAL, HASH]``. When nothing more comes in, it ends.
"""

import faulthandler
import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import Future
from functools import partial
from typing import Any

from consumers.journal import JournalUnavailable
from consumers.outcomes import Outcome
from domain.commands import parse_command
from domain.errors import BadInput
from infra.app import App, open_app
from infra.settings import load_settings

PATIENCE = 90.0
"""Seconds that brokers may be away when an engine starts."""
DEFECT = 70
"""What it ends with when the engine's loop has a defect."""

_say = threading.Lock()


def say(line: list[Any]) -> None:
    with _say:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def told(number: int, future: Future[Outcome]) -> None:
    """The answer as it is given to whoever asked: for a duplicate the first one."""
    error = future.exception()
    if error is not None:
        say([number, "defect", repr(error), None])
        return
    outcome = future.result().told
    at = outcome.standing
    say([number, outcome.kind, outcome.rule, None if at is None else [at.partition, at.ordinal, at.hash.hex()]])


def opened(config: str, journal: str, directory: str) -> App:
    """An engine; while too few brokers are there, it is tried again."""
    settings = load_settings(config, journal=journal, directory=directory)
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return open_app(settings, views=False, on_defect=lambda: os._exit(DEFECT))
        except JournalUnavailable:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def main(config: str, journal: str, directory: str) -> None:
    faulthandler.register(signal.SIGUSR1)  # where every thread stands, for whoever asks a child that says nothing
    with opened(config, journal, directory) as app:
        say(["ready"])
        for line in sys.stdin:
            number, body = json.loads(line)
            try:
                command = parse_command(body)
            except BadInput as wrong:
                say([number, "bad", wrong.rule, None])
                continue
            app.engine.submit(command).add_done_callback(partial(told, number))


if __name__ == "__main__":
    main(*sys.argv[1:])
