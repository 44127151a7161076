"""Every event: what happened, as a fact in the past tense. Field names and order are a storage format.

An event carries only what it says itself. When it happened, when it was recorded, who said it and in which order's
history it stands are in the commit's envelope (``schemas.commit``). Amounts are integer minor units of the order's
currency, instants are UTC microseconds, hashes are 32 bytes. No personal text: ``Sealed`` points into the vault.
"""

from domain.facts import fact
from domain.instants import Instant

# ---- value records ---------------------------------------------------------------------------------------------


@fact
class Sealed:
    """A text that lives in the vault: HMAC commitment (32 bytes) and the vault's reference."""

    commitment: bytes
    reference: str


@fact
class LineQuantity:
    """So many units of one line."""

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
    """What was promised, as sold: a reference and the SHA-256 of its content (rule ``listing-as-sold``)."""

    ref: str
    sha256: bytes


@fact
class PlacedLine:
    """A line as placed. ``discount`` and ``tax`` are for the whole line.

    ``goods`` and ``refundable_tax`` are what the whole line gives back when it is canceled: its value after its share
    of the order's discount and rounding, and the tax on top (0 where tax is included).
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


@fact
class Calendar:
    """The business calendar pinned on an order: zone, days off a week, single holidays, code of a holiday calendar."""

    timezone: str
    weekend: tuple[str, ...]
    holidays: tuple[str, ...]
    holiday_calendar: str | None


@fact
class Deadline:
    """An instant by which something must have happened; its last instant is still in time."""

    deadline_id: str
    kind: str
    due_at: Instant
    ref: str


@fact
class Replaces:
    """The earlier order, and the lines of it, that this order stands in for (rule ``auto-canceled-is-final``)."""

    order_id: str
    lines: tuple[int, ...]


@fact
class Input:
    """One fact that a rule looked at, as text."""

    name: str
    value: str


@fact
class Instead:
    """What can still be done: the option's name, a sentence, and until when, where that is known."""

    option: str
    text: str
    until: Instant | None


@fact
class Verdict:
    """What the rules said. ``outcome`` is granted, offer_alternatives, ask_seller or refused."""

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
        """Granted, and nothing less."""
        return self.outcome == "granted"


# ---- placing and paying ----------------------------------------------------------------------------------------


@fact
class OrderPlaced:
    """An order stands: one seller's part of a checkout, its policy pinned, its money shared over the lines."""

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


@fact
class PaymentReceived:
    """Money came in."""

    amount: int


@fact
class OtherRefundRecorded:
    """Money was given back outside a cancellation; it lowers what a cancellation can refund."""

    amount: int
    note: Sealed | None


# ---- talking ---------------------------------------------------------------------------------------------------


@fact
class MessageSent:
    """A message between the parties. Never itself a request nor a consent."""

    message_id: str
    to: str
    about: str | None
    text: Sealed


@fact
class ContactRecorded:
    """Somebody spoke with support, outside rescind."""

    contact_id: str
    channel: str
    about: str | None
    ticket: str | None
    representative: Sealed | None
    text: Sealed | None


# ---- asking to cancel ------------------------------------------------------------------------------------------


@fact
class CancelRequested:
    """A request with the quantities it asks for, and what the rules said to it."""

    request_id: str
    by: str
    reason: str | None
    lines: tuple[LineQuantity, ...]
    text: Sealed | None
    verdict: Verdict
    deadlines: tuple[Deadline, ...]


@fact
class AlternativeOffered:
    """The store offers something else before it carries the request out (rule ``alternatives-first``).

    ``verdict`` is what the rules after it said as of the asking: it carries on if the offers are declined.
    """

    request_id: str
    offers: tuple[str, ...]
    verdict: Verdict
    deadlines: tuple[Deadline, ...]


@fact
class AlternativeTaken:
    """The buyer took one of the offers; without a request id it was the proposed ship-by."""

    request_id: str | None
    kind: str


@fact
class AlternativesDeclined:
    """The buyer wants none of the offers, or let their time pass (``cause`` declined or silence)."""

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
    """A request was granted by the side asked, by support, or by silence.

    ``cause``: approved, silence, or canceled (all it asked for was canceled otherwise).
    """

    request_id: str
    cause: str
    rule: str | None
    refund_now: bool
    note: Sealed | None


