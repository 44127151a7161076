"""A running engine with public topics: what it decides goes out, also after it was started again."""

from pathlib import Path
from typing import Any

import pytest

from consumers.engine.outcome import Outcome
from consumers.ports.journal import JournalError
from domain.commands import parse_command
from infra.app import App, AppOptions, open_app
from infra.diagnostics import examine
from infra.publishing import fronts
from infra.settings import Settings, SettingsError, load_settings
from schemas.framing import unframe
from schemas.public.ids import contract_of
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.broker.topics import admin, cut_front
from tests.integration.http.client import Http
from tests.integration.publishing.stage import read_topic, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(SECOND_GROUP)]


class Shop:
    """An engine on a journal in files, publishing to a real broker."""

    def __init__(self, settings: Settings, servers: str, prefix: str) -> None:
        self.settings = settings
        self.servers = servers
        self.prefix = prefix
        self.commands = 0

    def open(self) -> App:
        return open_app(self.settings, AppOptions(publish=True))

    def submit(self, app: App, command: str, order_id: str, **fields: Any) -> Outcome:
        self.commands += 1
        kind = fields.pop("actor", "system")
        document = {
            "command": command,
            "command_id": f"c{self.commands}",
            "marketplace": "acme",
            "order_id": order_id,
            "actor": {"kind": kind, "id": {"buyer": "b-1", "seller": "s-1"}.get(kind, "test")},
            **fields,
        }
        return app.engine.submit(parse_command(document)).result(30)

    def order(self, app: App, order_id: str) -> None:
        """Placed, and 3 of 10 shipped: the other 7 are cancelled and refunded."""
        lines = [{"line": 1, "sku": "A-1", "quantity": 10, "unit_price": "10.00"}]
        parties = {"buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "policy": "seller-portal"}
        assert self.submit(app, "PlaceOrder", order_id, lines=lines, **parties).kind == "accepted"
        shipped = self.submit(app, "Ship", order_id, shipment_id="s1", lines=[{"line": 1, "quantity": 3}])
        assert shipped.kind == "accepted"

    def seen(self, kind: str) -> list[Any]:
        return [r for records in read_topic(self.servers, f"{self.prefix}.{kind}").values() for r in records]

    def keys(self, kind: str) -> list[str]:
        return sorted(record.key.decode() for record in self.seen(kind))


@pytest.fixture
def shop(kafka: Kafka, tmp_path: Path) -> Shop:
    prefix = kafka.prefix()
    settings = load_settings(
        journal=f"sqlite:///{tmp_path}/journal?partitions=2", publish=f"kafka://{kafka.servers}/{prefix}"
    )
    return Shop(settings, kafka.servers, prefix)


def test_decisions_of_an_engine_are_published_once_also_across_a_restart(shop: Shop) -> None:
    with shop.open() as app:
        shop.order(app, "PO-1")
        wait_until(lambda: shop.keys("refunds") == ["acme/PO-1"])
        shop.order(app, "PO-2")
    with shop.open() as app:
        shop.order(app, "PO-3")
        wait_until(lambda: len(shop.keys("refunds")) == 3)
        publishing = app.publishing
        assert publishing is not None
        wait_until(lambda: publishing.behind == 0)
        assert publishing.trouble == {}
    assert shop.keys("refunds") == shop.keys("restock") == ["acme/PO-1", "acme/PO-2", "acme/PO-3"]
    ids = [dict(r.headers)["ce_id"].decode() for r in shop.seen("notifications") if r.key == b"acme/PO-1"]
    notices = ("told-1-buyer", "told-3-buyer", "told-4-buyer", "told-4-seller", "told-5-buyer")
    assert ids == [f"acme/PO-1/{notice}" for notice in notices]
    events = [contract_of(unframe(r.value)[0]).name for r in shop.seen("order-events") if r.key == b"acme/PO-1"]
    assert events == [
        f"rescind.order.{name}"
        for name in ("OrderPlaced", "PaymentReceived", "LinePartiallyShipped", "AutoCanceled", "RefundDue")
    ]


def test_an_engine_that_ended_before_it_published_anything_owes_what_it_accepted(shop: Shop) -> None:
    with open_app(shop.settings, AppOptions(publish=True)) as app:
        assert app.publishing is not None
        for runner in app.publishing.runners.values():
            runner.loop.stop()
        shop.order(app, "PO-1")
    with shop.open():
        wait_until(lambda: shop.keys("refunds") == ["acme/PO-1"])


def test_history_from_before_is_published_as_events_and_not_as_instructions(shop: Shop) -> None:
    with open_app(shop.settings) as app:
        shop.order(app, "PO-1")
    with pytest.raises(JournalError, match="rescind topics create"):
        shop.open()
    from infra.publishing.topics import PublicTopics

    at = shop.settings.public_topics_at
    assert at is not None
    topics = PublicTopics(at, shop.settings.security)
    topics.create(2)
    topics.close()
    with shop.open() as app:
        shop.order(app, "PO-2")
        wait_until(lambda: shop.keys("refunds") == ["acme/PO-2"])
        wait_until(lambda: len(shop.keys("order-events")) == 10)
    assert shop.keys("restock") == ["acme/PO-2"]


def test_an_engine_whose_progress_is_gone_does_not_start_to_publish(shop: Shop) -> None:
    with shop.open() as app:
        shop.order(app, "PO-1")
        wait_until(lambda: shop.keys("refunds") == ["acme/PO-1"])
    with admin(shop.servers) as admin_client:
        admin_client.delete_topics([f"{shop.prefix}.published"])
    with pytest.raises(JournalError, match="published"):
        shop.open()


def test_beside_a_journal_on_kafka_the_topics_have_its_partitions_and_letters_their_original_keys(
    kafka: Kafka, tmp_path: Path
) -> None:
    prefix = kafka.prefix()
    settings = load_settings(journal=kafka.url(prefix, 3), publish="on", directory=str(tmp_path))
    shop = Shop(settings, kafka.servers, prefix)
    with shop.open() as app:
        for number in range(6):
            shop.order(app, f"PO-{number}")
        app.journal.append(2, b"somebody's key", b"rubbish").result(30)
        wait_until(lambda: len(shop.keys("refunds")) == 6)
        wait_until(lambda: shop.keys("dead-letters") == ["somebody's key"])
        assert app.publishing is not None
        assert sorted(app.publishing.publishers) == [0, 1, 2]
        for partition, records in read_topic(kafka.servers, f"{prefix}.order-events").items():
            assert all(app.engine.partition(record.key.decode()) == partition for record in records)
    assert shop.keys("restock") == [f"acme/PO-{number}" for number in range(6)]
    assert len(shop.seen("order-events")) == 30


def test_a_topic_that_cannot_be_written_is_a_trouble_of_a_ready_engine_until_it_can(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    name = f"{shop.prefix}.order-events"
    with shop.open() as app:
        http = Http(app)
        shop.order(app, "PO-1")
        wait_until(lambda: shop.keys("refunds") == ["acme/PO-1"])
        assert http.get("/readyz").json() == {"status": "ready"}
        with admin(shop.servers) as admin_client:
            admin_client.create_partitions({name: 3})
        shop.order(app, "PO-2")
        assert app.publishing is not None
        for publisher in app.publishing.publishers.values():
            publisher._log.let_go()  # a new look at the topics, as after any outage
        shop.order(app, "PO-3")
        wait_until(lambda: shop.keys("refunds") == ["acme/PO-1", "acme/PO-2", "acme/PO-3"])
        wait_until(lambda: "publishing" in http.get("/readyz").json().get("trouble", {}))
        answer = http.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ready")
        assert f"the topic {name} has 3 partitions" in answer.json()["trouble"]["publishing"]
        assert set(answer.json()["since"]) == {"publishing"}
        stderr = ""

        def notices() -> bool:
            nonlocal stderr
            stderr += capfd.readouterr().err
            return "rescind: publishing has stopped (order-events, partition " in stderr

        wait_until(notices)
        http.close()


def test_a_journal_in_files_has_no_topics_beside_it(tmp_path: Path) -> None:
    settings = load_settings(journal=f"sqlite:///{tmp_path}/journal", publish="on")
    with pytest.raises(SettingsError, match="kafka://"):
        open_app(settings, AppOptions(publish=True))
    with pytest.raises(SettingsError, match="publish"):
        load_settings(publish="everywhere")


def test_a_public_topic_whose_front_is_cut_is_reported_and_publishing_continues(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fronts.Fronts.__init__, "__defaults__", (0.2,))
    with shop.open() as app:
        http = Http(app)
        shop.order(app, "PO-1")
        wait_until(lambda: shop.keys("refunds") == ["acme/PO-1"])
        assert "public topics" not in http.get("/readyz").json().get("trouble", {})
        cut_front(shop.servers, f"{shop.prefix}.refunds", 0, 1)
        wait_until(lambda: "public topics" in http.get("/readyz").json().get("trouble", {}))
        stderr = http.get("/readyz").json()["trouble"]["public topics"]
        assert f"{shop.prefix}.refunds, partition 0, begins at offset 1" in stderr
        shop.order(app, "PO-2")
        wait_until(lambda: shop.keys("restock") == ["acme/PO-1", "acme/PO-2"])
        assert http.get("/readyz").status_code == 200
        http.close()
    assert capsys.readouterr().err.count("public records were deleted") == 1
    found = [finding for finding in examine(shop.settings) if finding.state == "wrong"]
    assert [(finding.part, finding.said) for finding in found] == [
        (f"{shop.prefix}.refunds", "first offset is partition 0 at 1, but must be 0"),
        (
            "instructions",
            (
                "1 instruction is due according to the views, but missing on the topics that had them: "
                "acme/PO-1/refund-1 (refunds)"
            ),
        ),
    ]
    assert "misses what was deleted" in found[0].do
