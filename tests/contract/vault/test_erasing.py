"""Erasing by the log: a key goes with the position at which it went, once; one that was made later stays."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from consumers.erasing.eraser import Erasure
from infra.vault.base import DatabaseVault, Seen, TextGone
from tests.contract.vault.conftest import Place

B7 = ("acme", "b-7")


def sealed(vault: DatabaseVault, text: str, seen: Seen | None = None) -> str:
    reference = vault.seal(*B7, text, seen).reference
    vault.flush()
    return reference


def gone(vault: DatabaseVault, reference: str) -> bool:
    try:
        vault.open(reference)
    except TextGone:
        return True
    return False


def test_the_key_goes_and_the_position_moves_in_one_transaction(place: Place, vault: DatabaseVault) -> None:
    text = sealed(vault, "mine")
    assert vault.erased_through("j", 3) == 0
    assert vault.carry_out("j", 3, 0, 6, [Erasure(*B7, 5)])
    assert gone(vault, text)
    with closing(place.open()) as other:
        assert (other.erased_through("j", 3), other.erased_through("j", 2), other.erased_through("k", 3)) == (6, 0, 0)
        assert gone(other, text)


def test_where_the_position_was_moved_by_another_nothing_is_erased(vault: DatabaseVault) -> None:
    assert vault.carry_out("j", 0, 0, 6, [])
    text = sealed(vault, "mine")
    assert not vault.carry_out("j", 0, 0, 6, [Erasure(*B7, 5)])
    assert not vault.carry_out("j", 0, 5, 9, [Erasure(*B7, 5)])
    assert (vault.open(text), vault.erased_through("j", 0)) == ("mine", 6)


def test_of_several_engines_one_carries_it_out(place: Place) -> None:
    place.open().close()

    def carries(_: int) -> bool:
        with closing(place.open()) as vault:
            return vault.carry_out("j", 0, 0, 6, [Erasure(*B7, 5)])

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(carries, range(4))) == [False, False, False, True]


@pytest.mark.parametrize(
    ("seen", "stays"),
    [
        (None, False),
        (Seen("j", 5), False),
        (Seen("j", 6), True),
        (Seen("another", 6), False),
    ],
)
def test_a_key_made_by_a_process_that_knew_of_the_erasure_stays(
    vault: DatabaseVault, seen: Seen | None, stays: bool
) -> None:
    text = sealed(vault, "of the same name", seen)
    assert vault.carry_out("j", 0, 0, 6, [Erasure(*B7, 5)])
    assert gone(vault, text) is not stays


def test_a_file_s_key_is_made_at_its_place_too(vault: DatabaseVault) -> None:
    vault.seen = lambda marketplace, subject: Seen("j", 6)
    assert vault.keep(*B7, "file-1", b"a file")
    vault.carry_out("j", 0, 0, 6, [Erasure(*B7, 5)])
    assert vault.read("file-1") == b"a file"
    vault.carry_out("j", 0, 6, 7, [Erasure(*B7, 6)])
    with pytest.raises(TextGone):
        vault.read("file-1")


def test_a_process_that_knows_of_a_pending_erasure_no_longer_uses_the_old_key(
    place: Place, vault: DatabaseVault
) -> None:
    before = sealed(vault, "before", Seen("j", 3))
    after = sealed(vault, "after", Seen("j", 6, erased=5))
    again = sealed(vault, "again", Seen("j", 8, erased=5))
    assert gone(vault, before), "its key had to go"
    vault.carry_out("j", 0, 0, 6, [Erasure(*B7, 5)])
    assert (vault.open(after), vault.open(again)) == ("after", "again")
    assert vault.counts() == (1, 2)


def test_texts_that_are_not_written_yet_go_with_the_key(vault: DatabaseVault) -> None:
    text = vault.seal(*B7, "mine", Seen("j", 5)).reference
    vault.carry_out("j", 0, 0, 6, [Erasure(*B7, 5)])
    assert gone(vault, text)


CUTS: list[Callable[[DatabaseVault], object]] = [
    lambda vault: vault.carry_out("j", 0, 0, 6, [Erasure(*B7, 5)]),
    lambda vault: sealed(vault, "after", Seen("j", 6, erased=5)),
]


@pytest.mark.parametrize("cut", CUTS, ids=["carried out", "replaced by the next text"])
def test_cut_off_before_the_key_is_out_of_every_file_the_next_process_sees_to_it(
    place: Place, cut: Callable[[DatabaseVault], object]
) -> None:
    with closing(place.open()) as vault:
        sealed(vault, "mine", Seen("j", 1))
        vault.seal("acme", "b-8", "yours")
        vault.flush()
        [wrapped] = [key for (key,) in place.rows(f"SELECT wrapped FROM {place.keys}") if contains(place, key)][:1]
        cut(vault)
        with closing(place.open()) as other:
            other.scrub()
        left = [key for (key,) in place.rows(f"SELECT wrapped FROM {place.keys} WHERE wrapped IS NOT NULL")]
        assert wrapped not in left
        assert not contains(place, wrapped)
        assert all(contains(place, key) for key in left)


def contains(place: Place, key: bytes) -> bool:
    return any(key in file.read_bytes() for file in place.files())


def test_a_vault_of_an_earlier_release_gets_a_table_of_positions(place: Place) -> None:
    with closing(place.open()) as vault:
        text = sealed(vault, "mine")
    for table in ("keys_made", "erasing"):
        place.rows(f"DROP TABLE {'vault_' if place.keys == 'vault_keys' else ''}{table}")
    with closing(place.open()) as vault:
        assert vault.open(text) == "mine"
        assert vault.carry_out("j", 0, vault.erased_through("j", 0), 6, [Erasure(*B7, 5)])
        assert gone(vault, text)
