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


def test_what_cannot_be_written_is_told_at_once_and_once_and_so_is_its_end() -> None:
    engine = Failing()
    watch, said, time = watching(engine)
    assert after(watch, time, 1) == {}
    engine.unwritable = "j: database or disk is full"
    assert after(watch, time, 5) == {"writing": "j: database or disk is full"}
    assert 4.8 <= watch.lasts("writing") <= 5.0
    assert said == ["rescind: nothing can be written: j: database or disk is full\n"]
    engine.unwritable = None
    assert after(watch, time, OVER / 2) != {}
    assert after(watch, time, OVER) == {}
    assert said[1:] == ["rescind: what is to be written is taken again\n"]
    assert watch.lasts("writing") == 0


def test_what_comes_and_goes_within_a_moment_is_one_trouble() -> None:
    engine = Failing()
    watch, said, time = watching(engine)
    for _ in range(20):
        engine.trouble = {0: "state: full"}
        after(watch, time, 0.1)
        engine.trouble = {}
        after(watch, time, 0.3)
    assert watch.trouble == {"following": "state: full"}
    assert said == ["rescind: the log is not followed: state: full\n"]


def test_an_import_that_nobody_is_at_is_told_with_what_to_do(tmp_path: Path) -> None:
    engine = Failing(imports=Open({("acme", bytes(32))}))
    watch, said, time = watching(engine, tmp_path)
    with held(tmp_path):
        assert is_held(tmp_path)
        assert after(watch, time, 10) == {}, "it is under way"
    assert not is_held(tmp_path)
    assert after(watch, time, OVER / 2) == {}, "whoever was at it may have closed it just now"
    told = after(watch, time, OVER)["imports"]
    assert "an import into acme is open" in told
    assert "run the same import again, or close it with `rescind import --finish`" in told
    engine.imports.found.clear()
    assert after(watch, time, 2 * OVER) == {}
    assert len(said) == 2


def beside(watch: HealthWatch, time: Time, seconds: float) -> dict[str, str]:
    """Run the watch over the parts every tenth of a second for so long."""
    for _ in range(round(seconds * 10)):
        time.now += 0.1
        watch.look_at_components()
    return watch.trouble


def test_each_piece_of_a_part_is_said_when_its_trouble_begins_and_when_it_ends() -> None:
    pieces: dict[str, str] = {}
    watch, said, time = watching(Failing(), None, [Part("publishing", pieces), Part("views")])
    assert beside(watch, time, 1) == {}
    pieces["partition 0"] = "no broker answers"
    beside(watch, time, 1)
    pieces["refunds, partition 1"] = "there is no topic"
    assert beside(watch, time, 3) == {
        "publishing": "partition 0: no broker answers; refunds, partition 1: there is no topic"
    }
    assert 3.8 <= watch.since["publishing"] <= 4.2
    assert said == [
        "rescind: publishing has stopped (partition 0): no broker answers\n",
        "rescind: publishing has stopped (refunds, partition 1): there is no topic\n",
    ]
    for pieces["partition 0"] in ("a broker answers after 12 ms", "a broker answers after 15 ms", "no broker answers"):
        beside(watch, time, 1)
    assert said[2:] == ["rescind: publishing has stopped (partition 0): a broker answers after 12 ms\n"], (
        "each cause once"
    )
    del said[2:], pieces["partition 0"]
    assert "partition 0" not in watch.trouble["publishing"], "what is over is over at once"
    beside(watch, time, 2 * OVER)
    assert said[2:] == ["rescind: publishing goes on (partition 0)\n"]


def test_a_loop_that_does_not_come_back_is_a_trouble_and_so_is_one_that_ended(
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
    watch, said, _ = watching(Failing(), None, [Part("views", loop=loop)])
    loop.start()
    wait_until(lambda: "has not come back" in watch.trouble.get("views", ""))
    watch.look_at_components()
    assert said[0].startswith("rescind: the views do not follow (its loop): a step that began ")
    go_on.set()
    wait_until(lambda: watch.trouble == {})
    breaks.set()
    wait_until(lambda: "ZeroDivisionError" in watch.trouble.get("views", ""))
    assert loop.stop()
    assert "has ended by a defect" in capsys.readouterr().err


def test_nothing_is_said_of_parts_that_are_being_closed() -> None:
    watch, said, time = watching(Failing(), None, [Part("views", {"": "closed"})])
    watch.stop()
    assert (beside(watch, time, 1), said) == ({}, [])


def test_two_imports_hold_the_store_beside_each_other(tmp_path: Path) -> None:
    with held(tmp_path):
        with held(tmp_path):
            assert is_held(tmp_path)
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
