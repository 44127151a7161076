"""The contract of every journal adapter (``consumers.ports.journal``).

An adapter's test module subclasses JournalContract and has a fixture ``topic``: how to make such a topic, and how
another process opens the same one.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Protocol

import pytest
from hypothesis import strategies as st

from consumers.ports.journal import RECORD_LIMIT, Appended, AppendRefused, Journal, JournalRecord, LogLost

TIMEOUT = 30.0
"""Seconds by which what must come has come; nothing waits so long unless something is wrong."""


class Topic(Protocol):
    """A topic that was made for one test."""

    clock: Callable[[], int]
    """The clock that its append times come from: it rises with each look."""

    def open(self) -> Journal:
        """A handle on it, as another process would have."""
        ...

    def cut_front(self, partition: int, begin: int) -> None:
        """Delete the records before the offset ``begin``, as no journal's owner should."""
        ...


def done(future: Future[Appended]) -> Appended:
    return future.result(TIMEOUT)


def everything(journal: Journal, partition: int) -> list[JournalRecord]:
    """All that a partition holds: a read may give fewer records than there are, but at least one."""
    found: list[JournalRecord] = []
    while records := journal.read(partition, found[-1].offset + 1 if found else 0, 1000):
        found += records
    return found


some_records = st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=300)), max_size=12)


def check_that_any_records_are_read_back(journal: Journal, records: list[tuple[int, bytes]]) -> None:
    """In the order of their offsets, each in its partition. (Hypothesis wants a test of its own for each adapter.)"""
    for partition, value in records:
        done(journal.append(partition, b"key", value))
    for partition in range(3):
        found = everything(journal, partition)
        assert [record.value for record in found] == [value for p, value in records if p == partition]
        assert [record.offset for record in found] == sorted({record.offset for record in found})
    journal.close()


