"""A second connection to local state sees what the first has written, without reading all of it again."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from consumers.ports.local_state import LocalState
from infra.local_state import open_local_state
from infra.local_state import sqlite as module
from tests.spec.store.making import Chain
from tests.spec.store.test_local_state import fill


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[LocalState, LocalState]]:
    """Return a writing and a reading connection."""
    with ExitStack() as closing:
        writer = open_local_state(tmp_path / "s.sqlite", 0, 1).state
        closing.callback(writer.close)
        reader = open_local_state(tmp_path / "s.sqlite", 0, 1, read_only=True).state
        closing.callback(reader.close)
        yield writer, reader


def commits_of(state: LocalState, stream: str) -> list[bytes]:
    return [admitted.data for admitted in state.commits_of(stream)]


@pytest.mark.parametrize("most", [0, 1_000])
def test_streams_that_are_new_and_commits_of_known_ones_are_seen(
    two: tuple[LocalState, LocalState], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(module, "_REFRESHED", most)
    writer, reader = two
    chains = [Chain(f"acme/PO-{number}") for number in range(300)]
    written: dict[str, list[bytes]] = {}
    for turn in range(3):
        for chain in chains[: 100 * (turn + 1)]:
            data = chain.next()
            fill(writer, [data])
            written.setdefault(chain.stream, []).append(data)
        reader.refresh()
        assert (reader.next_offset, reader.next_ordinal) == (writer.next_offset, writer.next_ordinal)
        for chain in chains:
            assert commits_of(reader, chain.stream) == written.get(chain.stream, [])
    assert commits_of(reader, "acme/PO-NONE") == []
