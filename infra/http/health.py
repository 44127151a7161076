"""Health: whether the process is alive, and whether it can serve requests (docs/reference/http.md)."""

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from consumers.ports.journal import JournalError
from domain.instants import SECOND, format_instant
from infra.api.answers import json_response
from infra.api.problems import unavailable
from infra.app import App
from infra.http import openapi


def router(app: App) -> APIRouter:
    """Build the routes ``/healthz`` and ``/readyz``."""
    routes = APIRouter(tags=["health"])

    async def healthz() -> Response:
        if app.broken is not None:
            return unavailable(
                "engine-ended", "The engine stopped because of an internal error. Start the process again."
            ).response()
        return json_response({"status": "ok"})

    async def readyz() -> Response:
        if app.broken is not None:
            return unavailable(
                "engine-ended", "The engine stopped because of an internal error. Start the process again."
            ).response()
        answer = app.engine.call(lambda engine: (engine.caught_up, dict(engine.trouble)))
        if answer.cancelled():
            return unavailable("closing", "The server is shutting down.").response()
        try:
            caught_up, trouble = await asyncio.wait_for(asyncio.wrap_future(answer), 2.0)
        except TimeoutError:
            return unavailable("busy", "The engine did not answer in time.").response()
        except JournalError as away:
            return unavailable("journal-unavailable", str(away)).response()
        if not caught_up:
            why = "; ".join(trouble.values()) or "the log has not been read to its end yet"
            return unavailable("not-caught-up", why).response()
        if app.cluster is not None:
            assert app.command_topic is not None
            if not app.command_topic.joined:
                why = app.command_topic.trouble or "the group has not assigned partitions to this process yet"
                return unavailable("not-joined", why).response()
            if not app.cluster.assignment.settled:
                waits = "; ".join(dict(app.cluster.assignment.trouble).values()) or "partitions are being assigned"
                return unavailable("not-caught-up", waits).response()
        troubled = app.watch.trouble
        if not troubled:
            return json_response({"status": "ready"})
        now, lasts = app.clock(), app.watch.since
        since = {name: format_instant(now - int(lasts.get(name, 0.0) * SECOND)) for name in troubled}
        return json_response({"status": "ready", "trouble": troubled, "since": since})

    for path, handler, summary in (("/healthz", healthz, "Alive"), ("/readyz", readyz, "Caught up with the log")):
        routes.add_api_route(
            path,
            handler,
            methods=["GET"],
            summary=summary,
            operation_id=openapi.operation_id("get", path),
            responses=openapi.HEALTH_ANSWERS,
            response_class=Response,
        )
    return routes
