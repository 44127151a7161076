"""The journals that the library's suites run on: each test gets one of its own, as the environment names it."""

import os
import shutil
import tempfile
from abc import ABCMeta, abstractmethod
from unittest import TestCase
from uuid import uuid4

import pytest
from eventsourcing.persistence import InfrastructureFactory

from infra.eventsourcing_journal import Factory
from tests.broker.fixtures import Kafka

MODULE = "infra.eventsourcing_journal"


class OnAJournal(TestCase, metaclass=ABCMeta):
    """A case of the library's on a journal that a subclass names."""

    @abstractmethod
    def journal_url(self) -> str:
        """A new journal."""

    def environment(self) -> dict[str, str]:
        """The journal URL of this test, set in the process's environment until the test is over."""
        env = {"PERSISTENCE_MODULE": MODULE, "JOURNAL_URL": self.journal_url()}
        for key, value in env.items():
            self.addCleanup(_restore, key, os.environ.get(key))
            os.environ[key] = value
        return env

    def open_factory(self) -> Factory:
        """A factory on a new journal, closed when the test is over."""
        made = InfrastructureFactory.construct(self.environment())
        assert isinstance(made, Factory)
        self.addCleanup(made.close)
        return made


class Memory(OnAJournal):
    def journal_url(self) -> str:
        return f"memory:{uuid4()}"


class Sqlite(OnAJournal):
    """As durable as in production."""

    def journal_url(self) -> str:
        directory = tempfile.mkdtemp(prefix="rescind-eventsourcing-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        return f"sqlite:///{directory}"


class OnKafka(OnAJournal):
    """With local state in memory, read from the log whenever an application is opened."""

    @pytest.fixture(autouse=True)
    def _broker(self, kafka: Kafka) -> None:
        self.kafka = kafka

    def journal_url(self) -> str:
        return self.kafka.url()


def _restore(key: str, value: str | None) -> None:
    if value is None:
        del os.environ[key]
    else:
        os.environ[key] = value
