"""Create and check the topics of a journal.

Every setting that a journal depends on is set on its topics and never inherited from the cluster's defaults: no record
is deleted, no acknowledged record is lost in an election, and timestamps are the broker's. ``docs/reference/topics.md``
gives the reason for each setting.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from consumers.ports.journal import RECORD_LIMIT, JournalMismatch, JournalUnavailable
from infra.addresses.kafka import KafkaAt, Security
from infra.kafka.client import OVERHEAD
from infra.kafka.kafka_python import connection
from infra.kafka.quiet_import import (
    CONNECTION_ERRORS,
    ConfigResource,
    ConfigResourceType,
    KafkaAdminClient,
    KafkaError,
    OffsetSpec,
    TopicAlreadyExistsError,
    TopicPartition,
)
from infra.kafka.refusals import DENIED, client_name, code_of, denied, hidden, why

PARTITIONS: Final = 12
"""Partitions of a new journal, unless its URL names another number. The number can never change."""
REPLICAS: Final = 3
"""Replicas of a new topic, if the cluster has that many brokers."""
LARGEST: Final = 1_048_588
"""``max.message.bytes``: Kafka's own default. It has room for the largest record and its overhead."""
assert LARGEST >= RECORD_LIMIT + OVERHEAD

_TIMEOUT: Final = 30_000
_UNKNOWN_TOPIC: Final = 3


def wanted_settings(replicas: int) -> dict[str, str]:
    """Every setting of a log's topic that has this number of replicas."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "max.message.bytes": str(LARGEST),
        "min.insync.replicas": "2" if replicas >= 3 else "1",
        "unclean.leader.election.enable": "false",
        "message.timestamp.type": "LogAppendTime",
        "compression.type": "uncompressed",
    }


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding about a topic. ``wrong``: acknowledged records may be lost, or nothing works. ``note``: worth a look.

    The fields are the keys of ``rescind topics check --json``.
    """

    topic: str
    what: str
    wanted: str
    found: str
    state: Literal["ok", "note", "wrong"]
    do: str = ""


