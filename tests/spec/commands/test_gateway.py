"""The gateway: inputs are decided in their order, and each is answered once, whatever is lost before it is written."""

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from consumers.command_topic.gateway import BATCH, IN_FLIGHT_BYTES, PAUSE, InputRecord
from consumers.engine.outcome import Outcome, unavailable
from tests.spec.commands.counter import NOT_NOW, TIMEOUT, Counter, command


def test_commands_of_one_order_are_decided_one_after_the_other_and_those_of_others_at_once() -> None:
    counter = Counter()
    counter.send(0, "A 1", "A 2", "B 1")
    counter.take(0)
    assert [(c.order_id, c.command_id) for c, _ in counter.engine.pending] == [("A", "1"), ("B", "1")]
    counter.engine.answer()
    counter.step()
    assert [(c.order_id, c.command_id) for c, _ in counter.engine.pending] == [("B", "1"), ("A", "2")]


def test_an_answer_is_written_only_behind_those_before_it() -> None:
    counter = Counter()
    counter.send(0, "A 1", "B 1", "C 1")
    counter.take(0)
    counter.engine.answer(1)
    counter.step()
    assert counter.gateway.batch() is None
    counter.engine.answer(0)
    counter.step()
    batch = counter.gateway.batch()
    assert batch is not None
    assert batch.offsets == {0: 2}
    assert [record.key for _, record in batch.records] == [b"0:0", b"0:1"]


def test_a_command_of_another_partition_is_written_there_and_not_decided_here() -> None:
    counter = Counter()
    counter.send(0, "A 1 2", "B 1", "A 2 2", "nothing")
    counter.take(0)
    counter.step()
    assert [(c.order_id, c.command_id) for c, _ in counter.engine.pending] == [("B", "1")]
    counter.engine.answer()
    counter.step()
    batch = counter.gateway.batch()
    assert batch is not None
    assert [(partition, record.value) for partition, record in batch.records] == [
        (2, b"A 1"),
        (0, b"accepted"),
        (2, b"A 2"),
        (0, b"letter"),
    ]
    assert batch.offsets == {0: 4}


def test_a_command_that_cannot_be_prepared_for_forwarding_is_tried_again_in_its_turn() -> None:
    counter = Counter()
    counter.form.not_ready = [unavailable("vault-unavailable", "away")]
    counter.send(0, "A 1 2", "A 2 2")
    counter.take(0)
    counter.step()
    assert counter.gateway.batch() is None
    counter.now += PAUSE
    counter.step()
    batch = counter.gateway.batch()
    assert batch is not None
    assert batch.records == [(2, record) for _, record in batch.records]
    assert [record.value for _, record in batch.records] == [b"A 1", b"A 2"]


def test_a_thousand_commands_of_one_order_are_passed_on_at_once() -> None:
    counter = Counter()
    counter.send(0, *(f"A {number} 2" for number in range(1_000)))
    counter.take(0)
    counter.step()
    batch = counter.gateway.batch(limit=1_000)
    assert batch is not None
    assert [record.value for _, record in batch.records] == [f"A {number}".encode() for number in range(1_000)]


def test_a_batch_that_was_not_written_is_delivered_again() -> None:
    counter = Counter()
    counter.send(0, "A 1")
    counter.take(0)
    counter.engine.answer()
    counter.step()
    assert counter.gateway.batch() == counter.gateway.batch() is not None
    counter.write()
    assert counter.gateway.batch() is None
    assert counter.gateway.pending == 0


def test_the_partitions_take_turns_in_being_first_where_a_batch_does_not_hold_all() -> None:
    counter = Counter()
    for partition in (0, 1, 2):
        counter.send(partition, *("nothing" for _ in range(2 * BATCH)))
        counter.take(partition)
    first = [next(iter(batch.offsets)) for batch in (counter.gateway.batch() for _ in range(4)) if batch is not None]
    assert first == [0, 1, 2, 0]


def test_a_batch_ends_where_it_is_large_enough() -> None:
    counter = Counter()
    counter.send(0, *("nothing" for _ in range(10)))
    counter.take(0)
    batch = counter.gateway.batch(size=3 * len(b"letter"))
    assert batch is not None
    assert batch.offsets == {0: 3}


def test_an_undecidable_command_is_retried_until_its_time_is_up_and_then_answered_with_the_failure() -> None:
    counter = Counter()
    counter.send(0, "A 1", "A 2")
    counter.take(0)
    counter.engine.answer(0, NOT_NOW)
    counter.step()
    assert counter.engine.pending == []
    counter.now += PAUSE
    counter.step()
    counter.engine.answer(0, NOT_NOW)
    counter.now = TIMEOUT
    counter.step()
    counter.write()
    assert counter.answers() == [b"journal-unavailable"]
    assert [c.command_id for c, _ in counter.engine.pending] == ["2"]


def test_a_command_of_an_unfollowed_partition_waits_without_limit() -> None:
    counter = Counter()
    counter.send(0, "A 1")
    counter.take(0)
    for _ in range(3):
        counter.now += TIMEOUT
        counter.engine.answer(0, unavailable("not-followed", "another process"))
        counter.step()
        counter.now += PAUSE
        counter.step()
    assert counter.gateway.batch() is None
    counter.engine.answer()
    counter.step()
    counter.write()
    assert counter.answers() == [b"accepted"]


