"""The one place that knows what does not work in a running engine.

``/readyz`` reads it, and standard error gets a line when a trouble begins and when it ends. The engine's own troubles
are read between two of its steps. The other components are asked from a thread of the watch's own, so that a loop that
hangs is seen whatever else hangs. Nothing is decided here.
"""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from consumers.engine.engine import Engine
from infra.runtime.components import Component, Health
from infra.runtime.import_lock import WHAT_TO_DO, is_held
from infra.runtime.loop import Rhythm

POLL_INTERVAL: Final = 0.5
"""Seconds between two looks at the components, and at open imports."""
OVER: Final = 2.0
"""Seconds without a trouble before it counts as over. Also the seconds for which an import is open and held by nobody
before that is a trouble: whoever closes it may just have let go."""
SILENT: Final = 5.0
"""Seconds without any answer from the log after which nobody knows what it holds by now."""


@dataclass(slots=True)
class _Trouble:
    text: str
    since: float
    seen: float
    causes: set[str] = field(default_factory=set)
    """The texts reported so far, without their numbers; empty while the trouble has not been reported."""


class HealthWatch:
    """The troubles of one engine, by what they stop: ``writing``, ``following``, ``imports``, and the names of the
    components. A component itself."""

    name = "watch"

    def __init__(
        self,
        engine: Engine,
        directory: Path | None,
        components: Iterable[Component] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[str], object] = lambda text: sys.stderr.write(text),  # noqa: PLW0108 - as it is then
    ) -> None:
        """``directory``: the store's, whose open imports are looked at; None: they are not, this engine is one.
        ``components`` is iterated at each look."""
        self._engine = engine
        self._directory = directory
        self._components = components
        self._clock = clock
        self._report = report
        self._engine_troubles: dict[str, _Trouble] = {}
        """Written in the engine's thread."""
        self._component_troubles: dict[str, _Trouble] = {}
        """By piece. Written under the lock."""
        self._lock = threading.Lock()
        self._rhythm = Rhythm("watch", self.look_at_components, POLL_INTERVAL)
        self._look_at = 0.0

    def start(self) -> None:
        """Look at the components from now on."""
        self._rhythm.start()

    def stop(self) -> None:
        """Report nothing more. Waits for a look under way."""
        self._rhythm.stop()
        with self._lock:
            self._components = ()

    def health(self) -> Health:
        """Nothing: the watch reports on the others."""
        return {}

    @property
    def trouble(self) -> dict[str, str]:
        """The parts that do not work now, each with the reason. From any thread."""
        found = {name: each.text for name, each in list(self._engine_troubles.items()) if each.causes}
        for component in self._components:
            health = component.health()
            if health:
                name = component.name
                text = "; ".join(f"{piece}: {why}" if piece else why for piece, why in health.items())
                found[name] = f"{found[name]}; {text}" if name in found else text
        return found

    @property
    def since(self) -> dict[str, float]:
        """Seconds for which each trouble has lasted. From any thread."""
        self.look_at_components()
        now = self._clock()
        began = {name: each.since for name, each in list(self._engine_troubles.items()) if each.causes}
        with self._lock:
            for piece, each in self._component_troubles.items():
                name = piece.partition(", ")[0]
                began[name] = min(began.get(name, each.since), each.since)
        return {name: now - since for name, since in began.items()}

    def lasts(self, name: str) -> float:
        """Seconds for which one of the engine's troubles has lasted; 0 without it. From any thread."""
        found = self._engine_troubles.get(name)
        return 0.0 if found is None else self._clock() - found.since

    def look_at_components(self) -> None:
        """Ask every component for its health. From any thread."""
        with self._lock:
            now = self._clock()
            found = {
                f"{component.name}, {piece}" if piece else component.name: why
                for component in self._components
                for piece, why in component.health().items()
            }
            for piece in self._component_troubles.keys() | found.keys():
                self._note(piece, found.get(piece), now, self._component_troubles)

    def look(self) -> None:
        """Look at the engine's own troubles. In its thread, between two steps."""
        now = self._clock()
        engine = self._engine
        self._note("writing", engine.unwritable, now, self._engine_troubles)
        self._note("following", next(iter(engine.trouble.values()), None), now, self._engine_troubles)
        if self._directory is not None and now >= self._look_at:
            self._look_at = now + POLL_INTERVAL
            abandoned = self._abandoned_import(self._directory)
            self._note("imports", abandoned, now, self._engine_troubles, begins_after=OVER)

    def _abandoned_import(self, directory: Path) -> str | None:
        inputs = self._engine.imports.inputs()
        if not inputs or is_held(directory):
            return None
        names = ", ".join(sorted({marketplace for marketplace, _ in inputs}))
        return (
            f"an import into {names} is open and nobody on this machine is at it: no live write is taken there, no "
            f"deadline fires; {WHAT_TO_DO}"
        )

    def _note(
        self, name: str, why: str | None, now: float, troubles: dict[str, _Trouble], begins_after: float = 0.0
    ) -> None:
        found = troubles.get(name)
        if why is not None:
            if found is None:
                found = troubles[name] = _Trouble(why, now, now)
            found.text, found.seen = why, now
            if now - found.since >= begins_after and (cause := _NUMBERS.sub("", why)) not in found.causes:
                found.causes.add(cause)
                component, _, piece = name.partition(", ")
                begins = _BEGINS.get(component, f"{component} has stopped")
                self._report(f"rescind: {begins}{f' ({piece})' if piece else ''}: {why}\n")
        elif found is not None and (not found.causes or now - found.seen >= OVER):
            del troubles[name]
            if found.causes:
                component, _, piece = name.partition(", ")
                ends = _ENDS.get(component, f"{component} goes on")
                self._report(f"rescind: {ends}{f' ({piece})' if piece else ''}\n")


_NUMBERS: Final = re.compile(r"[0-9]+", re.ASCII)
_BEGINS: Final = {
    "writing": "nothing can be written",
    "following": "the log is not followed",
    "imports": "live writes wait",
    "views": "the views do not follow",
    "publishing": "publishing has stopped",
    "public topics": "public topics were cut",
    "notices": "nobody is notified",
    "erasing": "no key is destroyed",
    "commands": "no commands are taken from the topic",
    "vault": "texts do not reach the vault",
    "journal": "the journal does not answer",
    "texts": "texts are missing",
    "append times": "the journal's append times are odd",
    "files": "an open file is no longer where it was",
    "outcomes": "commands cannot be passed on",
    "sharing": "a partition cannot be followed yet",
}
_ENDS: Final = {
    "writing": "what is to be written is taken again",
    "following": "the log is followed again",
    "imports": "no live write waits for an import that nobody is at",
    "views": "the views follow again",
    "publishing": "publishing goes on",
    "public topics": "the public topics are whole again",
    "notices": "people are notified again",
    "erasing": "keys are destroyed again",
    "commands": "commands are taken from the topic again",
    "vault": "texts reach the vault again",
    "journal": "the journal answers again",
    "files": "the open file is back",
    "outcomes": "commands are passed on again",
    "sharing": "the partition is followed",
}
