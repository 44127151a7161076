"""The databases that views can live in: every test of this folder runs on each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.views.sqlite import SqliteViews, open_sqlite_views

Open = Callable[[], SqliteViews]


@pytest.fixture(params=["sqlite"])
def open_views(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same views again and again, as several processes would."""
    opened: list[SqliteViews] = []

    def open() -> SqliteViews:
        opened.append(open_sqlite_views(tmp_path / "views.sqlite").views)
        return opened[-1]

    yield open
    for views in opened:
        views.close()


@pytest.fixture
def views(open_views: Open) -> SqliteViews:
    return open_views()
