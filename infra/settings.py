"""Settings: environment ``RESCIND_…`` over a TOML file (``--config FILE`` or ``RESCIND_CONFIG``) over defaults.

Every setting is described here, once; ``docs/reference/settings.md`` is written from these fields. Options of the
command line go before all of them. Secrets come by environment or file only. What is wrong is a ``SettingsError`` that
names the key.
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
"""The environment variable that names the settings file."""
PROCESS_URL: Final = re.compile(r"https?://([A-Za-z0-9.\-]{1,253}|\[[0-9a-fA-F:]{2,45}\]):[0-9]{1,5}", re.ASCII)
"""What a process may advertise: scheme, host and port, and nothing behind them."""
MOST_PARTITIONS: Final = 400
"""As many as an embedded journal can have."""


class SettingsError(ValueError):
    """A setting is wrong; the message names its key and says what it takes."""


# ---- where things are ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JournalAt:
    """A journal URL, read: ``partitions`` is None where it names none.

    ``directory`` is where the files are: all of an embedded journal; of one on Kafka (``kafka``) what is this process's
    own, as the setting ``directory`` says (None before the settings are asked). None for ``memory:``.
    """

    directory: Path | None
    partitions: int | None
    kafka: KafkaAt | None = None


@dataclass(frozen=True, slots=True)
class ViewsAt:
    """A views URL, read: a file, or a database of a server; both None for ``memory:``."""

    path: Path | None
    postgresql: PostgresqlAt | None = None
    own: bool = False
    """Nobody named the file: it is where this program keeps its views by itself, whatever it looks like."""

    @property
    def kept(self) -> bool:
        """Whether they outlive their process."""
        return self.path is not None or self.postgresql is not None

    def __str__(self) -> str:
        return "memory:" if not self.kept else str(self.postgresql or self.path)


@dataclass(frozen=True, slots=True)
class VaultAt:
    """Where the vault is: a file, or a database of a server; both None where it ends with its process."""

    path: Path | None
    postgresql: PostgresqlAt | None = None

    def __str__(self) -> str:
        return str(self.postgresql or self.path or "memory:")


_PARTITIONS: Final = re.compile(r"\?partitions=([0-9]{1,4})$", re.ASCII)
_KAFKA: Final = "kafka://"
_JOURNALS: Final = (
    "this release has memory:, sqlite:///DIRECTORY and kafka://HOST:PORT/PREFIX, each with ?partitions=N if you like"
)
_VAULTS: Final = "this release has an SQLite file and postgresql://USER@HOST:PORT/DATABASE"
_VIEWS: Final = "this release has memory:, sqlite:///FILE and postgresql://USER@HOST:PORT/DATABASE"


def journal_at(url: str) -> JournalAt:
    """Read a journal URL: ``memory:``, ``sqlite:///DIR`` or ``kafka://HOST:PORT[,HOST:PORT]/PREFIX``, each with
    ``?partitions=N``; ValueError says what there is."""
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
    """Read a views URL: ``memory:``, ``sqlite:///FILE`` or ``postgresql://…``; ValueError says what there is."""
    if url.startswith(POSTGRESQL):
        return ViewsAt(None, postgresql_at(url))
    return ViewsAt(None) if url == "memory:" else ViewsAt(Path(_after_slashes(url, _VIEWS)))


def vault_at(place: str) -> VaultAt:
    """Read where the vault is: an SQLite file, also as ``sqlite:///FILE``, or ``postgresql://…``; ValueError."""
    if place.startswith(POSTGRESQL):
        return VaultAt(None, postgresql_at(place))
    return VaultAt(Path(_after_slashes(place, _VAULTS) if "://" in place else place))


def publish_at(url: str) -> KafkaAt | None:
    """Read where to publish: ``off``, ``on`` or ``kafka://HOST:PORT/PREFIX`` (None for the first two); ValueError."""
    if url in ("off", "on"):
        return None
    if not url.startswith(_KAFKA):
        raise ValueError(f"{url!r} is neither off, on, nor kafka://HOST:PORT/PREFIX")
    return kafka_at(url.removeprefix(_KAFKA))


