"""Exports requested and canceled lines with another company's codes for their reasons.

``infra.importing.reasons`` translates such codes on import.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from domain.code_schemes import CodeScheme
from domain.events import AutoCanceled, CancelRequested, LinesCanceled
from domain.instants import Instant, format_instant
from schemas.codec import Undecodable, decode_event

if TYPE_CHECKING:
    from infra.store.reader import Reader
    from schemas.commit import EventEntry

ExportedEvent = CancelRequested | LinesCanceled | AutoCanceled
"""The events that request or cancel units of a line."""
EXPORTED: Final = frozenset(each.__name__ for each in (CancelRequested, LinesCanceled, AutoCanceled))
NO_REASON: Final = "no reason is recorded"
Line = tuple[str | None, str | None, int, int, str | None]
"""Request, cause, line, quantity, reason."""


class UnreadableEvent(Exception):
    """The log has an event that this release cannot read, so an export would be incomplete."""


@dataclass(frozen=True, slots=True)
class Coded:
    """Units of one line that were requested (``asked``) or canceled (``canceled``), with the reason and its code.

    ``cause`` is as in the table ``cancellations``, None for a request. ``code`` is None if the scheme has no code for
    the reason, or there is no reason. ``loses`` says so, or what the code does not express.
    """

    at: Instant
    marketplace: str
    order_id: str
    po_number: str | None
    what: str
    request_id: str | None
    cause: str | None
    line: int
    quantity: int
    reason: str | None
    code: str | None
    loses: str | None

    def json(self) -> dict[str, Any]:
        """Return the row's columns by name."""
        return {name: getattr(self, name) for name in COLUMNS} | {"at": format_instant(self.at)}


COLUMNS: Final = tuple(Coded.__slots__)


def coded(reader: "Reader", scheme: CodeScheme, since: Instant | None, until: Instant | None) -> Iterator[Coded]:
    """Yield the lines recorded from ``since`` on and before ``until``, partition by partition in log order.

    UnreadableEvent if this release cannot read an event.
    """
    for partition in sorted(reader.followers):
        for admitted in reader.followers[partition].state.commits():
            at = admitted.commit.recorded_at
            if (since is not None and at < since) or (until is not None and at >= until):
                continue
            for part in admitted.commit.streams:
                for event in part.events:
                    if event.name in EXPORTED:
                        yield from _of(reader, scheme, at, part.stream, _decoded(part.stream, event))


def _decoded(stream: str, event: "EventEntry") -> ExportedEvent:
    try:
        decoded = decode_event(event.name, event.schema_version, event.body)
    except Undecodable as wrong:
        raise UnreadableEvent(f"{stream} holds an event that this release cannot read: {wrong}") from None
    assert isinstance(decoded, ExportedEvent)
    return decoded


def _of(reader: "Reader", scheme: CodeScheme, at: Instant, stream: str, event: ExportedEvent) -> Iterator[Coded]:
    folded = reader.folded(stream)
    order = folded.order
    if order is None:
        raise UnreadableEvent(f"{stream} cannot be read by this release: {folded.unreadable}")
    what = "asked" if isinstance(event, CancelRequested) else "canceled"
    for request_id, cause, line, quantity, reason in _lines(event):
        step = None if reason is None else scheme.code(reason)
        code, loses = (None, NO_REASON) if step is None else (step.to, step.loses)
        yield Coded(
            at,
            order.marketplace,
            order.order_id,
            order.terms.po_number,
            what,
            request_id,
            cause,
            line,
            quantity,
            reason,
            code,
            loses,
        )


def _lines(event: ExportedEvent) -> Iterator[Line]:
    match event:
        case CancelRequested():
            for requested in event.lines:
                yield event.request_id, None, requested.line, requested.quantity, event.reason
        case LinesCanceled():
            for each in event.lines:
                yield each.request_id, each.cause, each.line, each.quantity, each.reason
        case AutoCanceled():
            yield None, "fill_or_kill", event.line, event.quantity, None
