"""The suite's own rules: what a marked test needs, and how Hypothesis searches. The helpers are in tests/needs.py."""

import os
import pathlib
import signal
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from tests.broker.fixtures import cluster, kafka
from tests.effort import examples
from tests.needs import KNOWN, require, required
from tests.postgresql.fixtures import postgresql, postgresql_of_its_own, postgresql_server

__all__ = ["cluster", "kafka", "postgresql", "postgresql_of_its_own", "postgresql_server"]

# No deadline: two cores are shared with other workers. In CI the examples are the same every time, so that a change is
# judged and not its luck; everywhere else they are new every time.
settings.register_profile(
    "house",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=examples(100),
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    required()  # a misspelt RESCIND_REQUIRE stops the run instead of requiring nothing
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job: the programs that tests interrupt
        signal.signal(signal.SIGINT, signal.default_int_handler)  # would inherit that, and not hear of it


# Specifications first: they are quick, and say best what is wrong.
ORDER = ("spec", "golden", "architecture", "integration", "contract", "simulation")


@pytest.hookimpl(tryfirst=True)  # before -m chooses by markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = pathlib.Path(__file__).parent

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(here).parts[0] if item.path.is_relative_to(here) else ""
        return ORDER.index(folder) if folder in ORDER else len(ORDER)

    items.sort(key=place)
    for item in items:
        if is_hypothesis_test(getattr(item, "function", None)):
            item.add_marker("random")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name in KNOWN:
        if item.get_closest_marker(name):
            require(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A marked test that is skipped for whatever reason has failed where RESCIND_REQUIRE names its marker."""
    report = yield
    names = sorted(name for name in required() if item.get_closest_marker(name))
    if report.skipped and names:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"RESCIND_REQUIRE asks for {', '.join(names)}, and this was skipped: {reason}"
    return report