def _after_slashes(url: str, there_is: str) -> str:
    scheme, slashes, path = url.partition(":///")
    if scheme != "sqlite" or not slashes:
        raise ValueError(f"{url!r} cannot be opened: {there_is}")
    if not path or "?" in path:
        raise ValueError(f"{url!r} names no place: {there_is}")
    return path


def _elapsed(text: str) -> None:
    if parse_length(text).unit == "business days":
        raise ValueError("is a length of time that has no days off: N minutes, N hours or N days")


def _judged(judge: Any) -> BeforeValidator:
    def check(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError("must be a string")
        judge(value)
        return value

    return BeforeValidator(check)


# ---- marketplaces --------------------------------------------------------------------------------------------------


def _holiday(value: object) -> object:
    """TOML has dates of its own; JSON and the environment have text."""
    return value.isoformat() if type(value) is date else value


class Marketplace(BaseModel):
    """One marketplace; what is left out comes from ``[marketplaces.default]``, key by key."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    timezone: str | None = Field(
        None, description="IANA zone, like `Europe/Berlin`; pinned on each order. Default `UTC`."
    )
    weekend: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] | None = Field(
        None, description='Days off of every week; pinned. Default `["sat", "sun"]`.', strict=False
    )
    holidays: tuple[Annotated[str, BeforeValidator(_holiday)], ...] | None = Field(
        None, description="Single days off, as dates; pinned. Default none.", strict=False
    )
    holiday_calendar: str | None = Field(
        None, description="A code of the holidays package, like `DE` or `US-CA`; pinned. Default none."
    )
    policy: str | None = Field(
        None, description="The policy of orders that name none: `id` or `id@version`. Default `peer-to-peer`."
    )
    contact: str | None = Field(None, description="Where people reach the marketplace, as they are shown it.")
    arbitration_fee: str | None = Field(None, description="What arbitration costs, as it is shown.")

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str | None) -> str | None:
        if value is not None:
            from domain.calendar import zone_to_pin

            zone_to_pin(value)
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
        """What is set, by key."""
        return {key: value for key, value in self if value is not None}


MarketName = Annotated[str, Field(pattern=r"^[a-z0-9\-]{1,64}$")]

# ---- all of it -----------------------------------------------------------------------------------------------------


_file_content: ContextVar[Mapping[str, Any]] = ContextVar("settings file", default=MappingProxyType({}))
"""What the settings file says, on its way into ``Settings``: a source is made without arguments."""


class Settings(BaseSettings):
    """Everything that can be set. A key is also an environment variable: ``RESCIND_`` and the key in capitals."""

    model_config = SettingsConfigDict(env_prefix="RESCIND_", extra="forbid", frozen=True, validate_default=False)

    journal: Annotated[str, _judged(journal_at)] = Field(
        "sqlite:///var/journal",
        description="The journal: `sqlite:///DIRECTORY` (relative to where the command runs; with a fourth slash "
        "absolute), `kafka://HOST:PORT[,HOST:PORT]/PREFIX`, or `memory:`, which lives as long as its process. "
        "`?partitions=N` counts when it is created.",
    )
    directory: str | None = Field(
        None,
        description="Beside a journal on Kafka: where this process keeps its local state, and the vault and the views "
        "unless they are named. Default: `var/PREFIX`.",
    )
    views: Annotated[str, _judged(views_at)] | None = Field(
        None,
        description="The views: `sqlite:///FILE`, `postgresql://USER@HOST:PORT/DATABASE` (several engines may share "
        "them; its password stands better in libpq's `PGPASSWORD` or `PGPASSFILE`), or `memory:`. Default: "
        "`views.sqlite` in the journal's directory.",
    )
    synchronous: Literal["full", "normal"] = Field(
        "full",
        description="`full`: what is acknowledged survives a power cut. `normal`: it survives a crash of the process, "
        "not always one of the machine.",
    )
    vault: Annotated[str, _judged(vault_at)] | None = Field(
        None,
        description="The vault: an SQLite file, or `postgresql://USER@HOST:PORT/DATABASE`, which several engines may "
        "share. Default: `vault.sqlite` in the journal's directory.",
    )
    vault_key: SecretStr | None = Field(
        None,
        description="The vault's key-encryption key: 32 bytes in base64. By environment only. Default: the key file.",
    )
    vault_key_file: str | None = Field(
        None,
        description="A file with that key. Default: `vault.key` in the journal's directory, made at first use and "
        "readable by its owner only.",
    )
    clock_limit: Annotated[float, Field(gt=0, le=3600)] = Field(
        5.0,
        description="Seconds that the engine's clock may be off the journal's append times; beyond, commands get "
        "`clock-off`.",
    )
    commands_in_flight: Annotated[int, Field(ge=1, le=65_536)] = Field(
        2048, description="Commands that may wait for their answer at the same time."
    )
    answer_within: Annotated[float, Field(gt=0, le=600)] = Field(
        30.0, description="Seconds to wait for an answer before it is called unknown."
    )
    orders_at_hand: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        16_384, description="Folded orders that are kept in memory, some 10 KB each; others are read from the log."
    )
    kafka_client: Literal["kafka-python", "librdkafka"] = Field(
        "kafka-python", description="Which client speaks to Kafka. `librdkafka` needs the extra of the same name."
    )
    append_within: Annotated[float, Field(ge=2, le=600)] = Field(
        20.0,
        description="Seconds that an append to Kafka may take, a change of leaders included, before nobody waits for "
        "its answer any more and the log itself is asked what became of it.",
    )
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How brokers are spoken to."
    )
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="How this process shows itself to brokers with SASL."
    )
    kafka_user: str | None = Field(None, description="Its name there.")
    kafka_password: SecretStr | None = Field(None, description="Its password there. By environment only.")
    kafka_ca_file: str | None = Field(None, description="PEM file of the authority that brokers are trusted by.")
    kafka_certificate_file: str | None = Field(None, description="PEM file of this process's own certificate.")
    kafka_key_file: str | None = Field(None, description="PEM file of the key to it.")
    publish: Annotated[str, _judged(publish_at)] = Field(
        "off",
        description="Public topics for other services, written by `rescind serve`: `on` beside a journal on Kafka, or "
        "`kafka://HOST:PORT[,HOST:PORT]/PREFIX` for any journal.",
    )
    commands: Literal["off", "on"] = Field(
        "off",
        description="`on`: `rescind serve` takes commands from the topic `commands` too, and answers them on "
        "`outcomes`. Both stand beside the journal on Kafka, else beside the public topics.",
    )
    commands_member: Annotated[str, Field(pattern=r"^[A-Za-z0-9._\-]{1,100}$")] | None = Field(
        None,
        description="This process's name among those that take commands from the topic: no other has it, and it keeps "
        "it over restarts. Default: made of its host and its directory.",
    )
    post: Literal["outbox", "smtp", "topic", "off"] | None = Field(
        None,
        description="How buyers and sellers are told by `rescind serve`: `outbox` writes mails as files, `smtp` gives "
        "them to a mail server, `topic` leaves them to who reads the topic `notifications`, `off` tells nobody. "
        "Default: `outbox` beside an embedded journal, `topic` where public topics are written, else `off`.",
    )
    outbox: str | None = Field(
        None, description="Directory of the mails. Default: `outbox` in the journal's directory."
    )
    mail_from: str = Field("rescind <rescind@localhost>", description="The sender of mails, with or without a name.")
    public_url: str | None = Field(
        None,
        description="Where people reach the pages, like `https://orders.example.org`; without it no mail has a link.",
    )
    smtp_host: str | None = Field(None, description="The mail server.")
    smtp_port: Annotated[int, Field(ge=1, le=65_535)] = Field(587, description="Its port.")
    smtp_tls: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="How the way there is encrypted: from the greeting on (`starttls`), at once, or not."
    )
    smtp_user: str | None = Field(None, description="This process's name there.")
    smtp_password: SecretStr | None = Field(None, description="Its password there. By environment only.")
    smtp_ca_file: str | None = Field(None, description="PEM file of the authority that the server is trusted by.")
    confirmed_within: Annotated[str, _judged(parse_length)] = Field(
        "2 days",
        description="A confirmation of a cancellation is sent once more if nobody has confirmed its delivery after so "
        "long; `[both-told] confirmed-within` of the order's policy goes before it.",
    )
    remind_before: Annotated[str, _judged(_elapsed)] = Field(
        "24 hours",
        description="So long before a deadline of theirs people are reminded, but not in the first half of its time.",
    )
    schema_registry: str | None = Field(
        None,
        description="URL of a schema registry with Confluent's API, whose ids public records are framed with. Default: "
        "the ids that are shipped, without a registry.",
    )
    schema_registry_credentials: SecretStr | None = Field(
        None, description="`user:password` there. By environment only."
    )
    follow: Literal["all", "share"] = Field(
        "all",
        description="Which partitions `rescind serve` follows: `all`, or its `share`: those that the group of all such "
        'processes gives it. A share needs a journal on Kafka, `commands = "on"`, views and vault in PostgreSQL, and '
        "`advertise`.",
    )
    advertise: str | None = Field(
        None,
        description="Where other processes of the group reach this one, like `http://127.0.0.1:8080`: its own address, "
        'not that of what stands before all of them. For `follow = "share"`, and for who takes commands beside such '
        "processes.",
    )
    host: str = Field("127.0.0.1", description="Where `rescind serve` listens.")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(8080, description="Its port; 0 takes a free one.")
    limit_concurrency: Annotated[int, Field(ge=1, le=100_000)] = Field(
        256, description="Requests that are answered at the same time; further ones get 503 and may be sent again."
    )
    limit_connections: Annotated[int, Field(ge=1, le=100_000)] = Field(
        512,
        description="Connections that may be open at the same time; further ones get 503. Each takes a file descriptor "
        "(`ulimit -n`).",
    )
    timeout_header: Annotated[float, Field(gt=0, le=600)] = Field(
        10.0, description="Seconds in which a request's headers must come; else it gets 408, and the connection ends."
    )
    timeout_body: Annotated[float, Field(gt=0, le=3_600)] = Field(
        30.0, description="Seconds in which a request's body must come; else it gets 408, and the connection ends."
    )
    timeout_keep_alive: Annotated[float, Field(gt=0, le=600)] = Field(
        5.0, description="Seconds that a connection without a request is kept."
    )
    timeout_write: Annotated[float, Field(gt=0, le=3_600)] = Field(
        30.0, description="Seconds in which a client must take some of an answer; else the connection is broken off."
    )
    marketplaces: dict[MarketName, Marketplace] = Field(
        default_factory=dict,
        description="A table `[marketplaces.NAME]` each; `[marketplaces.default]` holds for all, key by key.",
    )

    _markets: dict[str, MarketSettings] = PrivateAttr(default_factory=dict)
    _file: Path | None = PrivateAttr(None)

    @field_validator("public_url")
    @classmethod
    def _is_a_place(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(
            r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/\-]*)?", value
        ):
            raise ValueError(f"{value!r} is no address of pages, like https://orders.example.org")
        return None if value is None else value.rstrip("/")

    @field_validator("advertise")
    @classmethod
    def _is_a_process(cls, value: str | None) -> str | None:
        if value is not None and not PROCESS_URL.fullmatch(value):
            raise ValueError(f"{value!r} is no address of a process, like http://127.0.0.1:8080")
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
        """The settings file they came from, if one did."""
        return self._file

    @property
    def journal_at(self) -> JournalAt:
        """Where the journal is."""
        at = journal_at(self.journal)
        if at.kafka is None:
            return at
        own = Path(self.directory) if self.directory is not None else Path("var") / at.kafka.prefix
        return replace(at, directory=own)

    @property
    def public_topics_at(self) -> KafkaAt | None:
        """Where the public topics are; None where nothing is published. SettingsError if that is nowhere."""
        if self.publish != "on":
            return publish_at(self.publish)
        at = self.journal_at.kafka
        if at is None:
            raise SettingsError("publish: on is for a journal on Kafka; name a place, kafka://HOST:PORT/PREFIX")
        return at

    @property
    def commands_at(self) -> KafkaAt | None:
        """Where commands and outcomes are; None where none are taken from a topic. SettingsError if that is nowhere."""
        if self.commands == "off":
            return None
        at = self.journal_at.kafka or self.public_topics_at
        if at is None:
            raise SettingsError("commands: on needs topics: a journal on Kafka, or publish as kafka://HOST:PORT/PREFIX")
        return at

    @property
    def post_at(self) -> Literal["outbox", "smtp", "topic", "off"]:
        """How people are told; SettingsError where that cannot be."""
        if self.post == "smtp" and self.smtp_host is None:
            raise SettingsError("smtp_host: the key is required where post is smtp")
        if self.post == "topic" and self.public_topics_at is None:
            raise SettingsError("post: topic is for an engine that writes public topics; set publish too")
        if self.post is not None:
            return self.post
        if self.journal_at.kafka is None:
            return "outbox"
        return "off" if self.public_topics_at is None else "topic"

    @property
    def share_url(self) -> str | None:
        """Where a process that follows its share is reached by the others; None for one that follows all partitions.
        SettingsError where a share cannot be followed."""
        if self.follow == "all":
            return None
        why = "where follow is share"
        if self.journal_at.kafka is None:
            raise SettingsError(f"journal: must be on Kafka (kafka://HOST:PORT/PREFIX) {why}: its group shares out")
        if self.commands != "on":
            raise SettingsError(f"commands: must be on {why}: commands for the other partitions go by that topic")
        if self.views_at.postgresql is None:
            raise SettingsError(f"views: must be in PostgreSQL {why}: lists and searches are of all partitions")
        if self.vault_at.postgresql is None:
            raise SettingsError(f"vault: must be in PostgreSQL {why}: every process reads what every other one sealed")
        if self.advertise is None:
            raise SettingsError(f"advertise: the key is required {why}, like http://127.0.0.1:8080")
        if self.post_at in ("smtp", "outbox"):
            raise SettingsError(
                f"post: cannot be {self.post_at} {why}, since the book of who was told is kept beside one process: "
                "leave it to who reads the topic notifications, or have one more process follow all partitions and send"
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
        """How long the brokers may take."""
        return Timings(delivery=self.append_within, request=min(Timings.request, self.append_within / 4))

    @property
    def security(self) -> Security:
        """How brokers are spoken to."""
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
        """Where the views are."""
        if self.views is not None:
            return views_at(self.views)
        directory = self.journal_at.directory
        return ViewsAt(None if directory is None else directory / "views.sqlite", own=True)

    @property
    def vault_at(self) -> VaultAt:
        """Where the vault is."""
        if self.vault is not None:
            return vault_at(self.vault)
        directory = self.journal_at.directory
        return VaultAt(None if directory is None else directory / "vault.sqlite")

    def market(self, name: str) -> MarketSettings:
        """The settings of a marketplace: its own over those of ``default``, key by key."""
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
"""Keys that may not stand in the settings file, and where they belong."""


_NO_SETTINGS: Final = frozenset({"CONFIG", "CACHE", "EXAMPLES", "KAFKA_IMAGE", "NO_DOCKER", "REQUIRE", "SHARED"})
"""Behind ``RESCIND_`` and no settings: which file has them, and how the program's own tests are run."""


def strangers(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none: each with what it may have been meant for, as a sentence."""
    known = {key.upper() for key in Settings.model_fields}
    told = []
    for name in sorted(environment):
        prefix, found, key = name.upper().partition("RESCIND_")
        if found and not prefix and key not in known | _NO_SETTINGS:
            from difflib import get_close_matches

            meant = get_close_matches(key, known, 1, 0.8)
            instead = f"RESCIND_{meant[0]} is one" if meant else "docs/reference/settings.md lists them"
            told.append(f"{name} is no setting and changes nothing: {instead}")
    return told


def load_settings(config: str | None = None, **options: Any) -> Settings:
    """Settings from options (None: not given), the environment, the file, the defaults, in this order.

    ``config`` is the file; without it RESCIND_CONFIG names it. SettingsError names the key that is wrong.
    """
    file = config or os.environ.get(CONFIG)
    document = _document(file) if file else {}
    for secret, instead in _SECRETS.items():
        if secret in document:
            raise SettingsError(f"{file}: {secret}: a secret does not belong in here; use {instead}")
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
    """The first error: where the value came from, its key, and what is wrong with it."""
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
