"""The answers of the HTTP API while brokers are full, too few or silent, and engines' clocks differ: 503 with
Retry-After, orders that can be read with their age, and everything again without a restart of the engine."""

import itertools
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from domain.events import DeadlineReached
from domain.instants import SECOND, Instant, format_instant
from infra.app import open_app
from infra.runtime.clock import clock
from infra.settings import load_settings
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.broker.local import LocalCluster, Node
from tests.broker.topics import admin, make_topic
from tests.chaos.oracles import log
from tests.integration.http.client import SYSTEM, Http, notice, placing
from tests.integration.kafka.waiting import wait_until
from tests.simulation.oracles import deadlines, decoded
from tests.simulation.reader import read

pytestmark = [pytest.mark.kafka]
ALONE = pytest.mark.xdist_group("served in an outage")
"""Tests with brokers of their own: two workers would have two of all this."""

_numbers = itertools.count()

SMALL = 6 * 1024 * 1024
"""Bytes of a disk that is soon full."""


@contextmanager
def serving(servers: str, directory: Path, prefix: str = "shop") -> Iterator[Http]:
    """An engine on the topics of a prefix, and the API in front of it."""
    journal = f"kafka://{servers}/{prefix}?partitions=1"
    settings = load_settings(journal=journal, directory=str(directory), append_within=3.0, answer_within=5.0)
    with open_app(settings) as app:
        http = Http(app)
        try:
            yield http
        finally:
            http.close()


def turned_away(http: Http, number: int) -> bool:
    """Whether an order is answered by 503, with the seconds after which to retry."""
    answer = http.post("/v1/acme/orders", placing(f"PO-x{number}"), f"x{number}")
    if answer.status_code == 201:
        return False
    assert answer.status_code == 503, answer.text
    assert answer.json()["rule"] in ("journal-unavailable", "outcome-unknown")
    assert int(answer.headers["retry-after"]) >= 1
    return True


def is_done(http: Http, number: int) -> bool:
    return not turned_away(http, number)


def an_outage(http: Http, begin: Callable[[], object], end: Callable[[], object], *, silent: bool) -> None:
    """Check the answers before, during and after an outage. ``silent``: no broker answers during it."""
    known = http.place()
    before = http.get(known)
    assert "rescind-stale" not in before.headers
    begin()
    sent: list[int] = []

    def no_more() -> bool:
        sent.append(len(sent))
        return turned_away(http, sent[-1])

    wait_until(no_more)
    if silent:
        wait_until(lambda: "age" in http.get(known).headers)
    during = http.get(known)
    assert during.status_code == 200
    if silent:
        assert (during.json()["stale"], during.headers["rescind-stale"]) == (True, "true")
        assert int(during.headers["age"]) >= 1
    assert {**during.json(), "stale": True} == {**before.json(), "stale": True}
    assert turned_away(http, sent[-1]), "the same key has the same answer during the outage"
    end()
    for number in sent:  # each is done under its own key, once; nobody has restarted the engine
        wait_until(partial(is_done, http, number))
        assert http.get(f"/v1/acme/orders/PO-x{number}").json()["version"] == 2
    wait_until(lambda: "rescind-stale" not in http.get(known).headers)
    assert http.get(known).json() == before.json()


@contextmanager
def small_disk(node: Node) -> Iterator[None]:
    """The broker's log on a disk of its own, of a few megabytes. Root may mount one."""
    moved = node.logs.with_name("moved")
    node.terminate()
    node.logs.rename(moved)
    node.logs.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(node.logs)], check=True)
    try:
        subprocess.run(["cp", "-a", "--sparse=always", f"{moved}/.", str(node.logs)], check=True)
        yield
    finally:
        node.kill()
        subprocess.run(["umount", str(node.logs)], check=True)


def fill(disk: Path) -> None:
    """Until not a block is left."""
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        ballast.write(bytes(shutil.disk_usage(disk).free))
    assert shutil.disk_usage(disk).free == 0


@ALONE
@pytest.mark.root
def test_a_disk_that_is_full_turns_commands_away_until_there_is_room(
    cluster: Callable[..., LocalCluster], tmp_path: Path
) -> None:
    one = cluster(1, {"log.index.size.max.bytes": "65536"})
    node = one.node(1)

    def make_room() -> None:
        os.unlink(node.logs / "ballast")
        node.kill()  # it has given up its only disk, and ends or has ended
        one.restart(1)

    with small_disk(node):
        one.restart(1)
        with serving(one.servers, tmp_path) as http:
            an_outage(http, lambda: fill(node.logs), make_room, silent=True)


@ALONE
def test_too_few_replicas_turn_commands_away_until_they_are_back(
    cluster: Callable[..., LocalCluster], tmp_path: Path
) -> None:
    three = cluster(3)
    for topic in ("shop.control", "shop.journal"):  # a record is acknowledged by all three, or not at all
        make_topic(three.servers, topic, 1, replicas=3, min_insync_replicas="3")
    with serving(three.servers, tmp_path) as http:
        with admin(three.servers) as admin_client:
            (partition,) = admin_client.describe_topics(["shop.journal"])[0]["partitions"]
        other = next(node for node in three.nodes if node.number != partition["leader_id"])
        an_outage(http, other.freeze, other.thaw, silent=False)


