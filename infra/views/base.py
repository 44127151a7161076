"""What a database of views can do beside the port and the questions: be made anew, beside itself, and be compared.

``infra.views.sqlite`` and ``infra.views.postgresql`` are the two there are; ``infra.views.replay`` and whoever serves
know them by this alone.
"""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from consumers.ports.views import Views, ViewsError
from infra.views.reading import Reading
from projections.tables import SCHEMA_VERSION, Row, Table


class ViewsSnapshot(Protocol):
    """The tables as of one moment."""

    def rows(self, table: Table, size: int = 2_000) -> Iterator[list[Row]]:
        """Every row as stored, instants as text, in the order of the key, in portions."""
        ...

    def count(self, table: Table) -> int:
        """How many rows there are."""
        ...


class DatabaseViews(Reading, Views):
    """Views in a database; several processes may have them open."""

    @abstractmethod
    def side(self) -> Self:
        """Empty tables beside these, to be filled; ``swap`` or ``discard`` them."""

    @abstractmethod
    def swap(self, side: Self) -> None:
        """Put the side's tables in the place of these, at once: readers see the old rows or the new ones. A projector
        that is at work here finds that the position has moved, and goes on from the new one."""

    @abstractmethod
    def discard(self) -> None:
        """Close a side, and remove it unless it was put in place."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[ViewsSnapshot]:
        """All tables as of one moment, whoever writes meanwhile."""

    @abstractmethod
    def close(self) -> None:
        """Let go. Questions that are being answered are answered first."""


class ViewsOfAnotherRelease(ViewsError):
    """The tables are of another version; whoever writes them next makes them anew, or says that it is too old."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"the views' tables are of version {version}, and this release's are {SCHEMA_VERSION}: make them anew with "
            "`rescind replay`, or take the release that made them"
        )


V_co = TypeVar("V_co", bound=DatabaseViews, covariant=True)


@dataclass(frozen=True, slots=True)
class Opened(Generic[V_co]):
    """Views, and why they are empty and must be filled from the log (None: they were there)."""

    views: V_co
    rebuilt: str | None
