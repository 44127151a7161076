"""rescind's own applications: the library and the engine write the same bytes, and each reads the other's history."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import pytest
from eventsourcing.application import AggregateNotFoundError, ProcessingEvent
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import IntegrityError, OperationalError, ProgrammingError, StoredEvent, Tracking
from eventsourcing.projection import (
    ApplicationSubscription,
    EventSourcedProjection,
    EventSourcedProjectionRunner,
    Projection,
    ProjectionRunner,
)

from consumers.engine.outcome import Outcome
from consumers.log.commit_codec import events_of, stamp_of
from consumers.ports.log_values import Admitted
from domain.commands import parse_command
from domain.events import PaymentReceived, RefundDue
from domain.order import Order, Stamp
from infra.app import App, AppOptions, open_app
from infra.application import (
    OrderEvent,
    OrderRecorder,
    RecordedEvent,
    RescindApplication,
    application_of,
    applications_in,
    order_events,
)
from infra.eventsourcing_journal import JournalAggregateRecorder, JournalTrackingRecorder
from infra.eventsourcing_journal.partition_store import PartitionStore
from infra.eventsourcing_journal.store import Lease
from infra.journals.memory import MemoryLog
from infra.local_state import memory_local_state
from infra.settings import Settings
from schemas.codec import Undecodable
from schemas.partitioning import partition_of

PARTITIONS = 2
SECONDS = 20
ORDERS = [f"acme/PO-{number}" for number in range(6)]


def given(stream: str, id: str, name: str, by: tuple[str, str], **fields: object) -> dict[str, object]:
    marketplace, order_id = stream.split("/")
    actor = {"kind": by[0], "id": by[1]}
    common = {"command": name, "command_id": id, "marketplace": marketplace, "order_id": order_id, "actor": actor}
    return {**common, **fields}


def history(stream: str) -> list[dict[str, object]]:
    """An order of 10: 3 of it are shipped, so the rest is cancelled; another notice and a request are refused."""
    system, seller, buyer = ("system", "checkout"), ("seller", "s-3"), ("buyer", "b-7")
    lines = [{"line": 1, "sku": "A-1", "title": "Lamp", "quantity": 10, "unit_price": "10.00"}]
    placed = {"buyer_id": "b-7", "seller_id": "s-3", "currency": "USD", "policy": "seller-portal", "lines": lines}
    few, more = [{"line": 1, "quantity": 3}], [{"line": 1, "quantity": 1}]
    return [
        given(stream, "c1", "PlaceOrder", system, **placed, correlation_id="checkout-9"),
        given(stream, "c2", "Ship", seller, shipment_id="n-1", lines=few, carrier="UPS", tracking_number="1Z"),
        given(stream, "c3", "Ship", seller, shipment_id="n-2", lines=more, carrier="UPS", tracking_number="1Y"),
        given(stream, "c4", "RequestCancel", buyer, request_id="r-1"),
    ]


def submitted(app: App, commands: Sequence[dict[str, object]]) -> list[Outcome]:
    futures = [app.engine.submit(parse_command(command)) for command in commands]
    return [future.result(SECONDS) for future in futures]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """An engine on a journal of two partitions, with a few orders."""
    with open_app(Settings(journal=f"sqlite:///{tmp_path}?partitions={PARTITIONS}"), AppOptions(views=False)) as opened:
        outcomes = submitted(opened, [command for stream in ORDERS for command in history(stream)])
        assert [outcome.kind for outcome in outcomes] == ["accepted", "accepted", "refused", "refused"] * len(ORDERS)
        yield opened


@pytest.fixture
def hosted(app: App) -> Iterator[dict[int, RescindApplication]]:
    """The applications in the engine's process."""
    applications = {partition: made() for partition, made in applications_in(app).items()}
    yield applications
    for each in applications.values():
        each.close()


@pytest.fixture
def separate(app: App, tmp_path: Path) -> Iterator[dict[int, RescindApplication]]:
    """Applications that follow the log by themselves, as in a process without an engine."""
    env = {"JOURNAL_URL": f"sqlite:///{tmp_path}"}
    applications = {partition: application_of(partition)(env) for partition in range(PARTITIONS)}
    yield applications
    for each in applications.values():
        each.close()


