"""`rescind serve`: runs everything in one process until a signal ends it."""

import os
import signal
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from infra.cli.exits import EXIT_UNAVAILABLE, Terminated, Unavailable, UsageError
from infra.cli.options import stored
from infra.cli.printing import echo, say
from infra.cli.signals import ENDING

if TYPE_CHECKING:
    from infra.app import App
    from infra.settings import Settings


@click.command()
@click.option("--host", help="Address to listen on. [default: 127.0.0.1]")
@click.option(
    "--port", metavar="PORT", type=click.IntRange(0, 65_535), help="Port; 0 picks a free one. [default: 8080]"
)
@click.option(
    "--demo",
    is_flag=True,
    help="Fill an empty store with a simulated marketplace first; later starts continue with it.",
)
@click.option("--texts-lost", is_flag=True, help="The vault is lost for good: start with a new one. Needed once.")
@stored
def serve(settings: "Settings", demo: bool, texts_lost: bool) -> int:
    """Run everything in one process: HTTP, pages, engine, views."""
    from infra.app import AppOptions, open_app
    from infra.server.binding import NotFree, NotHere, bind
    from infra.server.server import serve

    def defect() -> None:
        sys.stderr.write("rescind: the engine stopped because of an internal error; start the process again\n")
        os.kill(os.getpid(), signal.SIGTERM)

    if demo and settings.follow == "share":
        raise UsageError("--demo must fill its store alone. Start once without follow = share, then share.")
    with ExitStack() as stack:
        try:
            bound = [stack.enter_context(each) for each in bind(settings.host, settings.port)]
        except NotHere as wrong:
            raise UsageError(str(wrong)) from None
        except NotFree as taken:
            raise Unavailable(str(taken)) from None
        opened = open_app(
            settings, AppOptions(publish=True, open_later=not demo, texts_lost=texts_lost), on_defect=defect
        )
        app = stack.enter_context(opened)
        if demo:
            _fill(app)
        try:
            serve(app, bound, lambda address: echo(f"rescind: listening on {address}"))
        except NotFree as taken:
            raise Unavailable(str(taken)) from None
        except Terminated:
            ENDING.heard()
            return 0 if app.broken is None else EXIT_UNAVAILABLE
    return 0


def _fill(app: "App") -> None:
    from infra.demo import MARKETPLACE, NotEmpty, SeedingFailed, seed

    say(f"rescind: filling the marketplace {MARKETPLACE}")
    try:
        seed(app)
    except NotEmpty as filled:
        raise UsageError(
            f"--demo: {filled}. Leave out --demo to serve it, or name an empty store with --journal."
        ) from None
    except SeedingFailed as failed:
        raise Unavailable(f"{failed}. The same command continues where it stopped.") from None
