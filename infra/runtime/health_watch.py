"""The one place where every background loop of a running engine reports what does not work.

``/readyz`` reads it, and standard error says when a trouble begins and when it ends. The engine's own troubles are
looked at between two of its steps. The other loops are looked at from a thread of the watch's own, so that one that
hangs is seen whatever else hangs. Nothing is decided here.
"""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from consumers.engine.engine import Engine
from infra.runtime.import_lock import WHAT_TO_DO, is_held
from infra.runtime.loop import Loop, Rhythm

POLL_INTERVAL: Final = 0.5
"""Seconds between two looks at open imports."""
OVER: Final = 2.0
"""Seconds without a trouble before it counts as over; and that an import is open and held by nobody before that is one:
whoever closes it may just have let go."""
HANGS: Final = 60.0
"""Seconds after which a step that has not ended is reported: longer than any step waits for a server that is away."""

SILENT: Final = 5.0
"""Seconds without any word from the log after which nobody knows what it holds by now."""

Said = str | None | Mapping[str, str]
"""What does not work: a text, or a text for each piece of the part (a partition, a topic); nothing if all works."""


@dataclass(slots=True)
class _Trouble:
    said: str
    since: float
    seen: float
    causes: set[str] = field(default_factory=set)
    """What was said of it, without the numbers; empty while it has not begun."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A background loop, or several that do the same."""

    name: str
    said: Callable[[], Said]
    loops: Callable[[], Iterable[Loop]]

    def troubles(self) -> dict[str, str]:
        """What does not work, by the name of the piece."""
        said = self.said()
        found = {self.name: said} if isinstance(said, str) else {}
        if isinstance(said, Mapping):
            found = {f"{self.name}, {piece}": text for piece, text in said.items()}
        for loop in self.loops():
            if loop.broken is not None:
                found[f"{self.name}, its loop"] = f"it has ended by a defect: {loop.broken!r}"
            elif (lasts := loop.step_lasts) >= HANGS:
                found[f"{self.name}, its loop"] = f"a step that began {lasts:.0f} seconds ago has not come back"
        return found


class HealthWatch:
    """The troubles of one engine, by what they keep from working: ``writing``, ``following``, ``imports``, and the
    names of the parts that attend it."""

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
        """Of the engine: written in its thread."""
        self._parts: list[_Part] = []
        self._beside: dict[str, _Trouble] = {}
        """Of the parts, by piece."""
        self._turn = threading.Lock()
        self._rhythm = Rhythm("watch", self.look_beside, POLL_INTERVAL)
        self._look_at = 0.0

    def register(self, name: str, said: Callable[[], Said], loops: Callable[[], Iterable[Loop]] = tuple) -> None:
        """Have a part looked at. ``said``: what does not work there now; ``loops``: what drives it. Both are asked from
        any thread."""
        self._parts.append(_Part(name, said, loops))

    def start(self) -> None:
        """Look at the parts now and then, and say on standard error what begins and ends."""
        self._rhythm.start()

    def stop(self) -> None:
        """Say nothing more. Waits for a look that is under way."""
        self._rhythm.stop()
        with self._turn:
            self._parts.clear()

    @property
    def trouble(self) -> dict[str, str]:
        """What does not work for now, and why. From any thread."""
        found = {name: each.said for name, each in list(self._troubles.items()) if each.causes}
        for part in tuple(self._parts):
            pieces = part.troubles()
            if pieces:
                texts = {piece.removeprefix(part.name).removeprefix(", "): text for piece, text in pieces.items()}
                said = "; ".join(f"{piece}: {text}" if piece else text for piece, text in texts.items())
                found[part.name] = f"{found[part.name]}; {said}" if part.name in found else said
        return found

    @property
    def since(self) -> dict[str, float]:
        """For how many seconds each trouble has lasted. From any thread."""
        self.look_beside()
        now = self._clock()
        began = {name: each.since for name, each in list(self._troubles.items()) if each.causes}
        with self._turn:
            for piece, each in self._beside.items():
                name = piece.partition(", ")[0]
                began[name] = min(began.get(name, each.since), each.since)
        return {name: now - since for name, since in began.items()}

    def lasts(self, name: str) -> float:
        """Seconds for which this has not worked; 0: it works. From any thread."""
        found = self._troubles.get(name)
        return 0.0 if found is None else self._clock() - found.since

    def look_beside(self) -> None:
        """Look at the parts. From any thread."""
        with self._turn:
            now = self._clock()
            found: dict[str, str] = {}
            for part in self._parts:
                found |= part.troubles()
            for piece in self._beside.keys() | found.keys():
                self._note(piece, found.get(piece), now, self._beside)

    def look(self) -> None:
        """Between two steps of the engine."""
        now = self._clock()
        engine = self._engine
        self._note("writing", engine.unwritable, now, self._troubles)
        self._note("following", next(iter(engine.trouble.values()), None), now, self._troubles)
        if self._directory is not None and now >= self._look_at:
            self._look_at = now + POLL_INTERVAL
            self._note("imports", self._broken_off(self._directory), now, self._troubles, begins_after=OVER)

    def _broken_off(self, directory: Path) -> str | None:
        inputs = self._engine.imports.inputs()
        if not inputs or is_held(directory):
            return None
        names = ", ".join(sorted({marketplace for marketplace, _ in inputs}))
        return (
            f"an import into {names} is open and nobody on this machine is at it: no live write is taken there, no "
            f"deadline fires; {WHAT_TO_DO}"
        )

    def _note(
        self, name: str, said: str | None, now: float, troubles: dict[str, _Trouble], begins_after: float = 0.0
    ) -> None:
        found = troubles.get(name)
        if said is not None:
            if found is None:
                found = troubles[name] = _Trouble(said, now, now)
            found.said, found.seen = said, now
            if now - found.since >= begins_after and (cause := _NUMBERS.sub("", said)) not in found.causes:
                found.causes.add(cause)
                part, _, piece = name.partition(", ")
                begins = _BEGINS.get(part, f"{part} stands still")
                self._say(f"rescind: {begins}{f' ({piece})' if piece else ''}: {said}\n")
        elif found is not None and (not found.causes or now - found.seen >= OVER):
            del troubles[name]
            if found.causes:
                part, _, piece = name.partition(", ")
                self._say(f"rescind: {_ENDS.get(part, f'{part} goes on')}{f' ({piece})' if piece else ''}\n")


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
    "outcomes": "commands are passed on again",
    "sharing": "the partition is followed",
}