def home(applications: dict[int, RescindApplication], stream: str) -> RescindApplication:
    return applications[partition_of(stream, PARTITIONS)]


def folded(app: App, stream: str) -> Order:
    """The order as the engine has it, folded from the log again."""
    order = app.ask(lambda engine: engine.orders.load(partition_of(stream, PARTITIONS), stream).order)
    assert order is not None
    return order


def lent(store: PartitionStore) -> Lease:
    return Lease(store, lambda: lent(store), lambda: None)


def commits(app: App, partition: int) -> list[Admitted]:
    return app.ask(lambda engine: list(engine.followers[partition].state.commits()))


# ---- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["hosted", "separate"])
def test_an_order_loaded_by_the_library_is_the_order_that_the_engine_folds(
    app: App, where: str, request: pytest.FixtureRequest
) -> None:
    applications: dict[int, RescindApplication] = request.getfixturevalue(where)
    for stream in ORDERS:
        order = home(applications, stream).order(stream)
        assert order == folded(app, stream)
        assert (order.lines[1].shipped, order.lines[1].canceled) == (3, 7)


def test_every_earlier_version_of_an_order_can_be_loaded(app: App, hosted: dict[int, RescindApplication]) -> None:
    stream = ORDERS[0]
    last = folded(app, stream).version
    for version in range(1, last + 1):
        assert home(hosted, stream).order(stream, version).version == version
    assert home(hosted, stream).order(stream, 2).lines[1].open == 10
    with pytest.raises(AggregateNotFoundError):
        home(hosted, "acme/nobody").order("acme/nobody")


@pytest.mark.parametrize("where", ["hosted", "separate"])
def test_notification_ids_are_event_positions_counted_from_one(
    app: App, where: str, request: pytest.FixtureRequest
) -> None:
    applications: dict[int, RescindApplication] = request.getfixturevalue(where)
    for partition, application in applications.items():
        notifications = application.recorder.select_notifications(None, 1000)
        written = [
            (admitted.position + place + 1, part.stream, entry.name, entry.body)
            for admitted in commits(app, partition)
            for part in admitted.commit.streams
            for place, entry in enumerate(part.events)
        ]
        assert [(each.id, each.originator_id, each.topic, each.state) for each in notifications] == written
        assert [each.id for each in notifications] == list(range(1, len(notifications) + 1))
        assert application.recorder.max_notification_id() == len(notifications)
        section = application.notification_log["1,10"]
        assert [each.id for each in section.items] == list(range(1, 11))


@pytest.mark.parametrize("where", ["hosted", "separate"])
def test_a_subscription_receives_the_engines_events(app: App, where: str, request: pytest.FixtureRequest) -> None:
    applications: dict[int, RescindApplication] = request.getfixturevalue(where)
    stream = "acme/PO-new"
    application = home(applications, stream)
    known = application.recorder.max_notification_id()
    with ApplicationSubscription(application, gt=known, topics=["RefundDue"]) as subscription:
        submitted(app, history(stream))
        happened, tracking = next(subscription)
    assert isinstance(happened, OrderEvent)
    assert isinstance(happened.event, RefundDue)
    assert (happened.originator_id, happened.originator_version) == (stream, 5)
    assert happened.stamp == Stamp(happened.stamp.recorded_at, "seller", "s-3", happened.stamp.fingerprint)
    assert tracking.application_name == application.name
    assert folded(app, stream).recorded_at >= happened.occurred_at


def test_an_event_that_this_release_cannot_read_is_an_error_and_not_skipped(app: App) -> None:
    class Newer(OrderRecorder):
        def stored_event(self, stored: object) -> RecordedEvent:
            event = super().stored_event(stored)  # type: ignore[arg-type]
            return RecordedEvent(**{**vars(event), "schema_version": 99})

    stream = ORDERS[0]
    application = applications_in(app)[partition_of(stream, PARTITIONS)]()
    application.events.recorder = Newer(application.recorder.lease)  # type: ignore[attr-defined]
    with pytest.raises(Undecodable, match="OrderPlaced version 99"):
        application.order(stream)


