"""Every command gets an answer in time, also when the engine's loop stands still."""

import threading
from pathlib import Path

from domain.commands import parse_command
from infra.app import AppOptions, open_app
from infra.settings import load_settings
from tests.integration.http.asking import placing


def test_an_answer_is_given_in_time_though_the_loop_stands_still(tmp_path: Path) -> None:
    settings = load_settings(journal=f"sqlite:///{tmp_path}/journal", synchronous="normal", answer_within=0.4)
    released = threading.Event()
    with open_app(settings, AppOptions(views=False)) as app:
        stands = app.engine.call(lambda engine: released.wait(60))
        document = {**placing("PO-1"), "command": "PlaceOrder", "command_id": "place", "marketplace": "acme"}
        outcome = app.engine.submit(parse_command(document)).result(60)
        assert not stands.done()
        assert outcome.kind == "unknown"
        assert "ask again with the same command id" in outcome.message
        released.set()
        app.ask(lambda engine: None)
        again = app.engine.submit(parse_command(document)).result(60)
        assert again.kind in ("accepted", "duplicate")
