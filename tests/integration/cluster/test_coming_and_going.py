"""A running engine whose partitions are assigned and revoked under load: requests are answered or redirected, views and
erasures miss nothing, and no reader finds its file closed."""

import random
import threading
import time
from pathlib import Path
from typing import Any

from domain.commands import parse_command
from infra.app import GROUPED, App, open_app
from infra.cluster.partition_assignment import PartitionAssignment
from infra.local_state import open_local_state
from infra.local_state.slots import state_file
from infra.projection.replaying import run_replay
from infra.runtime.partition_runner import PartitionListener
from infra.settings import Settings, load_settings
from tests.integration.http.client import SUPPORT, SYSTEM, Http, placing
from tests.integration.kafka.waiting import wait_until

PARTITIONS = 4


def assignment(app: App, settings: Settings) -> PartitionAssignment:
    """Everything that the app follows is given up, and attended to from now on."""
    assert app.views is not None
    assert settings.journal_at.directory is not None
    slot = settings.journal_at.directory / "state" / "0"
    listeners: list[PartitionListener] = [app.erasing, app.views]
    for partition, follower in sorted(app.engine.followers.items()):
        for listener in listeners:
            listener.revoke(partition)
        app.engine.revoke(partition).result(30)
        follower.state.close()

    def opened(partition: int, **how: Any) -> Any:
        return open_local_state(state_file(slot, partition), partition, PARTITIONS, **how).state

    made = PartitionAssignment(
        app.engine,
        listeners,
        lambda partition: opened(partition, grouped=GROUPED),
        lambda partition: opened(partition, read_only=True),
        linger=0.05,
    )
    made.start()
    return made


def submit(app: App, body: dict[str, Any]) -> str:
    """Submit a command until there is a final answer, and return its kind."""
    until = time.monotonic() + 60
    while True:
        outcome = app.engine.submit(parse_command(dict(body))).result(60)
        if outcome.rule != "not-followed":
            assert outcome.kind in ("accepted", "refused", "duplicate"), outcome
            return outcome.effective.kind
        assert time.monotonic() < until
        time.sleep(0.01)


def test_partitions_are_assigned_and_revoked_under_load_and_nothing_is_missed(tmp_path: Path) -> None:
    settings = load_settings(journal=f"sqlite:///{tmp_path}/journal?partitions={PARTITIONS}", synchronous="normal")
    rng = random.Random(7)
    with open_app(settings) as app:
        attends = assignment(app, settings)
        for partition in range(PARTITIONS):
            attends.assign(partition)
        orders = [f"PO-{number}" for number in range(60)]
        found: dict[str, list[str]] = {}

        def work(mine: list[str]) -> None:
            for order in mine:
                place = {"command": "PlaceOrder", "command_id": "c1", "marketplace": "acme", **placing(order)}
                cancel = {
                    "command": "CancelLines", "command_id": "c2", "marketplace": "acme", "order_id": order,
                    "actor": SUPPORT, "reason": "out_of_stock", "rule": "seller-has-final-say",
                }  # fmt: skip
                found[order] = [submit(app, place), submit(app, cancel), submit(app, place)]

        workers = [threading.Thread(target=work, args=(orders[n::3],)) for n in range(3)]
        for worker in workers:
            worker.start()
        until = time.monotonic() + 4
        while any(worker.is_alive() for worker in workers) or time.monotonic() < until:
            partition = rng.randrange(PARTITIONS)
            attends.revoke(partition)
            time.sleep(rng.uniform(0.0, 0.15))
            attends.assign(partition)
            time.sleep(rng.uniform(0.0, 0.05))
        assert found == {order: ["accepted", "accepted", "accepted"] for order in orders}
        wait_until(lambda: attends.settled)
        app.catch_up()
        assert app.views is not None
        wait_until(lambda: len(app.views.positions) == PARTITIONS)  # type: ignore[union-attr]
        assert app.views.catch_up(30)
        assert app.erasing.catch_up()
        assert app.views.trouble is None
        attends.stop()
        for partition in range(PARTITIONS):
            app.engine.followers[partition].state.write()
    attends.close()
    report = run_replay(settings, check=True)
    assert report.clean, report.differences
    assert report.behind == 0
    assert report.rows["orders"] == len(orders)


def test_an_order_that_is_not_followed_here_is_answered_as_such_and_never_as_a_defect(tmp_path: Path) -> None:
    settings = load_settings(journal=f"sqlite:///{tmp_path}/journal?partitions={PARTITIONS}", synchronous="normal")
    with open_app(settings) as app:
        http = Http(app)
        path = http.place()
        partition = app.engine.partition(path.removeprefix("/v1/").replace("/orders/", "/"))
        attends = assignment(app, settings)
        answer = http.post(f"{path}/messages", {"actor": SYSTEM, "message_id": "m", "to": "buyer", "text": "x"}, "k")
        assert (answer.status_code, answer.json()["rule"]) == (503, "not-followed")
        assert int(answer.headers["retry-after"]) >= 1
        attends.assign(partition)
        wait_until(lambda: attends.settled)
        assert http.get(path).json()["version"] == 2
        attends.stop()
        http.close()
    attends.close()
