"""The bench of the engine does what it says: every command is acknowledged, none refused, whatever is in flight."""

from pathlib import Path

import pytest

from infra.settings import Settings
from tests.bench.engine import PER_ORDER, acknowledged, life, overhead, paced_on


def test_an_orders_life_in_the_bench_is_accepted_throughout() -> None:
    measured = overhead(in_flight=3, commands=40)
    assert measured.kinds == {"accepted": 40}
    assert measured.events > 40
    assert 0 < measured.p50 <= measured.p99
    assert len(life(7)) == PER_ORDER


@pytest.mark.parametrize("in_flight", [1, 16])
def test_the_bench_runs_on_the_embedded_journal(tmp_path: Path, in_flight: int) -> None:
    measured = acknowledged(tmp_path, in_flight, 64, partitions=2)
    assert (measured.commands, measured.kinds) == (64, {"accepted": 64})
    assert measured.per_second > 0
    assert measured.cpu_per_command > 0


def test_at_a_pace_commands_are_sent_when_they_are_due_and_an_order_waits_for_its_own(tmp_path: Path) -> None:
    settings = Settings(journal=f"sqlite:///{tmp_path}?partitions=2")
    measured = paced_on(settings, 200.0, 40)
    assert (measured.commands, measured.kinds) == (40, {"accepted": 40})
    assert measured.seconds >= 39 / 200.0, "none was sent before it was due"
    assert 0 < measured.p50 <= measured.p99


def test_commands_before_the_measurement_are_not_counted(tmp_path: Path) -> None:
    settings = Settings(journal=f"sqlite:///{tmp_path}?partitions=2")
    measured = paced_on(settings, 200.0, 30, before=10)
    assert (measured.commands, measured.kinds) == (30, {"accepted": 30})
    assert measured.seconds >= 29 / 200.0
    assert measured.per_second <= 30 / (29 / 200.0)
