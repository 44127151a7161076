"""Every acceptance case on a journal of topics, imported twice: what is shown is what a journal in a file shows."""

from pathlib import Path

import pytest

from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.integration.cli.driving import Store
from tests.integration.cli.test_cases import cases, run
from tests.spec.acceptance.test_cases import waiting

__all__ = ["cases"]

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.xdist_group(SECOND_GROUP)]


def test_every_case_fits_on_topics_too_and_a_second_import_changes_nothing(
    kafka: Kafka, cases: dict[str, str], tmp_path: Path
) -> None:
    url = kafka.url(partitions=3)
    more = {"RESCIND_JOURNAL": url, "RESCIND_DIRECTORY": str(tmp_path / "own")}
    Store(tmp_path, 3, more).rescind("topics", "create")
    lines = [line for case, line in cases.items() if case not in waiting()]
    code, differ, output = run(lines, tmp_path, "--twice", "--journal", url, directory=tmp_path / "own")
    assert (code, differ) == (0, set()), output[-12000:]
