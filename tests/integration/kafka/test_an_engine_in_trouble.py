"""The answers of an engine while brokers are gone, and after the log lost acknowledged records."""

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from consumers.engine.outcome import Outcome
from consumers.ports.journal import JournalMismatch, JournalUnavailable, LogChanged, LogCut
from domain.commands import parse_command
from infra.addresses.kafka import Timings
from infra.app import App, AppOptions, open_app
from infra.diagnostics import examine
from infra.projection.replaying import run_replay
from infra.settings import Settings, load_settings
from infra.store.reader import open_reader
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.broker.local import LocalCluster
from tests.broker.topics import admin, cut_front, make_topic
from tests.integration.http.client import Http
from tests.integration.kafka.orders import commands
from tests.integration.kafka.waiting import TIMEOUT, wait_until
from tests.spec.store.making import Chain, record

pytestmark = [pytest.mark.kafka]


@dataclass(frozen=True)
class Topics:
    """A broker, and the prefix of a journal's topics on it."""

    servers: str
    prefix: str = "shop"

    @property
    def journal(self) -> str:
        return f"{self.prefix}.journal"

    @property
    def control(self) -> str:
        return f"{self.prefix}.control"


@pytest.fixture
def one(cluster: Callable[..., LocalCluster]) -> LocalCluster:
    """A broker of the test's own, which it breaks."""
    return cluster(1)


@pytest.fixture
def shop(kafka: Kafka) -> Topics:
    """Topics of the test's own on the shared broker."""
    return Topics(kafka.servers, kafka.prefix())


def settings_of(shop: Topics, directory: Path, **more: Any) -> Settings:
    return load_settings(
        journal=f"kafka://{shop.servers}/{shop.prefix}?partitions=1",
        directory=str(directory),
        append_within=3.0,
        **more,
    )


@contextmanager
def serving(settings: Settings) -> Iterator[Http]:
    with open_app(settings) as app:
        http = Http(app)
        try:
            yield http
        finally:
            http.close()


def work(app: App, orders: int, name: str = "a") -> list[Outcome]:
    futures = [app.engine.submit(parse_command(document)) for document in commands(name, orders, 1)]
    return [future.result(TIMEOUT) for future in futures]


def placing(number: int) -> Any:
    document = next(iter(commands("x", 1, 1)))
    return parse_command({**document, "order_id": f"PO-x{number}", "command_id": f"x{number}"})


def submit(app: App, number: int) -> Outcome:
    return app.engine.submit(placing(number)).result(TIMEOUT)


def test_while_the_broker_is_frozen_answers_are_bounded_and_orders_can_be_read(
    one: LocalCluster, tmp_path: Path
) -> None:
    settings = settings_of(Topics(one.servers), tmp_path)
    with open_app(settings, AppOptions(views=False)) as app:
        assert {outcome.kind for outcome in work(app, 5)} <= {"accepted", "refused"}
        one.node(1).freeze()
        futures = [app.engine.submit(placing(0))]

        def turned_away() -> bool:
            futures.append(app.engine.submit(placing(len(futures))))
            done, _ = wait(futures[-1:], 0.5)
            return bool(done) and futures[-1].result().kind == "unavailable"

        wait_until(turned_away)
        assert futures[-1].result().rule == "journal-unavailable"
        began = time.monotonic()
        read = app.ask(lambda engine: engine.orders.get(0, "acme/PO-1").order)
        assert read is not None
        assert len(read.lines) == 3
        assert time.monotonic() - began < 5
        one.node(1).thaw()
        first = {number: future.result(TIMEOUT).kind for number, future in enumerate(futures)}
        assert first[0] == "accepted"
        for number, kind in first.items():
            wait_until(partial(is_accepted, app, number))
            assert kind in ("accepted", "unavailable")
        wait_until(lambda: app.ask(lambda engine: engine.caught_up))


