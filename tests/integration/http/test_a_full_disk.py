"""An embedded store on a disk that fills up: refused writes have the reason, reads continue, and everything works again
once there is room, without a restart."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.importing import pipeline
from tests.integration.cli.driving import Store, lives
from tests.integration.http.client import Http, placing, served
from tests.integration.kafka.waiting import wait_until

pytestmark = pytest.mark.root

SMALL = "24m"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes. Root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # what has failed may not have let go yet


def fill(disk: Path, leave: int = 0) -> Path:
    """Fill the disk until ``leave`` bytes are left; deleting the file makes room."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        file.write(bytes(shutil.disk_usage(disk).free - leave))
    assert shutil.disk_usage(disk).free == leave
    return ballast


def trouble(http: Http) -> dict[str, str]:
    found: dict[str, str] = http.get("/readyz").json().get("trouble", {})
    return found


def no_longer_taken(http: Http, first: int) -> int:
    """Place orders until one is turned away: SQLite writes into what it has as long as it can. Its number."""
    for number in range(first, first + 5_000):
        answer = http.post("/v1/acme/orders", placing(f"PO-{number}"), f"k-{number}")
        if answer.status_code == 503:
            return number
        assert answer.status_code == 201, answer.text
    raise AssertionError("the disk takes everything")


def test_while_the_disk_is_full_readiness_reports_what_does_not_work(
    disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(disk, answer_within=5.0) as http:
        assert http.post("/v1/acme/orders", placing("PO-0"), "k-0").status_code == 201
        ballast = fill(disk)
        turned_away = no_longer_taken(http, 1)
        wait_until(lambda: "writing" in trouble(http))
        assert "full" in trouble(http)["writing"]
        wait_until(lambda: http.get("/readyz").json()["status"] == "ready")
        assert http.get("/v1/acme/orders/PO-0").json()["status"] == "open"
        shown = Store(disk).rescind("order", "show", "acme/PO-0", "--json")
        assert shown.json["status"] == "open", "a read needs no room"
        assert "rescind: nothing can be written: " in capsys.readouterr().err

        ballast.unlink()
        turned_away_order = placing(f"PO-{turned_away}"), f"k-{turned_away}"
        wait_until(lambda: http.post("/v1/acme/orders", *turned_away_order).status_code == 201)
        wait_until(lambda: trouble(http) == {})
        assert "rescind: what is to be written is taken again" in capsys.readouterr().err
        assert http.get(f"/v1/acme/orders/PO-{turned_away}").json()["version"] == 2


def test_an_import_on_a_full_disk_reports_it_and_can_be_finished_once_there_is_room(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "STALLED", 1.0)
    store = Store(disk)
    store.take(lives(0, 20))
    more = store.file(lives(20, 3_000))
    ballast = fill(disk, leave=1 << 20)
    stopped = store.rescind("import", more, check=3).err
    assert "full" in stopped, "the cause is named"
    assert "the same command continues where it stopped" in stopped
    assert "full" in store.rescind("import", "--finish", check=3).err
    assert store.show("acme/PO-000001")["order_id"] == "PO-000001"
    ballast.unlink()
    assert store.rescind("import", "--finish", "--json").json
    assert store.rescind("doctor", "--json", check=None).json