# ---- writing ---------------------------------------------------------------------------------------------------------


def test_the_library_writes_the_very_bytes_that_the_engine_wrote(app: App) -> None:
    for partition in range(PARTITIONS):
        log = MemoryLog(PARTITIONS, lambda: 1_000_000)
        store = PartitionStore(log.journal(), partition, memory_local_state(partition, PARTITIONS), "anybody")
        with application_of(partition, hosted=lent(store))() as application:
            ours = [each for each in commits(app, partition) if each.commit.streams[0].events]
            for admitted in ours:
                commit, part = admitted.commit, admitted.commit.streams[0]
                application.save(
                    *order_events(part.stream, part.first_event, events_of(part), stamp_of(commit)),
                    command_id=commit.command_id,
                    correlation_id=commit.correlation_id,
                    writer=commit.writer,
                )
            theirs = store.read(lambda state: list(state.commits()))
        assert [each.data for each in theirs] == [each.data for each in ours]
        assert [each.position for each in theirs] == [each.position for each in ours]
        store.close()


@pytest.mark.parametrize("where", ["hosted", "separate"])
def test_the_engine_continues_after_events_that_the_library_saved(
    app: App, where: str, request: pytest.FixtureRequest
) -> None:
    applications: dict[int, RescindApplication] = request.getfixturevalue(where)
    stream = "acme/PO-both"
    application = home(applications, stream)
    place, ship, *_ = history(stream)
    assert submitted(app, [{**place, "paid": False}])[0].kind == "accepted"
    order = application.order(stream)
    paid = Stamp(order.recorded_at + 1, "system", "bank", bytes(32))
    payment = order_events(stream, order.version, [(PaymentReceived(10_000), paid.recorded_at)], paid)
    recorded = application.save(*payment, command_id="bank-1")
    assert recorded[0].notification.id == application.recorder.max_notification_id()
    with pytest.raises(IntegrityError):
        application.save(*payment, command_id="bank-2")
    shipped = submitted(app, [ship])[0]
    assert shipped.kind == "accepted"
    assert shipped.order is not None
    assert shipped.order.paid == 10_000
    assert shipped.order == application.order(stream)


def test_events_recorded_at_different_times_cannot_be_one_commit(hosted: dict[int, RescindApplication]) -> None:
    stream = ORDERS[0]
    application = home(hosted, stream)
    order = application.order(stream)
    events = [
        *order_events(stream, order.version, [(PaymentReceived(1), 1)], Stamp(1, "system", "bank")),
        *order_events(stream, order.version + 1, [(PaymentReceived(1), 2)], Stamp(2, "system", "bank")),
    ]
    with pytest.raises(ProgrammingError, match="one stamp"):
        application.save(*events)


def test_commands_go_to_the_engine_in_the_same_process(app: App, hosted: dict[int, RescindApplication]) -> None:
    stream = "acme/PO-submitted"
    outcome = home(hosted, stream).submit(parse_command(history(stream)[0])).result(SECONDS)
    assert outcome.kind == "accepted"
    assert outcome.order == home(hosted, stream).order(stream) == folded(app, stream)


def test_an_application_without_an_engine_takes_no_commands(separate: dict[int, RescindApplication]) -> None:
    with pytest.raises(ProgrammingError, match="no engine"):
        separate[0].submit(parse_command(history(ORDERS[0])[0]))


def test_an_application_whose_engine_has_closed_reports_it(app: App, hosted: dict[int, RescindApplication]) -> None:
    stream = ORDERS[0]
    application = home(hosted, stream)
    order = application.order(stream)
    stamp = Stamp(order.recorded_at + 1, "system", "bank")
    app.close()
    with pytest.raises(OperationalError, match="closed"):
        application.order(stream)
    with pytest.raises(OperationalError, match="closed"):
        application.save(*order_events(stream, order.version, [(PaymentReceived(1), stamp.recorded_at)], stamp))


def test_applications_are_named_after_their_partition(hosted: dict[int, RescindApplication]) -> None:
    assert [each.name for each in hosted.values()] == ["rescind-00", "rescind-01"]


# ---- projections -----------------------------------------------------------------------------------------------------


