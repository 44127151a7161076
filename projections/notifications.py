"""Projects notifications of buyers and sellers (rule ``both-told``) and the reports of their delivery."""

from collections.abc import Iterator

from domain.events import ConfirmationDelivered, CustomerNotified, NoticeFailed
from domain.notification_rules import AUDIENCES, CONFIRMATIONS, Audience, notice_id, notification_rule
from domain.references import reference_of
from projections.changes import CommitView, EventView, Fact
from projections.tables import NOTIFICATIONS


def notifications(view: CommitView) -> Iterator[Fact]:
    """Yield a commit's rows. Imported history notifies nobody, except by a seller's own text (``CustomerNotified``)."""
    for version, at in enumerate(view.events, view.version):
        event = at.event
        if isinstance(event, ConfirmationDelivered | NoticeFailed):
            step = "delivered" if isinstance(event, ConfirmationDelivered) else "failed"
            yield _row(view, at, version, _audience_of(event.notice_id), event.notice_id, step, None, None)
            continue
        news = notification_rule(event)
        if news is None or (view.history and not isinstance(event, CustomerNotified)):
            continue
        reference = reference_of(view.commit) if news.template in CONFIRMATIONS else None
        for audience in news.audiences:
            id = notice_id(event, version, audience)
            yield _row(view, at, version, audience, id, "told", news.template, reference)


def _audience_of(notice: str) -> Audience:
    """Return the notified side of a notification id. Ids like ``notice-1`` belong to the buyer."""
    return next((audience for audience in AUDIENCES if notice.endswith(f"-{audience}")), "buyer")


def _row(
    view: CommitView,
    at: EventView,
    version: int,
    audience: Audience,
    notice: str,
    step: str,
    template: str | None,
    reference: str | None,
) -> Fact:
    assert view.order is not None
    terms = view.order.terms
    return Fact(
        NOTIFICATIONS,
        (
            view.partition,
            at.position,
            audience,
            view.marketplace,
            view.order_id,
            notice,
            step,
            terms.buyer_id if audience == "buyer" else terms.seller_id,
            at.name,
            version,
            template,
            reference,
            view.recorded_at,
        ),
    )
