"""Every event: a fact in the past tense. Field names and their order are a storage format.

An event holds only its own fields. The commit's envelope (``schemas.commit``) holds when it happened, when it was
recorded, who caused it, and which order it belongs to. Amounts are integer minor units of the order's currency,
instants are UTC microseconds, hashes are 32 bytes. Events hold no personal text: ``Sealed`` refers to the vault.
"""

from domain.facts import fact
from domain.instants import Instant

# ---- value records ---------------------------------------------------------------------------------------------


@fact
class Sealed:
    """A text that is stored in the vault: HMAC commitment (32 bytes) and the vault's reference."""

    commitment: bytes
    reference: str


@fact
class LineQuantity:
    """A number of units of one line."""

    line: int
    quantity: int


@fact
class PolicyRef:
    """The policy an order is pinned to: id, version and SHA-256 of its canonical document."""

    id: str
    version: int
    sha256: bytes


@fact
class Listing:
    """The listing as sold: a reference and the SHA-256 of its content (rule ``listing-as-sold``)."""

    ref: str
    sha256: bytes


@fact
class PlacedLine:
    """A line as placed. ``discount``, ``tax``, ``shipping`` and ``shipping_tax`` are for the whole line.

    ``goods``, ``refundable_tax``, ``shipping`` and ``refundable_shipping_tax`` are refunded when the whole line is
    canceled. ``goods`` is its value after its share of the order's discount and rounding. The refundable taxes are
    those on top (0 where tax is included). Where ``amount`` is given, it is the line's goods before its discount, and
    ``unit_price`` is only information; ``price`` is the unit price as given. ``part_of`` is the line of the bundle.
    """

    line: int
    sku: str
    title: str | None
    quantity: int
    unit_price: int
    discount: int
    tax: int
    goods: int
    refundable_tax: int
    listing: Listing | None
    shipping: int = 0
    shipping_tax: int = 0
    refundable_shipping_tax: int = 0
    amount: int | None = None
    price: str | None = None
    part_of: int | None = None

    @property
    def before_discount(self) -> int:
        """The line's goods before its discount."""
        return self.quantity * self.unit_price if self.amount is None else self.amount


@fact
class PlacedFee:
    """A fee as placed. ``refundable``: never or with-order. ``refundable_tax`` is the tax on top (0 where included)."""

    fee_id: str
    title: str | None
    amount: int
    tax: int
    refundable_tax: int
    refundable: str


@fact
class Calendar:
    """The business calendar pinned on an order: time zone, weekend, single holidays, code of a holiday calendar."""

    timezone: str
    weekend: tuple[str, ...]
    holidays: tuple[str, ...]
    holiday_calendar: str | None


@fact
class Deadline:
    """An instant by which something must have happened. ``due_at`` itself is still in time."""

    deadline_id: str
    kind: str
    due_at: Instant
    ref: str


@fact
class Replaces:
    """The earlier order, and its lines, that this order replaces (rule ``auto-canceled-is-final``).

    ``quantities`` has the lines of which a quantity was named. Of the others the whole line is meant.
    """

    order_id: str
    lines: tuple[int, ...]
    quantities: tuple[LineQuantity, ...] = ()


@fact
class ReceivedLine:
    """Units of one line that came back together, with their condition."""

    line: int
    quantity: int
    condition: str | None


@fact
class Input:
    """One fact that a rule used, as text."""

    name: str
    value: str


@fact
class Instead:
    """An option that remains: its name, a sentence, and until when, where that is known."""

    option: str
    text: str
    until: Instant | None


@fact
class Verdict:
    """The decision of the rules. ``outcome`` is granted, offer_alternatives, ask_seller or refused."""

    action: str
    outcome: str
    rule: str
    policy: PolicyRef
    inputs: tuple[Input, ...]
    because: str
    instead: tuple[Instead, ...]
    next_change_at: Instant | None

    @property
    def allowed(self) -> bool:
        """Whether the outcome is granted."""
        return self.outcome == "granted"


