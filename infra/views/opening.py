"""Open the views that a URL names. PostgreSQL's client is imported only if the URL names PostgreSQL."""

from types import ModuleType

from consumers.ports.views import ViewsUnavailable
from infra.settings import ViewsAt
from infra.views.base import DatabaseViews, Opened
from infra.views.sqlite import existing_sqlite_views, open_sqlite_views


def open_views(at: ViewsAt) -> Opened[DatabaseViews]:
    """Open the views, and create them if they do not exist. Not for ``memory:``, which has no database.

    ViewsError if the place has something else, or views of a newer release. ViewsUnavailable if they cannot be opened.
    """
    if at.postgresql is not None:
        opened: Opened[DatabaseViews] = postgresql_client().open_postgresql_views(at.postgresql)
        return opened
    assert at.path is not None
    return open_sqlite_views(at.path, own=at.own)


def existing_views(at: ViewsAt) -> DatabaseViews | None:
    """Open the views if they exist. Nothing is created, moved or rebuilt. ViewsError, also for damaged views
    (ViewsDamaged) and views of another release (ViewsOfAnotherRelease)."""
    if at.postgresql is not None:
        there: DatabaseViews | None = postgresql_client().existing_postgresql_views(at.postgresql)
        return there
    return None if at.path is None else existing_sqlite_views(at.path, own=at.own)


def postgresql_client() -> ModuleType:
    """The PostgreSQL adapter. ViewsUnavailable if its client library is not installed."""
    try:
        from infra.views import postgresql
    except ImportError as missing:
        raise ViewsUnavailable(
            "the views are in PostgreSQL, but its client is not installed: install rescind[postgresql], or name "
            "other views with --views"
        ) from missing
    return postgresql