@fact
class CancelDeclined:
    """A request ended without being carried out whole.

    ``cause``: declined, silence, shipped; ``status`` is what the request becomes: declined, partly, shipped.
    """

    request_id: str
    cause: str
    status: str
    rule: str | None
    note: Sealed | None


@fact
class CancelWithdrawn:
    """Who asked took the request back (``cause`` withdrawn), or took an alternative instead (alternative)."""

    request_id: str
    cause: str


@fact
class CanceledLine:
    """Units of one line and why they were canceled.

    ``cause``: request, seller, support, late_ship, unpaid, dispute. A line stands twice where part of
    it carries out a request and the rest does not.
    """

    line: int
    quantity: int
    cause: str
    reason: str | None
    request_id: str | None


@fact
class LinesCanceled:
    """Quantities were canceled, one event a command or deadline. They go back to stock once."""

    lines: tuple[CanceledLine, ...]
    verdict: Verdict | None


@fact
class AutoCanceled:
    """Fill-or-kill: a notice shipped part of a line and this is the rest of it, final (rule ``fill-or-kill``)."""

    line: int
    quantity: int
    shipment_id: str


# ---- fulfilment ------------------------------------------------------------------------------------------------


@fact
class FulfilmentStarted:
    """Picking, packing or the label: the lines are in the shipping process."""

    stage: str
    lines: tuple[LineQuantity, ...]


@fact
class TrackingStarted:
    """The carrier has begun to track a parcel with these quantities."""

    carrier: str
    tracking_number: str
    shipment_id: str | None
    lines: tuple[LineQuantity, ...]


@fact
class TrackingMoved:
    """The carrier saw the parcel again."""

    carrier: str
    tracking_number: str
    shipment_id: str | None
    lines: tuple[LineQuantity, ...]


@fact
class LineShipped:
    """A notice shipped all that was still open of a line."""

    shipment_id: str
    line: int
    quantity: int
    carrier: str | None
    tracking_number: str | None


@fact
class LinePartiallyShipped:
    """A notice shipped part of what was open of a line."""

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
    """A notice was a mistake and nothing left; its quantities are open again."""

    shipment_id: str
    lines: tuple[LineQuantity, ...]
    note: Sealed


@fact
class ShipByRevised:
    """A new ship-by; ``proposed`` until the buyer takes it."""

    ship_by: Instant
    proposed: bool
    deadlines: tuple[Deadline, ...]


@fact
class Delivered:
    """Shipments reached the buyer, or (``return_id``) a return reached the seller."""

    shipments: tuple[str, ...]
    lines: tuple[LineQuantity, ...]
    return_id: str | None
    deadlines: tuple[Deadline, ...]


# ---- refunds ---------------------------------------------------------------------------------------------------


@fact
class RefundDue:
    """Instruction to the payment service: give this much back; ``lines`` are the units it is for."""

    refund_id: str
    amount: int
    lines: tuple[LineQuantity, ...]


@fact
class RefundConfirmed:
    """The payment service gave it back."""

    refund_id: str


@fact
class RefundFailed:
    """The payment service could not; the refund stays due under its id."""

    refund_id: str
    note: Sealed | None


# ---- canceled but shipped ------------------------------------------------------------------------


@fact
class ShippedAfterCancelFound:
    """Canceled units turn out to have left. ``source``: report or scan."""

    source: str
    carrier: str
    tracking_number: str
    lines: tuple[LineQuantity, ...]


@fact
class CustomerNotified:
    """Step 1: the customer is told, with carrier and number and without a link."""

    notice_id: str
    text: Sealed
    deadlines: tuple[Deadline, ...]


@fact
class CustomerAcknowledged:
    """Step 2: the customer accepts the item and the re-billing; from support only with evidence (step 3)."""

    notice_id: str
    evidence: tuple[str, ...]


@fact
class CustomerDeclined:
    """Step 2 went the other way: not both were accepted."""

    notice_id: str
    accepts_item: bool
    accepts_rebilling: bool
    evidence: tuple[str, ...]


@fact
class RebillAccepted:
    """The customer accepts to be billed again for these units."""

    lines: tuple[LineQuantity, ...]


