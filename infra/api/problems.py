"""Problem details (RFC 9457): every answer that is not a yes, in one form.

``type`` is a URN of the problem's name. Where a rule spoke, ``rule``, ``policy``, ``because``, ``next_change_at`` and
``instead`` stand beside it, so that a client can say why and what else can be done.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER: Final = "1"
"""Seconds after which asking again makes sense where nobody knows better."""


class Problem(Exception):
    """An answer that is not a yes, on its way to the client."""

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def body(self) -> dict[str, Any]:
        """The JSON object of RFC 9457; members that are None are told too, they are an answer."""
        return {
            "type": f"urn:rescind:problem:{self.name}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }

    def response(self) -> Response:
        return Response(
            json.dumps(self.body(), ensure_ascii=False, separators=(",", ":")),
            self.status,
            self.headers,
            MEDIA_TYPE,
        )


def malformed(detail: str, pointer: str | None = None, rule: str = "form", status: int = 422) -> Problem:
    """Input that never reached the journal; ``pointer`` is the field as a JSON pointer."""
    return Problem(status, rule if rule != "form" else "malformed", detail, rule=rule, pointer=pointer)


def not_found(detail: str = "There is no such order here.", rule: str = "no-such-order") -> Problem:
    """Unknown, or not yours: a stranger cannot tell which."""
    return Problem(404, "not-found", detail, rule=rule)


def unavailable(why: str, detail: str, retry_after: str = RETRY_AFTER) -> Problem:
    """Not now; the same request may be sent again."""
    return Problem(503, why, detail, headers={"Retry-After": retry_after}, rule=why)
