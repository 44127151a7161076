"""PostgreSQL's client is an extra: a database URL without it is refused with what to install, and everything else
works."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.driving import Store, placed

WITHOUT = """
import sys

sys.modules["psycopg"] = None  # as where it is not installed
from infra.cli.main import run

sys.exit(run(sys.argv[1:]))
"""
DATABASE = "postgresql://rescind@127.0.0.1:9/rescind"


def rescind(store: Store, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", WITHOUT, *arguments]
    return subprocess.run(command, env=store.environment, capture_output=True, text=True, timeout=60, check=False)


def test_commands_without_a_database_need_no_client(tmp_path: Path) -> None:
    store = Store(tmp_path)
    done = rescind(store, "import", str(store.file([placed("PO-1")])), "--json")
    assert done.returncode == 0, done.stderr
    assert rescind(store, "replay", "--check").returncode == 0


@pytest.mark.parametrize("setting", ["RESCIND_VIEWS", "RESCIND_VAULT"])
def test_a_database_url_without_the_client_is_refused_with_what_to_install(tmp_path: Path, setting: str) -> None:
    store = Store(tmp_path, more={setting: DATABASE})
    done = rescind(store, "import", str(store.file([placed("PO-1")])))
    assert done.returncode == 3
    assert "install rescind[postgresql]" in done.stderr
    assert "Traceback" not in done.stderr
