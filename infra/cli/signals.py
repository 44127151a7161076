"""Signals that end a command: SIGTERM and ctrl-C become exceptions in the main thread, and none of them gets lost.

An exception that comes out of nowhere can be lost in three places: in a callback of the interpreter (of a weak
reference, of the collector), which prints it and goes on; in a library, which makes an error of its own of it; while a
module is loaded, where both happen. So it waits until nothing is being loaded, it is raised again where it was lost,
and the process's exit code is that of the signal whatever became of the exception.
"""

import signal
import sys
import weakref
from types import FrameType
from typing import TYPE_CHECKING, Final

from infra.cli.exits import EXIT_INTERRUPTED, EXIT_TERMINATED, Interrupted, Terminated

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

PERIOD: Final = 0.05
"""Seconds between two looks at what became of it."""
_LOADING: Final = "<frozen importlib."


class Ending:
    """What this process was told by signals."""

    def __init__(self) -> None:
        self.code: int | None = None
        """The exit code of the signal that ends the command; None: it was told nothing."""
        self._kind: type[Interrupted | Terminated] = Terminated
        self._raised: weakref.ref[BaseException] | None = None
        self._heard = False

    def begin(self) -> None:
        """Listen from now on. In the main thread."""
        signal.signal(signal.SIGTERM, self._told)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as it is for what a shell runs in the background
            signal.signal(signal.SIGINT, self._told)
        signal.signal(signal.SIGALRM, self._look)
        sys.unraisablehook = self._lost

    def heard(self) -> None:
        """Whoever catches the exception, and ends in order without it, says so: it is not raised again."""
        self._heard = True
        if self.code is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def end(self) -> None:
        """The command is over and everything is closed: a signal is the system's business again."""
        self.heard()
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) == self._told:
                signal.signal(number, signal.SIG_DFL)

    def _told(self, number: int, frame: FrameType | None) -> None:
        if self.code is None:
            interrupted = number == signal.SIGINT
            self._kind = Interrupted if interrupted else Terminated
            self.code = EXIT_INTERRUPTED if interrupted else EXIT_TERMINATED
            signal.setitimer(signal.ITIMER_REAL, PERIOD, PERIOD)
        elif number == signal.SIGTERM:
            return  # it knows
        if not _loading(frame):  # a second ctrl-C breaks off the ending, too
            raise self._anew()

    def _look(self, number: int, frame: FrameType | None) -> None:
        on_its_way = self._raised is not None and self._raised() is not None
        if not self._heard and not on_its_way and not _loading(frame):
            raise self._anew()

    def _anew(self) -> BaseException:
        ending = self._kind()
        self._raised = weakref.ref(ending)
        return ending

    def _lost(self, lost: "UnraisableHookArgs") -> None:
        if not isinstance(lost.exc_value, (Interrupted, Terminated)):
            sys.__unraisablehook__(lost)


def _loading(frame: FrameType | None) -> bool:
    """Whether a module is being loaded by what runs here."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_LOADING):
            return True
        frame = frame.f_back
    return False


ENDING: Final = Ending()
"""This process's; it listens where ``infra.cli.main`` is the process's own door."""
