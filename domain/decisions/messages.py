"""Messages, contacts, and reports about notices: facts that are recorded without a rule."""

from domain import events as e
from domain.commands import ConfirmNotice, FailNotice, RecordContact, SendMessage
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


def settle_notice(s: DecisionContext, ask: ConfirmNotice | FailNotice) -> Events:
    """Record that a notice was delivered or failed. The notice may be recorded or derived from the history."""
    if not has_notice(s.order, ask.notice_id):
        yield from s.no("no-such-notice", f"There is no notice {ask.notice_id}.", fact("notice_id", ask.notice_id))
    elif isinstance(ask, ConfirmNotice):
        yield e.ConfirmationDelivered(ask.notice_id)
    else:
        yield e.NoticeFailed(ask.notice_id)
