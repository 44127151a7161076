"""From admitted commits to public records, which other services read. Pure.

Every event of an order becomes one record on order-events. An event that requires an action also becomes an
instruction: refund, bill again, pay the seller, move stock, notify a buyer or a seller. Ids are derived from the log
alone, so a record that is made again is the same one. Imported commits are history: their events are published without
instructions.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from consumers.log.commit_codec import HISTORY, is_order, positions_of
from consumers.log.dead_letters import DeadLetter, unpublished_id
from consumers.ports.log_values import Admitted, CommitReader
from consumers.ports.public_log import PublicRecord
from domain import events as e
from domain.instants import format_instant
from domain.notification_rules import CONFIRMATIONS, about, notice_id, notification_rule
from domain.references import reference_of
from schemas.codec import Undecodable, decode_event
from schemas.commit import StreamEntry
from schemas.framing import frame
from schemas.public.contracts import Contract, event_contract, instruction_contract
from schemas.public.ids import SchemaIds
from schemas.public.records import (
    Actor,
    CreditMemoInstruction,
    Frame,
    InstructedCause,
    InstructedPart,
    InstructedPurpose,
    Instruction,
    NotificationInstruction,
    RebillInstruction,
    RefundInstruction,
    RefundStop,
    RestockInstruction,
    Units,
    contract_headers,
    event_body,
    instruction_body,
)
from schemas.public.topics import CREDIT_MEMOS, EVENTS, NOTIFICATIONS, REBILLS, REFUNDS, RESTOCK
from schemas.wire import Malformed

_UNPUBLISHABLE: Final = (Undecodable, Malformed, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""Errors that a commit may raise here, because anyone may append to the log and releases have bugs."""


@dataclass(slots=True)
class Unpublishable:
    """An order that is not published from this commit on."""

    stream: str
    ordinal: int
    letter: DeadLetter


