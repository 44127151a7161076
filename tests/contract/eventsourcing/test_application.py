"""The library's own suites of applications, unchanged, on every journal."""

import pytest
from eventsourcing.tests import application as suite

from tests.contract.eventsourcing.journals import Memory, OnAJournal, Sqlite

# One of the suite's cases looks at a warning; the house makes errors of warnings.
pytestmark = pytest.mark.filterwarnings("always:'log' is deprecated:DeprecationWarning")


class _Example(OnAJournal, suite.ExampleApplicationTestCase):
    expected_factory_topic = "infra.eventsourcing_journal.factory:JournalFactory"

    def setUp(self) -> None:
        self.environment()


class TestExampleApplicationInMemory(Memory, _Example):
    pass


class TestExampleApplicationOnSqlite(Sqlite, _Example):
    pass


class _Application(OnAJournal, suite.ApplicationTestCase):
    def setUp(self) -> None:
        self.environment()


class TestApplicationInMemory(Memory, _Application):
    pass


class TestApplicationOnSqlite(Sqlite, _Application):
    pass
