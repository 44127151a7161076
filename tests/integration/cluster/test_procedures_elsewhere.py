"""The five procedures, row by row, through a process that does not follow the order; and the command line on the same
settings, which needs no share because it follows all partitions by itself."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cluster.serving import ROOT, Together
from tests.integration.http.client import Http, placing
from tests.integration.http.test_procedures import STEPS, WALKS, Walk

pytestmark = [pytest.mark.kafka, pytest.mark.postgresql, pytest.mark.xdist_group("share")]


def rescind(pair: Together, directory: Path, *arguments: str) -> Any:
    """The JSON output of a command, on the settings of the pair."""
    command = [str(Path(sys.executable).with_name("rescind")), *arguments, "--json"]
    environment = {**os.environ, **pair.environment, "RESCIND_DIRECTORY": str(directory)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def shop(pair: Together, http: Http, tmp_path_factory: pytest.TempPathFactory) -> Http:
    """A marketplace with one old order, by accepted offer, that nobody has shipped in nine days: imported while both
    processes serve."""
    at = (datetime.now(UTC) - timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%SZ")
    old = placing("old-offer", policy="peer-to-peer", sale_format="offer")
    body = {"command": "PlaceOrder", "command_id": "c1", "marketplace": "acme", "at": at, **old}
    folder = tmp_path_factory.mktemp("import")
    (folder / "old.jsonl").write_text(json.dumps(body) + "\n", encoding="utf-8")
    report = rescind(pair, folder / "own", "import", str(folder / "old.jsonl"))
    assert (report["read"], report["accepted"]) == (1, 1)
    return http


@pytest.mark.parametrize("source", sorted(WALKS))
def test_a_procedure_is_walked_row_by_row_past_the_follower(shop: Http, source: str) -> None:
    policy, follow = WALKS[source]
    walk = Walk(shop, policy)
    follow(walk)
    assert walk.walked == [step for step in STEPS if step.startswith(source)], "every row, in the table's order"


def test_the_command_line_reads_every_partition_and_finds_the_views_as_the_log_has_them(
    pair: Together, shop: Http, tmp_path: Path
) -> None:
    orders = [shop.place() for _ in range(8)]
    assert shop.app.views is not None and shop.app.views.catch_up(30)
    for order in orders:
        name = order.removeprefix("/v1/").replace("/orders/", "/")
        assert rescind(pair, tmp_path, "order", "show", name) == shop.get(order).json()
    assert all(each["state"] != "wrong" for each in rescind(pair, tmp_path, "doctor"))
    report = rescind(pair, tmp_path, "replay", "--check")
    assert report["differing"] == 0, report
