"""Messages, contacts, and reports about refunds and notices: facts that are recorded without a rule."""

from domain import events as e
from domain.commands import ConfirmNotice, ConfirmRefund, FailNotice, FailRefund, RecordContact, SendMessage
from domain.decisions.context import DecisionContext, Events, sealed, sealed_text
from domain.notification_rules import has_notice
from domain.verdict import fact


def send_message(s: DecisionContext, ask: SendMessage) -> Events:
    """Record a message. It is never a request or a consent."""
    yield e.MessageSent(ask.message_id, ask.to, ask.about, sealed_text(ask.text))


def record_contact(s: DecisionContext, ask: RecordContact) -> Events:
    """Record a contact with support outside rescind."""
    yield e.ContactRecorded(
        ask.contact_id, ask.channel, ask.about, ask.ticket, sealed(ask.representative), sealed(ask.text)
    )


def settle_refund(s: DecisionContext, ask: ConfirmRefund | FailRefund) -> Events:
    """Record that a refund was made or failed. A failed refund stays due under its id."""
    refund = s.order.refunds.get(ask.refund_id)
    if refund is None:
        yield from s.no("no-such-refund", f"There is no refund {ask.refund_id}.", fact("refund_id", ask.refund_id))
    elif refund.status == "confirmed":
        yield from s.no("refund-closed", f"{ask.refund_id} is confirmed already.", ref=ask.refund_id)
    elif isinstance(ask, ConfirmRefund):
        yield e.RefundConfirmed(ask.refund_id)
    else:
        yield e.RefundFailed(ask.refund_id, sealed(ask.note))


def settle_notice(s: DecisionContext, ask: ConfirmNotice | FailNotice) -> Events:
    """Record that a notice was delivered or failed. The notice may be recorded or derived from the history."""
    if not has_notice(s.order, ask.notice_id):
        yield from s.no("no-such-notice", f"There is no notice {ask.notice_id}.", fact("notice_id", ask.notice_id))
    elif isinstance(ask, ConfirmNotice):
        yield e.ConfirmationDelivered(ask.notice_id)
    else:
        yield e.NoticeFailed(ask.notice_id)
