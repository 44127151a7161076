"""The consumers of the how-to are run unchanged, against the records that an engine has published."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from kafka import KafkaProducer

from consumers.ports.public_log import PublicRecord
from infra.settings import load_settings
from schemas.public.ids import contract_of
from tests.broker.fixtures import GROUP, Kafka
from tests.integration.publishing.stage import wait_until
from tests.integration.publishing.test_an_engine_that_publishes import Shop
from tests.spec.publishing.test_asyncapi import agrees

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/how-to/consume-order-events.md").read_text(encoding="utf-8")
EVENTS, REFUNDS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TWO_REFUNDS = [
    "  refund 7000: payment-1 (other)",
    "  refund 7000: payment-1 (other)",
    "PO-1: refund-1, 7000 USD minor units",
    "PO-2: refund-1, 7000 USD minor units",
]
DOCUMENT = ROOT / "docs/reference/asyncapi.json"


@pytest.fixture(scope="module")
def shop(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return opened_shop(kafka, tmp_path_factory.mktemp("store"))


def opened_shop(kafka: Kafka, place: pathlib.Path) -> Shop:
    """Two orders were placed, shipped in part, and so refunded in part."""
    prefix = kafka.prefix()
    settings = load_settings(
        journal=f"sqlite:///{place}/journal?partitions=2", publish=f"kafka://{kafka.servers}/{prefix}"
    )
    shop = Shop(settings, kafka.servers, prefix)
    with shop.open() as app:
        shop.order(app, "PO-1")
        shop.order(app, "PO-2")
        wait_until(lambda: len(shop.seen("order-events")) == 10)
    return shop


def printed(program: str, shop: Shop, place: pathlib.Path, *more: str, document: pathlib.Path = DOCUMENT) -> list[str]:
    """The output of a program of the page, run in any folder."""
    words = [sys.executable, "-W", "ignore", "-c", program, shop.servers, shop.prefix, str(document), *more, "--once"]
    done = subprocess.run(
        words,
        cwd=place,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sys.stderr.write(done.stderr)
    return done.stdout.splitlines()


def test_the_reader_of_events_prints_each_once_in_its_orders_order(shop: Shop, tmp_path: pathlib.Path) -> None:
    lines = printed(EVENTS, shop, tmp_path)
    names = ["OrderPlaced", "PaymentReceived", "LinePartiallyShipped", "AutoCanceled", "RefundDue"]
    for order in ("acme/PO-1", "acme/PO-2"):
        events = [line.split(" ", 3) for line in lines if line.startswith(f"{order} ")]
        assert [(version, name) for _, version, name, _ in events] == [(str(n), e) for n, e in enumerate(names, 1)]
    assert "'amount': 7000" in lines[-1]


def test_the_payment_service_gives_each_refund_once_also_if_it_forgets_where_it_was(
    shop: Shop, tmp_path: pathlib.Path
) -> None:
    database = str(tmp_path / "refunds.sqlite")
    assert sorted(printed(REFUNDS, shop, tmp_path, database)) == TWO_REFUNDS
    forgetful = REFUNDS.replace('"payments"', '"payments that forgot"')
    assert printed(forgetful, shop, tmp_path, database) == []


def test_the_document_has_the_schema_of_every_record_that_was_published(shop: Shop) -> None:
    messages = json.loads(DOCUMENT.read_text(encoding="utf-8"))["components"]["messages"].values()
    ids = {message["x-schema-id"] for message in messages if "x-schema-id" in message}
    for kind in ("order-events", "refunds", "restock"):
        assert {int.from_bytes(record.value[1:5], "big") for record in shop.seen(kind)} <= ids


def test_a_refund_that_was_stopped_is_not_given_if_its_instruction_is_read_only_later(
    kafka: Kafka, tmp_path: pathlib.Path
) -> None:
    shop = opened_shop(kafka, tmp_path)
    with shop.open() as app:
        shop.submit(app, "WithdrawRefund", "PO-1", refund_id="refund-1", note="The parcel had left.")
        wait_until(lambda: len(shop.seen("refunds")) == 3)
    database = str(tmp_path / "refunds.sqlite")
    older = older_document(tmp_path, "RefundInstruction.2")
    assert printed(REFUNDS, shop, tmp_path, database, document=older) == []
    assert printed(REFUNDS, shop, tmp_path, database) == [TWO_REFUNDS[-1], TWO_REFUNDS[0]]


def older_document(place: pathlib.Path, *unknown: str) -> pathlib.Path:
    """The document of a release that did not know these messages."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    for name in unknown:
        del document["components"]["messages"][name]
    path = place / "older.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_the_reader_of_events_goes_on_behind_a_schema_that_it_does_not_know(
    kafka: Kafka, tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shop = opened_shop(kafka, tmp_path)
    producer = KafkaProducer(bootstrap_servers=shop.servers)
    for value in (b"\x00\x00\x01\x86\x9f of a later release", b"\x07 framed otherwise"):
        headers = [("ce_type", b"rescind.order.Teleported")]
        producer.send(f"{shop.prefix}.order-events", value, b"acme/PO-1", headers, 0).get(30)
    producer.close(10)
    lines = printed(EVENTS, shop, tmp_path, document=older_document(tmp_path, "AutoCanceled.1"))
    assert len(lines) == 8
    assert any("RefundDue" in line for line in lines)
    skipped = capfd.readouterr().err.splitlines()
    assert sum("skipped rescind.order.AutoCanceled, schema 115" in line for line in skipped) == 2
    assert sum("skipped rescind.order.Teleported, schema 99999" in line for line in skipped) == 1
    assert len([line for line in skipped if line.startswith("skipped")]) == 4


def test_an_instruction_of_an_unknown_schema_is_stored_and_carried_out_once_it_is_known(
    shop: Shop, tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    database, refunds = str(tmp_path / "refunds.sqlite"), REFUNDS.replace('"payments"', '"payments later"')
    older = older_document(tmp_path, "RefundInstruction.2")
    assert printed(refunds, shop, tmp_path, database, document=older) == []
    assert capfd.readouterr().err.count("stored for later: schema 6 is not in") == 2
    assert sorted(printed(refunds, shop, tmp_path, database)) == TWO_REFUNDS
    assert printed(refunds, shop, tmp_path, database) == []


def test_published_records_have_the_headers_of_the_document(shop: Shop) -> None:
    for kind in ("order-events", "refunds", "restock", "notifications"):
        records = shop.seen(kind)
        assert records
        for record in records:
            contract = contract_of(int.from_bytes(record.value[1:5], "big"))
            made = PublicRecord(kind, record.key, record.value, tuple(record.headers))
            agrees(made, f"{contract.name.rpartition('.')[2]}.{contract.version}")
