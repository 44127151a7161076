"""Completes the OpenAPI document, since FastAPI does not see bodies that are read by hand.

A body is its command's schema without the fields that the path has. Responses are described once, as components.
"""

import copy
import re
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from domain.commands import COMMANDS
from infra.api.command_schema import definitions
from infra.api.forms import CommandForm
from infra.api.paths import ABOUT_SUBJECTS, PATHS, SUBJECTS
from infra.documents.words import STATUS

Schema = dict[str, Any]

DESCRIPTION: Final = (
    "Orders and their cancellations, with the reason for every decision. The body of a write is a command without the "
    "fields that the path has. Every write needs an Idempotency-Key or a command_id; a retry gets the first answer "
    "again. Errors are problem details (RFC 9457)."
)


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _object(description: str, properties: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "description": description, "properties": properties, "required": required}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


INSTANT: Final = {"type": "string", "format": "date-time"}
MINOR: Final = {"type": "integer", "description": "Minor units of the order's currency."}
STRING: Final = {"type": "string"}
INTEGER: Final = {"type": "integer"}

_ORDER_KEYS: Final[dict[str, Schema]] = {
    "order_id": STRING,
    "po_number": STRING,
    "checkout_id": _or_null(STRING),
    "seller_id": STRING,
    "buyer_id": STRING,
    "currency": STRING,
    "status": STRING,
    "attention": _list(STRING),
    "version": INTEGER,
}
"""Keys that an order has in a list, and alone."""

COMPONENTS: Final[dict[str, Schema]] = {
    "PolicyRef": _object("A policy document.", {"id": STRING, "version": INTEGER, "sha256": STRING}),
    "LineQuantity": _object("Units of a line.", {"line": INTEGER, "quantity": INTEGER}),
    "Instead": _object(
        "An alternative: what can be done instead.",
        {
            "option": STRING,
            "text": STRING,
            "until": _or_null(INSTANT),
            "href": _text("The path of this API that does it."),
            "page": _text("The order's page."),
            "contact": _or_null(_text("How to reach the marketplace; with the option contact.")),
            "reference": {
                "type": "object",
                "description": "The numbers to name when contacting the marketplace.",
            },
            "replaces": {"type": "object", "description": "The value of replaces for a new order."},
        },
        optional=("href", "page", "contact", "reference", "replaces"),
    ),
    "Verdict": _object(
        "The decision of the rules, with its reason.",
        {
            "action": STRING,
            "allowed": {"type": "boolean"},
            "outcome": {"enum": ["granted", "offer_alternatives", "ask_seller", "refused"]},
            "rule": STRING,
            "policy": _ref("PolicyRef"),
            "inputs": {"type": "object"},
            "because": STRING,
            "instead": _list(_ref("Instead")),
            "next_change_at": _or_null(INSTANT),
        },
    ),
    "Event": _object(
        "An event with its position in the log.",
        {
            "partition": INTEGER,
            "position": INTEGER,
            "ordinal": INTEGER,
            "version": INTEGER,
            "event": STRING,
            "occurred_at": INSTANT,
            "recorded_at": INSTANT,
            "actor": _or_null(_object("Who recorded it.", {"kind": STRING, "id": STRING})),
            "commit": STRING,
            "data": _or_null({"type": "object"}),
        },
    ),
    "Order": _object(
        "An order and its current state.",
        {
            "marketplace": STRING,
            **_ORDER_KEYS,
            "policy": _ref("PolicyRef"),
            "placed_at": INSTANT,
            "lines": _list({"type": "object"}),
            "money": {"type": "object", "additionalProperties": MINOR},
            "requests": _list({"type": "object"}),
            "refunds": _list({"type": "object"}),
            "shipments": _list({"type": "object"}),
            "deadlines": _list({"type": "object"}),
            "head": _or_null(STRING),
            "at": INSTANT,
            "stale": {"type": "boolean"},
        },
        optional=("stale",),
    ),
    "OrderSummary": _object(
        "An order in a list.",
        {
            **_ORDER_KEYS,
            "placed_at": INSTANT,
            "ship_by": _or_null(INSTANT),
            "total_minor": MINOR,
            "open": INTEGER,
            "shipped": INTEGER,
            "canceled": INTEGER,
        },
    ),
    "OrderList": _object(
        "A page of orders, newest first.",
        {
            "orders": _list(_ref("OrderSummary")),
            "next": _or_null(_text("Value of after for the next page; null on the last one.")),
            "stale": {"type": "boolean"},
        },
        optional=("stale",),
    ),
    "Accepted": _object(
        "The result of an accepted command; without events if it changed nothing.",
        {
            "outcome": {"enum": ["accepted", "duplicate"]},
            "events": _list(_ref("Event")),
            "verdict": _or_null(_ref("Verdict")),
            "order": _or_null(_ref("Order")),
        },
    ),
    "Preview": _object(
        "What a command would do now. A preview changes nothing.",
        {
            "confirmation": _or_null(
                _text("Send it with the command to confirm exactly this; null if the command would be refused.")
            ),
            "version": INTEGER,
            "lines": _list(_ref("LineQuantity")),
            "refund_minor": MINOR,
            "currency": STRING,
            "verdict": _or_null(_ref("Verdict")),
            "sentence": STRING,
            "ships": _list(_ref("LineQuantity")),
            "kills": _list(_ref("LineQuantity")),
            "stop": _list(
                {"type": "object", "description": "An open cancellation request about units that would ship."}
            ),
            "cancels": _list(_ref("LineQuantity")),
            "asks": _list(_ref("LineQuantity")),
            "returns": _list(_ref("LineQuantity")),
            "standing": _list(STRING),
        },
        optional=("ships", "kills", "stop", "cancels", "asks", "returns"),
    ),
    "Problem": _object(
        "Problem details (RFC 9457). A rule's refusal has rule, policy, because, next_change_at and instead.",
        {
            "type": STRING,
            "title": STRING,
            "status": INTEGER,
            "detail": STRING,
            "rule": _text("The rule's id, or form if the input is malformed."),
            "pointer": _or_null(_text("The wrong field, as a JSON pointer.")),
            "instance": _text("Of an internal error: its reference in the server's log."),
            "policy": _or_null(_ref("PolicyRef")),
            "because": STRING,
            "next_change_at": _or_null(INSTANT),
            "instead": _list(_ref("Instead")),
            "preview": _ref("Preview"),
            "version": INTEGER,
            "nearest": _text("Of an unknown marketplace: the most similar known name."),
        },
        optional=(
            "nearest",
            "rule",
            "pointer",
            "instance",
            "policy",
            "because",
            "next_change_at",
            "instead",
            "preview",
            "version",
        ),
    ),
}