def test_a_log_that_was_cut_while_the_engine_was_away_is_not_decided_on(one: LocalCluster, tmp_path: Path) -> None:
    settings = settings_of(Topics(one.servers), tmp_path)
    with open_app(settings, AppOptions(views=False)) as app:
        work(app, 5)
        ends = app.journal.end(0)
    one.node(1).kill()
    segment = one.node(1).logs / "shop.journal-0" / f"{0:020}.log"
    with segment.open("r+b") as file:
        file.truncate(segment.stat().st_size // 2)
    one.restart(1)
    with open_app(settings, AppOptions(views=False)) as app:
        assert app.journal.end(0) < ends
        for outcome in work(app, 1, "b"):
            assert (outcome.kind, outcome.rule) == ("unavailable", "partition-stopped")
            assert "the log lost acknowledged records" in outcome.message
    wrong = [finding for finding in examine(settings) if finding.state == "wrong"]
    assert any("ends at offset" in finding.said for finding in wrong), wrong


@pytest.mark.xdist_group(SECOND_GROUP)
def test_a_log_whose_front_is_cut_stops_the_engine_while_it_runs_and_at_every_start(
    shop: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Settings, "timings", Timings(check_begins=0.2))
    settings = settings_of(shop, tmp_path)
    with open_app(settings, AppOptions(views=False)) as app:
        work(app, 5)
        cut_front(shop.servers, shop.journal, 0, 3)
        answers: list[Outcome] = []

        def stopped() -> bool:
            answers.append(submit(app, len(answers)))
            return answers[-1].kind == "unavailable"

        wait_until(stopped)
        assert {outcome.kind for outcome in answers} <= {"accepted", "unknown", "unavailable"}
        assert answers[-1].rule == "partition-stopped"
        assert "the log begins at offset 3" in answers[-1].message
        wait_until(lambda: "following" in app.watch.trouble)
        assert not app.ask(lambda engine: engine.caught_up)
        assert app.ask(lambda engine: engine.orders.get(0, "acme/PO-1").order) is not None, "what is known is read"
        wait_until(lambda: submit(app, 900).kind == "unavailable")
    assert capsys.readouterr().err.count("the log begins at offset 3") == 1
    with open_app(settings, AppOptions(views=False)) as app:
        assert submit(app, 1000).rule == "partition-stopped"
    assert "the log begins at offset 3" in capsys.readouterr().err
    findings = {finding.part: finding for finding in examine(settings) if finding.state == "wrong"}
    assert findings.keys() >= {shop.journal, "journal", "local state 0"}
    for finding in findings.values():
        assert "offset" in finding.said
        assert "keep local state" in finding.do
    with open_reader(settings) as reader:
        assert reader.folded("acme/PO-1").order is not None
    assert "so orders are read from local state" in capsys.readouterr().err


@pytest.mark.xdist_group(SECOND_GROUP)
def test_a_process_that_has_not_read_the_front_of_a_cut_log_calls_no_order_unknown(
    shop: Topics, tmp_path: Path
) -> None:
    settings = settings_of(shop, tmp_path)
    with open_app(settings) as app:
        work(app, 5)
        assert app.views is not None
        assert app.views.catch_up(TIMEOUT)
        checked = run_replay(settings, check=True)
        assert (checked.clean, checked.confirmed, checked.records > 10) == (True, True, True)
        cut_front(shop.servers, shop.journal, 0, app.journal.end(0) - 1)
    [wrong] = run_replay(settings, check=True).wrong
    assert wrong.startswith("partition 0: the log begins at offset")
    with pytest.raises(LogChanged, match="The views were left as they are"):
        run_replay(settings, check=False)
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "views.sqlite").unlink()
    with serving(settings) as http:
        for path in ("/v1/acme/orders/PO-1", "/v1/acme/orders/PO-1/eligibility", "/o/acme/PO-1"):
            answer = http.get(path)
            assert (answer.status_code, "Retry-After" in answer.headers) == (503, True), path
            assert "the log begins at offset" in answer.text
        for path in ("/v1/acme/orders", "/v1/acme/orders?po=PO-1", "/v1/acme/sellers/s-1/dashboard", "/", "/o/acme"):
            answer = http.get(path)
            assert answer.status_code == 503, (path, answer.text)
        ready = http.get("/readyz")
        assert (ready.status_code, "the log begins at offset" in ready.text) == (503, True)
    with pytest.raises(LogCut):
        open_reader(settings)
    with pytest.raises(LogCut):
        open_app(settings_of(shop, tmp_path / "another machine"), AppOptions(views=False))


