"""Personal data: the erasure of a subject, and the legal holds that defer it."""

from domain import events as e
from domain.commands import EraseSubject, PlaceLegalHold, ReleaseLegalHold
from domain.decisions.context import DecisionContext, Events
from domain.verdict import fact


def erase_subject(s: DecisionContext, ask: EraseSubject) -> Events:
    """Erase a subject's key, unless a hold is in force. Repeated erasures count, because new texts may have arrived."""
    if s.order.holds:
        hold = next(iter(s.order.holds))
        yield from s.no("legal-hold", f"Legal hold {hold} is in force. Release it first.", fact("hold_id", hold))
    else:
        yield e.SubjectErased(ask.subject)


def place_legal_hold(s: DecisionContext, ask: PlaceLegalHold) -> Events:
    """Place a legal hold: from now on, nothing of the subject may be erased."""
    yield e.LegalHoldPlaced(ask.subject, ask.hold_id)


def release_legal_hold(s: DecisionContext, ask: ReleaseLegalHold) -> Events:
    """Lift a legal hold. A hold that is not in force changes nothing."""
    if ask.hold_id in s.order.holds:
        yield e.LegalHoldReleased(ask.subject, ask.hold_id)
