"""Promises of our persistence module that the library's suites do not test."""

import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from eventsourcing.persistence import (
    DatabaseError,
    DataError,
    IntegrityError,
    Notification,
    OperationalError,
    StoredEvent,
    Tracking,
)
from hypothesis import given
from hypothesis import strategies as st

from consumers.ports.journal import JournalUnavailable
from consumers.ports.log_values import Admitted
from infra.eventsourcing_journal import Factory, JournalApplicationRecorder, JournalSubscription, opening
from infra.eventsourcing_journal.drafts import Draft, Envelope, parts_of
from infra.eventsourcing_journal.naming import originator_of, stream_of
from infra.eventsourcing_journal.partition_store import PartitionStore
from infra.eventsourcing_journal.store import Lease
from infra.journals.memory import Fate, MemoryJournal, MemoryLog
from infra.journals.sqlite import open_sqlite_journal
from infra.local_state import claim_slot, memory_local_state, open_local_state
from schemas.commit import decode_commit
from schemas.record import decode_record

SECONDS = 20
"""Longer than anything here takes; only a failure waits so long."""


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A journal of the test's own."""
    return f"sqlite:///{tmp_path}"


@pytest.fixture
def factory(url: str) -> Iterator[Factory]:
    made = opened(url)
    yield made
    made.close()


def opened(url: str, topic: str = "shop") -> Factory:
    return Factory({"JOURNAL_URL": url, "JOURNAL_TOPIC": topic})


def event(id: UUID | str, version: int, topic: str = "happened", state: bytes = b"{}") -> StoredEvent:
    return StoredEvent(id, version, topic, state)


# ---- ids ------------------------------------------------------------------------------------------------------------

IDS = st.one_of(
    st.uuids(),
    st.text(max_size=50),
    st.builds(str.__add__, st.sampled_from(["uuid:", "text:", "tracking:", "$", "text:uuid:"]), st.text(max_size=40)),
    st.uuids().map(str),
    st.uuids().map(lambda id: id.hex),
)


@given(IDS, IDS)
def test_an_id_is_read_back_unchanged_and_two_ids_never_share_a_stream(one: UUID | str, other: UUID | str) -> None:
    assert originator_of(stream_of(one)) == one
    assert type(originator_of(stream_of(one))) is type(one)
    assert (stream_of(one) == stream_of(other)) == (one == other)
    assert stream_of(one)
    assert not stream_of(one).startswith("$")


def test_uuids_and_strings_can_both_be_ids_in_one_application(factory: Factory) -> None:
    recorder = factory.application_recorder()
    id = uuid4()
    ids: list[UUID | str] = [id, str(id), id.hex, f"uuid:{id.hex}", "$format/2", "tracking:x", "", "日本"]
    for each in ids:
        recorder.insert_events([event(each, 1)])
    for each in ids:
        assert [found.originator_id for found in recorder.select_events(each)] == [each]
    assert [found.originator_id for found in recorder.select_notifications(None, 100)] == ids


# ---- versions -------------------------------------------------------------------------------------------------------


def test_an_aggregate_may_begin_at_any_version_and_goes_on_without_a_gap(factory: Factory) -> None:
    recorder = factory.application_recorder()
    recorder.insert_events([event("a", 7)])
    for version in (5, 7, 9):
        with pytest.raises(IntegrityError):
            recorder.insert_events([event("a", version)])
    recorder.insert_events([event("a", 8), event("a", 9)])
    assert [found.originator_version for found in recorder.select_events("a")] == [7, 8, 9]


def test_events_of_one_aggregate_out_of_order_are_refused_whole(factory: Factory) -> None:
    recorder = factory.application_recorder()
    for versions in ((2, 1), (1, 1), (1, 3)):
        with pytest.raises(IntegrityError):
            recorder.insert_events([event("b", 1), *(event("a", version) for version in versions)])
    assert recorder.max_notification_id() is None


