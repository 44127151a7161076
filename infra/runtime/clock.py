"""The clock of this process."""

import time

from domain.instants import Instant


def clock() -> Instant:
    """Return the current time: microseconds since 1970, UTC."""
    return time.time_ns() // 1000