@fact
class RebillDue:
    """Step 4, instruction: bill the customer again for exactly what had been refunded for these units."""

    rebill_id: str
    amount: int
    lines: tuple[LineQuantity, ...]


@fact
class Rebilled:
    """The rebilling was confirmed."""

    rebill_id: str


@fact
class RebillFailed:
    """The rebilling failed; it stays due under its id."""

    rebill_id: str


@fact
class CreditMemoIssued:
    """Step 5: the seller is paid the amount rebilled."""

    memo_id: str
    rebill_id: str
    amount: int


# ---- refusals of everything else -------------------------------------------------------------------------------


@fact
class CommandRefused:
    """A command (``command`` is its name) was refused by a rule; ``ref`` is the id it was about, if any."""

    command: str
    ref: str | None
    verdict: Verdict


# ---- cases and returns after delivery -------------------------------------------------------------


@fact
class CaseOpened:
    """The buyer says that what came is not what was promised."""

    case_id: str
    reason: str
    lines: tuple[LineQuantity, ...]
    text: Sealed | None
    deadlines: tuple[Deadline, ...]


@fact
class EvidenceAdded:
    """A file or message was attached; its content is in the vault, its hash and size are here."""

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
    """The platform asks for more; the decision clock stands still until it is given or ``until`` has passed."""

    about: str
    kinds: tuple[str, ...]
    until: Instant
    remaining: int
    deadlines: tuple[Deadline, ...]


@fact
class ReturnOpened:
    """Units may come back. ``postage``: buyer, seller or platform pays; ``refund``: on_receipt, at_once or none."""

    return_id: str
    about: str
    reason: str | None
    lines: tuple[LineQuantity, ...]
    postage: str
    refund: str


@fact
class ReturnAccepted:
    """The return is accepted; with ``refund_now`` the money goes back before the parcel does."""

    return_id: str
    about: str
    refund_now: bool


@fact
class CaseDecided:
    """The platform decided: return or deny, by the rule named."""

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
    """The returned units are back. ``cause``: received, or not_confirmed (shown delivered and nothing said)."""

    return_id: str
    condition: str | None
    cause: str


# ---- disputes -------------------------------------------------------------------------------------


@fact
class DisputeOpened:
    """A party disputes how a request went; the policy in force when it was asked is cited by the engine."""

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
    """The platform decided: grant, deny or return, by the rule named."""

    dispute_id: str
    outcome: str
    rule: str
    note: Sealed | None
    deadlines: tuple[Deadline, ...]


@fact
class DisputeDismissed:
    """Too late: dismissed by the rule, with the instant until which it would have been in time."""

    dispute_id: str
    about: str
    verdict: Verdict


@fact
class DisputeAppealed:
    """The decision is appealed; the dispute is open again, once."""

    dispute_id: str
    text: Sealed | None


# ---- deadlines and notices -------------------------------------------------------------------------------------


@fact
class DeadlineReached:
    """A deadline passed; what follows from it is in the same commit. ``deadlines``: those that now begin to run."""

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
    """The vault's key of this subject goes; what was sealed under it can no longer be read."""

    subject: str


@fact
class LegalHoldPlaced:
    """Nothing of this subject may be erased while the hold stands."""

    subject: str
    hold_id: str


@fact
class LegalHoldReleased:
    """The hold is lifted."""

    subject: str
    hold_id: str


# ---- control streams -------------------------------------------------------------------------------------------


@fact
class JournalCreated:
    """The first commit of the control log: how many partitions the journal has, for ever."""

    partitions: int


@fact
class PolicyPublished:
    """A policy document (canonical JSON, RFC 8785) is in force for orders that name it from now on."""

    id: str
    version: int
    sha256: bytes
    document: str


@fact
class ImportOpened:
    """An import of one input (its SHA-256) began; nothing fires for the marketplace while it is open."""

    marketplace: str
    input: bytes


@fact
class ImportClosed:
    """The import ended; deadlines before ``until`` were reached as history."""

    marketplace: str
    input: bytes
    until: Instant | None


Event = (
    OrderPlaced
    | PaymentReceived
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
    | RefundDue
    | RefundConfirmed
    | RefundFailed
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
"""Every event there is; ``schemas.names`` maps each to its stored name."""
