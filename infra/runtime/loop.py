"""The threads of a running engine: a loop steps while there is work, a rhythm beats once a period."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Final

LONGEST_PAUSE: Final = 0.05
"""The longest sleep of a loop between two steps, in seconds."""
TIMEOUT: Final = 10.0
"""Seconds that a stopping loop gets to come back from its step. A server or a disk may keep it for ever."""
HANGS: Final = 60.0
"""Seconds after which a step that has not ended is a trouble: longer than any step waits for a server that is away."""


class Loop:
    """Calls ``step`` while it moves something, and otherwise sleeps until woken or ``pause`` is over."""

    def __init__(self, name: str, step: Callable[[], bool], pause: Callable[[], float]) -> None:
        """``pause``: seconds to sleep after a step that moved nothing."""
        self._step = step
        self._pause = pause
        self._woken = threading.Event()
        self._stopping = False
        self._abandoned = False
        """Whether ``stop`` has given up waiting for the step."""
        self.left_open: ExitStack | None = None
        """Resources that an abandoned step still uses: open while the thread lives."""
        self.broken: BaseException | None = None
        """The defect that ended the loop, if one did."""
        self.on_broken: Callable[[], None] = lambda: None
        self._step_began: float | None = None
        self._calls: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._ended = True
        """Whether nobody steps: the loop has not started, or is over."""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._ended = False
        self._thread.start()

    @property
    def step_lasts(self) -> float:
        """Seconds since the step under way began; 0 between two steps. From any thread."""
        began = self._step_began
        return 0.0 if began is None else time.monotonic() - began

    @property
    def trouble(self) -> str | None:
        """Why the loop does not go on: a defect has ended it, or its step hangs. From any thread."""
        if self.broken is not None:
            return f"it has ended by a defect: {self.broken!r}"
        if (lasts := self.step_lasts) >= HANGS:
            return f"a step that began {lasts:.0f} seconds ago has not come back"
        return None

    def between_steps(self, do: Callable[[], None]) -> None:
        """Run ``do`` in the loop's thread, between two steps, wait for its end, and raise what it raises. Runs it at
        once if nobody steps."""
        done: Future[None] = Future()
        with self._lock:
            ended = self._ended
            if not ended:
                self._calls.append((do, done))
        if ended:
            do()
            return
        self.wake()
        done.result()

    def wake(self) -> None:
        """Step again without waiting for the end of the pause. From any thread."""
        if not self._woken.is_set():
            self._woken.set()

    def end(self) -> None:
        """Begin no further step. Returns at once."""
        self._stopping = True
        self._woken.set()

    def stop(self, until: float | None = None) -> bool:
        """End after the step under way; whether it has ended.

        ``until``: how long to wait, by the monotonic clock; by default ``TIMEOUT`` from now. A step that has not
        returned by then is abandoned, with a line on standard error. Its resources must not be closed. They
        stay open until the process ends, as if the process had been killed.
        """
        self.end()
        if not self._thread.is_alive() or threading.current_thread() is self._thread:
            return True
        self._thread.join(TIMEOUT if until is None else max(0.0, until - time.monotonic()))
        self._abandoned = self._thread.is_alive()
        if self._abandoned:
            sys.stderr.write(
                f"rescind: the loop of the {self._thread.name} does not come back from its step: it is left behind, as "
                "if the process had been killed; the next start goes on from the log\n"
            )
        return not self._abandoned

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._woken.clear()
                self._step_began = time.monotonic()
                self._run_calls()
                moved = self._step()
                self._step_began = None
                if not moved and (pause := self._pause()) > 0:
                    self._woken.wait(min(pause, LONGEST_PAUSE))
        except BaseException as defect:
            if self._abandoned:
                return  # the error comes from what was closed in the meantime
            self.broken = defect
            sys.stderr.write(f"rescind: the loop of the {self._thread.name} has ended by a defect: {defect!r}\n")
            self.on_broken()
            raise
        finally:
            with self._lock:
                self._ended = True
            self._run_calls()

    def _run_calls(self) -> None:
        while self._calls:
            do, done = self._calls.popleft()
            try:
                do()
            except Exception as wrong:  # noqa: BLE001 - the caller gets it
                done.set_exception(wrong)
            else:
                done.set_result(None)


class Rhythm:
    """Calls ``beat`` once a period, in a thread of its own, whatever the loops do. A component."""

    def __init__(self, name: str, beat: Callable[[], None], period: float) -> None:
        """``period``: seconds."""
        self.name = name
        self._beat = beat
        self._period = period
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further beat. Returns at once."""
        self._stopping.set()

    def health(self) -> Mapping[str, str]:
        """Nothing: a rhythm has no trouble of its own."""
        return {}

    def _run(self) -> None:
        while not self._stopping.wait(self._period):
            self._beat()
