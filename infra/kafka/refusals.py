"""Why brokers refuse a client, in one sentence with what to do: an ACL, a password, a certificate, the wrong port.

Both clients say most of this only by numbers, in their logs or not at all. ``why`` names the cause where it is known,
and else gives the client's own words. What is said of connections that failed, clients leave in a ``Heard``.
"""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from infra.addresses.kafka import Security

_TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID = 29, 30, 31, 53
DENIED: Final = frozenset({_TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID})
"""Kafka's error codes for an ACL that is missing."""
_PASSWORD: Final = 58
_MECHANISM: Final = frozenset({33, 34})
_PAGE: Final = "docs/how-to/kafka.md lists what is needed"
_MAX_AGE: Final = 10.0
"""Seconds for which a failed connection is taken for the reason why nothing could be asked."""
_NUMBER: Final = re.compile(r"\[Error (\d{1,3})\]")
_CREDENTIALS: Final = re.compile(
    r"SaslAuthenticationFailed|invalid credentials|SASL authentication error", re.IGNORECASE
)
_NO_MECHANISM: Final = re.compile(
    r"Unsupported ?SASL ?mechanism|mechanism .* not supported|no worthy mechs", re.IGNORECASE
)
_OTHER_HOST: Final = re.compile(r"hostname mismatch|IP address mismatch", re.IGNORECASE)
_UNTRUSTED: Final = re.compile(r"certificate.verify.failed|certificate could not be verified", re.IGNORECASE)
_NO_CERTIFICATE: Final = re.compile(r"bad.certificate|certificate.required|handshake failure", re.IGNORECASE)
_NO_TLS: Final = re.compile(
    r"UNEXPECTED_EOF_WHILE_READING|wrong.version.number|SSL routines::packet length too long|connecting to a PLAINTEXT",
    re.IGNORECASE,
)
_TLS: Final = re.compile(r"Invalid frame length|connecting to a SSL listener", re.IGNORECASE)
_HUNG_UP: Final = re.compile(r"socket disconnected|Disconnected|Connection closed|Receive failed", re.IGNORECASE)
_NOBODY: Final = re.compile(r"Connection refused|ECONNREFUSED", re.IGNORECASE)
_DOWN: Final = re.compile(r"brokers are down", re.IGNORECASE)
_TELLING: Final = (
    _CREDENTIALS,
    _NO_MECHANISM,
    _OTHER_HOST,
    _UNTRUSTED,
    _NO_CERTIFICATE,
    _NO_TLS,
    _TLS,
    _HUNG_UP,
    _NOBODY,
    _DOWN,
)
"""From what says most to what says least."""


class Heard:
    """What was last said of connections that failed. Any thread."""

    def __init__(self) -> None:
        self._said: dict[int, tuple[float, str]] = {}
        """By how telling it is: when, and what."""

    def hear(self, what: str) -> None:
        for rank, form in enumerate(_TELLING):
            if form.search(what):
                self._said[rank] = time.monotonic(), what
                return

    def forget(self) -> None:
        """What was said is about something else."""
        self._said.clear()

    def last(self) -> str:
        """The most telling of the last seconds; empty where nothing was said."""
        since = time.monotonic() - _MAX_AGE
        return next((what for _, (at, what) in sorted(self._said.items()) if at >= since), "")


def security_of(connection: Mapping[str, Any]) -> Security:
    """How a client of kafka-python that is made with this shows itself."""
    return Security(
        connection.get("security_protocol", "PLAINTEXT"),
        connection.get("sasl_mechanism"),
        connection.get("sasl_plain_username"),
        None,
        connection.get("ssl_cafile"),
        connection.get("ssl_certfile"),
        connection.get("ssl_keyfile"),
    )


def who(security: Security) -> str:
    """The client, as the brokers' ACLs would name it."""
    if security.protocol.startswith("SASL"):
        return f"the user {security.username!r}"
    if security.certificate_file is not None:
        return f"the subject of the certificate {security.certificate_file}"
    return "a client without a name (User:ANONYMOUS)"


def why(error: BaseException, security: Security, needs: str = "", heard: Heard | None = None) -> str:
    """The cause as a sentence. ``needs``: the ACL that was needed, such as ``Read on the topic rescind.journal``."""
    code = code_of(error)
    if code in DENIED:
        return denied(code, security, needs, error)
    told = refusal(str(error), security, code) or unreadable_file(security)
    if told is None and heard is not None and code is None:
        told = refusal(heard.last(), security)
    return told or _own_words(error)


