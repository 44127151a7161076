"""Checks that notice a changed history: every cell of docs/explanation/changed-histories.md is tried."""

from pathlib import Path

import pytest

from tests.integration.cli.driving import Store
from tests.integration.history.plants import OFFSET, PLANTS, copied, noticed_by, rows, rows_of_page, small_store

ROWS = {title: (plant, without) for title, plant, without in rows()}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("history") / "base")


def test_the_page_has_exactly_the_changes_that_are_tried() -> None:
    assert list(rows_of_page()) == list(ROWS)


@pytest.mark.parametrize("title", ROWS)
def test_the_page_lists_what_notices_each_change(base: Store, tmp_path: Path, title: str) -> None:
    plant, without = ROWS[title]
    found = noticed_by(base, plant, tmp_path, without=without)
    assert rows_of_page()[title] == found, "python -m tests.integration.history.plants writes the table"


def test_an_unchanged_store_is_noticed_by_nothing(base: Store, tmp_path: Path) -> None:
    def nothing(store: Store, offset: int) -> None: ...

    assert set(noticed_by(base, nothing, tmp_path / "with", without=False)) == {"nothing yet"}
    assert set(noticed_by(base, nothing, tmp_path / "without", without=True)) == {"nothing yet", "—"}


SUPPORTS = {
    "the body of an event": "the chain supports local state, and the log was changed",
    "two records swapped": "the chain supports local state, and the log was changed",
    "the time of an append": "the chain does not say which is right",
}


@pytest.mark.parametrize("title", SUPPORTS)
def test_if_log_and_local_state_disagree_the_doctor_reports_which_one_the_chain_supports(
    base: Store, tmp_path: Path, title: str
) -> None:
    store = copied(base, tmp_path / "copy")
    PLANTS[title](store, OFFSET)
    report = store.rescind("doctor", "--deep", "--json", check=1).json
    about = [finding for finding in report if finding["part"] == "local state 0" and finding["state"] == "wrong"]
    assert any(SUPPORTS[title] in finding["said"] for finding in about), report
    for finding in report:
        if finding["state"] == "wrong":
            assert "delete" not in finding["do"].replace("Delete and rebuild nothing", "").lower(), finding
            assert "copy" in finding["do"] or "bring" in finding["do"] or "keep" in finding["do"].lower(), finding


def test_a_last_commit_that_was_changed_is_supported_by_the_views(base: Store, tmp_path: Path) -> None:
    store = copied(base, tmp_path / "copy")
    last = int(store.stats()["partitions"][0]["records"]) - 1
    PLANTS["the commit's envelope"](store, last)
    refused = store.rescind("import", store.file([]), check=3).err
    assert "the database of views" in refused
    assert "has recorded the same hash as local state: this supports local state" in refused
    assert "Delete neither" in refused
