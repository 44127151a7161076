"""A what-if that is interrupted anywhere continues where it was, and has the same result."""

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.cli import whatif as module
from infra.cli import whatif_resume as resume_module
from infra.cli.whatif_resume import ResumeFile
from tests.integration.cli.driving import Store, grants, placed, requests_cancel, ships

ORDERS = 60


@pytest.fixture
def filled_store(store: Store) -> Store:
    """Three partitions with orders of which many end differently under big-box."""
    store.partitions = 3
    rows = []
    for number in range(ORDERS):
        order = f"PO-{number:03}"
        rows.append(placed(order, f"2026-03-02T10:{number % 60:02}:00Z", ship_by="2026-03-05T10:00:00Z"))
        if number % 3 == 0:
            rows += [requests_cancel(order, "2026-03-03T14:00:00Z"), grants(order, "2026-03-03T15:00:00Z")]
        elif number % 3 == 1:
            rows.append(ships(order, "2026-03-04T10:00:00Z", 4))
    store.take(rows, "--until", "2026-05-01T00:00:00Z")
    return store


def undisturbed(store: Store) -> tuple[Any, str]:
    """The JSON and the CSV of a run that nobody broke off."""
    report = store.rescind("whatif", "--policy", "big-box@1", "--csv", store.place / "whole.csv", "--json").json
    return report, (store.place / "whole.csv").read_text(encoding="utf-8")


def resumed(store: Store) -> tuple[Any, str]:
    """The JSON and the CSV of a run that continues from the resume file."""
    options = ("--resume", store.place / "saved", "--csv", store.place / "resumed.csv", "--json")
    report = store.rescind("whatif", "--policy", "big-box@1", *options).json
    return report, (store.place / "resumed.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", range(8))
