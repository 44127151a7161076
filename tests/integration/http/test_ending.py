"""An engine ends in bounded time, also while one of its threads is in a call that never comes back."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.engine.engine import Engine
from consumers.engine.outcome import Outcome
from domain.commands import parse_command
from infra.app import App, open_app
from infra.runtime import loop as looping
from infra.runtime.loop import Loop
from infra.settings import Settings, load_settings
from tests.integration.http.client import placing


@pytest.fixture(autouse=True)
def _short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looping, "TIMEOUT", 0.3)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """The event that a blocked call waits for, until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def settings(directory: Path) -> Settings:
    return load_settings(
        journal=f"sqlite:///{directory}/journal", views=f"sqlite:///{directory}/views.sqlite", synchronous="normal"
    )


def place(app: App, order: str) -> Outcome:
    document = {**placing(order), "command": "PlaceOrder", "command_id": "place", "marketplace": "acme"}
    return app.engine.submit(parse_command(document)).result(60)


def test_a_step_that_returns_in_time_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    begun, done = threading.Event(), threading.Event()

    def step() -> bool:
        begun.set()
        time.sleep(0.05)  # a step that takes its time
        done.set()
        return False

    loop = Loop("test", step, lambda: 60.0)
    loop.start()
    assert begun.wait(60)
    assert loop.stop()
    assert done.is_set()
    assert capsys.readouterr().err == ""


def test_a_step_that_does_not_return_is_abandoned_and_reported(
    gate: threading.Event, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = threading.Event()
    broken: list[str] = []

    def step() -> bool:
        begun.set()
        gate.wait()
        raise sqlite3.ProgrammingError("what it uses is closed")

    loop = Loop("test", step, lambda: 0.0)
    loop.on_broken = lambda: broken.append("broken")
    loop.start()
    assert begun.wait(60)
    assert not loop.stop()
    assert (
        "rescind: the loop of the test does not come back from its step: it is left behind" in capsys.readouterr().err
    )
    gate.set()
    assert loop.stop(time.monotonic() + 60), "it ends if it returns after all"
    assert loop.broken is None
    assert not broken, "what it comes back to is no defect"


def test_an_engine_whose_thread_does_not_return_answers_and_ends(
    tmp_path: Path, gate: threading.Event, capsys: pytest.CaptureFixture[str]
) -> None:
    app = open_app(settings(tmp_path))
    assert place(app, "PO-1").kind == "accepted"
    begun = threading.Event()

    def block(engine: Engine) -> None:
        begun.set()
        gate.wait()

    app.engine.call(block)
    assert begun.wait(60)
    document = {**placing("PO-2"), "command": "PlaceOrder", "command_id": "place", "marketplace": "acme"}
    waits = app.engine.submit(parse_command(document))
    app.close()
    assert waits.result(0).kind == "unknown", "a waiting caller gets an answer"
    assert "the loop of the engine does not come back" in capsys.readouterr().err
    with open_app(settings(tmp_path)) as restarted:
        assert place(restarted, "PO-1").kind == "duplicate"
        assert place(restarted, "PO-2").kind == "accepted"
        assert restarted.views is not None
        assert restarted.views.catch_up(60)
    gate.set()
    assert app._engine_thread.loop.stop(time.monotonic() + 60)
    assert app._engine_thread.loop.left_open is not None
    app._engine_thread.loop.left_open.close()


def test_views_that_do_not_return_do_not_prevent_the_rest_from_ending(
    tmp_path: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = open_app(settings(tmp_path))
    assert app.views is not None
    begun = threading.Event()

    def block(*_: object) -> None:
        begun.set()
        gate.wait()
        raise sqlite3.ProgrammingError("what it uses is closed")

    monkeypatch.setattr(app.views.views, "apply", block)
    assert place(app, "PO-1").kind == "accepted"
    assert begun.wait(60)
    app.close()
    assert "the loop of the views does not come back" in capsys.readouterr().err
    with open_app(settings(tmp_path)) as restarted:
        assert restarted.views is not None
        assert restarted.views.catch_up(60)
        assert restarted.views.views.query("SELECT order_id FROM orders", ()) == [{"order_id": "PO-1"}]
    gate.set()
    assert app.views.loop.stop(time.monotonic() + 60)
    app.views.stop()


def test_the_process_ends_too(tmp_path: Path) -> None:
    program = (
        "import sys, threading\n"
        "from infra.runtime import loop\n"
        "from infra.app import open_app\n"
        "from infra.settings import load_settings\n"
        "loop.TIMEOUT = 0.3\n"
        "with open_app(load_settings(journal=f'sqlite:///{sys.argv[1]}/journal')) as app:\n"
        "    begun = threading.Event()\n"
        "    app.engine.call(lambda engine: (begun.set(), threading.Event().wait()))\n"
        "    begun.wait()\n"
        "print('closed', flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "closed\n"), done.stderr
