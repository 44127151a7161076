"""The embedded store's own figures."""

from pathlib import Path

import pytest

from infra.store.logs import FileStore


def test_a_file_that_is_gone_by_the_time_it_is_measured_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"12345")
    found = [tmp_path / "journal.sqlite", tmp_path / "journal.sqlite-shm"]  # SQLite has removed the second one
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(found))
    assert FileStore(tmp_path).size() == 5
