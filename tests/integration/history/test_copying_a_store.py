"""A store's files after a stop, who may read them, and docs/how-to/copy-a-store.md, command by command."""

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from domain.commands import parse_command
from tests.integration.cli.driving import Store, lives, placed
from tests.integration.history.changing import findings, opened

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "copy-a-store.md"
MAIN = {"control.sqlite", "journal.sqlite", "notices.sqlite", "vault.sqlite", "views.sqlite"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Orders that were imported, and one that was placed live, with mails in the outbox."""
    made = Store(tmp_path / "shop", more={"RESCIND_POST": "outbox", "RESCIND_MAIL_FROM": "shop@example.org"})
    made.place.mkdir()
    made.more["RESCIND_VIEWS"] = f"sqlite:///{made.journal}/views.sqlite"
    made.take(lives(0, 12))
    with opened(made) as app:
        assert app.engine.submit(parse_command(placed("PO-LIVE"))).result(30).kind == "accepted"
        assert app.views is not None
        app.views.catch_up(30)
    return made


def test_a_stop_leaves_nothing_beside_the_files_and_their_owner_alone_reads_them(store: Store) -> None:
    files = [path for path in store.journal.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= MAIN | {"journal-0.sqlite"}
    assert [path.name for path in files if path.name.endswith("-wal") and path.stat().st_size] == []
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in files if not path.name.endswith("lock")}
    assert set(modes.values()) == {"0o600"}, modes


def test_the_main_files_alone_are_the_whole_history(store: Store, tmp_path: Path) -> None:
    copy = Store(tmp_path / "copy", more=store.more)
    copy.journal.mkdir(parents=True)
    for name in (*MAIN, "vault.key"):
        shutil.copy(store.journal / name, copy.journal / name)
    copy.more = {**store.more, "RESCIND_VIEWS": f"sqlite:///{copy.journal}/views.sqlite"}
    assert copy.everything() == store.everything()
    assert {part for part, (state, _, _) in findings(copy, "--deep").items() if state == "wrong"} == set()


@pytest.mark.sqlite3
@pytest.mark.parametrize("running", [False, True])
def test_the_documented_commands_copy_a_store(store: Store, tmp_path: Path, running: bool) -> None:
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    script = blocks[1 if running else 0].replace("$ ", "").replace("> ", "")
    copied = tmp_path / "copy"
    script = script.replace("var/shop", str(store.journal)).replace("/backup/shop", str(copied))
    done = 0
    if running:
        with opened(store) as app:
            assert app.engine.submit(parse_command(placed("PO-BEFORE"))).result(30).kind == "accepted"
            subprocess.run(["bash", "-euc", script], check=True, timeout=60)
            assert app.engine.submit(parse_command(placed("PO-AFTER"))).result(30).kind == "accepted"
        done = 1
    else:
        subprocess.run(["bash", "-euc", script], check=True, timeout=60)
    copy = Store(tmp_path, more={**store.more, "RESCIND_JOURNAL": f"sqlite:///{copied}"})
    copy.more["RESCIND_VIEWS"] = f"sqlite:///{copied}/views.sqlite"
    copy.rescind("replay")
    found = findings(copy, "--deep")
    assert {part: state for part, (state, _, _) in found.items() if state == "wrong"} == {}
    assert copy.stats()["streams"] == 13 + done
    with opened(copy) as app:
        app.catch_up()
        assert app.engine.submit(parse_command(placed("PO-COPY"))).result(30).kind == "accepted"
