"""Every suite of the library's is claimed here on every journal, or named here with the reason why not."""

import importlib
import inspect
import unittest
from unittest import TestCase

import pytest

from tests.contract.eventsourcing.journals import Memory, Sqlite

NOT_CLAIMED = {
    "TaggedDecisionCountersProjectionTestCase": "dynamic consistency boundaries: admission judges streams, not queries",
    "TranscoderTestCase": "the module brings no transcoder; applications have the library's own, or theirs",
}


def suites(name: str) -> dict[str, type[TestCase]]:
    """The test cases of one of the library's modules that have tests of their own."""
    module = importlib.import_module(f"eventsourcing.tests.{name}")
    return {
        name: found
        for name, found in vars(module).items()
        if inspect.isclass(found) and issubclass(found, TestCase) and unittest.TestLoader().getTestCaseNames(found)
    }


@pytest.mark.parametrize("name", ["persistence", "application", "projection"])
@pytest.mark.parametrize("journal", [Memory, Sqlite])
def test_every_suite_of_the_library_is_claimed_or_listed_as_excluded(name: str, journal: type[TestCase]) -> None:
    ours = importlib.import_module(f"tests.contract.eventsourcing.test_{name}")
    concrete = [each for each in vars(ours).values() if inspect.isclass(each) and issubclass(each, journal)]
    for suite, cases in suites(name).items():
        claimed = any(issubclass(each, cases) for each in concrete)
        assert claimed == (suite not in NOT_CLAIMED), suite
