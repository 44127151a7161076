"""The stored name of each event, and the version of its schema in which it is written today.

Stored names are a storage format. They are listed here and do not depend on class names or import paths: a class may
be renamed or moved, its stored name never changes. A version is the number of a file in ``schemas/events``.
"""

from types import MappingProxyType
from typing import Final

from domain import events as e

CURRENT: Final[tuple[tuple[type[e.Event], str, int], ...]] = (
    (e.OrderPlaced, "OrderPlaced", 2),
    (e.PaymentReceived, "PaymentReceived", 2),
    (e.PaymentCaptured, "PaymentCaptured", 1),
    (e.PaymentReleased, "PaymentReleased", 1),
    (e.OtherRefundRecorded, "OtherRefundRecorded", 2),
    (e.MessageSent, "MessageSent", 1),
    (e.ContactRecorded, "ContactRecorded", 1),
    (e.CancelRequested, "CancelRequested", 1),
    (e.AlternativeOffered, "AlternativeOffered", 1),
    (e.AlternativeTaken, "AlternativeTaken", 1),
    (e.AlternativesDeclined, "AlternativesDeclined", 1),
    (e.CancelRefused, "CancelRefused", 1),
    (e.CancelApproved, "CancelApproved", 1),
    (e.CancelDeclined, "CancelDeclined", 1),
    (e.CancelWithdrawn, "CancelWithdrawn", 1),
    (e.LinesCanceled, "LinesCanceled", 1),
    (e.AutoCanceled, "AutoCanceled", 1),
    (e.FulfilmentStarted, "FulfilmentStarted", 1),
    (e.TrackingStarted, "TrackingStarted", 1),
    (e.TrackingMoved, "TrackingMoved", 1),
    (e.LineShipped, "LineShipped", 1),
    (e.LinePartiallyShipped, "LinePartiallyShipped", 1),
    (e.ShipmentRefused, "ShipmentRefused", 1),
    (e.ShipmentVoided, "ShipmentVoided", 1),
    (e.ShipByRevised, "ShipByRevised", 1),
    (e.Delivered, "Delivered", 1),
    (e.ParcelUndelivered, "ParcelUndelivered", 1),
    (e.RefundDue, "RefundDue", 2),
    (e.RefundConfirmed, "RefundConfirmed", 2),
    (e.RefundFailed, "RefundFailed", 2),
    (e.OtherRefundSettled, "OtherRefundSettled", 1),
    (e.RefundWithdrawn, "RefundWithdrawn", 1),
    (e.ChargebackOpened, "ChargebackOpened", 1),
    (e.ChargebackClosed, "ChargebackClosed", 1),
    (e.ShippedAfterCancelFound, "ShippedAfterCancelFound", 2),
    (e.CustomerNotified, "CustomerNotified", 1),
    (e.CustomerAcknowledged, "CustomerAcknowledged", 1),
    (e.CustomerDeclined, "CustomerDeclined", 1),
    (e.RebillAccepted, "RebillAccepted", 1),
    (e.RebillDue, "RebillDue", 1),
    (e.Rebilled, "Rebilled", 1),
    (e.RebillFailed, "RebillFailed", 1),
    (e.CreditMemoIssued, "CreditMemoIssued", 1),
    (e.CommandRefused, "CommandRefused", 1),
    (e.CaseOpened, "CaseOpened", 1),
    (e.EvidenceAdded, "EvidenceAdded", 1),
    (e.EvidenceRequested, "EvidenceRequested", 1),
    (e.ReturnOpened, "ReturnOpened", 2),
    (e.ReturnAccepted, "ReturnAccepted", 2),
    (e.CaseDecided, "CaseDecided", 1),
    (e.ReturnStarted, "ReturnStarted", 1),
    (e.ReturnReceived, "ReturnReceived", 2),
    (e.ReturnWithdrawn, "ReturnWithdrawn", 1),
    (e.ReturnClosed, "ReturnClosed", 1),
    (e.DisputeOpened, "DisputeOpened", 1),
    (e.DisputeEscalated, "DisputeEscalated", 1),
    (e.DisputeDecided, "DisputeDecided", 1),
    (e.DisputeDismissed, "DisputeDismissed", 1),
    (e.DisputeAppealed, "DisputeAppealed", 1),
    (e.DeadlineReached, "DeadlineReached", 1),
    (e.ConfirmationDelivered, "ConfirmationDelivered", 1),
    (e.NoticeFailed, "NoticeFailed", 1),
    (e.SubjectErased, "SubjectErased", 1),
    (e.LegalHoldPlaced, "LegalHoldPlaced", 1),
    (e.LegalHoldReleased, "LegalHoldReleased", 1),
    (e.JournalCreated, "JournalCreated", 1),
    (e.PolicyPublished, "PolicyPublished", 1),
    (e.ImportOpened, "ImportOpened", 1),
    (e.ImportClosed, "ImportClosed", 1),
)
"""(class, stored name, version that is written today), in the order of ``domain.events.Event``."""

NAME_OF: Final = MappingProxyType({of: (name, version) for of, name, version in CURRENT})
"""Event class → (stored name, current version)."""

CLASS_OF: Final = MappingProxyType({name: of for of, name, _ in CURRENT})
"""Stored name → event class."""

VERSION_OF: Final = MappingProxyType({name: version for _, name, version in CURRENT})
"""Stored name → current version."""
