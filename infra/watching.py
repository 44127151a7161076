"""What a running engine cannot do for now, though it goes on: told by ``/readyz``, and on standard error when it begins
and when it ends.

Looked at between two steps of the engine, in its thread. Nothing is decided here.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consumers.engine import Engine
from infra.importing.holding import WHAT_TO_DO, is_held

LOOK: Final = 0.5
"""Seconds between two looks at open imports."""
OVER: Final = 2.0
"""Seconds without a trouble before it counts as over; and that an import is open and held by nobody before that is one:
whoever closes it may just have let go."""


@dataclass(slots=True)
class _Trouble:
    said: str
    since: float
    seen: float
    told: bool = False


class Watch:
    """The troubles of one engine, by what they keep from working: ``writing``, ``following``, ``imports``."""

    def __init__(
        self,
        engine: Engine,
        directory: Path | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], object] = lambda text: sys.stderr.write(text),  # noqa: PLW0108 - as it is then
    ) -> None:
        """``directory``: of the store whose open imports are looked at; None: they are not, this is one."""
        self._engine = engine
        self._directory = directory
        self._clock = clock
        self._say = say
        self._troubles: dict[str, _Trouble] = {}
        self._look_at = 0.0

    @property
    def trouble(self) -> dict[str, str]:
        """What does not work for now, and why. From any thread."""
        return {name: each.said for name, each in list(self._troubles.items()) if each.told}

    def lasts(self, name: str) -> float:
        """Seconds for which this has not worked; 0: it works. From any thread."""
        found = self._troubles.get(name)
        return 0.0 if found is None else self._clock() - found.since

    def look(self) -> None:
        """Between two steps."""
        now = self._clock()
        engine = self._engine
        self._note("writing", engine.unwritable, now)
        self._note("following", next(iter(engine.trouble.values()), None), now)
        if self._directory is not None and now >= self._look_at:
            self._look_at = now + LOOK
            self._note("imports", self._broken_off(self._directory), now, begins_after=OVER)

    def _broken_off(self, directory: Path) -> str | None:
        inputs = self._engine.imports.inputs()
        if not inputs or is_held(directory):
            return None
        names = ", ".join(sorted({marketplace for marketplace, _ in inputs}))
        return (
            f"an import into {names} is open and nobody on this machine is at it: no live write is taken there, no "
            f"deadline fires; {WHAT_TO_DO}"
        )

    def _note(self, name: str, said: str | None, now: float, begins_after: float = 0.0) -> None:
        found = self._troubles.get(name)
        if said is not None:
            if found is None:
                found = self._troubles[name] = _Trouble(said, now, now)
            found.said, found.seen = said, now
            if not found.told and now - found.since >= begins_after:
                found.told = True
                self._say(f"rescind: {_BEGINS[name]}: {said}\n")
        elif found is not None and (not found.told or now - found.seen >= OVER):
            del self._troubles[name]
            if found.told:
                self._say(f"rescind: {_ENDS[name]}\n")


_BEGINS: Final = {
    "writing": "nothing can be written",
    "following": "the log is not followed",
    "imports": "live writes wait",
}
_ENDS: Final = {
    "writing": "what is to be written is taken again",
    "following": "the log is followed again",
    "imports": "no live write waits for an import that nobody is at",
}
