"""The named forms of a write: how path, header and body become a command. Which path means which: ``paths``.

The body of a write is its command without what the path says. What the client leaves out is filled in here: the
command id from the Idempotency-Key, and an id that the command claims (a ``request_id``, a ``shipment_id``) from the
command id. The result goes through ``domain.commands.parse_command`` like every command.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.commands import COMMANDS, Command, parse_command
from domain.errors import BadInput
from domain.malformed import check_shape
from infra.api.problems import Problem, malformed

Body = dict[str, Any]
_KEY = re.compile(r"[A-Za-z0-9._:\-]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CommandForm:
    """A named form: its path below the order, the command it means, and how it is described.

    ``choose`` tells the command from the body where the path means one of several; the body may then name one of them
    itself. ``in_path`` maps parameters of the path to the fields that they fill.
    """

    path: str
    commands: tuple[str, ...]
    summary: str
    choose: Callable[[Body], str] | None = None
    in_path: Mapping[str, str] | None = None

    def command(self, body: Body) -> str:
        """The command that this body means under this path."""
        named = body.get("command")
        if isinstance(named, str) and named in self.commands:
            return named
        if named is not None:
            raise malformed(f"this path takes {' or '.join(self.commands)}", "/command")
        return self.commands[0] if self.choose is None else self.choose(body)


def idempotency_key(header: str | None) -> str | None:
    """The Idempotency-Key without its quotes; 400 where it cannot be a command id."""
    if header is None:
        return None
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if _KEY.fullmatch(key) is None:
        raise malformed("an Idempotency-Key has 1 to 100 of A-Z a-z 0-9 . _ : -", rule="idempotency-key", status=400)
    return key


def as_object(body: Any) -> Body:
    """The body as the JSON object that a command is."""
    if not isinstance(body, dict):
        raise malformed("the body is a JSON object", "")
    return body


def check_body(body: Body) -> None:
    """Problem where a field of a command is null or an object has too many fields.

    A null would otherwise count as a field that the path or the header gives.
    """
    try:
        check_shape(body)
    except BadInput as bad:
        raise malformed(bad.message, bad.pointer, bad.rule) from None


def named(form: CommandForm, body: Body) -> Body:
    """The body with the name of the command that it means under this form."""
    return {**body, "command": form.command(body)}


def assembled(
    body: Body, *, marketplace: str, order_id: str | None, path: Mapping[str, str], key: str | None
) -> Command:
    """The command of a body, completed from the path and the Idempotency-Key; Problem where they do not fit.

    ``order_id`` None: the body names the order (PlaceOrder). ``path``: further fields that the path says.
    """
    said = {"marketplace": marketplace, **path}
    if order_id is not None:
        said["order_id"] = order_id
    for name, value in said.items():
        if name in body and body[name] != value:
            raise malformed(f"{name} is {value!r} in the path and {str(body[name])[:100]!r} in the body", f"/{name}")
    whole: Body = {**body, **said}
    whole["command_id"] = _command_id(body.get("command_id"), key)
    model = COMMANDS.get(str(body.get("command")))
    if model is not None and model.CLAIMS is not None:
        whole.setdefault(model.CLAIMS, whole["command_id"])
    try:
        return parse_command(whole)
    except BadInput as bad:
        raise malformed(bad.message, bad.pointer, bad.rule) from None


def _command_id(said: Any, key: str | None) -> Any:
    if said is None and key is None:
        raise Problem(
            400,
            "idempotency-key",
            "name the command: an Idempotency-Key header, or command_id in the body; a retry with the same one gets "
            "the first answer again",
            rule="idempotency-key",
        )
    if said is not None and key is not None and said != key:
        raise Problem(
            400,
            "idempotency-key",
            f"the Idempotency-Key is {key!r} and command_id {str(said)[:100]!r}; say one of them, or the same twice",
            rule="idempotency-key",
        )
    return key if said is None else said
