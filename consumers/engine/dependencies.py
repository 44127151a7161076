"""An engine's mode, limits and dependencies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from consumers.log.divergence import Mark
from consumers.ports.vault import Vault
from domain.commands import Command
from domain.decide import Decided
from domain.instants import SECOND
from domain.marketplace_settings import MarketSettings
from domain.order import Order


@dataclass(frozen=True, slots=True)
class Mode:
    """How commands are decided. ``writer`` is recorded in every commit.

    ``history``: the command's instant is its ``at``, and every deadline before it is reached as history. Otherwise the
    instant is the engine's clock, and deadlines fire only when clock and log are both past them.
    """

    writer: str
    history: bool


LIVE: Final = Mode("engine", history=False)
IMPORT: Final = Mode("import", history=True)
IMPORT_LIVE: Final = Mode("import-live", history=True)


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Bounds and intervals of one engine. Lengths of time are in microseconds."""

    in_flight: int = 1024
    """Commands in progress at once."""
    waiting: int = 20_000
    """Commands submitted but not begun. Beyond that they are answered ``busy``."""
    tries: int = 16
    """How often a command is decided again after a lost race, before it is answered ``contended``."""
    orders: int = 20_000
    """Cached orders."""
    batch: int = 500
    """Journal records read per step and partition."""
    poll: int = 20_000
    """How often the log of a partition is read while nothing is in flight."""
    write: int = 50_000
    """How often, under load, local state is written and listeners are notified. An idle engine does it at once."""
    schedule: int = 250_000
    """How often the scheduler looks for deadlines."""
    catch_up: int = 100_000
    """How often, under load, deadlines of commits admitted before are indexed."""
    scheduled: int = 200
    """Orders whose deadlines the scheduler fires at once, per partition."""
    recent: int = 0
    """How many of a partition's newest commits are compared with the log, byte by byte, at the start."""
    clock_tolerance: int = 5 * SECOND
    """How far the engine's clock may differ from the append time of its own record."""


class Confirm(Protocol):
    """Checks a decision's confirmation."""

    def __call__(self, order: Order | None, command: Command, decided: Decided) -> str | None:
        """Return why the decision may not be committed without a (fresh) confirmation, or None if it may."""
        ...


def _no_marks(partition: int) -> Sequence[Mark]:
    """Return no marks: nothing else has followed the log."""
    return ()


def _no_wake() -> None:
    """Do nothing: the loop that calls the engine does not sleep."""


@dataclass(slots=True)
class EngineDependencies:
    """Functions and services outside of the engine that it calls."""

    market: Callable[[str], MarketSettings]
    """Returns the settings of a marketplace."""
    vault: Vault
    new_id: Callable[[], bytes]
    """Returns 16 unique bytes, the ids of commits that answer no command."""
    backoff: Callable[[int], int]
    """Returns how many microseconds to wait before the n-th new decision (n from 1), with jitter."""
    marks: Callable[[int], Sequence[Mark]] = _no_marks
    """Returns how far others have followed a partition. Nothing is decided there unless the log has that much."""
    alone: bool = False
    """Whether only engines can append, and there is no replica. A damaged record, or a commit whose parent the log does
    not have, stops the partition then."""
    wake: Callable[[], None] = _no_wake
    """Called from any thread when ``step`` has something to do."""
