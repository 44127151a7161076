"""Reading orders for HTTP and pages: everything runs in the engine's own thread, awaited, and is copied out of it.

A reader that sends back the ``Rescind-Position`` of its write waits, up to a bound, until this process has followed the
log that far; then it is told that what it reads is stale.
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
from infra.http.worker_threads import Aside, size_of
from infra.runtime.health_watch import SILENT
from infra.store.history import history

T = TypeVar("T")

TIMEOUT: Final = 2.0
"""Seconds that a read waits for the position in the caller's token."""
POLL_INTERVAL: Final = 0.002
"""Seconds between two looks at how far the log is followed."""


class NotFollowedHere(Exception):
    """Another process follows the partition of an order, or this one does not yet: ``partition`` says which."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition} is followed by another process")
        self.partition = partition


def partition_here(engine: Engine, stream: str) -> int:
    """The partition of a stream, which this process follows to the log's end; NotFollowedHere."""
    partition = engine.partition(stream)
    if not engine.follows(partition):
        raise NotFollowedHere(partition)
    return partition


def check_absent(engine: Engine, partition: int | None) -> None:
    """Something was not found in a partition (None: in the control log): 503 unless the log is read far enough to know
    that it is not there."""
    unknown = engine.unknown(partition)
    if unknown is not None:
        why, said = unknown
        raise unavailable(why, f"it was not found, and whether it exists is not known here: {said}")


@dataclass(frozen=True, slots=True)
class Seen:
    """An order as read: its state, the hash of its last commit, and why this release cannot go on with it, if so."""

    order: Order
    head: bytes
    unreadable: str | None
    closed_at: Instant
    """When an import of its marketplace was last closed, as of then: deadlines set and due before it never fire."""


class Reads:
    """What can be asked of an app, from the event loop."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.aside = Aside()

    async def ask(self, question: Callable[[Engine], T]) -> T:
        """Run a question between two decisions; 503 if the engine does not come to it in time."""
        asked = self._app.engine.call(question)
        if asked.cancelled():
            raise unavailable("closing", "the engine is shutting down; ask again later")
        try:
            return await asyncio.wait_for(asyncio.wrap_future(asked), self._app.settings.answer_within)
        except TimeoutError:
            raise unavailable("busy", "the engine did not come to it in time; ask again") from None

    def age(self) -> int | None:
        """How old what is read may be, in whole seconds, where the log has not answered for a while; else None."""
        silence = self._app.journal.silence
        return int(silence) if silence > SILENT else None

    async def is_stale(self, token: Mapping[int, int], stream: str) -> bool:
        """Wait until the positions of a token are followed; True if they are not in time, the log is silent, or the
        stream's partition is not read to where the log ended when this process began.

        A partition that another process follows has nothing in what is read here."""
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
        """The order as recorded; with ``as_of`` as it stood then, deadlines before it reached. None: there is none.
        503 where it is not found and may be there."""
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
        """Every event of an order as the history tells it; with ``until`` those recorded by then."""
        stream = f"{marketplace}/{order_id}"

        def look(engine: Engine) -> list[dict[str, Any]]:
            return list(history(engine.followers[partition_here(engine, stream)].state, stream))

        told = await self.ask(look)
        if until is None:
            return told
        return await self.aside.do(
            lambda: [each for each in told if parse_instant(each["recorded_at"]) <= until], len(told)
        )

    async def verdicts(self, seen: Seen, now: Instant) -> list[Verdict]:
        """What may be done as of ``now``, one verdict an action; the deadlines before it are reached first."""
        market = self._app.market(seen.order.marketplace)

        def judged() -> list[Verdict]:
            order = without_lapsed(seen.order, seen.closed_at)
            return eligibility(order, self.book, market, max(now, order.recorded_at))

        return await self.aside.do(judged, size_of(seen.order))

    def check_absent(self, order: Order) -> None:
        """Something was not found in this order: 503 unless all of its history is here."""
        engine = self._app.engine
        check_absent(engine, engine.partition(f"{order.marketplace}/{order.order_id}"))

    def check_no_policy(self) -> None:
        """A policy was not found: 503 unless the control log is read to its end."""
        check_absent(self._app.engine, None)

    @property
    def book(self) -> PolicyBook:
        """The policies published so far."""
        return self._app.engine.control.book

    async def preview(self, command: Command) -> Preview | None:
        """What the command would do now; None if there is no such order, 503 if it is not found and may be there.
        BadInput as ``decide`` raises it."""
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