@pytest.mark.xdist_group(SECOND_GROUP)
def test_foreign_records_in_a_shared_log_do_not_prevent_rebuilding_views(shop: Topics, tmp_path: Path) -> None:
    settings = settings_of(shop, tmp_path)
    chain = Chain("acme/PO-stranger")
    chain.next("A")
    with open_app(settings) as app:
        work(app, 3)
        app.journal.append(0, b"", record(chain.next("B")).value).result(TIMEOUT)
        work(app, 3, "b")
        assert app.views is not None
        assert app.views.catch_up(TIMEOUT)
    for check in (True, False):
        report = run_replay(settings, check=check)
        assert (report.clean, len(report.notes), report.local_state) == (True, 1, [])
        assert "on acme/PO-stranger, follows the commit" in report.notes[0]
    shutil.rmtree(tmp_path / "state")
    assert run_replay(settings, check=True).wrong == report.notes, "nothing marks it as a stranger's"


@pytest.mark.xdist_group(SECOND_GROUP)
def test_topics_that_are_recreated_under_a_running_engine_stop_it(shop: Topics, tmp_path: Path) -> None:
    settings = settings_of(shop, tmp_path)
    with open_app(settings, AppOptions(views=False)) as app:
        work(app, 3)
        with admin(shop.servers) as admin_client:
            admin_client.delete_topics([shop.journal])
        wait_until(lambda: described(shop, shop.journal) != 0)
        make_topic(shop.servers, shop.journal, 1)
        answers: list[Outcome] = []

        def stopped() -> bool:
            answers.append(submit(app, len(answers)))
            return answers[-1].rule == "partition-stopped"

        wait_until(stopped)
        assert "accepted" not in {outcome.kind for outcome in answers}
    with open_app(settings, AppOptions(views=False)) as app:  # and it does not start again as if nothing had been
        assert submit(app, 1000).rule == "partition-stopped"


@pytest.mark.xdist_group(SECOND_GROUP)
def test_nothing_new_is_made_where_something_is_missing(shop: Topics, tmp_path: Path) -> None:
    settings = settings_of(shop, tmp_path)
    with open_app(settings, AppOptions(views=False)):
        pass
    with admin(shop.servers) as admin_client:
        admin_client.delete_topics([shop.journal])
    wait_until(lambda: described(shop, shop.journal) != 0)
    with pytest.raises(JournalUnavailable, match="is missing, but the control log says"):
        open_app(settings, AppOptions(views=False))
    with admin(shop.servers) as admin_client:
        admin_client.delete_topics([shop.control])
    wait_until(lambda: described(shop, shop.control) != 0)
    with pytest.raises(JournalUnavailable, match="has local state of a journal there"):
        open_app(settings, AppOptions(views=False))


@pytest.mark.xdist_group(SECOND_GROUP)
def test_another_number_of_partitions_refuses_to_start(shop: Topics, tmp_path: Path) -> None:
    settings = settings_of(shop, tmp_path)
    with open_app(settings, AppOptions(views=False)):
        pass
    more = load_settings(journal=f"kafka://{shop.servers}/{shop.prefix}?partitions=2", directory=str(tmp_path))
    with pytest.raises(JournalMismatch, match="has 1 partition, not 2"):
        open_app(more, AppOptions(views=False))
    with admin(shop.servers) as admin_client:
        admin_client.create_partitions({shop.journal: 2})
    with pytest.raises(JournalMismatch, match="the control log says 1 partition, the journal has 2"):
        open_app(more, AppOptions(views=False))


def is_accepted(app: App, number: int) -> bool:
    return submit(app, number).effective.kind == "accepted"


def described(shop: Topics, topic: str) -> int:
    with admin(shop.servers) as admin_client:
        code: int = admin_client.describe_topics([topic])[0]["error_code"]
        return code
