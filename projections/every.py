"""All projections: which function writes which event to which tables."""

from collections.abc import Callable, Iterable, Iterator
from types import MappingProxyType
from typing import Final

from domain import events as e
from projections import after_delivery, dashboards
from projections.audit_trail import audit_trail, message_sent, policy_published
from projections.cancellations import cancellations
from projections.changes import Change, CommitView, EventView
from projections.notifications import notifications

Projection = Callable[[CommitView, EventView], Iterable[Change]]

OF_ORDERS: Final = MappingProxyType[type, tuple[Projection, ...]](
    {
        e.OrderPlaced: (dashboards.order_placed,),
        e.RefundDue: (dashboards.refund_due,),
        e.MessageSent: (message_sent,),
        e.EvidenceAdded: (after_delivery.evidence_added,),
        e.CreditMemoIssued: (after_delivery.credit_memo_issued,),
    }
)
"""Event class of orders → the functions that project it, besides the audit trail."""

OF_CONTROL: Final = MappingProxyType[type, tuple[Projection, ...]]({e.PolicyPublished: (policy_published,)})
"""The same for the events of the control log, which the audit trail leaves out."""


CANCELING: Final = (e.LinesCanceled, e.AutoCanceled)
"""Events whose rows are made of a whole commit, since they depend on what it cancels altogether."""
COUNTING: Final = (*CANCELING, e.ParcelUndelivered)
"""Events that may count toward a party's standing."""


def journal_changes(view: CommitView) -> Iterator[Change]:
    """What a commit of the journal changes beside the rows of its order's state (``projections.orders``)."""
    yield from audit_trail(view)
    if view.order is not None:
        yield from _each(OF_ORDERS, view)
        if any(at.event.__class__ in CANCELING for at in view.events):
            yield from cancellations(view)
        if any(at.event.__class__ in COUNTING for at in view.events):
            yield from dashboards.canceled(view)
        yield from notifications(view)


def control_changes(view: CommitView) -> Iterator[Change]:
    """What a commit of the control log changes."""
    yield from _each(OF_CONTROL, view)


def _each(projections: MappingProxyType[type, tuple[Projection, ...]], view: CommitView) -> Iterator[Change]:
    for at in view.events:
        for projection in projections.get(at.event.__class__, ()):
            yield from projection(view, at)
