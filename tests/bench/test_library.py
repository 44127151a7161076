"""The baselines of our figures write and read as much as they report."""

from pathlib import Path

from schemas.commit import COMMIT_VERSION, ZERO_HASH, Commit, EventEntry, StreamEntry
from tests.bench.library import Save, durability, orders_of, replay, write, write_as_application, write_on_journal

ORDERS = [
    [
        Save(f"acme/PO-{number}", 0, (("OrderPlaced", b"x" * 200), ("PaymentReceived", b"y" * 3))),
        Save(f"acme/PO-{number}", 2, (("LineShipped", b"z" * 40),)),
        Save(f"acme/PO-{number}", 3, (("CancelRefused", b"z" * 300),)),
    ]
    for number in range(20)
]


def commit(stream: str, first: int, *events: tuple[str, bytes]) -> Commit:
    entries = tuple(EventEntry(n, name, 1, 0, body) for n, (name, body) in enumerate(events))
    part = StreamEntry(stream, "chain", ZERO_HASH, first, entries)
    return Commit(COMMIT_VERSION, bytes(16), None, None, None, None, None, 0, "engine", (part,))


def test_the_saves_of_each_order_are_those_of_our_commits_in_their_order() -> None:
    commits = [commit(save.stream, save.first, *save.events) for step in range(3) for save in (o[step] for o in ORDERS)]
    commits += [commit("$tick", 0, ("Ticked", b"")), commit("acme/PO-1", 4)]
    assert orders_of(commits) == ORDERS


def test_the_same_orders_are_written_by_each_recorder(tmp_path: Path) -> None:
    recorder = write(tmp_path / "recorder.sqlite", ORDERS, 4)
    application = write_as_application(tmp_path / "application.sqlite", ORDERS, 4)
    journal = write_on_journal(tmp_path / "journal", ORDERS, 4)
    for written in (recorder, application, journal):
        assert (written.commits, written.events, written.in_flight) == (60, 80, 4)
        assert 0 < written.p50 <= written.p99
        assert written.commits_per_second > 0
        assert written.durability == "wal, synchronous=FULL"
    assert durability(tmp_path / "recorder.sqlite") == "wal, synchronous=FULL"


def test_a_replay_rebuilds_every_aggregate_that_was_written(tmp_path: Path) -> None:
    write_as_application(tmp_path / "application.sqlite", ORDERS, 2)
    replayed = replay(tmp_path / "application.sqlite")
    assert replayed.aggregates == 20
    assert replayed.events == 80 + 20  # each begins with the library's own event
    assert replayed.events_per_second > 0