def denied(code: int, security: Security, needs: str = "", error: BaseException | None = None) -> str:
    """An ACL is missing."""
    if not needs:
        named = "" if error is None else _named(error)
        needs = {
            _TOPIC: f"an ACL on the topic{named}",
            GROUP: f"Read on the group{named}",
            CLUSTER: "Write on a topic, or IdempotentWrite on the cluster",
            TRANSACTIONAL_ID: f"Write and Describe on the transactional id{named}",
        }[code]
    return f"the brokers do not allow this to {who(security)}: it needs {needs} ({_PAGE})"


def hidden(topic: str, security: Security) -> str:
    """What else it may mean that there is no topic; empty where nobody has to show who they are."""
    if security.protocol == "PLAINTEXT":
        return ""
    return f". Or {who(security)} may not see it: it needs Describe on the topic {topic} ({_PAGE})"


def refusal(said: str, security: Security, code: int | None = None) -> str | None:
    """What the words of a client mean, if they are about who may connect."""
    if not said and code is None:
        return None
    protocol, mechanism = security.protocol, security.sasl_mechanism
    settings = "RESCIND_KAFKA_SECURITY"
    if code == _PASSWORD or _CREDENTIALS.search(said):
        return (
            f"the brokers do not accept {who(security)} with this password: look at RESCIND_KAFKA_USER, "
            f"RESCIND_KAFKA_PASSWORD and RESCIND_KAFKA_MECHANISM ({mechanism})"
        )
    if code in _MECHANISM or _NO_MECHANISM.search(said):
        return f"the brokers do not offer the mechanism {mechanism}: set RESCIND_KAFKA_MECHANISM to one that they have"
    if _OTHER_HOST.search(said):
        return "the broker's certificate is for another host name than the one it is reached by: name that one"
    if _UNTRUSTED.search(said):
        named = security.ca_file or "not set, so the system's authorities count"
        return f"the broker's certificate is signed by nobody that is trusted: RESCIND_KAFKA_CA_FILE is {named}"
    if _NO_CERTIFICATE.search(said):
        return (
            "the broker does not accept this client's certificate, or wants one: look at "
            "RESCIND_KAFKA_CERTIFICATE_FILE and RESCIND_KAFKA_KEY_FILE"
        )
    if _NO_TLS.search(said) and "SSL" in protocol:
        return f"the broker does not speak TLS at this address, and {settings} is {protocol}: set the one that it wants"
    if _TLS.search(said):
        return f"the broker speaks TLS at this address, and {settings} is {protocol}: set SSL or SASL_SSL"
    if (_HUNG_UP.search(said) and protocol != "PLAINTEXT") or _DOWN.search(said):
        said = (
            f"the brokers do not answer, or end the connection: look whether they run, and whether {settings} is right"
        )
        if not protocol.startswith("SASL"):
            return f"{said} ({protocol})"
        return f"{said} ({protocol}), RESCIND_KAFKA_MECHANISM ({mechanism}), and the password of {who(security)}"
    return None


def unreadable_file(security: Security) -> str | None:
    """A file of the settings that cannot be read."""
    for setting, path in (
        ("RESCIND_KAFKA_CA_FILE", security.ca_file),
        ("RESCIND_KAFKA_CERTIFICATE_FILE", security.certificate_file),
        ("RESCIND_KAFKA_KEY_FILE", security.key_file),
    ):
        try:
            if path is not None and security.protocol != "PLAINTEXT":
                with open(path, "rb") as file:
                    file.read(1)
        except OSError as error:
            return f"{setting} names {path}, which cannot be read: {error.strerror}"
    return None


def code_of(error: BaseException) -> int | None:
    """Kafka's code in an error of either client, or in those that it carries; of several the one that says most."""
    found = [code for each in _carried(error) for code in _codes(each)]
    telling = [code for code in found if code in DENIED or code == _PASSWORD or code in _MECHANISM]
    return telling[0] if telling else None


def _carried(error: object) -> Iterator[object]:
    """An error, its arguments and causes."""
    every: list[object] = [error]
    for each in every:
        yield each
        if isinstance(each, BaseException) and len(every) < 32:
            every += [*each.args, *filter(None, (each.__cause__, each.__context__))]


def _codes(each: object) -> Iterator[int]:
    number = getattr(each, "errno", None)
    if isinstance(number, int) and not isinstance(each, OSError):
        yield number
    asked = getattr(each, "code", None)
    if callable(asked):
        yield asked()
    if isinstance(each, str):
        yield from map(int, _NUMBER.findall(each))


def _named(error: BaseException) -> str:
    """The names that an error gives, of topics or the group."""
    for each in _carried(error):
        if isinstance(each, (set, frozenset, list, tuple)) and each and all(isinstance(one, str) for one in each):
            return " " + ", ".join(sorted(each))
    return ""


def _own_words(error: BaseException) -> str:
    carried: Any = error.args[0] if error.args else None
    if callable(getattr(carried, "str", None)):  # librdkafka's
        return str(carried.str())
    return f"{type(error).__name__}: {error}"
