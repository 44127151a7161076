"""A control log that lacks records which other files refer to: nothing advises to rebuild, and nothing is rebuilt."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.driving import Store
from tests.integration.history.changing import findings, remove_local_state
from tests.integration.history.plants import (
    OFFSET,
    control_emptied,
    control_tail_cut,
    copied,
    small_store,
    views_removed,
)

CHANGES = [control_tail_cut, control_emptied, views_removed(control_tail_cut), views_removed(control_emptied)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("history") / "base")


@pytest.mark.parametrize("restored", [False, True], ids=["", "without local state"])
@pytest.mark.parametrize("change", CHANGES, ids=["older", "emptied", "older, no views", "emptied, no views"])
def test_an_older_control_log_is_not_rebuilt_from(
    base: Store, tmp_path: Path, change: Callable[[Store, int], None], restored: bool
) -> None:
    store = copied(base, tmp_path / "copy")
    change(store, OFFSET)
    if restored:
        remove_local_state(store)
    only_orders_know = restored and change is CHANGES[2]  # --deep reads them all
    if only_orders_know:
        state, _, do = findings(store, "--deep", check=1)["history"]
    else:
        state, _, do = findings(store, check=1)["control log"]
    assert state == "wrong"
    assert "bring the control log back from a copy" in do
    assert "replay" not in do
    before = store.views.read_bytes() if store.views.exists() else None
    checked = store.rescind("replay", "--check", check=1)
    assert "control log" in checked.err
    assert "Delete nothing" in checked.err
    assert "with `rescind replay`" not in checked.err
    rebuilt = store.rescind("replay", check=None)
    assert rebuilt.code != 0
    assert "control log" in rebuilt.err
    assert (store.views.read_bytes() if store.views.exists() else None) == before
