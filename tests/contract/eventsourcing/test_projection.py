"""The library's own suites of projections, unchanged, on every journal.

Two of its cases are not claimed, and so not here: ``TaggedDecisionCountersProjectionTestCase`` is about dynamic
consistency boundaries, which no journal of ours has (docs/reference/eventsourcing-module.md).
"""

from eventsourcing.persistence import StoredEvent, Tracking
from eventsourcing.tests import projection as suite

from infra.eventsourcing_journal import JournalAggregateRecorder, JournalTrackingRecorder
from tests.contract.eventsourcing.journals import Memory, OnAJournal, Sqlite


class EventCounters(JournalTrackingRecorder, suite.EventCountersView):
    """Counts events, each count in the same commit as the tracking of the event that it counts."""

    def get_created_event_counter(self) -> int:
        return self._counted("created")

    def get_subsequent_event_counter(self) -> int:
        return self._counted("subsequent")

    def incr_created_event_counter(self, tracking: Tracking) -> None:
        self._count("created", tracking)

    def incr_subsequent_event_counter(self, tracking: Tracking) -> None:
        self._count("subsequent", tracking)

    def _counted(self, what: str) -> int:
        last = JournalAggregateRecorder(self.lease).select_events(what, desc=True, limit=1)
        return last[0].originator_version if last else 0

    def _count(self, what: str, tracking: Tracking) -> None:
        self.insert_tracking_with(tracking, [StoredEvent(what, self._counted(what) + 1, "counted", b"")])


class _View(OnAJournal, suite.EventCountersViewTestCase):
    def construct_event_counters_view(self) -> suite.EventCountersView:
        view = self.open_factory().tracking_recorder(EventCounters)
        assert isinstance(view, EventCounters)
        return view


class TestEventCountersViewInMemory(Memory, _View):
    pass


class TestEventCountersViewOnSqlite(Sqlite, _View):
    pass


class _Projection(OnAJournal, suite.AggregateEventCountersProjectionTestCase):
    view_class = EventCounters

    def setUp(self) -> None:
        self.environment()


class TestProjectionInMemory(Memory, _Projection):
    pass


class TestProjectionOnSqlite(Sqlite, _Projection):
    pass


class _EventSourcedProjection(OnAJournal, suite.EventSourcedProjectionTestCase):
    def setUp(self) -> None:
        self.environment()


class TestEventSourcedProjectionInMemory(Memory, _EventSourcedProjection):
    pass


class TestEventSourcedProjectionOnSqlite(Sqlite, _EventSourcedProjection):
    pass
