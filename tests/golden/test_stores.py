"""Stores of earlier releases open, and their orders and histories read as they did then."""

from pathlib import Path
from typing import Any

import pytest

from domain.instants import parse_instant
from domain.order_json import show
from infra.projection.replaying import run_replay
from infra.settings import load_settings
from infra.store.reader import open_reader
from tests.golden.stores import NAMES, recorded, unpack
from tests.golden.writing_stores import CASES


def known_part(then: Any, now: Any) -> Any:
    """``now`` without the keys that ``then`` did not have: a later release may add keys, never change values."""
    if isinstance(then, dict) and isinstance(now, dict):
        return {key: known_part(value, now.get(key)) for key, value in then.items()}
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [known_part(*pair) for pair in zip(then, now, strict=True)]
    return now


@pytest.mark.parametrize("name", NAMES)
def test_every_order_of_an_earlier_release_reads_as_it_did_then(name: str, tmp_path: Path) -> None:
    store = unpack(name, tmp_path)
    as_of, rows = recorded(name)
    instant = parse_instant(as_of)
    assert len(rows) > 300
    settings = load_settings(str(CASES / "settings.toml"), journal=f"sqlite:///{store}")
    with open_reader(settings) as reader:
        for row in rows:
            folded = reader.as_of(row["order"], instant)
            assert folded.order is not None
            assert known_part(row["show"], show(folded.order, folded.head, instant)) == row["show"], row["order"]
            assert known_part(row["history"], list(reader.history(row["order"]))) == row["history"], row["order"]


@pytest.mark.parametrize("name", NAMES)
def test_a_journal_of_an_earlier_release_is_judged_clean_and_views_are_rebuilt_from_it(
    name: str, tmp_path: Path
) -> None:
    store = unpack(name, tmp_path)
    settings = load_settings(str(CASES / "settings.toml"), journal=f"sqlite:///{store}")
    rebuilt = run_replay(settings, check=False)
    assert (rebuilt.wrong, rebuilt.notes, rebuilt.local_state, rebuilt.promoted) == ([], [], [], True)
    checked = run_replay(settings, check=True)
    assert (checked.clean, checked.behind, checked.differing) == (True, 0, 0)
    assert checked.admitted == checked.commits > 300
