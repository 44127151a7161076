"""Receipts over HTTP, and sending a notification again; buyers and sellers only their own."""

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
    """Handles requests about receipts and notifications. Belongs to one event loop."""

    def __init__(self, app: App, reads: Reads) -> None:
        self._app = app
        self._reads = reads

    async def document(self, seen: Seen, principal: Principal, as_of: Instant | None) -> dict[str, Any]:
        """Return the receipt, and record that a buyer or seller has seen it. Problem 400 for an instant in the
        future."""
        order = seen.order
        stream = f"{order.marketplace}/{order.order_id}"
        now = self._app.clock()
        if as_of is not None and as_of > now:
            raise malformed(
                f"as_of: {format_instant(as_of)} is in the future, and a receipt covers only the past. Leave it out "
                "for a receipt as of now.",
                rule="as-of",
                status=400,
            )
        now = now if as_of is None else as_of
        history = await self._reads.history(order.marketplace, order.order_id, as_of)
        notifications = self._app.notifications
        if notifications is not None and as_of is None and principal.kind in ("buyer", "seller"):
            with suppress(DeliveryStoreUnavailable):  # a receipt does not need the delivery store
                await asyncio.to_thread(notifications.store.see, stream, principal.kind, now)
        notices = await self.notices(seen, principal)
        return await self._reads.workers.do(lambda: receipt_of(order, seen.head, history, now, notices), size_of(order))

    async def notices(self, seen: Seen, principal: Principal) -> list[Notification]:
        """Return the notifications of an order, if this process knows them; buyers and sellers see their own."""
        notifications = self._app.notifications
        if notifications is None:
            return []
        try:
            found = await asyncio.to_thread(notifications.store.of, f"{seen.order.marketplace}/{seen.order.order_id}")
        except DeliveryStoreUnavailable:
            return []
        return [notice for notice in found if not principal.is_bound or notice.audience == principal.kind]

    async def send(self, request: Request, seen: Seen, principal: Principal) -> Response:
        """Send a notification again, once per Idempotency-Key."""
        key = idempotency_key(header(request, "Idempotency-Key"))
        if key is None:
            raise malformed("send an Idempotency-Key; each key sends it once", rule="idempotency-key", status=400)
        notifications = self._app.notifications
        if notifications is None:
            raise unavailable("no-notifier", "This process sends no notifications. Ask the process that does.")
        order, wanted = seen.order, request.path_params["notice_id"]
        stream = f"{order.marketplace}/{order.order_id}"
        try:
            message = await asyncio.to_thread(notifications.store.message_of, stream, wanted)
            if message is None:
                message = await self._reads.ask(lambda engine: _derived(engine, stream, wanted))
            if message is None:
                self._reads.check_absent(order)
            if message is None or (principal.is_bound and message.first.audience != principal.kind):
                raise not_found("The order has no such notification.", "no-such-notice")
            fresh = await asyncio.to_thread(send_again, notifications.store, message, key)
            after = await asyncio.to_thread(notifications.store.find, stream, wanted)
        except DeliveryStoreUnavailable as wrong:
            raise unavailable("book-unavailable", str(wrong)) from None
        notifications.wake()
        body = {"outcome": "accepted", "notice": None if after is None else notification_json(after)}
        return json_response(body, 202, {} if fresh else {REPLAYED: "true"})


def _derived(engine: Engine, stream: str, wanted: str) -> Message | None:
    """Return the message as derived from the log, for events before notifications were sent."""
    state = engine.followers[partition_here(engine, stream)].state
    notices = derive_notifications(state, stream, wanted)
    return Message(notices) if notices else None
