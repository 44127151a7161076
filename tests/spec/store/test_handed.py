"""The handoff buffer: the reader gets each commit once and in order, whether it was buffered or not."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from consumers.log.handoff_buffer import HandoffBuffer
from consumers.ports.log_values import Admitted
from tests.spec.projections.histories import History

COMMITS = 9


def a_log() -> list[Admitted]:
    history = History(1)
    for number in range(COMMITS):
        history.place(f"PO-{number}")
    return list(history.logs[0].state.commits())[:COMMITS]


LOG = a_log()


class StoredCommits:
    """A source that records which commits were read from it."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]:
        for admitted in LOG[first:behind]:
            self.read.append(admitted.ordinal)
            yield admitted

    @property
    def next_ordinal(self) -> int:
        return len(LOG)

    def commit_at(self, ordinal: int) -> Admitted | None:
        return next(self.commits(ordinal, ordinal + 1), None)

    def commits_of(self, stream: str, first: int = 0) -> Iterator[Admitted]:
        raise AssertionError("a buffer reads by ordinal only")


def ordinals(commits: Iterator[Admitted]) -> list[int]:
    return [admitted.ordinal for admitted in commits]


@given(
    st.sets(st.integers(0, COMMITS - 1)).map(sorted),
    st.integers(1, COMMITS),
    st.lists(st.integers(0, COMMITS), min_size=1, max_size=5).map(sorted),
)
def test_each_commit_is_returned_once_in_order_and_only_unbuffered_ones_are_read(
    handed_over: list[int], most: int, stops: list[int]
) -> None:
    handed, source = HandoffBuffer(most), StoredCommits()
    for ordinal in handed_over:
        handed.add(LOG[ordinal])
    first, found = 0, []
    for behind in stops:
        found += ordinals(handed.commits(first, behind, source))
        first = max(first, behind)
    assert found == list(range(stops[-1]))
    assert source.read == [ordinal for ordinal in found if ordinal not in handed_over[:most]]


def test_the_commit_at_which_a_reader_stopped_is_returned_again_without_reading() -> None:
    handed, source = HandoffBuffer(), StoredCommits()
    for admitted in LOG[:4]:
        handed.add(admitted)
    batch = handed.commits(0, 4, source)
    assert [next(batch).ordinal, next(batch).ordinal] == [0, 1]
    assert ordinals(handed.commits(1, 4, source)) == [1, 2, 3]
    assert source.read == []
    assert ordinals(handed.commits(0, 2, source)) == [0, 1]
    assert source.read == [0, 1], "what it went past was let go"


def test_commits_handed_over_before_the_reader_began_are_dropped() -> None:
    handed, source = HandoffBuffer(capacity=2), StoredCommits()
    handed.add(LOG[0])
    handed.add(LOG[1])
    assert ordinals(handed.commits(2, 3, source)) == [2]
    handed.add(LOG[3])
    assert ordinals(handed.commits(3, 4, source)) == [3]
    assert source.read == [2], "there is room for what comes"
