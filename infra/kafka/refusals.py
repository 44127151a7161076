"""Explain why brokers refuse a client, in one sentence with a remedy: an ACL, a password, a certificate, a wrong port.

Both clients report most causes only as numbers, only in their logs, or not at all. ``why`` names the cause if it is
known, and otherwise quotes the client. Clients put errors of connections into a ``ConnectionErrors``.
"""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from infra.addresses.kafka import Security

_TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID = 29, 30, 31, 53
DENIED: Final = frozenset({_TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID})
"""Kafka's error codes for a missing ACL."""
_PASSWORD: Final = 58
_MECHANISM: Final = frozenset({33, 34})
_PAGE: Final = "docs/how-to/kafka.md lists what is needed"
_MAX_AGE: Final = 10.0
"""Seconds for which a connection error counts as the reason for a failed query."""
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
_DISCONNECTED: Final = re.compile(r"socket disconnected|Disconnected|Connection closed|Receive failed", re.IGNORECASE)
_REFUSED: Final = re.compile(r"Connection refused|ECONNREFUSED", re.IGNORECASE)
_BROKERS_DOWN: Final = re.compile(r"brokers are down", re.IGNORECASE)
_MOST_SPECIFIC_FIRST: Final = (
    _CREDENTIALS,
    _NO_MECHANISM,
    _OTHER_HOST,
    _UNTRUSTED,
    _NO_CERTIFICATE,
    _NO_TLS,
    _TLS,
    _DISCONNECTED,
    _REFUSED,
    _BROKERS_DOWN,
)
"""The most specific message first."""


class ConnectionErrors:
    """The latest errors of failed connections. Any thread."""

    def __init__(self) -> None:
        self._recorded: dict[int, tuple[float, str]] = {}
        """By rank of how specific the message is: when, and the message."""

    def record(self, what: str) -> None:
        """Remember a message if it names a known cause."""
        for rank, form in enumerate(_MOST_SPECIFIC_FIRST):
            if form.search(what):
                self._recorded[rank] = time.monotonic(), what
                return

    def forget(self) -> None:
        """Drop all messages, because they are about something else."""
        self._recorded.clear()

    def last(self) -> str:
        """The most specific recent message. Empty if there is none."""
        since = time.monotonic() - _MAX_AGE
        return next((what for _, (at, what) in sorted(self._recorded.items()) if at >= since), "")


def security_of(connection: Mapping[str, Any]) -> Security:
    """The ``Security`` of a kafka-python client that was made with this configuration."""
    return Security(
        connection.get("security_protocol", "PLAINTEXT"),
        connection.get("sasl_mechanism"),
        connection.get("sasl_plain_username"),
        None,
        connection.get("ssl_cafile"),
        connection.get("ssl_certfile"),
        connection.get("ssl_keyfile"),
    )


def client_name(security: Security) -> str:
    """The client, as the brokers' ACLs name it."""
    if security.protocol.startswith("SASL"):
        return f"the user {security.username!r}"
    if security.certificate_file is not None:
        return f"the subject of the certificate {security.certificate_file}"
    return "an anonymous client (User:ANONYMOUS)"


def why(
    error: BaseException, security: Security, needs: str = "", connection_errors: ConnectionErrors | None = None
) -> str:
    """The cause as a sentence. ``needs``: the ACL that the operation needs, such as ``Read on the topic
    rescind.journal``."""
    code = code_of(error)
    if code in DENIED:
        return denied(code, security, needs, error)
    explanation = refusal(str(error), security, code) or unreadable_file(security)
    if explanation is None and connection_errors is not None and code is None:
        explanation = refusal(connection_errors.last(), security)
    return explanation or _client_message(error)


def denied(code: int, security: Security, needs: str = "", error: BaseException | None = None) -> str:
    """The sentence for a missing ACL."""
    if not needs:
        named = "" if error is None else _named(error)
        needs = {
            _TOPIC: f"an ACL on the topic{named}",
            GROUP: f"Read on the group{named}",
            CLUSTER: "Write on a topic, or IdempotentWrite on the cluster",
            TRANSACTIONAL_ID: f"Write and Describe on the transactional id{named}",
        }[code]
    return f"the brokers do not allow this to {client_name(security)}: it needs {needs} ({_PAGE})"


