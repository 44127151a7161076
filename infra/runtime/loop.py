"""Threads that drive what has no thread of its own: a loop that steps, a rhythm that beats."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Final

LONGEST_PAUSE: Final = 0.05
"""Seconds that a loop sleeps at most before it looks again."""
TIMEOUT: Final = 10.0
"""Seconds in which a loop that was told to end comes back from its step; a server or a disk may keep it for ever."""


class Loop:
    """Calls ``step`` while it moves something, and otherwise sleeps until woken or ``pause`` is over."""

    def __init__(self, name: str, step: Callable[[], bool], pause: Callable[[], float]) -> None:
        """``pause``: seconds to sleep after a step that moved nothing."""
        self._step = step
        self._pause = pause
        self._woken = threading.Event()
        self._stopping = False
        self._left = False
        """Told to end, and not come back."""
        self.keeps: ExitStack | None = None
        """What was left open for a step that does not come back: nothing lets go of it while the thread lives."""
        self.broken: BaseException | None = None
        """The defect that ended the loop, if one did."""
        self.on_broken: Callable[[], None] = lambda: None
        self._step_began: float | None = None
        self._asked: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._ended = True
        """Whether nobody steps: not started yet, or over."""
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._ended = False
        self._thread.start()

    @property
    def step_lasts(self) -> float:
        """Seconds since the step that is under way began; 0 between two steps. From any thread."""
        began = self._step_began
        return 0.0 if began is None else time.monotonic() - began

    def between(self, do: Callable[[], None]) -> None:
        """Have ``do`` done in the loop's thread, between two steps, and wait; what it raises is raised here. Where
        nobody steps it is done at once."""
        asked: Future[None] = Future()
        with self._turn:
            ended = self._ended
            if not ended:
                self._asked.append((do, asked))
        if ended:
            do()
            return
        self.wake()
        asked.result()

    def wake(self) -> None:
        """There is something to do. From any thread."""
        if not self._woken.is_set():
            self._woken.set()

    def end(self) -> None:
        """Begin no further step. Waits for nothing."""
        self._stopping = True
        self._woken.set()

    def stop(self, until: float | None = None) -> bool:
        """End after the step that is under way; whether it has ended.

        ``until``: by the monotonic clock; if not said, ``TIMEOUT`` from now. A step that has not come back by then is
        left behind, which is said: what it uses is not to be closed under it, and stays open until the process ends,
        as if it had been killed.
        """
        self.end()
        if not self._thread.is_alive() or threading.current_thread() is self._thread:
            return True
        self._thread.join(TIMEOUT if until is None else max(0.0, until - time.monotonic()))
        self._left = self._thread.is_alive()
        if self._left:
            sys.stderr.write(
                f"rescind: the loop of the {self._thread.name} does not come back from its step: it is left behind, as "
                "if the process had been killed; the next start goes on from the log\n"
            )
        return not self._left

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._woken.clear()
                self._step_began = time.monotonic()
                self._do_asked()
                moved = self._step()
                self._step_began = None
                if not moved and (pause := self._pause()) > 0:
                    self._woken.wait(min(pause, LONGEST_PAUSE))
        except BaseException as defect:
            if self._left:
                return  # whatever it came back to was closed
            self.broken = defect
            sys.stderr.write(f"rescind: the loop of the {self._thread.name} has ended by a defect: {defect!r}\n")
            self.on_broken()
            raise
        finally:
            with self._turn:
                self._ended = True
            self._do_asked()

    def _do_asked(self) -> None:
        while self._asked:
            do, asked = self._asked.popleft()
            try:
                do()
            except Exception as wrong:  # noqa: BLE001 - who asked gets it
                asked.set_exception(wrong)
            else:
                asked.set_result(None)


class Rhythm:
    """Calls ``beat`` once a period, whatever else stands still."""

    def __init__(self, name: str, beat: Callable[[], None], period: float) -> None:
        """``period``: seconds."""
        self._beat = beat
        self._period = period
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No further beat. Waits for nothing."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(self._period):
            self._beat()
