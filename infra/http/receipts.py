"""Receipts over HTTP, and sending a notice again: by anybody who may see the order, to the side that they are."""

import asyncio
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from consumers.engine.engine import Engine
from consumers.notifying.notification_mapper import derive_notifications
from consumers.ports.notifications import DeliveryStoreUnavailable, Message, Notification
from domain.instants import Instant, format_instant
from infra.api.answers import REPLAYED, json_response
from infra.api.forms import idempotency_key
from infra.api.problems import malformed, not_found, unavailable
from infra.api.request_parts import header
from infra.app import App
from infra.documents.receipt import receipt_of
from infra.http.authenticator import Principal
from infra.http.reads import Reads, Seen, partition_here
from infra.http.worker_threads import size_of
from infra.notifications.inspection import notification_json, send_again


class Receipts:
    """The receipts of one app. Belongs to one event loop."""

    def __init__(self, app: App, reads: Reads) -> None:
        self._app = app
        self._reads = reads

    async def document(self, seen: Seen, caller: Principal, as_of: Instant | None) -> dict[str, Any]:
        """The receipt; that a buyer or seller has looked at it for the first time is noted. Problem 400 of an instant
        that has not come: what will have happened by then, nobody can confirm."""
        order = seen.order
        stream = f"{order.marketplace}/{order.order_id}"
        now = self._app.clock()
        if as_of is not None and as_of > now:
            raise malformed(
                f"as_of: a receipt tells what has happened, and {format_instant(as_of)} is yet to come; leave it out, "
                "and it speaks of now",
                rule="as-of",
                status=400,
            )
        now = now if as_of is None else as_of
        history = await self._reads.history(order.marketplace, order.order_id, as_of)
        notifications = self._app.notifications
        if notifications is not None and as_of is None and caller.kind in ("buyer", "seller"):
            with suppress(
                DeliveryStoreUnavailable
            ):  # what became of the messages is beside the receipt, not in its way
                await asyncio.to_thread(notifications.store.see, stream, caller.kind, now)
        notices = await self.notices(seen, caller)
        return await self._reads.aside.do(lambda: receipt_of(order, seen.head, history, now, notices), size_of(order))

    async def notices(self, seen: Seen, caller: Principal) -> list[Notification]:
        """How far the notices of an order have come, where this process knows; a buyer or seller sees their own."""
        notifications = self._app.notifications
        if notifications is None:
            return []
        try:
            found = await asyncio.to_thread(notifications.store.of, f"{seen.order.marketplace}/{seen.order.order_id}")
        except DeliveryStoreUnavailable:
            return []
        return [notice for notice in found if not caller.is_bound or notice.audience == caller.kind]

    async def send(self, request: Request, seen: Seen, caller: Principal) -> Response:
        """Have a notice sent again, once a key."""
        key = idempotency_key(header(request, "Idempotency-Key"))
        if key is None:
            raise malformed("send an Idempotency-Key: one key sends it once", rule="idempotency-key", status=400)
        notifications = self._app.notifications
        if notifications is None:
            raise unavailable("no-notifier", "this process tells nobody: ask the one that does")
        order, wanted = seen.order, request.path_params["notice_id"]
        stream = f"{order.marketplace}/{order.order_id}"
        try:
            letter = await asyncio.to_thread(notifications.store.message_of, stream, wanted)
            if letter is None:
                letter = await self._reads.ask(lambda engine: _derived(engine, stream, wanted))
            if letter is None:
                self._reads.check_absent(order)
            if letter is None or (caller.is_bound and letter.first.audience != caller.kind):
                raise not_found("The order has no such notice.", "no-such-notice")
            fresh = await asyncio.to_thread(send_again, notifications.store, letter, key)
            after = await asyncio.to_thread(notifications.store.find, stream, wanted)
        except DeliveryStoreUnavailable as wrong:
            raise unavailable("book-unavailable", str(wrong)) from None
        notifications.wake()
        body = {"outcome": "accepted", "notice": None if after is None else notification_json(after)}
        return json_response(body, 202, {} if fresh else {REPLAYED: "true"})


def _derived(engine: Engine, stream: str, wanted: str) -> Message | None:
    """The letter as the log has it: history, of which nobody was told."""
    state = engine.followers[partition_here(engine, stream)].state
    notices = derive_notifications(state, stream, wanted)
    return Message(notices) if notices else None
