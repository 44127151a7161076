"""Which process follows which partition, as the group says and as it is remembered."""

import asyncio
from typing import Any

import pytest

from infra.cluster.membership import MAX_AGE, RETRY_AFTER, Membership, Places, places_of

A, B = "http://127.0.0.1:8001", "http://[::1]:8002"


def member(client_id: Any, *partitions: int, topic: str = "p.commands") -> dict[str, Any]:
    assigned = {"assigned_partitions": [{"topic": topic, "partitions": list(partitions)}], "user_data": ""}
    return {"client_id": client_id, "member_assignment": assigned}


def group(*members: dict[str, Any], state: str = "Stable", error: str | None = None) -> dict[str, Any]:
    return {"group_state": state, "members": list(members), "error": error}


def test_each_partition_is_at_the_address_of_its_member() -> None:
    places = places_of(group(member(A, 0, 2), member(B, 1)), "p.commands")
    assert places == {0: A, 2: A, 1: B}


@pytest.mark.parametrize(
    "client_id",
    [
        "rescind", "", None, "http://127.0.0.1", "http://127.0.0.1:8001/path", "http://u:p@127.0.0.1:80", "file:///etc:1",
        "http://127.0.0.1:8001\r\nx", "http://127.0.0.1:80@evil.example:80", "gopher://127.0.0.1:70",
    ],
)  # fmt: skip
def test_a_member_that_advertises_no_address_is_never_contacted(client_id: Any) -> None:
    assert places_of(group(member(client_id, 0), member(A, 1)), "p.commands") == {1: A}


def test_other_topics_of_a_member_are_not_looked_at() -> None:
    assert places_of(group(member(A, 0, topic="p.journal")), "p.commands") == {}


def test_a_rebalancing_group_has_no_answer_yet() -> None:
    for state in ("PreparingRebalance", "CompletingRebalance"):
        assert places_of(group(member(A, 0), state=state), "p.commands") is None
    assert places_of(group(error="[Error 16] NotCoordinator"), "p.commands") is None
    half = {"client_id": A, "member_assignment": b""}
    assert places_of(group(half, member(B, 1)), "p.commands") == {1: B}


def test_a_group_without_members_follows_nothing() -> None:
    assert places_of(group(state="Empty"), "p.commands") == {}


class FakeGroup:
    def __init__(self) -> None:
        self.now = 50.0
        self.times = 0
        self.answer: Places | None = {0: A}
        self.about = Membership(self._describe, lambda: self.now)

    def _describe(self) -> Places | None:
        self.times += 1
        return self.answer

    def of(self, partition: int) -> str | None:
        return asyncio.run(self.about.of(partition))


def test_a_group_description_is_cached_for_a_while_and_then_requested_again() -> None:
    fake = FakeGroup()
    assert fake.of(0) == A
    fake.answer = {0: B}
    fake.now += MAX_AGE / 2
    assert (fake.of(0), fake.of(1)) == (A, None)
    assert fake.times == 1
    fake.now += MAX_AGE
    assert fake.of(0) == B
    assert fake.times == 2


def test_a_wrong_description_is_requested_again_soon_but_not_at_every_turn() -> None:
    fake = FakeGroup()
    fake.of(0)
    fake.answer = {0: B}
    for _ in range(100):
        fake.about.doubt()
        assert fake.of(0) == A
    assert fake.times == 1
    fake.now += RETRY_AFTER
    assert fake.of(0) == B


def test_the_last_group_description_is_used_while_there_is_no_newer_one() -> None:
    fake = FakeGroup()
    fake.of(0)
    fake.answer = None
    fake.now += MAX_AGE
    assert fake.of(0) == A
    fake.now += RETRY_AFTER
    fake.answer = {}
    assert fake.of(0) is None
