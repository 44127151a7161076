"""The library's own suites, unchanged, on a real broker: each that is run on a file is run here, by name.

``test_claims`` compares the list with the library's suites.
"""

from unittest import TestCase

import pytest

from tests.broker.fixtures import SECOND_GROUP
from tests.contract.eventsourcing import test_application as application
from tests.contract.eventsourcing import test_persistence as persistence
from tests.contract.eventsourcing import test_projection as projection
from tests.contract.eventsourcing.journals import OnKafka

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(SECOND_GROUP), application.pytestmark]


class TestAggregateRecorderOnKafka(OnKafka, persistence._AggregateRecorder):
    pass


class TestSnapshotRecorderOnKafka(OnKafka, persistence._SnapshotRecorder):
    pass


class TestApplicationRecorderOnKafka(OnKafka, persistence._ApplicationRecorder):
    pass


class TestApplicationRecorderOfStringsOnKafka(persistence._Strings, OnKafka, persistence._ApplicationRecorder):
    pass


class TestNotificationIdsDoNotInterleaveOnKafka(OnKafka, persistence._NotificationIds):
    pass


class TestTrackingRecorderOnKafka(OnKafka, persistence._TrackingRecorder):
    pass


class TestProcessRecorderOnKafka(OnKafka, persistence._ProcessRecorder):
    pass


class TestFactoryOnKafka(OnKafka, persistence._Factory):
    pass


class TestExampleApplicationOnKafka(OnKafka, application._Example):
    pass


class TestApplicationOnKafka(OnKafka, application._Application):
    pass


class TestEventCountersViewOnKafka(OnKafka, projection._View):
    pass


class TestProjectionOnKafka(OnKafka, projection._Projection):
    pass


class TestEventSourcedProjectionOnKafka(OnKafka, projection._EventSourcedProjection):
    pass


def test_every_suite_that_is_run_on_a_file_is_run_on_a_broker_too() -> None:
    def suites(journal: str, *modules: object) -> set[str]:
        found = (name for module in modules for name, each in vars(module).items() if isinstance(each, type))
        return {name.removesuffix(journal) for name in found if name.startswith("Test") and name.endswith(journal)}

    here = {
        name.removesuffix("OnKafka") for name, each in globals().items() if name.endswith("OnKafka") and is_case(each)
    }
    there = suites("OnSqlite", persistence, application, projection)
    assert there - here == {"TestAggregateRecorderOfStrings", "TestProcessRecorderOfStrings"}  # covered by two others
    assert here <= there


def is_case(each: object) -> bool:
    return isinstance(each, type) and issubclass(each, TestCase) and each is not OnKafka
