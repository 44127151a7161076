"""Settings: environment variables ``RESCIND_…`` override a TOML file (``--config FILE`` or ``RESCIND_CONFIG``), which
overrides the defaults.

Every setting is described here once, and ``docs/reference/settings.md`` is generated from these fields. Command-line
options override all of them. Secrets come from the environment or a file of their own only. A wrong setting raises
``SettingsError``, which names the key.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as SourceError

from domain.calendar import parse_length
from domain.marketplace_settings import DEFAULT_MARKET, MarketSettings
from infra.addresses.kafka import KafkaAt, Security, Timings, kafka_at
from infra.addresses.postgresql import SCHEME as POSTGRESQL
from infra.addresses.postgresql import PostgresqlAt, postgresql_at

if TYPE_CHECKING:
    from infra.addresses.smtp import SmtpAt

CONFIG: Final = "RESCIND_CONFIG"
"""The environment variable with the path of the settings file."""
PROCESS_URL: Final = re.compile(r"https?://([A-Za-z0-9.\-]{1,253}|\[[0-9a-fA-F:]{2,45}\]):[0-9]{1,5}", re.ASCII)
"""An address that a process may advertise: scheme, host and port, nothing else."""
MOST_PARTITIONS: Final = 400
"""The most partitions of an embedded journal."""


class SettingsError(ValueError):
    """A setting is wrong. The message names its key and says what value it takes."""


# ---- where things are ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JournalAt:
    """A parsed journal URL. ``partitions`` is None if the URL names no number.

    ``directory`` has the files of an embedded journal. With a journal on Kafka (``kafka``) it has this process's own
    files, from the setting ``directory`` (None in a URL parsed alone). None for ``memory:``.
    """

    directory: Path | None
    partitions: int | None
    kafka: KafkaAt | None = None


@dataclass(frozen=True, slots=True)
class ViewsAt:
    """A parsed views URL: a file, or a database on a server. Both are None for ``memory:``."""

    path: Path | None
    postgresql: PostgresqlAt | None = None
    own: bool = False
    """The path is the default one, so whatever file is there was created by rescind."""

    @property
    def persistent(self) -> bool:
        """Whether the views outlive their process."""
        return self.path is not None or self.postgresql is not None

    def __str__(self) -> str:
        return "memory:" if not self.persistent else str(self.postgresql or self.path)


@dataclass(frozen=True, slots=True)
class VaultAt:
    """The place of the vault: a file, or a database on a server. Both are None if it ends with its process."""

    path: Path | None
    postgresql: PostgresqlAt | None = None

    def __str__(self) -> str:
        return str(self.postgresql or self.path or "memory:")


_PARTITIONS: Final = re.compile(r"\?partitions=([0-9]{1,4})$", re.ASCII)
_KAFKA: Final = "kafka://"
_JOURNALS: Final = "write memory:, sqlite:///DIRECTORY or kafka://HOST:PORT/PREFIX, each optionally with ?partitions=N"
_VAULTS: Final = "write the path of an SQLite file, or postgresql://USER@HOST:PORT/DATABASE"
_VIEWS: Final = "write memory:, sqlite:///FILE or postgresql://USER@HOST:PORT/DATABASE"


def journal_at(url: str) -> JournalAt:
    """Parse a journal URL: ``memory:``, ``sqlite:///DIR`` or ``kafka://HOST:PORT[,HOST:PORT]/PREFIX``, each optionally
    with ``?partitions=N``. ValueError says which URLs are possible."""
    partitions = None
    place = url
    if found := _PARTITIONS.search(url):
        partitions = int(found[1])
        place = url[: found.start()]
        if not 1 <= partitions <= MOST_PARTITIONS:
            raise ValueError(f"a journal has 1 to {MOST_PARTITIONS} partitions, not {partitions}")
    if place == "memory:":
        return JournalAt(None, partitions)
    if place.startswith(_KAFKA):
        return JournalAt(None, partitions, kafka_at(place.removeprefix(_KAFKA)))
    return JournalAt(Path(_after_slashes(place, _JOURNALS)), partitions)


def views_at(url: str) -> ViewsAt:
    """Parse a views URL: ``memory:``, ``sqlite:///FILE`` or ``postgresql://…``. ValueError says which URLs are
    possible."""
    if url.startswith(POSTGRESQL):
        return ViewsAt(None, postgresql_at(url))
    return ViewsAt(None) if url == "memory:" else ViewsAt(Path(_after_slashes(url, _VIEWS)))


def vault_at(place: str) -> VaultAt:
    """Parse the place of the vault: an SQLite file, also as ``sqlite:///FILE``, or ``postgresql://…``. ValueError."""
    if place.startswith(POSTGRESQL):
        return VaultAt(None, postgresql_at(place))
    return VaultAt(Path(_after_slashes(place, _VAULTS) if "://" in place else place))


