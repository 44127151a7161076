"""Two processes that share one journal out, for all tests of this folder that break nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker.fixtures import Kafka
from tests.integration.cluster.elsewhere import Elsewhere
from tests.integration.cluster.serving import Together, together
from tests.integration.http.client import Http
from tests.postgresql.fixtures import new_schema
from tests.postgresql.server import Server


@pytest.hookimpl(tryfirst=True)  # before -m chooses by markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test that ``test_elsewhere`` borrows, `make test` runs the first example and `make test-long` the rest."""
    seen: set[str] = set()
    for item in items:
        if isinstance(item, pytest.Function) and item.path.name == "test_elsewhere.py":
            if item.originalname in seen:
                item.add_marker("slow")
            seen.add(item.originalname)


@pytest.fixture(scope="session")
def pair(kafka: Kafka, postgresql_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    """Both are ready, and have partitions."""
    folder: Path = tmp_path_factory.mktemp("pair")
    with together(kafka.url(), new_schema(postgresql_server), folder) as made:
        made.start(wait=False)
        made.start(wait=False)
        made.shared_out()
        yield made


@pytest.fixture(scope="module")
def http(pair: Together) -> Iterator[Http]:
    """A client whose requests go to a process that does not follow their order."""
    places = pair.places()
    assert set(places.values()) == {each.url for each in pair.all}, "each of the two follows a part"
    client = Elsewhere(pair.all, places)
    yield client
    client.close()
