"""Every command: its fields, which actors may submit it, and how its JSON is parsed.

See docs/reference/commands.md and decisions.md.
``parse_command`` reads a JSON object into one of the models below or raises ``BadInput`` with the field's JSON pointer.
Models are frozen; instants are UTC microseconds; amounts stay decimal strings until the order's currency is known.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    ValidationError,
    field_validator,
)

from domain import malformed
from domain.calendar import zone_to_pin
from domain.errors import BadInput
from domain.events import Sealed
from domain.instants import Instant, parse_instant
from domain.pricing import Priced, price
from domain.reasons import BUYERS_REASONS, CANCEL_REASONS, RETURN_REASONS
from domain.rulebook import RULE_IDS
from domain.wording import counted

# ---- field types -----------------------------------------------------------------------------------------------

ENGINE_IDS: Final = re.compile(
    r"(?:refund|notice|rebill|return|return-ship|acknowledge|alternatives|appeal|case|confirmation|decide|evidence|late-ship|"
    r"reminder|unpaid)-[0-9]+|(?:told-[0-9]+|remind-[a-z\-]+-[0-9]+)-(?:buyer|seller)",
    re.ASCII,
)
"""The forms of ids that the engine assigns. A client's id in such a form is refused as bad input."""
PAYMENT_IDS: Final = re.compile(r"payment-[0-9]+", re.ASCII)
"""The form of ids that the engine assigns to payments, which have a namespace of their own."""


def _instant(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a string, an RFC 3339 time with offset, like 2026-03-02T10:00:00Z")
    return parse_instant(value)


def _one_of(known: tuple[str, ...], value: object) -> object:
    if value not in known:
        raise ValueError(f"must be one of {', '.join(known)}")
    return value


def _asked_for(value: object) -> object:
    """Check the reason of a request. Every canonical reason is accepted; the error lists the buyer's ones first."""
    if value not in CANCEL_REASONS:
        sellers = [reason for reason in CANCEL_REASONS if reason not in BUYERS_REASONS]
        raise ValueError(f"must be one of {', '.join(BUYERS_REASONS)} (for a seller also {', '.join(sellers)})")
    return value


def _sealed_later(value: object) -> object:
    if isinstance(value, Text):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if len(value) > MAX_TEXT:
        raise ValueError(f"must have at most {MAX_TEXT} characters")
    return Text(value, None)


MAX_TEXT: Final = 20_000


class Text:
    """A free text: its content and, once it is stored in the vault, the ``Sealed`` that an event may hold."""

    __slots__ = ("content", "sealed")

    def __init__(self, content: str, sealed: Sealed | None) -> None:
        self.content = content
        self.sealed = sealed

    def __repr__(self) -> str:
        return f"Text({counted(len(self.content), 'character')})"


InstantField = Annotated[Instant, BeforeValidator(_instant)]
FreeText = Annotated[Text, BeforeValidator(_sealed_later)]
Sku = Annotated[str, StringConstraints(strict=True, max_length=200, pattern=malformed.PRINTABLE_OR_EMPTY)]
Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=malformed.PRINTABLE)]
Label = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=1000, pattern=malformed.PRINTABLE)]
CommandId = Annotated[str, StringConstraints(strict=True, pattern=malformed.COMMAND_ID), Field()]
Marketplace = Annotated[str, StringConstraints(strict=True, pattern=malformed.MARKETPLACE)]
OrderId = Annotated[str, StringConstraints(strict=True, pattern=malformed.ORDER_ID)]
GivenId = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100, pattern=malformed.PRINTABLE)]
PaymentMethod = Literal["card", "bank", "wallet", "gift_card", "store_credit", "cash", "other"]
Amount = Annotated[str, StringConstraints(strict=True, pattern=malformed.AMOUNT)]
SignedAmount = Annotated[str, StringConstraints(strict=True, pattern=malformed.SIGNED_AMOUNT)]
Quantity = Annotated[StrictInt, Field(ge=1, le=1_000_000_000)]
LineNumber = Annotated[StrictInt, Field(ge=1, le=2**63 - 1)]
Sha256 = Annotated[str, StringConstraints(strict=True, pattern=malformed.SHA256)]
Currency = Annotated[str, StringConstraints(strict=True, pattern=malformed.CURRENCY)]
CancelReason = Annotated[str, BeforeValidator(partial(_one_of, CANCEL_REASONS))]
AskedReason = Annotated[str, BeforeValidator(_asked_for)]
ReturnReason = Annotated[str, BeforeValidator(partial(_one_of, RETURN_REASONS))]
Condition = Literal["sellable", "damaged"]
Offer = Literal["wait", "address", "exchange", "credit"]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Actor(_Form):
    """The person or system that submits a command."""

    kind: Literal["buyer", "seller", "support", "system"]
    id: Name


