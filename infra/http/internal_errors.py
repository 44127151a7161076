"""A defect of ours is answered without its insides, under a reference by which the server's own log has them.

It is one line there. Who breaks off a request is no defect: nothing is answered, and nothing is said.
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
"""Places in the code, the innermost first, that the line names."""
LONGEST: Final = 500
"""Characters of a defect's own message."""


class InternalErrors:
    """ASGI middleware. ``problem`` answers in the form that was asked for."""

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
            if not begun:  # else the connection is closed, and the answer is seen to be cut off
                await self._problem(scope, _answer(reference))(scope, receive, send)


def line(defect: BaseException) -> str:
    """What it was and where, in one line: message, places with the innermost first, and what it came of."""
    places = reversed(traceback.extract_tb(defect.__traceback__)[-FRAMES:])
    where = " < ".join(f"{'/'.join(PurePath(at.filename).parts[-3:])}:{at.lineno} {at.name}" for at in places)
    told = f"{type(defect).__name__}({str(defect)[:LONGEST]!r}) at {where}"
    cause = defect.__cause__
    return told if cause is None else f"{told}; caused by {line(cause)}"


def _answer(reference: str) -> Problem:
    return Problem(
        500,
        "defect",
        f"This should not have happened; no acknowledged command is lost. The server's log has it as {reference}.",
        rule="defect",
        instance=f"urn:rescind:defect:{reference}",
    )
