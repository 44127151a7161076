"""A what-if that ends anywhere goes on where it was, and comes to the very same."""

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from infra.cli import whatif as module
from infra.cli.whatif_kept import Kept
from tests.integration.cli.driving import Store, asks, grants, placed, ships

ORDERS = 60


@pytest.fixture
def kept(store: Store) -> Store:
    """Three partitions with orders of which many come to something else under big-box."""
    store.partitions = 3
    rows = []
    for number in range(ORDERS):
        order = f"PO-{number:03}"
        rows.append(placed(order, f"2026-03-02T10:{number % 60:02}:00Z", ship_by="2026-03-05T10:00:00Z"))
        if number % 3 == 0:
            rows += [asks(order, "2026-03-03T14:00:00Z"), grants(order, "2026-03-03T15:00:00Z")]
        elif number % 3 == 1:
            rows.append(ships(order, "2026-03-04T10:00:00Z", 4))
    store.take(rows, "--until", "2026-05-01T00:00:00Z")
    return store


def undisturbed(store: Store) -> tuple[Any, str]:
    """The JSON and the CSV of a run that nobody broke off."""
    told = store.rescind("whatif", "--policy", "big-box@1", "--csv", store.place / "whole.csv", "--json").json
    return told, (store.place / "whole.csv").read_text(encoding="utf-8")


def resumed(store: Store) -> tuple[Any, str]:
    """The same of one that goes on from what is kept."""
    options = ("--resume", store.place / "kept", "--csv", store.place / "resumed.csv", "--json")
    told = store.rescind("whatif", "--policy", "big-box@1", *options).json
    return told, (store.place / "resumed.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", range(8))
def test_broken_off_again_and_again_it_comes_to_the_same(
    kept: Store, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    whole = undisturbed(kept)
    assert whole[0]["orders_changed"] > ORDERS // 4
    chance = random.Random(seed)
    monkeypatch.setattr(module, "PAGE", chance.choice((1, 3, 7)))
    keep, finish = Kept.keep, Kept.finish

    def may_break_off(then: Any) -> Any:
        def run(self: Kept, *given: Any) -> None:
            if chance.random() < 0.15:
                raise KeyboardInterrupt
            then(self, *given)
            if chance.random() < 0.15:
                raise KeyboardInterrupt

        return run

    with monkeypatch.context() as patch:
        patch.setattr(Kept, "keep", may_break_off(keep))
        patch.setattr(Kept, "finish", may_break_off(finish))
        broken_off = 0
        while broken_off < 6:
            done = kept.rescind("whatif", "--policy", "big-box@1", "--resume", kept.place / "kept", check=None)
            if done.code != 130:
                assert done.code == 0
                break
            assert f"--resume {kept.place / 'kept'} goes on from here" in done.err
            broken_off += 1
    assert resumed(kept) == whole
    assert resumed(kept) == whole, "what is finished is told again"


def test_killed_while_it_runs_it_goes_on(kept: Store) -> None:
    whole = undisturbed(kept)
    path = kept.place / "kept"
    running = kept.begin("whatif", "--policy", "big-box@1", "--resume", path)
    until = time.monotonic() + 60
    while running.poll() is None and not begun(path):
        assert time.monotonic() < until, "it never began"
    running.kill()
    running.communicate()
    assert resumed(kept) == whole


def begun(path: Path) -> bool:
    """Whether something is kept there."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(path, timeout=10)) as look:
        try:
            return bool(look.execute("SELECT count(*) FROM partitions").fetchone()[0])
        except sqlite3.OperationalError:
            return False


def test_what_came_into_the_journal_since_it_began_is_not_asked_about(
    kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = undisturbed(kept)
    monkeypatch.setattr(module, "PAGE", 5)
    with monkeypatch.context() as patch:
        pages = iter(range(2))
        keep = Kept.keep

        def twice(self: Kept, *given: Any) -> None:
            if next(pages, None) is None:
                raise KeyboardInterrupt
            keep(self, *given)

        patch.setattr(Kept, "keep", twice)
        kept.rescind("whatif", "--policy", "big-box@1", "--resume", kept.place / "kept", check=130)
    kept.take([placed("PO-new", "2026-06-01T10:00:00Z"), ships("PO-059", "2026-06-01T10:00:00Z", 1, "asn-9")])
    assert resumed(kept) == whole


def test_another_question_does_not_go_on_from_it(kept: Store) -> None:
    resumed(kept)
    for options in (("--policy", "general-store@1"), ("--policy", "big-box@1", "--since", "2026-03-02T10:00:00Z")):
        err = kept.rescind("whatif", *options, "--resume", kept.place / "kept", check=2).err
        assert "keeps a run with another" in err
    (kept.place / "other").write_bytes(b"no database" * 100)
    err = kept.rescind("whatif", "--policy", "big-box@1", "--resume", kept.place / "other", check=3).err
    assert "cannot be used to go on" in err
    with closing(sqlite3.connect(kept.place / "foreign")) as foreign:
        foreign.execute("CREATE TABLE t (x)")
    err = kept.rescind("whatif", "--policy", "big-box@1", "--resume", kept.place / "foreign", check=2).err
    assert "is not a file that `whatif --resume` keeps" in err


def test_without_a_file_a_run_that_is_broken_off_says_that_it_begins_anew(
    kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.Asking, "_ask", broken_off)
    assert "begins anew (--resume FILE" in kept.rescind("whatif", "--policy", "big-box@1", check=130).err
