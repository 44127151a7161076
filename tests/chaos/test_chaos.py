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


@pytest.mark.postgresql
def test_a_minute_of_kills_of_engines_that_follow_all_or_a_share_does_not_either() -> None:
    report = chaos(1, 2, share=True)
    print(report)
    assert report.engines_killed >= 2
    assert report.kinds["accepted"] > 200
    assert report.passed_on > 20
