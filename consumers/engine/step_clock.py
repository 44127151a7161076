"""The engine's clock during one step: read once at the start, so that everything in a step has the same time."""

from domain.instants import EARLIEST, Instant


class StepClock:
    """The time of the current step."""

    __slots__ = ("now", "steady")

    def __init__(self) -> None:
        self.now: Instant = EARLIEST
        """The wall clock, as of the current step."""
        self.steady: Instant = 0
        """Microseconds that have passed on the wall clock, not counting its steps back. Pauses are measured by it."""

    def advance(self, now: Instant) -> None:
        """Set the time. Called at the start of each part of a step."""
        if now > self.now and self.now != EARLIEST:
            self.steady += now - self.now
        self.now = now