class Publisher:
    """Makes public records of one partition's commits."""

    def __init__(self, partition: int, source: CommitReader, ids: SchemaIds, *, capacity: int = 30_000) -> None:
        """``capacity``: orders whose placing is cached."""
        self.partition = partition
        self._source = source
        self._ids = ids
        self._capacity = capacity
        self._placed: OrderedDict[str, _Placed] = OrderedDict()

    def records(
        self, admitted: Admitted, parked: Mapping[str, Any], only: str | None = None
    ) -> tuple[list[PublicRecord], list[Unpublishable]]:
        """Return a commit's records, in the order of its events, and its orders that cannot be published.

        Streams in ``parked`` are left out; with ``only``, all other streams, too. Raises only RegistryUnavailable; the
        same call may succeed later.
        """
        made: list[PublicRecord] = []
        failed: list[Unpublishable] = []
        for part in admitted.commit.streams:
            stream = part.stream
            if part.kind != "chain" or not part.events or stream in parked or not is_order(stream):
                continue
            if only is not None and stream != only:
                continue
            try:
                made += self._part(admitted, part)
            except _UNPUBLISHABLE as wrong:
                failed.append(_unpublishable(admitted, stream, wrong))
        return made, failed

    def _part(self, admitted: Admitted, part: StreamEntry) -> list[PublicRecord]:
        commit = admitted.commit
        marketplace, _, order_id = part.stream.partition("/")
        key = part.stream.encode()
        actor = None if commit.actor is None else Actor(commit.actor.kind, commit.actor.id)
        history = commit.writer == HISTORY
        ordinal = str(admitted.ordinal).encode()
        commit_hash = admitted.hash.hex().encode()
        made: list[PublicRecord] = []
        version = part.first_event
        for entry, position in zip(part.events, positions_of(admitted, part), strict=True):
            version += 1
            event = decode_event(entry.name, entry.schema_version, entry.body)
            if isinstance(event, e.OrderPlaced) and version == 1:
                self._cache(part.stream, event)
            contract = event_contract(entry.name, entry.schema_version)
            body = event_body(
                Frame(
                    marketplace,
                    order_id,
                    version,
                    entry.occurred_at,
                    commit.recorded_at,
                    actor,
                    commit.command_id,
                    commit.correlation_id,
                    history,
                ),
                entry.body,
            )
            fields = _EventFields(
                key,
                f"/rescind/{marketplace}".encode(),
                format_instant(entry.occurred_at).encode(),
                (
                    ("rescind-position", f"{admitted.partition}:{position}".encode()),
                    ("rescind-ordinal", ordinal),
                    ("rescind-commit", commit_hash),
                    ("rescind-version", str(version).encode()),
                ),
            )
            made.append(fields.record(EVENTS, f"{part.stream}/{version}", contract, self._ids.id_of(contract), body))
            if history:
                continue
            for kind, instruction in self._instructions(entry.name, event, admitted, part, version):
                contract = instruction_contract(type(instruction).__name__)
                id, schema_id = instruction.instruction_id, self._ids.id_of(contract)
                made.append(fields.record(kind, id, contract, schema_id, instruction_body(instruction)))
        return made

    # ---- instructions ---------------------------------------------------------------------------------------------

    def _instructions(
        self, name: str, event: e.Event, admitted: Admitted, part: StreamEntry, version: int
    ) -> Iterator[tuple[str, Instruction]]:
        """Yield an event's instructions, each with the kind of its topic."""
        if isinstance(event, _INSTRUCTING):
            yield from self._of_event(event, admitted, part, version)
        rule = notification_rule(event)
        if rule is None:
            return
        stream, placed = part.stream, self._placing(part.stream)
        for audience in rule.audiences:
            notice = notice_id(event, version, audience)
            yield (
                NOTIFICATIONS,
                NotificationInstruction(
                    instruction_id=f"{stream}/{notice}",
                    notice_id=notice,
                    audience=audience,
                    recipient_id=placed.buyer_id if audience == "buyer" else placed.seller_id,
                    template=rule.template,
                    event=name,
                    version=version,
                    about=about(event),
                    reference=reference_of(admitted.hash) if rule.template in CONFIRMATIONS else None,
                    amount=getattr(event, "amount", None),
                    currency=placed.currency,
                    **_order_fields(stream, placed, admitted),
                ),
            )

    def _of_event(
        self, event: e.Event, admitted: Admitted, part: StreamEntry, version: int
    ) -> Iterator[tuple[str, Instruction]]:
        """Yield the instructions to payment, accounts or the warehouse."""
        stream = part.stream
        placed = self._placing(stream)
        order_fields = _order_fields(stream, placed, admitted)
        match event:
            case e.RefundDue(refund_id, amount):
                waiting = sum(part.amount for part in event.parts if part.waiting)
                if amount > waiting:
                    parts = tuple(_part(each) for each in event.parts if not each.waiting)
                    id = f"{stream}/{refund_id}"
                    yield REFUNDS, _refund(id, event, amount - waiting, parts, placed, order_fields)
            case e.ChargebackClosed(released=released) if released:
                refunds = self._refunds(stream, admitted)
                for refund_id in dict.fromkeys(each.refund_id for each in released):
                    parts = tuple(_part(each) for each in released if each.refund_id == refund_id)
                    amount = sum(part.amount for part in parts)
                    id = f"{stream}/{refund_id}.{version}"
                    yield REFUNDS, _refund(id, refunds[refund_id].due, amount, parts, placed, order_fields)
            case e.RefundWithdrawn(refund_id):
                yield from self._stop(refund_id, "withdrawn", admitted, stream, order_fields)
            case e.OtherRefundSettled(refund_id, _, None):
                yield from self._stop(refund_id, "settled_elsewhere", admitted, stream, order_fields)
            case e.RebillDue(rebill_id, amount, lines):
                yield (
                    REBILLS,
                    RebillInstruction(
                        instruction_id=f"{stream}/{rebill_id}",
                        rebill_id=rebill_id,
                        amount=amount,
                        currency=placed.currency,
                        lines=placed.units((x.line, x.quantity) for x in lines),
                        **order_fields,
                    ),
                )
            case e.CreditMemoIssued(memo_id, rebill_id, amount):
                yield (
                    CREDIT_MEMOS,
                    CreditMemoInstruction(
                        instruction_id=f"{stream}/credit-memo:{memo_id}",
                        memo_id=memo_id,
                        rebill_id=rebill_id,
                        amount=amount,
                        currency=placed.currency,
                        **order_fields,
                    ),
                )
            case _:
                pass
        for number, moved in enumerate(self._stock_movements(event, admitted, part)):
            yield (
                RESTOCK,
                RestockInstruction(
                    instruction_id=f"{stream}/restock-{version}{f'.{number + 1}' if number else ''}",
                    movement=moved.movement,
                    lines=placed.units(moved.lines),
                    return_id=moved.return_id,
                    condition=moved.condition,
                    **order_fields,
                ),
            )

    def _stock_movements(self, event: e.Event, admitted: Admitted, part: StreamEntry) -> "Iterator[_StockMovement]":
        """Yield the stock movements of an event (rule ``restock-once``).

        Canceled units go back into stock, and returned units do so on receipt, one movement for each condition. Units
        that were canceled but shipped anyway are taken back, but not lost ones, which never were in stock again. A
        return without a confirmed receipt moves nothing.
        """
        match event:
            case e.LinesCanceled(lines):
                yield _StockMovement("canceled", [(x.line, x.quantity) for x in lines])
            case e.AutoCanceled(line, quantity):
                yield _StockMovement("canceled", [(line, quantity)])
            case e.ShippedAfterCancelFound(_, _, _, lines, None):
                yield _StockMovement("taken_back", [(x.line, x.quantity) for x in lines])
            case e.ReturnReceived(return_id, condition, "received", ()):
                yield _StockMovement("returned", self._returned(part.stream, return_id, admitted), return_id, condition)
            case e.ReturnReceived(return_id, _, "received", received):
                for condition in dict.fromkeys(x.condition for x in received):
                    units = [(x.line, x.quantity) for x in received if x.condition == condition]
                    yield _StockMovement("returned", units, return_id, condition)
            case _:
                return

    def _stop(
        self, refund_id: str, reason: str, admitted: Admitted, stream: str, order_fields: Mapping[str, Any]
    ) -> Iterator[tuple[str, Instruction]]:
        """Yield the word that nothing more of a refund is to be paid, if anything of it was instructed.

        A refund that is settled in part, by a lost chargeback, needs none: what was settled was waiting.
        """
        if self._refunds(stream, admitted)[refund_id].is_instructed:
            id = f"{stream}/stop-{refund_id}"
            yield REFUNDS, RefundStop(instruction_id=id, refund_id=refund_id, reason=reason, **order_fields)

    def _refunds(self, stream: str, until: Admitted) -> "dict[str, _Refund]":
        """Return the refunds of an order up to and including a commit."""
        found: dict[str, _Refund] = {}
        for event, history in self._events_and_history(stream, until):
            if isinstance(event, e.RefundDue):
                waits = bool(event.parts) and all(part.waiting for part in event.parts)
                found[event.refund_id] = _Refund(event, is_instructed=not waits and not history)
            elif isinstance(event, e.ChargebackClosed) and not history:
                for released in event.released:
                    found[released.refund_id].is_instructed = True
        return found

    def _returned(self, stream: str, return_id: str, until: Admitted) -> list[tuple[int, int]]:
        """Return the units of a return. Raises LookupError if it was never opened."""
        for event in self._events(stream, until):
            if isinstance(event, e.ReturnOpened) and event.return_id == return_id:
                return [(x.line, x.quantity) for x in event.lines]
        raise LookupError(f"the return {return_id} was never opened")

    def _placing(self, stream: str) -> "_Placed":
        placed = self._placed.get(stream)
        if placed is None:
            first = next(iter(self._events(stream, None)), None)
            if not isinstance(first, e.OrderPlaced):
                raise LookupError(f"{stream} does not begin with its placing")
            return self._cache(stream, first)
        self._placed.move_to_end(stream)
        return placed

    def _cache(self, stream: str, event: e.OrderPlaced) -> "_Placed":
        """Cache the fields of an order's placing that instructions contain. Instructions usually follow soon."""
        placed = self._placed[stream] = _Placed(
            event.po_number,
            event.checkout_id,
            event.buyer_id,
            event.seller_id,
            event.currency,
            {line.line: line.sku for line in event.lines},
        )
        if len(self._placed) > self._capacity:
            self._placed.popitem(last=False)
        return placed

    def _events(self, stream: str, until: Admitted | None) -> Iterator[e.Event]:
        """Yield a stream's events, up to and including a commit."""
        for event, _ in self._events_and_history(stream, until):
            yield event

    def _events_and_history(self, stream: str, until: Admitted | None) -> Iterator[tuple[e.Event, bool]]:
        """Yield a stream's events up to and including a commit, and whether each is imported history."""
        for admitted in self._source.commits_of(stream):
            if until is not None and admitted.ordinal > until.ordinal:
                return
            for part in admitted.commit.streams:
                if part.stream == stream and part.kind == "chain":
                    for entry in part.events:
                        event = decode_event(entry.name, entry.schema_version, entry.body)
                        yield event, admitted.commit.writer == HISTORY


