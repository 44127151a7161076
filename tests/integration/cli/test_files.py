"""Options that name a file to write: it is judged before anything is opened, and nothing that is read is lost by it."""

import os
import pathlib
from collections.abc import Callable

import pytest

from tests.integration.cli.driving import Store, lives, placed

Link = Callable[[pathlib.Path, pathlib.Path], None]


def by_its_own_name(real: pathlib.Path, link: pathlib.Path) -> None:
    """``link`` is the file itself."""
    real.rename(link)
    link.with_name(real.name).symlink_to(link)


def by_a_symbolic_link(real: pathlib.Path, link: pathlib.Path) -> None:
    link.symlink_to(real)


def by_a_hard_link(real: pathlib.Path, link: pathlib.Path) -> None:
    os.link(real, link)


@pytest.mark.parametrize("linked", [by_its_own_name, by_a_symbolic_link, by_a_hard_link])
def test_a_history_is_not_written_over_by_its_own_report(store: Store, linked: Link) -> None:
    history = store.file([placed("PO-1"), "nonsense"])
    before = history.read_bytes()
    report = store.place / "report.jsonl"
    linked(history, report)

    refused = store.rescind("import", history, "--report", report, check=2)

    assert "would overwrite" in refused.err
    assert history.read_bytes() == report.read_bytes() == before
    assert not store.journal.exists(), "nothing was opened either"


def test_a_history_on_standard_input_is_not_written_over_either(store: Store) -> None:
    history = store.file([placed("PO-1"), "nonsense"])
    before = history.read_bytes()

    with history.open("rb") as standard_input:
        process = store.begin("import", "-", "--report", history, stdin=standard_input)
        _, err = process.communicate(timeout=60)

    assert (process.returncode, history.read_bytes()) == (2, before)
    assert "standard input" in err.decode()


def test_a_file_of_the_olist_folder_is_not_written_over(store: Store) -> None:
    orders = store.place / "olist_orders_dataset.csv"
    orders.write_text("order_id\n", encoding="utf-8")
    store.rescind("import", store.place, "--format", "olist", "--report", orders, check=2)
    assert orders.read_text(encoding="utf-8") == "order_id\n"


def test_a_whatif_does_not_overwrite_the_files_that_it_reads(store: Store) -> None:
    store.take(lives(0, 4))
    policy = store.place / "p.toml"
    policy.write_text("a policy, if you like", encoding="utf-8")
    resume_file = store.place / "x.resume"
    before = policy.read_bytes()

    for options in (("--csv", policy), ("--resume", policy), ("--csv", resume_file, "--resume", resume_file)):
        refused = store.rescind("whatif", "--policy", policy, *options, check=2)
        assert "would overwrite" in refused.err
    assert (policy.read_bytes(), resume_file.exists()) == (before, False)

    store.rescind("whatif", "--policy", "big-box", "--resume", resume_file)
    made = resume_file.read_bytes()
    store.rescind("whatif", "--policy", "big-box", "--resume", resume_file, "--csv", resume_file, check=2)
    assert resume_file.read_bytes() == made
    store.rescind("whatif", "--policy", "big-box", "--resume", resume_file, "--csv", store.place / "x.csv")


@pytest.mark.parametrize("name", ["journal/journal.sqlite", "journal/vault.key", "views.sqlite", "settings.toml"])
def test_no_file_of_the_store_is_written_over(store: Store, name: str) -> None:
    (store.place / "settings.toml").write_text("answer_within = 20\n", encoding="utf-8")
    history = store.file([placed("PO-1"), "nonsense"])
    store.rescind("import", history, check=1, own_process=True)
    before = (store.place / name).read_bytes()

    for command in (
        ("import", history, "--report"),
        ("whatif", "--policy", "big-box", "--csv"),
        ("whatif", "--policy", "big-box", "--resume"),
    ):
        refused = store.rescind(*command, store.place / name, "--config", "settings.toml", check=2, own_process=True)
        assert "belongs to the store" in refused.err
    assert (store.place / name).read_bytes() == before


@pytest.mark.parametrize("place", ["", "nowhere/x", "."])
def test_an_unwritable_output_file_is_reported_before_anything_is_done(store: Store, place: str) -> None:
    history = store.file([placed("PO-1")])
    file = str(store.place / place) if place else ""
    for command in (
        ("import", history, "--report"),
        ("whatif", "--policy", "big-box", "--csv"),
        ("whatif", "--policy", "big-box", "--resume"),
    ):
        refused = store.rescind(*command, file, check=2)
        assert command[-1] in refused.err and "name another file" in refused.err
        assert refused.err.count("\n") == 1
    assert not store.journal.exists()


def test_a_report_that_cannot_be_written_is_named(store: Store) -> None:
    few = store.rescind("import", store.file([placed("PO-1"), "nonsense"]), "--report", "/dev/full", check=3)
    assert "--report /dev/full cannot be written (No space left on device)" in few.err
    assert "stays open" not in few.err, "it was written when everything had been imported"

    many = store.file([placed("PO-2"), *["nonsense"] * 200], "many.jsonl")
    broken_off = store.rescind("import", many, "--report", "/dev/full", check=3)
    assert "No space left on device" in broken_off.err
    assert "the same command continues where it stopped" in broken_off.err
    assert store.rescind("import", many, "--json", check=1).json["bad"] == 200

    rows = store.rescind("whatif", "--policy", "big-box", "--csv", "/dev/full", check=3)
    assert "--csv /dev/full cannot be written (No space left on device)" in rows.err
