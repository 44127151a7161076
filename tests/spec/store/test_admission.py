"""Admission, rule by rule."""

from collections.abc import Callable
from pathlib import Path

import pytest

from consumers.log.admission import Admission, MemoryHeads, in_sequence, raised_format
from consumers.ports.journal import JournalRecord
from consumers.ports.log_values import WHOLE_RECORD, AdmissionResult, Admitted, Head, Heads, Rejected, Stop
from infra.local_state import memory_local_state, open_local_state
from schemas.commit import Commit, commit_hash, encode_commit
from schemas.partitioning import partition_of
from tests.spec.store.making import NOON, Chain, commit, events, judge, kinds, part, record

MakeHeads = Callable[[], Heads]


@pytest.fixture(params=["dictionaries", "local state in memory", "local state in SQLite"])
def heads(request: pytest.FixtureRequest, tmp_path: Path) -> Heads:
    match request.param:
        case "dictionaries":
            return MemoryHeads()
        case "local state in memory":
            return memory_local_state(0, 1)
        case _:
            return open_local_state(tmp_path / "state.sqlite", 0, 1).state


def admitted(verdicts: list[AdmissionResult]) -> list[Admitted]:
    assert all(isinstance(verdict, Admitted) for verdict in verdicts), verdicts
    return [verdict for verdict in verdicts if isinstance(verdict, Admitted)]


def only(verdicts: list[AdmissionResult]) -> AdmissionResult:
    (verdict,) = verdicts
    return verdict


def test_commits_that_follow_each_other_are_admitted_with_dense_ordinals_and_positions(heads: Heads) -> None:
    one, two = Chain("acme/PO-1"), Chain("acme/PO-2")
    records = [
        record(one.next("A", "B"), two.next("A"), offset=3),
        record(one.next("C"), one.next(), two.next("B", "C"), offset=7),
    ]
    found = admitted(judge(records, heads=heads))
    assert [(a.offset, a.index, a.ordinal, a.position) for a in found] == [
        (3, 0, 0, 0),
        (3, 1, 1, 2),
        (7, 0, 2, 3),
        (7, 1, 3, 4),
        (7, 2, 4, 4),
    ]
    assert [a.appended_at for a in found] == [NOON + 3, NOON + 3, NOON + 7, NOON + 7, NOON + 7]
    assert [a.hash for a in found] == [commit_hash(a.data) for a in found]
    assert (heads.next_ordinal, heads.next_position) == (5, 6)
    assert heads.head("acme/PO-1") == Head(found[3].hash, 3)
    assert heads.head("acme/PO-3") is None


def test_of_two_commits_on_the_same_parent_the_first_wins_and_the_other_never_happened(heads: Heads) -> None:
    chain, zombie = Chain("acme/PO-1"), Chain("acme/PO-1")
    start = chain.next("A", command="c1")
    zombie.parent, zombie.count = chain.parent, chain.count
    winner, loser = chain.next("B", command="c2"), zombie.next("C", command="c3")
    verdicts = judge([record(start, winner, loser), record(chain.next("D"), zombie.next("E"), offset=1)], heads=heads)
    assert kinds(verdicts) == ["admitted", "admitted", "superseded", "admitted", "superseded"]
    assert heads.ordinal_of_command("acme/PO-1", "c3") is None
    assert heads.ordinal_of_commit(commit_id_of(loser)) is None


def commit_id_of(data: bytes) -> bytes:
    return data[1:17]


def test_a_streams_first_commit_has_no_parent_and_a_free_event_number(heads: Heads) -> None:
    early = encode_commit(commit(part("s", bytes([1]) * 32, 0, events("A"))))
    first = encode_commit(commit(part("s", first=5, entries=events("A"))))
    gap = encode_commit(commit(part("s", commit_hash(first), 7, events("B")), command="gap"))
    right = encode_commit(commit(part("s", commit_hash(first), 6, events("B")), command="right"))
    again = encode_commit(commit(part("s", first=7, entries=events("C")), command="again"))
    verdicts = judge([record(early, first, gap, right, again)], heads=heads)
    assert kinds(verdicts) == ["superseded", "admitted", "superseded", "admitted", "superseded"]
    assert heads.head("s") == Head(commit_hash(right), 7)


def test_a_commit_id_is_admitted_once(heads: Heads) -> None:
    chain = Chain("s")
    first = chain.next("A")
    other = encode_commit(commit(part("t", entries=events("A")), id=commit_id_of(first)))
    verdicts = judge([record(first, first, other)], heads=heads)
    assert kinds(verdicts) == ["admitted", "duplicate", "duplicate"]
    assert all(isinstance(v, Rejected) and v.first == 0 for v in verdicts[1:])
    assert heads.head("t") is None