def test_a_failure_that_a_retry_cannot_mend_is_answered_at_once() -> None:
    counter = Counter()
    counter.send(0, "A 1", "B 1")
    counter.take(0)
    counter.engine.answer(0, unavailable("order-stuck", "a newer release wrote it"))
    counter.engine.pending.pop()[1].set_exception(RuntimeError("a defect"))
    counter.step()
    counter.write()
    assert counter.answers() == [b"order-stuck", b"defect"]


def test_a_command_that_is_not_ready_is_retried_or_answered_before_the_next_of_its_order() -> None:
    counter = Counter()
    counter.form.not_ready = [unavailable("vault-unavailable", "away"), Outcome("bad", "no-such-text")]
    counter.send(0, *(f"A {n}" for n in range(2)))
    counter.take(0)
    counter.step()
    assert counter.engine.pending == []
    counter.now += PAUSE
    counter.step()
    assert [c.command_id for c, _ in counter.engine.pending] == ["1"]
    counter.write()
    assert counter.answers() == [b"no-such-text"]


def test_thousands_of_an_order_that_are_not_ready_are_answered_in_their_order() -> None:
    counter = Counter()
    counter.form.not_ready = [Outcome("bad", f"{n}") for n in range(3_000)]
    counter.send(0, *(f"A {n}" for n in range(3_000)))
    counter.take(0, 3_000)
    counter.step()
    while counter.gateway.pending:
        counter.write()
    assert counter.answers() == [f"{n}".encode() for n in range(3_000)]


def test_the_answer_to_a_revoked_input_is_dropped() -> None:
    counter = Counter()
    counter.send(0, "A 1", "A 2")
    counter.take(0)
    counter.lose(0)
    counter.engine.answer()
    counter.step()
    assert counter.gateway.batch() is None
    assert counter.engine.pending == []
    counter.take(0)
    counter.engine.answer()
    counter.step()
    counter.engine.answer()
    counter.step()
    counter.write()
    assert counter.answers() == [b"duplicate", b"accepted"]
    assert counter.engine.order["acme/A"] == ["1", "2"]


def test_there_is_room_for_so_many_inputs_and_for_so_many_bytes() -> None:
    counter = Counter()
    room = counter.gateway.room
    counter.send(0, "A 1", "nothing")
    counter.take(0)
    assert counter.gateway.room == room - 2
    counter.gateway.take([InputRecord(1, 0, b"", bytes(IN_FLIGHT_BYTES), {})], 0)
    assert counter.gateway.room == 0
    counter.write()
    assert counter.gateway.room == room - 2
    counter.lose(0)
    assert counter.gateway.room == room


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("take", "take", "answer", "answer", "answer", "away", "write", "fail", "unknown", "lose")),
        st.integers(0, 2),
        st.integers(0, 5),
    ),
    max_size=120,
)
SENT = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=40)
Step = tuple[Literal["take", "answer", "away", "write", "fail", "unknown", "lose"], int, int]


@given(SENT, STEPS)
def test_each_input_is_answered_once_and_each_order_in_its_order_whatever_happens(
    sent: list[tuple[int, int]], steps: list[Step]
) -> None:
    counter = Counter()
    wanted = 0
    for number, (partition, order) in enumerate(sent):
        counter.send(partition, "unreadable" if order == 3 else f"O-{partition}-{order} c{number}")
    everything = [0, 1, 2]
    for what, partition, many in steps:
        match what:
            case "take":
                counter.take(partition, many)
            case "answer" if counter.engine.pending:
                counter.engine.answer(many % len(counter.engine.pending))
            case "away" if counter.engine.pending:
                counter.engine.answer(many % len(counter.engine.pending), NOT_NOW)
            case "write":
                counter.write(counter.gateway.batch(many + 1))
            case "fail":  # certainly not written: all inputs come again
                counter.lose(*everything)
            case "unknown":  # written, but nobody here knows
                counter.write(confirmed=False)
                counter.lose(*everything)
            case "lose":
                counter.lose(partition)
            case _:
                pass
        counter.step()
        counter.now += PAUSE
    while any(counter.committed[p] < len(counter.sent[p]) for p in everything):
        wanted += 1
        assert wanted < 10_000, "it does not end"
        for partition in everything:
            counter.take(partition)
        while counter.engine.pending:
            counter.engine.answer()
        counter.now += PAUSE
        counter.step()
        counter.write()
    keys = [key for key, _ in counter.outcomes]
    assert sorted(keys) == sorted(f"{p}:{n}" for p in everything for n in range(len(counter.sent[p])))
    for partition in everything:
        own = [int(key.partition(":")[2]) for key in keys if key.startswith(f"{partition}:")]
        assert own == sorted(own)
    for name, decided in counter.engine.order.items():
        assert decided == sorted(decided, key=lambda command_id: int(command_id[1:])), name
    assert all(times <= 1 for times in counter.engine.decided.values())


def test_a_command_is_read_as_written() -> None:
    assert command("A", "1").stream == "acme/A"
