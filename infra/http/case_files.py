"""Reads the documents of disputes and cases, for the API and for the page."""

from typing import Any

from consumers.engine.engine import Engine
from consumers.ports.vault import VaultUnavailable
from domain.deadlines import without_lapsed
from domain.eligibility_queries import as_of
from domain.events import Sealed
from domain.order import Order
from domain.record import Entry
from infra.api.problems import Problem, unavailable
from infra.app import App
from infra.documents.case_file import CaseFileContext, case_file, precedents, record_of
from infra.http.authenticator import Principal
from infra.http.listing import Listing
from infra.http.reads import Reads, Seen, partition_here
from schemas.codec import Undecodable


class CaseFiles:
    """Reads documents and messages of disputes and cases. Belongs to one event loop."""

    def __init__(self, app: App, reads: Reads, listing: Listing) -> None:
        self._app = app
        self._reads = reads
        self._listing = listing

    async def document(self, seen: Seen, principal: Principal, matter_id: str) -> dict[str, Any] | None:
        """Return the document that this principal may read, as of now; None if the order has no such dispute or
        case."""
        order = seen.order
        if matter_id not in order.disputes and matter_id not in order.cases:
            return None
        stream = f"{order.marketplace}/{order.order_id}"
        market = self._app.market(order.marketplace)
        now = max(self._app.clock(), order.recorded_at)

        def look(engine: Engine) -> list[Entry]:
            return record_of(engine.followers[partition_here(engine, stream)].state, stream)

        try:
            record = await self._reads.ask(look)
        except Undecodable as newer:
            raise unavailable(
                "order-stuck", f"A newer release wrote to this order, and this one cannot read it: {newer}"
            ) from None
        try:
            figures = await self._listing.ask(lambda reading: precedents(reading, order.marketplace))
        except Problem:
            figures = None  # without views there are no statistics, which are optional
        context = CaseFileContext(
            viewer=principal.kind if principal.is_bound else None,
            now=now,
            market=market,
            book=self._reads.book,
            precedents=figures,
            read_text=self._text,
        )

        def document() -> dict[str, Any] | None:
            current = as_of(without_lapsed(order, seen.closed_at), self._reads.book, market, now)
            return case_file(current, record, matter_id, context)

        return await self._reads.workers.do(document)  # always in a thread: it reads texts from the vault

    def messages(self, order: Order, principal: Principal, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the messages that this principal may read, oldest first; ``text`` is None if it was deleted.

        Buyers and sellers read what they sent or received, and every message about a case or dispute (rule
        ``case-thread``). ``history``: the events that the principal may see.
        """
        return [
            {**each, "text": self._read(each["data"]["text"]["reference"])}
            for each in history
            if each["event"] == "MessageSent" and each["data"] is not None and _reads(principal, order, each)
        ]

    def _text(self, sealed: Sealed) -> str | None:
        return self._read(sealed.reference)

    def _read(self, reference: str) -> str | None:
        try:
            return self._app.vault.read(reference).decode("utf-8")
        except LookupError:
            return None
        except VaultUnavailable as wrong:
            raise unavailable("vault", f"A message cannot be read now: {wrong}") from None


def _reads(principal: Principal, order: Order, event: dict[str, Any]) -> bool:
    data = event["data"]
    sender = None if event["actor"] is None else event["actor"]["kind"]
    in_thread = data["about"] in order.disputes or data["about"] in order.cases
    return not principal.is_bound or in_thread or principal.kind in (data["to"], sender)


def visible_to(principal: Principal, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events that this principal may see; buyers and sellers never see support's internal notes."""
    if not principal.is_bound:
        return events
    return [each for each in events if not _internal(each)]


def _internal(event: dict[str, Any]) -> bool:
    by, data = event["actor"], event["data"]
    ours = by is not None and by["kind"] in ("support", "system")
    return ours and event["event"] == "MessageSent" and data is not None and data["to"] == "support"