def test_a_command_id_is_admitted_once_on_its_first_stream_and_belongs_to_no_other(heads: Heads) -> None:
    one, two = Chain("s"), Chain("t")
    first = one.next("A", command="c1", others=[part("u", entries=())])
    retry = encode_commit(commit(part("s", one.parent, 1, events("B")), command="c1"))
    elsewhere = two.next("A", command="c1")
    on_second = encode_commit(commit(part("u", commit_hash(first), 0, events("A")), command="c1"))
    verdicts = judge([record(first, retry, elsewhere, on_second)], heads=heads)
    assert kinds(verdicts) == ["admitted", "duplicate", "admitted", "admitted"]
    assert isinstance(verdicts[1], Rejected)
    assert verdicts[1].first == 0
    assert verdicts[1].commit is not None
    assert heads.ordinal_of_command("s", "c1") == 0
    assert heads.ordinal_of_command("u", "c1") == 2


def test_a_duplicate_is_a_duplicate_even_if_it_does_not_fit_any_more(heads: Heads) -> None:
    chain = Chain("s")
    first = chain.next("A", command="c1")
    assert kinds(judge([record(first, chain.next("B"), first)], heads=heads)) == ["admitted", "admitted", "duplicate"]


def test_all_parts_fit_or_nothing_happened(heads: Heads) -> None:
    one = Chain("s")
    verdicts = judge(
        [
            record(one.next("A")),
            record(commit(part("t", entries=events("A")), part("s", entries=events("B", first=1))), offset=1),
            record(one.next("B", others=[part("t", entries=events("C", first=1))]), offset=2),
        ],
        heads=heads,
    )
    assert kinds(verdicts) == ["admitted", "superseded", "admitted"]
    last = verdicts[-1]
    assert isinstance(last, Admitted)
    assert heads.head("t") == Head(last.hash, 1)


def test_a_version_of_a_unique_stream_is_there_once_and_is_not_in_the_event_sequence(heads: Heads) -> None:
    def snapshot(version: int, *names: str, by: str) -> Commit:
        return commit(part("snap", first=version, entries=events(*names), kind="unique"), command=by)

    chain = Chain("s")
    verdicts = judge(
        [
            record(
                snapshot(5, "A", by="one"),
                snapshot(5, "A", by="two"),
                snapshot(2, "A", "B", by="three"),
                snapshot(4, "A", "B", by="four"),
                snapshot(4, "A", by="five"),
                chain.next("A"),
            )
        ],
        heads=heads,
    )
    assert kinds(verdicts) == ["admitted", "superseded", "admitted", "superseded", "admitted", "admitted"]
    assert isinstance(verdicts[-1], Admitted)
    assert verdicts[-1].position == 0
    assert heads.next_position == 1
    assert [heads.has_version("snap", version) for version in range(1, 7)] == [False, True, True, True, True, False]


def test_a_watermark_only_rises(heads: Heads) -> None:
    def mark(value: int, by: str) -> Commit:
        return commit(part("tracking", first=value, kind="watermark"), command=by)

    records = [record(*(mark(value, str(n)) for n, value in enumerate([0, 0, 7, 3, 8])))]
    assert kinds(judge(records, heads=heads)) == ["admitted", "superseded", "admitted", "superseded", "admitted"]
    assert heads.watermark("tracking") == 8
    assert heads.watermark("other") is None
    assert heads.head("tracking") is None


def test_events_and_a_watermark_are_admitted_together_or_not_at_all(heads: Heads) -> None:
    def processed(stream: str, value: int) -> Commit:
        return commit(part(stream, entries=events("A")), part("tracking", first=value, kind="watermark"))

    assert kinds(judge([record(processed("s", 3), processed("t", 3), processed("t", 4))], heads=heads)) == [
        "admitted",
        "superseded",
        "admitted",
    ]
    assert heads.next_position == 2


def test_a_chain_stream_in_the_wrong_partition_is_malformed_and_a_control_stream_is_at_home_everywhere() -> None:
    partitions = 4
    home = partition_of("acme/PO-1", partitions)
    order, control = commit(part("acme/PO-1")), commit(part("$import/acme", entries=events("ImportOpened")))
    snapshot = commit(part("acme/PO-1", entries=events("S"), kind="unique"), id=bytes([1]) * 16)
    mixed = commit(part("$import/acme"), part("acme/PO-1"), id=bytes([2]) * 16)
    for partition in range(partitions):
        found = judge([record(control, snapshot, mixed, order)], partition, partitions)
        assert kinds(found[:2]) == ["admitted", "admitted"]
        assert kinds(found[2:]) == (["superseded", "admitted"] if partition == home else ["malformed", "malformed"])
    wrong = only(judge([record(order)], (home + 1) % partitions, partitions))
    assert isinstance(wrong, Rejected)
    assert wrong.reason == "the stream acme/PO-1 belongs to another partition"


