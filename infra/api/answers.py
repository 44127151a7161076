"""Builds responses from outcomes: JSON or problem details, with ETag and Rescind-Position.

The same outcome always gives the same bytes, whether it was just decided or is read from the log for a retry. So
nothing here reads the clock.
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
from domain.verdict import REPORT_LOST
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
    """Return the response to a write.

    ``fresh``: the preview to show if the confirmation was missing or outdated. ``contact``: how to reach the
    marketplace.
    """
    replayed = {} if outcome.original is None else {REPLAYED: "true"}
    result = outcome.effective
    match result.kind:
        case "accepted":
            return _accepted(result, command, replayed)
        case "refused":
            return _refused(result, command, replayed, fresh, contact).response()
        case "duplicate":
            body: dict[str, Any] = {"outcome": "duplicate", "events": [], "verdict": None, "order": None}
            return json_response(body, 200, replayed)
        case "bad":
            return malformed(result.message, result.pointer, result.rule or "form").response()
        case "version-conflict":
            return version_conflict(result.order).response()
        case "unknown":
            return unavailable("outcome-unknown", result.message).response()
        case "unavailable":
            return unavailable(result.rule or "unavailable", result.message).response()


def _accepted(outcome: Outcome, command: Command, headers: Mapping[str, str]) -> Response:
    commit_position, order = outcome.commit_position, outcome.order
    body = {
        "outcome": "accepted",
        "events": events_of(outcome, command),
        "verdict": None if outcome.verdict is None else verdict_data(outcome.verdict),
        "order": None
        if commit_position is None or order is None or not order.exists
        else show(order, commit_position.hash, commit_position.recorded_at),
    }
    placed = any(isinstance(event, OrderPlaced) for event, _ in outcome.events)
    extra = {"Location": f"/v1/{command.marketplace}/orders/{command.order_id}"} if placed else {}
    return json_response(body, 201 if placed else 200, {**_position_headers(outcome), **extra, **headers})


def events_of(outcome: Outcome, command: Command) -> list[dict[str, Any]]:
    """Return the events of an outcome in the form of the order's history."""
    commit_position = outcome.commit_position
    if commit_position is None:
        return []
    actor = (command.actor.kind, command.actor.id)
    commit = CommitFields(
        commit_position.partition, commit_position.ordinal, commit_position.recorded_at, actor, commit_position.hash
    )
    first = commit_position.version - len(outcome.events)
    return [
        event_json(commit, commit_position.position + index, first + index + 1, type(event).__name__, occurred_at)
        | {"data": event_data(event)}
        for index, (event, occurred_at) in enumerate(outcome.events)
    ]


def _position_headers(outcome: Outcome) -> dict[str, str]:
    commit_position: CommitPosition | None = outcome.commit_position
    if commit_position is None:
        return {}
    token = token_of(outcome)
    return {"ETag": etag(commit_position.version), **({} if token is None else {POSITION: token})}


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
    return Problem(409, rule, outcome.message or rule, headers={**_position_headers(outcome), **headers}, **members)


def ruled(verdict: Verdict, order: Order) -> dict[str, Any]:
    """Members of the problem for a rule's refusal; ``policy`` is None if the order has no policy yet."""
    data = verdict_data(verdict)
    return {
        "policy": data["policy"] if verdict.policy.id else None,
        "because": data["because"],
        "next_change_at": data["next_change_at"],
        "instead": [_with_link(each, order) for each in verdict.instead],
        "inputs": data["inputs"],
    }


def _reference(command: Command) -> dict[str, str]:
    """The numbers to name when contacting the marketplace: the order's, and the request's if there is one."""
    request = getattr(command, "request_id", None)
    return {"order": command.stream, **({} if request is None else {"request": request})}


_DONE_AT: Final = {
    "ask_seller": "/cancellations",
    "propose": "/cancellations",
    "cancel": "/cancellations",
    "return": "/returns",
    "withdraw_return": "/returns",
    "close_return": "/returns",
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
"""Option → the path below the order that does it, or says when it can be done."""


def _with_link(instead: Instead, order: Order) -> dict[str, Any]:
    """Return an alternative with its link; for a new order also how to name the old one.

    An order that was not placed has no link and no page.
    """
    base = f"/v1/{order.marketplace}/orders"
    found: dict[str, Any] = {
        "option": instead.option,
        "text": instead.text,
        "until": None if instead.until is None else format_instant(instead.until),
    }
    if not order.exists:
        return found
    if instead.option == "new_order":
        lines = [x.number for x in order.lines.values() if x.canceled or x.returned or x.undelivered]
        found |= {"href": base, "replaces": {"order_id": order.order_id, "lines": lines}}
    elif instead == REPORT_LOST:  # The seller reports it. The buyer can only ask for that, in a message.
        found["href"] = f"{base}/{order.order_id}/messages"
    elif instead.option in _DONE_AT:
        found["href"] = f"{base}/{order.order_id}{_DONE_AT[instead.option]}"
    found["page"] = f"/o/{order.marketplace}/{order.order_id}"
    return found


def _confirm(command: Command) -> dict[str, Any]:
    """The alternative for a missing confirmation: read the preview and confirm it."""
    confirm: dict[str, Any] = {
        "option": "confirm",
        "text": "Read the preview, and send the command again with its confirmation.",
        "until": None,
        "page": f"/o/{command.marketplace}/{command.order_id}",
    }
    path = preview_path(command)
    if path is not None:
        confirm["href"] = f"/v1/{command.marketplace}/orders/{command.order_id}{path}"
    return confirm


def _holds_released(command: SubjectCommand, order: Order) -> list[dict[str, Any]]:
    """The alternatives for an erasure that legal holds prevent: release each of them."""
    holds = f"/v1/{command.marketplace}/subjects/{segment(command.subject)}/holds"
    return [
        {
            "option": "release",
            "text": f"Release legal hold {hold}, then send the erasure again with a new Idempotency-Key.",
            "until": None,
            "href": f"{holds}/{segment(hold)}/release",
        }
        for hold in order.holds
    ]


def nobody_of_that_name() -> Problem:
    """The response to anybody but support and systems; it does not say whether there is any data."""
    return not_found("There is no such person here, or you may not manage their data.", "no-such-subject")


def version_conflict(order: Order | None) -> Problem:
    """The response if If-Match names another version than the order's."""
    version = 0 if order is None else order.version
    return Problem(
        412,
        "version-conflict",
        f"The order has changed and is now at version {version}. Read it again before you decide.",
        headers={"ETag": etag(version)},
        rule="if-match",
        version=version,
    )