def test_versions_can_be_selected_from_either_end(factory: Factory) -> None:
    recorder = factory.application_recorder()
    recorder.insert_events([event("a", version) for version in range(1, 4)])
    recorder.insert_events([event("a", version) for version in range(4, 8)])

    def versions(**how: int | bool) -> list[int]:
        return [found.originator_version for found in recorder.select_events("a", **how)]  # type: ignore[arg-type]

    assert versions(gt=2, lte=5) == [3, 4, 5]
    assert versions(gt=2, lte=5, desc=True) == [5, 4, 3]
    assert versions(desc=True, limit=2) == [7, 6]
    assert versions(lte=4, desc=True, limit=2) == [4, 3]
    assert versions(limit=2) == [1, 2]
    assert versions(gt=7) == []
    assert versions(gt=-5, lte=100, limit=100) == [1, 2, 3, 4, 5, 6, 7]
    assert versions(limit=0) == []


def test_an_event_that_no_commit_can_hold_is_a_data_error(factory: Factory) -> None:
    recorder = factory.application_recorder()
    for wrong in (
        event("a", -1),
        event("a", 1, topic="x" * 256),
        event("a" * 1025, 1),
        event("a", 1, state=bytes(2**20)),
    ):
        with pytest.raises(DataError):
            recorder.insert_events([wrong])
    assert recorder.max_notification_id() is None


# ---- several at once ------------------------------------------------------------------------------------------------


def test_aggregates_saved_together_are_one_commit_in_the_writers_order(factory: Factory) -> None:
    recorder = factory.application_recorder()
    saved = [event("a", 1), event("b", 1), event("a", 2), event("c", 4), event("b", 2)]
    assert recorder.insert_events(saved) == [1, 2, 3, 4, 5]
    notifications = recorder.select_notifications(None, 10)
    assert [(each.originator_id, each.originator_version, each.id) for each in notifications] == [
        (each.originator_id, each.originator_version, id) for id, each in enumerate(saved, 1)
    ]
    commits = factory.lease.store.read(lambda state: list(state.commits()))
    assert [part.stream for part in commits[0].commit.streams] == ["a", "b", "c"]
    assert len(commits) == 1
    assert [found.originator_version for found in recorder.select_events("b")] == [1, 2]


def test_if_one_of_several_aggregates_does_not_fit_nothing_is_saved(factory: Factory) -> None:
    recorder = factory.application_recorder()
    recorder.insert_events([event("a", 1)])
    with pytest.raises(IntegrityError):
        recorder.insert_events([event("b", 1), event("a", 1)])
    assert recorder.select_events("b") == []
    assert recorder.max_notification_id() == 1


def test_events_and_tracking_are_saved_together_or_not_at_all(factory: Factory) -> None:
    recorder = factory.process_recorder()
    assert recorder.insert_events([event("a", 1)], tracking=Tracking("upstream", 5)) == [1]
    for events, at in ([event("a", 1)], 6), ([event("a", 2)], 5):
        with pytest.raises(IntegrityError):
            recorder.insert_events(events, tracking=Tracking("upstream", at))
    assert recorder.max_tracking_id("upstream") == 5
    assert len(recorder.select_events("a")) == 1


def test_snapshots_are_in_no_notification_log_and_need_not_follow_one_another(factory: Factory) -> None:
    recorder = factory.application_recorder()
    snapshots = factory.aggregate_recorder(purpose="snapshots")
    recorder.insert_events([event("a", version) for version in range(1, 9)])
    for version in (6, 3):
        snapshots.insert_events([event("a", version, "snapshot")])
    with pytest.raises(IntegrityError):
        snapshots.insert_events([event("a", 3, "snapshot")])
    assert [each.originator_version for each in snapshots.select_events("a", desc=True)] == [6, 3]
    assert [each.originator_version for each in snapshots.select_events("a", lte=5, desc=True, limit=1)] == [3]
    assert recorder.max_notification_id() == 8
    assert [each.topic for each in recorder.select_notifications(None, 100)] == ["happened"] * 8


# ---- groups ---------------------------------------------------------------------------------------------------------