class JournalContract:
    PARTITIONS = 3

    @pytest.fixture
    def journal(self, topic: Topic) -> Journal:
        return topic.open()

    def test_a_new_topic_is_empty_and_has_the_partitions_it_was_made_with(self, journal: Journal) -> None:
        assert journal.partitions == self.PARTITIONS
        for partition in range(self.PARTITIONS):
            assert (journal.begin(partition), journal.end(partition)) == (0, 0)
            assert journal.read(partition, 0, 10) == []

    def test_a_record_is_read_back_byte_for_byte_with_the_logs_own_time(self, topic: Topic, journal: Journal) -> None:
        before = topic.clock()
        first = done(journal.append(1, b"key", b"\x00\xff record"))
        second = done(journal.append(1, b"", b""))
        assert before < first.appended_at <= second.appended_at < topic.clock()
        assert everything(journal, 1) == [
            JournalRecord(1, first.offset, first.appended_at, b"\x00\xff record"),
            JournalRecord(1, second.offset, second.appended_at, b""),
        ]
        assert journal.end(1) > second.offset > first.offset

    def test_partitions_are_logs_of_their_own(self, journal: Journal) -> None:
        done(journal.append(0, b"", b"zero"))
        done(journal.append(2, b"", b"two"))
        assert [[r.value for r in journal.read(p, 0, 9)] for p in range(3)] == [[b"zero"], [], [b"two"]]

    def test_reading_goes_on_where_it_stopped(self, journal: Journal) -> None:
        values = [b"%d" % n for n in range(20)]
        for value in values:
            done(journal.append(0, b"", value))
        found: list[bytes] = []
        offset = 0
        while records := journal.read(0, offset, 7):
            assert len(records) <= 7
            found += [record.value for record in records]
            offset = records[-1].offset + 1
        assert found == values
        assert offset == journal.end(0)

    def test_ready_records_are_those_that_a_read_returns_and_all_become_ready(self, journal: Journal) -> None:
        values = [b"%d" % n for n in range(50)]
        found: list[bytes] = []
        offset = 0
        for number, value in enumerate(values):
            done(journal.append(0, b"", value))
            until = time.monotonic() + TIMEOUT
            while len(found) <= number:  # it is written; when it comes is the adapter's affair
                assert time.monotonic() < until, "it was written, and never got ready"
                if records := journal.ready(0, offset, 10):
                    found += [record.value for record in records]
                    offset = records[-1].offset + 1
                else:
                    journal.wait(0, offset, 0.1)
        assert found == values
        assert journal.ready(0, offset, 10) == []

    def test_an_offset_outside_the_log_is_an_error_and_never_an_empty_answer(self, journal: Journal) -> None:
        done(journal.append(0, b"", b"one"))
        end = journal.end(0)
        assert journal.read(0, end, 10) == []
        for offset in (end + 1, -1):
            with pytest.raises(LogLost):
                journal.read(0, offset, 10)
            with pytest.raises(LogLost):
                journal.ready(0, offset, 10)

    def test_a_log_whose_front_was_cut_reports_its_first_offset_and_reads_nothing_before_it(self, topic: Topic) -> None:
        journal = topic.open()
        for value in (b"one", b"two", b"three"):
            done(journal.append(1, b"", value))
        assert journal.begin(1) == 0
        topic.cut_front(1, 2)
        until = time.monotonic() + TIMEOUT
        while journal.begin(1) == 0:  # who has the log open looks from time to time
            assert time.monotonic() < until, "it was never noticed"
            time.sleep(0.01)
        assert [journal.begin(partition) for partition in range(3)] == [0, 2, 0]
        another = topic.open()
        assert [another.begin(partition) for partition in range(3)] == [0, 2, 0]
        assert (another.end(1), [each.value for each in another.read(1, 2, 10)]) == (3, [b"three"])
        with pytest.raises(LogLost):
            another.read(1, 0, 10)

    @pytest.mark.parametrize("partition", [-1, PARTITIONS])
    def test_a_partition_that_is_not_there_is_a_mistake_of_the_caller(self, journal: Journal, partition: int) -> None:
        for call in (
            lambda: journal.append(partition, b"", b""),
            lambda: journal.read(partition, 0, 1),
            lambda: journal.begin(partition),
            lambda: journal.end(partition),
            lambda: journal.wait(partition, 0, 0),
        ):
            with pytest.raises(ValueError, match="there is no partition"):
                call()

    def test_a_record_of_the_largest_size_is_taken_and_a_larger_one_refused_for_good(self, journal: Journal) -> None:
        limit = journal.record_limit
        assert limit >= RECORD_LIMIT
        at = done(journal.append(0, b"", b"x" * limit)).offset
        assert len(journal.read(0, at, 1)[0].value) == limit
        refused = journal.append(0, b"", b"x" * (limit + 1)).exception(TIMEOUT)
        assert isinstance(refused, AppendRefused)
        assert not refused.retriable
        assert journal.read(0, at + 1, 1) == []

    def test_every_append_under_way_is_answered_and_is_in_the_log_once(self, journal: Journal) -> None:
        futures = [journal.append(n % 3, b"", b"%d" % n) for n in range(300)]
        assert not wait(futures, TIMEOUT).not_done
        for partition in range(3):
            records = {r.offset: r.value for r in everything(journal, partition)}
            appended = {done(futures[n]).offset: b"%d" % n for n in range(partition, 300, 3)}
            assert records == appended

    def test_several_writers_append_to_one_log_and_all_readers_see_the_same(self, topic: Topic) -> None:
        handles = [topic.open() for _ in range(3)]
        futures: list[Future[Appended]] = []

        def write(by: int) -> None:
            for n in range(40):
                future = handles[by].append(0, b"", b"%d-%d" % (by, n))
                futures.append(future)
                done(future)

        threads = [threading.Thread(target=write, args=(by,)) for by in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
        logs = [everything(handle, 0) for handle in handles]
        assert logs[0] == logs[1] == logs[2]
        assert sorted(record.value for record in logs[0]) == sorted(
            b"%d-%d" % (b, n) for b in range(3) for n in range(40)
        )
        assert sorted(done(future).offset for future in futures) == [record.offset for record in logs[0]]

    def test_a_waiting_reader_is_woken_by_an_append_of_this_process_and_of_another(self, topic: Topic) -> None:
        journal, other = topic.open(), topic.open()
        for writer in (journal, other):
            end = journal.end(0)
            assert not journal.wait(0, end, 0)
            woken: list[bool] = []
            waiting = threading.Thread(target=lambda end=end, woken=woken: woken.append(journal.wait(0, end, TIMEOUT)))
            waiting.start()
            done(writer.append(0, b"", b"x"))
            waiting.join(TIMEOUT)
            assert woken == [True]
            assert journal.wait(0, end, 0)

    def test_all_handles_report_one_identity_and_another_topic_has_another(
        self, topic: Topic, another_topic: Topic
    ) -> None:
        assert topic.open().identity == topic.open().identity
        assert topic.open().identity != another_topic.open().identity

    def test_a_closed_journal_answers_appends_under_way_and_refuses_new_ones(self, topic: Topic) -> None:
        journal = topic.open()
        under_way = [journal.append(0, b"", b"%d" % n) for n in range(50)]
        journal.close()
        journal.close()
        late = journal.append(0, b"", b"late").exception(TIMEOUT)
        assert isinstance(late, AppendRefused)
        assert not late.retriable
        assert [done(future).offset for future in under_way] == list(range(50))
        assert [record.value for record in everything(topic.open(), 0)] == [b"%d" % n for n in range(50)]
