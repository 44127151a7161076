"""Every command gets an answer in time, even if the engine's loop is blocked."""

import threading
from pathlib import Path

from domain.commands import parse_command
from infra.app import AppOptions, open_app
from infra.settings import load_settings
from tests.integration.http.client import placing


def test_a_command_is_answered_in_time_although_the_loop_is_blocked(tmp_path: Path) -> None:
    settings = load_settings(journal=f"sqlite:///{tmp_path}/journal", synchronous="normal", answer_within=0.4)
    released = threading.Event()
    with open_app(settings, AppOptions(views=False)) as app:
        blocking = app.engine.call(lambda engine: released.wait(60))
        document = {**placing("PO-1"), "command": "PlaceOrder", "command_id": "place", "marketplace": "acme"}
        outcome = app.engine.submit(parse_command(document)).result(60)
        assert not blocking.done()
        assert outcome.kind == "unknown"
        assert "ask again with the same command id" in outcome.message
        released.set()
        app.ask(lambda engine: None)
        repeated = app.engine.submit(parse_command(document)).result(60)
        assert repeated.kind in ("accepted", "duplicate")