def test_a_run_that_is_interrupted_repeatedly_has_the_same_result(
    filled_store: Store, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    whole = undisturbed(filled_store)
    assert whole[0]["orders_changed"] > ORDERS // 4
    chance = random.Random(seed)
    monkeypatch.setattr(module, "PAGE", chance.choice((1, 3, 7)))
    keep, finish = ResumeFile.keep, ResumeFile.finish

    def may_break_off(then: Any) -> Any:
        def run(self: ResumeFile, *arguments: Any) -> None:
            if chance.random() < 0.15:
                raise KeyboardInterrupt
            then(self, *arguments)
            if chance.random() < 0.15:
                raise KeyboardInterrupt

        return run

    with monkeypatch.context() as patch:
        patch.setattr(ResumeFile, "keep", may_break_off(keep))
        patch.setattr(ResumeFile, "finish", may_break_off(finish))
        broken_off = 0
        while broken_off < 6:
            done = filled_store.rescind(
                "whatif", "--policy", "big-box@1", "--resume", filled_store.place / "saved", check=None
            )
            if done.code != 130:
                assert done.code == 0
                break
            assert f"--resume {filled_store.place / 'saved'} continues from here" in done.err
            broken_off += 1
    assert resumed(filled_store) == whole
    assert resumed(filled_store) == whole, "a finished run is shown again"


def test_killed_while_it_runs_it_goes_on(filled_store: Store) -> None:
    whole = undisturbed(filled_store)
    path = filled_store.place / "saved"
    running = filled_store.begin("whatif", "--policy", "big-box@1", "--resume", path)
    until = time.monotonic() + 60
    while running.poll() is None and not begun(path):
        assert time.monotonic() < until, "it never began"
    running.kill()
    running.communicate()
    assert resumed(filled_store) == whole


def begun(path: Path) -> bool:
    """Whether something is saved in the file."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(path, timeout=10)) as look:
        try:
            return bool(look.execute("SELECT count(*) FROM partitions").fetchone()[0])
        except sqlite3.OperationalError:
            return False


def test_commits_after_the_start_of_a_run_are_not_part_of_it(
    filled_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = undisturbed(filled_store)
    monkeypatch.setattr(module, "PAGE", 5)
    with monkeypatch.context() as patch:
        pages = iter(range(2))
        keep = ResumeFile.keep

        def twice(self: ResumeFile, *arguments: Any) -> None:
            if next(pages, None) is None:
                raise KeyboardInterrupt
            keep(self, *arguments)

        patch.setattr(ResumeFile, "keep", twice)
        filled_store.rescind("whatif", "--policy", "big-box@1", "--resume", filled_store.place / "saved", check=130)
    filled_store.take([placed("PO-new", "2026-06-01T10:00:00Z"), ships("PO-059", "2026-06-01T10:00:00Z", 1, "asn-9")])
    assert resumed(filled_store) == whole


# ---- another question ------------------------------------------------------------------------------------------------

SINCE, UNTIL = "2026-03-02T10:00:00Z", "2026-03-04T00:00:00Z"


@pytest.mark.parametrize(
    ("question", "then", "message"),
    [
        (("big-box@1",), ("general-store@1",), "about the policy big-box@1, not general-store@1"),
        (
            ("big-box@1",),
            ("big-box@1", "--since", SINCE),
            f"about orders placed at any time, not at {SINCE} or later",
        ),
        (
            ("big-box@1", "--since", SINCE),
            ("big-box@1",),
            f"about orders placed at {SINCE} or later, not at any time",
        ),
        (
            ("big-box@1", "--until", UNTIL),
            ("big-box@1", "--until", "2026-03-05T00:00:00Z"),
            f"about commands before {UNTIL}, not before 2026-03-05T00:00:00Z",
        ),
        (
            ("big-box@1",),
            ("big-box@1", "--until", UNTIL),
            f"about commands at any time, not before {UNTIL}",
        ),
    ],
)
def test_another_question_does_not_resume_the_run_and_is_answered_with_what_the_run_was_about(
    filled_store: Store, question: tuple[str, ...], then: tuple[str, ...], message: str
) -> None:
    path = filled_store.place / "saved"
    whole = filled_store.rescind("whatif", "--policy", *question, "--resume", path, "--json").out
    err = filled_store.rescind("whatif", "--policy", *then, "--resume", path, check=2).err
    assert err == f"rescind: {path} has a run {message}. Repeat the same command, or name another file.\n"
    assert filled_store.rescind("whatif", "--policy", *question, "--resume", path, "--json").out == whole, (
        "it is still there"
    )


def test_the_same_name_with_other_content_is_another_policy(filled_store: Store) -> None:
    shop = filled_store.place / "shop.toml"
    shop.write_text('id = "shop"\nversion = 1\nrules = ["shipped-lock"]\n', encoding="utf-8")
    filled_store.rescind("whatif", "--policy", shop, "--resume", filled_store.place / "saved")
    shop.write_text('id = "shop"\nversion = 1\nrules = ["shipped-lock", "grace-window"]\n', encoding="utf-8")
    err = filled_store.rescind("whatif", "--policy", shop, "--resume", filled_store.place / "saved", check=2).err
    assert "has a run about the policy shop@1 with different content. Repeat the same" in err


def test_another_journal_at_the_same_address_is_another_journal(filled_store: Store) -> None:
    path = filled_store.place / "saved"
    filled_store.rescind("whatif", "--policy", "big-box@1", "--resume", path)
    filled_store.journal.rename(filled_store.place / "put aside")
    filled_store.views.unlink()
    filled_store.take([placed("PO-1")])
    err = filled_store.rescind("whatif", "--policy", "big-box@1", "--resume", path, check=2).err
    address = filled_store.environment["RESCIND_JOURNAL"]
    assert f"has a run about the journal {address} with the id " in err
    assert f", not {address} with the id " in err


# ---- a file that cannot be used --------------------------------------------------------------------------------------


def test_a_file_of_another_kind_is_not_changed(filled_store: Store) -> None:
    foreign = filled_store.place / "foreign"
    with closing(sqlite3.connect(foreign)) as other:
        other.execute("CREATE TABLE t (x)")
    before = foreign.read_bytes()
    err = filled_store.rescind("whatif", "--policy", "big-box@1", "--resume", foreign, check=2).err
    assert "is not a file of `whatif --resume`; name another one" in err
    assert foreign.read_bytes() == before


def test_a_second_run_on_the_same_file_is_refused(filled_store: Store) -> None:
    path = filled_store.place / "saved"
    with hold(path) as message:
        assert message == "begun"
        err = filled_store.rescind("whatif", "--policy", "big-box@1", "--resume", path, check=3).err
    assert err == (
        f"rescind: {path} is in use by another `rescind whatif --resume`. Wait until it ends, or name another file.\n"
    )
    assert resumed(filled_store) == undisturbed(filled_store), "a run that was killed holds nothing"


@contextmanager
def hold(path: Path) -> Iterator[str]:
    """Another process that has begun a run in this file; yields its output. At the end it is killed, and the run that
    it had begun, which is of another question, is removed."""
    program = (
        "import sys; from pathlib import Path; from infra.cli.whatif_resume import ResumeFile, WhatIfQuestion\n"
        "saved = ResumeFile(Path(sys.argv[1]), WhatIfQuestion('p@1', '', None, None, '', ''), {0: 1})\n"
        "print('begun', flush=True); sys.stdin.read()"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    try:
        yield running.stdout.readline().strip()
    finally:
        running.kill()
        running.communicate()
        path.unlink()


def broken_off_after(pages: int, store: Store, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a run that was broken off behind so many pages of 5 orders."""
    monkeypatch.setattr(module, "PAGE", 5)
    left = iter(range(pages))
    keep = ResumeFile.keep

    def so_many(self: ResumeFile, *arguments: Any) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        keep(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ResumeFile, "keep", so_many)
        store.rescind("whatif", "--policy", "big-box@1", "--resume", store.place / "saved", check=130)
    return store.place / "saved"


def looked_at(path: Path) -> int:
    """The number of commits that are saved as read."""
    with closing(sqlite3.connect(path)) as look:
        (seen,) = look.execute("SELECT sum(seen) FROM partitions").fetchone()
    return int(seen)


def test_a_file_that_another_program_has_locked_is_reported_and_works_afterwards(
    filled_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = broken_off_after(3, filled_store, monkeypatch)
    monkeypatch.setattr(resume_module, "TIMEOUT", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        err = filled_store.rescind("whatif", "--policy", "big-box@1", "--resume", path, check=3).err
        other.execute("ROLLBACK")
    assert f"{path} is locked by another program (database is locked). End that program." in err
    assert resumed(filled_store) == undisturbed(filled_store)


def test_a_full_disk_loses_no_page_that_was_saved(filled_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = broken_off_after(2, filled_store, monkeypatch)
    before = looked_at(path)
    connect = sqlite3.connect

    def full(*arguments: Any, **named: Any) -> sqlite3.Connection:
        """As on a disk that takes two more pages."""
        connection = connect(*arguments, **named)
        if arguments[0] == path:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", full)
        err = filled_store.rescind("whatif", "--policy", "big-box@1", "--resume", path, check=3).err
    assert (
        f"there is no space left for {path}. Free some. The same command with --resume {path} then continues after the "
        "last written page."
    ) in err
    assert looked_at(path) >= before
    assert resumed(filled_store) == undisturbed(filled_store)


@pytest.mark.parametrize("how", ["no database", "overwritten", "cut off", "unreadable answers", "no question"])
def test_a_damaged_file_is_reported_and_deleting_it_starts_from_the_beginning(
    filled_store: Store, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path = broken_off_after(6, filled_store, monkeypatch)
    content = path.read_bytes()
    match how:
        case "no database":
            path.write_bytes(b"no database" * 100)
        case "overwritten":
            path.write_bytes(content[:4096] + b"\x5a" * (len(content) - 4096))
        case "cut off":
            path.write_bytes(content[: len(content) // 2])
        case _:
            change = "UPDATE orders SET told = '{'" if how == "unreadable answers" else "DELETE FROM asked"
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute(change)
    err = filled_store.rescind("whatif", "--policy", "big-box@1", "--resume", path, check=3).err
    assert f"{path} is damaged" in err
    assert "or delete it to start from the beginning." in err
    path.unlink()
    assert resumed(filled_store) == undisturbed(filled_store)


def test_a_finished_run_is_reported_as_finished_and_a_resumed_one_with_its_place(
    filled_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = broken_off_after(3, filled_store, monkeypatch)
    message = f"{path}: continues after {looked_at(path)} of "
    resumed_run = filled_store.rescind("whatif", "--policy", "big-box@1", "--resume", path, "--json")
    assert message in resumed_run.err
    done = filled_store.rescind("whatif", "--policy", "big-box@1", "--resume", path, "--json")
    assert (
        f"{path}: this run has already finished; its result is shown again (use another file for a new run)" in done.err
    )
    assert done.out == resumed_run.out


@pytest.mark.parametrize("with_file", [False, True])
def test_the_bar_never_falls_back(filled_store: Store, monkeypatch: pytest.MonkeyPatch, with_file: bool) -> None:
    if with_file:
        broken_off_after(3, filled_store, monkeypatch)
    monkeypatch.setattr(module, "PAGE", 5)
    shown: list[tuple[int, int]] = []
    monkeypatch.setattr(module, "_bar", lambda stack: lambda done, total: shown.append((done, total)))
    options = ("--resume", filled_store.place / "saved") if with_file else ()
    filled_store.rescind("whatif", "--policy", "big-box@1", *options)
    assert len(shown) > filled_store.partitions
    assert [done for done, _ in shown] == sorted(done for done, _ in shown)
    assert len({total for _, total in shown}) == 1
    assert ORDERS < shown[-1][0] <= shown[-1][1]


def test_without_a_file_an_interrupted_run_reports_that_it_starts_from_the_beginning(
    filled_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.WhatIfRun, "_ask", broken_off)
    assert (
        "starts from the beginning (--resume FILE"
        in filled_store.rescind("whatif", "--policy", "big-box@1", check=130).err
    )
