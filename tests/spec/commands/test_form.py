"""Commands and outcomes on topics: what is read, what is refused, and what is never written anywhere."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.command_topic.gateway import InputRecord, ReceivedRecord
from consumers.engine.outcome import Outcome, refused, unavailable
from consumers.ports.public_log import PublicRecord
from consumers.ports.vault import VaultUnavailable
from domain.commands import NotifyCustomer, SendMessage, parse_command
from domain.errors import BadInput
from domain.events import Sealed
from domain.marketplace_settings import MarketSettings
from domain.policy import PolicyBook
from infra.api.answers import json_response, of_write
from infra.api.problems import MEDIA_TYPE, Problem
from infra.command_topic.records import (
    OUTCOME_BYTES,
    NotReadable,
    command_key,
    command_value,
    outcome_record,
    read_command,
    response_of,
)
from infra.command_topic.translation import CommandForm
from schemas.partitioning import partition_of
from schemas.public.topics import COMMANDS, DEAD_LETTERS, OUTCOMES

SECRET = "Lea Winter, 12 Harbour Road"
PARTITIONS = 4
DELIVER = {
    "command": "Deliver",
    "command_id": "c1",
    "marketplace": "acme",
    "order_id": "PO-1",
    "actor": {"kind": "system", "id": "carrier"},
}
MESSAGE = DELIVER | {"command": "SendMessage", "message_id": "m1", "to": "seller", "text": SECRET}
KEY = b"acme/PO-1"
HERE = partition_of("acme/PO-1", PARTITIONS)


class Vault:
    """Texts by their reference."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.away = False

    def seal(self, *parts: str) -> Sealed:
        if self.away:
            raise VaultUnavailable("the vault is away")
        reference, text = f"text-{len(self.texts)}", parts[-1]
        self.texts[reference] = text
        return Sealed(hashlib.sha256(text.encode()).digest(), reference)

    def flush(self) -> None:
        """Nothing waits."""

    def proves(self, sealed: Sealed) -> bool:
        if self.away:
            raise VaultUnavailable("the vault is away")
        text = self.texts.get(sealed.reference)
        return text is not None and hashlib.sha256(text.encode()).digest() == sealed.commitment

    def open(self, reference: str) -> str:
        return self.texts[reference]


VAULT = Vault()


def the_form(vault: Vault | None = None) -> CommandForm:
    form = CommandForm("rescind.commands", PARTITIONS, lambda _: MarketSettings(), PolicyBook, vault or VAULT)
    form.topic_id = "T"
    return form


def read(
    body: object, key: bytes = KEY, partition: int = HERE, headers: Mapping[str, bytes] | None = None
) -> ReceivedRecord:  # fmt: skip
    value = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    return the_form().read(InputRecord(partition, 17, key, value, headers or {}))


def letter_and_outcome(command: ReceivedRecord) -> tuple[PublicRecord, PublicRecord | None]:
    assert command.command is None
    letter, *more = command.answer
    assert letter.kind == DEAD_LETTERS
    assert all(record.kind == OUTCOMES for record in more)
    return letter, more[0] if more else None


def outcome_fields(record: PublicRecord) -> dict[str, Any]:
    return json.loads(record.value) | {name: value.decode() for name, value in record.headers}


# ---- commands ------------------------------------------------------------------------------------------------------


def test_a_command_in_its_partition_is_read_with_its_headers() -> None:
    command = read(DELIVER, headers={"rescind-if-match": b"7", "rescind-ask": b"anything"})
    assert command.command == parse_command(DELIVER)
    assert command.expected_version == 7
    assert command.confirm is None


def test_a_text_in_clear_and_its_vault_reference_mean_the_same_command() -> None:
    vault = Vault()
    here = parse_command(MESSAGE).seal(vault.seal)
    value = command_value(here)
    assert SECRET.encode() not in value
    there = read_command(value)
    assert isinstance(there, SendMessage) and isinstance(here, SendMessage)
    assert there.fingerprint == here.fingerprint
    assert there.text.sealed == here.text.sealed
    assert command_key(there) == KEY
    assert the_form(vault).ready(ReceivedRecord(InputRecord(0, 0, b"", None, {}), there)) is None
    assert there.text.content == SECRET
    clear = read(MESSAGE).command
    assert isinstance(clear, SendMessage)
    assert (clear.text.content, clear.text.sealed) == (SECRET, None)


