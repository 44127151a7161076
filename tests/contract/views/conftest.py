"""The databases that views can live in: every test of this folder runs on each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.views.base import DatabaseViews
from tests.contract.views.places import Place, PostgresqlPlace, SqlitePlace, opened
from tests.postgresql.fixtures import new_schema

Open = Callable[[], DatabaseViews]
EVERY = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


def new_place(kind: str, request: pytest.FixtureRequest, folder: Path) -> Place:
    """A place without views."""
    if kind == "postgresql":
        return PostgresqlPlace(new_schema(request.getfixturevalue("postgresql_server")))
    return SqlitePlace(folder / "views.sqlite")


@pytest.fixture(params=EVERY)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return new_place(request.param, request, tmp_path)


@pytest.fixture
def open_views(place: Place) -> Iterator[Open]:
    """Opens the same views again and again, as several processes would."""
    made: list[DatabaseViews] = []

    def open() -> DatabaseViews:
        made.append(opened(place))
        return made[-1]

    yield open
    for views in made:
        views.close()


@pytest.fixture
def views(open_views: Open) -> DatabaseViews:
    return open_views()


@pytest.fixture(scope="module", params=EVERY)
def emptied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseViews]:
    """Views that a test of many examples clears before each."""
    views = opened(new_place(request.param, request, tmp_path_factory.mktemp("views")))
    yield views
    views.close()