class Held:
    """A store on a log whose appends are answered when the test says so."""

    def __init__(self, plan: Callable[[int, str, int, bytes], Fate] | None = None, *, auto: bool = False) -> None:
        self.log = MemoryLog(1, lambda: 1_000_000, plan=plan, auto=auto)
        self.store = PartitionStore(self.log.journal("one"), 0, memory_local_state(0, 1), "shop")

    def save(self, *events: StoredEvent) -> Future[Admitted]:
        draft = Draft(parts_of(events, stream_of), Envelope(), Future())
        self.store.save(draft)
        return draft.future

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until the store's thread has come so far."""
        done = threading.Event()
        for _ in range(SECONDS * 200):
            if true():
                return
            done.wait(0.005)
        raise AssertionError("the store does not get on")


class Unreliable(MemoryJournal):
    """A journal that cannot be read while it is down."""

    down = threading.Event()

    def __init__(self, of: MemoryJournal) -> None:
        super().__init__(of.log, of.by)

    def end(self, partition: int) -> int:
        if self.down.is_set():
            raise JournalUnavailable("the journal is down")
        return super().end(partition)


def test_saves_that_wait_at_the_same_moment_share_a_record() -> None:
    held = Held()
    first = [held.save(event(f"first-{n}", 1)) for n in range(2)]
    held.until(lambda: sum(len(decode_record(each.record).commits) for each in held.log.flights) == 2)
    filling = [held.save(event(f"filling-{n}", 1)) for n in range(2)]
    later = [held.save(event(f"later-{n}", 1)) for n in range(50)]
    while not all(each.done() for each in (*first, *filling, *later)):
        held.until(lambda: bool(held.log.flights) or all(each.done() for each in later))
        held.log.settle()
    held.store.close()
    sizes = [len(decode_record(record.value).commits) for record in held.log.records[0]]
    assert sum(sizes) == 54
    assert len(sizes) <= 6
    assert sorted(each.result().ordinal for each in (*first, *filling, *later)) == list(range(54))


def test_saves_of_the_same_aggregate_are_not_on_their_way_together() -> None:
    held = Held()
    first, second = held.save(event("a", 1)), held.save(event("a", 1))
    third = held.save(event("a", 2))
    held.until(lambda: bool(held.log.flights))
    held.log.settle()
    with pytest.raises(IntegrityError):
        second.result(SECONDS)
    held.until(lambda: bool(held.log.flights))
    held.log.settle()
    assert [first.result(SECONDS).ordinal, third.result(SECONDS).ordinal] == [0, 1]
    held.store.close()
    assert [len(decode_record(record.value).commits) for record in held.log.records[0]] == [1, 1]


@pytest.mark.parametrize("fate", ["answer-lost", "duplicated"])
def test_a_save_succeeds_if_its_append_was_applied_whatever_the_answer(fate: Fate) -> None:
    held = Held(lambda number, *_: fate if number == 0 else "ok", auto=True)
    assert held.save(event("a", 1)).result(SECONDS).ordinal == 0
    assert held.save(event("a", 2)).result(SECONDS).position == 1
    held.store.close()


def test_a_save_whose_append_was_lost_is_settled_by_a_fence_and_can_be_repeated() -> None:
    held = Held(lambda number, *_: "lost" if number == 0 else "ok", auto=True)
    with pytest.raises(IntegrityError):
        held.save(event("a", 1)).result(SECONDS)
    assert held.save(event("a", 1)).result(SECONDS).position == 0
    held.store.close()


def test_a_journal_that_refuses_reports_that_nothing_was_written() -> None:
    held = Held(lambda number, *_: "refused" if number == 0 else "ok", auto=True)
    with pytest.raises(OperationalError, match="not written"):
        held.save(event("a", 1)).result(SECONDS)
    assert held.save(event("a", 1)).result(SECONDS).position == 0
    held.store.close()


def test_a_log_that_lost_acknowledged_records_is_no_longer_read_or_written() -> None:
    held = Held(auto=True)
    for version in (1, 2):
        held.save(event("a", version)).result(SECONDS)
    held.log.truncate(0, 1)
    with pytest.raises(DatabaseError, match="LogLost"):
        held.store.read(lambda state: state.next_position)
    with pytest.raises(DatabaseError):
        held.save(event("a", 1)).result(SECONDS)
    held.store.close()


