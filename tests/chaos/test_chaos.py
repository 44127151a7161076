"""The short version of ``make chaos``."""

import pytest

from tests.chaos.run import chaos

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_two_minutes_of_kills_lose_nothing_and_double_nothing() -> None:
    report = chaos(2, 1)
    print(report)
    assert report.engines_killed >= 5
    assert report.brokers_killed >= 3
    assert report.kinds["accepted"] > 1_000