def hidden(topic: str, security: Security) -> str:
    """A hint that a topic may exist but be hidden from this client. Empty if clients do not authenticate."""
    if security.protocol == "PLAINTEXT":
        return ""
    return f". Or {client_name(security)} may not see it: it needs Describe on the topic {topic} ({_PAGE})"


def refusal(message: str, security: Security, code: int | None = None) -> str | None:
    """Explain a client's message about a refused connection. None if it is about something else."""
    if not message and code is None:
        return None
    protocol, mechanism = security.protocol, security.sasl_mechanism
    settings = "RESCIND_KAFKA_SECURITY"
    if code == _PASSWORD or _CREDENTIALS.search(message):
        return (
            f"the brokers do not accept {client_name(security)} with this password: check RESCIND_KAFKA_USER, "
            f"RESCIND_KAFKA_PASSWORD and RESCIND_KAFKA_MECHANISM ({mechanism})"
        )
    if code in _MECHANISM or _NO_MECHANISM.search(message):
        return f"the brokers do not offer the mechanism {mechanism}: set RESCIND_KAFKA_MECHANISM to one that they offer"
    if _OTHER_HOST.search(message):
        return "the broker's certificate is for another host name: use the certificate's host name in the journal's URL"
    if _UNTRUSTED.search(message):
        named = security.ca_file or "not set, so the system's authorities are used"
        return f"the broker's certificate is not signed by a trusted authority: RESCIND_KAFKA_CA_FILE is {named}"
    if _NO_CERTIFICATE.search(message):
        return (
            "the broker does not accept this client's certificate, or requires one: check "
            "RESCIND_KAFKA_CERTIFICATE_FILE and RESCIND_KAFKA_KEY_FILE"
        )
    if _NO_TLS.search(message) and "SSL" in protocol:
        return (
            f"the broker does not use TLS at this address, and {settings} is {protocol}: set the protocol that it uses"
        )
    if _TLS.search(message):
        return f"the broker uses TLS at this address, and {settings} is {protocol}: set SSL or SASL_SSL"
    if (_DISCONNECTED.search(message) and protocol != "PLAINTEXT") or _BROKERS_DOWN.search(message):
        message = f"the brokers do not answer, or close the connection: check that they run, and check {settings}"
        if not protocol.startswith("SASL"):
            return f"{message} ({protocol})"
        name = client_name(security)
        return f"{message} ({protocol}), RESCIND_KAFKA_MECHANISM ({mechanism}), and the password of {name}"
    return None


def unreadable_file(security: Security) -> str | None:
    """The sentence for a file in the settings that cannot be read. None if all can."""
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
    """Kafka's error code in an error of either client, or in the errors it carries. If there are several, the most
    specific."""
    found = [code for each in _carried(error) for code in _codes(each)]
    specific = [code for code in found if code in DENIED or code == _PASSWORD or code in _MECHANISM]
    return specific[0] if specific else None


def _carried(error: object) -> Iterator[object]:
    """An error, its arguments and its causes."""
    every: list[object] = [error]
    for each in every:
        yield each
        if isinstance(each, BaseException) and len(every) < 32:
            every += [*each.args, *filter(None, (each.__cause__, each.__context__))]


def _codes(each: object) -> Iterator[int]:
    number = getattr(each, "errno", None)
    if isinstance(number, int) and not isinstance(each, OSError):
        yield number
    code = getattr(each, "code", None)
    if callable(code):
        yield code()
    if isinstance(each, str):
        yield from map(int, _NUMBER.findall(each))


def _named(error: BaseException) -> str:
    """The topic or group names that an error carries."""
    for each in _carried(error):
        if isinstance(each, (set, frozenset, list, tuple)) and each and all(isinstance(one, str) for one in each):
            return " " + ", ".join(sorted(each))
    return ""


def _client_message(error: BaseException) -> str:
    carried: Any = error.args[0] if error.args else None
    if callable(getattr(carried, "str", None)):  # librdkafka's
        return str(carried.str())
    return f"{type(error).__name__}: {error}"
