"""The cost of reading aggregates on a broker, and which saves of others they show."""

import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import IntegrityError

from infra.kafka.journal import KafkaJournal
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.contract.eventsourcing.journals import MODULE
from tests.integration.publishing.stage import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(SECOND_GROUP)]


class Shelf(Aggregate):
    def __init__(self) -> None:
        self.books: list[str] = []

    @event("BookPutUp")
    def put_up(self, title: str) -> None:
        self.books.append(title)


def opened(url: str, directory: str) -> Application:
    """An application with a store of its own, as another process has."""
    env = {"PERSISTENCE_MODULE": MODULE, "JOURNAL_URL": url, "JOURNAL_TOPIC": "shelves", "JOURNAL_DIRECTORY": directory}
    return Application(env)


@pytest.fixture
def two(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Application]]:
    url = kafka.url()
    both = [opened(url, str(tmp_path_factory.mktemp(name))) for name in ("one", "other")]
    yield both
    for each in both:
        each.close()


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every question of the test's own thread where a partition ends."""
    questions: list[int] = []
    end, mine = KafkaJournal.end, threading.get_ident()

    def counted(self: KafkaJournal, partition: int) -> int:
        if threading.get_ident() == mine:
            questions.append(partition)
        return end(self, partition)

    monkeypatch.setattr(KafkaJournal, "end", counted)
    return questions


def test_getting_an_aggregate_sends_no_request_to_the_broker(two: list[Application], requests: list[int]) -> None:
    app, _ = two
    shelf = Shelf()
    app.save(shelf)
    assert app.repository.get(shelf.id).books == []
    requests.clear()
    for number in range(50):
        shelf.put_up(f"volume {number}")
        app.save(shelf)
        assert len(app.repository.get(shelf.id).books) == number + 1
    assert requests == []
    with pytest.raises(AggregateNotFoundError):
        app.repository.get(uuid4())
    assert requests == [0], "what is not known is looked for at the log's end"


def test_saves_of_another_process_arrive_and_a_save_on_an_older_version_fails(two: list[Application]) -> None:
    one, other = two
    shelf = Shelf()
    one.save(shelf)
    mine: Shelf = other.repository.get(shelf.id)
    shelf.put_up("Emma")
    one.save(shelf)
    wait_until(lambda: other.repository.get(shelf.id).books == ["Emma"])
    mine.put_up("Persuasion")
    with pytest.raises(IntegrityError):
        other.save(mine)
    assert other.repository.get(shelf.id).books == ["Emma"]