def _header(name: str, description: str) -> Schema:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": STRING}


def _in_path(path: str) -> list[Schema]:
    return [{"name": name, "in": "path", "required": True, "schema": STRING} for name in re.findall(r"\{(\w+)\}", path)]


MARKETPLACE: Final = _in_path("{marketplace}")
ORDER: Final = _in_path("{marketplace}{order_id}")
KEY: Final = _header(
    "Idempotency-Key", "1 to 100 of A-Z a-z 0-9 . _ : -; it becomes the command_id if the body has none."
)
IF_MATCH: Final = _header(
    "If-Match", "The ETag of the order as you have seen it; if the order has another version, the response is 412."
)
POSITION: Final = _header(
    "Rescind-Position", "The value from the response to your write; the read will include that write."
)


def _query(name: str, description: str, schema: Schema = STRING) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def query_keys(operation: Schema) -> tuple[str, ...]:
    """Return the query keys of an operation."""
    return tuple(each["name"] for each in operation["parameters"] if each["in"] == "query")


AS_OF: Final[Schema] = {
    "parameters": [*ORDER, _query("as_of", "Show the order as of this instant.", INSTANT), POSITION]
}
FILE: Final[Schema] = {"parameters": [*ORDER, *_in_path("{evidence_id}")]}
SELLER: Final[Schema] = {"parameters": [*MARKETPLACE, *_in_path("/{seller_id}"), POSITION]}
SEND: Final[Schema] = {"parameters": [*ORDER, *_in_path("{notice_id}"), KEY]}
MATTER: Final[Schema] = {"parameters": [*ORDER, *_in_path("{matter_id}"), POSITION]}
LIST: Final[Schema] = {
    "parameters": [
        *MARKETPLACE,
        _query(
            "q",
            "Orders with this PO number, order id, reference, tracking number, SKU, checkout id, shipment id, case id "
            "or support ticket, or whose PO number begins so.",
        ),
        _query("po", "Only orders with this PO number or, if there is none, whose PO number begins with it."),
        _query("seller", "Only orders of this seller."),
        _query("buyer", "Only orders of this buyer."),
        _query("status", f"Only orders with this status; upper or lower case: {', '.join(STATUS)}."),
        _query("limit", "Number of orders per page, 1 to 200; default 50.", INTEGER),
        _query("after", "The value of next from the previous page."),
        POSITION,
    ]
}


