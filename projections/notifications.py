"""Projects notifications of buyers and sellers (rule ``both-told``) and the reports of their delivery."""

from collections.abc import Iterator
from typing import NamedTuple

from domain.events import ConfirmationDelivered, CustomerNotified, NoticeFailed
from domain.notification_rules import AUDIENCES, CONFIRMATIONS, Audience, notice_id, notification_rule
from domain.references import reference_of
from projections.changes import CommitView, EventView, Fact
from projections.tables import NOTIFICATIONS


class _Step(NamedTuple):
    """A notification of one side (step told), or a report of its delivery (delivered, failed)."""

    audience: Audience
    notice_id: str
    step: str
    template: str | None = None
    reference: str | None = None


def notifications(view: CommitView) -> Iterator[Fact]:
    """Yield a commit's rows. Imported history notifies nobody, except by a seller's own text (``CustomerNotified``)."""
    for version, at in enumerate(view.events, view.version):
        event = at.event
        if isinstance(event, ConfirmationDelivered | NoticeFailed):
            step = "delivered" if isinstance(event, ConfirmationDelivered) else "failed"
            yield _row(view, at, version, _Step(_audience_of(event.notice_id), event.notice_id, step))
            continue
        rule = notification_rule(event)
        if rule is None or (view.history and not isinstance(event, CustomerNotified)):
            continue
        reference = reference_of(view.commit) if rule.template in CONFIRMATIONS else None
        for audience in rule.audiences:
            id = notice_id(event, version, audience)
            yield _row(view, at, version, _Step(audience, id, "told", rule.template, reference))


def _audience_of(notice: str) -> Audience:
    """Return the notified side of a notification id. Ids like ``notice-1`` belong to the buyer."""
    return next((audience for audience in AUDIENCES if notice.endswith(f"-{audience}")), "buyer")


def _row(view: CommitView, at: EventView, version: int, step: _Step) -> Fact:
    assert view.order is not None
    terms = view.order.terms
    return Fact(
        NOTIFICATIONS,
        NOTIFICATIONS.row(
            partition=view.partition,
            position=at.position,
            audience=step.audience,
            marketplace=view.marketplace,
            order_id=view.order_id,
            notice_id=step.notice_id,
            step=step.step,
            recipient_id=terms.buyer_id if step.audience == "buyer" else terms.seller_id,
            event=at.name,
            version=version,
            template=step.template,
            reference=step.reference,
            recorded_at=view.recorded_at,
        ),
    )
