"""K1 runs on the configured broker, is reported with its floor and the library's result, and leaves nothing behind."""

import json
from pathlib import Path

import psycopg
import pytest

from tests.bench.driving import measure
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.broker.topics import admin
from tests.integration.cli.driving import Store

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(SECOND_GROUP)]


@pytest.mark.slow
@pytest.mark.postgresql
def test_k1_is_reported_with_the_results_of_the_client_alone_and_of_the_library(
    kafka: Kafka, postgresql: str, tmp_path: Path
) -> None:
    out = tmp_path / "results.json"
    prefix = kafka.prefix()
    journal = kafka.url(prefix, 2)
    where = ("--journal", journal, "--views", postgresql)
    measure(Store(tmp_path), "K1", *where, "--scale", "0.004", "--out", out, "--json")
    figures = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert [figure["bench"] for figure in figures] == ["K1"] * 10
    assert all(figure["value"] > 0 for figure in figures)
    paced = [figure for figure in figures if "at 1,000 commands/s" in figure["measure"]]
    assert [(len(figure["ratio"]), figure["unit"]) for figure in paced] == [(1, "ms")] * 2
    for figure in figures:
        if figure in paced:
            continue
        assert len(figure["ratio"]) == 6
        durability = {name: value for name, value in figure["also"].items() if name.startswith("durability")}
        assert len(durability) == 5
        assert "fsync=off" in durability["durability of the library's recorder on PostgreSQL"], (
            "as the tests' server has it"
        )
        assert "synchronous=FULL" in durability["durability of the library's recorder on SQLite"]
    with psycopg.connect(postgresql) as db:
        assert db.execute("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'rescind_bench%'").fetchone() is None
    with admin(kafka.servers) as admin_client:
        assert [name for name in admin_client.list_topics() if name.startswith(prefix)] == []


@pytest.mark.slow
def test_a_replay_and_two_processes_are_measured_on_it_too(kafka: Kafka, tmp_path: Path) -> None:
    prefix = kafka.prefix()
    where = ("--journal", kafka.url(prefix, 3))
    done = measure(Store(tmp_path), "B2", "B6", *where, "--scale", "0.01", "--out", tmp_path / "r.json", "--json")
    measured = [(figure["bench"], sorted(figure["ratio"])) for figure in done.json["figures"]]
    assert measured[1] == ("B2", ["reading alone", "the same from memory"])
    assert measured[2:] == [("B6", ["one process"])] * 2
    assert all(figure["value"] > 0 for figure in done.json["figures"])
    with admin(kafka.servers) as admin_client:
        assert [name for name in admin_client.list_topics() if name.startswith(prefix)] == []


def test_k1_requires_a_cluster(tmp_path: Path) -> None:
    done = measure(Store(tmp_path), "K1", check=2)
    assert "kafka://HOST:PORT/PREFIX" in done.err
