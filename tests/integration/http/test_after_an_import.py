"""An imported history whose deadlines passed during the import: they never fire, so no answer as of now assumes it."""

from pathlib import Path
from typing import Any

from domain.instants import DAY, format_instant, parse_instant
from infra.runtime.clock import clock
from tests.integration.cli.driving import Store, placed
from tests.integration.http.client import Http, notice, served

LATE = "2026-03-20T00:00:00Z"


def answers(verdicts: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {each["action"]: (each["outcome"], each["rule"]) for each in verdicts}


def eligibility(http: Http, order: str, as_of: str | None = None) -> dict[str, tuple[str, str]]:
    path = f"{order}/eligibility" + ("" if as_of is None else f"?as_of={as_of}")
    return answers(http.get(path).json())


def test_every_answer_as_of_now_agrees_with_what_happens_on_a_try(tmp_path: Path) -> None:
    store = Store(tmp_path)
    wait_until = format_instant(clock() + 30 * DAY)
    old = placed("L-1", policy="big-box", ship_by="2026-03-05T00:00:00Z")
    young = placed("L-2", policy="big-box", ship_by=wait_until)
    assert store.rescind("import", store.file([old, young]), "--json").json["accepted"] == 2
    listed = store.rescind("deadlines", "list", "--json").lines
    assert [(each["order_id"], each["fires"]) for each in listed] == [("L-1", False), ("L-2", True)]
    by_command_line = answers(store.rescind("order", "eligibility", "acme/L-1", "--json").json)
    then = answers(store.rescind("order", "eligibility", "acme/L-1", "--as-of", LATE, "--json").json)
    with served(tmp_path) as http:
        order = "/v1/acme/orders/L-1"
        now = format_instant(http.app.clock())
        assert http.get(order).json()["status"] == http.get(f"{order}?as_of={now}").json()["status"] == "open"
        assert eligibility(http, order) == eligibility(http, order, now) == by_command_line
        assert by_command_line["ship"] == ("granted", by_command_line["ship"][1])
        page = http.get("/o/acme/L-1").text
        assert "already canceled" not in page
        assert eligibility(http, order, LATE) == then, "a later instant assumes that the deadline fired"
        assert then["cancel"] == ("refused", "already-canceled")
        assert http.get(f"{order}?as_of={LATE}").json()["status"] == "canceled"
        changes = [each["next_change_at"] for each in http.get(f"{order}/eligibility").json()]
        assert all(at is None or parse_instant(at) > http.app.clock() for at in changes)
        preview = http.post(f"{order}/shipments/preview", notice(1)).json()
        shipped = http.post(f"{order}/shipments", notice(1, confirmation=preview["confirmation"]), "ship")
        assert shipped.status_code == 200, shipped.text
