"""A process with an engine: works through a stream of commands, many at once, and prints each outcome when it is
there."""

import faulthandler
import json
import sys
import threading
from concurrent.futures import Future
from functools import partial

from consumers.engine.outcome import Outcome
from domain.commands import parse_command
from infra.app import AppOptions, open_app
from infra.settings import load_settings
from tests.integration.kafka.orders import commands

AT_ONCE = 48
LONGEST = 120
"""Seconds after which a child that does not end prints its stack."""


def main(journal: str, directory: str, name: str, orders: str, seed: str) -> None:
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    settings = load_settings(journal=journal, directory=directory)
    free = threading.Semaphore(AT_ONCE)
    writing = threading.Lock()

    def report(command_id: str, future: Future[Outcome]) -> None:
        outcome = future.result().effective
        where = None if outcome.commit_position is None else outcome.commit_position.hash.hex()
        with writing:
            sys.stdout.write(json.dumps([command_id, outcome.kind, outcome.rule, where]) + "\n")
            sys.stdout.flush()
        free.release()

    with open_app(settings, AppOptions(views=False)) as app:
        for document in commands(name, int(orders), int(seed)):
            free.acquire()
            future = app.engine.submit(parse_command(document))
            future.add_done_callback(partial(report, document["command_id"]))
        for _ in range(AT_ONCE):
            free.acquire()


if __name__ == "__main__":
    main(*sys.argv[1:])
