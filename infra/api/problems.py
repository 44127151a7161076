"""Problem details (RFC 9457), the form of every error response.

``type`` is a URN of the problem's name. If a rule refused the request, the members ``rule``, ``policy``, ``because``,
``next_change_at`` and ``instead`` say why and what else can be done (docs/reference/http.md).
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER: Final = "1"
"""Default of the Retry-After header, in seconds."""


class Problem(Exception):
    """An error response, raised on its way to the client."""

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
        """Return the JSON object of RFC 9457; members that are None are included as null."""
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
    """Malformed input; ``pointer`` is the field as a JSON pointer."""
    return Problem(status, rule if rule != "form" else "malformed", detail, rule=rule, pointer=pointer)


def not_found(detail: str = "There is no such order here.", rule: str = "no-such-order") -> Problem:
    """Something unknown or not the caller's; the response does not say which."""
    return Problem(404, "not-found", detail, rule=rule)


def unavailable(why: str, detail: str, retry_after: str = RETRY_AFTER) -> Problem:
    """A temporary failure; the client may send the same request again."""
    return Problem(503, why, detail, headers={"Retry-After": retry_after}, rule=why)