def test_a_record_that_is_not_canonical_is_malformed_whole(heads: Heads) -> None:
    chain = Chain("s")
    good = record(chain.next("A"), chain.next("B"))
    verdicts = judge(
        [
            JournalRecord(0, 0, NOON, good.value + b"\0"),
            JournalRecord(0, 1, NOON, good.value[:-1]),
            JournalRecord(0, 2, NOON, b""),
            JournalRecord(0, 3, NOON, b"\x04" + good.value[1:]),
            JournalRecord(0, 4, NOON, good.value),
        ],
        heads=heads,
    )
    assert kinds(verdicts) == ["malformed"] * 4 + ["admitted"] * 2
    assert all(isinstance(v, Rejected) and v.index == WHOLE_RECORD and v.commit is None for v in verdicts[:4])
    assert isinstance(verdicts[0], Rejected)
    assert verdicts[0].data == good.value + b"\0"


def test_a_malformed_commit_is_malformed_by_itself(heads: Heads) -> None:
    chain = Chain("s")
    verdicts = judge([record(chain.next("A"), b"", b"\x04" + chain.next("X")[1:], bytes(1_000_001))], heads=heads)
    assert kinds(verdicts) == ["admitted", "malformed", "malformed", "malformed"]
    assert [v.index for v in verdicts] == [0, 1, 2, 3]


def test_names_and_bodies_of_events_are_not_looked_at(heads: Heads) -> None:
    assert kinds(judge([record(Chain("s").next("No such event"))], heads=heads)) == ["admitted"]


def test_a_newer_format_is_malformed_before_it_was_raised_and_stops_the_reader_where_it_was(heads: Heads) -> None:
    chain = Chain("s")
    first, second = chain.next("A"), chain.next("B")
    newer = b"\x04" + second[1:]
    raised = commit(part("$format/2", entries=events("FormatRaised")))
    verdicts = judge([record(first, newer), record(raised, newer, offset=1)], heads=heads)
    assert kinds(verdicts) == ["admitted", "malformed", "stop"]
    stop = verdicts[-1]
    assert isinstance(stop, Stop)
    assert (stop.offset, stop.index, stop.format) == (1, 0, 2)
    assert "install a release that reads format 2" in stop.reason
    assert heads.head("$format/2") is None
    assert heads.next_ordinal == 1


@pytest.mark.parametrize(
    "harmless",
    [
        commit(part("$format/1", entries=events("FormatRaised"))),
        commit(part("$format/02")),
        commit(part("$format/x")),
        commit(part("$format/2"), part("$other")),
        commit(part("$other"), part("$format/2")),
        commit(part("$format/2", first=1, kind="watermark")),
        commit(part("$format/2 ")),
        commit(part("$format/9999999999")),
    ],
)
def test_only_a_commit_whose_only_stream_raises_a_format_does_so(heads: Heads, harmless: Commit) -> None:
    assert kinds(judge([record(harmless)], heads=heads)) == ["admitted"]
    assert heads.format == 1


def test_a_commit_that_raises_the_format_has_to_be_admitted_to_do_so(heads: Heads) -> None:
    late = commit(part("$format/2", bytes([1]) * 32, 3))
    assert kinds(judge([record(late)], heads=heads)) == ["superseded"]


def test_an_own_commit_is_not_decoded_again(heads: Heads) -> None:
    data = Chain("s").next("A")
    ours = commit(part("s", entries=events("A")))
    fold = Admission(0, 1, heads, known={data: ours}.get)
    verdict = only(fold.take(record(data)))
    assert isinstance(verdict, Admitted)
    assert verdict.commit is ours


def test_a_fence_makes_the_unknown_commit_impossible_and_leaves_the_event_numbers_alone(heads: Heads) -> None:
    chain, other = Chain("s"), Chain("s")
    start = chain.next("A")
    other.parent, other.count = chain.parent, chain.count
    fence, unknown = chain.next(), other.next("B", command="c1")
    verdicts = judge([record(start, fence, unknown, chain.next("B", command="c1"))], heads=heads)
    assert kinds(verdicts) == ["admitted", "admitted", "superseded", "admitted"]


def test_the_versions_and_sequence_numbers_that_a_commit_adds_can_be_queried() -> None:
    assert raised_format(commit(part("$format/12"))) == 12
    assert raised_format(commit(part("s"))) == 0
    several = commit(part("s", entries=events("A")), part("t", entries=events("B", first=1), kind="unique"))
    assert in_sequence(several) == 1
