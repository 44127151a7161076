"""Where a Kafka journal is: its URL, and the names of its topics."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from schemas.public.topics import COMMANDS, OUTCOMES

PORT: Final = 9092
PREFIX: Final = "rescind"
THERE_IS: Final = "write kafka://host:port[,host:port]/prefix, with ?partitions=N if you like"
_SERVER: Final = re.compile(r"([A-Za-z0-9._\-]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9._\-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class KafkaAt:
    """A cluster and a prefix of topics on it."""

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
        """The group of those who take them."""
        return f"{self.prefix}.engines"

    @property
    def commands(self) -> str:
        """The topic that asynchronous commands come by."""
        return f"{self.prefix}.{COMMANDS}"

    @property
    def outcomes(self) -> str:
        """The topic of their outcomes."""
        return f"{self.prefix}.{OUTCOMES}"

    def __str__(self) -> str:
        return f"kafka://{self.servers}/{self.prefix}"


def kafka_at(place: str) -> KafkaAt:
    """Read ``host:port[,host:port]/prefix``, what stands behind ``kafka://``; ValueError says how it is written."""
    hosts, _, prefix = place.partition("/")
    servers = []
    for host in hosts.split(","):
        if not _SERVER.fullmatch(host):
            raise ValueError(f"{host!r} is no server: {THERE_IS}")
        servers.append(host if _has_port(host) else f"{host}:{PORT}")
    prefix = prefix or PREFIX
    if not _NAME.fullmatch(prefix) or prefix.strip(".") == "":
        raise ValueError(f"{prefix!r} is no prefix of topics (letters, digits, . _ -): {THERE_IS}")
    return KafkaAt(",".join(servers), prefix)


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


@dataclass(frozen=True, slots=True)
class Security:
    """How a client shows itself to the brokers, and they to it. None: the client's default."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True)
class Timings:
    """How long things may take, in seconds."""

    ask: float = 3.0
    """An answer of a broker to a question: an end, a topic, records that are there."""
    request: float = 5.0
    """A produce request, before the client sends it again."""
    delivery: float = 20.0
    """An append, before the client gives it up: nobody knows then. Longer than the election of a new leader."""
    hold: float = 2.0
    """How long an append waits for a producer while there is none; it is refused then."""
    watch: float = 1.0
    """Between two looks at the topic's id."""
    front: float = 10.0
    """Between two looks at where the topic's partitions begin."""
    lag: float = 3.0
    """How long a record that is known to stand in the log may take to come."""
