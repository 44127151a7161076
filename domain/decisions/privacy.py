"""Personal data: erasing a subject, and the legal holds that defer it."""

from domain import events as e
from domain.commands import EraseSubject, PlaceLegalHold, ReleaseLegalHold
from domain.decisions.context import DecisionContext, Events
from domain.verdict import fact


def erase_subject(s: DecisionContext, ask: EraseSubject) -> Events:
    """The key may go, unless a hold stands; each time anew, since texts may have come after the last."""
    if s.order.holds:
        hold = next(iter(s.order.holds))
        yield from s.no("legal-hold", f"Legal hold {hold} stands: release it first.", fact("hold_id", hold))
    else:
        yield e.SubjectErased(ask.subject)


def place_legal_hold(s: DecisionContext, ask: PlaceLegalHold) -> Events:
    """Nothing of the subject may be erased from now on."""
    yield e.LegalHoldPlaced(ask.subject, ask.hold_id)


def release_legal_hold(s: DecisionContext, ask: ReleaseLegalHold) -> Events:
    """The hold is lifted; one that does not stand changes nothing."""
    if ask.hold_id in s.order.holds:
        yield e.LegalHoldReleased(ask.subject, ask.hold_id)
