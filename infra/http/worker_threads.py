"""Threads for work that would block the event loop: pages, and responses about big orders."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from domain.order import Order

T = TypeVar("T")

AT_ONCE: Final = 2
"""Threads used at a time at most, so that threads stay free to read views and vault."""
SMALL: Final = 200
"""Lines and events of an order up to which the event loop does the work, because a thread would cost more."""


def size_of(order: Order | None) -> int:
    """Return the size of a response about an order: its lines plus its events."""
    return 0 if order is None else len(order.lines) + order.version


class WorkerThreads:
    """Runs work in a few threads. Belongs to one event loop."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)

    async def do(self, work: Callable[[], T], size: int | None = None) -> T:
        """Do small work directly, and larger work (None: always) in a thread."""
        if size is not None and size <= SMALL:
            return work()
        async with self._free:
            return await asyncio.to_thread(work)
