"""An index of random keys whose cost stays flat as it grows: new entries wait in memory and are written in sweeps.

Inserting random keys one by one touches one page of a B-tree each. Once there are many pages, every insert writes 4
KiB. Here entries wait in 256 buckets by the upper bits of their key. The buckets are written in turn, and 256 rounds
make a sweep, so neighboring keys reach the same pages together. Waiting entries are not stored a second time. Their
numbers are dense and increasing (ordinals, ids of streams), so after a restart the owner loads the newest WINDOW
entries again.

Keys are 47-bit hashes. The caller compares the full value behind a number it finds.

Most keys that are looked up are new, because every commit asks whether its id exists. A filter in memory (one bit per
key, at most two bytes per key) answers nearly all of these without a query. It is built after a few hundred lookups, so
that a process with few lookups does not pay for it, and dropped when another process may have written.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from infra.local_state.file import Connection

KEY_BITS: Final = 47
_BUCKETS: Final = 256
_EVERY: Final = 128
WINDOW: Final = _BUCKETS * _EVERY
"""The most of the newest numbers that may wait in memory only."""

_SHIFT: Final = KEY_BITS - 8
_LOOKS: Final = 512
"""Queries of the table before a filter is built."""
_BITS_A_KEY: Final = 16
_SMALLEST: Final = 20
"""Binary logarithm of a filter's smallest size in bits: 128 KiB."""


def key_of_text(text: str) -> int:
    """The key of a name: evenly distributed, the same in every process."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 17


def key_of_id(id: bytes) -> int:
    """The key of a UUID, which is evenly distributed itself."""
    return int.from_bytes(id[:8], "big") >> 17


class SweptIndex:
    """Map a key to numbers. ``name`` is the table with the columns (key, number). ``sweep`` runs inside the caller's
    transaction."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._find = f"SELECT number FROM {name} WHERE key = ?"
        self._insert = f"INSERT OR IGNORE INTO {name} VALUES (?, ?)"
        self._buckets: list[dict[int, int]] = [{} for _ in range(_BUCKETS)]
        self._twins: dict[int, list[int]] = {}
        self._count = f"SELECT count(*) FROM {name}"
        self._keys = f"SELECT key FROM {name}"
        self._looks = 0
        self._filter: bytearray | None = None
        self._bits = 0
        self._room = 0

    def load(self, youngest: Iterable[tuple[int, int]]) -> None:
        """Load the (key, number) of at least the WINDOW newest numbers, including those in the table."""
        for key, number in youngest:
            self.add(key, number)

    def find(self, key: int) -> list[int]:
        """The numbers under this key. Nearly always none or one."""
        seen = self._filter
        if seen is None:
            self._looks += 1
            if self._looks > _LOOKS:
                self._make_filter()
        else:
            bit = key >> (KEY_BITS - self._bits)
            if not seen[bit >> 3] & (1 << (bit & 7)):
                return []
        found = [number for (number,) in self._connection.rows(self._find, (key,))]
        waiting = self._buckets[key >> _SHIFT].get(key)
        if waiting is not None:
            for number in (waiting, *self._twins.get(key, ())):
                if number not in found:
                    found.append(number)
        return found

    def add(self, key: int, number: int) -> None:
        """Add an entry. ``find`` sees it at once."""
        if self._buckets[key >> _SHIFT].setdefault(key, number) != number:
            self._twins.setdefault(key, []).append(number)
        if self._filter is not None:
            bit = key >> (KEY_BITS - self._bits)
            self._filter[bit >> 3] |= 1 << (bit & 7)
            self._room -= 1
            if self._room < 0:
                self.unfilter()

    def _make_filter(self) -> None:
        """Build a filter with one bit for each key in the table or in memory, and with room for as many again."""
        ((stored,),) = self._connection.rows(self._count)
        keys = stored + sum(len(bucket) for bucket in self._buckets)
        self._bits = min(max(_SMALLEST, (2 * keys * _BITS_A_KEY).bit_length()), 30)
        self._room = max(keys, (1 << self._bits) // _BITS_A_KEY - keys)
        seen, shift = bytearray(1 << (self._bits - 3)), KEY_BITS - self._bits
        for (key,) in self._connection.rows(self._keys):
            bit = key >> shift
            seen[bit >> 3] |= 1 << (bit & 7)
        for bucket in self._buckets:
            for key in bucket:
                bit = key >> shift
                seen[bit >> 3] |= 1 << (bit & 7)
        self._filter = seen

    def unfilter(self) -> None:
        """Drop the filter, because it is full or another process may have written. ``find`` queries the table again."""
        self._filter = None
        self._looks = 0

    def sweep(self, first: int, behind: int) -> None:
        """Write the buckets whose turn it is, after numbers from ``first`` to below ``behind`` were added."""
        for turn in range(first // _EVERY, behind // _EVERY):
            bucket = self._buckets[turn % _BUCKETS]
            rows = sorted(bucket.items())
            for key in self._twins.keys() & bucket.keys():
                rows += [(key, number) for number in self._twins.pop(key)]
            self._connection.executemany(self._insert, rows)
            bucket.clear()

    def clear(self) -> None:
        """Drop the entries in memory: after a failed transaction, before the next ``load``."""
        for bucket in self._buckets:
            bucket.clear()
        self._twins.clear()
        self.unfilter()