def test_a_forwarded_command_has_every_field() -> None:
    body = MESSAGE | {"about": "r1", "correlation_id": "k", "at": "2026-03-02T10:00:00Z"}
    assert json.loads(command_value(parse_command(body).seal(Vault().seal))) | {"text": SECRET} == body


def test_a_text_that_is_not_in_the_vault_or_another_one_is_bad_and_one_that_cannot_be_looked_up_waits() -> None:
    vault = Vault()
    command = parse_command(MESSAGE).seal(vault.seal)
    form, none = the_form(vault), InputRecord(0, 0, b"", None, {})
    assert isinstance(command, SendMessage) and command.text.sealed is not None
    for sealed in (Sealed(bytes(32), "text-0"), Sealed(command.text.sealed.commitment, "text-9")):
        other = read_command(command_value(command))
        assert isinstance(other, SendMessage)
        other.text.sealed = sealed
        outcome = form.ready(ReceivedRecord(none, other))
        assert outcome is not None
        assert (outcome.kind, outcome.rule, outcome.pointer) == ("bad", "no-such-text", "/text")
    vault.away = True
    outcome = form.ready(ReceivedRecord(none, read_command(command_value(command))))
    assert outcome is not None
    assert (outcome.kind, outcome.rule) == ("unavailable", "vault-unavailable")


def test_the_text_of_a_notice_can_be_judged_though_it_was_sealed_elsewhere() -> None:
    vault = Vault()
    body = DELIVER | {
        "command": "NotifyCustomer",
        "text": "It left with UPS 1Z999.",
        "actor": {"kind": "seller", "id": "s"},
    }
    there = read_command(command_value(parse_command(body).seal(vault.seal)))
    assert the_form(vault).ready(ReceivedRecord(InputRecord(0, 0, b"", None, {}), there)) is None
    assert isinstance(there, NotifyCustomer)
    assert there.text.content == "It left with UPS 1Z999."


@pytest.mark.parametrize(
    "text",
    [
        {"commitment": "00", "reference": SECRET},
        {"commitment": "0" * 64, "reference": SECRET},
        {"commitment": "0" * 64},
        {"commitment": "0" * 64, "reference": "r", "more": SECRET},
        {"commitment": 7, "reference": "r"},
        [SECRET],
    ],
)
def test_an_invalid_text_reference_is_refused_by_its_pointer(text: object) -> None:
    with pytest.raises((NotReadable, BadInput)) as wrong:
        read_command(json.dumps(MESSAGE | {"text": text}).encode())
    assert wrong.value.pointer == "/text"  # type: ignore[attr-defined]


# ---- a command in another partition than its order's ----------------------------------------------------------------


ELSEWHERE = (HERE + 1) % PARTITIONS


def test_a_command_in_another_partition_is_copied_to_its_own_with_its_headers() -> None:
    form = the_form()
    headers = {"rescind-if-match": b"7", "rescind-ask": b"mine", "rescind-confirm": b"required", "theirs": bytes(900)}
    value = json.dumps(DELIVER).encode()
    command = form.read(InputRecord(ELSEWHERE, 17, KEY, value, headers))
    assert command.belongs_to == HERE
    assert form.ready(command) is None
    copy = form.forwarded(command)
    assert (copy.kind, copy.key, json.loads(copy.value)) == (COMMANDS, KEY, DELIVER)
    del headers["theirs"]
    assert dict(copy.headers) == headers | {"rescind-input": f"T:{ELSEWHERE}:17".encode()}
    there = form.read(InputRecord(HERE, 3, copy.key, copy.value, dict(copy.headers)))
    assert (there.belongs_to, there.command, there.expected_version) == (None, command.command, 7)
    (outcome,) = form.outcome_records(there, Outcome("accepted"))
    fields = dict(outcome.headers)
    assert fields["rescind-input"] == f"T:{ELSEWHERE}:17".encode()
    assert fields["rescind-passed-on"] == f"T:{HERE}:3".encode()
    assert fields["rescind-ask"] == b"mine"


def test_no_copy_has_a_text_in_clear_and_it_means_the_same_command() -> None:
    vault = Vault()
    form = the_form(vault)
    command = form.read(InputRecord(ELSEWHERE, 17, KEY, json.dumps(MESSAGE).encode(), {}))
    vault.away = True
    outcome = form.ready(command)
    assert outcome is not None
    assert (outcome.kind, outcome.rule) == ("unavailable", "vault-unavailable")
    vault.away = False
    assert form.ready(command) is None
    copy = form.forwarded(command)
    assert b"Winter" not in copy.value
    there = form.read(InputRecord(HERE, 3, copy.key, copy.value, dict(copy.headers)))
    assert form.ready(there) is None
    assert isinstance(there.command, SendMessage) and command.command is not None
    assert there.command.text.content == SECRET
    assert there.command.fingerprint == command.command.fingerprint


