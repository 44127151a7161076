"""The figures of a benchmark: a value, the baselines measured in the same run, and its ratio to each of them."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Figure:
    """One measured value. ``baselines``: name → value in the same unit. The ratio is our value divided by it."""

    bench: str
    measure: str
    value: float
    unit: str
    baselines: dict[str, float] = field(default_factory=dict)
    also: dict[str, float | str] = field(default_factory=dict)
    """Latencies, memory, how durable: what else is to be known of it."""

    @property
    def ratios(self) -> dict[str, float]:
        """Our value divided by each baseline."""
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