class Pick(_Form):
    """One line of a selection. Without a quantity, it means every unit that the command can apply to."""

    line: LineNumber
    quantity: Quantity | None = None


def _picks(value: object) -> object:
    if not isinstance(value, list | tuple):
        raise ValueError('must be a list of line numbers or {"line": 1, "quantity": 3}')
    if not value:
        raise ValueError("must name at least one line; leave it out for everything that is open")
    return [{"line": pick} if isinstance(pick, int) and not isinstance(pick, bool) else pick for pick in value]


def _picks_or_none(value: object) -> object:
    return () if value in ((), []) else _picks(value)


def _each_once(picks: tuple[Pick, ...]) -> tuple[Pick, ...]:
    if len({pick.line for pick in picks}) < len(picks):
        raise ValueError("names a line twice")
    return picks


Lines = Annotated[tuple[Pick, ...], Field(max_length=malformed.MOST_ENTRIES, fail_fast=True), BeforeValidator(_picks)]


def _each_condition_once(received: "tuple[Received, ...]") -> "tuple[Received, ...]":
    if len({(each.line, each.condition) for each in received}) < len(received):
        raise ValueError("names a line twice in the same condition")
    several = {each.line for each in received if sum(other.line == each.line for other in received) > 1}
    if any(each.line in several and each.quantity is None for each in received):
        raise ValueError("names a line more than once, and one of them has no quantity")
    return received


class Command(_Form):
    """The fields that every command has."""

    WHO: ClassVar[frozenset[str]]
    """The kinds of actor that may submit it. Support and system may submit any command."""
    CLAIMS: ClassVar[str | None] = None
    """The field whose value becomes the id of something new in the order."""
    TEXTS: ClassVar[tuple[str, ...]] = ()
    """The free-text fields, which are stored in the vault."""

    command: str
    command_id: CommandId
    marketplace: Marketplace
    order_id: OrderId
    at: InstantField | None = None
    actor: Actor
    correlation_id: Label | None = None

    @field_validator("command_id", mode="after")
    @classmethod
    def _not_reserved(cls, value: str) -> str:
        if value.startswith("deadline:"):
            raise ValueError("ids that begin with deadline: are reserved for the engine")
        return value

    @property
    def stream(self) -> str:
        """The stream on which the command is decided: ``marketplace/order_id``."""
        return f"{self.marketplace}/{self.order_id}"

    @cached_property
    def fingerprint(self) -> bytes:
        """SHA-256 of its content (32 bytes, see ``fingerprint_of``), set by ``parse_command``."""
        return b""

    @cached_property
    def body(self) -> Mapping[str, Any]:
        """The JSON object that it was parsed from, set by ``parse_command``."""
        return {}

    @property
    def happened_at(self) -> Instant | None:
        """When the fact happened outside, if the command has a field for it."""
        return None

    def check(self) -> None:
        """Check what the fields must be together, or raise ``BadInput``. No state of an order is needed."""
        happened = self.happened_at
        if happened is not None and self.at is not None and happened > self.at:
            raise BadInput("/occurred_at", "form", "must not lie after at")
        if self.CLAIMS is not None and ENGINE_IDS.fullmatch(getattr(self, self.CLAIMS)):
            raise BadInput(f"/{self.CLAIMS}", "form", "ids of this form are given by the engine; choose another")

    def seal(self, seal: Callable[[str, str], Sealed]) -> Self:
        """Store every free text in the vault by ``seal(field, text)``, so that events can refer to it."""
        for name in self.TEXTS:
            text: Text | None = getattr(self, name)
            if text is not None and text.sealed is None:
                text.sealed = seal(name, text.content)
        return self


class _Outside(Command):
    """A command that reports a fact from outside. The fact may have happened before the command arrives."""

    occurred_at: InstantField | None = None

    @property
    def happened_at(self) -> Instant | None:
        return self.occurred_at


class _Selecting(Command):
    lines: Lines | None = None

    @field_validator("lines", mode="after")
    @classmethod
    def _no_line_twice(cls, value: tuple[Pick, ...] | None) -> tuple[Pick, ...] | None:
        return None if value is None else _each_once(value)


