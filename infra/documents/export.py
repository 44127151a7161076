"""What was asked and cancelled, line by line, with the code by which another house says its reason: the
way out of the crosswalk, as ``infra.importing.reasons`` is the way in."""

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
"""The events that ask for units of a line, or cancel them."""
TOLD: Final = frozenset(each.__name__ for each in (CancelRequested, LinesCanceled, AutoCanceled))
UNSAID: Final = "no reason is recorded"
Line = tuple[str | None, str | None, int, int, str | None]
"""Request, cause, line, quantity, reason."""


class UnreadableEvent(Exception):
    """The log holds what this release cannot read: an export would be short of it."""


@dataclass(frozen=True, slots=True)
class Coded:
    """Units of one line that were asked for (``asked``) or cancelled (``canceled``), and why, here and there.

    ``cause`` is that of the table ``cancellations``, None where units were only asked for. ``code`` None: the house has
    none for the reason, or there is no reason; ``loses`` says so, or what the code leaves out.
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
        """As it is written: a row's columns by name."""
        return {name: getattr(self, name) for name in COLUMNS} | {"at": format_instant(self.at)}


COLUMNS: Final = tuple(Coded.__slots__)


def coded(reader: "Reader", house: CodeScheme, since: Instant | None, until: Instant | None) -> Iterator[Coded]:
    """In log order, partition after partition, what was recorded at ``since`` or later and before ``until``. Unread
    where an event of the log cannot be read by this release."""
    for partition in sorted(reader.followers):
        for admitted in reader.followers[partition].state.commits():
            at = admitted.commit.recorded_at
            if (since is not None and at < since) or (until is not None and at >= until):
                continue
            for part in admitted.commit.streams:
                for event in part.events:
                    if event.name in TOLD:
                        yield from _of(reader, house, at, part.stream, _told(part.stream, event))


def _told(stream: str, event: "EventEntry") -> ExportedEvent:
    try:
        told = decode_event(event.name, event.schema_version, event.body)
    except Undecodable as wrong:
        raise UnreadableEvent(f"{stream} holds an event that this release cannot read: {wrong}") from None
    assert isinstance(told, ExportedEvent)
    return told


def _of(reader: "Reader", house: CodeScheme, at: Instant, stream: str, told: ExportedEvent) -> Iterator[Coded]:
    folded = reader.folded(stream)
    order = folded.order
    if order is None:
        raise UnreadableEvent(f"{stream} cannot be read by this release: {folded.unreadable}")
    what = "asked" if isinstance(told, CancelRequested) else "canceled"
    for request_id, cause, line, quantity, reason in _lines(told):
        step = None if reason is None else house.code(reason)
        code, loses = (None, UNSAID) if step is None else (step.to, step.loses)
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


def _lines(told: ExportedEvent) -> Iterator[Line]:
    match told:
        case CancelRequested():
            for asked in told.lines:
                yield told.request_id, None, asked.line, asked.quantity, told.reason
        case LinesCanceled():
            for each in told.lines:
                yield each.request_id, each.cause, each.line, each.quantity, each.reason
        case AutoCanceled():
            yield None, "fill_or_kill", told.line, told.quantity, None