# ---- placing and paying ----------------------------------------------------------------------------------------


@fact
class OrderPlaced:
    """An order was placed: one seller's part of a checkout, its policy pinned, its money shared over the lines."""

    po_number: str
    checkout_id: str | None
    buyer_id: str
    seller_id: str
    currency: str
    policy: PolicyRef
    sale_format: str
    lines: tuple[PlacedLine, ...]
    tax_included: bool
    discount: int
    shipping: int
    shipping_tax: int
    rounding: int
    total: int
    ship_by: Instant | None
    pay_by: Instant | None
    calendar: Calendar
    replaces: Replaces | None
    deadlines: tuple[Deadline, ...]
    fees: tuple[PlacedFee, ...] = ()


@fact
class PaymentReceived:
    """A payment arrived, or was authorized (``state``: captured or authorized).

    ``method``: card, bank, wallet, gift_card, store_credit, cash or other. Without an id, it is the order's next
    ``payment-N``.
    """

    amount: int
    payment_id: str = ""
    method: str = "other"
    state: str = "captured"


@fact
class PaymentCaptured:
    """This amount of an authorized payment was captured."""

    payment_id: str
    amount: int


@fact
class PaymentReleased:
    """This amount of an authorized payment lapsed. ``voided`` of it settles void parts of refunds, oldest first."""

    payment_id: str
    amount: int
    voided: int


@fact
class Cover:
    """What an other refund is for, in part: a line, a fee, or the order's shipping (``kind``: line, fee, shipping)."""

    kind: str
    line: int | None
    fee_id: str | None
    amount: int


@fact
class PaymentShare:
    """An amount of one payment."""

    payment_id: str
    amount: int


@fact
class OtherRefundRecorded:
    """Money was refunded outside a cancellation, which lowers what a cancellation can refund.

    ``covers`` say what it is for; the rest is unassigned. ``draws`` say from which payments the money was taken.
    """

    amount: int
    note: Sealed | None
    other_refund_id: str = ""
    payment_id: str | None = None
    covers: tuple[Cover, ...] = ()
    draws: tuple[PaymentShare, ...] = ()


# ---- messages --------------------------------------------------------------------------------------------------


@fact
class MessageSent:
    """A message was sent between the parties. It is never a request or a consent."""

    message_id: str
    to: str
    about: str | None
    text: Sealed


@fact
class ContactRecorded:
    """A contact with support took place outside rescind."""

    contact_id: str
    channel: str
    about: str | None
    ticket: str | None
    representative: Sealed | None
    text: Sealed | None


# ---- cancellation ----------------------------------------------------------------------------------------------


@fact
class CancelRequested:
    """A cancellation was requested, with the requested quantities and the verdict of the rules."""

    request_id: str
    by: str
    reason: str | None
    lines: tuple[LineQuantity, ...]
    text: Sealed | None
    verdict: Verdict
    deadlines: tuple[Deadline, ...]


@fact
class AlternativeOffered:
    """The buyer was offered alternatives to the cancellation (rule ``alternatives-first``).

    ``verdict`` is the verdict of the remaining rules at the time of the request. It applies if the buyer declines.
    """

    request_id: str
    offers: tuple[str, ...]
    verdict: Verdict
    deadlines: tuple[Deadline, ...]


@fact
class AlternativeTaken:
    """The buyer took an alternative. Without a request id, it was the proposed ship-by."""

    request_id: str | None
    kind: str


@fact
class AlternativesDeclined:
    """The buyer declined the alternatives or let their deadline pass (``cause`` declined or silence)."""

    request_id: str | None
    cause: str
    deadlines: tuple[Deadline, ...]


@fact
class CancelRefused:
    """A request was refused by a rule."""

    request_id: str
    verdict: Verdict


@fact
class CancelApproved:
    """A request was granted by the side that had to answer, by support, or by silence.

    ``cause``: approved, silence, or canceled (all of its units were canceled in another way).
    """

    request_id: str
    cause: str
    rule: str | None
    refund_now: bool
    note: Sealed | None


