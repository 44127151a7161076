"""Views whose database is away when the engine starts. They open when it is back, and are *unavailable* until then.

The log decides, so an engine need not wait for the views that are derived from it. A server starts with these. A
process that needs the views (an import, a rebuild) opens them at once or fails.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, Self

from consumers.ports.views import Batch, Log, Position, ProjectionDeadLetter, ViewsUnavailable
from domain.instants import Instant
from infra.views.base import DatabaseViews, ViewsSnapshot
from infra.views.reading import Row
from projections.tables import Cell

RETRY_AFTER: Final = 0.5
"""Seconds between two attempts to open."""


class LateViews(DatabaseViews):
    """The views that ``opened`` opens as soon as it can. Any thread may call. One at a time tries to open them."""

    def __init__(self, opened: Callable[[], DatabaseViews], why: str) -> None:
        """``opened`` raises ViewsUnavailable while the database is away. ``why``: the reason of the last failure."""
        self._open = opened
        self._why = why
        self._views: DatabaseViews | None = None
        self._trying = threading.Lock()
        self._not_before = time.monotonic() + RETRY_AFTER
        self._closed = False

    def _there(self) -> DatabaseViews:
        if self._views is not None:
            return self._views
        if not self._trying.acquire(blocking=False):
            raise ViewsUnavailable(self._why)
        try:
            if self._views is None:
                if self._closed or time.monotonic() < self._not_before:
                    raise ViewsUnavailable(self._why)
                self._views = self._opened()
            return self._views
        finally:
            self._trying.release()

    def _opened(self) -> DatabaseViews:
        try:
            return self._open()
        except ViewsUnavailable as away:
            self._why = str(away)
            raise
        finally:
            self._not_before = time.monotonic() + RETRY_AFTER

    # ---- the views ---------------------------------------------------------------------------------------------------

    def position(self, log: Log, partition: int) -> Position:
        return self._there().position(log, partition)

    def parked(self, log: Log, partition: int) -> list[ProjectionDeadLetter]:
        return self._there().parked(log, partition)

    def apply(self, batch: Batch) -> None:
        self._there().apply(batch)

    def clear(self) -> None:
        self._there().clear()

    def query(self, sql: str, parameters: Sequence[Cell]) -> list[Row]:
        return self._there().query(sql, parameters)

    def in_time(self, column: str) -> str:
        return self._there().in_time(column)

    def instant(self, at: Instant) -> Cell:
        return self._there().instant(at)

    def without_index(self, column: str) -> str:
        return self._there().without_index(column)

    def snapshot(self) -> AbstractContextManager[ViewsSnapshot]:
        return self._there().snapshot()

    def shadow(self) -> Self:
        raise ViewsUnavailable("these views are being served: rebuild them with `rescind replay`")

    def promote(self, shadow: Self) -> None:
        raise ViewsUnavailable("these views are being served: rebuild them with `rescind replay`")

    def discard(self) -> None:
        raise ViewsUnavailable("these views are being served: rebuild them with `rescind replay`")

    def close(self) -> None:
        with self._trying:
            self._closed = True
        if self._views is not None:
            self._views.close()
