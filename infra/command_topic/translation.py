"""Translates records to commands, and outcomes to records (``consumers.command_topic.gateway.RecordTranslation``).

Anybody may write to the topic. A record that is no command, or has the wrong key, becomes a dead letter, and gets an
outcome if it names its command. Neither quotes the record, because an unreadable record may have a free text anywhere.
The dead letter has the record's length, hash and offset instead, and the record stays on its topic.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import takewhile
from typing import Any, Final, Protocol

from starlette.responses import Response

from consumers.command_topic.gateway import InputRecord, ReceivedRecord
from consumers.engine.dependencies import Confirm
from consumers.engine.outcome import Outcome, bad, unavailable
from consumers.log.dead_letters import DeadLetter
from consumers.ports.public_log import PublicRecord
from consumers.ports.vault import VaultUnavailable
from domain.commands import Command, Text
from domain.errors import BadInput
from domain.events import Sealed
from domain.marketplace_settings import MarketSettings
from domain.policy import PolicyBook
from domain.preview import Confirmation, Preview
from domain.wording import counted
from infra.api.answers import of_write
from infra.api.command_schema import definitions
from infra.api.problems import malformed
from infra.command_topic.records import (
    ASK,
    CONFIRM,
    IF_MATCH,
    INPUT,
    MOST_ASK,
    NotReadable,
    command_key,
    command_value,
    outcome_record,
    read_command,
    read_object,
)
from schemas.partitioning import partition_of
from schemas.public.topics import COMMANDS

_ORDER_KEY: Final = re.compile(rb"[a-z0-9\-]{1,64}/[A-Za-z0-9._\-]{1,64}")
_OWN: Final = {
    "marketplace": re.compile(r"[a-z0-9\-]{1,64}", re.ASCII),
    "order_id": re.compile(r"[A-Za-z0-9._\-]{1,64}", re.ASCII),
    "command_id": re.compile(r"[A-Za-z0-9._:\-]{1,100}", re.ASCII),
}
_PLACE: Final = re.compile(rb"([A-Za-z0-9_\-]+):([0-9]{1,9}):([0-9]{1,18})")
"""The value of ``rescind-input``."""
_LONG: Final = 12
"""Characters from which on a text of the record is removed from an error message. A shorter one may occur in the
message by chance."""
_LONGEST: Final = 2 * 1024 * 1024
"""The most bytes of a record that is read for the key of its outcome; Kafka takes no longer one here."""
_ERROR: Final = 600
"""The most characters of the error in a dead letter."""


class Texts(Protocol):
    """The vault, as far as commands need it. From any thread."""

    def seal(self, marketplace: str, subject: str, text: str) -> Sealed:
        """Store a text. VaultUnavailable."""
        ...

    def flush(self) -> None:
        """Return when every text that was sealed is on disk. VaultUnavailable."""
        ...

    def proves(self, sealed: Sealed) -> bool:
        """Whether the commitment was made from the text stored under the reference. VaultUnavailable."""
        ...

    def open(self, reference: str) -> str:
        """Return the text. LookupError, VaultUnavailable."""
        ...


class CommandForm:
    """Reads commands from records, and writes outcomes as records (``RecordTranslation`` of the gateway)."""

    def __init__(
        self,
        topic: str,
        partitions: int,
        market: Callable[[str], MarketSettings],
        policies: Callable[[], PolicyBook],
        vault: Texts,
    ) -> None:
        """``topic``: the name of the commands topic, for dead letters. ``policies``: those that are published now."""
        self.topic_id = ""
        """The id of the commands topic, by which outcomes name their input."""
        self._topic = topic
        self._partitions = partitions
        self._market = market
        self._policies = policies
        self._vault = vault

    def read(self, given: InputRecord) -> ReceivedRecord:
        received = ReceivedRecord(given)
        try:
            if given.value is None:
                raise NotReadable("the record has no value: a command is a JSON object")
            command = read_command(given.value)
        except (NotReadable, BadInput) as wrong:
            received.answer = self._malformed(given, None, wrong)
            return received
        try:
            if given.key != command_key(command):
                raise NotReadable("the key of a command is its order, marketplace/order_id", "", "wrong-key")
            received.expected_version = _if_match(given.headers.get(IF_MATCH))
            received.confirm = self._confirm(given.headers.get(CONFIRM), command)
            if len(given.headers.get(ASK, b"")) > MOST_ASK:
                raise NotReadable(f"the header {ASK} has at most {MOST_ASK} bytes", "", "ask")
        except NotReadable as wrong:
            received.answer = self._malformed(given, command, wrong)
            return received
        received.command = command
        where = partition_of(command.stream, self._partitions)
        received.belongs_to = None if where == given.partition else where
        return received

    def ready(self, received: ReceivedRecord) -> Outcome | None:
        """Open the texts that the sender sealed, for the decision. Seal those of a command that is passed on, because
        its copy never has a text in clear."""
        command = received.command
        assert command is not None
        if received.belongs_to is not None:
            return self._sealed(command)
        for name in command.TEXTS:
            text: Text | None = getattr(command, name)
            if text is None or text.sealed is None or text.content:
                continue
            try:
                if not self._vault.proves(text.sealed):
                    return bad(f"/{name}", "no-such-text", "the vault has no text of this reference and commitment")
                text.content = self._vault.open(text.sealed.reference)
            except LookupError:
                return bad(f"/{name}", "no-such-text", "the vault has this text no more")
            except VaultUnavailable as wrong:
                return unavailable("vault-unavailable", str(wrong))
        return None

    def outcome_records(self, received: ReceivedRecord, outcome: Outcome) -> tuple[PublicRecord, ...]:
        command = received.command
        assert command is not None
        fresh: Preview | None = None
        effective, market = outcome.effective, self._market(command.marketplace)
        if (
            isinstance(received.confirm, Confirmation)
            and effective.kind == "refused"
            and effective.commit_position is None
        ):
            fresh = received.confirm.fresh
        response = of_write(outcome, command, fresh, market.contact)
        return (self._outcome(f"{command.stream}/{command.command_id}", effective.kind, response, received.record),)

    def _confirm(self, header: bytes | None, command: Command) -> Confirm | None:
        if header is None:
            return None
        if header != b"required":
            raise NotReadable(f"the header {CONFIRM} is `required`, or is left out", "", "confirm")
        given = getattr(command, "confirmation", None)
        return Confirmation(given, self._policies, self._market(command.marketplace))

    def forwarded(self, received: ReceivedRecord) -> PublicRecord:
        command, given = received.command, received.record
        assert command is not None
        headers = [(name, given.headers[name]) for name in (ASK, IF_MATCH, CONFIRM) if name in given.headers]
        headers.append((INPUT, self._place(given).encode()))
        return PublicRecord(COMMANDS, given.key, command_value(command), tuple(headers))

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _sealed(self, command: Command) -> Outcome | None:
        """Seal the texts that came in clear. Returns the answer if that fails."""
        texts = [text for name in command.TEXTS if (text := getattr(command, name)) is not None]
        if all(text.sealed is not None for text in texts):
            return None
        try:
            command.seal(lambda _, text: self._vault.seal(command.marketplace, command.actor.id, text))
            self._vault.flush()
        except VaultUnavailable as wrong:
            return unavailable("vault-unavailable", str(wrong))
        return None

    def _place(self, given: InputRecord) -> str:
        return f"{self.topic_id}:{given.partition}:{given.offset}"

    def _malformed(
        self, given: InputRecord, command: Command | None, wrong: NotReadable | BadInput
    ) -> tuple[PublicRecord, ...]:
        """Make a dead letter, and an outcome if the record names its command. ``command``: the record's, if it could be
        read."""
        pointer, message = wrong.pointer, wrong.message if isinstance(wrong, BadInput) else str(wrong)
        body = _body(given.value)
        if isinstance(wrong, BadInput):
            pointer, message = _unquoted(pointer, message, body)
        letter = self._dead_letter(given, command, f"{pointer}: {message}" if pointer else message)
        key = _outcome_key(body)
        if key is None:
            return (letter,)
        response = malformed(message, pointer, wrong.rule).response()
        return (letter, self._outcome(key, "bad", response, given))

    def _dead_letter(self, given: InputRecord, command: Command | None, error: str) -> PublicRecord:
        value = given.value or b""
        whole = command is not None and all(getattr(command, name) is None for name in command.TEXTS)
        if not whole:
            where = (
                f"{counted(len(value), 'byte')} with SHA-256 {hashlib.sha256(value).hexdigest()}, left where they are"
            )
            error, value = f"{error[:_ERROR]} ({where})", b""
        return DeadLetter(
            f"commands:{given.partition}:{given.offset}",
            "commands",
            error,
            given.key if _ORDER_KEY.fullmatch(given.key) else b"",
            value,
            self._topic,
            given.partition,
            given.offset,
            None,
            None,
            None,
        ).record

    def _outcome(self, key: str, kind: str, response: Response, given: InputRecord) -> PublicRecord:
        ask = given.headers.get(ASK)
        mark = ask if ask is not None and len(ask) <= MOST_ASK else None
        copied, here = self._copied(given), self._place(given)
        if copied is None:
            return outcome_record(key, kind, response, mark, here)
        return outcome_record(key, kind, response, mark, copied, here)

    def _copied(self, given: InputRecord) -> str | None:
        """Return the input that this one claims to be a copy of, if it may be: one of another partition of this
        topic."""
        match = _PLACE.fullmatch(given.headers.get(INPUT, b""))
        if match is None or match[1].decode() != self.topic_id:
            return None
        partition = int(match[2])
        return None if partition == given.partition or partition >= self._partitions else match[0].decode()


# ---- headers ---------------------------------------------------------------------------------------------------------


def _if_match(header: bytes | None) -> int | None:
    if header is None:
        return None
    if not (header.isdigit() and len(header) < 19):
        raise NotReadable(f"the header {IF_MATCH} is the version that the order must have, like 17", "", "if-match")
    return int(header)


# ---- records that could not be read: what an answer may repeat of them
# ----------------------------------------------------------------------


def _body(value: bytes | None) -> dict[str, Any] | None:
    try:
        return None if value is None else read_object(value, _LONGEST)
    except NotReadable:
        return None


def _outcome_key(body: dict[str, Any] | None) -> str | None:
    """Return the key of the outcome, if the record names its command."""
    if body is None:
        return None
    parts = [body.get(name) for name in _OWN]
    if not all(isinstance(each, str) and form.fullmatch(each) for each, form in zip(parts, _OWN.values(), strict=True)):
        return None
    return "/".join(map(str, parts))


@cache
def _names() -> frozenset[str]:
    """Return the name of every field of a command."""
    return frozenset(name for schema in definitions()[1].values() for name in schema.get("properties", ()))


def _unquoted(pointer: str, message: str, body: dict[str, Any] | None) -> tuple[str, str]:
    """Remove whatever comes from the record: return a pointer of known names only, and a message that quotes
    nothing."""
    steps = pointer.split("/")[1:]
    known = [*takewhile(lambda step: step in _names() or step.isdecimal(), steps)]
    if len(known) < len(steps):
        return "".join(f"/{step}" for step in known), "there is a field that this command does not have"
    for text in _strings(body):
        if (quoted := repr(text)) in message:
            message = message.replace(quoted, "what it says")
        elif len(text) >= _LONG and text in message:
            message = message.replace(text, "what it says")
    return pointer, message


def _strings(value: object) -> Iterator[str]:
    """Yield every string in a JSON value, names too. The reader has bounded its depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