def _answer(description: str, schema: str, media_type: str = "application/json") -> Schema:
    return {"description": description, "content": {media_type: {"schema": _ref(schema)}}}


def _problem(description: str) -> Schema:
    return _answer(description, "Problem", "application/problem+json")


_UNAVAILABLE: Final = _problem(
    "Temporarily unavailable, or the outcome is not known yet. Retry with the same Idempotency-Key."
)
_CROSS_SITE: Final = _problem("A page of another website sent the request.")
_NOT_FOUND: Final = _problem("The order does not exist or is not yours.")

READ_ANSWERS: Final[dict[int | str, Schema]] = {
    200: {"description": "The requested data.", "content": {"application/json": {"schema": {}}}},
    400: _problem("The request is malformed."),
    404: _NOT_FOUND,
    503: _UNAVAILABLE,
}


SEND_ANSWERS: Final[dict[int | str, Schema]] = {
    202: {
        "description": "It is queued and sent as soon as possible.",
        "content": {"application/json": {"schema": {}}},
    },
    400: _problem("The request is malformed."),
    403: _CROSS_SITE,
    404: _NOT_FOUND,
    503: _UNAVAILABLE,
}


CONTACT: Final = _object(
    "The contact of a buyer or seller.",
    {
        "address": _text("One plain mail address."),
        "name": _or_null(_text("The name in the greeting; at most 200 characters.")),
        "language": _text("en or de; default en."),
    },
    optional=("name", "language"),
)
_REACHED: Final[Schema] = {"parameters": [*MARKETPLACE, *_in_path("{person_id}")]}


def contact(method: str) -> tuple[Schema, dict[int | str, Schema]]:
    """Return the parameters and body of a method on contacts, and its responses."""
    content = {"application/json": {"schema": CONTACT}}
    common: dict[int | str, Schema] = {
        400: _problem("The request is malformed, or the body is not JSON."),
        **({} if method == "GET" else {403: _CROSS_SITE}),
        404: _problem("There is no contact, or it is not yours."),
        503: _UNAVAILABLE,
    }
    match method:
        case "PUT":
            wrong: dict[int | str, Schema] = {
                413: _problem("The body is too long."),
                415: _problem("The body is not application/json, is compressed, or is not UTF-8."),
                422: _problem("The contact is invalid; `pointer` names the field."),
            }
            body = {"requestBody": {"required": True, "content": content}}
            return {**_REACHED, **body}, {
                200: {"description": "The contact as stored.", "content": content},
                **common,
                **wrong,
            }
        case "DELETE":
            return _REACHED, {204: {"description": "The contact is removed; no more mail is sent."}, **common}
        case _:
            return _REACHED, {200: {"description": "The contact as stored.", "content": content}, **common}


HEALTH_ANSWERS: Final[dict[int | str, Schema]] = {
    200: {
        "description": "Ready. `trouble` names background loops with a problem and why; `since` says since when.",
        "content": {
            "application/json": {
                "schema": _object(
                    "The state of this process.",
                    {"status": STRING, "trouble": {"type": "object"}, "since": {"type": "object"}},
                    optional=("trouble", "since"),
                )
            }
        },
    },
    503: _problem("Not ready; the detail says why."),
}


def answers(form: CommandForm, *, preview: bool) -> dict[int | str, Schema]:
    """Return the responses of a write or of its preview."""
    common: dict[int | str, Schema] = {
        400: _problem("The request is malformed or has no command id."),
        403: _CROSS_SITE,
        404: _NOT_FOUND,
        413: _problem("The body is too long."),
        415: _problem("The body is not application/json, is compressed, or is not UTF-8."),
        422: _problem("The command is malformed, or its id was used for another command."),
        503: _UNAVAILABLE,
    }
    if preview:
        return {200: _answer("What the command would do.", "Preview"), **common}
    accepted = _answer("Accepted.", "Accepted")
    placed: dict[int | str, Schema] = (
        {201: _answer("Placed.", "Accepted")} if form.commands in ((), ("PlaceOrder",)) else {}
    )
    return {
        200: accepted,
        **placed,
        **common,
        409: _problem("A rule refuses it, it needs a (new) confirmation, or the same key is being decided."),
        412: _problem("The order has another version than If-Match names."),
    }


