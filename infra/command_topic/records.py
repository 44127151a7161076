"""Commands and outcomes as records: JSON, with what concerns a single request in headers.

A command is a JSON object; its key is the order (``marketplace/order_id``). Its free texts are
``{"commitment": hex, "reference": …}``, as the vault gave them, if the sender sealed them first. A command that this
engine passes on never has a text. A command in clear text is accepted too; its texts are sealed before anything of it
is written anywhere. An outcome is what HTTP answers, with ``outcome`` before it; its key is
``marketplace/order_id/command_id``. Both ends use this module; what only the gateway does is in ``translation``.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from consumers.ports.public_log import PublicRecord
from domain.commands import COMMANDS, Command, Text, parse_command
from domain.events import Sealed
from infra.api.answers import json_response
from infra.api.strict_json import MAX_BYTES, NotJson, read_json
from schemas.public.topics import OUTCOMES

ASK: Final = "rescind-ask"
"""The sender's own mark of the request; it comes back with the outcome."""
IF_MATCH: Final = "rescind-if-match"
"""The version that the order must have (If-Match)."""
CONFIRM: Final = "rescind-confirm"
"""``required``: a call by a person over HTTP, which needs the confirmation of a preview."""
STATUS: Final = "rescind-status"
"""The status that HTTP answers with."""
INPUT: Final = "rescind-input"
"""On an outcome, the input that it answers: ``TOPIC_ID:PARTITION:OFFSET``. On a command, the input that it is a copy
of."""
PASSED_ON: Final = "rescind-passed-on"
"""On an outcome, the place of the copy that was decided, if the input was in another partition than its order's."""
MOST_ASK: Final = 1_000
"""The most bytes of ``rescind-ask``."""
OUTCOME_BYTES: Final = 1_000_000
"""The most bytes of an outcome's value; parts of a longer one are left out."""

_COPIED: Final = ("etag", "location", "rescind-position", "rescind-replayed", "retry-after", "content-type")
"""Headers of the answer that are copied to the record, under the same names."""
_TEXTS: Final = frozenset(name for model in COMMANDS.values() for name in model.TEXTS)
_LONG: Final = ("order", "events", "preview", "inputs", "instead")
"""Parts of an outcome's body that may be long. They are left out first, in this order."""
_SHORT: Final = frozenset({"outcome", "type", "title", "status", "rule", "version", "pointer", *_LONG})
"""Parts that are never left out after those above."""
_TWICE: Final = re.compile(r"has the key .* twice", re.DOTALL)
"""The message that names a key of the sender's, which is not quoted."""
_REFERENCE: Final = re.compile(r"[A-Za-z0-9_\-]{1,100}", re.ASCII)
_COMMITMENT: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class NotReadable(ValueError):
    """A record that is no command; ``pointer`` and ``rule`` are those of a malformed command. The message quotes
    nothing of the record."""

    def __init__(self, message: str, pointer: str = "", rule: str = "form") -> None:
        super().__init__(message)
        self.pointer = pointer
        self.rule = rule


# ---- commands --------------------------------------------------------------------------------------------------------


def command_key(command: Command) -> bytes:
    """Return the key of a command's record, which decides the partition."""
    return command.stream.encode()


def command_value(command: Command) -> bytes:
    """Return the value of a command's record. Its texts have been sealed (``Command.seal``)."""
    assert command.body, "a command that parse_command has read"
    body: dict[str, Any] = dict(command.body)
    for name in command.TEXTS:
        text: Text | None = getattr(command, name)
        if text is not None:
            assert text.sealed is not None, "a text goes to the vault before it goes anywhere"
            body[name] = {"commitment": text.sealed.commitment.hex(), "reference": text.sealed.reference}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def read_command(value: bytes) -> Command:
    """Read the command from a record's value. NotReadable, BadInput. Sealed texts come without their content."""
    body = read_object(value)
    sealed = {name: _sealed(name, body[name]) for name in _TEXTS & body.keys() if body[name] is not None}
    return parse_command({**body, **sealed})


def read_object(value: bytes, most: int = MAX_BYTES) -> dict[str, Any]:
    """Read the JSON object of a record's value. NotReadable."""
    try:
        body = read_json(value, most)
    except NotJson as wrong:
        message = _TWICE.sub("has a key twice", str(wrong)).replace("the body", "the record")
        raise NotReadable(message) from None
    if not isinstance(body, dict):
        raise NotReadable("a command is a JSON object")
    return body


def _sealed(name: str, value: object) -> object:
    """Read a free text: clear text as it is, or a sealed one."""
    if not isinstance(value, dict):
        return value
    commitment, reference = value.get("commitment"), value.get("reference")
    message = 'a text, or {"commitment", "reference"} as the vault gave them for it: 64 hex digits, and its name there'
    wrong = NotReadable(message, f"/{name}")
    if value.keys() != {"commitment", "reference"} or not isinstance(commitment, str) or not isinstance(reference, str):
        raise wrong
    if not _COMMITMENT.fullmatch(commitment) or not _REFERENCE.fullmatch(reference):
        raise wrong
    return Text("", Sealed(bytes.fromhex(commitment), reference))


# ---- outcomes --------------------------------------------------------------------------------------------------------


def outcome_record(
    key: str, kind: str, response: Response, ask: bytes | None, answers: str, copy: str | None = None
) -> PublicRecord:
    """Make the outcome's record. ``response``: HTTP's answer; ``answers``: the input; ``copy``: the copy of it that was
    decided."""
    body = {"outcome": kind, **json.loads(bytes(response.body))}
    value = bytes(json_response(body).body)
    for name in (*_LONG, *(name for name in body if name not in _SHORT)):
        if len(value) <= OUTCOME_BYTES:
            break
        if body.get(name) is not None:
            body[name] = None
            body["left_out"] = [*body.get("left_out", ()), name]
            value = bytes(json_response(body).body)
    headers = [(STATUS, str(response.status_code).encode()), (INPUT, answers.encode())]
    if copy is not None:
        headers.append((PASSED_ON, copy.encode()))
    headers += [(name, response.headers[name].encode()) for name in _COPIED if name in response.headers]
    if ask is not None:
        headers.append((ASK, ask))
    return PublicRecord(OUTCOMES, key.encode(), value, tuple(headers))


def response_of(value: bytes, headers: Mapping[str, bytes]) -> Response:
    """Make the answer over HTTP from an outcome's record."""
    copied = {name: headers[name].decode() for name in _COPIED if name in headers and name != "content-type"}
    media_type = headers["content-type"].decode()
    body = json.loads(value)
    if media_type != "application/json":
        del body["outcome"]  # problem details do not have it
    return Response(json_response(body).body, int(headers[STATUS]), copied, media_type)