def test_a_log_that_cannot_be_read_now_is_read_again_later() -> None:
    held = Held(auto=True)
    held.save(event("a", 1)).result(SECONDS)
    journal = held.log.journal("other")
    store = PartitionStore(Unreliable(journal), 0, memory_local_state(0, 1), "shop")
    assert store.read(lambda state: state.next_position) == 1
    Unreliable.down.set()
    with pytest.raises(OperationalError, match="down"):
        store.read(lambda state: state.next_position)
    draft = Draft(parts_of([event("a", 2)], stream_of), Envelope(), Future())
    store.save(draft)
    held.until(lambda: len(held.log.records[0]) == 2)
    assert not draft.future.done()
    Unreliable.down.clear()
    assert draft.future.result(SECONDS).position == 1
    store.close()
    held.store.close()


def test_a_store_that_closes_answers_everything_that_is_open() -> None:
    held = Held()
    on_its_way, waiting = held.save(event("a", 1)), held.save(event("a", 2))
    held.until(lambda: bool(held.log.flights))
    held.store.close()
    late = held.save(event("b", 1))
    for each in (on_its_way, waiting, late):
        with pytest.raises(OperationalError):
            each.result(SECONDS)


# ---- opening and closing --------------------------------------------------------------------------------------------


class Shop(Application[UUID]):
    name = "shop"


def shop(url: str) -> Shop:
    return Shop({"PERSISTENCE_MODULE": "infra.eventsourcing_journal", "JOURNAL_URL": url})


def test_applications_of_one_name_share_a_journal_until_the_last_is_closed() -> None:
    url = f"memory:{uuid4()}"
    one, other = shop(url), shop(url)
    saved = Aggregate()
    one.save(saved)
    one.close()
    assert saved.id in other.repository
    other.close()
    with shop(url) as second:
        assert saved.id not in second.repository


def test_a_directory_is_one_journal_however_it_is_spelt(tmp_path: Path) -> None:
    one, other = opened(f"sqlite:///{tmp_path}"), opened(f"sqlite:///{tmp_path}/../{tmp_path.name}/.")
    assert one.lease.store is other.lease.store
    one.close()
    other.close()


def test_applications_of_other_names_have_journals_of_their_own() -> None:
    url = f"memory:{uuid4()}"
    one, other = opened(url, "one"), opened(url, "other")
    one.application_recorder().insert_events([event("a", 1)])
    assert other.application_recorder().max_notification_id() is None
    one.close()
    other.close()


def test_a_closed_application_refuses_every_call_as_closed(url: str) -> None:
    factory = opened(url)
    recorder = factory.application_recorder()
    factory.close()
    factory.close()
    for call in (recorder.max_notification_id, lambda: recorder.insert_events([event("a", 1)]), recorder.subscribe):
        with pytest.raises(OperationalError, match="closed"):
            call()


