"""Brokers that authenticate clients: passwords, certificates and ACLs. The documented ones are enough, and a missing
one is named."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from consumers.ports.journal import JournalUnavailable
from infra.addresses.kafka import KafkaAt, Security, kafka_at
from infra.app import App, AppOptions, open_app
from infra.command_topic.topics import CommandTopics
from infra.kafka.admin import Topics
from infra.kafka.client import Client
from infra.kafka.journal import JournalOpener
from infra.kafka.kafka_python import PythonClient, open_kafka_journal
from infra.kafka.librdkafka import LibrdkafkaClient, open_librdkafka_journal
from infra.kafka.quiet_import import CONNECTION_ERRORS
from infra.publishing.topics import PublicTopics
from infra.settings import Settings, load_settings
from tests.broker.secured import MECHANISM, PASSWORD, Allowed, SecuredBroker
from tests.integration.command_topic.stage import placed
from tests.integration.publishing.stage import read_topic, wait_until
from tests.needs import require

pytestmark = [pytest.mark.java, pytest.mark.kafka]

PAGE = (Path(__file__).resolve().parents[3] / "docs/how-to/kafka.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([a-z, ]+) \| (\w+) \| `(PREFIX[^`]*)` \| ([A-Za-z, ]+) \|$", PAGE, re.MULTILINE)
CLIENTS: list[Callable[[str, str, Security], Client]] = [PythonClient, LibrdkafkaClient]
_numbers = iter(range(1, 1_000))


def documented(prefix: str, *, making: bool = False) -> list[Allowed]:
    """The ACLs of the page; ``making``: only those of the user that creates topics, else all others."""
    return [
        Allowed(kind, name.replace("PREFIX", prefix), operation)
        for purpose, kind, name, operations in ROWS
        if purpose.startswith("making") == making
        for operation in operations.split(", ")
    ]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    require("java")
    made = SecuredBroker(tmp_path_factory.mktemp("secured"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _unheard() -> None:
    CONNECTION_ERRORS.forget()


class Shop:
    """Topics of one prefix, and a user of its own."""

    def __init__(self, broker: SecuredBroker, folder: Path) -> None:
        number = next(_numbers)
        self.broker = broker
        self.folder = folder
        self.prefix, self.name = f"p{number}", f"user-{number}"
        self.principal = f"User:{self.name}"
        self.security = broker.user(self.name)
        self.open_at = kafka_at(f"{broker.open_servers}/{self.prefix}")
        self.at: KafkaAt = kafka_at(f"{broker.sasl_servers}/{self.prefix}")

    def make_topics(self) -> None:
        for topics in (Topics, PublicTopics, CommandTopics):
            with closing(topics(self.open_at, Security())) as made:
                made.create(2)

    def allow(self, *, but: Allowed | None = None) -> None:
        wanted = documented(self.prefix)
        assert but is None or but in wanted
        self.broker.allow(self.principal, [each for each in wanted if each != but])

    def settings(self, **more: Any) -> Settings:
        own = {
            "journal": f"kafka://{self.broker.sasl_servers}/{self.prefix}",
            "directory": str(self.folder),
            "publish": "on",
            "commands": "on",
            "kafka_security": "SASL_SSL",
            "kafka_mechanism": MECHANISM,
            "kafka_user": self.name,
            "kafka_password": PASSWORD,
            "kafka_ca_file": self.broker.ca_file,
        }
        return load_settings(**(own | more))

    def send(self, order: str) -> None:
        """Send a command as a user who may."""
        with closing(KafkaProducer(bootstrap_servers=self.broker.open_servers)) as producer:
            producer.send(self.at.commands, json.dumps(placed(order)).encode(), f"acme/{order}".encode()).get(30)

    def on(self, topic: str) -> list[Any]:
        found = read_topic(self.broker.open_servers, f"{self.prefix}.{topic}")
        return [record for records in found.values() for record in records]


@pytest.fixture
def shop(broker: SecuredBroker, tmp_path: Path) -> Shop:
    return Shop(broker, tmp_path)


# ---- what is documented is enough ------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", ["kafka-python", "librdkafka"])
def test_the_documented_acls_are_enough_for_journal_publishing_and_commands(shop: Shop, client: str) -> None:
    shop.make_topics()
    shop.allow()
    with open_app(shop.settings(kafka_client=client), AppOptions(publish=True, views=False)) as app:
        shop.send("PO-1")
        wait_until(lambda: len(shop.on("outcomes")) == 1)
        wait_until(lambda: len(shop.on("order-events")) == 2)
        assert json.loads(shop.on("outcomes")[0].value)["outcome"] == "accepted"
        assert app.command_topic is not None and app.publishing is not None
        assert (app.command_topic.trouble, app.publishing.trouble) == (None, {})


def test_the_documented_acls_are_enough_to_make_and_to_check_topics(shop: Shop) -> None:
    shop.broker.allow(shop.principal, documented(shop.prefix, making=True))
    for topics in (Topics, PublicTopics, CommandTopics):
        with closing(topics(shop.at, shop.security)) as made:
            made.create(2)
            assert [each for each in made.check() if each.state == "wrong"] == []


def test_a_client_certificate_is_enough(broker: SecuredBroker, shop: Shop) -> None:
    shop.make_topics()
    bearer = broker.bearer(shop.name)
    broker.allow(f"User:CN={shop.name}", [Allowed("Topic", f"{shop.prefix}.journal", "Describe")])
    for client in CLIENTS:
        found = client(broker.ssl_servers, f"{shop.prefix}.journal", bearer).describe(10)
        assert found is not None
        assert found.partitions == 2


# ---- refused connections ---------------------------------------------------------------------------------------------


CONNECTING: dict[str, tuple[str, Callable[[SecuredBroker, Security], tuple[str, Security]]]] = {
    "a wrong password": (
        "do not accept the user '{user}' with this password: check RESCIND_KAFKA_USER",
        lambda broker, good: (broker.sasl_servers, replace(good, password="another")),
    ),
    "a user that is not there": (
        "do not accept the user 'nobody' with this password",
        lambda broker, good: (broker.sasl_servers, replace(good, username="nobody")),
    ),
    "an authority that is not trusted": (
        "not signed by a trusted authority: RESCIND_KAFKA_CA_FILE is not set",
        lambda broker, good: (broker.sasl_servers, replace(good, ca_file=None)),
    ),
    "no client certificate": (
        "RESCIND_KAFKA_CERTIFICATE_FILE and RESCIND_KAFKA_KEY_FILE",
        lambda broker, good: (broker.ssl_servers, Security("SSL", ca_file=good.ca_file)),
    ),
    "TLS to a listener without": (
        "does not use TLS at this address, and RESCIND_KAFKA_SECURITY is SASL_SSL",
        lambda broker, good: (broker.open_servers, good),
    ),
    "a file that is not there": (
        "RESCIND_KAFKA_CA_FILE names /no/such.pem, which cannot be read",
        lambda broker, good: (broker.sasl_servers, replace(good, ca_file="/no/such.pem")),
    ),
    "another mechanism": (
        "RESCIND_KAFKA_MECHANISM",
        lambda broker, good: (broker.sasl_servers, replace(good, sasl_mechanism="PLAIN")),
    ),
    "no TLS where it is wanted": (
        "RESCIND_KAFKA_SECURITY",
        lambda broker, good: (broker.sasl_servers, Security()),
    ),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("case", CONNECTING)
def test_a_client_that_may_not_connect_gets_the_reason(
    shop: Shop, case: str, client: Callable[[str, str, Security], Client]
) -> None:
    expected, made = CONNECTING[case]
    servers, security = made(shop.broker, shop.security)
    wanted = [expected.format(user=shop.name)]
    if "with this password" in expected and client is PythonClient:
        # it may read the end of the connection before the broker's reason, and then names the password among others
        wanted = [f"the user '{'nobody' if 'nobody' in expected else shop.name}'", "password"]
    message = ""
    for within in (0.5, 1.0, 2.5, 5.0):  # it waits that long, and a busy machine needs longer to hear the reason
        with pytest.raises(JournalUnavailable) as raised:
            client(servers, f"{shop.prefix}.journal", security).describe(within)
        message = str(raised.value)
        if all(each in message for each in wanted):
            return
    pytest.fail(f"{wanted} is not in: {message}")


def test_creating_topics_reports_a_wrong_password_and_a_missing_acl(shop: Shop) -> None:
    with pytest.raises(JournalUnavailable, match="password"):
        Topics(shop.at, replace(shop.security, password="another"))
    CONNECTION_ERRORS.forget()
    shop.broker.allow(shop.principal, [Allowed("Topic", f"{shop.prefix}.*", "Describe")])
    with closing(Topics(shop.at, shop.security)) as topics:
        with pytest.raises(JournalUnavailable, match=r"needs Create on the cluster, or on topics of this prefix"):
            topics.create(2)
        assert any(f"it needs Describe on the topic {shop.at.journal}" in each.do for each in topics.check())
        shop.make_topics()
        (hidden,) = [each for each in topics.check() if each.topic == shop.at.journal and each.what == "settings"]
        assert hidden.do == f"allow DescribeConfigs on the topic {shop.at.journal} to the user '{shop.name}'"


@pytest.mark.parametrize("opens", [open_kafka_journal, open_librdkafka_journal])
def test_a_topic_that_is_not_there_may_only_be_hidden(shop: Shop, opens: JournalOpener) -> None:
    shop.broker.allow(shop.principal, [Allowed("Topic", f"{shop.prefix}.*", "Describe")])
    with pytest.raises(JournalUnavailable) as raised:
        opens(shop.at.servers, shop.at.journal, security=shop.security)
    assert f"there is no topic {shop.at.journal}: create it with `rescind topics create`" in str(raised.value)
    assert f"Or the user '{shop.name}' may not see it: it needs Describe on the topic {shop.at.journal}" in str(
        raised.value
    )


# ---- each ACL that is missing is named -------------------------------------------------------------------------------


def troubles(app: App) -> str:
    """The errors that a running engine reports."""
    publishing = {} if app.publishing is None else app.publishing.trouble
    commanding = None if app.command_topic is None else app.command_topic.trouble
    engine = app.engine
    return "\n".join([*publishing.values(), commanding or "", engine.unwritable or "", *dict(engine.trouble).values()])


def reported_without(shop: Shop, missing: Allowed, client: str) -> Callable[[str], bool]:
    """Run an engine without one ACL until it reports the missing one, in any way."""
    heard: list[str] = []
    settings = shop.settings(kafka_client=client, append_within=5, answer_within=2)

    def contains(what: str) -> bool:
        return any(what in each for each in heard)

    try:
        with open_app(settings, AppOptions(publish=True, views=False)) as app:
            shop.send("PO-1")
            until = time.monotonic() + 60
            while not contains("needs") and time.monotonic() < until:
                heard.append(troubles(app))
                heard += [record.value.decode() for record in shop.on("outcomes")]
                time.sleep(0.1)
    except Exception as wrong:  # noqa: BLE001 - any error may name it
        heard.append(str(wrong))
    assert contains("needs"), (missing, heard[-1:])
    return contains


@pytest.mark.parametrize("client", ["kafka-python", "librdkafka"])
@pytest.mark.parametrize("operation", ["Describe", "Read", "Write"])
def test_a_missing_acl_on_the_journal_is_named(shop: Shop, operation: str, client: str) -> None:
    missing = Allowed("Topic", f"{shop.prefix}.journal", operation)
    shop.make_topics()
    # Read and Write include Describe
    shop.broker.allow(shop.principal, [a for a in documented(shop.prefix) if a.name != missing.name])
    if operation != "Describe":
        rest = {"Describe", "Read", "Write"} - {operation}
        shop.broker.allow(shop.principal, [replace(missing, operation=each) for each in sorted(rest)])
    contains = reported_without(shop, missing, client)
    assert contains(
        f"the brokers do not allow this to the user '{shop.name}': it needs {missing.operation} on the topic"
    )


@pytest.mark.parametrize(
    ("kind", "name", "operation", "expected"),
    [
        ("Topic", "PREFIX.published", "Read", "PREFIX.published"),
        ("Topic", "PREFIX.order-events", "Write", "PREFIX.order-events"),
        ("TransactionalId", "PREFIX-*", "Write", "Write and Describe on the transactional id PREFIX-"),
        ("Topic", "PREFIX.commands", "Read", "PREFIX.commands"),
        ("Topic", "PREFIX.outcomes", "Write", "PREFIX.outcomes"),
        ("Group", "PREFIX.engines", "Read", "Read on the group PREFIX.engines"),
    ],
)
def test_a_missing_acl_of_publishing_or_commands_is_named(
    shop: Shop, kind: str, name: str, operation: str, expected: str
) -> None:
    missing = Allowed(kind, name.replace("PREFIX", shop.prefix), operation)
    shop.make_topics()
    shop.allow(but=missing)
    contains = reported_without(shop, missing, "kafka-python")
    assert contains(f"the brokers do not allow this to the user '{shop.name}': it needs")
    assert contains(expected.replace("PREFIX", shop.prefix))
