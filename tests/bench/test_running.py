"""`rescind bench` measures side by side and writes what it found; no figure is asserted, the machine is shared."""

import json
import pathlib

import pytest

from tests.integration.cli.driving import Store


@pytest.mark.parametrize(("bench", "figures", "beside"), [("B1", 4, 2), ("B2", 1, 2), ("B5", 2, 1)])
def test_each_bench_stands_beside_what_it_is_compared_with(
    tmp_path: pathlib.Path, bench: str, figures: int, beside: int
) -> None:
    out = tmp_path / "bench" / "results.json"
    done = Store(tmp_path).rescind("bench", bench, "--scale", "0.004", "--out", out, "--json")
    results = json.loads(out.read_text(encoding="utf-8"))

    assert results == done.json
    assert set(results["machine"]) == {"cores", "load", "python", "sqlite"}
    assert [figure["bench"] for figure in results["figures"]] == [bench] * figures
    last = results["figures"][-1]
    assert last["value"] > 0
    assert len(last["beside"]) == len(last["ratio"]) == beside