def test_an_application_is_collected_in_the_middle_of_anything_without_waiting_for_a_lock(url: str) -> None:
    holder = shop(url)
    collected = [shop(url)]
    store = holder.factory.lease.store  # type: ignore[attr-defined]

    def collect_under_every_lock() -> None:
        with opening._lock, store._lock:
            collected.clear()
            gc.collect()

    thread = threading.Thread(target=collect_under_every_lock, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive()
    holder.save(Aggregate())
    assert holder.recorder.max_notification_id() == 1
    holder.close()


def test_a_subscription_goes_on_when_its_application_is_closed(url: str) -> None:
    one, other = shop(url), shop(url)
    with one.recorder.subscribe() as subscription:
        one.close()
        other.save(Aggregate())
        assert next(subscription).id == 1
    other.close()


def test_a_restart_reads_the_log_and_local_state_is_only_a_cache(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}"
    ids = []
    with shop(url) as first:
        for _ in range(20):
            aggregate = Aggregate()
            first.save(aggregate)
            ids.append(aggregate.id)
    for path in (tmp_path / "state" / "0").glob("shop-*"):
        path.unlink()
    with shop(url) as second:
        assert all(id in second.repository for id in ids)
        assert second.recorder.max_notification_id() == 20


def test_a_journal_that_was_replaced_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    with shop(f"sqlite:///{tmp_path}") as app:
        app.save(Aggregate())
    opening.open_lease(opening.Address("memory:", "sweep")).release()  # whoever opens next sweeps what was released
    for path in tmp_path.glob("shop.sqlite*"):
        path.unlink()
    with pytest.raises(DatabaseError, match="LogChanged"):
        shop(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "JOURNAL_URL"),
        ({"JOURNAL_URL": "postgresql://x"}, "cannot be opened"),
        ({"JOURNAL_URL": "memory:", "JOURNAL_PARTITION": "one"}, "JOURNAL_PARTITION"),
        ({"JOURNAL_URL": "memory:", "JOURNAL_PARTITION": "0.5"}, "JOURNAL_PARTITION"),
        ({"JOURNAL_URL": "memory:", "JOURNAL_PARTITION": "1"}, "no partition 1"),
        ({"JOURNAL_URL": "memory:", "JOURNAL_TIMEOUT": "soon"}, "JOURNAL_TIMEOUT"),
    ],
)
def test_settings_that_mean_nothing_are_named(settings: dict[str, str], message: str) -> None:
    with pytest.raises(OSError, match=message):
        Factory(settings)


# ---- several processes ----------------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[JournalApplicationRecorder, JournalApplicationRecorder]]:
    """Two recorders that share nothing but the files, as those of two processes do."""
    stores = [alone(tmp_path) for _ in range(2)]
    yield tuple(
        JournalApplicationRecorder(Lease(each, lambda: pytest.fail("not asked for"), lambda: None)) for each in stores
    )  # type: ignore[misc]
    for each in stores:
        each.close()


def alone(directory: Path) -> PartitionStore:
    """A store that is not looked up among those that are open."""
    slot = claim_slot(directory)
    journal = open_sqlite_journal(directory / "shop.sqlite", 1)
    state = open_local_state(slot.path / "shop-0.sqlite", 0, 1).state

    def let_go() -> None:
        state.close()
        journal.close()
        slot.release()

    return PartitionStore(journal, 0, state, "shop", on_close=let_go)


Two = tuple[JournalApplicationRecorder, JournalApplicationRecorder]


def test_a_save_of_one_process_is_read_by_every_other_at_once(two: Two) -> None:
    one, other = two
    for version in range(1, 20):
        one.insert_events([event("a", version)])
        assert other.max_notification_id() == version
        assert other.select_events("a", desc=True, limit=1)[0].originator_version == version
        one, other = other, one


def test_of_two_processes_that_save_the_same_version_one_wins(two: Two) -> None:
    def race(recorder: JournalApplicationRecorder, version: int) -> int:
        try:
            recorder.insert_events([event("a", version), event(str(uuid4()), 0)])
        except IntegrityError:
            return 0
        return 1

    with ThreadPoolExecutor(2) as threads:
        for version in range(1, 30):
            assert sum(threads.map(race, two, (version, version))) == 1
    assert two[0].max_notification_id() == 58


def test_a_subscription_receives_saves_of_another_process(two: Two) -> None:
    one, other = two
    with JournalSubscription(one, gt=0, topics=["second"]) as subscription:
        other.insert_events([event("a", 1, "first"), event("a", 2, "second")])
        heard: Notification = next(subscription)
        assert (heard.id, heard.originator_version) == (2, 2)


# ---- the log --------------------------------------------------------------------------------------------------------


def test_the_log_alone_contains_everything_that_was_saved() -> None:
    held = Held(auto=True)
    held.save(event("a", 1, state=b"one"), event("b", 3, state=b"two")).result(SECONDS)
    held.store.close()
    (record,) = held.log.records[0]
    commit = decode_commit(decode_record(record.value).commits[0])
    assert [(part.stream, part.kind, part.first_event) for part in commit.streams] == [
        ("a", "chain", 1),
        ("b", "chain", 3),
    ]
    assert [entry.body for part in commit.streams for entry in part.events] == [b"one", b"two"]
    assert commit.writer == "shop"
