"""Computes the partition of a chain stream by murmur2, as Kafka's default partitioner does."""

from functools import lru_cache


def murmur2(data: bytes) -> int:
    """MurmurHash2 of the bytes with Kafka's seed, as an unsigned 32-bit integer."""
    length = len(data)
    m = 0x5BD1E995
    h = 0x9747B28C ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & 0xFFFFFFFF
        h = h * m & 0xFFFFFFFF ^ (k ^ k >> 24) * m & 0xFFFFFFFF
    if whole != length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & 0xFFFFFFFF
    h = (h ^ h >> 13) * m & 0xFFFFFFFF
    return h ^ h >> 15


@lru_cache(maxsize=16_384)
def partition_of(key: str, partitions: int) -> int:
    """The partition of a key (UTF-8) among ``partitions``: ``(murmur2 & 0x7fffffff) % partitions``."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
