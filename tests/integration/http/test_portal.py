"""The tutorial of the seller portal, run as it is written there: bash and curl against a server on a free port."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.http.running import running

pytestmark = pytest.mark.xdist_group("portal")

PAGE = Path(__file__).resolve().parents[3] / "docs/tutorial/seller-portal.md"


def block() -> str:
    """The shell block of the page."""
    found = re.search(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def run(address: str) -> list[Any]:
    """Run the block; every line that it prints is JSON."""
    assert shutil.which("curl"), "the page is driven with curl, and there is none on the PATH"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block()],
        env={**os.environ, "RESCIND": address.rstrip("/")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], list[Any]]:
    """The first and the second answer of a program."""
    with running(tmp_path_factory.mktemp("portal")) as (_, address):
        return run(address), run(address)


def test_a_notice_of_three_of_ten_ships_three_cancels_seven_and_refunds_seven(
    answers: tuple[list[Any], list[Any]],
) -> None:
    placed, preview, shipped, refused, order, eligibility = answers[0]
    assert [event["event"] for event in placed["events"]] == ["OrderPlaced", "PaymentReceived"]
    assert (preview["ships"], preview["kills"]) == ([{"line": 1, "quantity": 3}], [{"line": 1, "quantity": 7}])
    assert preview["refund_minor"] == 7000
    line = shipped["order"]["lines"][0]
    assert (line["ordered"], line["shipped"], line["canceled"], line["open"]) == (10, 3, 7, 0)
    [refund] = shipped["order"]["refunds"]
    assert (refund["refund_id"], refund["amount_minor"], refund["status"]) == ("refund-1", 7000, "due")
    assert (refused["status"], refused["rule"]) == (409, "auto-canceled-is-final")
    assert refused["instead"][0]["option"] == "new_order"
    assert order["lines"] == shipped["order"]["lines"]
    assert eligibility[0]["allowed"] is False


def test_a_second_run_gets_the_same_answer_to_every_write(answers: tuple[list[Any], list[Any]]) -> None:
    first, second = answers
    assert [second[0], second[2], second[3]] == [first[0], first[2], first[3]]
    assert second[4]["version"] == first[4]["version"]
    assert block().count("Idempotency-Key: ") == 3, "the README speaks of three writes"
    assert (first[1]["version"], second[1]["version"]) == (2, second[4]["version"]), "a preview is of the order by then"
