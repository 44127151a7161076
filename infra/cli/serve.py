"""`rescind serve`: everything in one process, until it is told to end."""

import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from infra.cli.exits import EXIT_UNAVAILABLE, Terminated, Unavailable, Wrong
from infra.cli.options import stored

if TYPE_CHECKING:
    from infra.settings import Settings


@click.command()
@click.option("--host", help="Where to listen. [default: 127.0.0.1]")
@click.option(
    "--port", metavar="PORT", type=click.IntRange(0, 65_535), help="Which port; 0 takes a free one. [default: 8080]"
)
@click.option("--demo", is_flag=True, help="Fill an empty store with a simulated marketplace first.")
@stored
def serve(settings: "Settings", demo: bool) -> int:
    """Everything in one process: HTTP, pages, engine, views."""
    from infra.app import open_app
    from infra.http.server import NotHere, serve

    def defect() -> None:
        sys.stderr.write("rescind: the engine has ended by a defect; start the process again\n")
        os.kill(os.getpid(), signal.SIGTERM)

    if demo and settings.follow == "share":
        raise Wrong("--demo fills a store by itself: start once without follow = share, and share it out then")
    with open_app(settings, publish=True, patient=not demo, on_defect=defect) as app:
        if demo:
            from infra.demo import MARKETPLACE, seed

            click.echo(f"rescind: filling the marketplace {MARKETPLACE}", err=True)
            seed(app)
        try:
            serve(app, settings.host, settings.port, lambda address: click.echo(f"rescind: listening on {address}"))
        except NotHere as wrong:
            raise Wrong(str(wrong)) from None
        except SystemExit as ended:  # uvicorn's way to say that it could not start
            if ended.code:
                where = f"{settings.host}:{settings.port}"
                raise Unavailable(f"{where} cannot be listened on (it may be taken): choose another --port") from None
        except Terminated:
            return 0 if app.broken is None else EXIT_UNAVAILABLE
    return 0
