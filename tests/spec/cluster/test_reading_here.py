"""Orders that may be read here: those of partitions followed to the log's end at the time of their assignment."""

import pytest

from infra.http.reads import NotFollowedHere, partition_here
from infra.local_state import memory_local_state
from tests.spec.engine.desk import Desk, place

PARTITIONS = 3


def test_an_order_is_read_here_from_when_its_partition_has_arrived_until_it_goes() -> None:
    desk = Desk(PARTITIONS)
    writer = desk.engine()
    order = next(f"acme/PO-{n}" for n in range(100) if writer.partition(f"acme/PO-{n}") == 1)
    desk.answer(writer, place(order=order))
    engine = desk.engine()
    for partition in range(PARTITIONS):
        engine.revoke(partition)
    desk.run(engine)
    with pytest.raises(NotFollowedHere) as elsewhere:
        partition_here(engine, order)
    assert elsewhere.value.partition == 1
    engine.assign(1, memory_local_state(1, PARTITIONS))
    engine.take(desk.clock)
    assert 1 in engine.followers, "it is followed, but what was placed is not read yet"
    with pytest.raises(NotFollowedHere):
        partition_here(engine, order)
    desk.run(engine)
    assert partition_here(engine, order) == 1
    current = engine.orders.get(1, order).order
    assert current is not None and current.exists