class _Ruled(Command):
    """A command for which support has to name a rule of the rule book."""

    rule: Name | None = None

    def check(self) -> None:
        super().check()
        if self.rule is None and self.actor.kind == "support":
            raise BadInput("/rule", "form", "support names the rule of the rule book that this rests on")
        if self.rule is not None and self.rule not in RULE_IDS:
            raise BadInput("/rule", "form", f"{self.rule!r} is not a rule of the rule book")


class _SelectingOutside(_Selecting, _Outside):
    pass


_ANYBODY = frozenset({"buyer", "seller", "support", "system"})
_OFFICE = frozenset({"support", "system"})
_SELLER = frozenset({"seller", "support", "system"})
_BUYER = frozenset({"buyer", "support", "system"})


# ---- placing and paying ----------------------------------------------------------------------------------------


class ListingRef(_Form):
    """The listing as sold."""

    ref: Label
    sha256: Sha256


class NewLine(_Form):
    """A line of an order to be placed; all amounts but ``unit_price`` are for the whole line."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"anyOf": [{"required": ["unit_price"]}, {"required": ["amount"]}]},
                {"anyOf": [{"required": ["sku"]}, {"required": ["title"]}]},
            ]
        }
    )

    line: LineNumber
    sku: Sku = ""
    quantity: Quantity
    unit_price: Amount | None = None
    title: Label | None = None
    amount: Amount | None = None
    discount: Amount | None = None
    tax: Amount | None = None
    shipping: Amount | None = None
    shipping_tax: Amount | None = None
    listing: ListingRef | None = None
    part_of: LineNumber | None = None


class NewFee(_Form):
    """A fee of an order to be placed."""

    fee_id: GivenId
    amount: Amount
    title: Label | None = None
    tax: Amount | None = None
    refundable: Literal["never", "with-order"] = "never"


class ReplacedOrder(_Form):
    """The earlier order that this one replaces, and the lines or quantities of it."""

    order_id: OrderId
    lines: Annotated[
        tuple[Pick, ...], Field(max_length=malformed.MOST_ENTRIES, fail_fast=True), BeforeValidator(_picks_or_none)
    ] = ()

    @field_validator("lines", mode="after")
    @classmethod
    def _no_line_twice(cls, value: tuple[Pick, ...]) -> tuple[Pick, ...]:
        return _each_once(value)


class PlaceOrder(Command):
    """Record a new order of one seller."""

    WHO = _OFFICE
    command: Literal["PlaceOrder"]
    buyer_id: Name
    seller_id: Name
    currency: Currency
    lines: Annotated[tuple[NewLine, ...], Field(min_length=1, max_length=malformed.MOST_ENTRIES, fail_fast=True)]
    policy: Annotated[str, StringConstraints(strict=True, pattern=malformed.POLICY_NAME)] | None = None
    po_number: Name | None = None
    checkout_id: Name | None = None
    sale_format: Literal["fixed", "offer", "auction"] = "fixed"
    paid: StrictBool = True
    tax_included: StrictBool = False
    discount: Amount | None = None
    shipping: Amount | None = None
    shipping_tax: Amount | None = None
    rounding: SignedAmount | None = None
    total: Amount | None = None
    ship_by: InstantField | None = None
    pay_by: InstantField | None = None
    timezone: Name | None = None
    replaces: ReplacedOrder | None = None
    fees: Annotated[tuple[NewFee, ...], Field(max_length=malformed.MOST_ENTRIES, fail_fast=True)] = ()

    @cached_property
    def priced(self) -> Priced:
        """The order's amounts in minor units. Raises ``BadInput`` if they do not add up."""
        return price(self)

    def check(self) -> None:
        super().check()
        for i, line in enumerate(self.lines):
            if not line.sku and line.title is None:
                raise BadInput(f"/lines/{i}/sku", "form", "the field is required, unless the line has a title")
        self._check_bundles()
        self.__dict__["priced"] = price(self)
        if self.timezone is not None:
            try:
                zone_to_pin(self.timezone)
            except ValueError as unknown:
                raise BadInput("/timezone", "form", str(unknown)) from None

    @field_validator("lines", mode="after")
    @classmethod
    def _each_line_once(cls, value: tuple[NewLine, ...]) -> tuple[NewLine, ...]:
        if len({line.line for line in value}) < len(value):
            raise ValueError("has a line number twice")
        return value

    def _check_bundles(self) -> None:
        """Check that each ``part_of`` names another line that is no part itself."""
        parents = {line.line: line.part_of for line in self.lines}
        for i, line in enumerate(self.lines):
            if line.part_of is None:
                continue
            wrong = None
            if line.part_of not in parents:
                wrong = f"the order has no line {line.part_of}"
            elif line.part_of == line.line:
                wrong = "a line is no part of itself"
            elif parents[line.part_of] is not None:
                wrong = f"line {line.part_of} is itself part of a line; bundles have one level"
            if wrong is not None:
                raise BadInput(f"/lines/{i}/part_of", "form", wrong)

    @field_validator("fees", mode="after")
    @classmethod
    def _each_fee_once(cls, value: tuple[NewFee, ...]) -> tuple[NewFee, ...]:
        if len({fee.fee_id for fee in value}) < len(value):
            raise ValueError("has a fee_id twice")
        return value


