"""Partitions are those of Kafka's own default partitioner, so that any client sends a key where we expect it."""

from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import DefaultPartitioner
from kafka.partitioner.default import murmur2 as kafkas

from schemas.partitioning import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "hash"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_known_hashes_of_kafkas_own_tests(key: bytes, hash: int) -> None:
    assert murmur2(key) == hash % 2**32


@given(st.binary(max_size=40))
def test_the_hash_is_that_of_kafkas_python_client(key: bytes) -> None:
    assert murmur2(key) == kafkas(key) % 2**32


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 400))
def test_the_partition_is_the_one_that_kafkas_python_client_chooses(key: str, partitions: int) -> None:
    cluster = Mock(topics=lambda: {"t"}, partitions_for_topic=lambda _: range(partitions))
    cluster.available_partitions_for_topic.return_value = ()
    chosen = DefaultPartitioner().partition("t", key, key.encode(), b"", b"", cluster)
    assert partition_of(key, partitions) == chosen
