"""Builds a command from the path, headers and body of a write (``paths`` has the paths).

The body is the command without the fields that the path has. Missing ids are filled in: the command id is the
Idempotency-Key, and the id of what the command creates (a ``request_id``, a ``shipment_id``) is the command id. The
result goes through ``domain.commands.parse_command`` like every command.
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
    """A path below the order, the commands that it takes, and its description.

    ``choose`` picks one of several commands by the body, unless the body names one. ``in_path`` maps the path's
    parameters to the fields that they fill.
    """

    path: str
    commands: tuple[str, ...]
    summary: str
    choose: Callable[[Body], str] | None = None
    in_path: Mapping[str, str] | None = None

    def command(self, body: Body) -> str:
        """Return the name of the command that this body means under this path."""
        named = body.get("command")
        if isinstance(named, str) and named in self.commands:
            return named
        if named is not None:
            raise malformed(f"this path takes {' or '.join(self.commands)}", "/command")
        return self.commands[0] if self.choose is None else self.choose(body)


def idempotency_key(header: str | None) -> str | None:
    """Return the Idempotency-Key without quotes; Problem 400 if it cannot be a command id."""
    if header is None:
        return None
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if _KEY.fullmatch(key) is None:
        raise malformed(
            "an Idempotency-Key has 1 to 100 of the characters A-Z a-z 0-9 . _ : -", rule="idempotency-key", status=400
        )
    return key


def as_object(body: Any) -> Body:
    """Return the body if it is a JSON object; Problem 422 if not."""
    if not isinstance(body, dict):
        raise malformed("the body must be a JSON object", "")
    return body


def check_body(body: Body) -> None:
    """Problem 422 if a field is null or an object has too many fields.

    A null could hide the value of the path or the header.
    """
    try:
        check_shape(body)
    except BadInput as bad:
        raise malformed(bad.message, bad.pointer, bad.rule) from None


def named(form: CommandForm, body: Body) -> Body:
    """Return the body with the name of its command."""
    return {**body, "command": form.command(body)}


def assembled(
    body: Body, *, marketplace: str, order_id: str | None, path: Mapping[str, str], key: str | None
) -> Command:
    """Build the command of a body, completed from the path and the Idempotency-Key. Problem if they contradict it.

    ``order_id`` None: the body names the order (PlaceOrder). ``path``: further fields from the path.
    """
    of_path = {"marketplace": marketplace, **path}
    if order_id is not None:
        of_path["order_id"] = order_id
    for name, value in of_path.items():
        if name in body and body[name] != value:
            raise malformed(f"{name} is {value!r} in the path and {str(body[name])[:100]!r} in the body", f"/{name}")
    whole: Body = {**body, **of_path}
    whole["command_id"] = _command_id(body.get("command_id"), key)
    model = COMMANDS.get(str(body.get("command")))
    if model is not None and model.CLAIMS is not None:
        whole.setdefault(model.CLAIMS, whole["command_id"])
    try:
        return parse_command(whole)
    except BadInput as bad:
        raise malformed(bad.message, bad.pointer, bad.rule) from None


def _command_id(of_body: Any, key: str | None) -> Any:
    if of_body is None and key is None:
        raise Problem(
            400,
            "idempotency-key",
            "send an Idempotency-Key header, or a command_id in the body; a retry with the same one gets the first "
            "answer again",
            rule="idempotency-key",
        )
    if of_body is not None and key is not None and of_body != key:
        raise Problem(
            400,
            "idempotency-key",
            f"the Idempotency-Key is {key!r} but command_id is {str(of_body)[:100]!r}; send only one of them",
            rule="idempotency-key",
        )
    return key if of_body is None else of_body
