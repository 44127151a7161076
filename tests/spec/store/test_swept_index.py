"""An index of random keys finds what was added, whether it waits, is written, or has a filter before the table."""

import random

import pytest

from infra.local_state import swept_index
from infra.local_state.file import Connection
from infra.local_state.swept_index import KEY_BITS, SweptIndex


@pytest.fixture
def connection() -> Connection:
    import sqlite3

    found: Connection = sqlite3.connect(":memory:", factory=Connection)
    found.execute("CREATE TABLE keys (key INTEGER, number INTEGER, PRIMARY KEY (key, number)) WITHOUT ROWID")
    return found


def test_with_a_filter_it_finds_exactly_what_it_found_without(connection: Connection) -> None:
    chance = random.Random(7)
    index, expected = SweptIndex(connection, "keys"), {}
    for number in range(9_000):
        key = chance.getrandbits(KEY_BITS)
        expected[key] = number
        index.add(key, number)
        if number % 500 == 499:
            index.sweep(number - 499, number + 1)
        wanted = chance.choice(list(expected)) if number % 50 == 0 else key
        assert index.find(wanted) == [expected[wanted]]
    assert index._filter is not None
    assert all(index.find(key) == [number] for key, number in expected.items())
    strangers = {chance.getrandbits(KEY_BITS) for _ in range(2_000)} - expected.keys()
    assert not any(index.find(key) for key in strangers)


def test_two_numbers_under_one_key_are_both_found(connection: Connection) -> None:
    index = SweptIndex(connection, "keys")
    index.add(5, 1)
    index.add(5, 2)
    for _ in range(swept_index._LOOKS + 2):
        assert sorted(index.find(5)) == [1, 2]
    index.sweep(0, swept_index.WINDOW)
    assert sorted(index.find(5)) == [1, 2]


def test_a_full_filter_is_rebuilt_and_one_of_another_writers_table_is_dropped(
    connection: Connection,
) -> None:
    index = SweptIndex(connection, "keys")
    for _ in range(swept_index._LOOKS + 2):
        assert index.find(1) == []
    assert index._filter is not None
    index._room = 3
    for number in range(5):
        index.add(number, number)
    assert index._filter is None
    for _ in range(swept_index._LOOKS + 2):
        assert index.find(9) == []
    connection.execute("INSERT INTO keys VALUES (9, 9)")  # by somebody else
    index.unfilter()
    assert index.find(9) == [9]
