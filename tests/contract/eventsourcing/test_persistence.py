"""The library's own suites of recorders and factories, unchanged, on every journal, for UUIDs and for strings."""

from uuid import UUID, uuid4

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    ProcessRecorder,
    TrackingRecorder,
)
from eventsourcing.tests import persistence as suite
from eventsourcing.utils import Environment

from infra.eventsourcing_journal import (
    Factory,
    JournalAggregateRecorder,
    JournalApplicationRecorder,
    JournalProcessRecorder,
    JournalTrackingRecorder,
)
from tests.contract.eventsourcing.journals import Memory, OnAJournal, Sqlite


class _Strings(suite.RecorderTestCase):
    """Aggregates that are named by text."""

    def new_originator_id(self) -> UUID | str:
        return f"customer/{uuid4()}"


# ---- aggregates ------------------------------------------------------------------------------------------------------


class _AggregateRecorder(OnAJournal, suite.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.open_factory().aggregate_recorder()


class TestAggregateRecorderInMemory(Memory, _AggregateRecorder):
    pass


class TestAggregateRecorderOnSqlite(Sqlite, _AggregateRecorder):
    pass


class TestAggregateRecorderOfStringsOnSqlite(_Strings, Sqlite, _AggregateRecorder):
    pass


class _SnapshotRecorder(OnAJournal, suite.AggregateRecorderTestCase):
    """Snapshots are not in the event sequence and need not follow one another, but fit the same suite."""

    def create_recorder(self) -> AggregateRecorder:
        return self.open_factory().aggregate_recorder(purpose="snapshots")


class TestSnapshotRecorderInMemory(Memory, _SnapshotRecorder):
    pass


class TestSnapshotRecorderOnSqlite(Sqlite, _SnapshotRecorder):
    pass


# ---- applications ----------------------------------------------------------------------------------------------------


class _ApplicationRecorder(OnAJournal, suite.ApplicationRecorderTestCase[ApplicationRecorder]):
    def create_recorder(self) -> ApplicationRecorder:
        return self.open_factory().application_recorder()

    def test_insert_subscribe(self) -> None:
        """The library leaves this one to those who claim subscriptions."""
        self.optional_test_insert_subscribe()


class TestApplicationRecorderInMemory(Memory, _ApplicationRecorder):
    pass


class TestApplicationRecorderOnSqlite(Sqlite, _ApplicationRecorder):
    pass


class TestApplicationRecorderOfStringsOnSqlite(_Strings, Sqlite, _ApplicationRecorder):
    pass


class _NotificationIds(OnAJournal, suite.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> ApplicationRecorder:
        return self.open_factory().application_recorder()


class TestNotificationIdsDoNotInterleaveInMemory(Memory, _NotificationIds):
    pass


class TestNotificationIdsDoNotInterleaveOnSqlite(Sqlite, _NotificationIds):
    pass


# ---- tracking and processes ------------------------------------------------------------------------------------------


class _TrackingRecorder(OnAJournal, suite.TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        return self.open_factory().tracking_recorder()


class TestTrackingRecorderInMemory(Memory, _TrackingRecorder):
    pass


class TestTrackingRecorderOnSqlite(Sqlite, _TrackingRecorder):
    pass


class _ProcessRecorder(OnAJournal, suite.ProcessRecorderTestCase):
    def create_recorder(self) -> ProcessRecorder:
        return self.open_factory().process_recorder()


class TestProcessRecorderInMemory(Memory, _ProcessRecorder):
    pass


class TestProcessRecorderOnSqlite(Sqlite, _ProcessRecorder):
    pass


class TestProcessRecorderOfStringsOnSqlite(_Strings, Sqlite, _ProcessRecorder):
    pass


# ---- factories -------------------------------------------------------------------------------------------------------


class OwnTrackingRecorder(JournalTrackingRecorder):
    """A view's own recorder, named by its topic in the suite."""


class _Factory(OnAJournal, suite.InfrastructureFactoryTestCase[Factory]):
    def setUp(self) -> None:
        self.env = Environment("TestCase", self.environment())
        super().setUp()

    def expected_factory_class(self) -> type[Factory]:
        return Factory

    def expected_aggregate_recorder_class(self) -> type[AggregateRecorder]:
        return JournalAggregateRecorder

    def expected_application_recorder_class(self) -> type[ApplicationRecorder]:
        return JournalApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[TrackingRecorder]:
        return JournalTrackingRecorder

    def tracking_recorder_subclass(self) -> type[TrackingRecorder]:
        return OwnTrackingRecorder

    def expected_process_recorder_class(self) -> type[ProcessRecorder]:
        return JournalProcessRecorder


class TestFactoryInMemory(Memory, _Factory):
    pass


class TestFactoryOnSqlite(Sqlite, _Factory):
    pass
