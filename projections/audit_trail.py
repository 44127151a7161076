"""Every event as a row, refusals included; and the messages between the parties, without their text."""

from collections.abc import Iterator

from domain.events import MessageSent, PolicyPublished
from projections.changes import CommitView, EventView, Fact
from projections.tables import AUDIT_TRAIL, MESSAGES, POLICIES


def audit_trail(view: CommitView) -> Iterator[Fact]:
    """A row for each event of the commit."""
    commit = view.commit.hex()
    for version, at in enumerate(view.events, view.version):
        yield Fact(
            AUDIT_TRAIL,
            (
                view.partition,
                at.position,
                view.marketplace,
                view.order_id,
                view.ordinal,
                version,
                at.name,
                at.occurred_at,
                view.recorded_at,
                view.actor_kind,
                view.actor_id,
                commit,
                at.data,
            ),
        )


def message_sent(view: CommitView, at: EventView) -> Iterator[Fact]:
    event = at.event
    assert isinstance(event, MessageSent)
    yield Fact(
        MESSAGES,
        (
            view.partition,
            at.position,
            view.marketplace,
            view.order_id,
            event.message_id,
            view.actor_kind,
            view.actor_id,
            event.to,
            event.about,
            at.occurred_at,
            view.recorded_at,
            event.text.commitment.hex(),
            event.text.reference,
        ),
    )


def policy_published(view: CommitView, at: EventView) -> Iterator[Fact]:
    """From the control log."""
    event = at.event
    assert isinstance(event, PolicyPublished)
    yield Fact(
        POLICIES,
        (
            event.id,
            event.version,
            event.sha256.hex(),
            event.document,
            view.recorded_at,
            view.actor_id,
            at.position,
        ),
    )
