"""No record is omitted or published twice, whatever happens between the journal and the public topics."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from consumers.log.dead_letters import DeadLetter, unprojected_id
from consumers.log.follower import Follower
from consumers.ports.log_values import Admitted
from consumers.ports.public_log import PublicLogUnavailable, PublicRecord, PublishingStopped, TopicSick, read_progress
from consumers.publishing.public_records import Publisher, Unpublishable
from domain.instants import parse_instant
from infra.journals.memory import MemoryLog
from schemas.commit import EventEntry
from schemas.public.ids import PinnedIds, RegistryUnavailable
from schemas.public.topics import DEAD_LETTERS, EVENTS, INSTRUCTIONS, PUBLISHED, WRITTEN
from schemas.record import encode_record
from tests.spec.projections.histories import History
from tests.spec.publishing.cluster import Cluster, Fate, Process, a_day, append, copy, new_log


def expected(history: History, kind: str) -> list[PublicRecord]:
    publisher = Publisher(0, history.log.state, PinnedIds())
    commits = history.log.state.commits()
    return [record for each in commits for record in publisher.records(each, {})[0] if record.kind == kind]


def read_back(log: MemoryLog) -> History:
    """Return the history in a journal."""
    history = History()
    follower = Follower(log.journal(), 0, history.log.state)
    follower.start()
    while follower.advance():
        pass
    return history


def same(cluster: Cluster, history: History) -> None:
    """Check that every reader sees every record once, in the log's order."""
    for kind in (EVENTS, *INSTRUCTIONS):
        assert [(r.key, r.value, r.headers) for r in cluster.read(kind)] == [
            (r.key, r.value, r.headers) for r in expected(history, kind)
        ], kind


def enabled(log: MemoryLog, cluster: Cluster, plan: Callable[[], Fate] = lambda: "ok") -> Process:
    process = Process(log, cluster, plan)
    process.publisher.enable()
    return process


@pytest.mark.parametrize("group", [1, 3, 100])
def test_every_record_of_the_journal_is_published_once_in_order(group: int) -> None:
    log, cluster, history = new_log(), Cluster(), a_day()
    process = enabled(log, cluster)
    copy(history.log, log, group)
    process.run()
    same(cluster, history)
    assert process.publisher.state == "publishing"
    assert process.publisher.behind == 0


