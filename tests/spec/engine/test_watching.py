"""A trouble is reported once when it begins and once when it ends, with what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest

from consumers.engine.engine import Engine
from infra.runtime.components import Component, Health, health_of
from infra.runtime.health_watch import OVER, HealthWatch
from infra.runtime.import_lock import held, is_held
from infra.runtime.loop import Loop
from tests.integration.kafka.waiting import wait_until


@dataclass
class Open:
    """The engine's open imports."""

    found: set[tuple[str, bytes]] = field(default_factory=set)

    def inputs(self) -> set[tuple[str, bytes]]:
        return self.found


@dataclass
class Failing:
    """An engine as the watch sees it."""

    unwritable: str | None = None
    trouble: dict[int | None, str] = field(default_factory=dict)
    imports: Open = field(default_factory=Open)


class Time:
    now = 100.0


@dataclass
class Part:
    """A component that has the troubles of ``pieces``, and a loop that is fine unless it is given."""

    name: str
    pieces: dict[str, str] = field(default_factory=dict)
    loop: Loop = field(default_factory=lambda: Loop("idle", lambda: False, lambda: 1.0))

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def health(self) -> Health:
        return health_of(self.pieces, self.loop)


def watching(
    engine: Failing, directory: Path | None = None, components: Sequence[Component] = ()
) -> tuple[HealthWatch, list[str], Time]:
    reported: list[str] = []
    time = Time()
    watch = HealthWatch(cast(Engine, engine), directory, components, clock=lambda: time.now, report=reported.append)
    return watch, reported, time


def after(watch: HealthWatch, time: Time, seconds: float) -> dict[str, Any]:
    """Run the watch every tenth of a second for so long."""
    for _ in range(round(seconds * 10)):
        time.now += 0.1
        watch.look()
    return watch.trouble


def test_a_write_failure_is_reported_at_once_and_once_and_so_is_its_end() -> None:
    engine = Failing()
    watch, output, time = watching(engine)
    assert after(watch, time, 1) == {}
    engine.unwritable = "j: database or disk is full"
    assert after(watch, time, 5) == {"writing": "j: database or disk is full"}
    assert 4.8 <= watch.lasts("writing") <= 5.0
    assert output == ["rescind: nothing can be written: j: database or disk is full\n"]
    engine.unwritable = None
    assert after(watch, time, OVER / 2) != {}
    assert after(watch, time, OVER) == {}
    assert output[1:] == ["rescind: what is to be written is taken again\n"]
    assert watch.lasts("writing") == 0


def test_a_failure_that_recurs_within_a_moment_is_one_trouble() -> None:
    engine = Failing()
    watch, output, time = watching(engine)
    for _ in range(20):
        engine.trouble = {0: "state: full"}
        after(watch, time, 0.1)
        engine.trouble = {}
        after(watch, time, 0.3)
    assert watch.trouble == {"following": "state: full"}
    assert output == ["rescind: the log is not followed: state: full\n"]


def test_an_abandoned_import_is_reported_with_its_remedy(tmp_path: Path) -> None:
    engine = Failing(imports=Open({("acme", bytes(32))}))
    watch, output, time = watching(engine, tmp_path)
    with held(tmp_path):
        assert is_held(tmp_path)
        assert after(watch, time, 10) == {}, "it is under way"
    assert not is_held(tmp_path)
    assert after(watch, time, OVER / 2) == {}, "whoever was at it may have closed it just now"
    trouble = after(watch, time, OVER)["imports"]
    assert "an import into acme is open" in trouble
    assert "run the same import again, or close it with `rescind import --finish`" in trouble
    engine.imports.found.clear()
    assert after(watch, time, 2 * OVER) == {}
    assert len(output) == 2


def trouble_after(watch: HealthWatch, time: Time, seconds: float) -> dict[str, str]:
    """Run the watch over the parts every tenth of a second for so long."""
    for _ in range(round(seconds * 10)):
        time.now += 0.1
        watch.look_at_components()
    return watch.trouble


def test_each_piece_of_a_component_is_reported_when_its_trouble_begins_and_ends() -> None:
    pieces: dict[str, str] = {}
    watch, output, time = watching(Failing(), None, [Part("publishing", pieces), Part("views")])
    assert trouble_after(watch, time, 1) == {}
    pieces["partition 0"] = "no broker answers"
    trouble_after(watch, time, 1)
    pieces["refunds, partition 1"] = "there is no topic"
    assert trouble_after(watch, time, 3) == {
        "publishing": "partition 0: no broker answers; refunds, partition 1: there is no topic"
    }
    assert 3.8 <= watch.since["publishing"] <= 4.2
    assert output == [
        "rescind: publishing has stopped (partition 0): no broker answers\n",
        "rescind: publishing has stopped (refunds, partition 1): there is no topic\n",
    ]
    for pieces["partition 0"] in ("a broker answers after 12 ms", "a broker answers after 15 ms", "no broker answers"):
        trouble_after(watch, time, 1)
    assert output[2:] == ["rescind: publishing has stopped (partition 0): a broker answers after 12 ms\n"], (
        "each cause once"
    )
    del output[2:], pieces["partition 0"]
    assert "partition 0" not in watch.trouble["publishing"], "what is over is over at once"
    trouble_after(watch, time, 2 * OVER)
    assert output[2:] == ["rescind: publishing goes on (partition 0)\n"]


def test_a_loop_that_hangs_or_has_ended_is_a_trouble(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.runtime.loop.HANGS", 0.05)
    go_on, breaks = Event(), Event()

    def step() -> bool:
        if breaks.is_set():
            raise ZeroDivisionError
        go_on.wait(60)
        return False

    monkeypatch.setattr("threading.excepthook", lambda _: None)
    loop = Loop("views", step, lambda: 0.01)
    watch, output, _ = watching(Failing(), None, [Part("views", loop=loop)])
    loop.start()
    wait_until(lambda: "has not come back" in watch.trouble.get("views", ""))
    watch.look_at_components()
    assert output[0].startswith("rescind: the views do not follow (its loop): a step that began ")
    go_on.set()
    wait_until(lambda: watch.trouble == {})
    breaks.set()
    wait_until(lambda: "ZeroDivisionError" in watch.trouble.get("views", ""))
    assert loop.stop()
    assert "has ended by a defect" in capsys.readouterr().err


def test_closing_components_are_not_reported() -> None:
    watch, output, time = watching(Failing(), None, [Part("views", {"": "closed"})])
    watch.stop()
    assert (trouble_after(watch, time, 1), output) == ({}, [])


def test_two_imports_can_hold_the_store_at_once(tmp_path: Path) -> None:
    with held(tmp_path):
        with held(tmp_path):
            assert is_held(tmp_path)
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
