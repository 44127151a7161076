"""Engines that process commands from a topic of a real broker, here or in processes of their own; a producer and a
reader."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from kafka import KafkaProducer

from infra.addresses.kafka import KafkaAt, Security, kafka_at
from infra.app import App, AppOptions, open_app
from infra.command_topic.topics import CommandTopics
from infra.settings import Settings, load_settings
from schemas.partitioning import partition_of
from tests.broker.fixtures import Kafka
from tests.broker.topics import admin
from tests.integration.publishing.stage import Killable, read_topic, wait_until

ROOT = Path(__file__).parents[3]
TIMEOUT = 180.0
PARTITIONS = 3

Body = dict[str, Any]
LINES = [{"line": 1, "sku": "A-1", "quantity": 10, "unit_price": "10.00"}]
BUYER, SELLER = {"kind": "buyer", "id": "b-1"}, {"kind": "seller", "id": "s-1"}


def command_document(
    command: str, order_id: str, command_id: str, actor: Mapping[str, str] | None = None, **fields: Any
) -> Body:
    """A command of the marketplace acme."""
    who = actor or {"kind": "system", "id": "checkout"}
    own = {"command": command, "command_id": command_id, "marketplace": "acme", "order_id": order_id, "actor": who}
    return own | fields


def placed(order_id: str, command_id: str = "place", **fields: Any) -> Body:
    """An order of ten lamps, paid."""
    of = {"buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "policy": "seller-portal", "lines": LINES}
    return command_document("PlaceOrder", order_id, command_id, **(of | fields))


class Child(Killable):
    """An engine in a process of its own, which processes commands until it is killed."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.command_topic.child", json.dumps(settings)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )

    def joined(self) -> list[int]:
        """Wait until it is a member of the group; the partitions that it has then."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "it ended before it had joined"
        found: list[int] = json.loads(line)
        return found


class Stage:
    """A journal and command topics of one test, on the broker."""

    def __init__(self, kafka: Kafka, folder: Path, partitions: int = PARTITIONS, **settings: Any) -> None:
        prefix = kafka.prefix()
        self.at: KafkaAt = kafka_at(f"{kafka.servers}/{prefix}")
        self.folder = folder
        self.partitions = partitions
        self.journal = kafka.url(prefix, partitions)
        self.more = settings
        self.children: list[Child] = []
        self._producer: Any = None
        topics = CommandTopics(self.at, Security())
        topics.create(partitions)
        topics.close()

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for child in self.children:
            if child.process.poll() is None:
                child.thaw()
                child.kill()
        if self._producer is not None:
            self._producer.close(timeout=10)

    # ---- engines -----------------------------------------------------------------------------------------------------

    def named(self, name: str) -> dict[str, Any]:
        """The settings of the engine with this name; all share the vault."""
        own = {"journal": self.journal, "commands": "on", "directory": str(self.folder / name)}
        vault = {"vault": str(self.folder / "vault.sqlite"), "vault_key_file": str(self.folder / "vault.key")}
        return own | vault | {"commands_member": name} | self.more

    def settings(self, name: str = "one") -> Settings:
        return load_settings(**self.named(name))

    def open(self, name: str = "one") -> App:
        return open_app(self.settings(name), AppOptions(publish=True, views=False))

    def open_as(self, settings: dict[str, Any]) -> App:
        """An engine with other settings."""
        return open_app(load_settings(**settings), AppOptions(publish=True, views=False))

    def child(self, name: str) -> Child:
        child = Child(self.named(name))
        self.children.append(child)
        return child

    # ---- the producer ------------------------------------------------------------------------------------------------

    @property
    def producer(self) -> Any:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self.at.servers.split(","),
                acks="all",
                enable_idempotence=True,
                reconnect_backoff_max_ms=200,
            )
        return self._producer

    def send(self, body: Body, headers: Iterable[tuple[str, bytes]] = ()) -> tuple[int, int]:
        """A command where it belongs; its partition and offset."""
        key = f"{body['marketplace']}/{body['order_id']}"
        value = json.dumps(body).encode()
        return self.send_raw(partition_of(key, self.partitions), key.encode(), value, headers)

    def send_raw(
        self, partition: int, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]] = ()
    ) -> tuple[int, int]:
        future = self.producer.send(
            self.at.commands, key=key, value=value, partition=partition, headers=list(headers)
        )  # fmt: skip
        return partition, future.get(TIMEOUT).offset

    # ---- the reader --------------------------------------------------------------------------------------------------

    def seen(self, topic: str, *, committed: bool = True) -> list[Any]:
        """Every record of a topic, of one partition after the other."""
        found = read_topic(self.at.servers, f"{self.at.prefix}.{topic}", committed=committed)
        return [record for records in found.values() for record in records]

    def outcomes(self) -> dict[str, list[dict[str, Any]]]:
        """The outcomes by key, for a read_committed reader, with their headers under ``headers``."""
        found: dict[str, list[dict[str, Any]]] = {}
        for record in self.seen("outcomes"):
            headers = {name: value.decode() for name, value in record.headers}
            found.setdefault(record.key.decode(), []).append(json.loads(record.value) | {"headers": headers})
        return found

    def answered(self) -> list[str]:
        """Which inputs have outcomes, one entry an outcome."""
        return [dict(record.headers)["rescind-input"].decode().partition(":")[2] for record in self.seen("outcomes")]

    def group(self) -> dict[str, list[int]]:
        """The members, and which partitions each of them has."""
        with admin(self.at.servers) as admin_client:
            members = admin_client.describe_groups([self.at.engines])[self.at.engines]["members"]
        return {
            each["group_instance_id"]: [
                partition
                for part in each["member_assignment"]["assigned_partitions"]
                for partition in part["partitions"]
            ]
            for each in members
        }

    def wait_for(self, outcomes: int, timeout: float = TIMEOUT) -> dict[str, list[dict[str, Any]]]:
        """Wait until there are so many outcomes."""
        wait_until(lambda: len(self.seen("outcomes")) >= outcomes, timeout)
        return self.outcomes()


def new_name() -> str:
    """A name that is used once."""
    return uuid.uuid4().hex[:12]


__all__ = [
    "BUYER",
    "SELLER",
    "Body",
    "Callable",
    "Child",
    "Stage",
    "command_document",
    "new_name",
    "placed",
    "wait_until",
]