class ConfirmPayment(_Outside):
    """Record that a payment arrived or was authorized."""

    WHO = _OFFICE
    command: Literal["ConfirmPayment"]
    amount: Amount
    payment_id: GivenId | None = None
    method: PaymentMethod = "other"
    state: Literal["captured", "authorized"] = "captured"

    def check(self) -> None:
        super().check()
        if self.payment_id is not None and PAYMENT_IDS.fullmatch(self.payment_id):
            raise BadInput("/payment_id", "form", "ids of this form are given by the engine; choose another")


class CapturePayment(Command):
    """Record that authorized money was captured. Without an amount, all of it."""

    WHO = _OFFICE
    command: Literal["CapturePayment"]
    payment_id: GivenId
    amount: Amount | None = None


class ReleasePayment(Command):
    """Record that an authorization lapsed. Without an amount, all of it."""

    WHO = _OFFICE
    command: Literal["ReleasePayment"]
    payment_id: GivenId
    amount: Amount | None = None


class Covers(_Form):
    """What an other refund is for, in part: ``line`` or ``fee_id`` with ``amount``, or ``shipping`` alone."""

    line: LineNumber | None = None
    fee_id: GivenId | None = None
    shipping: Amount | None = None
    amount: Amount | None = None

    @property
    def target(self) -> tuple[str, int | None, str | None]:
        """Kind (line, fee, shipping), line and fee."""
        kind = "line" if self.line is not None else "fee" if self.fee_id is not None else "shipping"
        return kind, self.line, self.fee_id


class RecordOtherRefund(Command):
    """Record a refund that was made elsewhere: it settles a due refund, or lowers what can be refunded."""

    WHO = _OFFICE
    TEXTS = ("note",)
    command: Literal["RecordOtherRefund"]
    amount: Amount
    note: FreeText | None = None
    other_refund_id: GivenId | None = None
    payment_id: GivenId | None = None
    refund_id: GivenId | None = None
    covers: Annotated[tuple[Covers, ...], Field(max_length=malformed.MOST_ENTRIES, fail_fast=True)] = ()

    def check(self) -> None:
        super().check()
        for i, each in enumerate(self.covers):
            named = [x is not None for x in (each.line, each.fee_id, each.shipping)]
            if sum(named) != 1 or (each.amount is None) is not named[2]:
                raise BadInput(
                    f"/covers/{i}", "form", "must be a line with its amount, a fee_id with its amount, or shipping"
                )
        if len({each.target for each in self.covers}) < len(self.covers):
            raise BadInput("/covers", "form", "names the same thing twice")
        if self.covers and self.refund_id is not None:
            raise BadInput("/covers", "form", "a refund that is settled says itself what it is for; leave covers out")


# ---- messages --------------------------------------------------------------------------------------------------


class SendMessage(_Outside):
    """Send a message. It is never a request or a consent."""

    WHO = _ANYBODY
    CLAIMS = "message_id"
    TEXTS = ("text",)
    command: Literal["SendMessage"]
    message_id: GivenId
    to: Literal["buyer", "seller", "support"]
    text: FreeText
    about: GivenId | None = None


class RecordContact(_Outside):
    """Record a contact with support outside rescind."""

    WHO = _ANYBODY
    CLAIMS = "contact_id"
    TEXTS = ("representative", "text")
    command: Literal["RecordContact"]
    contact_id: GivenId
    channel: Literal["phone", "email", "chat", "form", "message"]
    about: GivenId | None = None
    ticket: Label | None = None
    representative: FreeText | None = None
    text: FreeText | None = None


