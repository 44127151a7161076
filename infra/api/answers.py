"""What a caller reads: outcomes and reads as JSON responses, with ETag, Rescind-Position and problem details.

The same outcome gives the same bytes, whether it was decided just now or is read back from the log for a retry: nothing
here looks at the clock.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from consumers.engine.outcome import CommitPosition, Outcome
from domain.commands import Command, SubjectCommand
from domain.events import Instead, OrderPlaced, Verdict
from domain.instants import format_instant
from domain.order import Order
from domain.order_json import show
from domain.preview import Preview
from infra.api.paths import preview_path
from infra.api.previews import body as preview_body
from infra.api.problems import Problem, malformed, not_found, unavailable
from infra.api.request_parts import segment
from infra.api.session_tokens import HEADER as POSITION
from infra.api.session_tokens import token_of
from infra.store.history import CommitFields, event_json
from schemas.codec import event_data, verdict_data

REPLAYED: Final = "Rescind-Replayed"
STALE: Final = "Rescind-Stale"
STRANGERS: Final = frozenset({"no-such-order", "not-yours"})


def etag(version: int) -> str:
    """The order's version as an entity tag."""
    return f'"{version}"'


_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON in UTF-8, without spaces."""
    return Response(_encode(body), status, headers, "application/json")


def of_write(outcome: Outcome, command: Command, fresh: Preview | None = None, contact: str | None = None) -> Response:
    """The answer to a write; ``fresh`` is the preview to show where a confirmation was missing or stale, ``contact``
    how the marketplace can be reached."""
    replayed = {} if outcome.original is None else {REPLAYED: "true"}
    told = outcome.effective
    match told.kind:
        case "accepted":
            return _accepted(told, command, replayed)
        case "refused":
            return _refused(told, command, replayed, fresh, contact).response()
        case "duplicate":
            body: dict[str, Any] = {"outcome": "duplicate", "events": [], "verdict": None, "order": None}
            return json_response(body, 200, replayed)
        case "bad":
            return malformed(told.message, told.pointer, told.rule or "form").response()
        case "version-conflict":
            return version_conflict(told.order).response()
        case "unknown":
            return unavailable("outcome-unknown", told.message).response()
        case "unavailable":
            return unavailable(told.rule or "unavailable", told.message).response()


def _accepted(outcome: Outcome, command: Command, headers: Mapping[str, str]) -> Response:
    standing, order = outcome.commit_position, outcome.order
    body = {
        "outcome": "accepted",
        "events": events_of(outcome, command),
        "verdict": None if outcome.verdict is None else verdict_data(outcome.verdict),
        "order": None
        if standing is None or order is None or not order.exists
        else show(order, standing.hash, standing.recorded_at),
    }
    placed = any(isinstance(event, OrderPlaced) for event, _ in outcome.events)
    extra = {"Location": f"/v1/{command.marketplace}/orders/{command.order_id}"} if placed else {}
    return json_response(body, 201 if placed else 200, {**_standing_headers(outcome), **extra, **headers})


def events_of(outcome: Outcome, command: Command) -> list[dict[str, Any]]:
    """The events of an outcome in the form of the history."""
    standing = outcome.commit_position
    if standing is None:
        return []
    actor = (command.actor.kind, command.actor.id)
    commit = CommitFields(standing.partition, standing.ordinal, standing.recorded_at, actor, standing.hash)
    first = standing.version - len(outcome.events)
    return [
        event_json(commit, standing.position + index, first + index + 1, type(event).__name__, occurred_at)
        | {"data": event_data(event)}
        for index, (event, occurred_at) in enumerate(outcome.events)
    ]


def _standing_headers(outcome: Outcome) -> dict[str, str]:
    standing: CommitPosition | None = outcome.commit_position
    if standing is None:
        return {}
    token = token_of(outcome)
    return {"ETag": etag(standing.version), **({} if token is None else {POSITION: token})}


def _refused(
    outcome: Outcome, command: Command, headers: Mapping[str, str], fresh: Preview | None, contact: str | None
) -> Problem:
    rule = outcome.rule or "refused"
    if rule in STRANGERS:
        return nobody_of_that_name() if isinstance(command, SubjectCommand) else not_found()
    members: dict[str, Any] = {"rule": rule}
    if fresh is not None:
        members |= {"preview": preview_body(fresh), "instead": [_confirm(command)]}
    elif outcome.order is not None and outcome.verdict is not None:
        members |= ruled(outcome.verdict, outcome.order)
        if isinstance(command, SubjectCommand):
            members["instead"] = _holds_released(command, outcome.order)
        for each in members["instead"]:
            if each["option"] == "contact":
                each |= {"contact": contact, "reference": _reference(command)}
    members.setdefault("because", outcome.message)
    if outcome.commit_position is not None:
        members["version"] = outcome.commit_position.version
    return Problem(409, rule, outcome.message or rule, headers={**_standing_headers(outcome), **headers}, **members)


def ruled(verdict: Verdict, order: Order) -> dict[str, Any]:
    """What a problem says where a rule spoke: policy (None where none has been pinned), because, next_change_at,
    instead."""
    data = verdict_data(verdict)
    return {
        "policy": data["policy"] if verdict.policy.id else None,
        "because": data["because"],
        "next_change_at": data["next_change_at"],
        "instead": [_with_link(each, order) for each in verdict.instead],
        "inputs": data["inputs"],
    }


def _reference(command: Command) -> dict[str, str]:
    """What to have at hand when speaking with the marketplace: the order's number, and the request's where there is
    one."""
    request = getattr(command, "request_id", None)
    return {"order": command.stream, **({} if request is None else {"request": request})}


_DONE_AT: Final = {
    "ask_seller": "/cancellations",
    "propose": "/cancellations",
    "cancel": "/cancellations",
    "return": "/returns",
    "open_case": "/cases",
    "dispute": "/disputes",
    "report_shipped": "/shipped-after-cancel",
    "contact": "/contacts",
    "wait": "/eligibility",
    "choose": "",
    "ship": "/shipments",
    "step": "",
    "check": "/history",
}
"""What can still be done → the path below the order that does it, or tells when."""


def _with_link(instead: Instead, order: Order) -> dict[str, Any]:
    """What can still be done, and where: a path of this API, for a new order also how it names the old one. Of an
    order that was not placed there is no path and no page."""
    base = f"/v1/{order.marketplace}/orders"
    told: dict[str, Any] = {
        "option": instead.option,
        "text": instead.text,
        "until": None if instead.until is None else format_instant(instead.until),
    }
    if not order.exists:
        return told
    if instead.option == "new_order":
        lines = [line.number for line in order.lines.values() if line.canceled or line.returned]
        told |= {"href": base, "replaces": {"order_id": order.order_id, "lines": lines}}
    elif instead.option in _DONE_AT:
        told["href"] = f"{base}/{order.order_id}{_DONE_AT[instead.option]}"
    told["page"] = f"/o/{order.marketplace}/{order.order_id}"
    return told


def _confirm(command: Command) -> dict[str, Any]:
    """What is missing is the confirmation: look at the preview, here or again where ``href`` says."""
    confirm: dict[str, Any] = {
        "option": "confirm",
        "text": "Look at the preview, and send its confirmation along.",
        "until": None,
        "page": f"/o/{command.marketplace}/{command.order_id}",
    }
    path = preview_path(command)
    if path is not None:
        confirm["href"] = f"/v1/{command.marketplace}/orders/{command.order_id}{path}"
    return confirm


def _holds_released(command: SubjectCommand, order: Order) -> list[dict[str, Any]]:
    """What has to be done before a person can be erased."""
    holds = f"/v1/{command.marketplace}/subjects/{segment(command.subject)}/holds"
    return [
        {
            "option": "release",
            "text": f"Release legal hold {hold}, then ask again under a new key.",
            "until": None,
            "href": f"{holds}/{segment(hold)}/release",
        }
        for hold in order.holds
    ]


def nobody_of_that_name() -> Problem:
    """Only support and systems speak about a person's data; nobody else learns whether there is any."""
    return not_found("There is nobody of this name here, or they are not yours to speak about.", "no-such-subject")


def version_conflict(order: Order | None) -> Problem:
    """If-Match named another version than the order has."""
    version = 0 if order is None else order.version
    return Problem(
        412,
        "version-conflict",
        f"the order is at version {version}; read it again, and decide on what it says now",
        headers={"ETag": etag(version)},
        rule="if-match",
        version=version,
    )