@pytest.mark.parametrize(
    "claimed", [b"T:%d:3" % HERE, b"T:9:3", b"OTHER:0:3", b"T:0:x", b"\xff", b"", b"T:0:" + b"9" * 5_000]
)
def test_a_record_that_cannot_be_a_copy_is_answered_as_itself(claimed: bytes) -> None:
    command = read(DELIVER, headers={"rescind-input": claimed})
    (outcome,) = the_form().outcome_records(command, Outcome("accepted"))
    fields = dict(outcome.headers)
    assert fields["rescind-input"] == f"T:{HERE}:17".encode()
    assert "rescind-passed-on" not in fields


# ---- what is no command, or not in its place -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "rule", "because"),
    [
        (read(DELIVER, b"acme/PO-2"), "wrong-key", "the key of a command is its order"),
        (read(DELIVER, b""), "wrong-key", "the key of a command is its order"),
        (read(DELIVER, headers={"rescind-if-match": b"*"}), "if-match", "the version that the order must have"),
        (read(DELIVER, headers={"rescind-confirm": b"yes"}), "confirm", "`required`"),
        (read(DELIVER, headers={"rescind-ask": bytes(1_001)}), "ask", "at most 1000 bytes"),
        (read(DELIVER | {"lines": []}), "form", "there is no such field"),
        (read(DELIVER | {"command": "Explode"}), "form", "there is no command"),
    ],
)
def test_a_misplaced_command_is_a_dead_letter_and_has_an_outcome(
    command: ReceivedRecord, rule: str, because: str
) -> None:
    letter, outcome = letter_and_outcome(command)
    assert outcome is not None
    fields = outcome_fields(outcome)
    assert (fields["outcome"], fields["rule"], fields["status"], fields["rescind-status"]) == ("bad", rule, 422, "422")
    assert because in fields["detail"]
    assert outcome.key == b"acme/PO-1/c1"
    assert fields["rescind-input"] == f"T:{command.record.partition}:17"
    headers = {name: value.decode() for name, value in letter.headers}
    assert headers["rescind-origin"] == "commands"
    assert headers["rescind-letter"] == f"commands:{command.record.partition}:17"
    assert because in headers["rescind-error"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff\xfe",
        b"null",
        b"[" * 100_000,
        b'{"command":"Deliver"',
        b'{"a":1,"a":2}',
        b"9" * 10_000,
        b'"\\ud800"',
        json.dumps(DELIVER | {"order_id": "PO 1"}).encode(),
        json.dumps(DELIVER | {"command_id": 7}).encode(),
    ],
)
def test_where_it_cannot_be_made_out_whose_it_is_there_is_only_the_letter(value: bytes | None) -> None:
    letter, outcome = letter_and_outcome(read(value))
    assert outcome is None
    assert letter.value == b""


def test_a_record_that_is_longer_than_commands_may_be_still_gets_its_outcome() -> None:
    _, outcome = letter_and_outcome(read(DELIVER | {"correlation_id": "x" * 900_000}))
    assert outcome is not None
    assert "longer than" in outcome_fields(outcome)["detail"]


def test_a_dead_letter_has_the_bytes_of_a_readable_command_without_texts_and_otherwise_their_place() -> None:
    letter, _ = letter_and_outcome(read(DELIVER, b"acme/PO-2"))
    assert (letter.key, json.loads(letter.value)) == (b"acme/PO-2", DELIVER)
    letter, _ = letter_and_outcome(read(MESSAGE, b"acme/PO-2"))
    assert letter.value == b""
    digest = hashlib.sha256(json.dumps(MESSAGE).encode()).hexdigest()
    assert f"SHA-256 {digest}" in dict(letter.headers)["rescind-error"].decode()


