"""An import that erases has done so when it exits; the doctor names whose keys are still there."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.integration.cli.driving import BUYER, Store, command, placed

SUPPORT = {"kind": "support", "id": "kim"}


def erases(id: str, at: str, name: str = "EraseSubject", **fields: Any) -> dict[str, Any]:
    return {
        "command": name,
        "command_id": id,
        "marketplace": "acme",
        "subject": "b-7",
        "actor": SUPPORT,
        "at": at,
        **fields,
    }


def keys(store: Store) -> int:
    with closing(sqlite3.connect(store.journal / "vault.sqlite")) as database:
        [(number,)] = database.execute("select count(*) from subjects where wrapped is not null").fetchall()
    return int(number)


def history(store: Store) -> list[Any]:
    return [placed("PO-1"), message("m1", "2026-03-02T10:05:00Z")]


def message_references(store: Store) -> int:
    """Texts that the vault still has, readable or not."""
    with closing(sqlite3.connect(store.journal / "vault.sqlite")) as database:
        [(number,)] = database.execute("select count(*) from texts").fetchall()
    return int(number)


def message(id: str, at: str, order_id: str = "PO-1") -> dict[str, Any]:
    return command("SendMessage", order_id, at, BUYER, message_id=id, to="seller", text="My door code is 4711.")


def test_it_is_carried_out_before_the_import_exits_and_history_stays(store: Store) -> None:
    store.take(history(store))
    shown, events = store.show("acme/PO-1"), store.history("acme/PO-1")
    assert keys(store) == 1
    totals = store.take([*history(store), erases("x1", "2026-03-03T10:00:00Z")])
    assert (totals["accepted"], totals["duplicate"]) == (1, 2)
    assert keys(store) == 0
    assert (store.show("acme/PO-1"), store.history("acme/PO-1")) == (shown, events)
    assert store.rescind("replay", "--check", "--json").json["clean"]


def test_of_one_input_the_texts_before_the_erasure_are_erased_even_if_orders_are_decided_in_parallel(
    store: Store,
) -> None:
    rows = [placed(f"PO-{n}") for n in range(300)]
    texts = [message(f"m{n}", "2026-03-02T10:05:00Z", f"PO-{n}") for n in range(300)]
    store.take([*rows, *texts, erases("x1", "2026-03-03T10:00:00Z")])
    assert keys(store) == 0
    assert message_references(store) == 300


def test_of_one_input_the_text_behind_the_erasure_stays(store: Store) -> None:
    store.take([*history(store), erases("x1", "2026-03-03T10:00:00Z"), message("m2", "2026-03-04T10:00:00Z")])
    assert keys(store) == 1
    store.rescind("replay")
    store.take([message("m3", "2026-03-05T10:00:00Z")])
    assert keys(store) == 1


def test_a_hold_in_an_import_defers_it(store: Store) -> None:
    hold = erases("h1", "2026-03-03T09:00:00Z", "PlaceLegalHold", hold_id="lawsuit")
    totals = store.take([*history(store), hold, erases("x1", "2026-03-03T10:00:00Z")])
    assert totals["refused"] == {"legal-hold": 1}
    assert keys(store) == 1
    release = erases("r1", "2026-03-04T09:00:00Z", "ReleaseLegalHold", hold_id="lawsuit")
    store.take([release, erases("x2", "2026-03-04T10:00:00Z")])
    assert keys(store) == 0


def test_the_doctor_names_whose_keys_are_still_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> tuple[str, str]:
        [one] = [f for f in store.rescind("doctor", "--json").json if f["part"] == "erasing"]
        return one["state"], one["said"]

    store.take(history(store))
    assert found()[0] == "ok"
    with monkeypatch.context() as patched:
        patched.setattr("infra.erasing.runner.ErasingRunner.start", lambda *_: None)
        patched.setattr("infra.erasing.runner.ErasingRunner.catch_up", lambda *_: True)
        store.take([erases("x1", "2026-03-03T10:00:00Z")])
    assert found() == ("note", "1 person was erased, but their keys may still exist")
    store.take([placed("PO-2")])
    assert found()[0] == "ok"
    assert keys(store) == 0


def test_an_import_whose_vault_stays_unreachable_reports_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.erasing.runner.ErasingRunner.catch_up", lambda *_: False)
    done = store.rescind("import", store.file(history(store)), check=3)
    assert "some erased keys may still exist" in done.err