class Topics:
    """The two topics of one journal on one cluster. Close it after use."""

    def __init__(self, at: KafkaAt, security: Security) -> None:
        """JournalUnavailable if the brokers do not answer."""
        self.at = at
        self._security = security
        try:
            self._admin = KafkaAdminClient(**connection(at.servers, security), bootstrap_timeout_ms=5_000)
        except (KafkaError, OSError) as error:
            raise self._unavailable(error) from error

    def close(self) -> None:
        self._admin.close()

    def partitions(self) -> dict[str, int | None]:
        """Map each topic to its number of partitions. None if it is missing."""
        found = self._described()
        return {name: None if topic is None else len(topic["partitions"]) for name, topic in found.items()}

    def create(self, partitions: int, replicas: int | None = None) -> list[str]:
        """Create the missing topics with all their settings. Returns their names.

        ``replicas`` None: 3, or the number of brokers if there are fewer. JournalMismatch if only one of the two topics
        exists, or the cluster has too few brokers.
        """
        existing = self.partitions()
        missing = [name for name, count in existing.items() if count is None]
        self._check_creatable(missing, list(existing))
        brokers = self._brokers()
        replicas = min(REPLICAS, brokers) if replicas is None else replicas
        if replicas > brokers:
            raise JournalMismatch(f"{replicas} replicas need {replicas} brokers, and {self.at.servers} has {brokers}")
        if not missing:
            return []
        wanted = {name: self._wanted_partitions(name, partitions) for name in missing}
        new = {
            name: {
                "num_partitions": count,
                "replication_factor": replicas,
                "configs": self.wanted_settings(name, replicas),
            }
            for name, count in wanted.items()
        }
        try:
            self._admin.create_topics(new, timeout_ms=_TIMEOUT)
        except TopicAlreadyExistsError:  # another process created them at the same time
            missing = []
        except KafkaError as error:
            needs = "Create on the cluster, or on topics of this prefix," if code_of(error) in DENIED else ""
            raise self._unavailable(error, needs) from error
        try:
            self._admin.wait_for_topics(list(existing), timeout_ms=_TIMEOUT)
        except KafkaError as error:
            raise self._unavailable(error) from error
        return missing

    def check(self, partitions: int | None = None) -> list[Finding]:
        """Compare the topics with what a journal needs. ``partitions`` None: any number of partitions is right for the
        journal."""
        findings: list[Finding] = []
        for name, topic in self._described().items():
            if topic is None:
                do = self._when_missing(name) + hidden(name, self._security)
                findings.append(Finding(name, "topic", "there", "missing", "wrong", do))
                continue
            count = len(topic["partitions"])
            want = self._wanted_partitions(name, partitions or count)
            findings.append(_compared(name, "partitions", str(want), str(count), self._when_other_partitions(name)))
            findings += self._replicas(name, topic)
            findings += self._settings(name, min(len(part["replica_nodes"]) for part in topic["partitions"]))
            if name in self.complete:
                findings.append(self._front(name, count))
        return findings

    # ---- what subclasses override ------------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """The topics to create or check."""
        return [self.at.control, self.at.journal]

    @property
    def complete(self) -> list[str]:
        """The topics that must have every record from the first one on."""
        return self.names

    restore: ClassVar = "stop every engine, keep local state, and restore the topic from a copy that begins at offset 0"
    """What to do if records are missing at the beginning."""

    def wanted_settings(self, name: str, replicas: int) -> dict[str, str]:
        """Every setting of a topic that has this number of replicas."""
        return wanted_settings(replicas)

    def _when_missing(self, name: str) -> str:
        """What to do if this topic does not exist."""
        return "if it never existed, `rescind topics create`; otherwise restore it"

    def _when_other_partitions(self, name: str) -> str:
        """What to do if this topic has the wrong number of partitions."""
        return "remove ?partitions from the journal's URL; if somebody changed the topic, restore it from a copy"

    def _check_creatable(self, missing: list[str], names: list[str]) -> None:
        if missing and len(missing) < len(names):
            raise JournalMismatch(
                f"{missing[0]} is missing, but {next(name for name in names if name not in missing)} exists: restore "
                "the missing topic; a new one would begin another history"
            )

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _wanted_partitions(self, name: str, partitions: int) -> int:
        return 1 if name == self.at.control else partitions

    def _described(self) -> dict[str, Any]:
        names = self.names
        try:
            found = {topic["name"]: topic for topic in self._admin.describe_topics(names)}
        except KafkaError as error:
            raise self._unavailable(error, f"Describe on the topics {', '.join(names)}") from error
        described: dict[str, Any] = {}
        for name in names:
            topic = found[name]
            if topic["error_code"] in DENIED:
                needs = f"Describe on the topic {name}"
                raise JournalUnavailable(denied(topic["error_code"], self._security, needs))
            if topic["error_code"] not in (0, _UNKNOWN_TOPIC):
                raise JournalUnavailable(f"the brokers answer with error {topic['error_code']} to a query for {name}")
            described[name] = topic if topic["error_code"] == 0 else None
        return described

    def _brokers(self) -> int:
        try:
            return len(self._admin.describe_cluster()["brokers"])
        except KafkaError as error:
            raise self._unavailable(error, "Describe on the cluster") from error

    def _replicas(self, name: str, topic: Mapping[str, Any]) -> list[Finding]:
        least = min(len(part["replica_nodes"]) for part in topic["partitions"])
        state: Literal["ok", "note"] = "ok" if least >= REPLICAS else "note"
        more = (
            "" if state == "ok" else "one broker's disk is the only copy" if least == 1 else "spread it over 3 brokers"
        )
        found = [Finding(name, "replicas", str(REPLICAS), str(least), state, more)]
        behind = [part for part in topic["partitions"] if len(part["isr_nodes"]) < len(part["replica_nodes"])]
        if behind:
            numbers = ", ".join(str(number) for number in sorted(part["partition_index"] for part in behind))
            what = f"partitions {numbers} have fewer"
            found.append(Finding(name, "in sync", "all replicas", what, "note", "check whether a broker is down"))
        return found

    def _settings(self, name: str, replicas: int) -> list[Finding]:
        wanted = self.wanted_settings(name, replicas)
        resource = ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(wanted))
        try:
            configs = self._admin.describe_configs([resource], config_filter="all")["topic"][name]
        except KafkaError as error:
            raise self._unavailable(error, f"DescribeConfigs on the topic {name}") from error
        if not configs:  # this client does not report that access was denied
            allow = f"allow DescribeConfigs on the topic {name} to {client_name(self._security)}"
            return [Finding(name, "settings", "to be seen", "hidden", "wrong", allow)]
        findings = []
        for key, value in wanted.items():
            has = str(configs.get(key, {}).get("value"))
            larger = key in _AT_LEAST and has.isdecimal() and int(has) >= int(value)
            set_it = (
                f"kafka-configs --bootstrap-server {self.at.servers} --alter --topic {name} --add-config {key}={value}"
            )
            findings.append(_compared(name, key, value, value if larger else has, set_it, shown=has))
        return findings

    def _front(self, name: str, partitions: int) -> Finding:
        places = [TopicPartition(name, partition) for partition in range(partitions)]
        try:
            begins = self._admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST), timeout_ms=_TIMEOUT)
        except KafkaError as error:
            raise self._unavailable(error, f"Describe on the topic {name}") from error
        cut = [f"{of.partition} at {at.offset}" for of, at in sorted(begins.items()) if at.offset > 0]
        found = f"partition {', '.join(cut)}" if cut else "0"
        return _compared(name, "first offset", "0", found, self.restore)

    def _unavailable(self, error: Exception, needs: str = "") -> JournalUnavailable:
        reason = why(error, self._security, needs, CONNECTION_ERRORS)
        return JournalUnavailable(f"{self.at.servers} cannot be queried: {reason}")


class OneTopic(Topics):
    """A log's topic that is alone, such as one of an eventsourcing application."""

    def __init__(self, at: KafkaAt, name: str, security: Security) -> None:
        super().__init__(at, security)
        self._name = name

    @property
    def names(self) -> list[str]:
        return [self._name]


_AT_LEAST: Final = frozenset({"max.message.bytes", "min.insync.replicas"})
"""Settings whose value may be larger than needed."""


def _compared(topic: str, what: str, wanted: str, found: str, do: str, *, shown: str | None = None) -> Finding:
    right = wanted == found
    return Finding(topic, what, wanted, shown or found, "ok" if right else "wrong", "" if right else do)
