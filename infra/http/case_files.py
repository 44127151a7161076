"""Disputes and cases, read: ``GET …/disputes/{id}`` and ``GET …/cases/{id}``, and the same document for the page."""

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
from infra.documents.case_file import CaseFileContext, matter, precedents, record_of
from infra.http.authenticator import Principal
from infra.http.listing import Listing
from infra.http.reads import Reads, Seen, partition_here
from schemas.codec import Undecodable


class Matters:
    """What is on record about a dispute or case. Belongs to one event loop."""

    def __init__(self, app: App, reads: Reads, listing: Listing) -> None:
        self._app = app
        self._reads = reads
        self._listing = listing

    async def document(self, seen: Seen, caller: Principal, matter_id: str) -> dict[str, Any] | None:
        """The document as this caller may read it, as of now; None where the order has neither of this id."""
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
            raise unavailable("order-stuck", f"a newer release wrote to it: {newer}") from None
        try:
            told = await self._listing.ask(lambda reading: precedents(reading, order.marketplace))
        except Problem:
            told = None  # no views here: no figures, which nothing else rests on
        asking = CaseFileContext(
            viewer=caller.kind if caller.is_bound else None,
            now=now,
            market=market,
            book=self._reads.book,
            precedents=told,
            read_text=self._text,
        )

        def document() -> dict[str, Any] | None:
            standing = as_of(without_lapsed(order, seen.closed_at), self._reads.book, market, now)
            return matter(standing, record, matter_id, asking)

        return await self._reads.aside.do(document)  # it reads texts from the vault, however small the order is

    def messages(self, order: Order, caller: Principal, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The messages of a history that this caller may read, oldest first, each with its ``text``; None: it is gone.

        A buyer or seller reads what they sent or were sent, and every thread of a case or dispute (rule
        ``case-thread``). ``history`` is what the caller may see of it.
        """
        return [
            {**told, "text": self._read(told["data"]["text"]["reference"])}
            for told in history
            if told["event"] == "MessageSent" and told["data"] is not None and _reads(caller, order, told)
        ]

    def _text(self, sealed: Sealed) -> str | None:
        return self._read(sealed.reference)

    def _read(self, reference: str) -> str | None:
        try:
            return self._app.vault.read(reference).decode("utf-8")
        except LookupError:
            return None
        except VaultUnavailable as wrong:
            raise unavailable("vault", f"a text cannot be read now: {wrong}") from None


def _reads(caller: Principal, order: Order, told: dict[str, Any]) -> bool:
    data = told["data"]
    sender = None if told["actor"] is None else told["actor"]["kind"]
    in_thread = data["about"] in order.disputes or data["about"] in order.cases
    return not caller.is_bound or in_thread or caller.kind in (data["to"], sender)


def told_to(caller: Principal, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A history as this caller may read it: support's internal notes are never shown to either side."""
    if not caller.is_bound:
        return told
    return [each for each in told if not _internal(each)]


def _internal(told: dict[str, Any]) -> bool:
    by, data = told["actor"], told["data"]
    ours = by is not None and by["kind"] in ("support", "system")
    return ours and told["event"] == "MessageSent" and data is not None and data["to"] == "support"
