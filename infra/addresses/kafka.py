"""The address of a Kafka journal: its URL and the names of its topics."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from schemas.public.topics import COMMANDS, OUTCOMES

PORT: Final = 9092
PREFIX: Final = "rescind"
EXPECTED_FORM: Final = "write kafka://host:port[,host:port]/prefix, optionally with ?partitions=N"
_SERVER: Final = re.compile(r"([A-Za-z0-9._\-]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9._\-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class KafkaAt:
    """A Kafka cluster and a topic prefix on it."""

    servers: str
    """Bootstrap servers, ``host:port[,host:port]``."""
    prefix: str

    @property
    def journal(self) -> str:
        """The topic of the journal."""
        return f"{self.prefix}.journal"

    @property
    def control(self) -> str:
        """The topic of the control log."""
        return f"{self.prefix}.control"

    @property
    def engines(self) -> str:
        """The consumer group of the engines that take commands from the topic."""
        return f"{self.prefix}.engines"

    @property
    def commands(self) -> str:
        """The topic of asynchronous commands."""
        return f"{self.prefix}.{COMMANDS}"

    @property
    def outcomes(self) -> str:
        """The topic of their outcomes."""
        return f"{self.prefix}.{OUTCOMES}"

    def __str__(self) -> str:
        return f"kafka://{self.servers}/{self.prefix}"


def kafka_at(place: str) -> KafkaAt:
    """Parse ``host:port[,host:port]/prefix``, the part of a URL after ``kafka://``. ValueError says what form is
    expected."""
    hosts, _, prefix = place.partition("/")
    servers = []
    for host in hosts.split(","):
        if not _SERVER.fullmatch(host):
            raise ValueError(f"{host!r} is not a server address: {EXPECTED_FORM}")
        servers.append(host if _has_port(host) else f"{host}:{PORT}")
    prefix = prefix or PREFIX
    if not _NAME.fullmatch(prefix) or prefix.strip(".") == "":
        raise ValueError(f"{prefix!r} is not a topic prefix (letters, digits, . _ -): {EXPECTED_FORM}")
    return KafkaAt(",".join(servers), prefix)


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


@dataclass(frozen=True, slots=True)
class Security:
    """How a client authenticates to the brokers, and how it checks them. None means the client's default."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True)
class Timings:
    """Time limits and intervals of a Kafka journal, in seconds."""

    query: float = 3.0
    """A broker's answer to a query: an end offset, a topic description, records that exist."""
    request: float = 5.0
    """A produce request, before the client retries it."""
    delivery: float = 20.0
    """An append, before its outcome counts as unknown. Longer than the election of a new leader."""
    hold: float = 2.0
    """How long an append waits for a producer while none is connected. After that it is refused."""
    check_topic: float = 1.0
    """Interval between checks of the topic's id."""
    check_begins: float = 10.0
    """Interval between checks of where the topic's partitions begin."""
    lag: float = 3.0
    """How long a record that is known to be in the log may take to arrive."""