@fact
class CancelDeclined:
    """A request ended without being carried out in full.

    ``cause``: declined, silence, shipped. ``status`` is the new status of the request: declined, partly, shipped.
    """

    request_id: str
    cause: str
    status: str
    rule: str | None
    note: Sealed | None


@fact
class CancelWithdrawn:
    """The requester withdrew the request (``cause`` withdrawn), or took an alternative instead (alternative)."""

    request_id: str
    cause: str


@fact
class CanceledLine:
    """Units of one line and why they were canceled.

    ``cause``: request, seller, support, late_ship, unpaid, dispute. A line appears twice if one part of it carries
    out a request and the rest does not.
    """

    line: int
    quantity: int
    cause: str
    reason: str | None
    request_id: str | None


@fact
class LinesCanceled:
    """Units were canceled, one event for each command or deadline. They go back to stock once."""

    lines: tuple[CanceledLine, ...]
    verdict: Verdict | None


@fact
class AutoCanceled:
    """The rest of a partly shipped line was canceled, finally (rule ``fill-or-kill``)."""

    line: int
    quantity: int
    shipment_id: str


# ---- fulfilment ------------------------------------------------------------------------------------------------


@fact
class FulfilmentStarted:
    """Picking, packing or labeling began: the lines are in the shipping process."""

    stage: str
    lines: tuple[LineQuantity, ...]


@fact
class TrackingStarted:
    """The carrier began to track a parcel with these quantities."""

    carrier: str
    tracking_number: str
    shipment_id: str | None
    lines: tuple[LineQuantity, ...]


@fact
class TrackingMoved:
    """The carrier scanned the parcel again."""

    carrier: str
    tracking_number: str
    shipment_id: str | None
    lines: tuple[LineQuantity, ...]


@fact
class LineShipped:
    """A shipping notice shipped all open units of a line."""

    shipment_id: str
    line: int
    quantity: int
    carrier: str | None
    tracking_number: str | None


@fact
class LinePartiallyShipped:
    """A shipping notice shipped some of the open units of a line."""

    shipment_id: str
    line: int
    quantity: int
    carrier: str | None
    tracking_number: str | None


@fact
class ShipmentRefused:
    """A shipping notice was refused."""

    shipment_id: str
    lines: tuple[LineQuantity, ...]
    verdict: Verdict


@fact
class ShipmentVoided:
    """A shipping notice was a mistake and nothing left. Its quantities are open again."""

    shipment_id: str
    lines: tuple[LineQuantity, ...]
    note: Sealed


@fact
class ShipByRevised:
    """The ship-by was changed, or a later one was proposed (``proposed``) for the buyer to take."""

    ship_by: Instant
    proposed: bool
    deadlines: tuple[Deadline, ...]


@fact
class Delivered:
    """Shipments reached the buyer, or a return (``return_id``) reached the seller."""

    shipments: tuple[str, ...]
    lines: tuple[LineQuantity, ...]
    return_id: str | None
    deadlines: tuple[Deadline, ...]


@fact
class ParcelUndelivered:
    """Shipped units did not reach the buyer. ``outcome``: lost, damaged_in_transit, returned_to_sender or refused.

    Lost and damaged units are refunded at once. For the others, a return opens in the same commit. ``counts`` says
    whether they count as canceled by the seller (policy key ``lost`` of ``[standing]``).
    """

    shipment_id: str
    outcome: str
    lines: tuple[LineQuantity, ...]
    refund_now: bool
    note: Sealed | None
    counts: bool


# ---- refunds ---------------------------------------------------------------------------------------------------


@fact
class RefundCause:
    """The amount of a refund that one cause makes due.

    ``cause``: the cause of a cancellation, or return, undelivered, overpaid, rebill.
    """

    cause: str
    amount: int