def publish_at(url: str) -> KafkaAt | None:
    """Parse the setting ``publish``: ``off``, ``on`` or ``kafka://HOST:PORT/PREFIX`` (None for the first two).
    ValueError."""
    if url in ("off", "on"):
        return None
    if not url.startswith(_KAFKA):
        raise ValueError(f"{url!r} is not off, on or kafka://HOST:PORT/PREFIX")
    return kafka_at(url.removeprefix(_KAFKA))


def _after_slashes(url: str, expected_form: str) -> str:
    scheme, slashes, path = url.partition(":///")
    if scheme != "sqlite" or not slashes:
        raise ValueError(f"{url!r} cannot be opened: {expected_form}")
    if not path or "?" in path:
        raise ValueError(f"{url!r} has no path: {expected_form}")
    return path


def _elapsed(text: str) -> None:
    if parse_length(text).unit == "business days":
        raise ValueError("must be a time without days off: N minutes, N hours or N days")


def _validated_by(judge: Any) -> BeforeValidator:
    def check(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError("must be a string")
        judge(value)
        return value

    return BeforeValidator(check)


# ---- marketplaces ----------------------------------------------------------------------------------------------------


def _holiday(value: object) -> object:
    """Dates are dates in TOML, and text in JSON and the environment."""
    return value.isoformat() if type(value) is date else value


class Marketplace(BaseModel):
    """One marketplace. Keys that are left out come from ``[marketplaces.default]``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    timezone: str | None = Field(
        None, description="IANA time zone, like `Europe/Berlin`. Pinned on each order. Default: `UTC`."
    )
    weekend: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] | None = Field(
        None, description='Days off in every week. Pinned on each order. Default: `["sat", "sun"]`.', strict=False
    )
    holidays: tuple[Annotated[str, BeforeValidator(_holiday)], ...] | None = Field(
        None, description="Single days off, as dates. Pinned on each order. Default: none.", strict=False
    )
    holiday_calendar: str | None = Field(
        None, description="A code of the holidays package, like `DE` or `US-CA`. Pinned on each order. Default: none."
    )
    policy: str | None = Field(
        None,
        description="The policy of orders that name none: `id` or `id@version`. Default: none, and every order has to "
        "name its own.",
    )
    contact: str | None = Field(None, description="How people reach the marketplace, as shown to them.")
    arbitration_fee: str | None = Field(None, description="The cost of arbitration, as shown to people.")
    personal_ids: bool | None = Field(
        None,
        description="Whether new ids may hold e-mail addresses. They could never be erased. Default: `false`.",
    )

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str | None) -> str | None:
        if value is not None:
            from domain.calendar import zone_to_pin

            zone_to_pin(value)
        return value

    @field_validator("weekend")
    @classmethod
    def _leaves_a_day(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and len(set(value)) == 7:
            raise ValueError("a week needs a working day: name at most six days, or no deadline in business days ends")
        return value

    @field_validator("holidays")
    @classmethod
    def _are_dates(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else tuple(date.fromisoformat(day).isoformat() for day in value)

    @field_validator("holiday_calendar")
    @classmethod
    def _is_a_calendar(cls, value: str | None) -> str | None:
        if value is not None:
            from domain.calendar import holiday_calendar

            holiday_calendar(value)
        return value

    @field_validator("policy")
    @classmethod
    def _is_a_policy_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[a-z0-9][a-z0-9\-]{0,63}(@[0-9]{1,9})?", value, re.ASCII):
            raise ValueError(f"{value!r} is not the name of a policy: write id or id@version")
        return value

    @property
    def given(self) -> dict[str, Any]:
        """The keys that are set, and their values."""
        return {key: value for key, value in self if value is not None}


MarketName = Annotated[str, Field(pattern=r"^[a-z0-9\-]{1,64}$")]

# ---- all of it -------------------------------------------------------------------------------------------------------


_file_content: ContextVar[Mapping[str, Any]] = ContextVar("settings file", default=MappingProxyType({}))
"""The content of the settings file while ``Settings`` is constructed. Settings sources take no arguments."""


class Settings(BaseSettings):
    """All settings. Each key is also an environment variable: ``RESCIND_`` and the key in capitals."""

    model_config = SettingsConfigDict(env_prefix="RESCIND_", extra="forbid", frozen=True, validate_default=False)

    journal: Annotated[str, _validated_by(journal_at)] = Field(
        "sqlite:///var/journal",
        description="The journal: `sqlite:///DIRECTORY` (relative to the working directory; with a fourth slash "
        "absolute), `kafka://HOST:PORT[,HOST:PORT]/PREFIX`, or `memory:`, which ends with its process. `?partitions=N` "
        "sets the number of partitions when the journal is created.",
    )
    directory: str | None = Field(
        None,
        description="With a journal on Kafka: the directory of this process's local state, and of the vault and the "
        "views unless other settings name them. Default: `var/PREFIX`.",
    )
    views: Annotated[str, _validated_by(views_at)] | None = Field(
        None,
        description="The views: `sqlite:///FILE`, `postgresql://USER@HOST:PORT/DATABASE` (several engines may share "
        "them; put the password into libpq's `PGPASSWORD` or `PGPASSFILE`), or `memory:`. Default: "
        "`views.sqlite` in the journal's directory.",
    )
    synchronous: Literal["full", "normal"] = Field(
        "full",
        description="`full`: acknowledged writes survive a power cut. `normal`: they survive a crash of the process, "
        "but not always one of the machine.",
    )
    vault: Annotated[str, _validated_by(vault_at)] | None = Field(
        None,
        description="The vault: an SQLite file, or `postgresql://USER@HOST:PORT/DATABASE`, which several engines may "
        "share. Default: `vault.sqlite` in the journal's directory.",
    )
    vault_key: SecretStr | None = Field(
        None,
        description="The vault's key-encryption key: 32 bytes in base64. Environment only. Default: the key file.",
    )
    vault_key_file: str | None = Field(
        None,
        description="The file with the vault's key. Default: `vault.key` in the journal's directory, created at first "
        "use and readable only by its owner.",
    )
    clock_limit: Annotated[float, Field(gt=0, le=3600)] = Field(
        5.0,
        description="Seconds by which the engine's clock may differ from the journal's append times. Beyond that, "
        "commands get `clock-off`.",
    )
    commands_in_flight: Annotated[int, Field(ge=1, le=65_536)] = Field(
        2048, description="The most commands that may wait for an answer at the same time."
    )
    answer_within: Annotated[float, Field(gt=0, le=600)] = Field(
        30.0, description="Seconds to wait for a command's answer before its outcome is reported as unknown."
    )
    orders_at_hand: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        16_384, description="Folded orders cached in memory, about 10 KB each. Others are read from the log."
    )
    kafka_client: Literal["kafka-python", "librdkafka"] = Field(
        "kafka-python", description="The client library for Kafka. `librdkafka` needs the extra of the same name."
    )
    append_within: Annotated[float, Field(ge=2, le=600)] = Field(
        20.0,
        description="Seconds that an append to Kafka may take, including the election of a new leader. After that, the "
        "engine reads the log to find out whether the record was written.",
    )
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="The protocol of connections to the brokers."
    )
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="The SASL mechanism with which this process authenticates to the brokers."
    )
    kafka_user: str | None = Field(None, description="The user name for SASL.")
    kafka_password: SecretStr | None = Field(None, description="The password for SASL. Environment only.")
    kafka_ca_file: str | None = Field(
        None, description="PEM file of the authority that signed the brokers' certificates."
    )
    kafka_certificate_file: str | None = Field(None, description="PEM file of this process's certificate.")
    kafka_key_file: str | None = Field(None, description="PEM file of the certificate's private key.")
    publish: Annotated[str, _validated_by(publish_at)] = Field(
        "off",
        description="Public topics for other services, written by `rescind serve`: `on` with a journal on Kafka, or "
        "`kafka://HOST:PORT[,HOST:PORT]/PREFIX` for any journal.",
    )
    commands: Literal["off", "on"] = Field(
        "off",
        description="`on`: `rescind serve` also takes commands from the topic `commands`, and answers them on the "
        "topic `outcomes`. Both have the prefix of the journal on Kafka, or else of the public topics.",
    )
    commands_member: Annotated[str, Field(pattern=r"^[A-Za-z0-9._\-]{1,100}$")] | None = Field(
        None,
        description="This process's name in the group that takes commands from the topic. It must be unique, and the "
        "same after a restart. Default: derived from the host and the directory.",
    )
    post: Literal["outbox", "smtp", "topic", "off"] | None = Field(
        None,
        description="How `rescind serve` notifies buyers and sellers: `outbox` writes mails as files, `smtp` sends "
        "them through a mail server, `topic` leaves them to consumers of the topic `notifications`, `off` notifies "
        "nobody. Default: `outbox` with an embedded journal, `topic` if public topics are written, otherwise `off`.",
    )
    outbox: str | None = Field(
        None, description="Directory of the mails written as files. Default: `outbox` in the journal's directory."
    )
    mail_from: str = Field("rescind <rescind@localhost>", description="The sender of mails, with or without a name.")
    public_url: str | None = Field(
        None,
        description="Address of the pages for people, like `https://orders.example.org`. Without it, mails have no "
        "links.",
    )
    smtp_host: str | None = Field(None, description="The host of the mail server.")
    smtp_port: Annotated[int, Field(ge=1, le=65_535)] = Field(587, description="The port of the mail server.")
    smtp_tls: Literal["none", "starttls", "tls"] = Field(
        "starttls",
        description="Encryption of the connection: after the greeting (`starttls`), from the start (`tls`), or `none`.",
    )
    smtp_user: str | None = Field(None, description="The user name for the mail server.")
    smtp_password: SecretStr | None = Field(None, description="The password for the mail server. Environment only.")
    smtp_ca_file: str | None = Field(
        None, description="PEM file of the authority that signed the mail server's certificate."
    )
    confirmed_within: Annotated[str, _validated_by(parse_length)] = Field(
        "2 days",
        description="A cancellation confirmation is sent again if its delivery was not confirmed within this time. "
        "`[both-told] confirmed-within` of the order's policy overrides this.",
    )
    remind_before: Annotated[str, _validated_by(_elapsed)] = Field(
        "24 hours",
        description="People are reminded this long before their deadline, but not in the first half of its period.",
    )
    schema_registry: str | None = Field(
        None,
        description="URL of a schema registry with Confluent's API. Public records are framed with its ids. Default: "
        "the ids that the release ships, without a registry.",
    )
    schema_registry_credentials: SecretStr | None = Field(
        None, description="`user:password` for the schema registry. Environment only."
    )
    follow: Literal["all", "share"] = Field(
        "all",
        description="Which partitions `rescind serve` follows: `all`, or the `share` that the group of all such "
        'processes assigns to it. A share needs a journal on Kafka, `commands = "on"`, views and vault in PostgreSQL, '
        "and `advertise`.",
    )
    advertise: str | None = Field(
        None,
        description="Where other processes of the group reach this one, like `http://127.0.0.1:8080`: its own address, "
        'not that of a load balancer. For `follow = "share"`, and for every process that takes commands in the same '
        "group.",
    )
    host: str = Field("127.0.0.1", description="The address on which `rescind serve` listens.")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        8080, description="The port on which it listens. 0: a free one."
    )
    limit_concurrency: Annotated[int, Field(ge=1, le=100_000)] = Field(
        256, description="Requests that are processed at the same time. Further ones get 503 and may be retried."
    )
    limit_connections: Annotated[int, Field(ge=1, le=100_000)] = Field(
        512,
        description="Connections that may be open at the same time. Further ones get 503. Each needs a file descriptor "
        "(`ulimit -n`).",
    )
    timeout_header: Annotated[float, Field(gt=0, le=600)] = Field(
        10.0,
        description="Seconds in which a request's headers must arrive. Otherwise it gets 408, and the connection is "
        "closed.",
    )
    timeout_body: Annotated[float, Field(gt=0, le=3_600)] = Field(
        30.0,
        description="Seconds in which a request's body must arrive. Otherwise it gets 408, and the connection is "
        "closed.",
    )
    timeout_keep_alive: Annotated[float, Field(gt=0, le=600)] = Field(
        5.0, description="Seconds for which a connection without a request stays open."
    )
    timeout_write: Annotated[float, Field(gt=0, le=3_600)] = Field(
        30.0, description="Seconds in which a client must read some of a response. Otherwise the connection is closed."
    )
    marketplaces: dict[MarketName, Marketplace] = Field(
        default_factory=dict,
        description="One table `[marketplaces.NAME]` for each marketplace. `[marketplaces.default]` has defaults for "
        "all, key by key.",
    )

    _markets: dict[str, MarketSettings] = PrivateAttr(default_factory=dict)
    _file: Path | None = PrivateAttr(None)

    @field_validator("public_url")
    @classmethod
    def _is_a_pages_url(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(
            r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/\-]*)?", value
        ):
            raise ValueError(f"{value!r} is not the address of the pages: write it like https://orders.example.org")
        return None if value is None else value.rstrip("/")

    @field_validator("advertise")
    @classmethod
    def _is_a_process_url(cls, value: str | None) -> str | None:
        if value is not None and not PROCESS_URL.fullmatch(value):
            raise ValueError(f"{value!r} is not the address of a process: write it like http://127.0.0.1:8080")
        return value

    @field_validator("vault_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            from infra.addresses.vault_key import key_from_text

            key_from_text(value.get_secret_value())
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            EnvSettingsSource(settings_cls),
            InitSettingsSource(settings_cls, dict(_file_content.get())),
        )

    @property
    def file(self) -> Path | None:
        """The settings file that was read, if any."""
        return self._file

    @property
    def journal_at(self) -> JournalAt:
        """The place of the journal."""
        at = journal_at(self.journal)
        if at.kafka is None:
            return at
        own = Path(self.directory) if self.directory is not None else Path("var") / at.kafka.prefix
        return replace(at, directory=own)

    @property
    def public_topics_at(self) -> KafkaAt | None:
        """The prefix of the public topics. None if nothing is published. SettingsError if no prefix is known."""
        if self.publish != "on":
            return publish_at(self.publish)
        at = self.journal_at.kafka
        if at is None:
            raise SettingsError("publish: on needs a journal on Kafka; with another one, set kafka://HOST:PORT/PREFIX")
        return at

    @property
    def commands_at(self) -> KafkaAt | None:
        """The prefix of the topics of commands and outcomes. None if no commands are taken from a topic. SettingsError
        if no prefix is known."""
        if self.commands == "off":
            return None
        at = self.journal_at.kafka or self.public_topics_at
        if at is None:
            raise SettingsError("commands: on needs topics: a journal on Kafka, or publish as kafka://HOST:PORT/PREFIX")
        return at

    @property
    def post_at(self) -> Literal["outbox", "smtp", "topic", "off"]:
        """How people are notified. SettingsError if that is not possible."""
        if self.post == "smtp" and self.smtp_host is None:
            raise SettingsError("smtp_host: the key is required if post is smtp")
        if self.post == "topic" and self.public_topics_at is None:
            raise SettingsError("post: topic needs an engine that writes public topics; set publish too")
        if self.post is not None:
            return self.post
        if self.journal_at.kafka is None:
            return "outbox"
        return "off" if self.public_topics_at is None else "topic"

    @property
    def share_url(self) -> str | None:
        """The address at which others reach a process that follows its share. None for one that follows all partitions.
        SettingsError if a share cannot be followed."""
        if self.follow == "all":
            return None
        why = "if follow is share"
        if self.journal_at.kafka is None:
            raise SettingsError(
                f"journal: must be on Kafka (kafka://HOST:PORT/PREFIX) {why}, because a group assigns the shares"
            )
        if self.commands != "on":
            raise SettingsError(
                f"commands: must be on {why}, because that topic carries commands for the other partitions"
            )
        if self.views_at.postgresql is None:
            raise SettingsError(f"views: must be in PostgreSQL {why}, because lists and searches cover all partitions")
        if self.vault_at.postgresql is None:
            raise SettingsError(f"vault: must be in PostgreSQL {why}, because the processes read one another's texts")
        if self.advertise is None:
            raise SettingsError(f"advertise: the key is required {why}, like http://127.0.0.1:8080")
        if self.post_at in ("smtp", "outbox"):
            raise SettingsError(
                f"post: cannot be {self.post_at} {why}, because the delivery store belongs to one process: leave mails "
                "to consumers of the topic notifications, or run one more process that follows all partitions and "
                "sends them"
            )
        return self.advertise

    @property
    def smtp_at(self) -> "SmtpAt":
        """The mail server."""
        from infra.addresses.smtp import SmtpAt

        password = self.smtp_password
        return SmtpAt(
            self.smtp_host or "localhost",
            self.smtp_port,
            self.mail_from,
            self.smtp_tls,
            self.smtp_user,
            None if password is None else password.get_secret_value(),
            self.smtp_ca_file,
        )

    @property
    def timings(self) -> Timings:
        """Time limits for the brokers."""
        return Timings(delivery=self.append_within, request=min(Timings.request, self.append_within / 4))

    @property
    def security(self) -> Security:
        """How to connect to the brokers."""
        password = self.kafka_password
        return Security(
            self.kafka_security,
            self.kafka_mechanism,
            self.kafka_user,
            None if password is None else password.get_secret_value(),
            self.kafka_ca_file,
            self.kafka_certificate_file,
            self.kafka_key_file,
        )

    @property
    def views_at(self) -> ViewsAt:
        """The place of the views."""
        if self.views is not None:
            return views_at(self.views)
        directory = self.journal_at.directory
        return ViewsAt(None if directory is None else directory / "views.sqlite", own=True)

    @property
    def vault_at(self) -> VaultAt:
        """The place of the vault."""
        if self.vault is not None:
            return vault_at(self.vault)
        directory = self.journal_at.directory
        return VaultAt(None if directory is None else directory / "vault.sqlite")

    def market(self, name: str) -> MarketSettings:
        """The settings of a marketplace: its own override those of ``default``, key by key."""
        found = self._markets.get(name)
        if found is None:
            tables = (self.marketplaces.get("default"), self.marketplaces.get(name))
            keys: dict[str, Any] = {}
            for table in tables:
                keys.update(table.given if table is not None else {})
            found = self._markets[name] = MarketSettings(**keys) if keys else DEFAULT_MARKET
        return found


_SECRETS: Final = {
    "vault_key": "RESCIND_VAULT_KEY or vault_key_file",
    "kafka_password": "RESCIND_KAFKA_PASSWORD",
    "schema_registry_credentials": "RESCIND_SCHEMA_REGISTRY_CREDENTIALS",
    "smtp_password": "RESCIND_SMTP_PASSWORD",
}
"""Keys that the settings file must not have, and where they belong."""


_NO_SETTINGS: Final = frozenset({"CONFIG", "CACHE", "EXAMPLES", "KAFKA_IMAGE", "NO_DOCKER", "REQUIRE", "SHARED"})
"""Variables that begin with ``RESCIND_`` but are not settings: the settings file, and the options of the tests."""


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings but are not. Each is a sentence with the setting that was probably meant."""
    known = {key.upper() for key in Settings.model_fields}
    messages = []
    for name in sorted(environment):
        prefix, found, key = name.upper().partition("RESCIND_")
        if found and not prefix and key not in known | _NO_SETTINGS:
            from difflib import get_close_matches

            meant = get_close_matches(key, known, 1, 0.8)
            instead = f"did you mean RESCIND_{meant[0]}?" if meant else "docs/reference/settings.md lists them"
            messages.append(f"{name} is not a setting and has no effect: {instead}")
    return messages


def load_settings(config: str | None = None, **options: Any) -> Settings:
    """Settings from options (None: not given), the environment, the file and the defaults, in this order.

    ``config`` is the file's path. Without it, RESCIND_CONFIG names the file. SettingsError names the wrong key.
    """
    file = config or os.environ.get(CONFIG)
    document = _document(file) if file else {}
    for secret, instead in _SECRETS.items():
        if secret in document:
            raise SettingsError(f"{file}: {secret}: the settings file must not have secrets; use {instead}")
    given = {key: value for key, value in options.items() if value is not None}
    try:
        token = _file_content.set(document)
        try:
            settings = Settings(**given)
        finally:
            _file_content.reset(token)
    except ValidationError as invalid:
        raise SettingsError(_sentence(invalid, document, file, given)) from None
    except SourceError as unreadable:
        field = re.search(r'field "(\w+)"', str(unreadable))
        name = f"RESCIND_{field[1].upper()}" if field else "RESCIND_…"
        raise SettingsError(f"{name}: cannot be read; tables are written as JSON in the environment") from None
    settings._file = Path(file) if file else None
    return settings


def _document(file: str) -> Mapping[str, Any]:
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except OSError as missing:
        raise SettingsError(
            f"the settings file {file} cannot be read ({missing.strerror}): name another with --config"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(f"the settings file {file} is not UTF-8") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        raise SettingsError(f"the settings file {file} is not TOML: {broken}") from None


def _sentence(invalid: ValidationError, document: Mapping[str, Any], file: str | None, given: Mapping[str, Any]) -> str:
    """The first error: where the value came from, its key, and what is wrong."""
    error = invalid.errors(include_url=False, include_input=False)[0]
    location = [str(step) for step in error["loc"] if step != "[key]"]
    key = ".".join(location)
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "there is no such setting; docs/reference/settings.md lists them"
    if location and location[0] in given:
        return f"--{key}: {message}"
    variable = f"RESCIND_{location[0].upper()}" if location else ""
    if variable in os.environ:
        return f"{variable}: {message}" if len(location) == 1 else f"{variable}: {key}: {message}"
    return f"{file}: {key}: {message}" if location and location[0] in document else f"{key}: {message}"