_INSTRUCTING: Final = (
    e.RefundDue,
    e.RefundWithdrawn,
    e.OtherRefundSettled,
    e.ChargebackClosed,
    e.RebillDue,
    e.CreditMemoIssued,
    e.LinesCanceled,
    e.AutoCanceled,
    e.ShippedAfterCancelFound,
    e.ReturnReceived,
)


class _StockMovement(NamedTuple):
    movement: str
    lines: list[tuple[int, int]]
    return_id: str | None = None
    condition: str | None = None


@dataclass(slots=True)
class _Refund:
    """A refund, and whether an instruction to pay any of it was published."""

    due: e.RefundDue
    is_instructed: bool


@dataclass(slots=True)
class _Placed:
    """The fields of an order's placing that instructions contain."""

    po_number: str
    checkout_id: str | None
    buyer_id: str
    seller_id: str
    currency: str
    skus: dict[int, str]

    def units(self, lines: Iterable[tuple[int, int]]) -> tuple[Units, ...]:
        """Return the units of each line, in the order of the lines."""
        sums: dict[int, int] = {}
        for line, quantity in lines:
            sums[line] = sums.get(line, 0) + quantity
        return tuple([Units(line, self.skus[line], quantity) for line, quantity in sorted(sums.items())])


def _part(part: e.RefundPart | e.ReleasedPart) -> InstructedPart:
    return InstructedPart(part.payment_id, part.method, part.amount, part.kind)


