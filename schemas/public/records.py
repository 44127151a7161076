"""Bodies of public records without their framing, and the headers that follow from their contract.

An event's body is the frame followed by the event's own bytes from the journal. Avro writes the fields of a record one
after another, so the event is not decoded and encoded again.
"""

from dataclasses import dataclass
from typing import Final

from domain.instants import Instant
from schemas.public.contracts import INSTRUCTION_NAMESPACE, INSTRUCTION_VERSIONS, Contract, frame_schema, schema_of
from schemas.wire import compile_schema


@dataclass(slots=True)
class Actor:
    """The actor of an event's commit."""

    kind: str
    id: str


@dataclass(slots=True)
class Frame:
    """The fields before an event, as in ``OrderEvent.1.avsc``."""

    marketplace: str
    order_id: str
    version: int
    occurred_at: Instant
    recorded_at: Instant
    actor: Actor | None
    command_id: str | None
    correlation_id: str | None
    history: bool


@dataclass(slots=True)
class Units:
    """A number of units of one line."""

    line: int
    sku: str
    quantity: int


@dataclass(slots=True, kw_only=True)
class Instruction:
    """The fields of every instruction."""

    instruction_id: str
    marketplace: str
    order_id: str
    po_number: str
    checkout_id: str | None
    buyer_id: str
    seller_id: str
    issued_at: Instant


@dataclass(slots=True)
class InstructedPart:
    """The part of a refund that goes back to one payment. ``kind``: refund, or void of authorized money."""

    payment_id: str
    method: str
    amount: int
    kind: str


@dataclass(slots=True)
class InstructedCause:
    """The amount of a refund that one cause makes due."""

    cause: str
    amount: int


@dataclass(slots=True)
class InstructedPurpose:
    """What an amount of a refund is for. ``kind``: line, shipping (of the order), fee, excess, rebill."""

    kind: str
    line: int | None
    fee_id: str | None
    amount: int


@dataclass(slots=True, kw_only=True)
class RefundInstruction(Instruction):
    """Refund money. ``amount`` is the sum of ``parts``, ``refund_amount`` the whole refund, both in minor units."""

    refund_id: str
    amount: int
    currency: str
    lines: tuple[Units, ...]
    parts: tuple[InstructedPart, ...]
    causes: tuple[InstructedCause, ...]
    purposes: tuple[InstructedPurpose, ...]
    refund_amount: int


@dataclass(slots=True, kw_only=True)
class RefundStop(Instruction):
    """Do not pay what is left of a refund. ``reason``: withdrawn or settled_elsewhere."""

    refund_id: str
    reason: str


@dataclass(slots=True, kw_only=True)
class RebillInstruction(Instruction):
    """Bill the customer again, with their consent. ``amount`` is in minor units."""

    rebill_id: str
    amount: int
    currency: str
    lines: tuple[Units, ...]


@dataclass(slots=True, kw_only=True)
class CreditMemoInstruction(Instruction):
    """Pay the seller. ``amount`` is in minor units."""

    memo_id: str
    rebill_id: str
    amount: int
    currency: str


@dataclass(slots=True, kw_only=True)
class RestockInstruction(Instruction):
    """Move stock. ``movement``: canceled or returned (into stock), taken_back (out of it)."""

    movement: str
    lines: tuple[Units, ...]
    return_id: str | None
    condition: str | None


@dataclass(slots=True, kw_only=True)
class NotificationInstruction(Instruction):
    """Notify a buyer or a seller. ``amount`` is in minor units. It holds no personal text."""

    notice_id: str
    audience: str
    recipient_id: str
    template: str
    event: str
    version: int
    about: str | None
    reference: str | None
    amount: int | None
    currency: str


CONTENT_TYPE: Final = "application/vnd.apache.avro"
"""The header ``content-type`` of every record that has a contract: Avro, behind the framing."""
LETTER_TYPE: Final = "application/octet-stream"
"""The header ``content-type`` of a dead letter, which holds the original bytes."""


def data_schema(contract: Contract) -> str:
    """The header ``ce_dataschema``: a URI of the contract and its version, independent of schema ids."""
    return f"urn:rescind:{contract.name}:{contract.version}"


def contract_headers(contract: Contract) -> tuple[tuple[str, bytes], ...]:
    """The headers of a record that follow from its contract."""
    return (
        ("content-type", CONTENT_TYPE.encode()),
        ("ce_type", contract.name.encode()),
        ("ce_dataschema", data_schema(contract).encode()),
    )


def event_body(frame: Frame, body: bytes) -> bytes:
    """Encode the body of an event's record. ``body`` is the event's bytes from the journal."""
    return _FRAME.encode(frame) + body


def instruction_body(instruction: Instruction) -> bytes:
    """Encode the body of an instruction's record."""
    return _CODECS[type(instruction).__name__].encode(instruction)


_PARTS: Final = {each.__name__: each for each in (Units, InstructedPart, InstructedCause, InstructedPurpose)}
_FRAME: Final = compile_schema(frame_schema(), {"OrderEvent": Frame, "Actor": Actor})
_CODECS: Final = {
    of.__name__: compile_schema(
        schema_of(Contract(f"{INSTRUCTION_NAMESPACE}.{of.__name__}", INSTRUCTION_VERSIONS[of.__name__])),
        {of.__name__: of, **_PARTS},
    )
    for of in (
        RefundInstruction,
        RefundStop,
        RebillInstruction,
        CreditMemoInstruction,
        RestockInstruction,
        NotificationInstruction,
    )
}
