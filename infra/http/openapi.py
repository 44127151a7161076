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
from infra.http.order_schemas import ORDER_COMPONENTS
from infra.http.schema_parts import INSTANT, INTEGER, MINOR, STRING, Schema, array, obj, or_null, ref, text

DESCRIPTION: Final = (
    "Orders and their cancellations, with the reason for every decision. The body of a write is a command without the "
    "fields that the path has. Every write needs an Idempotency-Key or a command_id; a retry gets the first answer "
    "again. Errors are problem details (RFC 9457)."
)


COMPONENTS: Final[dict[str, Schema]] = {
    "PolicyRef": obj("A policy document.", {"id": STRING, "version": INTEGER, "sha256": STRING}),
    "LineQuantity": obj("Units of a line.", {"line": INTEGER, "quantity": INTEGER}),
    "Instead": obj(
        "An alternative: what can be done instead.",
        {
            "option": STRING,
            "text": STRING,
            "until": or_null(INSTANT),
            "href": text("The path of this API that does it."),
            "page": text("The order's page."),
            "contact": or_null(text("How to reach the marketplace; with the option contact.")),
            "reference": {
                "type": "object",
                "description": "The numbers to name when contacting the marketplace.",
            },
            "replaces": {"type": "object", "description": "The value of replaces for a new order."},
        },
        optional=("href", "page", "contact", "reference", "replaces"),
    ),
    "Verdict": obj(
        "The decision of the rules, with its reason.",
        {
            "action": STRING,
            "allowed": {"type": "boolean"},
            "outcome": {"enum": ["granted", "offer_alternatives", "ask_seller", "refused"]},
            "rule": STRING,
            "policy": ref("PolicyRef"),
            "inputs": {"type": "object"},
            "because": STRING,
            "instead": array(ref("Instead")),
            "next_change_at": or_null(INSTANT),
        },
    ),
    "Event": obj(
        "An event with its position in the log.",
        {
            "partition": INTEGER,
            "position": INTEGER,
            "ordinal": INTEGER,
            "version": INTEGER,
            "event": STRING,
            "occurred_at": INSTANT,
            "recorded_at": INSTANT,
            "actor": or_null(obj("Who recorded it.", {"kind": STRING, "id": STRING})),
            "commit": STRING,
            "data": or_null({"type": "object"}),
        },
    ),
    **ORDER_COMPONENTS,
    "Accepted": obj(
        "The result of an accepted command; without events if it changed nothing.",
        {
            "outcome": {"enum": ["accepted", "duplicate"]},
            "events": array(ref("Event")),
            "verdict": or_null(ref("Verdict")),
            "order": or_null(ref("Order")),
        },
    ),
    "Preview": obj(
        "What a command would do now. A preview changes nothing.",
        {
            "confirmation": or_null(
                text("Send it with the command to confirm exactly this; null if the command would be refused.")
            ),
            "version": INTEGER,
            "lines": array(ref("LineQuantity")),
            "refund_minor": MINOR,
            "currency": STRING,
            "verdict": or_null(ref("Verdict")),
            "sentence": STRING,
            "ships": array(ref("LineQuantity")),
            "kills": array(ref("LineQuantity")),
            "stop": array(
                {"type": "object", "description": "An open cancellation request about units that would ship."}
            ),
            "cancels": array(ref("LineQuantity")),
            "asks": array(ref("LineQuantity")),
            "returns": array(ref("LineQuantity")),
            "undelivered": array(ref("LineQuantity")),
            "withdrawn": array(ref("LineQuantity")),
            "standing": array(STRING),
        },
        optional=("ships", "kills", "stop", "cancels", "asks", "returns", "undelivered", "withdrawn"),
    ),
    "Problem": obj(
        "Problem details (RFC 9457). A rule's refusal has rule, policy, because, next_change_at and instead.",
        {
            "type": STRING,
            "title": STRING,
            "status": INTEGER,
            "detail": STRING,
            "rule": text("The rule's id, or form if the input is malformed."),
            "pointer": or_null(text("The wrong field, as a JSON pointer.")),
            "instance": text("Of an internal error: its reference in the server's log."),
            "policy": or_null(ref("PolicyRef")),
            "because": STRING,
            "next_change_at": or_null(INSTANT),
            "instead": array(ref("Instead")),
            "inputs": {"type": "object", "description": "What the rule looked at."},
            "preview": ref("Preview"),
            "version": INTEGER,
            "nearest": text("Of an unknown marketplace: the most similar known name."),
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
            "inputs",
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
    return {"description": description, "content": {media_type: {"schema": ref(schema)}}}


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


CONTACT: Final = obj(
    "The contact of a buyer or seller.",
    {
        "address": text("One plain mail address."),
        "name": or_null(text("The name in the greeting; at most 200 characters.")),
        "language": text("en or de; default en."),
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
                "schema": obj(
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
    bodies = [ref(body_name(name, form)) for name in names if form.commands or name not in ABOUT_SUBJECTS]
    schema = bodies[0] if len(bodies) == 1 else {"anyOf": bodies}
    content = {"application/json": {"schema": schema}}
    if names == ("AttachEvidence",):
        content["multipart/form-data"] = {"schema": _WITH_FILE}
    return {"parameters": parameters, "requestBody": {"required": True, "content": content}}


_WITH_FILE: Final = obj(
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
    moved = {name: _moved(schema) for name, schema in defined.items()}
    found: dict[str, Schema] = {name: schema for name, schema in moved.items() if name not in names}
    for name in names:
        claims = COMMANDS[name].CLAIMS
        elsewhere = ("marketplace", "order_id", *(("subject",) if name in ABOUT_SUBJECTS else ()))
        found[f"{name}Whole"] = _without(moved[name], elsewhere, ("command_id", claims))
        of_path = ("marketplace",) if name == "PlaceOrder" else ("marketplace", "order_id")
        found[f"{name}Body"] = _without(moved[name], of_path, ("command", "command_id", claims))
    for form in (*PATHS, *SUBJECTS):
        for name in form.commands if form.in_path and not form.path.endswith("/commands") else ():
            in_path = tuple(form.in_path.values()) if form.in_path else ()
            gone = ("marketplace", "order_id", *in_path)
            found[body_name(name, form)] = _without(moved[name], gone, ("command", "command_id", COMMANDS[name].CLAIMS))
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