# ---- canceling ------------------------------------------------------------------------------------------------


class RequestCancel(_Selecting):
    """Request a cancellation. Under mutual consent, a seller may propose one too."""

    WHO = _ANYBODY
    CLAIMS = "request_id"
    TEXTS = ("text",)
    command: Literal["RequestCancel"]
    request_id: GivenId
    reason: AskedReason | None = None
    text: FreeText | None = None
    confirmation: Label | None = None


class CancelLines(_Selecting, _Ruled):
    """Cancel lines as the seller, or as support by a rule."""

    WHO = _SELLER
    command: Literal["CancelLines"]
    reason: CancelReason | None = None
    confirmation: Label | None = None


class ApproveCancel(_Ruled):
    """Approve a request, as the side that has to answer it."""

    WHO = _ANYBODY
    TEXTS = ("note",)
    command: Literal["ApproveCancel"]
    request_id: GivenId
    note: FreeText | None = None
    refund_now: StrictBool = False
    confirmation: Label | None = None


class DeclineCancel(_Ruled):
    """Decline a request, as the side that has to answer it."""

    WHO = _ANYBODY
    TEXTS = ("note",)
    command: Literal["DeclineCancel"]
    request_id: GivenId
    note: FreeText | None = None
    refund_now: StrictBool = False


class WithdrawCancel(Command):
    """Withdraw one's own cancellation request."""

    WHO = _ANYBODY
    command: Literal["WithdrawCancel"]
    request_id: GivenId


class TakeAlternative(Command):
    """Take an offered alternative or, without ``request_id``, the proposed ship-by."""

    WHO = _BUYER
    command: Literal["TakeAlternative"]
    request_id: GivenId | None = None
    kind: Offer | None = None
    confirmation: Label | None = None


class DeclineAlternatives(Command):
    """Decline the offered alternatives or, without ``request_id``, the proposed ship-by."""

    WHO = _BUYER
    command: Literal["DeclineAlternatives"]
    request_id: GivenId | None = None
    kind: Offer | None = None
    confirmation: Label | None = None


# ---- fulfilment ------------------------------------------------------------------------------------------------


class StartFulfilment(_SelectingOutside):
    """Record that picking, packing or labeling has begun."""

    WHO = _SELLER
    command: Literal["StartFulfilment"]
    stage: Literal["picking", "packed", "label"] = "picking"


class StartTracking(_SelectingOutside):
    """Record that the carrier has begun to track a parcel."""

    WHO = _SELLER
    command: Literal["StartTracking"]
    carrier: Name
    tracking_number: Name
    shipment_id: GivenId | None = None


class TrackingMoved(_SelectingOutside):
    """Record that the carrier has scanned the parcel again."""

    WHO = _SELLER
    command: Literal["TrackingMoved"]
    carrier: Name
    tracking_number: Name
    shipment_id: GivenId | None = None


class Ship(_SelectingOutside):
    """Record a shipping notice: the units have left."""

    WHO = _SELLER
    CLAIMS = "shipment_id"
    command: Literal["Ship"]
    shipment_id: GivenId
    carrier: Name | None = None
    tracking_number: Name | None = None
    confirmation: Label | None = None


class VoidShipment(Command):
    """Void a shipping notice that was a mistake, because nothing has left."""

    WHO = _OFFICE
    TEXTS = ("note",)
    command: Literal["VoidShipment"]
    shipment_id: GivenId
    note: FreeText


class ReviseShipBy(Command):
    """Set a new ship-by. A later one applies once the buyer takes it."""

    WHO = _SELLER
    command: Literal["ReviseShipBy"]
    ship_by: InstantField
    confirmation: Label | None = None


class ReportUndelivered(_Selecting):
    """Report that shipped units did not reach the buyer: the parcel is lost, damaged, or on its way back."""

    WHO = _SELLER
    TEXTS = ("note",)
    command: Literal["ReportUndelivered"]
    shipment_id: GivenId
    outcome: Literal["lost", "damaged_in_transit", "returned_to_sender", "refused"]
    refund_now: StrictBool = False
    note: FreeText | None = None
    confirmation: Label | None = None


class Deliver(_Outside):
    """Record that a shipment reached the buyer, or a return the seller."""

    WHO = _SELLER
    command: Literal["Deliver"]
    shipment_id: GivenId | None = None


