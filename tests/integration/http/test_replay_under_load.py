"""`replay --check` while a server takes orders: new orders are no difference, and wrong rows are found."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from domain.commands import parse_command
from infra.app import App
from infra.projection import replaying
from infra.projection.replaying import run_replay
from tests.integration.http.client import Http, placing, served
from tests.integration.kafka.waiting import wait_until


@pytest.fixture
def http(tmp_path: Path) -> Iterator[Http]:
    with served(tmp_path) as here:
        for number in range(20):
            assert here.post("/v1/acme/orders", placing(f"PO-{number}"), "p").status_code == 201
        caught_up(here.app)
        yield here


def caught_up(app: App) -> None:
    assert app.views is not None
    assert app.views.catch_up(30)


def test_orders_placed_between_the_steps_of_a_check_are_no_difference(
    http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = count()

    def place_orders() -> None:
        for _ in range(3):
            assert http.post("/v1/acme/orders", placing(f"PO-m{next(numbers)}"), "p").status_code == 201
        caught_up(http.app)

    def between(of: Any, name: str) -> None:
        really = getattr(of, name)

        def step(*arguments: Any, **named: Any) -> Any:
            place_orders()
            found = really(*arguments, **named)
            place_orders()
            return found

        monkeypatch.setattr(of, name, step)

    between(replaying, "existing_views")
    between(replaying, "read_logs")
    between(replaying, "records_of")
    between(replaying, "compare_views")
    report = run_replay(http.app.settings, check=True)
    assert (report.clean, report.confirmed, report.another_log, report.differing) == (True, True, None, 0)
    assert report.behind > 0
    assert next(numbers) > 20


def further(placed: Callable[[], int], than: int) -> bool:
    return placed() > than


@contextmanager
def under_load(app: App) -> Iterator[Callable[[], int]]:
    """Orders are placed from another thread until the block ends; gives how many were."""
    ending, placed = threading.Event(), count()
    done: list[int] = [0]

    def work() -> None:
        for number in placed:
            if ending.is_set():
                return
            body = {**placing(f"PO-l{number}"), "command": "PlaceOrder", "marketplace": "acme", "command_id": "p"}
            app.engine.submit(parse_command(body)).result(30)
            done[0] = number

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield lambda: done[0]
    finally:
        ending.set()
        thread.join(30)


def test_a_check_under_load_never_finds_a_difference_that_is_none(http: Http) -> None:
    with under_load(http.app) as placed:
        for _ in range(5):
            before = placed()
            report = run_replay(http.app.settings, check=True)
            assert report.clean, report
            assert report.admitted > 20
            wait_until(partial(further, placed, before))


def test_a_row_that_is_wrong_is_found_under_load(http: Http) -> None:
    with under_load(http.app):
        path = http.app.settings.views_at.path
        assert path is not None
        with closing(sqlite3.connect(path, timeout=30)) as database, database:
            database.execute("UPDATE orders SET total_minor = 1 WHERE order_id = 'PO-7'")
        report = run_replay(http.app.settings, check=True)
    assert [(each.table, each.key, each.column) for each in report.differences] == [
        ("orders", ("acme", "PO-7"), "total_minor")
    ]
    assert (report.wrong, report.confirmed) == ([], True)
