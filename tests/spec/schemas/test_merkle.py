"""Merkle trees: the vectors that RFC 6962's own implementation ships, and the RFC's recursion as the model."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.merkle import (
    EMPTY_ROOT,
    Archive,
    Tree,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

CONTENTS = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
AUDIT_PATHS = {  # (leaf, size) → path
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {  # (old size, size) → path
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def archive(contents: list[bytes]) -> Archive:
    made = Archive()
    for content in contents:
        made.append(content)
    return made


# The definitions of RFC 6962 2.1, word for word.


def naive_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(m: int, leaves: list[bytes], known: bool = True) -> list[bytes]:
    if m == len(leaves):
        return [] if known else [naive_root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*naive_proof(m, leaves[:k], known), naive_root(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], False), naive_root(leaves[:k])]


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


contents = st.lists(st.binary(max_size=8), max_size=70)


def test_the_known_vectors_have_their_roots() -> None:
    tree = Tree()
    assert tree.root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for content, expected in zip(CONTENTS, ROOTS, strict=True):
        tree.append(content)
        assert tree.root().hex() == expected
        assert archive(CONTENTS).root(tree.size).hex() == expected


@pytest.mark.parametrize(("index", "size"), AUDIT_PATHS)
def test_the_known_vectors_have_their_audit_paths(index: int, size: int) -> None:
    path = archive(CONTENTS).inclusion_proof(index, size)
    assert [step.hex() for step in path] == AUDIT_PATHS[index, size]
    assert verify_inclusion(leaf_hash(CONTENTS[index]), index, size, path, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_the_known_vectors_have_their_consistency_proofs(old: int, size: int) -> None:
    path = archive(CONTENTS).consistency_proof(old, size)
    assert [step.hex() for step in path] == CONSISTENCY[old, size]
    assert verify_consistency(old, size, bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[size - 1]), path)


@given(contents)
def test_both_trees_grow_to_the_root_of_the_recursion(leaves: list[bytes]) -> None:
    tree, stored = Tree(), Archive()
    for size, content in enumerate(leaves, 1):
        tree.append(content)
        stored.append(content)
        assert tree.size == stored.size == size
        assert tree.root() == stored.root(size) == naive_root(leaves[:size])


@given(contents.filter(bool), st.data())
def test_every_leaf_of_every_size_is_proven_with_the_path_of_the_recursion(
    leaves: list[bytes], data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, len(leaves)))
    index = data.draw(st.integers(0, size - 1))
    path = archive(leaves).inclusion_proof(index, size)
    assert path == naive_path(index, leaves[:size])
    assert verify_inclusion(leaf_hash(leaves[index]), index, size, path, naive_root(leaves[:size]))


@given(contents, st.data())
def test_every_size_is_consistent_with_every_later_one(leaves: list[bytes], data: st.DataObject) -> None:
    size = data.draw(st.integers(0, len(leaves)))
    old = data.draw(st.integers(0, size))
    path = archive(leaves).consistency_proof(old, size)
    assert path == (naive_proof(old, leaves[:size]) if old else [])
    assert verify_consistency(old, size, naive_root(leaves[:old]), naive_root(leaves[:size]), path)


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=40, unique=True), st.data())
def test_a_proof_of_one_leaf_proves_no_other_place_content_or_size(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = archive(leaves).inclusion_proof(index, size)
    root = naive_root(leaves)
    leaf = leaf_hash(leaves[index])
    for other in range(-1, size + 1):
        assert verify_inclusion(leaf, other, size, path, root) is (other == index)
    assert not verify_inclusion(leaf_hash(b"other"), index, size, path, root)
    assert not verify_inclusion(leaf, index, size, [*path, root], root)
    assert not verify_inclusion(leaf, index, size, path[:-1], root) or not path
    assert not verify_inclusion(leaf, index, 0, path, root)


@given(st.lists(st.binary(max_size=4), min_size=2, max_size=40, unique=True), st.data())
def test_a_tree_that_changed_an_old_leaf_is_consistent_by_no_proof_of_the_honest_one(
    leaves: list[bytes], data: st.DataObject
) -> None:
    size = len(leaves)
    old = data.draw(st.integers(1, size - 1))
    changed = data.draw(st.integers(0, old - 1))
    forged = [*leaves[:changed], b"changed", *leaves[changed + 1 :]]
    old_root, new_root = naive_root(leaves[:old]), naive_root(leaves)
    for path in (archive(leaves).consistency_proof(old, size), archive(forged).consistency_proof(old, size)):
        assert not verify_consistency(old, size, old_root, naive_root(forged), path)
    honest = archive(leaves).consistency_proof(old, size)
    assert not verify_consistency(old, size, old_root, new_root, [*honest, old_root])
    assert not verify_consistency(old, size, old_root, new_root, honest[:-1])
    assert not verify_consistency(old, size, new_root, old_root, honest)


@given(
    st.integers(-2, 20),
    st.integers(-2, 20),
    st.lists(st.sampled_from([bytes(32), b"\x01" * 32, b"short"]), max_size=6),
    st.sampled_from([bytes(32), b""]),
)
def test_verifying_answers_on_any_input(first: int, size: int, path: list[bytes], root: bytes) -> None:
    assert verify_inclusion(bytes(32), first, size, path, root) in (True, False)
    assert verify_consistency(first, size, root, root, path) in (True, False)


def test_nothing_before_is_consistent_with_anything_and_only_with_the_empty_root() -> None:
    root = naive_root([b"a"])
    assert verify_consistency(0, 1, EMPTY_ROOT, root, [])
    assert verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    assert not verify_consistency(0, 0, EMPTY_ROOT, root, [])
    assert not verify_consistency(0, 1, root, root, [])
    assert not verify_consistency(0, 1, EMPTY_ROOT, root, [root])


@given(contents, st.lists(st.binary(max_size=8), max_size=9))
def test_a_stored_tree_continues_where_it_was(before: list[bytes], after: list[bytes]) -> None:
    tree = Tree()
    for content in before:
        tree.append(content)
    again = Tree.restored(tree.size, tree.peaks)
    for content in after:
        again.append(content)
    assert again.root() == naive_root(before + after)


@pytest.mark.parametrize(("size", "peaks"), [(-1, [bytes(32)]), (1, []), (2, [bytes(32)] * 2), (1, [b"short"])])
def test_peaks_that_do_not_make_the_size_are_refused(size: int, peaks: list[bytes]) -> None:
    with pytest.raises(ValueError, match="do not make a tree"):
        Tree.restored(size, peaks)


def test_a_position_that_never_existed_is_an_index_error() -> None:
    stored = archive([b"a", b"b"])
    for query in (
        lambda: stored.root(3),
        lambda: stored.root(-1),
        lambda: stored.inclusion_proof(2, 2),
        lambda: stored.inclusion_proof(0, 3),
        lambda: stored.inclusion_proof(-1, 2),
        lambda: stored.consistency_proof(2, 1),
        lambda: stored.consistency_proof(-1, 1),
        lambda: stored.consistency_proof(1, 3),
    ):
        with pytest.raises(IndexError):
            query()


def test_a_leaf_is_never_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert node_hash(left, right) != leaf_hash(left + right)
