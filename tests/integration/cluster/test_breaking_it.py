"""Processes that share partitions out are killed, frozen, joined and left under load: nothing acknowledged is lost,
nothing happens twice, each partition is followed again, and the views never go back."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from infra.settings import views_at
from tests.broker.fixtures import Kafka
from tests.integration.cluster.elsewhere import order_in
from tests.integration.cluster.load import EVENTS, Load, check
from tests.integration.cluster.serving import PARTITIONS, Together, together
from tests.integration.cluster.test_procedures_elsewhere import rescind
from tests.integration.http.client import SUPPORT, SYSTEM, placing
from tests.integration.kafka.waiting import wait_until
from tests.integration.publishing.stage import read_topic
from tests.postgresql.fixtures import new_schema
from tests.postgresql.server import Server

pytestmark = [pytest.mark.kafka, pytest.mark.postgresql, pytest.mark.slow, pytest.mark.xdist_group("share")]


@pytest.fixture
def two(kafka: Kafka, postgresql_server: Server, tmp_path: Path) -> Iterator[Together]:
    """Two processes that share the partitions out between them, and publish."""
    with together(kafka.url(), new_schema(postgresql_server), tmp_path, publish="on") as made:
        made.start(wait=False)
        made.start(wait=False)
        made.shared_out()
        yield made


@contextmanager
def watched(together: Together) -> Iterator[None]:
    """Fails if the views go back."""
    watch = Watch(together)
    try:
        yield
    finally:
        watch.stop()
    assert watch.looks > 10
    assert watch.went_back == []


class Watch:
    """Looks at how far the views are, all the time; they never go back."""

    def __init__(self, together: Together) -> None:
        at = views_at(together.postgresql).postgresql
        assert at is not None
        self.went_back: list[str] = []
        self.looks = 0
        self._url = together.postgresql
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        before: dict[int, int] = {}
        with psycopg.connect(self._url, autocommit=True) as db:
            while not self._stopping.wait(0.02):
                rows = db.execute("SELECT partition, next_ordinal FROM positions WHERE log = 'journal'").fetchall()
                for partition, ordinal in rows:
                    if ordinal < before.get(partition, 0):
                        self.went_back.append(f"partition {partition}: {before[partition]} and then {ordinal}")
                    before[partition] = ordinal
                self.looks += 1

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(30)


def as_the_log_has_them(together: Together, orders: int, folder: Path) -> None:
    """The views, cell by cell, once they have everything that was written."""

    def rows() -> int:
        with psycopg.connect(together.postgresql, autocommit=True) as db:
            found = db.execute("SELECT count(*) FROM orders").fetchone()
        return 0 if found is None else int(found[0])

    wait_until(lambda: rows() == orders)
    report = rescind(together, folder, "replay", "--check")
    assert report["differing"] == 0, report
    assert report["rows"]["orders"] == orders


def published_once(together: Together, events: int) -> None:
    """Every event of the log is on the public topic, once and in its order, whichever process published it."""
    topic = f"{together.at.prefix}.order-events"
    wait_until(lambda: sum(map(len, read_topic(together.at.servers, topic).values())) >= events, 120)
    for partition, records in read_topic(together.at.servers, topic).items():
        positions = [dict(record.headers)["rescind-position"].decode() for record in records]
        assert positions == [f"{partition}:{position}" for position in range(len(records))]
    assert sum(map(len, read_topic(together.at.servers, topic).values())) == events


def test_a_process_is_killed_and_rejoins_and_a_third_one_joins_and_leaves_under_load(
    two: Together, tmp_path: Path
) -> None:
    first, second = two.all
    alive = [first, second]
    load = Load(lambda: list(alive))

    def goes_on() -> None:
        answered = len(load.answers)
        wait_until(lambda: len(load.answers) > answered + 20)

    with watched(two):
        goes_on()
        alive.remove(first)
        first.kill()
        killed = time.monotonic()
        two.shared_out(second)
        print(f"all partitions are followed again {time.monotonic() - killed:.1f} s after a kill")
        goes_on()
        first.restart()
        wait_until(lambda: first.is_ready, 120)
        alive.append(first)
        two.shared_out(first, second)
        third = two.start()
        alive.append(third)
        two.shared_out(first, second, third)
        goes_on()
        alive.remove(third)
        left = time.monotonic()
        third.leave()
        two.shared_out(first, second)
        print(f"all partitions are followed again {time.monotonic() - left:.1f} s after one was terminated")
        load.stop()
    print(f"{len(load.orders)} orders, asked {load.requested} times, slowest {load.slowest:.1f} s")
    check(load, [first, second])
    published_once(two, len(EVENTS) * len(load.orders))
    refunds = [
        record for records in read_topic(two.at.servers, f"{two.at.prefix}.refunds").values() for record in records
    ]
    assert sorted(record.key.decode() for record in refunds) == sorted(f"load/{order}" for order in load.orders)
    as_the_log_has_them(two, len(load.orders), tmp_path / "own")


def test_a_frozen_process_that_wakes_up_does_no_harm_with_its_old_state(two: Together, tmp_path: Path) -> None:
    sleeper, other = two.all
    mine = [partition for partition, url in two.places().items() if url == sleeper.url]
    assert 0 < len(mine) < PARTITIONS
    orders = [order_in(partition, number) for partition in mine for number in range(4)]
    for order in orders:
        assert other.post("/v1/acme/orders", placing(order), "place").status_code == 201
    cancel = {"actor": SUPPORT, "reason": "out_of_stock", "rule": "seller-has-final-say"}
    notice = {"actor": SYSTEM, "shipment_id": "asn-1", "lines": [{"line": 1, "quantity": 3}]}

    def late_to(order: str) -> httpx.Response:
        """Through a connection of its own: the server closes one that was idle for so long."""
        url = f"{sleeper.url}/v1/acme/orders/{order}/cancellations"
        return httpx.post(url, json=cancel, headers={"Idempotency-Key": "late"}, timeout=120, trust_env=False)

    with watched(two), ThreadPoolExecutor(len(orders)) as waiting:
        sleeper.freeze()
        late = [waiting.submit(late_to, order) for order in orders]  # they wait in its socket: its first thoughts
        away = other.get(f"/v1/acme/orders/{orders[0]}")
        if away.status_code != 200:  # a machine that is slow enough has given the sleeper up by then
            assert (away.status_code, away.json()["rule"]) == (503, "not-followed")
            assert int(away.headers["retry-after"]) >= 1
        two.shared_out(other)
        for order in orders:
            shipped = other.post(f"/v1/acme/orders/{order}/shipments", notice, "ship")
            assert shipped.status_code == 200, shipped.text
        sleeper.thaw()
        for each in late:
            answer = each.result(120)
            assert answer.status_code in (409, 503), answer.text
            if answer.status_code == 409:  # on what it believed it would have been a cancellation
                assert answer.json()["rule"] == "shipped-lock"
        two.shared_out(sleeper, other)
        for order in orders:
            histories = [each.get(f"/v1/acme/orders/{order}/history") for each in two.all]
            assert histories[0].content == histories[1].content
            events = [event["event"] for event in histories[0].json()]
            assert events[:5] == ["OrderPlaced", "PaymentReceived", "LinePartiallyShipped", "AutoCanceled", "RefundDue"]
            assert events[5:] in ([], ["CommandRefused"])
    as_the_log_has_them(two, len(orders), tmp_path / "own")
