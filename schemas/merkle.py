"""Merkle trees as in RFC 6962 section 2.1: SHA-256, leaves hashed behind 0x00, nodes behind 0x01.

A tree over *n* leaves splits at the largest power of two below *n*. ``Tree`` grows leaf by leaf and stores only the
roots of its complete subtrees (at most one for each bit of its size), which is enough to compute its root. ``Archive``
stores every hash and creates proofs. ``verify_inclusion`` and ``verify_consistency`` need no tree, and return True or
False for any input. Hashes are 32 bytes, an audit path goes from the leaf to the root.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of the tree without leaves."""

HASH_BYTES: Final = 32


def leaf_hash(content: bytes) -> bytes:
    """Hash the content of a leaf."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash a node from the hashes of its two children."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that only grows. It stores its size and the roots of its complete subtrees, largest first."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    @classmethod
    def restored(cls, size: int, peaks: Sequence[bytes]) -> "Tree":
        """Restore a tree from its ``size`` and ``peaks``. Raises ValueError if they do not belong together."""
        if size < 0 or len(peaks) != size.bit_count() or any(len(peak) != HASH_BYTES for peak in peaks):
            raise ValueError(f"{len(peaks)} peaks do not make a tree of {size} leaves")
        tree = cls()
        tree.size, tree._peaks = size, list(peaks)
        return tree

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees, largest first. With the size, they restore the tree (``restored``)."""
        return tuple(self._peaks)

    def append(self, content: bytes) -> None:
        """Append a leaf with this content."""
        self.append_hash(leaf_hash(content))

    def append_hash(self, leaf: bytes) -> None:
        """Append a leaf by its hash."""
        peaks = self._peaks
        whole = self.size
        while whole & 1:
            leaf = node_hash(peaks.pop(), leaf)
            whole >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree."""
        if not self._peaks:
            return EMPTY_ROOT
        over = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            over = node_hash(peak, over)
        return over


class Archive:
    """A tree that stores every hash, and proves inclusion and consistency for any size that it had.

    Level *k* has the roots of the complete subtrees of 2**k leaves. The archive stores about two hashes for each leaf
    and creates a proof in O(log² n).
    """

    __slots__ = ("_levels",)

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = [[]]

    @property
    def size(self) -> int:
        """The number of leaves."""
        return len(self._levels[0])

    def append(self, content: bytes) -> None:
        """Append a leaf with this content."""
        self.append_hash(leaf_hash(content))

    def append_hash(self, leaf: bytes) -> None:
        """Append a leaf by its hash."""
        over = leaf
        for level in self._levels:
            level.append(over)
            if len(level) & 1:
                return
            over = node_hash(level[-2], level[-1])
        self._levels.append([over])

    def root(self, size: int) -> bytes:
        """The root of the first ``size`` leaves. Raises IndexError if there are fewer."""
        self._had(size)
        return self._over(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """The audit path of leaf ``index`` in the tree of ``size`` leaves. Raises IndexError if there is none."""
        self._had(size)
        if not 0 <= index < size:
            raise IndexError(f"leaf {index} of {size}")
        path: list[bytes] = []
        first, behind = 0, size
        while behind - first > 1:
            middle = first + _split(behind - first)
            if index < middle:
                path.append(self._over(middle, behind))
                behind = middle
            else:
                path.append(self._over(first, middle))
                first = middle
        path.reverse()
        return path

    def consistency_proof(self, old_size: int, size: int) -> list[bytes]:
        """Prove that the tree of ``size`` leaves begins with the tree of ``old_size`` leaves.

        The proof is empty if the old tree is empty or the sizes are equal. Raises IndexError if ``old_size`` is larger.
        """
        self._had(size)
        if not 0 <= old_size <= size:
            raise IndexError(f"{old_size} of {size} leaves")
        if old_size in (0, size):
            return []
        path: list[bytes] = []
        first, behind = 0, size
        while behind != old_size:
            middle = first + _split(behind - first)
            if old_size <= middle:
                path.append(self._over(middle, behind))
                behind = middle
            else:
                path.append(self._over(first, middle))
                first = middle
        if first:  # Otherwise this is the old root, which the verifier knows.
            path.append(self._over(first, behind))
        path.reverse()
        return path

    def _had(self, size: int) -> None:
        if not 0 <= size <= self.size:
            raise IndexError(f"a tree of {size} leaves, of {self.size}")

    def _over(self, first: int, behind: int) -> bytes:
        """The root of the subtree over the leaves from ``first`` to ``behind`` (exclusive)."""
        count = behind - first
        level = count.bit_length() - 1
        if count == 1 << level:
            return self._levels[level][first >> level]
        middle = first + _split(count)
        return node_hash(self._over(first, middle), self._over(middle, behind))


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> bool:
    """Whether ``path`` leads from the hash of leaf ``index`` to the root ``expected`` of a tree of ``size`` leaves."""
    if not 0 <= index < size or not _hashes(leaf, expected, *path):
        return False
    over, node, last = leaf, index, size - 1
    for sibling in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            over = node_hash(sibling, over)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            over = node_hash(over, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and over == expected


def verify_consistency(old_size: int, size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether ``path`` shows that the tree with ``new_root`` begins with the tree with ``old_root``."""
    if not 0 <= old_size <= size or not _hashes(old_root, new_root, *path):
        return False
    if old_size == 0:
        return not path and old_root == EMPTY_ROOT and (size > 0 or new_root == EMPTY_ROOT)
    if old_size == size:
        return not path and old_root == new_root
    node, last = old_size - 1, size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    steps = list(path)
    if node == 0:
        old = new = old_root
    elif steps:
        old = new = steps.pop(0)
    else:
        return False
    for sibling in steps:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and old == old_root and new == new_root


def _split(count: int) -> int:
    """The largest power of two below ``count`` (at least 2)."""
    return 1 << (count - 1).bit_length() - 1


def _hashes(*given: bytes) -> bool:
    return all(len(one) == HASH_BYTES for one in given)