def test_a_journal_record_and_its_progress_are_in_one_transaction() -> None:
    log, cluster, history = new_log(), Cluster(), a_day(12)
    process = enabled(log, cluster)
    copy(history.log, log, 4)
    process.run()
    where: dict[int, set[int]] = {}
    for record, transaction in cluster.topics[EVENTS].records:
        if record is not None:
            ordinal = int(dict(record.headers)["rescind-ordinal"])
            where.setdefault(ordinal // 4, set()).add(id(transaction))
    assert all(len(transactions) == 1 for transactions in where.values())
    assert len({next(iter(each)) for each in where.values()}) > 1, "it was all one transaction"
    progress = [read_progress(r.value) for r in cluster.read(PUBLISHED)]
    assert [p.offset for p in progress] == sorted({p.offset for p in progress})
    assert (progress[-1].offset, progress[-1].position) == (log.journal().end(0), process.state.next_position)


def test_commits_that_are_handed_over_are_published_exactly_once() -> None:
    log, cluster, history = new_log(), Cluster(), a_day(6)
    process = enabled(log, cluster)
    copies = [encode_record("test", [each.data]) for each in history.log.state.commits()]
    now = 0
    for number, record in enumerate(copies):
        process.hears = number % 3 != 1
        append(log, record)
        now = process.run(now)
    same(cluster, history)


@pytest.mark.parametrize("fate", ["refused", "dies-before-progress", "dies-before-commit", "answer-lost"])
def test_a_transaction_continues_after_the_last_one_whatever_its_outcome(fate: Fate) -> None:
    log, cluster, history = new_log(), Cluster(), a_day(6)
    fates = iter(["ok", fate, "ok", fate, fate])
    process = enabled(log, cluster, lambda: next(fates, "ok"))
    copy(history.log, log, 2)
    process.follow()
    for now in range(40):
        process.publisher.step(now)
    same(cluster, history)


@pytest.mark.parametrize("seed", range(25))
def test_two_publishers_that_die_and_fence_each_other_at_random(seed: int) -> None:
    chance = random.Random(seed)
    log, cluster, history = new_log(), Cluster(), a_day(8)
    fates: list[Fate] = ["ok", "ok", "ok", "refused", "dies-before-progress", "dies-before-commit", "answer-lost"]
    calm = False

    def plan() -> Fate:
        return "ok" if calm else chance.choice(fates)

    def start() -> Process:
        process = Process(log, cluster, plan)
        process.log.away = False
        return process

    Process(log, cluster).publisher.enable()
    records = [encode_record("test", [each.data]) for each in history.log.state.commits()]
    processes = [start(), start()]
    now = 0
    while records or now < 200:
        now += 1
        match chance.randrange(8):
            case 0 if records:
                append(log, *[records.pop(0) for _ in range(min(len(records), chance.randint(1, 5)))])
            case 1:
                processes[chance.randrange(2)] = start()
            case 2:
                process = chance.choice(processes)
                process.log.away = not process.log.away
            case _:
                process = chance.choice(processes)
                process.follow()
                process.publisher.step(now)
    calm = True
    for process in processes:
        process.log.away = False
        process.follow()
    for later in range(100):
        for process in processes:
            process.publisher.step(now + later)
    same(cluster, history)
    assert {process.publisher.state for process in processes} <= {"publishing", "standing by"}


def test_a_fenced_publisher_is_idle_until_nobody_publishes() -> None:
    log, cluster, history = new_log(), Cluster(), a_day()
    old = enabled(log, cluster)
    new = Process(log, cluster)
    old.run(0)
    new.run(0)
    copy(history.log, log)
    for process in (old, new):
        process.follow()
    assert not old.publisher.step(10)
    for now in range(11, 30):
        new.publisher.step(now)
        old.publisher.step(now)
    assert (old.publisher.state, new.publisher.state) == ("standing by", "publishing")
    more = a_day(5)
    copy(more.log, log, first=history.log.state.next_ordinal)
    old.follow()
    for now in range(30, 40):
        old.publisher.step(now)
    assert (old.publisher.state, new.publisher.state) == ("publishing", "publishing")
    assert not new.publisher.step(41)
    assert cluster.read(EVENTS)[-1] != expected(history, EVENTS)[-1]


# ---- what was there before -----------------------------------------------------------------------------------------


def test_events_begin_at_the_journals_start_and_instructions_where_they_were_enabled() -> None:
    log, cluster, history = new_log(), Cluster(), a_day()
    copy(history.log, log)
    process = enabled(log, cluster)
    process.run()
    assert len(cluster.read(EVENTS)) == len(expected(history, EVENTS))
    assert all(cluster.read(kind) == [] for kind in INSTRUCTIONS)
    more = a_day(5)
    copy(more.log, log, first=history.log.state.next_ordinal)
    process.run(50)
    assert cluster.read("refunds")


def test_decisions_before_the_first_batch_are_instructed_also_after_a_crash() -> None:
    log, cluster, history = new_log(), Cluster(), a_day()
    enabled(log, cluster)
    copy(history.log, log)
    enabled(log, cluster).run()
    same(cluster, history)


def test_a_new_kind_begins_where_it_was_enabled() -> None:
    log, cluster, history = new_log(), Cluster(), a_day()
    process = enabled(log, cluster)
    copy(history.log, log)
    process.run()
    progress = read_progress(cluster.read(PUBLISHED)[-1].value)
    del progress.kinds["restock"]
    cluster.topics["restock"].records.clear()
    last = cluster.topics[PUBLISHED].records[-2]
    assert last[0] is not None
    cluster.topics[PUBLISHED].records[-2] = (last[0]._replace(value=progress.value), last[1])

    process = enabled(log, cluster)
    process.run()
    assert cluster.read("restock") == []
    more = a_day(5)
    copy(more.log, log, first=history.log.state.next_ordinal)
    process.run(50)
    assert cluster.read("restock")
    assert len(cluster.read("refunds")) > len(expected(history, "refunds"))


# ---- what stops it -------------------------------------------------------------------------------------------------


def published() -> tuple[MemoryLog, Cluster, History]:
    log, cluster, history = new_log(), Cluster(), a_day()
    process = enabled(log, cluster)
    copy(history.log, log)
    process.run()
    return log, cluster, history


def stopped(log: MemoryLog, cluster: Cluster) -> str:
    process = Process(log, cluster)
    process.follow()
    before = {kind: len(topic.records) for kind, topic in cluster.topics.items()}
    for now in range(3):
        assert not process.publisher.step(now)
    assert process.publisher.state == "stopped"
    assert {kind: len(topic.records) for kind, topic in cluster.topics.items()} == before
    assert process.publisher.trouble is not None
    return process.publisher.trouble


def left_out(log: MemoryLog, cluster: Cluster, history: History, kind: str) -> str:
    """Return why a topic is left out. Nothing is written to it, and the others have everything new."""
    before = len(cluster.topics[kind].records)
    more = a_day(5)
    copy(more.log, log, first=history.log.state.next_ordinal)
    process = Process(log, cluster)
    process.run()
    assert (process.publisher.state, list(process.publisher.sick)) == ("publishing", [kind])
    assert len(cluster.topics[kind].records) == before
    whole = {each: [r.value for r in cluster.read(each)] for each in (EVENTS, *INSTRUCTIONS) if each != kind}
    assert whole == {each: [r.value for r in expected(read_back(log), each)] for each in whole}
    return process.publisher.sick[kind].why


@pytest.mark.parametrize("kind", [kind for kind in WRITTEN if kind not in (DEAD_LETTERS, "rebills", "credit-memos")])
def test_an_emptied_topic_is_left_out_until_confirmed_and_the_others_continue(kind: str) -> None:
    log, cluster, history = published()
    cluster.topics[kind].records.clear()
    reason = left_out(log, cluster, history, kind)
    assert kind in reason and "rescind topics answer" in reason


def test_a_topic_that_lost_its_last_record_is_left_out() -> None:
    log, cluster, history = published()
    del cluster.topics[EVENTS].records[-2:]
    assert "ends at offset" in left_out(log, cluster, history, EVENTS)


def test_a_recreated_topic_is_left_out_also_with_as_many_records() -> None:
    log, cluster, history = published()
    cluster.topics[EVENTS].id = "order-events-1"
    assert "deleted and created again" in left_out(log, cluster, history, EVENTS)


def test_a_topic_that_is_emptied_while_it_publishes_is_left_out_before_anything_is_seen() -> None:
    log, cluster, history = new_log(), Cluster(), a_day()
    process = enabled(log, cluster)
    copy(history.log, log)
    process.run()
    cluster.topics[EVENTS].records.clear()
    more = a_day(5)
    copy(more.log, log, first=history.log.state.next_ordinal)
    process.run(500)
    assert list(process.publisher.sick) == [EVENTS]
    assert cluster.read(EVENTS) == []
    assert len(cluster.read("refunds")) == 5


def test_lost_progress_stops_the_publisher_instead_of_restarting_it() -> None:
    log, cluster, _ = published()
    cluster.topics[PUBLISHED].records.clear()
    assert "nothing says how far" in stopped(log, cluster)


def test_progress_beyond_the_journals_end_stops_it() -> None:
    log, cluster, _ = published()
    log.truncate(0, 2)
    assert "the journal ends at 2" in stopped(log, cluster)


def test_another_journal_stops_it() -> None:
    log, cluster, history = published()
    log.recreate("journal-1")
    copy(history.log, log)
    assert "journal-1" in stopped(log, cluster)


def test_another_history_of_the_same_length_stops_it() -> None:
    log, cluster, _ = published()
    log.truncate(0, 0)
    other = a_day()
    copy(other.log, log)
    records = log.records[0]
    commits = [replace(each.commit, correlation_id="other") for each in other.log.state.commits()]
    assert len(commits) == len(records)
    log.truncate(0, 0)
    history = History()
    for number in range(len(commits)):
        history.place(f"ANOTHER-{number}")
    copy(history.log, log)
    assert "not the one that was published" in stopped(log, cluster)


def test_a_confirmed_emptied_topic_is_refilled_from_the_journal_and_no_other_is_touched() -> None:
    log, cluster, history = published()
    cluster.topics[EVENTS] = replace(cluster.topics[EVENTS], id="order-events-1", records=[])
    process = Process(log, cluster)
    process.publisher.answer(EVENTS, "again")
    process.run()
    same(cluster, history)


def test_answered_onwards_the_gap_stays_and_publishing_goes_on() -> None:
    log, cluster, history = published()
    cluster.topics["refunds"].records.clear()
    process = Process(log, cluster)
    process.publisher.answer("refunds", "onwards")
    more = a_day(5)
    copy(more.log, log, first=history.log.state.next_ordinal)
    process.run()
    assert len(cluster.read(EVENTS)) > len(expected(history, EVENTS))
    new = cluster.read("refunds")
    assert new
    assert {r.value for r in new}.isdisjoint({r.value for r in expected(history, "refunds")})


def test_instructions_are_never_published_again() -> None:
    log, cluster, _ = published()
    cluster.topics["refunds"].records.clear()
    with pytest.raises(PublishingStopped, match="are not published twice"):
        Process(log, cluster).publisher.answer("refunds", "again")


def test_while_the_registry_is_away_nothing_goes_out_and_then_all_of_it() -> None:
    log, cluster, history = new_log(), Cluster(), a_day()

    class Registry(PinnedIds):
        away = True

        def id_of(self, contract):
            if self.away:
                raise RegistryUnavailable("the registry does not answer")
            return super().id_of(contract)

    process = enabled(log, cluster)
    registry = Registry()
    process.publisher._publisher._ids = registry
    copy(history.log, log)
    process.follow()
    assert not process.publisher.step(1)
    assert (process.publisher.state, cluster.read(EVENTS)) == ("trouble", [])
    registry.away = False
    process.run(1)
    same(cluster, history)


def test_the_progress_of_release_0_1_0_is_read_and_written_as_it_was() -> None:
    released = (
        b'{"journal":"journal-0","next_offset":4,"next_position":9,"next_ordinal":4,"last_commit":"ab12",'
        b'"topics":{"order-events":["order-events-0",12,4,0],"refunds":["refunds-0",3,7,2]}}'
    )
    progress = read_progress(released)
    assert (progress.offset, progress.kinds["refunds"].offset, progress.kinds["refunds"].begins) == (4, 7, 2)
    assert progress.value == released


# ---- a topic that cannot be written --------------------------------------------------------------------------------

MISSING = TopicSick("there is no topic", "make it")


def steps(process: Process, first: int, count: int) -> int:
    """Follow and step so many times, whether there is anything to do or not."""
    process.follow()
    for now in range(first, first + count):
        process.publisher.step(now)
    return first + count


@pytest.mark.parametrize("kind", [EVENTS, "refunds", "notifications"])
@pytest.mark.parametrize("seen_by", ["whoever looks", "whoever writes"])
def test_a_topic_that_cannot_be_written_holds_up_no_other_and_catches_up_once_it_can(kind: str, seen_by: str) -> None:
    log, cluster, history = new_log(), Cluster(), a_day(6)
    process = enabled(log, cluster)
    copy(History().log, log)
    first, rest = a_day(2), a_day(6)
    copy(first.log, log)
    now = process.run()
    if seen_by == "whoever looks":
        cluster.sick[kind] = MISSING
    else:
        cluster.refuses.add(kind)
    copy(rest.log, log, first=first.log.state.next_ordinal)
    now = steps(process, now, 60)
    had = len(cluster.read(kind))
    whole = read_back(log)
    for each in {EVENTS, *INSTRUCTIONS} - {kind}:
        assert [r.value for r in cluster.read(each)] == [r.value for r in expected(whole, each)], each
    assert had < len(expected(whole, kind))
    assert list(process.publisher.sick) == [kind]
    assert process.publisher.behind > 0
    cluster.sick.clear()
    cluster.refuses.clear()
    steps(process, now, 200)
    assert process.publisher.sick == {}
    same(cluster, whole)
    assert process.publisher.behind == 0
    assert history.log.state.next_ordinal


def test_the_other_topics_do_not_wait_while_one_catches_up() -> None:
    log, cluster = new_log(), Cluster()
    process = enabled(log, cluster)
    cluster.sick[EVENTS] = MISSING
    history = a_day(20)
    copy(history.log, log)
    now = steps(process, 0, 100)
    assert cluster.read(EVENTS) == []
    cluster.sick.clear()
    late = len(expected(history, EVENTS))
    more = a_day(22)
    copy(more.log, log, first=history.log.state.next_ordinal)
    process.follow()
    wanted = len(expected(read_back(log), "refunds"))
    while len(cluster.read("refunds")) < wanted:
        now += 1
        process.publisher.step(now)
    assert len(cluster.read(EVENTS)) < late, "it has caught up before the others went on"
    process.run(now)
    same(cluster, read_back(log))


def test_a_process_started_while_a_topic_is_left_out_continues_from_the_end_of_each_topic() -> None:
    log, cluster, history = new_log(), Cluster(), a_day(8)
    process = enabled(log, cluster)
    cluster.refuses.add("refunds")
    copy(history.log, log)
    now = steps(process, 0, 50)
    assert cluster.read("refunds") == []
    another = Process(log, cluster)
    now = steps(another, now, 50)
    same_but = {EVENTS, *INSTRUCTIONS} - {"refunds"}
    for kind in same_but:
        assert [r.value for r in cluster.read(kind)] == [r.value for r in expected(history, kind)], kind
    cluster.refuses.clear()
    third = Process(log, cluster)
    third.run(now)
    same(cluster, history)


def test_an_idle_process_does_not_displace_a_publisher_that_waits_for_a_topic() -> None:
    log, cluster, history = new_log(), Cluster(), a_day()
    old, new = enabled(log, cluster), Process(log, cluster)
    cluster.sick["refunds"] = MISSING
    copy(history.log, log)
    now = steps(new, steps(old, 0, 20), 20)
    more = a_day(5)
    copy(more.log, log, first=history.log.state.next_ordinal)
    now = steps(new, now, 20)
    now = steps(old, now, 3)
    assert (old.publisher.state, new.publisher.state) == ("standing by", "publishing")
    epoch = cluster.epoch
    steps(old, now, 50)
    assert (old.publisher.state, cluster.epoch) == ("standing by", epoch)
    cluster.sick.clear()
    steps(old, now + 50, 50)
    same(cluster, read_back(log))


@pytest.mark.parametrize("seed", range(25))
def test_topics_that_fail_at_random_under_publishers_that_die_have_every_record_once_in_the_end(seed: int) -> None:
    chance = random.Random(seed)
    log, cluster, history = new_log(), Cluster(), a_day(8)
    fates: list[Fate] = ["ok", "ok", "ok", "ok", "refused", "dies-before-progress", "dies-before-commit", "answer-lost"]
    calm = False
    enabled(log, cluster)
    records = [encode_record("test", [each.data]) for each in history.log.state.commits()]
    append(log, b"rubbish")

    def start() -> Process:
        return Process(log, cluster, lambda: "ok" if calm else chance.choice(fates))

    processes = [start(), start()]
    now = 0
    while records or now < 400:
        now += 1
        kind = chance.choice(WRITTEN)
        match chance.randrange(12):
            case 0 if records:
                append(log, *[records.pop(0) for _ in range(min(len(records), chance.randint(1, 5)))])
            case 1:
                processes[chance.randrange(2)] = start()
            case 2:
                (cluster.refuses.discard if kind in cluster.refuses else cluster.refuses.add)(kind)
            case 3:
                if cluster.sick.pop(kind, None) is None:
                    cluster.sick[kind] = MISSING
            case _:
                process = chance.choice(processes)
                process.follow()
                process.publisher.step(now)
    calm = True
    cluster.sick.clear()
    cluster.refuses.clear()
    for later in range(400):
        for process in processes:
            process.follow()
            process.publisher.step(now + later)
    same(cluster, history)
    assert letters(cluster) == [(b"journal:0:0", b"rubbish")]
    progress = read_progress(cluster.read(PUBLISHED)[-1].value)
    assert {at.offset for at in progress.kinds.values()} == {progress.offset}
    last = process.state.commit_at(progress.ordinal - 1)
    assert last is not None
    assert (progress.commit, progress.position) == (last.hash.hex(), process.state.next_position)


def test_an_order_that_is_parked_while_a_topic_is_left_out_goes_out_on_all_of_them_once_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log, cluster, history = new_log(), Cluster(), a_day()
    process = enabled(log, cluster)
    cluster.sick[EVENTS] = cluster.sick[DEAD_LETTERS] = MISSING
    bad = unreadable(history, "PO-1")
    history.place("PO-LATER")
    copy(history.log, log)
    now = steps(process, 0, 60)
    assert list(process.publisher.parked) == ["acme/PO-1"]
    assert (cluster.read(EVENTS), letters(cluster)) == ([], [])
    with pytest.raises(PublicLogUnavailable, match="order-events"):
        process.publisher.retry()
    cluster.sick.clear()
    now = steps(process, now, 100)
    assert letters(cluster) == [(b"publisher:0:acme/PO-1", bad.data)]
    of_order = [r for r in cluster.read(EVENTS) if r.key == b"acme/PO-1"]
    assert [dict(r.headers)["rescind-version"] for r in of_order] == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert any(r.key == b"acme/PO-LATER" for r in cluster.read(EVENTS))
    again = Process(log, cluster)
    again.run(now)
    assert list(again.publisher.parked) == ["acme/PO-1"]
    assert len(letters(cluster)) == 1


def test_a_release_that_cannot_read_the_missing_records_of_a_topic_leaves_it_to_one_that_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log, cluster, history = new_log(), Cluster(), a_day()
    process = enabled(log, cluster)
    cluster.sick[EVENTS] = MISSING
    copy(history.log, log)
    now = steps(process, 0, 30)
    cluster.sick.clear()
    more = a_day(5)
    copy(more.log, log, first=history.log.state.next_ordinal)
    whole = read_back(log)
    with monkeypatch.context() as older:

        def cannot(self, admitted, parked, only=None):
            made, failed = real(self, admitted, parked, only)
            return (made, failed) if admitted.ordinal else ([], [Unpublishable("acme/PO-1", 0, letter_of(admitted))])

        real = Publisher.records
        older.setattr(Publisher, "records", cannot)
        another = Process(log, cluster)
        now = steps(another, now, 40)
        assert "install that one" in another.publisher.sick[EVENTS].why
        assert (cluster.read(EVENTS), another.publisher.parked) == ([], {})
        assert len(cluster.read("refunds")) == len(expected(whole, "refunds"))
    steps(Process(log, cluster), now, 60)
    same(cluster, whole)


def letter_of(admitted: Admitted) -> DeadLetter:
    return DeadLetter(
        "publisher:0:acme/PO-1", "publisher", "of a newer release", b"", b"", "journal", 0, 0, 0, "acme/PO-1", 0
    )


# ---- dead letters --------------------------------------------------------------------------------------------------


def letters(cluster: Cluster) -> list[tuple[bytes, bytes]]:
    return [(dict(r.headers)["rescind-letter"], r.value) for r in cluster.read(DEAD_LETTERS)]


def test_a_malformed_record_is_one_dead_letter_with_its_bytes() -> None:
    log, cluster, history = new_log(), Cluster(), a_day()
    process = enabled(log, cluster)
    append(log, b"rubbish", encode_record("test", [b"also rubbish"]))
    copy(history.log, log)
    append(log, b"rubbish again")
    process.run()
    end = log.journal().end(0) - 1
    assert sorted(letters(cluster)) == sorted(
        [(b"journal:0:0", b"rubbish"), (b"journal:0:1:0", b"also rubbish"), (b"journal:0:%d" % end, b"rubbish again")]
    )
    same_events = [r.value for r in cluster.read(EVENTS)]
    assert same_events == [r.value for r in expected(history, EVENTS)]
    Process(log, cluster).run()
    assert len(letters(cluster)) == 3


def test_very_much_rubbish_goes_out_in_parts() -> None:
    log, cluster = new_log(), Cluster()
    process = enabled(log, cluster)
    append(log, *[b"rubbish %d" % number for number in range(150)], encode_record("t", [b"%d" % n for n in range(100)]))
    append(log, b"the last")
    process.run()
    assert [value for _, value in letters(cluster)] == [
        *[b"rubbish %d" % number for number in range(150)],
        *[b"%d" % number for number in range(100)],
        b"the last",
    ]


def unreadable(history: History, order_id: str) -> Admitted:
    at = parse_instant("2026-03-09T10:00:00Z")
    return history.log.append([(f"acme/{order_id}", [EventEntry(0, "Teleported", 1, at, b"?")])], at)


def test_an_order_that_cannot_be_published_is_parked_with_a_letter_and_goes_out_once_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log, cluster, history = new_log(), Cluster(), a_day()
    process = enabled(log, cluster)
    bad = unreadable(history, "PO-1")
    later = parse_instant("2026-03-10T10:00:00Z")
    last = history.log.state.commit_at(1)
    assert last is not None
    [entry] = [e for p in last.commit.streams for e in p.events if e.name == "LinePartiallyShipped"]
    history.log.append([("acme/PO-1", [replace(entry, index=0)])], later)
    history.place("PO-LATER")
    copy(history.log, log)
    process.run()
    assert letters(cluster) == [(b"publisher:0:acme/PO-1", bad.data)]
    of_order = [r for r in cluster.read(EVENTS) if r.key == b"acme/PO-1"]
    assert [dict(r.headers)["rescind-version"] for r in of_order] == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert any(r.key == b"acme/PO-LATER" for r in cluster.read(EVENTS))

    again = Process(log, cluster)
    again.run()
    assert list(again.publisher.parked) == ["acme/PO-1"]
    assert len(letters(cluster)) == 1

    def records(self, admitted, parked, only=None):
        commit = admitted.commit
        parts = tuple(
            replace(p, events=tuple(replace(e, **known) if e.name == "Teleported" else e for e in p.events))
            for p in commit.streams
        )
        return real(self, replace(admitted, commit=replace(commit, streams=parts)), parked, only)

    known = {"name": entry.name, "body": entry.body}
    real = Publisher.records
    monkeypatch.setattr(Publisher, "records", records)
    newer = Process(log, cluster)
    newer.run()
    assert newer.publisher.parked == {}
    of_order = [r for r in cluster.read(EVENTS) if r.key == b"acme/PO-1"]
    assert [dict(r.headers)["rescind-version"] for r in of_order] == [b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8"]
    Process(log, cluster).run()
    assert len([r for r in cluster.read(EVENTS) if r.key == b"acme/PO-1"]) == 8


def test_an_unprojectable_event_is_one_dead_letter_until_it_is_projected() -> None:
    log, cluster = new_log(), Cluster()
    id, stream = unprojected_id("journal", 0, "acme/PO-1"), "acme/PO-1"
    letter = DeadLetter(id, "views", "no such line", stream.encode(), b"commit", "journal", 0, 4, 0, stream, 4)
    known = [letter]
    for process in (enabled(log, cluster), Process(log, cluster)):
        process.publisher._letters = lambda: known
        process.run()
        assert [id for id, _ in letters(cluster)] == [b"views:journal:0:acme/PO-1"]
    known = []
    process = Process(log, cluster)
    process.publisher._letters = lambda: known
    process.run()
    known = [letter]
    process.run(10)
    assert len(letters(cluster)) == 2
