"""rescind's own applications of the `eventsourcing` library: one per partition, ``rescind-00``, ``rescind-01``, …

Repository, notification log, subscriptions and projections are the library's. States and events are the domain's.
Events are stored as the engine stores them: name table, Avro bodies, the commit's envelope. So library and engine read
each other's history, and a commit saved here has the same bytes as one of the engine's. Commands go to the pipelined
``submit`` of the engine; ``save`` writes events that were decided elsewhere.

Versions count an order's events from 1, as the library does: the event with version *n* is the *n*-th, and
``Order.version`` is the version of the last. The notification with id *n* is the event at position *n - 1*.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import InfrastructureFactory, Mapper, Notification, ProgrammingError, StoredEvent
from eventsourcing.utils import Environment, EnvType

from consumers.engine.outcome import Outcome
from consumers.log.commit_codec import stamp_of, unwritten
from domain.commands import Command
from domain.events import Event
from domain.folding import apply
from domain.instants import Instant
from domain.order import Order, Stamp
from infra.eventsourcing_journal.drafts import Envelope
from infra.eventsourcing_journal.engine_store import EngineStore
from infra.eventsourcing_journal.factory import JournalFactory
from infra.eventsourcing_journal.recorders import JournalApplicationRecorder, Stored
from infra.eventsourcing_journal.store import Lease
from infra.vault.vault_first_journal import VaultFirstJournal
from schemas.codec import decode_event, encode_event
from schemas.commit import ActorEntry

if TYPE_CHECKING:
    from infra.app import App

TOPIC: Final = "journal"


class Submits(Protocol):
    """Takes commands: the engine does."""

    def submit(self, command: Command, *, expected_version: int | None = None) -> Future[Outcome]: ...


# ---- events, as the library sees them ------------------------------------------------------------------------------


@dataclass(slots=True)
class OrderEvent:
    """One event of an order's history: its stream (``marketplace/order_id``), its version, and its commit's stamp."""

    originator_id: str
    originator_version: int
    event: Event
    occurred_at: Instant
    stamp: Stamp


@dataclass(frozen=True)
class RecordedEvent(StoredEvent):
    """A stored event, with values for which the library's own has no field. ``topic`` is the stored name, ``state`` is
    Avro."""

    schema_version: int
    occurred_at: Instant
    stamp: Stamp


@dataclass(frozen=True)
class RecordedNotification(Notification):
    """A notification of the library, with the values of a ``RecordedEvent``."""

    schema_version: int
    occurred_at: Instant
    stamp: Stamp


class OrderMapper(Mapper[str]):
    """Maps events to stored events and back, by the name table and their contracts. It neither compresses nor encrypts:
    the bytes are the journal's."""

    def __init__(self) -> None:
        """Take no transcoder: codecs are compiled from the contracts."""

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> RecordedEvent:
        assert isinstance(domain_event, OrderEvent), f"{domain_event!r} is no event of an order"
        name, schema_version, body = encode_event(domain_event.event)
        return RecordedEvent(
            domain_event.originator_id,
            domain_event.originator_version,
            name,
            body,
            schema_version,
            domain_event.occurred_at,
            domain_event.stamp,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> OrderEvent:
        """Decode an event; Undecodable if this release cannot read it."""
        assert isinstance(stored_event, RecordedEvent | RecordedNotification)
        return OrderEvent(
            str(stored_event.originator_id),
            stored_event.originator_version,
            decode_event(stored_event.topic, stored_event.schema_version, stored_event.state),
            stored_event.occurred_at,
            stored_event.stamp,
        )


# ---- states ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class HeldOrder:
    """An order as the library's repository holds it."""

    id: str
    order: Order

    @property
    def version(self) -> int:
        """The version of the last event."""
        return self.order.version


def fold_order(held: HeldOrder | None, events: Iterable[OrderEvent]) -> HeldOrder | None:
    """Return the state after these events, by ``domain.folding.apply``. The repository's projector."""
    for each in events:
        if held is None:
            held = HeldOrder(each.originator_id, unwritten(each.originator_id))
        apply(held.order, each.event, each.occurred_at, each.stamp)
    return held


# ---- storing ---------------------------------------------------------------------------------------------------------


class OrderRecorder(JournalApplicationRecorder):
    """Records orders' streams under their own names, with their commits' envelopes."""

    numbered_from = 1

    def stream(self, originator_id: UUID | str) -> str:
        return str(originator_id)

    def stored_event(self, stored: Stored) -> RecordedEvent:
        entry = stored.entry
        return RecordedEvent(
            stored.stream,
            stored.number + self.numbered_from,
            entry.name,
            entry.body,
            entry.schema_version,
            entry.occurred_at,
            stamp_of(stored.admitted.commit),
        )

    def notification(self, stored: Stored) -> RecordedNotification:
        event = self.stored_event(stored)
        return RecordedNotification(**vars(event), id=stored.position + 1)

    def envelope(self, stored_events: Sequence[StoredEvent], kwargs: Mapping[str, Any]) -> Envelope:
        """Make the envelope from the events' stamp, and from the keywords ``command_id``, ``correlation_id`` and
        ``writer`` of ``save``."""
        stamps = [event.stamp for event in stored_events if isinstance(event, RecordedEvent)]
        stamp = stamps[0]
        if any(each != stamp for each in stamps):
            raise ProgrammingError(
                "one commit has one stamp: save events that were recorded at different times one by one"
            )
        return Envelope(
            command_id=kwargs.get("command_id"),
            command_fingerprint=stamp.fingerprint,
            actor=ActorEntry(stamp.actor_kind, stamp.actor_id),
            correlation_id=kwargs.get("correlation_id"),
            recorded_at=stamp.recorded_at,
            writer=kwargs.get("writer"),
        )


class OrderFactory(JournalFactory):
    """Makes recorders on the journal of orders, which must exist: a new one begins with the engine's control log."""

    CREATE = None

    aggregate_recorder_class = OrderRecorder
    application_recorder_class = OrderRecorder

    def is_snapshotting_enabled(self) -> bool:
        """Return False: orders are short, and a snapshot would be a second source of truth."""
        return False


# ---- the application -------------------------------------------------------------------------------------------------


class RescindApplication(Application[str]):
    """The orders of one partition. ``application_of`` makes the class of each; the library's runners take classes."""

    name = "rescind"
    partition: ClassVar[int] = 0
    hosted: ClassVar[Lease | None] = None
    engine: ClassVar[Submits | None] = None

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Name the journal by ``JOURNAL_URL``, or else ``RESCIND_JOURNAL``. Topic and partition are set here."""
        found = super().construct_env(name, env)
        if "RESCIND_JOURNAL" in found:
            found.setdefault("JOURNAL_URL", found["RESCIND_JOURNAL"])
        found.update(JOURNAL_TOPIC=TOPIC, JOURNAL_PARTITION=str(self.partition))
        return found

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        return OrderFactory(env, None if self.hosted is None else self.hosted.another())

    def construct_mapper(self) -> OrderMapper:
        return OrderMapper()

    def order(self, stream: str, version: int | None = None) -> Order:
        """Return the order ``marketplace/order_id``, as of a version if one is named; AggregateNotFoundError."""
        held: HeldOrder = self.repository.get(stream, version=version, projector_func=fold_order)
        return held.order

    def submit(self, command: Command, *, expected_version: int | None = None) -> Future[Outcome]:
        """Have the engine decide a command (``consumers.engine.engine.Engine.submit``)."""
        if self.engine is None:
            raise ProgrammingError(
                "this application has no engine: it reads, and saves events that were decided elsewhere"
            )
        return self.engine.submit(command, expected_version=expected_version)


def application_of(
    partition: int, *, hosted: Lease | None = None, engine: Submits | None = None
) -> type[RescindApplication]:
    """Make the application class of a partition. ``hosted``: the store of the engine in this process
    (``EngineStore.lease``); without it the application follows the partition by itself."""
    name = f"rescind-{partition:02}"
    return type(
        "RescindApplication",
        (RescindApplication,),
        {"name": name, "partition": partition, "hosted": hosted, "engine": engine},
    )


def applications_in(app: "App") -> dict[int, type[RescindApplication]]:
    """Make the applications of the partitions that this process's engine follows, on its followers, by partition."""
    journal = VaultFirstJournal(app.journal, app.vault)
    return {
        partition: application_of(
            partition,
            hosted=EngineStore(app.engine, journal, partition, f"rescind-{partition:02}").lease(),
            engine=app.engine,
        )
        for partition in app.engine.followers
    }


def order_events(stream: str, version: int, events: Iterable[tuple[Event, Instant]], stamp: Stamp) -> list[OrderEvent]:
    """Convert decided events for ``save``. ``version``: the order's before them."""
    return [
        OrderEvent(stream, number, event, occurred_at, stamp)
        for number, (event, occurred_at) in enumerate(events, version + 1)
    ]
