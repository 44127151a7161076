"""Turns the fields of a command into options, and the options back into the command's JSON.

Types come from the commands' JSON Schema, so that a new field of a command is an option at once.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from infra.cli.exits import UsageError
from infra.cli.options import INSTANT

if TYPE_CHECKING:
    from domain.order import Order
    from infra.cli.order_actions import Action

Body = dict[str, Any]

_FIXED: Final = frozenset(
    {"command", "command_id", "marketplace", "order_id", "at", "actor", "correlation_id", "confirmation"}
)
"""Fields that no option fills: who, where and when, and what the question confirms."""
_PICK: Final = re.compile(r"([0-9]{1,18})(?::([0-9]{1,18}))?(?::([a-z]{1,20}))?", re.ASCII)
_COVERED: Final = re.compile(r"(?:line:([0-9]{1,18})|fee:([^=]{1,100})|(shipping))=(.{1,100})", re.ASCII)
_MOST_CHOICES: Final = 8
_LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a file at most. A rule refuses a file that is too large; a larger one is not read."""

FIELDS: Final[Mapping[str, tuple[str, str]]] = {
    "about": ("ID", "Id of what it is about: a request, return, case, dispute or shipment."),
    "accepts_item": ("", "Whether the customer accepts the items."),
    "accepts_rebilling": ("", "Whether the customer accepts the new bill."),
    "amount": ("AMOUNT", "Amount in the order's currency, such as 10.00."),
    "carrier": ("NAME", "The carrier."),
    "case_id": ("ID", "Id of the case."),
    "channel": ("", "How support was contacted."),
    "chargeback_id": ("ID", "Id of the chargeback at the payment service."),
    "claimed_at": ("TIME", "When it happened, as its giver says."),
    "condition": ("", "Condition of everything that came back."),
    "contact_id": ("ID", "Id of the contact."),
    "covers": ("WHAT=AMOUNT", "What the money was for: line:1=8.00, shipping=2.00 or fee:ID=1.00; may be repeated."),
    "dispute_id": ("ID", "Id of the dispute."),
    "evidence": ("ID", "Evidence of the customer's answer; may be repeated."),
    "evidence_id": ("ID", "Id of the evidence."),
    "kind": ("", "Its kind."),
    "kinds": ("", "What is asked for; may be repeated."),
    "lines": ("N[:QUANTITY]", "Only this line; may be repeated."),
    "media_type": ("TYPE", "Media type of the file, if it is given without --file."),
    "memo_id": ("ID", "Id of the credit memo."),
    "message_id": ("ID", "Id of the message."),
    "method": ("", "How it was paid."),
    "note": ("TEXT", "A note; it is stored in the vault."),
    "notice_id": ("ID", "Id of the notification."),
    "occurred_at": ("TIME", "When it happened; default: now."),
    "origin": ("", "Where the file comes from."),
    "other_refund_id": ("ID", "Id of the refund that was made elsewhere."),
    "outcome": ("", "The outcome."),
    "payment_id": ("ID", "Id of the payment."),
    "provider_ref": ("REF", "The payment service's own reference."),
    "reason": ("REASON", "A reason that the order's policy allows (rescind reasons list)."),
    "rebill_id": ("ID", "Id of the new bill."),
    "refund_id": ("ID", "Id of the refund."),
    "refund_now": ("", "Refund at once, before the units are back."),
    "representative": ("NAME", "Who answered for support; it is stored in the vault."),
    "request_id": ("ID", "Id of the cancellation request."),
    "rule": ("RULE", "The rule that support applies."),
    "sha256": ("HASH", "SHA-256 of the file, if it is given without --file."),
    "ship_by": ("TIME", "The new ship-by."),
    "shipment_id": ("ID", "Id of the shipment."),
    "size": ("BYTES", "Size of the file, if it is given without --file."),
    "source": ("TEXT", "Where it was found."),
    "stage": ("", "What has begun."),
    "state": ("", "Whether the money was captured or only authorized."),
    "text": ("TEXT", "The text; it is stored in the vault."),
    "ticket": ("TICKET", "The support ticket."),
    "to": ("", "Who gets the message."),
    "tracking_number": ("NUMBER", "The tracking number."),
    "until": ("TIME", "Until when it is wanted."),
}
"""Field → how its value is written (empty: as its type says), and its help."""
_SINGULAR: Final = {"lines": "line", "kinds": "kind"}
_OF_FILE: Final = ("sha256", "media_type", "size")


def options_of(action: "Action") -> list[click.Option]:
    """Return the options of an action: one for each field of its commands."""
    from domain.commands import COMMANDS
    from infra.api.command_schema import definitions

    defined = definitions()[1]
    found: dict[str, click.Option] = {}
    for name in action.commands:
        schema, claims = defined[name], COMMANDS[name].CLAIMS
        for field, kind in schema["properties"].items():
            if field in _FIXED or field in found:
                continue
            required = field in schema["required"] and field not in (claims, *_OF_FILE)
            found[field] = _option(field, kind, required=required and len(action.commands) == 1, new=field == claims)
    options = list(found.values())
    if "sha256" in found:
        options.append(
            click.Option(["--file"], metavar="FILE", help="The file; its hash, type and size are taken from it.")
        )
    return options


