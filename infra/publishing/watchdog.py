"""A thread for calls that may never come back: the client waits without an end for brokers that are gone."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Hand:
    """Makes calls, one after another. Once a call took too long the hand is given up, with whatever it still does."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(self, call: Callable[[], T], timeout: float) -> T:
        """The call's answer, or what it raises; TimeoutError after ``timeout`` seconds."""
        future: Future[T] = Future()
        self._calls.put((future, call))
        return future.result(timeout)

    def let_go(self, last: Callable[[], None]) -> None:
        """End, after a last call; waits for nothing."""
        self._calls.put((Future(), last))
        self._calls.put(None)

    def _run(self) -> None:
        while (asked := self._calls.get()) is not None:
            future, call = asked
            try:
                future.set_result(call())
            except BaseException as wrong:  # noqa: BLE001 - who asked gets it
                future.set_exception(wrong)
