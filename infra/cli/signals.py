"""Turns SIGTERM and ctrl-C into exceptions in the main thread, and makes sure that none is lost.

Such an exception can be lost in an interpreter callback (of a weak reference or the garbage collector), in a library
that replaces it by an error of its own, or while a module is being imported. So it is not raised during an import, is
raised again if it was lost, and the exit code is the signal's in any case.
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
"""Seconds between two checks of whether the exception was lost."""
_LOADING: Final = "<frozen importlib."


class Ending:
    """The signal that ends this process."""

    def __init__(self) -> None:
        self.code: int | None = None
        """Exit code of the signal that ends the command; None if there was none."""
        self._kind: type[Interrupted | Terminated] = Terminated
        self._raised: weakref.ref[BaseException] | None = None
        self._heard = False

    def begin(self) -> None:
        """Handle signals from now on. Call it in the main thread."""
        signal.signal(signal.SIGTERM, self._on_signal)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # ignored for background jobs of a shell
            signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGALRM, self._look)
        sys.unraisablehook = self._lost

    def heard(self) -> None:
        """Do not raise the exception again; the caller has caught it and ends in order."""
        self._heard = True
        if self.code is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def end(self) -> None:
        """Restore the default handling of signals; the command is over and everything is closed."""
        self.heard()
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, signal.SIG_DFL)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.code is None:
            interrupted = number == signal.SIGINT
            self._kind = Interrupted if interrupted else Terminated
            self.code = EXIT_INTERRUPTED if interrupted else EXIT_TERMINATED
            signal.setitimer(signal.ITIMER_REAL, PERIOD, PERIOD)
        elif number == signal.SIGTERM:
            return  # already ending
        if not _loading(frame):  # a second ctrl-C also interrupts the ending
            raise self._exception()

    def _look(self, number: int, frame: FrameType | None) -> None:
        on_its_way = self._raised is not None and self._raised() is not None
        if not self._heard and not on_its_way and not _loading(frame):
            raise self._exception()

    def _exception(self) -> BaseException:
        ending = self._kind()
        self._raised = weakref.ref(ending)
        return ending

    def _lost(self, lost: "UnraisableHookArgs") -> None:
        if not isinstance(lost.exc_value, (Interrupted, Terminated)):
            sys.__unraisablehook__(lost)


def _loading(frame: FrameType | None) -> bool:
    """True if a module is being imported in this frame or below."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_LOADING):
            return True
        frame = frame.f_back
    return False


ENDING: Final = Ending()
"""The one of this process; it handles signals if the process was started by ``infra.cli.main``."""