def _refund(
    id: str,
    due: e.RefundDue,
    amount: int,
    parts: tuple[InstructedPart, ...],
    placed: _Placed,
    order_fields: Mapping[str, Any],
) -> RefundInstruction:
    """Make the instruction to refund some parts of a refund now."""
    return RefundInstruction(
        instruction_id=id,
        refund_id=due.refund_id,
        amount=amount,
        currency=placed.currency,
        lines=placed.units((x.line, x.quantity) for x in due.lines),
        parts=parts,
        causes=tuple([InstructedCause(x.cause, x.amount) for x in due.causes]),
        purposes=tuple([InstructedPurpose(x.kind, x.line, x.fee_id, x.amount) for x in due.purposes]),
        refund_amount=due.amount,
        **order_fields,
    )


def _order_fields(stream: str, placed: _Placed, admitted: Admitted) -> dict[str, Any]:
    """Return the fields of an order that every instruction contains."""
    marketplace, _, order_id = stream.partition("/")
    return {
        "marketplace": marketplace,
        "order_id": order_id,
        "po_number": placed.po_number,
        "checkout_id": placed.checkout_id,
        "buyer_id": placed.buyer_id,
        "seller_id": placed.seller_id,
        "issued_at": admitted.commit.recorded_at,
    }


class _EventFields(NamedTuple):
    """The fields that all records of one event share."""

    key: bytes
    source: bytes
    time: bytes
    place: tuple[tuple[str, bytes], ...]

    def record(self, kind: str, id: str, contract: Contract, schema_id: int, body: bytes) -> PublicRecord:
        headers = (
            ("ce_specversion", b"1.0"),
            ("ce_id", id.encode()),
            ("ce_source", self.source),
            *contract_headers(contract),
            ("ce_subject", self.key),
            ("ce_time", self.time),
            *self.place,
        )
        return PublicRecord(kind, self.key, frame(schema_id, body), headers)


def _unpublishable(admitted: Admitted, stream: str, wrong: Exception) -> Unpublishable:
    error = str(wrong) if isinstance(wrong, Undecodable) else f"{type(wrong).__name__}: {wrong}"
    letter = DeadLetter(
        unpublished_id(admitted.partition, stream),
        "publisher",
        error.replace("\0", "\\0"),
        stream.encode(),
        admitted.data,
        "journal",
        admitted.partition,
        admitted.offset,
        admitted.index,
        stream,
        admitted.ordinal,
        wrong.name if isinstance(wrong, Undecodable) else None,
    )
    return Unpublishable(stream, admitted.ordinal, letter)
