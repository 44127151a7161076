"""Work that takes long leaves the event loop: pages, and answers as long as a big order. A few threads do it."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from domain.order import Order

T = TypeVar("T")

AT_ONCE: Final = 2
"""So much of it is done at one time; the rest waits, and the threads that read views and vault stay free."""
SMALL: Final = 200
"""Lines and events of an order whose answers are made at once, on the loop: a thread would cost more."""


def size_of(order: Order | None) -> int:
    """How large an answer about an order is: its lines and its events."""
    return 0 if order is None else len(order.lines) + order.version


class Aside:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)

    async def do(self, work: Callable[[], T], size: int | None = None) -> T:
        """Do work of this size: what is small at once, what is not (None: never is) in a thread."""
        if size is not None and size <= SMALL:
            return work()
        async with self._free:
            return await asyncio.to_thread(work)
