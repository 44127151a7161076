"""How many examples a test draws: a tenth of the ordinary in `make check`, twenty times as many in `make test-long`."""

import os


def factor() -> float:
    """RESCIND_EXAMPLES, 1 where it is not set."""
    return float(os.environ.get("RESCIND_EXAMPLES") or 1)


def examples(ordinary: int) -> int:
    """How many to draw of what `make test` draws this many of."""
    return max(1, round(ordinary * factor()))
