"""An import that is killed or interrupted and run again has the result of an undisturbed one."""

import pathlib
import sqlite3
import time
from concurrent.futures import Future
from contextlib import closing

from consumers.engine.outcome import Outcome, refused
from infra.importing import pipeline
from tests.integration.cli.driving import CTRL_C, KILL, TERM, Store, ended, lives, placed

ORDERS = 700
ROUNDS = 4


def records(store: Store) -> int:
    """Records in the journal's file, as far as another process can see them."""
    try:
        with closing(sqlite3.connect(f"file:{store.journal}/journal.sqlite?mode=ro", uri=True)) as database:
            (count,) = database.execute("SELECT count(*) FROM record").fetchone()
    except sqlite3.Error:
        return 0
    return int(count)


def grows_to(store: Store, count: int, timeout: float = 60) -> None:
    """Wait until the journal has so many records."""
    until = time.monotonic() + timeout
    while records(store) < count:
        assert time.monotonic() < until, "the import does not get on"
        time.sleep(0.002)


def rows(store: Store, table: str, key: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(store.views)) as database:
        return database.execute(f"SELECT * FROM {table} ORDER BY {key}").fetchall()


def test_an_import_that_is_killed_repeatedly_ends_like_an_undisturbed_one(tmp_path: pathlib.Path) -> None:
    commands = lives(0, ORDERS)
    calm, rough = Store(tmp_path / "calm"), Store(tmp_path / "rough", partitions=1)
    for store in (calm, rough):
        store.place.mkdir()
    undisturbed = calm.take(commands)
    file = rough.file(commands)

    killed = 0
    for _ in range(ROUNDS):
        process = rough.begin("import", file, "--json")
        grows_to(rough, records(rough) + 3)
        process.kill()
        process.communicate(timeout=60)
        killed += process.returncode == -KILL
    repeated = rough.rescind("import", file, "--json", own_process=True).json

    assert killed >= 1, "every round was over before it was killed"
    assert repeated["read"] == undisturbed["read"] == len(commands)
    assert repeated["duplicate"] > 0, "what was acknowledged before the kill is not done twice"
    assert rough.everything() == calm.everything()
    for table, key in (("orders", "order_id"), ("refunds", "order_id, refund_id"), ("seller_daily", "seller_id, day")):
        assert rows(rough, table, key) == rows(calm, table, key), table
    assert rough.take(commands)["accepted"] == 0
    assert rough.rescind("doctor", "--deep", "--json").json


def test_ctrl_c_prints_how_to_continue_and_the_same_command_continues(store: Store) -> None:
    commands = lives(0, ORDERS)
    file = store.file(commands)
    process = store.begin("import", file)
    grows_to(store, 4)
    done = ended(process, CTRL_C)

    assert (done.code, done.out) == (130, "")
    assert "the same command continues where it stopped" in done.err
    assert "Traceback" not in done.err
    findings = store.rescind("doctor", "--json", check=1).json
    [left] = [f for f in findings if f["part"] == "imports"]
    assert (left["state"], "no process of this machine imports" in left["said"], "import --finish" in left["do"]) == (
        "wrong",
        True,
        True,
    )
    refused = store.rescind("order", "cancel", "acme/PO-000001", "--reason", "out_of_stock", "--yes", check=3)
    assert "history is being imported into acme" in refused.err, "nothing live is decided during an import"
    assert "run it again, or close it with `rescind import --finish`" in refused.err

    repeated = store.rescind("import", file, "--json").json
    assert (repeated["read"], repeated["bad"]) == (len(commands), 0)
    assert repeated["duplicate"] > 0
    assert [f for f in store.rescind("doctor", "--json").json if f["state"] == "wrong" or f["part"] == "imports"] == []


def test_an_import_that_is_terminated_leaves_nothing_half_done(store: Store) -> None:
    commands = lives(0, ORDERS)
    file = store.file(commands)
    process = store.begin("import", file)
    grows_to(store, 4)
    done = ended(process, TERM)

    assert (done.code, done.out) == (143, "")
    assert "the same command continues where it stopped" in done.err
    assert store.rescind("import", file, "--json").json["read"] == len(commands)
    assert store.rescind("replay", "--check", "--json").json["differing"] == 0


def test_an_import_that_will_not_be_run_again_is_finished(store: Store) -> None:
    commands = lives(0, ORDERS)
    process = store.begin("import", store.file([placed("PO-unpaid", policy="auction-house", paid=False), *commands]))
    grows_to(store, 4)
    process.kill()
    process.communicate(timeout=60)

    closed = store.rescind("import", "--finish", "--until", "2026-03-07T00:00:00Z", "--json").json
    assert [(c["marketplace"], c["deadlines_reached"] >= 1) for c in closed] == [("acme", True)]
    assert store.show("acme/PO-unpaid")["status"] == "canceled"
    assert "no import is open" in store.rescind("import", "--finish").out
    assert store.rescind("order", "cancel", "acme/PO-unpaid", "--reason", "unpaid", "--yes", check=1).err


class _JustInTime(Future[Outcome]):
    """An answer that arrives at the moment when the caller's wait times out."""

    def result(self, timeout: float | None = None) -> Outcome:
        if not self.done():
            self.set_result(refused("no-such-order"))
            raise TimeoutError
        return super().result(timeout)


def test_an_answer_that_arrives_as_the_wait_ends_is_used() -> None:
    assert pipeline._answer(None, _JustInTime(), "line 1").rule == "no-such-order"  # type: ignore[arg-type]
