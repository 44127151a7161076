"""Every event as a row, refusals included; and the messages between the parties, without their text."""

from collections.abc import Iterator

from domain.events import MessageSent, PolicyPublished
from projections.changes import CommitView, EventView, Fact
from projections.tables import AUDIT_TRAIL, MESSAGES, POLICIES


def audit_trail(told: CommitView) -> Iterator[Fact]:
    """A row for each event of the commit."""
    commit = told.commit.hex()
    for version, at in enumerate(told.events, told.version):
        yield Fact(
            AUDIT_TRAIL,
            (
                told.partition,
                at.position,
                told.marketplace,
                told.order_id,
                told.ordinal,
                version,
                at.name,
                at.occurred_at,
                told.recorded_at,
                told.actor_kind,
                told.actor_id,
                commit,
                at.data,
            ),
        )


def message_sent(told: CommitView, at: EventView) -> Iterator[Fact]:
    event = at.event
    assert isinstance(event, MessageSent)
    yield Fact(
        MESSAGES,
        (
            told.partition,
            at.position,
            told.marketplace,
            told.order_id,
            event.message_id,
            told.actor_kind,
            told.actor_id,
            event.to,
            event.about,
            at.occurred_at,
            told.recorded_at,
            event.text.commitment.hex(),
            event.text.reference,
        ),
    )


def policy_published(told: CommitView, at: EventView) -> Iterator[Fact]:
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
            told.recorded_at,
            told.actor_id,
            at.position,
        ),
    )