@fact
class RefundPart:
    """The part of a refund that goes back to one payment. ``kind``: refund, or void of authorized money.

    The payment of rebilled money is the rebilling (``rebill-N``). A part is ``waiting`` while a chargeback of its
    payment is open: it is not instructed yet.
    """

    payment_id: str
    method: str
    amount: int
    kind: str
    waiting: bool


@fact
class RefundPurpose:
    """What an amount of a refund is for. ``kind``: line, shipping (of the order), fee, excess, rebill."""

    kind: str
    line: int | None
    fee_id: str | None
    amount: int


@fact
class RefundDue:
    """The payment service has to refund this amount. ``lines`` are the units that it is for.

    ``causes``, ``parts`` and ``purposes`` each add up to the amount.
    """

    refund_id: str
    amount: int
    lines: tuple[LineQuantity, ...]
    causes: tuple[RefundCause, ...] = ()
    parts: tuple[RefundPart, ...] = ()
    purposes: tuple[RefundPurpose, ...] = ()


@fact
class RefundConfirmed:
    """The payment service made the refund, or its part of one payment."""

    refund_id: str
    payment_id: str | None = None
    provider_ref: str | None = None


@fact
class RefundFailed:
    """The payment service could not make the refund, or the bank sent it back. It is due under its id."""

    refund_id: str
    note: Sealed | None
    payment_id: str | None = None
    provider_ref: str | None = None


@fact
class OtherRefundSettled:
    """A due refund, or its part of one payment, was given back elsewhere. Nothing more goes out for this amount."""

    refund_id: str
    other_refund_id: str
    payment_id: str | None
    amount: int
    note: Sealed | None


@fact
class RefundWithdrawn:
    """A refund was instructed by mistake and is not owed. It does not go out, and is not instructed again."""

    refund_id: str
    rule: str | None
    note: Sealed


# ---- chargebacks -----------------------------------------------------------------------------------------------


@fact
class ChargebackOpened:
    """The buyer's bank demands this amount of a payment back. Until it is closed, parts of the payment wait."""

    payment_id: str
    amount: int
    chargeback_id: str | None


@fact
class ReleasedPart:
    """A part of a refund that waited for a chargeback and goes out now."""

    refund_id: str
    payment_id: str
    method: str
    amount: int
    kind: str


@fact
class ChargebackClosed:
    """A chargeback ended. ``outcome``: won or lost. ``amount`` is what the provider took (0 if won).

    ``released`` are the parts that waited and go out now.
    """

    payment_id: str
    outcome: str
    amount: int
    chargeback_id: str | None
    released: tuple[ReleasedPart, ...]


# ---- canceled but shipped ------------------------------------------------------------------------


@fact
class ShippedAfterCancelFound:
    """Canceled units were found to have shipped anyway. ``source``: report, scan or delivery.

    A delivery is of a parcel that was reported as lost (``shipment_id``): its units were refunded and arrived after
    all. Carrier and tracking number are empty where they are not known.
    """

    source: str
    carrier: str
    tracking_number: str
    lines: tuple[LineQuantity, ...]
    shipment_id: str | None = None


@fact
class CustomerNotified:
    """Step 1: the customer was notified, with carrier and tracking number and without a link."""

    notice_id: str
    text: Sealed
    deadlines: tuple[Deadline, ...]


@fact
class CustomerAcknowledged:
    """Step 2: the customer accepted the item and the rebilling. From support only with evidence (step 3)."""

    notice_id: str
    evidence: tuple[str, ...]


@fact
class CustomerDeclined:
    """Step 2, the other answer: the customer did not accept both."""

    notice_id: str
    accepts_item: bool
    accepts_rebilling: bool
    evidence: tuple[str, ...]


@fact
class RebillAccepted:
    """The customer accepted to be billed again for these units."""

    lines: tuple[LineQuantity, ...]


@fact
class RebillDue:
    """Step 4: the customer has to be billed again for exactly what was refunded for these units."""

    rebill_id: str
    amount: int
    lines: tuple[LineQuantity, ...]


@fact
class Rebilled:
    """The rebilling was confirmed."""

    rebill_id: str


