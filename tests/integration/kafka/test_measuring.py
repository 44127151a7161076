"""K1 runs on the broker that it is given, stands beside its floor, and leaves no topic behind."""

import json
from pathlib import Path

import pytest

from tests.broker.fixtures import GROUP, Kafka
from tests.broker.topics import admin
from tests.integration.cli.driving import Store

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]


@pytest.mark.slow
def test_k1_stands_beside_what_the_client_alone_comes_to(kafka: Kafka, tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    prefix = kafka.prefix()
    journal = kafka.url(prefix, 2)
    Store(tmp_path).rescind("bench", "K1", "--journal", journal, "--scale", "0.004", "--out", out, "--json")
    figures = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert [figure["bench"] for figure in figures] == ["K1"] * 8
    assert all(figure["value"] > 0 and len(figure["ratio"]) == 2 for figure in figures)
    with admin(kafka.servers) as asking:
        assert [name for name in asking.list_topics() if name.startswith(prefix)] == []


def test_k1_asks_for_a_cluster(tmp_path: Path) -> None:
    done = Store(tmp_path).rescind("bench", "K1", check=2)
    assert "kafka://HOST:PORT/PREFIX" in done.err
