"""One engine in a process of its own: commands come in as lines, each outcome goes out as a line, in any order.

In: ``[NUMBER, BODY]``. Out: ``["ready"]``, then ``[NUMBER, KIND, RULE, COMMIT]`` for each command, where COMMIT is null
or ``[PARTITION, ORDINAL, HASH]``. When nothing more comes in, it ends.

If the settings have it follow a share, it sends commands of other partitions to their followers, through the topics;
then COMMIT is null or ``[PARTITION, POSITION]``, of the last event.
"""

import faulthandler
import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from functools import partial
from typing import Any

from consumers.engine.outcome import Outcome
from consumers.ports.journal import JournalUnavailable
from domain.commands import Command, parse_command
from domain.errors import BadInput
from infra.app import App, AppOptions, open_app
from infra.settings import load_settings

TIMEOUT = 90.0
"""Seconds that brokers may be away when an engine starts."""
MAX_FORWARDED = 24
DEFECT = 70
"""The exit code when the engine's loop has a defect."""

_output = threading.Lock()


def emit(line: list[Any]) -> None:
    with _output:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def report(number: int, future: Future[Outcome]) -> None:
    """Emit the answer as the client gets it: for a duplicate the first one."""
    error = future.exception()
    if error is not None:
        emit([number, "defect", repr(error), None])
        return
    outcome = future.result().effective
    at = outcome.commit_position
    emit([number, outcome.kind, outcome.rule, None if at is None else [at.partition, at.ordinal, at.hash.hex()]])


def answer_or_forward(
    app: App, forwarding: ThreadPoolExecutor, number: int, command: Command, future: Future[Outcome]
) -> None:
    """Report the engine's answer, or forward the command if another process follows the order."""
    if app.cluster is not None and future.exception() is None and future.result().rule == "not-followed":
        forwarding.submit(elsewhere, app, number, command)
    else:
        report(number, future)


def elsewhere(app: App, number: int, command: Command) -> None:
    """Send the command to the follower, as ``infra.http.writes`` does."""
    from infra.api.session_tokens import read_token
    from infra.cluster.remote_commands import MaybeSubmitted, NotSubmitted

    assert app.cluster is not None
    try:
        future = app.cluster.remote_commands.submit(command, None, False)
        value, headers = future.result(app.settings.answer_within)
    except NotSubmitted as wrong:
        emit([number, "unavailable", wrong.rule, None])
        return
    except (MaybeSubmitted, Late):
        emit([number, "unknown", "outcome-unknown", None])
        return
    except Exception as defect:  # noqa: BLE001 - an oracle speaks
        emit([number, "defect", repr(defect), None])
        return
    body = json.loads(value)
    rule = (
        None if body.get("status") == 404 else body.get("rule")
    )  # unknown, or not theirs: the answer does not tell which
    at = read_token(headers.get("rescind-position", b"").decode())
    emit([number, body["outcome"], rule, next((list(place) for place in at.items()), None)])


def opened(config: str, journal: str, directory: str) -> App:
    """An engine; while too few brokers are there, it is tried again."""
    settings = load_settings(config, journal=journal, directory=directory)
    until = time.monotonic() + TIMEOUT
    while True:
        try:
            return open_app(settings, AppOptions(views=False, publish=True), on_defect=lambda: os._exit(DEFECT))
        except JournalUnavailable:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def main(config: str, journal: str, directory: str) -> None:
    faulthandler.register(signal.SIGUSR1)  # prints every thread's stack, to debug a silent child
    with opened(config, journal, directory) as app, ThreadPoolExecutor(MAX_FORWARDED) as forwarding:
        emit(["ready"])
        for line in sys.stdin:
            number, body = json.loads(line)
            try:
                command = parse_command(body)
            except BadInput as wrong:
                emit([number, "bad", wrong.rule, None])
                continue
            app.engine.submit(command).add_done_callback(partial(answer_or_forward, app, forwarding, number, command))


if __name__ == "__main__":
    main(*sys.argv[1:])
