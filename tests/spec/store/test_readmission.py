"""Readmission: finds in a partition's bytes whether they were changed."""

from concurrent.futures import wait

from consumers.log.readmission import Orphan, Readmission, readmit, records_of
from consumers.ports.journal import JournalRecord
from infra.journals.memory import MemoryLog
from schemas.commit import commit_hash
from tests.spec.store.making import NOON, Chain, kinds, record


def judged(records: list[JournalRecord]) -> tuple[list[str], Readmission]:
    readmission = Readmission(0, 1)
    return kinds(list(readmit(readmission, iter(records)))), readmission


def test_an_unchanged_log_has_no_orphans_and_its_times_do_not_go_back() -> None:
    chain = Chain("acme/PO-1")
    found, readmission = judged([record(chain.next(name), offset=n) for n, name in enumerate("ABC")])
    assert found == ["admitted", "admitted", "admitted"]
    assert (readmission.orphans, readmission.back_at) == ([], None)
    assert readmission.newest == NOON + 2


def test_a_commit_that_lost_a_race_is_no_orphan() -> None:
    chain, other = Chain("acme/PO-1"), Chain("acme/PO-1")
    first = chain.next("A")
    other.next("A")
    found, readmission = judged([record(first), record(chain.next("B"), other.next("C", command="c"), offset=1)])
    assert found == ["admitted", "admitted", "superseded"]
    assert readmission.orphans == []


def test_a_commit_behind_one_that_was_removed_or_changed_is_an_orphan() -> None:
    chain, forged = Chain("acme/PO-1"), Chain("acme/PO-1")
    first, second, third = (chain.next(name) for name in "ABC")
    forged.next("A")
    changed = forged.next("X")
    for records in (
        [record(first), record(third, offset=2)],
        [record(first), record(changed, offset=1), record(third, offset=2)],
    ):
        found, readmission = judged(records)
        assert found[-1] == "superseded"
        assert readmission.orphans == [Orphan(2, 0, "acme/PO-1", commit_hash(second))]


def test_records_that_were_swapped_have_times_that_go_back() -> None:
    one, two = Chain("acme/PO-1"), Chain("acme/PO-2")
    later, earlier = record(one.next("A"), offset=0)._replace(appended_at=NOON + 5), record(two.next("A"), offset=1)
    found, readmission = judged([later, earlier])
    assert found == ["admitted", "admitted"]
    assert (readmission.back_at, readmission.newest) == (1, NOON + 5)


def test_every_record_is_read_once_up_to_where_the_log_ended() -> None:
    log = MemoryLog(1, lambda: NOON)
    journal, chain = log.journal(), Chain("acme/PO-1")
    wait([journal.append(0, b"", record(chain.next("A")).value) for _ in range(1_201)])
    reading = records_of(journal, 0)
    first = next(reading)
    wait([journal.append(0, b"", record(chain.next("A")).value)])
    assert [first.offset, *(each.offset for each in reading)] == list(range(1_201))
    assert [each.offset for each in records_of(journal, 0, behind=3)] == [0, 1, 2]
