"""What an engine is given: how it judges time, its bounds, and what it asks the outside for."""

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
    """How commands are judged. ``writer`` stands in every commit.

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
    """Bounds and rhythms of one engine; lengths of time in microseconds."""

    in_flight: int = 1024
    """Commands that are being worked on at once."""
    waiting: int = 20_000
    """Commands taken but not begun; beyond that they are answered ``busy``."""
    tries: int = 16
    """How often a command is decided anew after losing a race, before it is answered ``contended``."""
    orders: int = 20_000
    """Folded orders kept at hand."""
    batch: int = 500
    """Journal records followed per step and partition."""
    poll: int = 20_000
    """How long a partition with nothing on its way may go without a look at the log."""
    write: int = 50_000
    """How often, under load, local state is written and listeners are told; whenever nothing moves they are."""
    schedule: int = 250_000
    """How often the scheduler looks for deadlines."""
    catch_up: int = 100_000
    """How often, under load, deadlines of commits are set that were admitted while nobody set them."""
    scheduled: int = 200
    """Orders whose deadlines the scheduler fires at once, per partition."""
    recent: int = 0
    """Newest commits of a partition whose local state is compared with the log, byte by byte, at its start."""
    clock_tolerance: int = 5 * SECOND
    """How far the engine's clock may be off the append time of its own record."""


class Confirm(Protocol):
    """Says why a decision may not be committed without a (fresh) confirmation, or None if it may."""

    def __call__(self, order: Order | None, command: Command, decided: Decided) -> str | None: ...


def _no_marks(partition: int) -> Sequence[Mark]:
    """Nothing beside the log has followed it."""
    return ()


def _nobody_sleeps() -> None:
    """The loop is driven by somebody who need not be woken."""


@dataclass(slots=True)
class EngineDependencies:
    """What the engine asks the outside for."""

    market: Callable[[str], MarketSettings]
    """Settings of a marketplace."""
    vault: Vault
    new_id: Callable[[], bytes]
    """16 unique bytes: ids of commits that no command asked for."""
    backoff: Callable[[int], int]
    """How long to wait, in microseconds, before deciding anew for the n-th time (n from 1); with jitter."""
    marks: Callable[[int], Sequence[Mark]] = _no_marks
    """How far others have followed a partition: nothing is decided there unless the log has that much."""
    alone: bool = False
    """Whether nobody but engines can append, and there is no replica: a commit whose parent the log does not have, or a
    damaged record, stops the partition then."""
    wake: Callable[[], None] = _nobody_sleeps
    """Called from any thread when ``step`` has something to do."""
