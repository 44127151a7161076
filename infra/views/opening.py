"""The views that a URL names, in whatever database they are. PostgreSQL's client is needed only where it is named."""

from types import ModuleType

from consumers.ports.views import ViewsUnavailable
from infra.settings import ViewsAt
from infra.views.base import DatabaseViews, Opened
from infra.views.sqlite import existing_sqlite_views, open_sqlite_views


def open_views(at: ViewsAt) -> Opened[DatabaseViews]:
    """The views there, made if need be; not ``memory:``, which is nowhere.

    ViewsError if something else is there, or of a newer release; ViewsUnavailable if it cannot be opened.
    """
    if at.postgresql is not None:
        opened: Opened[DatabaseViews] = postgresql_client().open_postgresql_views(at.postgresql)
        return opened
    assert at.path is not None
    return open_sqlite_views(at.path, own=at.own)


def existing_views(at: ViewsAt) -> DatabaseViews | None:
    """The views there, if there are any; nothing is made, moved or made anew. ViewsError, also where they are damaged
    (ViewsDamaged) or of another release (ViewsOfAnotherRelease)."""
    if at.postgresql is not None:
        there: DatabaseViews | None = postgresql_client().existing_postgresql_views(at.postgresql)
        return there
    return None if at.path is None else existing_sqlite_views(at.path, own=at.own)


def postgresql_client() -> ModuleType:
    """The adapter of PostgreSQL; ViewsUnavailable where what it stands on is not installed."""
    try:
        from infra.views import postgresql
    except ImportError as missing:
        raise ViewsUnavailable(
            "the views are in PostgreSQL, but its client is not installed: install rescind[postgresql], or name others "
            "with --views"
        ) from missing
    return postgresql