# ---- refunds and notices ---------------------------------------------------------------------------------------


class ConfirmRefund(Command):
    """Record that the payment service made the refund, or its part of one payment."""

    WHO = _OFFICE
    TEXTS = ("note",)
    command: Literal["ConfirmRefund"]
    refund_id: GivenId
    note: FreeText | None = None
    payment_id: GivenId | None = None
    provider_ref: Label | None = None


class FailRefund(Command):
    """Record that the payment service could not make the refund, or that the bank sent it back."""

    WHO = _OFFICE
    TEXTS = ("note",)
    command: Literal["FailRefund"]
    refund_id: GivenId
    note: FreeText | None = None
    payment_id: GivenId | None = None
    provider_ref: Label | None = None


class WithdrawRefund(_Ruled):
    """Withdraw a refund that was instructed by mistake. It is not owed, and is not instructed again."""

    WHO = _OFFICE
    TEXTS = ("note",)
    command: Literal["WithdrawRefund"]
    refund_id: GivenId
    note: FreeText


class OpenChargeback(Command):
    """Record that the buyer's bank demands a payment back."""

    WHO = _OFFICE
    command: Literal["OpenChargeback"]
    payment_id: GivenId
    amount: Amount
    chargeback_id: GivenId | None = None


class CloseChargeback(Command):
    """Record how a chargeback ended. Without an amount, a lost one took the amount it was opened for."""

    WHO = _OFFICE
    command: Literal["CloseChargeback"]
    payment_id: GivenId
    outcome: Literal["won", "lost"]
    amount: Amount | None = None
    chargeback_id: GivenId | None = None


class ConfirmNotice(Command):
    """Record that a notice was delivered."""

    WHO = _OFFICE
    command: Literal["ConfirmNotice"]
    notice_id: GivenId


class FailNotice(Command):
    """Record that a notice could not be delivered."""

    WHO = _OFFICE
    command: Literal["FailNotice"]
    notice_id: GivenId


# ---- canceled but shipped -------------------------------------------------------------------------------------


class ReportShippedAfterCancel(_Selecting):
    """Report that canceled units have shipped anyway."""

    WHO = _SELLER
    command: Literal["ReportShippedAfterCancel"]
    carrier: Name
    tracking_number: Name
    lines: Lines


class NotifyCustomer(Command):
    """Step 1: notify the customer."""

    WHO = _SELLER
    TEXTS = ("text",)
    command: Literal["NotifyCustomer"]
    text: FreeText


class Acknowledge(Command):
    """Step 2: record the customer's answer."""

    WHO = _BUYER
    command: Literal["Acknowledge"]
    accepts_item: StrictBool
    accepts_rebilling: StrictBool
    evidence: Annotated[tuple[GivenId, ...], Field(max_length=malformed.MOST_ENTRIES, fail_fast=True)] = ()


class AttachEvidence(Command):
    """Attach a file or message to a request, case, return, dispute or the rebilling."""

    WHO = _ANYBODY
    CLAIMS = "evidence_id"
    TEXTS = ("note",)
    command: Literal["AttachEvidence"]
    evidence_id: GivenId
    about: GivenId
    kind: Literal["message", "photo", "document", "ticket", "receipt"]
    sha256: Sha256
    media_type: Annotated[str, StringConstraints(strict=True, pattern=malformed.MEDIA_TYPE)]
    size: Annotated[StrictInt, Field(ge=0, le=10**12)]
    origin: Literal["own_photo", "listing", "stock_image", "screenshot", "correspondence", "receipt"] | None = None
    source: Label | None = None
    note: FreeText | None = None
    claimed_at: InstantField | None = None


class Rebill(_Selecting):
    """Step 4: bill the customer again."""

    WHO = _OFFICE
    command: Literal["Rebill"]


class ConfirmRebill(Command):
    """Record that the rebilling was confirmed."""

    WHO = _OFFICE
    command: Literal["ConfirmRebill"]
    rebill_id: GivenId


class FailRebill(Command):
    """Record that the rebilling failed."""

    WHO = _OFFICE
    command: Literal["FailRebill"]
    rebill_id: GivenId


class IssueCreditMemo(Command):
    """Step 5: pay the seller the rebilled amount."""

    WHO = _OFFICE
    CLAIMS = "memo_id"
    command: Literal["IssueCreditMemo"]
    memo_id: GivenId
    rebill_id: GivenId


# ---- cases, returns, disputes ----------------------------------------------------------------------------------


