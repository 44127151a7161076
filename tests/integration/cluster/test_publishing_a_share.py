"""Publishers of a process that follows no partition yet, and of partitions that are assigned and revoked."""

from pathlib import Path

import pytest

from domain.commands import parse_command
from infra.addresses.kafka import Security, kafka_at
from infra.app import AppOptions, open_app
from infra.local_state import open_local_state
from infra.local_state.slots import state_file
from infra.publishing.runner import PublishingOptions, open_publishing
from infra.publishing.topics import PublicTopics
from infra.settings import load_settings
from tests.broker.fixtures import GROUP, Kafka
from tests.integration.http.client import placing
from tests.integration.kafka.waiting import wait_until
from tests.integration.publishing.stage import read_topic

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]

PARTITIONS = 3


def place(order: str) -> dict[str, object]:
    return {"command": "PlaceOrder", "command_id": "c1", "marketplace": "acme", **placing(order)}


def test_instructions_from_the_start_on_are_published_by_whichever_process_follows(
    kafka: Kafka, tmp_path: Path
) -> None:
    prefix = kafka.prefix()
    settings = load_settings(
        journal=kafka.url(prefix, PARTITIONS), directory=str(tmp_path), publish="on", vault=str(tmp_path / "vault")
    )
    with open_app(settings, AppOptions(views=False)) as app:  # publishes nothing yet
        orders = [f"PO-{number}" for number in range(9)]
        for order in orders:
            assert app.engine.submit(parse_command(place(order))).result(60).kind == "accepted"
        topics = PublicTopics(kafka_at(f"{kafka.servers}/{prefix}"), Security())
        topics.create(PARTITIONS)
        topics.close()
        slot = tmp_path / "state" / "0"
        publishing = open_publishing(settings, app.journal, {}, PublishingOptions())
        assert publishing._begun() == dict.fromkeys(range(PARTITIONS), True)
        assert publishing.publishers == {}
        for order in orders:
            cancel = {
                "command": "CancelLines", "command_id": "c2", "marketplace": "acme", "order_id": order,
                "actor": {"kind": "seller", "id": "s-3"}, "reason": "out_of_stock",
            }  # fmt: skip
            assert app.engine.submit(parse_command(cancel)).result(60).kind == "accepted"
        publishing.start()
        app.engine.add_listener(publishing)
        app.engine.call(lambda engine: engine.write(app.clock())).result(60)

        def refunds() -> list[str]:
            found = read_topic(kafka.servers, f"{prefix}.refunds")
            return sorted(record.key.decode() for records in found.values() for record in records)

        for _ in range(2):  # it comes, goes and comes again
            for partition, follower in app.engine.followers.items():
                path = state_file(slot, partition)
                publishing.assign(follower, open_local_state(path, partition, PARTITIONS, read_only=True).state)
            wait_until(lambda: len(refunds()) == len(orders))
            if not _:
                for partition in range(PARTITIONS):
                    publishing.revoke(partition)
                    publishing.revoke(partition)
                assert (publishing.publishers, publishing.behind, publishing.trouble) == ({}, 0, {})
        wait_until(lambda: publishing.behind == 0)
        assert refunds() == sorted(f"acme/{order}" for order in orders)
        publishing.stop()