class RefundsView(JournalTrackingRecorder):
    """How many refunds fell due, and how much money that is; each in the same commit as its tracking."""

    def refunds(self) -> tuple[int, int]:
        last = JournalAggregateRecorder(self.lease).select_events("refunds", desc=True, limit=1)
        return (last[0].originator_version, int(last[0].state)) if last else (0, 0)

    def add(self, amount: int, tracking: Tracking) -> None:
        count, total = self.refunds()
        self.insert_tracking_with(tracking, [StoredEvent("refunds", count + 1, "counted", b"%d" % (total + amount))])


class Refunds(Projection[RefundsView]):
    name = "refunds"
    topics = ("RefundDue",)

    @singledispatchmethod
    def process_event(self, domain_event: OrderEvent, tracking: Tracking) -> None:
        assert isinstance(domain_event.event, RefundDue)
        self.view.add(domain_event.event.amount, tracking)


class Ledger(Aggregate):
    """Sums the refunds of one seller's orders."""

    def __init__(self, seller: str) -> None:
        self.seller = seller
        self.refunded = 0

    @staticmethod
    def create_id(seller: str) -> UUID:
        return uuid5(NAMESPACE_URL, f"/ledgers/{seller}")

    @event("Entered")
    def enter(self, amount: int) -> None:
        self.refunded += amount


class Ledgers(EventSourcedProjection[UUID]):
    """A process of the library's: orders' refunds become events of ledgers."""

    name = "ledgers"
    topics = ("RefundDue",)

    @singledispatchmethod
    def policy(self, domain_event: OrderEvent, processing_event: ProcessingEvent[UUID]) -> None:
        assert isinstance(domain_event.event, RefundDue)
        ledger = self.ledger("s-3") or Ledger("s-3")
        ledger.enter(domain_event.event.amount)
        processing_event.collect_events(ledger)

    def ledger(self, seller: str) -> Ledger | None:
        try:
            found: Ledger = self.repository.get(Ledger.create_id(seller))
        except AggregateNotFoundError:
            return None
        return found


def refunds_of(application: RescindApplication) -> list[int]:
    """Ids of the notifications of refunds."""
    return [each.id for each in application.recorder.select_notifications(None, 1000, topics=["RefundDue"])]


@pytest.fixture
def views() -> dict[str, str]:
    """The storage of the projections."""
    return {"PERSISTENCE_MODULE": "infra.eventsourcing_journal", "JOURNAL_URL": f"memory:{uuid4()}"}


def test_a_projection_of_the_librarys_counts_refunds(
    app: App, hosted: dict[int, RescindApplication], views: dict[str, str]
) -> None:
    classes = applications_in(app)
    for partition, application in hosted.items():
        there = [stream for stream in ORDERS if partition_of(stream, PARTITIONS) == partition]
        env = {**views, "JOURNAL_TOPIC": f"refunds-{partition}"}
        with ProjectionRunner(
            application_class=classes[partition], projection_class=Refunds, view_class=RefundsView, env=env
        ) as runner:
            runner.wait(refunds_of(application)[-1], timeout=SECONDS)
            assert runner.projection.view.refunds() == (len(there), 7_000 * len(there))
            late = next(f"acme/late-{n}" for n in range(99) if partition_of(f"acme/late-{n}", PARTITIONS) == partition)
            submitted(app, history(late))
            runner.wait(refunds_of(application)[-1], timeout=SECONDS)
            assert runner.projection.view.refunds() == (len(there) + 1, 7_000 * (len(there) + 1))


def test_a_process_of_the_librarys_writes_ledgers_from_orders(
    app: App, hosted: dict[int, RescindApplication], views: dict[str, str]
) -> None:
    partition = partition_of(ORDERS[0], PARTITIONS)
    there = [stream for stream in ORDERS if partition_of(stream, PARTITIONS) == partition]
    with EventSourcedProjectionRunner(
        application_class=applications_in(app)[partition], projection_class=Ledgers, env=views
    ) as runner:
        runner.wait(refunds_of(hosted[partition])[-1], timeout=SECONDS)
        ledger = runner.projection.ledger("s-3")
        assert ledger is not None
        assert ledger.refunded == 7_000 * len(there)