class OpenCase(_Selecting):
    """Open a case, because the item is not as promised."""

    WHO = frozenset({"buyer", "support", "system"})
    CLAIMS = "case_id"
    TEXTS = ("text",)
    command: Literal["OpenCase"]
    case_id: GivenId
    reason: ReturnReason
    lines: Lines
    text: FreeText | None = None


class RequestEvidence(Command):
    """Request more evidence as the platform. The decision deadline of a case is paused."""

    WHO = _OFFICE
    command: Literal["RequestEvidence"]
    about: GivenId
    kinds: Annotated[
        tuple[Literal["message", "photo", "document", "ticket", "receipt"], ...],
        Field(min_length=1, max_length=malformed.MOST_ENTRIES, fail_fast=True),
    ]
    until: InstantField


class AcceptReturn(Command):
    """Accept a return as the seller."""

    WHO = _SELLER
    command: Literal["AcceptReturn"]
    about: GivenId
    refund_now: StrictBool = False
    confirmation: Label | None = None


class DecideCase(_Ruled):
    """Decide a case, by a rule."""

    WHO = _OFFICE
    TEXTS = ("note",)
    command: Literal["DecideCase"]
    case_id: GivenId
    outcome: Literal["return", "deny"]
    note: FreeText | None = None


class RequestReturn(_Selecting):
    """Return shipped units under the policy's return terms."""

    WHO = _BUYER
    TEXTS = ("text",)
    command: Literal["RequestReturn"]
    reason: ReturnReason
    lines: Lines
    text: FreeText | None = None


class StartReturn(_Outside):
    """Record that the returned parcel is on its way back."""

    WHO = _SELLER
    command: Literal["StartReturn"]
    about: GivenId
    carrier: Name | None = None
    tracking_number: Name | None = None
    condition: Condition | None = None


class Received(_Form):
    """Units of one line that came back. Without a quantity, it means all that is left of the line in the return."""

    line: LineNumber
    quantity: Quantity | None = None
    condition: Condition | None = None


ReceivedLines = Annotated[
    tuple[Received, ...],
    Field(max_length=malformed.MOST_ENTRIES, fail_fast=True),
    BeforeValidator(_picks),
    AfterValidator(_each_condition_once),
]


class ReturnReceived(_Outside):
    """Record that returned units are back: those of ``lines``, else all that is left of the return."""

    WHO = _SELLER
    command: Literal["ReturnReceived"]
    about: GivenId
    carrier: Name | None = None
    tracking_number: Name | None = None
    condition: Condition | None = None
    lines: ReceivedLines | None = None

    def check(self) -> None:
        super().check()
        if self.lines is not None and self.condition is not None:
            raise BadInput("/condition", "form", "the lines have a condition each; leave this one out")


class WithdrawReturn(Command):
    """Withdraw a return before anything of it was sent."""

    WHO = _BUYER
    command: Literal["WithdrawReturn"]
    about: GivenId
    confirmation: Label | None = None


class CloseReturn(_Ruled):
    """Close a return whose parcel does not come: with a refund, or as support without one."""

    WHO = _SELLER
    TEXTS = ("note",)
    command: Literal["CloseReturn"]
    about: GivenId
    outcome: Literal["refund", "no_refund"]
    note: FreeText | None = None


class OpenDispute(Command):
    """Dispute how a request was handled."""

    WHO = _ANYBODY
    CLAIMS = "dispute_id"
    TEXTS = ("text",)
    command: Literal["OpenDispute"]
    dispute_id: GivenId
    about: GivenId
    text: FreeText | None = None


class EscalateDispute(Command):
    """Escalate a dispute to support, with a ticket."""

    WHO = _ANYBODY
    TEXTS = ("representative",)
    command: Literal["EscalateDispute"]
    dispute_id: GivenId
    ticket: Label
    representative: FreeText | None = None


class DecideDispute(_Ruled):
    """Decide a dispute, by a rule."""

    WHO = _OFFICE
    TEXTS = ("note",)
    command: Literal["DecideDispute"]
    dispute_id: GivenId
    outcome: Literal["grant", "deny", "return"]
    note: FreeText | None = None


class AppealDispute(Command):
    """Appeal the decision of a dispute."""

    WHO = _ANYBODY
    TEXTS = ("text",)
    command: Literal["AppealDispute"]
    dispute_id: GivenId
    text: FreeText | None = None


