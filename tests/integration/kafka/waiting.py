"""Waiting for what must come, however slow the machine is."""

import time
from collections.abc import Callable

TIMEOUT = 60.0
"""Seconds; nothing waits so long unless something is wrong."""


def wait_until(true: Callable[[], bool], timeout: float = TIMEOUT) -> None:
    """Wait until it is so."""
    until = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.01)