@fact
class RebillFailed:
    """The rebilling failed, and stays due under its id."""

    rebill_id: str


@fact
class CreditMemoIssued:
    """Step 5: the seller is paid the rebilled amount."""

    memo_id: str
    rebill_id: str
    amount: int


# ---- refusals of everything else -------------------------------------------------------------------------------


@fact
class CommandRefused:
    """A command (``command`` is its name) was refused by a rule. ``ref`` is the id that it was about, if any."""

    command: str
    ref: str | None
    verdict: Verdict


# ---- cases and returns after delivery -------------------------------------------------------------


@fact
class CaseOpened:
    """The buyer opened a case, because the delivered item is not as promised."""

    case_id: str
    reason: str
    lines: tuple[LineQuantity, ...]
    text: Sealed | None
    deadlines: tuple[Deadline, ...]


@fact
class EvidenceAdded:
    """A file or message was attached. Its content is in the vault, its hash and size are here."""

    evidence_id: str
    about: str
    side: str
    kind: str
    sha256: bytes
    media_type: str
    size: int
    origin: str | None
    source: str | None
    note: Sealed | None
    claimed_at: Instant | None
    deadlines: tuple[Deadline, ...]


@fact
class EvidenceRequested:
    """The platform requested more evidence. A case's decision deadline pauses until it arrives or ``until`` passes."""

    about: str
    kinds: tuple[str, ...]
    until: Instant
    remaining: int
    deadlines: tuple[Deadline, ...]


@fact
class ReturnOpened:
    """A return was opened. ``postage``: buyer, seller or platform pays. ``refund``: on_receipt, at_once or none.

    ``undelivered`` is the outcome of the report that opened it (returned_to_sender or refused): its units are on their
    way back and never reached the buyer. ``about`` is then the shipment.
    """

    return_id: str
    about: str
    reason: str | None
    lines: tuple[LineQuantity, ...]
    postage: str
    refund: str
    undelivered: str | None = None


@fact
class ReturnAccepted:
    """The return was accepted. With ``refund_now``, the refund does not wait for the parcel."""

    return_id: str
    about: str
    refund_now: bool
    deadlines: tuple[Deadline, ...] = ()


@fact
class CaseDecided:
    """The platform decided a case by a rule. ``outcome``: return or deny."""

    case_id: str
    outcome: str
    rule: str
    note: Sealed | None


@fact
class ReturnStarted:
    """The returned parcel is on its way back."""

    return_id: str
    carrier: str | None
    tracking_number: str | None


@fact
class ReturnReceived:
    """Returned units are back. ``cause``: received, or not_confirmed (delivered, and the seller stayed silent).

    ``lines`` are the units that came back with this receipt; empty: all that was left of the return, in ``condition``.
    """

    return_id: str
    condition: str | None
    cause: str
    lines: tuple[ReceivedLine, ...] = ()


@fact
class ReturnWithdrawn:
    """A return ended before anything came back, without a refund. ``cause``: withdrawn, or lapsed (not sent in time).

    Its units can be returned again.
    """

    return_id: str
    cause: str


@fact
class ReturnClosed:
    """A return was closed by a person. ``outcome``: refund (what was left is refunded) or no_refund (the units are free
    again).
    """

    return_id: str
    outcome: str
    rule: str | None
    note: Sealed | None


# ---- disputes -------------------------------------------------------------------------------------


@fact
class DisputeOpened:
    """A party disputed the handling of a request or message. ``policy`` is the one that is pinned on the order."""

    dispute_id: str
    about: str
    by: str
    policy: PolicyRef
    text: Sealed | None
    deadlines: tuple[Deadline, ...]


@fact
class DisputeEscalated:
    """The dispute went to support, with a ticket."""

    dispute_id: str
    ticket: str
    representative: Sealed | None


@fact
class DisputeDecided:
    """The platform decided a dispute by a rule. ``outcome``: grant, deny or return."""

    dispute_id: str
    outcome: str
    rule: str
    note: Sealed | None
    deadlines: tuple[Deadline, ...]


