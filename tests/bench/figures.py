"""What a bench says: a figure, what it was measured beside in the same run, and the ratio between the two."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Figure:
    """One measured value. ``beside``: name → value in the same unit; the ratio says how many times as much ours is."""

    bench: str
    measure: str
    value: float
    unit: str
    baselines: dict[str, float] = field(default_factory=dict)
    also: dict[str, float | str] = field(default_factory=dict)
    """Latencies, memory, how durable: what else is to be known of it."""

    @property
    def ratios(self) -> dict[str, float]:
        """Ours divided by each that stands beside it."""
        return {name: self.value / other for name, other in self.baselines.items() if other}

    def json(self) -> dict[str, object]:
        """As ``bench/results.json`` has it."""
        return {
            "bench": self.bench,
            "measure": self.measure,
            "value": _short(self.value),
            "unit": self.unit,
            "beside": {name: _short(value) for name, value in self.baselines.items()},
            "ratio": {name: round(value, 2) for name, value in self.ratios.items()},
            "also": {k: _short(v) if isinstance(v, float) else v for k, v in self.also.items()},
        }


def _short(value: float) -> float:
    return round(value, 1 if value >= 100 else 3)
