"""The file of SQLite views: created when missing, rebuilt when damaged, left alone when it is not ours."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from consumers.ports.views import ViewsDamaged, ViewsError, ViewsUnavailable
from infra.views.base import ViewsOfAnotherRelease
from infra.views.sqlite import existing_sqlite_views, open_sqlite_views
from projections.tables import SCHEMA_VERSION
from tests.contract.views.filled import history, project


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with views in it."""
    place = tmp_path / "somewhere" / "views.sqlite"
    opened = open_sqlite_views(place)
    assert opened.rebuilt == "there was no file"
    project(history(), opened.views)
    opened.views.close()
    return place


def test_views_that_are_there_stay(path: Path) -> None:
    opened = open_sqlite_views(path)
    assert opened.rebuilt is None
    assert sum(opened.views.counts("acme").values()) == 13
    opened.views.close()


@pytest.mark.parametrize("damage", ["header", "middle", "nonsense", "tables"])
def test_a_damaged_file_is_set_aside_and_rebuilt(path: Path, damage: str) -> None:
    content = bytearray(path.read_bytes())
    match damage:
        case "header":
            content[:16] = bytes(16)
            path.write_bytes(content)
        case "middle":
            content[4096:] = b"\xff" * (len(content) - 4096)
            path.write_bytes(content)
        case "nonsense":
            path.write_text("these are not the views that you are looking for" * 99)
        case _:
            with sqlite3.connect(path) as db:
                db.execute("DROP TABLE refunds")
            db.close()

    opened = open_sqlite_views(path, own=damage == "nonsense")
    try:
        if opened.rebuilt is None:  # the damage shows only in use: the next start rebuilds the file
            with pytest.raises(ViewsDamaged):
                opened.views.counts("acme")
            opened.views.close()
            opened = open_sqlite_views(path)
        assert "damaged" in str(opened.rebuilt)
        assert opened.views.counts("acme") == {}
        assert path.with_name("views.sqlite.old-1").exists()
        project(history(), opened.views)
    finally:
        opened.views.close()
    again = open_sqlite_views(path)
    assert again.rebuilt is None
    again.views.close()


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    (tmp_path / "views.sqlite").touch()
    opened = open_sqlite_views(tmp_path / "views.sqlite")
    assert opened.rebuilt is not None
    project(history(), opened.views)
    opened.views.close()


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "precious.sqlite"
    with sqlite3.connect(place) as db:
        db.execute("CREATE TABLE precious (thing TEXT)")
    db.close()
    before = place.read_bytes()

    with pytest.raises(ViewsError, match="name another file"):
        open_sqlite_views(place)

    assert place.read_bytes() == before


@pytest.mark.parametrize("opening", [open_sqlite_views, existing_sqlite_views])
@pytest.mark.parametrize("content", [b"my diary\n", b"my diary, a long one\n" * 999, b"SQLite format 3\0 is its title"])
def test_a_file_that_somebody_named_by_mistake_is_left_alone(
    tmp_path: Path, content: bytes, opening: Callable[[Path], object]
) -> None:
    diary = tmp_path / "diary.txt"
    diary.write_bytes(content)

    with pytest.raises(ViewsError, match="is not a file of views: name another one"):
        opening(diary)

    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"diary.txt": content}


@pytest.mark.parametrize("damage", ["header", "middle", "version", "marked"])
def test_a_reader_rebuilds_nothing_and_leaves_nothing_behind(
    path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytearray(path.read_bytes())
    match damage:
        case "header":
            content[:16] = bytes(16)
        case "middle":
            content[4096:] = b"\xff" * (len(content) - 4096)
        case "version":
            monkeypatch.setattr("infra.views.sqlite.SCHEMA_VERSION", SCHEMA_VERSION + 1)
        case _:
            Path(f"{path}.damaged").touch()
    path.write_bytes(content)
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}

    def query() -> None:
        views = existing_sqlite_views(path)
        assert views is not None
        with closing(views):
            views.counts("acme")

    with pytest.raises(ViewsOfAnotherRelease if damage == "version" else ViewsDamaged, match="rescind replay"):
        query()

    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before


def test_a_reader_creates_no_views_where_there_are_none(tmp_path: Path) -> None:
    assert existing_sqlite_views(tmp_path / "nowhere" / "views.sqlite") is None
    assert list(tmp_path.iterdir()) == []


def test_tables_of_a_newer_release_are_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    monkeypatch.setattr("infra.views.sqlite.SCHEMA_VERSION", SCHEMA_VERSION - 1)

    with pytest.raises(ViewsError, match="newer release"):
        open_sqlite_views(path)

    assert path.read_bytes() == before


def test_tables_of_an_earlier_release_are_rebuilt(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.views.sqlite.SCHEMA_VERSION", SCHEMA_VERSION + 1)

    opened = open_sqlite_views(path)

    assert f"version {SCHEMA_VERSION}" in str(opened.rebuilt)
    assert opened.views.counts("acme") == {}
    opened.views.close()
    again = open_sqlite_views(path)
    assert again.rebuilt is None
    again.views.close()


def test_a_folder_that_cannot_be_written_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "views.sqlite").mkdir()
    with pytest.raises(ViewsUnavailable):
        open_sqlite_views(tmp_path / "views.sqlite")


def test_a_write_waits_for_another_process_and_fails_with_a_message_after_the_timeout(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.views.sqlite._BUSY", 0.05)
    views = open_sqlite_views(path).views
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ViewsUnavailable, match="locked"):
        views.clear()
    assert sum(views.counts("acme").values()) == 13, "who reads is not in anybody's way"
    other.execute("ROLLBACK")
    other.close()
    views.clear()
    views.close()
