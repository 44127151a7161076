"""Real history, imported into topics and into a file: hash for hash the same for every order."""

import os
from pathlib import Path

import pytest

from infra.settings import load_settings
from infra.store.reader import open_reader
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.integration.cli.driving import Store

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.xdist_group(SECOND_GROUP)]

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT / os.environ.get("RESCIND_SHARED", "../shared")
OLIST = SHARED.resolve() / "data" / "olist"


def histories(journal: str, directory: Path) -> dict[str, list[bytes]]:
    """The hashes of every order's commits, in order."""
    reader = open_reader(load_settings(journal=journal, directory=str(directory)))
    found: dict[str, list[bytes]] = {}
    try:
        for follower in reader.followers.values():
            for admitted in follower.state.commits():
                for part in admitted.commit.streams:
                    if part.kind == "chain" and not part.stream.startswith("$"):
                        found.setdefault(part.stream, []).append(admitted.hash)
    finally:
        reader.close()
    return found


def test_the_olist_history_results_in_the_same_bytes_in_twelve_partitions_and_in_a_file(
    kafka: Kafka, tmp_path: Path
) -> None:
    if not OLIST.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"the Olist folder is missing: {OLIST}")
        pytest.skip(f"the Olist folder is missing: {OLIST}; RESCIND_SHARED names the folder that has data/olist")
    url = kafka.url(partitions=12)
    topics = Store(tmp_path / "topics", 12, {"RESCIND_JOURNAL": url, "RESCIND_DIRECTORY": str(tmp_path / "own")})
    files = Store(tmp_path / "files")
    for store in (topics, files):
        store.place.mkdir()
        store.rescind("import", "--format", "olist", OLIST, check=None)
    on_kafka = histories(url, tmp_path / "own")
    in_a_file = histories(f"sqlite:///{files.journal}", tmp_path / "own")
    assert len(on_kafka) > 7_000
    assert on_kafka == in_a_file