# ---- clocks ---------------------------------------------------------------------------------------------------------


class Clocks:
    """The clock of this process, and of engines whose clock is off by so many microseconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.off: dict[int | None, int] = {}
        monkeypatch.setattr("infra.app.clock", self)

    def __call__(self) -> Instant:
        return clock() + self.off.get(threading.get_ident(), 0)

    @contextmanager
    def engine(self, kafka: Kafka, prefix: str, directory: Path, off: int) -> Iterator[Http]:
        """An engine with a clock of its own: what its threads read."""
        before = set(threading.enumerate())
        with serving(kafka.servers, directory, prefix) as http:
            self.off |= {thread.ident: off for thread in set(threading.enumerate()) - before}
            yield http


def answered(http: Http) -> str:
    """The result of another order: accepted, or the rule that refuses it."""
    number = next(_numbers)
    answer = http.post("/v1/acme/orders", placing(f"PO-c{number}"), f"c{number}")
    return "accepted" if answer.status_code == 201 else str(answer.json()["rule"])


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


@pytest.mark.xdist_group(SECOND_GROUP)
def test_an_engine_whose_clock_is_off_the_logs_answers_503_until_it_is_right(
    kafka: Kafka, tmp_path: Path, clocks: Clocks
) -> None:
    with clocks.engine(kafka, kafka.prefix(), tmp_path, 0) as http:
        order = http.place()
        for thread in clocks.off:
            clocks.off[thread] = 60 * SECOND
        wait_until(lambda: answered(http) == "clock-off")  # it cannot know before a record of its own is back
        off = http.post(f"{order}/shipments", notice(1, actor=SYSTEM), "s1")
        assert (off.status_code, off.json()["rule"]) == (503, "clock-off")
        assert int(off.headers["retry-after"]) >= 1
        assert http.get(order).json()["version"] == 2
        clocks.off.clear()
        wait_until(lambda: answered(http) == "accepted")  # the step under way has read the clock before
        retried = http.post(f"{order}/shipments", notice(1, actor=SYSTEM), "s1")
        assert retried.status_code == 200, retried.text


@pytest.mark.xdist_group(SECOND_GROUP)
def test_a_deadline_is_reached_once_and_never_early_by_engines_whose_clocks_differ(
    kafka: Kafka, tmp_path: Path, clocks: Clocks
) -> None:
    prefix = kafka.prefix()
    with (
        clocks.engine(kafka, prefix, tmp_path / "fast", 4 * SECOND) as fast,
        clocks.engine(kafka, prefix, tmp_path / "slow", -4 * SECOND) as slow,
    ):
        due = clock() + 3 * SECOND
        orders = [
            each.place(policy="auction-house", paid=False, pay_by=format_instant(due)) for each in (fast, slow) * 5
        ]

        def all_are_canceled() -> bool:
            return {each.get(order).json()["status"] for each in (fast, slow) for order in orders} == {"canceled"}

        wait_until(all_are_canceled)
    reading = read(log(kafka.servers, f"{prefix}.journal", 1))
    deadlines(reading)
    reached = [event for commit in reading.admitted for event in decoded(commit) if isinstance(event, DeadlineReached)]
    assert len([each for each in reached if each.due_at == due]) == len(orders)
    recorded: dict[str, Instant] = {}
    for commit in reading.admitted:
        assert commit.commit["recorded_at"] >= recorded.get(commit.stream, 0), "it goes back on no order"
        recorded[commit.stream] = commit.commit["recorded_at"]


@ALONE
def test_while_the_broker_is_stopped_readiness_is_503_with_the_reason_and_nothing_is_a_defect(
    cluster: Callable[..., LocalCluster], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    one = cluster(1)
    with serving(one.servers, tmp_path) as http:
        known = http.place()
        wait_until(lambda: http.get("/readyz").status_code == 200)
        one.node(1).kill()
        rules: set[str] = set()

        def away() -> bool:
            answer = http.get("/readyz")
            assert answer.status_code in (200, 503), answer.text
            if answer.status_code == 503:
                rules.add(answer.json()["rule"])
                assert answer.headers["content-type"] == "application/problem+json"
            return "journal-unavailable" in rules or "not-caught-up" in rules

        wait_until(away)
        assert "shop" in http.get("/readyz").json()["detail"]
        paths = [
            "/healthz",
            known,
            f"{known}/history",
            f"{known}/eligibility",
            "/v1/acme/orders",
            "/v1/acme/orders/none",
        ]
        paths += ["/", "/o/acme", f"/o/acme/{known.rpartition('/')[2]}", "/v1/acme/sellers/s-3", "/policies/big-box/1"]
        answered = {path: http.get(path).status_code for path in paths}
        assert all(code < 500 or code == 503 for code in answered.values()), answered
        assert (answered["/healthz"], answered[known]) == (200, 200)
        one.restart(1)
        wait_until(lambda: http.get("/readyz").status_code == 200)
    stderr = capfd.readouterr().err
    assert "defect" not in stderr and "Traceback" not in stderr
