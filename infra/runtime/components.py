"""The parts of a running engine: started in order, stopped in reverse, each asked for its health."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Protocol, TypeVar

from infra.runtime.loop import Loop

Health = Mapping[str, str]
"""The troubles of a component. The key is the piece of it that does not work (a partition, a topic), or ``""`` for the
whole component. The value is the reason. Empty while everything works."""


class Component(Protocol):
    """A part of a running engine."""

    @property
    def name(self) -> str:
        """The part's key in health reports."""
        ...

    def start(self) -> None:
        """Start working."""
        ...

    def stop(self) -> None:
        """Stop working, and close what is open. Also called if ``start`` was not, or failed."""
        ...

    def health(self) -> Health:
        """Return the troubles of this part. From any thread."""
        ...


C = TypeVar("C", bound=Component)


class Components:
    """The components of one engine, in the order in which they start."""

    def __init__(self) -> None:
        self._components: list[Component] = []
        self._closing = ExitStack()

    def add(self, component: C) -> C:
        """Add a component, and return it. ``stop`` stops it from now on, whether it was started or not."""
        self._components.append(component)
        self._closing.callback(component.stop)
        return component

    def start(self) -> None:
        """Start every component, in order. If one raises, the later ones do not start; the caller calls ``stop``."""
        for component in self._components:
            component.start()

    def stop(self) -> None:
        """Stop every component, in reverse order; also if one raises, which is raised at the end."""
        self._closing.close()

    def leave_open(self) -> ExitStack:
        """Return what has not been stopped yet, and let ``stop`` leave it alone."""
        return self._closing.pop_all()

    def __iter__(self) -> Iterator[Component]:
        return iter(tuple(self._components))


class Resource:
    """A component without a thread: something that is open, and closed in its turn."""

    def __init__(
        self, name: str, close: Callable[[], object], trouble: Callable[[], str | Health | None] = lambda: None
    ) -> None:
        self.name = name
        self._close = close
        self._trouble = trouble

    def start(self) -> None:
        """Do nothing: the resource is open."""

    def stop(self) -> None:
        """Close the resource."""
        self._close()

    def health(self) -> Health:
        """The trouble with the resource."""
        return health_of(self._trouble())


class LoopComponent:
    """Base of a component whose work is one loop."""

    name: str

    def __init__(self, loop: Loop) -> None:
        self.loop = loop

    def start(self) -> None:
        """Start the thread."""
        self.loop.start()

    def stop(self) -> None:
        """End after the step under way, and close what the loop uses. A step that does not come back keeps it open."""
        if self.loop.stop():
            self._close()

    def health(self) -> Health:
        """The loop's trouble."""
        return health_of(None, self.loop)

    def _close(self) -> None:
        """Close what the loop uses. The loop has ended."""


def health_of(trouble: str | Health | None, *loops: Loop) -> dict[str, str]:
    """A component's health, from its own trouble and from the loops that do its work."""
    found = {"": trouble} if isinstance(trouble, str) else dict(trouble or {})
    for loop in loops:
        if loop.trouble is not None:
            found["its loop"] = loop.trouble
    return found
