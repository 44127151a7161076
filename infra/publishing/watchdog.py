"""A thread for calls that may never return: the client waits for ever for brokers that are gone."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class CallThread:
    """Runs calls, one after another. After a timeout the caller abandons the thread, which may still be busy."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def run(self, call: Callable[[], T], timeout: float) -> T:
        """Return the call's result, or raise its error; TimeoutError after ``timeout`` seconds."""
        future: Future[T] = Future()
        self._calls.put((future, call))
        return future.result(timeout)

    def end(self) -> None:
        """End the thread after the call under way. Returns at once."""
        self._calls.put(None)

    def _run(self) -> None:
        while (next_call := self._calls.get()) is not None:
            future, call = next_call
            try:
                future.set_result(call())
            except BaseException as wrong:  # noqa: BLE001 - the caller gets it
                future.set_exception(wrong)
