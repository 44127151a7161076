"""Answers internal errors without their details, but with a reference to the line in the server's log.

A client that disconnects is not an error; nothing is answered or logged.
"""

import secrets
import sys
import traceback
from collections.abc import Callable
from pathlib import PurePath
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.api.problems import Problem

FRAMES: Final = 12
"""Code locations that the line names at most, the innermost first."""
LONGEST: Final = 500
"""Characters of an error's message that the line has at most."""


class InternalErrors:
    """ASGI middleware. ``problem`` builds the response as JSON or page."""

    def __init__(self, app: ASGIApp, problem: Callable[[Scope, Problem], Response]) -> None:
        self._app = app
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            return
        except Exception as defect:
            if scope["type"] != "http":
                raise
            reference = secrets.token_hex(6)
            sys.stderr.write(f"rescind: defect {reference}: {scope['method']} {scope['path']!a}: {line(defect)}\n")
            if not begun:  # otherwise the connection is closed and the response truncated
                await self._problem(scope, _answer(reference))(scope, receive, send)


def line(defect: BaseException) -> str:
    """Describe an error in one line: message, code locations with the innermost first, and its cause."""
    places = reversed(traceback.extract_tb(defect.__traceback__)[-FRAMES:])
    where = " < ".join(f"{'/'.join(PurePath(at.filename).parts[-3:])}:{at.lineno} {at.name}" for at in places)
    text = f"{type(defect).__name__}({str(defect)[:LONGEST]!r}) at {where}"
    cause = defect.__cause__
    return text if cause is None else f"{text}; caused by {line(cause)}"


def _answer(reference: str) -> Problem:
    return Problem(
        500,
        "defect",
        f"An internal error occurred. No acknowledged command is lost. Look for {reference} in the server's log.",
        rule="defect",
        instance=f"urn:rescind:defect:{reference}",
    )
