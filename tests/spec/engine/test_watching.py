"""What does not work for now is told when it begins and when it ends, once, and by whom it can be mended."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from consumers.engine import Engine
from infra.importing.holding import held, is_held
from infra.watching import OVER, Watch


@dataclass
class Open:
    """Open imports, as the engine has them."""

    found: set[tuple[str, bytes]] = field(default_factory=set)

    def inputs(self) -> set[tuple[str, bytes]]:
        return self.found


@dataclass
class Failing:
    """An engine as the watch looks at it."""

    unwritable: str | None = None
    trouble: dict[int | None, str] = field(default_factory=dict)
    imports: Open = field(default_factory=Open)


class Time:
    now = 100.0


def watching(engine: Failing, directory: Path | None = None) -> tuple[Watch, list[str], Time]:
    said: list[str] = []
    time = Time()
    return Watch(cast(Engine, engine), directory, clock=lambda: time.now, say=said.append), said, time


def after(watch: Watch, time: Time, seconds: float) -> dict[str, Any]:
    """Looked at every tenth of a second for so long."""
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


def test_two_imports_hold_the_store_beside_each_other(tmp_path: Path) -> None:
    with held(tmp_path):
        with held(tmp_path):
            assert is_held(tmp_path)
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
