"""Counts the lines of the project's own code that run, in every thread: a measure of work that no clock disturbs.

``counting`` has to be entered before the threads start that are to be counted.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OURS = tuple(f"{ROOT / room}/" for room in ("domain", "schemas", "projections", "consumers", "infra"))
MORE = 2.3
"""The factor that doubled input may add to the steps: n log n stays below it, n² does not."""

Steps = Counter[CodeType]


class Counting:
    """Lines by the code that they are in, while ``on``."""

    def __init__(self) -> None:
        self.on = False
        self.lines: Steps = Counter()

    def of(self, act: Callable[[], object]) -> Steps:
        """The lines that run while this is done."""
        self.lines = Counter()
        self.on = True
        try:
            act()
        finally:
            self.on = False
        return self.lines

    def trace(self, frame: FrameType, event: str, about: Any) -> Any:
        """For ``sys.settrace``."""
        return self._line if frame.f_code.co_filename.startswith(OURS) else None

    def _line(self, frame: FrameType, event: str, about: Any) -> Any:
        if self.on and event == "line":
            self.lines[frame.f_code] += 1
        return self._line


@contextmanager
def counting() -> Iterator[Counting]:
    """A counter of this thread and of those started while it counts."""
    counter = Counting()
    before, of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(counter.trace)
    threading.settrace(counter.trace)
    try:
        yield counter
    finally:
        sys.settrace(before)
        threading.settrace(of_threads)


def too_many(once: Steps, twice: Steps, size: int, idle: Steps | None = None) -> list[str]:
    """The code that takes more than MORE times the steps for an input of 2 × ``size`` than for one of ``size``.

    What takes a few steps for each part of the input is left out; so is what runs while nothing is asked (``idle``).
    """
    return [
        f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_firstlineno} {code.co_name}: {once[code]} -> {steps}"
        for code, steps in twice.items()
        if steps > 16 * size and steps > MORE * once[code] and code not in (idle or ())
    ]
