"""Reads orders for HTTP and pages. Queries run in the engine's thread, and their results are copied out of it.

A read with the ``Rescind-Position`` of a write waits until this process has followed the log that far. After
``TIMEOUT`` seconds it responds anyway, marked as stale.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from consumers.engine.engine import Engine
from domain.commands import Command
from domain.deadlines import without_lapsed
from domain.eligibility_queries import as_of as deadlines_reached
from domain.eligibility_queries import eligibility
from domain.events import Verdict
from domain.instants import Instant, parse_instant
from domain.order import Order
from domain.policy import PolicyBook
from domain.preview import Preview, preview
from infra.api.problems import unavailable
from infra.app import App
from infra.http.worker_threads import WorkerThreads, size_of
from infra.runtime.health_watch import SILENT
from infra.store.history import history

T = TypeVar("T")

TIMEOUT: Final = 2.0
"""Seconds that a read waits for the position in the caller's token."""
POLL_INTERVAL: Final = 0.002
"""Seconds between two checks of how far the log is followed."""


class NotFollowedHere(Exception):
    """This process does not follow the order's partition; another one does, or this one will soon."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition} is followed by another process")
        self.partition = partition


def partition_here(engine: Engine, stream: str) -> int:
    """Return the partition of a stream; NotFollowedHere if this process does not follow it to the log's end."""
    partition = engine.partition(stream)
    if not engine.follows(partition):
        raise NotFollowedHere(partition)
    return partition


def check_absent(engine: Engine, partition: int | None) -> None:
    """Problem 503 unless enough of a partition (None: of the control log) is read to know that something is absent."""
    unknown = engine.unknown(partition)
    if unknown is not None:
        why, detail = unknown
        raise unavailable(why, f"Nothing was found, but this process cannot tell yet whether it exists: {detail}")


@dataclass(frozen=True, slots=True)
class Seen:
    """An order as read: its state, the hash of its last commit, and why this release cannot decide on it, if so."""

    order: Order
    head: bytes
    unreadable: str | None
    closed_at: Instant
    """When the last import of its marketplace was closed; deadlines set and due before that never fire."""


class Reads:
    """Queries of an app's orders, from the event loop."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.workers = WorkerThreads()

    async def ask(self, question: Callable[[Engine], T]) -> T:
        """Run a query in the engine's thread; Problem 503 if it does not answer in time."""
        answer = self._app.engine.call(question)
        if answer.cancelled():
            raise unavailable("closing", "The server is shutting down. Try again later.")
        try:
            return await asyncio.wait_for(asyncio.wrap_future(answer), self._app.settings.answer_within)
        except TimeoutError:
            raise unavailable("busy", "The server did not answer in time. Try again.") from None

    def age(self) -> int | None:
        """Return how old the data may be, in whole seconds, if the log has not answered for a while; else None."""
        silence = self._app.journal.silence
        return int(silence) if silence > SILENT else None

    async def is_stale(self, token: Mapping[int, int], stream: str) -> bool:
        """Wait until the token's positions are followed, and return whether the data may still be stale.

        It may be if the positions are not followed in time, if the log is silent, or if the stream's partition is not
        read to where the log ended at the start. Partitions that other processes follow do not count.
        """
        engine = self._app.engine
        partition = engine.partition(stream)

        def followed() -> bool:
            for partition, position in token.items():
                follower = engine.followers.get(partition)
                if follower is None and partition >= engine.partitions:
                    return False
                if follower is not None and follower.next_position <= position:
                    return False
            return True

        until = asyncio.get_running_loop().time() + TIMEOUT
        while not followed():
            if self.age() is not None:
                return True
            if asyncio.get_running_loop().time() > until:
                return True
            await asyncio.sleep(POLL_INTERVAL)
        return self.age() is not None or (engine.follows(partition) and engine.unknown(partition) is not None)

    async def order(self, marketplace: str, order_id: str, as_of: Instant | None = None) -> Seen | None:
        """Return the order as recorded, or as of an instant with its passed deadlines applied; None if there is none.

        Problem 503 if it is not found and may exist.
        """
        stream = f"{marketplace}/{order_id}"

        def look(engine: Engine) -> Seen | None:
            partition = partition_here(engine, stream)
            if as_of is None:
                folded = engine.orders.get(partition, stream)
            else:
                folded = engine.orders.as_of(partition, stream, as_of)
            order = folded.order
            if order is None or not order.exists:
                check_absent(engine, partition)
                return None
            closed_at = engine.imports.closed_as_of(partition, marketplace, as_of, self._app.clock())
            if as_of is not None and folded.unreadable is None:
                standing = without_lapsed(order, closed_at)
                order = deadlines_reached(standing, engine.control.book, self._app.market(marketplace), as_of)
            return Seen(order, folded.head, folded.unreadable, closed_at)

        return await self.ask(look)

    async def history(self, marketplace: str, order_id: str, until: Instant | None = None) -> list[dict[str, Any]]:
        """Return the events of an order as JSON; with ``until`` only those recorded by then."""
        stream = f"{marketplace}/{order_id}"

        def look(engine: Engine) -> list[dict[str, Any]]:
            return list(history(engine.followers[partition_here(engine, stream)].state, stream))

        events = await self.ask(look)
        if until is None:
            return events
        return await self.workers.do(
            lambda: [each for each in events if parse_instant(each["recorded_at"]) <= until], len(events)
        )

    async def verdicts(self, seen: Seen, now: Instant) -> list[Verdict]:
        """Return one verdict per action as of ``now``, with passed deadlines applied."""
        market = self._app.market(seen.order.marketplace)

        def judged() -> list[Verdict]:
            order = without_lapsed(seen.order, seen.closed_at)
            return eligibility(order, self.book, market, max(now, order.recorded_at))

        return await self.workers.do(judged, size_of(seen.order))

    def check_absent(self, order: Order) -> None:
        """Problem 503 unless the order's whole history is read, so that something is known to be absent."""
        engine = self._app.engine
        check_absent(engine, engine.partition(f"{order.marketplace}/{order.order_id}"))

    def check_no_policy(self) -> None:
        """Problem 503 unless the control log is read to its end, so that a policy is known to be absent."""
        check_absent(self._app.engine, None)

    @property
    def book(self) -> PolicyBook:
        """The policies published so far."""
        return self._app.engine.control.book

    async def preview(self, command: Command) -> Preview | None:
        """Return what the command would do now; None if there is no such order. BadInput as ``decide`` raises it.

        Problem 503 if the order is not found and may exist.
        """
        stream = command.stream
        now = self._app.clock()

        def look(engine: Engine) -> Preview | None:
            partition = partition_here(engine, stream)
            order = engine.orders.get(partition, stream).order
            if order is None or not order.exists:
                check_absent(engine, partition)
                return None
            market = self._app.market(command.marketplace)
            closed_at = engine.imports.closed_at(partition, command.marketplace)
            return preview(order, command, engine.control.book, market, now, closed_at)

        return await self.ask(look)