UNREADABLE = [
    json.dumps(MESSAGE).encode()[:-1],  # broken off
    json.dumps([MESSAGE]).encode(),
    json.dumps(SECRET).encode(),
    json.dumps(MESSAGE | {"text": [SECRET]}).encode(),
    json.dumps(MESSAGE | {"text": {"commitment": SECRET, "reference": SECRET}}).encode(),
    json.dumps(MESSAGE | {"inner": {"text": {"deeper": [SECRET]}}}).encode(),
    json.dumps(MESSAGE | {SECRET: 1}).encode(),
    json.dumps(MESSAGE | {"command": SECRET}).encode(),
    json.dumps(DELIVER | {"text": SECRET}).encode(),
    json.dumps(MESSAGE | {"to": SECRET}).encode(),
    json.dumps(MESSAGE | {"actor": {"kind": SECRET, "id": "x"}}).encode(),
    json.dumps(MESSAGE | {"order_id": SECRET}).encode(),
    json.dumps(MESSAGE | {"at": SECRET}).encode(),
    b'{"%s":1,"%s":2}' % (SECRET.encode(), SECRET.encode()),
    json.dumps(DELIVER | {"command": "PlaceOrder", "timezone": SECRET}).encode(),
    json.dumps(DELIVER | {"command": "DecideCase", "rule": SECRET, "actor": {"kind": "support", "id": "x"}}).encode(),
    json.dumps(MESSAGE).encode() + b"\xff",
]


@pytest.mark.parametrize("value", UNREADABLE)
@pytest.mark.parametrize("key", [KEY, SECRET.encode()])
def test_nothing_of_a_text_is_in_a_letter_or_an_outcome(value: bytes, key: bytes) -> None:
    command = read(value, key)
    assert command.command is None
    for record in command.answer:
        for part in (record.key, record.value, *(value for _, value in record.headers)):
            assert b"Winter" not in part, record


@given(st.binary(max_size=200), st.binary(max_size=40), st.dictionaries(st.text(max_size=20), st.binary(max_size=20)))
def test_nothing_that_anybody_may_write_raises(value: bytes, key: bytes, headers: dict[str, bytes]) -> None:
    assert read(value, key, headers=headers).answer


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(MESSAGE)), JSON)
def test_no_value_of_any_command_field_raises(field: str, what: object) -> None:
    command = read(MESSAGE | {field: what})
    assert command.command is not None or command.answer


# ---- outcomes ------------------------------------------------------------------------------------------------------


def test_an_outcome_equals_the_answer_over_http() -> None:
    form = the_form()
    command = read(DELIVER, headers={"rescind-ask": b"17"})
    assert command.command is not None
    for outcome in (
        Outcome("accepted"),
        refused("no-such-order"),
        unavailable("busy", "later"),
        Outcome("version-conflict", "if-match", "moved on"),
        Outcome("bad", "form", "no", "/lines"),
        Outcome("duplicate", original=refused("shipped-lock", message="it left")),
    ):
        (record,) = form.outcome_records(command, outcome)
        headers = dict(record.headers)
        wanted, got = of_write(outcome, command.command), response_of(record.value, headers)
        assert (got.status_code, got.body, got.media_type) == (wanted.status_code, wanted.body, wanted.media_type)
        assert got.headers == wanted.headers
        assert headers["rescind-ask"] == b"17"
        assert json.loads(record.value)["outcome"] == outcome.effective.kind


def test_an_outcome_always_fits_and_names_what_was_left_out() -> None:
    long = [{"event": "x" * 100}] * 8_000
    response = json_response({"outcome": "accepted", "events": long, "order": {"lines": long}, "verdict": None})
    record = outcome_record("acme/PO-1/c1", "accepted", response, None, "T:0:1")
    fields = json.loads(record.value)
    assert len(record.value) <= OUTCOME_BYTES
    assert (fields["outcome"], fields["order"], len(fields["events"]), fields["left_out"]) == (
        "accepted",
        None,
        8_000,
        ["order"],
    )
    response = json_response({"outcome": "accepted", "events": 2 * long, "order": {"lines": long}, "verdict": None})
    fields = json.loads(outcome_record("acme/PO-1/c1", "accepted", response, None, "T:0:1").value)
    assert (fields["order"], fields["events"], fields["left_out"]) == (None, None, ["order", "events"])
    refusal = Problem(409, "shipped-lock", "it left", inputs={"lines": 2 * long}).response()
    record = outcome_record("acme/PO-1/c1", "refused", refusal, None, "T:0:1")
    assert json.loads(record.value)["left_out"] == ["inputs"]
    assert dict(record.headers)["content-type"] == MEDIA_TYPE.encode()
    refusal = Problem(409, "shipped-lock", "it left " * 300_000, because="it left " * 300_000).response()
    fields = json.loads(outcome_record("acme/PO-1/c1", "refused", refusal, None, "T:0:1").value)
    assert (fields["outcome"], fields["status"], fields["left_out"]) == ("refused", 409, ["detail", "because"])
