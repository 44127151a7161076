"""An engine with an import that no process continues: readiness reports it with what to do, and when it is over."""

from pathlib import Path

import pytest

from infra.runtime.import_lock import held
from tests.integration.http.client import BUYER, placing, served
from tests.integration.kafka.waiting import wait_until


def test_readiness_reports_that_live_writes_wait_and_what_ends_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(tmp_path) as http:
        assert http.post("/v1/acme/orders", placing("PO-1"), "k1").status_code == 201
        with held(tmp_path / "journal"):
            assert http.app.engine.open_import("acme", bytes(32)).result(30).kind == "accepted"
            assert "trouble" not in http.get("/readyz").json()
        wait_until(lambda: "imports" in http.get("/readyz").json().get("trouble", {}))
        ready = http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert "rescind import --finish" in ready.json()["trouble"]["imports"]
        message = {"actor": BUYER, "message_id": "m1", "to": "seller", "text": "It is the blue one."}
        refused = http.post("/v1/acme/orders/PO-1/messages", message, "k2")
        assert (refused.status_code, refused.json()["rule"]) == (503, "import-open")
        assert "run it again, or close it with `rescind import --finish`" in refused.json()["detail"]
        assert http.app.engine.close_import("acme", bytes(32), None).result(30).kind == "accepted"
        wait_until(lambda: "trouble" not in http.get("/readyz").json())
        assert http.post("/v1/acme/orders/PO-1/messages", message, "k2").status_code == 200
    messages = capsys.readouterr().err.splitlines()
    assert [line.partition(": an import")[0] for line in messages] == [
        "rescind: live writes wait",
        "rescind: no live write waits for an import that nobody is at",
    ]
