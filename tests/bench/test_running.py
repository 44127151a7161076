"""The bench measures side by side and writes what it found; no figure is asserted, the machine is shared."""

import json
import pathlib

import psycopg
import pytest

from tests.bench.driving import measure
from tests.integration.cli.driving import Store
from tests.postgresql.server import Server


@pytest.mark.parametrize(
    ("bench", "figures", "baselines"), [("B1", 4, 2), ("B2", 1, 2), ("B3", 1, 1), ("B5", 2, 1), ("B6", 1, 1)]
)
def test_each_benchmark_is_printed_next_to_its_baseline(
    tmp_path: pathlib.Path, bench: str, figures: int, baselines: int
) -> None:
    out = tmp_path / "bench" / "results.json"
    done = measure(Store(tmp_path), bench, "--scale", "0.004", "--out", out, "--json")
    results = json.loads(out.read_text(encoding="utf-8"))

    assert results == done.json
    assert set(results["machine"]) == {"cores", "load", "python", "sqlite"}
    assert [figure["bench"] for figure in results["figures"]] == [bench] * figures
    last = results["figures"][-1]
    assert last["value"] > 0
    assert len(last["beside"]) == len(last["ratio"]) == baselines


@pytest.mark.postgresql
def test_views_are_rebuilt_on_both_databases_and_leave_nothing_behind(
    tmp_path: pathlib.Path, postgresql_server: Server
) -> None:
    store = Store(tmp_path, more={"RESCIND_VIEWS": postgresql_server.url})
    results = measure(store, "B3", "--scale", "0.004", "--out", tmp_path / "results.json", "--json").json
    sqlite, postgresql = results["figures"]
    assert [len(figure["beside"]) for figure in (sqlite, postgresql)] == [1, 2]
    assert sqlite["also"]["rows"] == postgresql["also"]["rows"] > 200
    assert "fsync off" in postgresql["also"]["durability"]
    with psycopg.connect(postgresql_server.url) as db:
        left = db.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rescind\\_bench%'").fetchall()
    assert left == []