def write(form: CommandForm, *, preview: bool, below_order: bool) -> Schema:
    """Return the parameters and body of a write."""
    headers = [] if preview else [KEY, IF_MATCH]
    parameters = [*(ORDER if below_order else MARKETPLACE), *_in_path(form.path), *headers]
    names = form.commands or tuple(COMMANDS)
    bodies = [_ref(body_name(name, form)) for name in names if form.commands or name not in ABOUT_SUBJECTS]
    schema = bodies[0] if len(bodies) == 1 else {"anyOf": bodies}
    content = {"application/json": {"schema": schema}}
    if names == ("AttachEvidence",):
        content["multipart/form-data"] = {"schema": _WITH_FILE}
    return {"parameters": parameters, "requestBody": {"required": True, "content": content}}


_WITH_FILE: Final = _object(
    "The command's fields as text (actor as JSON) and the file; its hash, media type and size may be left out.",
    {
        "file": {"type": "string", "format": "binary", "description": "JPEG, PNG or PDF, at most 1,750,000 bytes."},
        **dict.fromkeys(("about", "kind", "evidence_id", "origin", "source", "note", "claimed_at"), STRING),
        **dict.fromkeys(("sha256", "media_type", "size", "actor"), STRING),
    },
    optional=("evidence_id", "origin", "source", "note", "claimed_at", "sha256", "media_type", "size", "actor"),
)


def body_name(command: str, form: CommandForm) -> str:
    """Return the name of the component that describes a command's body under a form."""
    if not form.commands or form.path.endswith("/commands"):
        return f"{command}Whole"
    return f"{command}Body" if not form.in_path else f"{command}Step"


def operation_id(method: str, path: str) -> str:
    """Return an operation's name for generated clients, such as post_orders_cancellations_preview."""
    steps = [step for step in path.split("/") if step and step != "v1" and not step.startswith("{")]
    one = "_one" if path.endswith("/orders/{order_id}") else ""
    return "_".join((method, *steps)) + one


def _bodies() -> dict[str, Schema]:
    """Return every command's body: for its named form, for a step's path, and complete."""
    names, defined = definitions()
    text = {name: _moved(schema) for name, schema in defined.items()}
    found: dict[str, Schema] = {name: schema for name, schema in text.items() if name not in names}
    for name in names:
        claims = COMMANDS[name].CLAIMS
        elsewhere = ("marketplace", "order_id", *(("subject",) if name in ABOUT_SUBJECTS else ()))
        found[f"{name}Whole"] = _without(text[name], elsewhere, ("command_id", claims))
        of_path = ("marketplace",) if name == "PlaceOrder" else ("marketplace", "order_id")
        found[f"{name}Body"] = _without(text[name], of_path, ("command", "command_id", claims))
    for form in (*PATHS, *SUBJECTS):
        for name in form.commands if form.in_path and not form.path.endswith("/commands") else ():
            in_path = tuple(form.in_path.values()) if form.in_path else ()
            gone = ("marketplace", "order_id", *in_path)
            found[body_name(name, form)] = _without(text[name], gone, ("command", "command_id", COMMANDS[name].CLAIMS))
    return found


def _without(schema: Schema, gone: tuple[str, ...], optional: tuple[str | None, ...]) -> Schema:
    left = copy.deepcopy(schema)
    for name in gone:
        left["properties"].pop(name, None)
    left["required"] = [name for name in left["required"] if name not in gone and name not in optional]
    return left


def _moved(schema: Any) -> Any:
    """Return the schema with its references pointing to this document's components."""
    if isinstance(schema, list):
        return [_moved(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value.replace("#/$defs/", "#/components/schemas/") if key == "$ref" else _moved(value)
        for key, value in schema.items()
    }


def install(api: FastAPI) -> None:
    """Make the application serve the complete document, built at the first request."""

    def whole() -> Schema:
        if api.openapi_schema is None:
            document = get_openapi(title=api.title, version=api.version, description=DESCRIPTION, routes=api.routes)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            used: dict[str, Schema] = {**COMPONENTS, **_bodies()}
            schemas.update(_reachable(document["paths"], used))
            api.openapi_schema = document
        return api.openapi_schema

    api.openapi = whole  # type: ignore[method-assign]


def _reachable(paths: Any, components: dict[str, Schema]) -> dict[str, Schema]:
    """Return the components that the paths use, directly or through others."""
    found: dict[str, Schema] = {}
    waiting = [paths]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(part)
        elif isinstance(part, dict):
            reference = part.get("$ref")
            if isinstance(reference, str):
                name = reference.rpartition("/")[2]
                if name in components and name not in found:
                    found[name] = components[name]
                    waiting.append(components[name])
            waiting.extend(value for key, value in part.items() if key != "$ref")
    return dict(sorted(found.items()))