def _option(field: str, schema: Mapping[str, Any], *, required: bool, new: bool) -> click.Option:
    """Return the option of one field. ``new``: it is the id of something new, and has a default."""
    metavar, text = FIELDS[field]
    flag = f"--{_SINGULAR.get(field, field).replace('_', '-')}"
    settings: dict[str, Any] = {"required": required, "help": text}
    if new:
        settings["help"] = f"{text.removesuffix('.')}; generated if absent."
    if metavar:
        settings["metavar"] = metavar
    items = schema.get("items", {})
    choices = schema.get("enum") or items.get("enum") or ()
    if schema.get("type") == "boolean":
        flags = f"{flag}/--no-{flag[2:]}" if required else flag
        return click.Option([flags, field], is_flag=True, default=None, **settings)
    if field == "lines" and {"$ref": "#/$defs/Received"} in items["anyOf"]:
        settings["metavar"] = "N[:QUANTITY[:CONDITION]]"
    if schema.get("format") == "date-time":
        settings["type"] = INSTANT
    elif schema.get("type") == "integer":
        settings["type"] = int
    elif 0 < len(choices) <= _MOST_CHOICES:
        settings["type"] = click.Choice(choices)
    return click.Option([flag, field], multiple=schema.get("type") == "array", **settings)


def actor_of(given: str, order: "Order") -> dict[str, str]:
    """Return the actor of ``--as``: the order's own buyer or seller, or whoever is named."""
    kind, _, name = given.partition(":")
    own = {"buyer": order.terms.buyer_id, "seller": order.terms.seller_id, "system": "cli"}
    if kind not in (*own, "support"):
        raise UsageError(f"--as {given}: write buyer, seller or support:YOUR-ID, or system:NAME")
    if not name and kind not in own:
        raise UsageError("--as support needs your id: --as support:YOUR-ID")
    return {"kind": kind, "id": name or own[kind]}


def body_of(action: "Action", order: "Order", actor: str, command_id: str, fields: Mapping[str, Any]) -> Body:
    """Return the command's JSON from its options. UsageError for a value that cannot be read.

    ``file`` among the fields is the content of the file.
    """
    from domain.commands import COMMANDS

    who = actor_of(actor, order)
    kind = who["kind"]
    name = action.command(kind)
    model = COMMANDS[name]
    body: Body = {
        "command": name,
        "command_id": command_id,
        "marketplace": order.marketplace,
        "order_id": order.order_id,
        "actor": who,
    }
    values = {field: value for field, value in fields.items() if value is not None and value != ()}
    if kind in ("buyer", "seller") and "rule" in values:
        raise UsageError(f"--rule needs --as support:YOUR-ID. A {kind} cannot choose the rule.")
    for field, value in values.items():
        if field == "file":
            body |= described(value)
        elif field not in model.model_fields:
            raise UsageError(f"--{field.replace('_', '-')} needs --as buyer. A {kind} cancels without a request.")
        else:
            body[field] = _value(field, value, received=name == "ReturnReceived")
    if model.CLAIMS is not None:
        prefix = "request-" if model.CLAIMS == "request_id" else ""
        body.setdefault(model.CLAIMS, prefix + command_id)
    return body


def _value(field: str, value: Any, *, received: bool) -> Any:
    from domain.instants import format_instant

    if field == "lines":
        return [_pick(text, received=received) for text in value]
    if field == "covers":
        return [_covered(text) for text in value]
    if FIELDS[field][0] == "TIME":
        return format_instant(value)
    return list(value) if isinstance(value, tuple) else value


def _pick(text: str, *, received: bool) -> dict[str, Any]:
    found = _PICK.fullmatch(text)
    if found is None or (found[3] is not None and not received):
        more = " or NUMBER:QUANTITY:CONDITION" if received else ""
        raise UsageError(f"--line {text[:100]}: write the line's number, or NUMBER:QUANTITY{more}")
    number, quantity, condition = found.groups()
    pick: dict[str, Any] = {"line": int(number), **({"quantity": int(quantity)} if quantity else {})}
    return pick | ({"condition": condition} if condition else {})


def _covered(text: str) -> dict[str, Any]:
    found = _COVERED.fullmatch(text)
    if found is None:
        raise UsageError(f"--covers {text[:100]}: write line:NUMBER=AMOUNT, shipping=AMOUNT or fee:ID=AMOUNT")
    line, fee, shipping, amount = found.groups()
    if shipping is not None:
        return {"shipping": amount}
    return {"amount": amount, **({"line": int(line)} if line is not None else {"fee_id": fee})}


def read_file(path: str) -> bytes:
    """Read a file of evidence. UsageError if it is too large or not there."""
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except (FileNotFoundError, IsADirectoryError):
        raise UsageError(f"--file {path}: there is no such file") from None
    if len(content) > _LARGEST:
        raise UsageError(f"--file {path}: the file is larger than {_LARGEST:,} bytes")
    return content


def described(content: bytes) -> Body:
    """Return the fields of a file. UsageError if it is no complete JPEG, PNG or PDF."""
    from hashlib import sha256

    from infra.http.uploads import UnsupportedFile, media_type_of

    try:
        media_type = media_type_of(content)
    except UnsupportedFile as wrong:
        raise UsageError(f"--file: the file is not accepted: {wrong}") from None
    return {"sha256": sha256(content).hexdigest(), "media_type": media_type, "size": len(content)}
