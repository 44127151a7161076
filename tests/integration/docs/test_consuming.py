"""The consumers of the how-to are run as they stand there, against what an engine has published."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from infra.settings import load_settings
from tests.broker.fixtures import GROUP, Kafka
from tests.integration.publishing.stage import soon
from tests.integration.publishing.test_an_engine_that_publishes import Shop

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/how-to/consume-order-events.md").read_text(encoding="utf-8")
EVENTS, REFUNDS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
DOCUMENT = ROOT / "docs/reference/asyncapi.json"


@pytest.fixture(scope="module")
def shop(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Two orders were placed, shipped in part, and so refunded in part."""
    prefix, place = kafka.prefix(), tmp_path_factory.mktemp("store")
    settings = load_settings(
        journal=f"sqlite:///{place}/journal?partitions=2", publish=f"kafka://{kafka.servers}/{prefix}"
    )
    shop = Shop(settings, kafka.servers, prefix)
    with shop.open() as app:
        shop.order(app, "PO-1")
        shop.order(app, "PO-2")
        soon(lambda: len(shop.seen("order-events")) == 10)
    return shop


def said(program: str, shop: Shop, place: pathlib.Path, *more: str) -> list[str]:
    """What a program of the page prints, one that is run anywhere."""
    words = [sys.executable, "-W", "ignore", "-c", program, shop.servers, shop.prefix, str(DOCUMENT), *more, "--once"]
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
    return done.stdout.splitlines()


def test_the_reader_of_events_prints_each_once_in_its_orders_order(shop: Shop, tmp_path: pathlib.Path) -> None:
    lines = said(EVENTS, shop, tmp_path)
    names = ["OrderPlaced", "PaymentReceived", "LinePartiallyShipped", "AutoCanceled", "RefundDue"]
    for order in ("acme/PO-1", "acme/PO-2"):
        told = [line.split(" ", 3) for line in lines if line.startswith(f"{order} ")]
        assert [(version, name) for _, version, name, _ in told] == [(str(n), e) for n, e in enumerate(names, 1)]
    assert "'amount': 7000" in lines[-1]


def test_the_payment_service_gives_each_refund_once_also_if_it_forgets_where_it_was(
    shop: Shop, tmp_path: pathlib.Path
) -> None:
    database = str(tmp_path / "refunds.sqlite")
    assert sorted(said(REFUNDS, shop, tmp_path, database)) == [
        "PO-1: refund-1, 7000 USD minor units",
        "PO-2: refund-1, 7000 USD minor units",
    ]
    again = REFUNDS.replace('"payments"', '"payments that forgot"')
    assert said(again, shop, tmp_path, database) == []


def test_the_document_has_the_schema_of_every_record_that_was_published(shop: Shop) -> None:
    messages = json.loads(DOCUMENT.read_text(encoding="utf-8"))["components"]["messages"].values()
    ids = {message["x-schema-id"] for message in messages if "x-schema-id" in message}
    for kind in ("order-events", "refunds", "restock"):
        assert {int.from_bytes(record.value[1:5], "big") for record in shop.seen(kind)} <= ids