# ---- deadlines and subjects ------------------------------------------------------------------------------------


class ReachDeadline(Command):
    """Carry out a deadline, if it is due and still applies."""

    WHO = frozenset({"system"})
    command: Literal["ReachDeadline"]
    deadline_id: GivenId


class SubjectCommand(Command):
    """A command about a person's data. It has no order and is decided on the stream ``MARKETPLACE/subject/ID``."""

    WHO = _OFFICE
    order_id: OrderId = ""
    subject: Name

    @field_validator("order_id", mode="before")
    @classmethod
    def _has_none(cls, value: object) -> object:
        raise ValueError("a command about a subject has no order_id")

    @property
    def stream(self) -> str:
        return f"{self.marketplace}/subject/{self.subject}"


class EraseSubject(SubjectCommand):
    """Erase a person's key in the vault."""

    command: Literal["EraseSubject"]


class PlaceLegalHold(SubjectCommand):
    """Place a legal hold, so that nothing of the person may be erased."""

    CLAIMS = "hold_id"
    command: Literal["PlaceLegalHold"]
    hold_id: GivenId


class ReleaseLegalHold(SubjectCommand):
    """Release a legal hold."""

    command: Literal["ReleaseLegalHold"]
    hold_id: GivenId


# ---- reading ---------------------------------------------------------------------------------------------------

COMMANDS: Final[Mapping[str, type[Command]]] = {
    cls.__name__: cls
    for cls in (
        PlaceOrder,
        ConfirmPayment,
        CapturePayment,
        ReleasePayment,
        RecordOtherRefund,
        SendMessage,
        RecordContact,
        RequestCancel,
        CancelLines,
        ApproveCancel,
        DeclineCancel,
        WithdrawCancel,
        TakeAlternative,
        DeclineAlternatives,
        StartFulfilment,
        StartTracking,
        TrackingMoved,
        Ship,
        VoidShipment,
        ReviseShipBy,
        ReportUndelivered,
        Deliver,
        ConfirmRefund,
        FailRefund,
        WithdrawRefund,
        OpenChargeback,
        CloseChargeback,
        ConfirmNotice,
        FailNotice,
        ReportShippedAfterCancel,
        NotifyCustomer,
        Acknowledge,
        AttachEvidence,
        Rebill,
        ConfirmRebill,
        FailRebill,
        IssueCreditMemo,
        OpenCase,
        RequestEvidence,
        AcceptReturn,
        DecideCase,
        RequestReturn,
        StartReturn,
        ReturnReceived,
        WithdrawReturn,
        CloseReturn,
        OpenDispute,
        EscalateDispute,
        DecideDispute,
        AppealDispute,
        ReachDeadline,
        EraseSubject,
        PlaceLegalHold,
        ReleaseLegalHold,
    )
}
"""Command name → command class."""

_NOT_CONTENT: Final = frozenset(
    {"command_id", "at", "correlation_id", "confirmation", "text", "note", "representative"}
)


def fingerprint_of(body: Mapping[str, Any]) -> bytes:
    """SHA-256 of a command's content: of its RFC 8785 JSON without the fields that are not content.

    Left out are ``at``, ``correlation_id``, ``confirmation``, free texts, and ``command_id``, which over HTTP may be
    sent in a header only. Sorted keys and no spaces are RFC 8785 for everything that a command can hold: ASCII names,
    strings, whole numbers, booleans (tests compare the result with the rfc8785 package).
    """
    content = {name: value for name, value in body.items() if name not in _NOT_CONTENT}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).digest()


def parse_command(body: object) -> Command:
    """Parse a JSON object into its command, or raise ``BadInput``, which names the field."""
    if not isinstance(body, dict):
        raise BadInput("", "form", "a command is a JSON object")
    name = body.get("command")
    if name is None:
        raise BadInput("/command", "form", "the field is required")
    model = COMMANDS.get(name) if isinstance(name, str) else None
    if model is None:
        raise BadInput("/command", "form", f"there is no command {name!r}")
    malformed.check_shape(body)
    try:
        command = model.model_validate(body)
    except ValidationError as invalid:
        raise malformed.translate_error(invalid) from None
    command.check()
    try:
        command.__dict__["fingerprint"] = fingerprint_of(body)
        command.__dict__["body"] = body
    except (ValueError, UnicodeEncodeError) as broken:
        raise BadInput("", "form", f"cannot be written as JSON in UTF-8: {broken}") from None
    return command