@fact
class DisputeDismissed:
    """A dispute or an appeal was dismissed as too late. The verdict's inputs name the last instant in time."""

    dispute_id: str
    about: str
    verdict: Verdict


@fact
class DisputeAppealed:
    """The decision was appealed, so the dispute is open again. This happens once at most."""

    dispute_id: str
    text: Sealed | None


# ---- deadlines and notices -------------------------------------------------------------------------------------


@fact
class DeadlineReached:
    """A deadline passed. Its effects are in the same commit. ``deadlines`` are those that begin to run now."""

    deadline_id: str
    kind: str
    due_at: Instant
    ref: str
    deadlines: tuple[Deadline, ...]


@fact
class ConfirmationDelivered:
    """A notice was delivered."""

    notice_id: str


@fact
class NoticeFailed:
    """A notice could not be delivered."""

    notice_id: str


# ---- subjects: personal data and holds, on the stream MARKETPLACE/subject/ID ------------------------------------


@fact
class SubjectErased:
    """The subject's key in the vault is to be erased, so that its sealed texts can no longer be read."""

    subject: str


@fact
class LegalHoldPlaced:
    """A legal hold was placed. While it is in force, nothing of this subject may be erased."""

    subject: str
    hold_id: str


@fact
class LegalHoldReleased:
    """A legal hold was lifted."""

    subject: str
    hold_id: str


# ---- control streams -------------------------------------------------------------------------------------------


@fact
class JournalCreated:
    """The first event of the control log: the number of partitions, which never changes."""

    partitions: int


@fact
class PolicyPublished:
    """A policy document (canonical JSON, RFC 8785) was published. New orders can name it."""

    id: str
    version: int
    sha256: bytes
    document: str


@fact
class ImportOpened:
    """An import of one input (its SHA-256) began. While it is open, no deadline of the marketplace fires."""

    marketplace: str
    input: bytes


@fact
class ImportClosed:
    """The import ended. Deadlines before ``until`` were reached as history."""

    marketplace: str
    input: bytes
    until: Instant | None


Event = (
    OrderPlaced
    | PaymentReceived
    | PaymentCaptured
    | PaymentReleased
    | OtherRefundRecorded
    | MessageSent
    | ContactRecorded
    | CancelRequested
    | AlternativeOffered
    | AlternativeTaken
    | AlternativesDeclined
    | CancelRefused
    | CancelApproved
    | CancelDeclined
    | CancelWithdrawn
    | LinesCanceled
    | AutoCanceled
    | FulfilmentStarted
    | TrackingStarted
    | TrackingMoved
    | LineShipped
    | LinePartiallyShipped
    | ShipmentRefused
    | ShipmentVoided
    | ShipByRevised
    | Delivered
    | ParcelUndelivered
    | RefundDue
    | RefundConfirmed
    | RefundFailed
    | OtherRefundSettled
    | RefundWithdrawn
    | ChargebackOpened
    | ChargebackClosed
    | ShippedAfterCancelFound
    | CustomerNotified
    | CustomerAcknowledged
    | CustomerDeclined
    | RebillAccepted
    | RebillDue
    | Rebilled
    | RebillFailed
    | CreditMemoIssued
    | CommandRefused
    | CaseOpened
    | EvidenceAdded
    | EvidenceRequested
    | ReturnOpened
    | ReturnAccepted
    | CaseDecided
    | ReturnStarted
    | ReturnReceived
    | ReturnWithdrawn
    | ReturnClosed
    | DisputeOpened
    | DisputeEscalated
    | DisputeDecided
    | DisputeDismissed
    | DisputeAppealed
    | DeadlineReached
    | ConfirmationDelivered
    | NoticeFailed
    | SubjectErased
    | LegalHoldPlaced
    | LegalHoldReleased
    | JournalCreated
    | PolicyPublished
    | ImportOpened
    | ImportClosed
)
"""Every event. ``schemas.names`` maps each class to its stored name."""
