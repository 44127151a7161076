"""The broker that a test run shares, and clusters of a test's own.

The shared one is the first of these: KAFKA_BOOTSTRAP_SERVERS; a container, when a Docker engine answers and
has the image; a local process. It is started for the first test that needs it, and lives as long as the run. Topics are
each test's own, so nothing is cleaned up between them. Tests that kill, freeze or cut a broker start their own.
"""

import itertools
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import pytest

from tests.broker import containers
from tests.broker.local import LocalCluster
from tests.needs import require

GROUP = "kafka"
"""Tests that use the shared broker run in one worker (``xdist_group``), so that it is started once for them."""
SECOND_GROUP = "kafka-2"
"""The other half of these tests, with a broker of its own: so they take half as long where there are two workers."""


SLOW_TIMEOUTS = {"broker.session.timeout.ms": "9000", "broker.heartbeat.interval.ms": "2000"}
"""Kafka's own defaults: nobody restarts this one, and a busy machine must not make it look dead."""


class Started(Protocol):
    """A broker, wherever it runs."""

    @property
    def servers(self) -> str:
        """Bootstrap servers: ``host:port[,host:port]``."""
        ...

    def close(self) -> None: ...


class ExistingBroker:
    """A broker that runs already."""

    def __init__(self, servers: str) -> None:
        self.servers = servers

    def close(self) -> None:
        """It is somebody else's."""


def start() -> Started:
    """A broker as this machine can have one."""
    if servers := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return ExistingBroker(servers)
    return containers.start_if_possible() or LocalCluster(1, SLOW_TIMEOUTS)


class Kafka:
    """The shared broker, as tests ask for it."""

    def __init__(self, servers: str) -> None:
        self.servers = servers
        self._run = uuid.uuid4().hex[:8]
        self._numbers = itertools.count(1)

    def prefix(self) -> str:
        """A prefix of topic names that nobody has used."""
        return f"t{self._run}.{next(self._numbers)}"

    def url(self, prefix: str | None = None, partitions: int | None = None) -> str:
        """A journal URL on this broker, by default with a prefix of its own."""
        options = "" if partitions is None else f"?partitions={partitions}"
        return f"kafka://{self.servers}/{prefix or self.prefix()}{options}"


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """The broker of this run."""
    require("kafka")
    started = start()
    try:
        yield Kafka(started.servers)
    finally:
        started.close()


@pytest.fixture
def cluster() -> Iterator[Callable[..., LocalCluster]]:
    """Makes clusters of the test's own: ``cluster(3)`` has three brokers. They end with the test."""
    require("kafka")
    made: list[LocalCluster] = []

    def make(brokers: int = 1, settings: Mapping[str, str] | None = None) -> LocalCluster:
        made.append(LocalCluster(brokers, settings))
        return made[-1]

    yield make
    for each in made:
        each.close()
