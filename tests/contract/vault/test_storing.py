"""The vault: texts are there for who may read them, gone for ever when their subject is erased, never half there."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import pytest

from consumers.ports.journal import Appended, AppendRefused
from consumers.ports.vault import VaultUnavailable, file_reference
from infra.journals.memory import MemoryLog
from infra.vault import base as vault_base
from infra.vault.base import DatabaseVault, TextGone
from infra.vault.keys import VaultKeyWrong
from infra.vault.vault_first_journal import VaultFirstJournal
from tests.contract.vault.conftest import Place


def test_a_text_is_read_back_by_its_reference_alone(place: Place) -> None:
    with closing(place.open()) as vault:
        one = vault.seal("acme", "b-7", "Sorry! I took the wrong one. ✓")
        two = vault.seal("acme", "b-7", "Sorry! I took the wrong one. ✓")
        assert vault.open(one.reference) == "Sorry! I took the wrong one. ✓", "before it is written, too"
        vault.flush()
    assert len(one.commitment) == 32
    assert one != two, "one commitment does not reveal that another is of the same text"
    with closing(place.open()) as vault:
        assert vault.open(one.reference) == "Sorry! I took the wrong one. ✓"
        assert vault.proves(one)
        assert not vault.proves(type(one)(bytes(32), one.reference))
        assert vault.counts() == (1, 2)


def test_texts_sealed_before_closing_are_stored(place: Place) -> None:
    with closing(place.open()) as vault:
        sealed = vault.seal("acme", "b-7", "text")
    with closing(place.open()) as vault:
        assert vault.open(sealed.reference) == "text"


def test_the_files_contain_no_readable_text(place: Place, vault: DatabaseVault) -> None:
    vault.seal("acme", "b-7", "a secret that nobody guesses")
    vault.flush()
    assert place.files()
    for file in place.files():
        assert b"a secret that" not in file.read_bytes()


def test_an_erased_subject_is_gone_for_ever_and_the_others_stay(vault: DatabaseVault) -> None:
    gone, stays = vault.seal("acme", "b-7", "mine"), vault.seal("acme", "b-8", "yours")
    elsewhere = vault.seal("other", "b-7", "of another marketplace")
    assert vault.erase("acme", "b-7")
    assert not vault.erase("acme", "b-7")
    with pytest.raises(TextGone, match="erased"):
        vault.open(gone.reference)
    assert not vault.proves(gone)
    assert (vault.open(stays.reference), vault.open(elsewhere.reference)) == ("yours", "of another marketplace")
    new = vault.seal("acme", "b-7", "somebody of the same name")
    vault.flush()
    assert vault.open(new.reference) == "somebody of the same name"
    with pytest.raises(TextGone):
        vault.open(gone.reference)


def test_an_erased_key_is_in_no_file(place: Place, vault: DatabaseVault) -> None:
    vault.seal("acme", "b-7", "mine")
    vault.seal("acme", "b-8", "yours")
    vault.flush()
    [(first,), (second,)] = place.rows(f"SELECT wrapped FROM {place.keys}")
    assert all(any(wrapped in file.read_bytes() for file in place.files()) for wrapped in (first, second))
    vault.erase("acme", "b-7")
    [(left,)] = place.rows(f"SELECT wrapped FROM {place.keys} WHERE wrapped IS NOT NULL")
    [erased] = {first, second} - {left}
    assert all(erased not in file.read_bytes() for file in place.files())


def test_an_unknown_reference_is_no_text(vault: DatabaseVault) -> None:
    with pytest.raises(TextGone):
        vault.open("nothing")


def test_another_key_opens_nothing(place: Place) -> None:
    place.open().close()
    with pytest.raises(VaultKeyWrong, match="another key"):
        place.open(bytes(32))


def test_a_text_that_was_moved_to_another_reference_does_not_open(place: Place, vault: DatabaseVault) -> None:
    one, two = vault.seal("acme", "b-7", "one"), vault.seal("acme", "b-7", "two")
    vault.flush()
    [(sealed,)] = place.rows(f"SELECT sealed FROM {place.texts} WHERE reference = ?", one.reference)
    place.rows(f"UPDATE {place.texts} SET sealed = ? WHERE reference = ?", sealed, two.reference)
    with pytest.raises(VaultUnavailable, match="damaged"):
        vault.open(two.reference)
    assert not vault.proves(two)


def test_a_key_of_another_subject_does_not_decrypt_a_text(place: Place, vault: DatabaseVault) -> None:
    one, _ = vault.seal("acme", "b-7", "one"), vault.seal("acme", "b-8", "two")
    vault.flush()
    [(first,), (second,)] = place.rows(f"SELECT wrapped FROM {place.keys}")
    for wrapped in (first, second):
        place.rows(f"UPDATE {place.keys} SET wrapped = ?", wrapped)
    with pytest.raises(VaultUnavailable, match="damaged"):
        vault.open(one.reference)
    vault.seal("acme", "b-7", "three")
    with pytest.raises(VaultUnavailable, match="damaged"):
        vault.flush()


def test_texts_are_durable_before_the_record_that_points_to_them(place: Place, vault: DatabaseVault) -> None:
    log = MemoryLog(1, lambda: 0).journal()
    seen: list[int] = []

    def there() -> int:
        [(number,)] = place.rows(f"SELECT count(*) FROM {place.texts}")
        return int(number)

    class Looks:
        """The journal behind: at each append it looks at what another connection to the vault sees."""

        read, begin, end, wait, close = log.read, log.begin, log.end, log.wait, log.close
        identity, partitions, record_limit = log.identity, log.partitions, log.record_limit
        behind_hole, ready, silence = log.behind_hole, log.ready, log.silence

        def append(self, partition: int, key: bytes, record: bytes) -> Future[Appended]:
            seen.append(there())
            return log.append(partition, key, record)

    journal = VaultFirstJournal(Looks(), vault)
    for text in ("one", "two", "three"):
        vault.seal("acme", "b-7", text)
    assert there() == 0, "grouped, not one by one"
    assert journal.append(0, b"", b"record").result(10).offset == 0
    assert seen == [3]
    assert (journal.partitions, journal.identity, journal.record_limit) == (1, log.identity, log.record_limit)


def breaks(place: Place) -> None:
    """From now on nothing can be written, until it ``mends``."""
    place.rows(f"ALTER TABLE {place.texts} RENAME TO away")


def mends(place: Place) -> None:
    place.rows(f"ALTER TABLE away RENAME TO {place.texts}")


def test_nothing_is_appended_while_the_vault_cannot_write_and_waiting_texts_are_written_first(
    place: Place, vault: DatabaseVault
) -> None:
    log = MemoryLog(1, lambda: 0).journal()
    journal = VaultFirstJournal(log, vault)
    one = vault.seal("acme", "b-7", "one")
    breaks(place)
    with pytest.raises(AppendRefused, match="cannot write") as refused:
        journal.append(0, b"", b"points to " + one.reference.encode()).result(10)
    assert refused.value.retriable
    assert log.end(0) == 0
    assert journal.append(0, b"", b"points to nothing").result(10).offset == 0
    with pytest.raises(VaultUnavailable):
        vault.keep("acme", "b-7", "file-1", b"a file")
    mends(place)
    two = vault.seal("acme", "b-7", "two")
    until_it_takes(journal, one.reference + two.reference)
    with closing(place.open()) as other:
        assert (other.open(one.reference), other.open(two.reference)) == ("one", "two")
        assert other.proves(one)


def until_it_takes(journal: VaultFirstJournal, references: str) -> None:
    """A vault that could not be written to may let a moment go by before it is tried again."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            assert journal.append(0, b"", references.encode()).result(10).offset == 1
        except AppendRefused:
            continue
        return
    raise AssertionError("it never takes them")


def test_while_it_cannot_be_written_to_only_so_many_texts_are_taken(
    place: Place, vault: DatabaseVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault_base, "WAITING", 3)
    breaks(place)
    for _ in range(3):
        vault.seal("acme", "b-7", "text")
    with pytest.raises(VaultUnavailable, match="accepts no more"):
        vault.seal("acme", "b-7", "text")
    mends(place)
    vault.flush()
    vault.seal("acme", "b-7", "text")


def test_two_processes_share_a_vault_and_its_subjects(place: Place) -> None:
    with closing(place.open()) as one, closing(place.open()) as other:
        first = one.seal("acme", "b-7", "first")
        one.flush()
        second = other.seal("acme", "b-7", "second")
        other.flush()
        assert (other.open(first.reference), one.open(second.reference)) == ("first", "second")
        assert one.counts() == (1, 2)
        assert other.erase("acme", "b-7")
        third = one.seal("acme", "b-7", "third")
        one.flush()
        assert other.open(third.reference) == "third"
        with pytest.raises(TextGone):
            one.open(first.reference)


def test_two_processes_that_meet_the_same_new_subjects_give_each_one_key(place: Place) -> None:
    people = [f"b-{n}" for n in range(40)]

    def seals(order: list[str]) -> list[tuple[str, str]]:
        found = []
        with closing(place.open()) as vault:
            for first in range(0, len(order), 8):
                found += [(who, vault.seal("acme", who, who).reference) for who in order[first : first + 8]]
                vault.flush()
        return found

    place.open().close()
    with ThreadPoolExecutor(2) as threads:
        sealed = [each for seals in list(threads.map(seals, [people, people[::-1]])) for each in seals]
    with closing(place.open()) as vault:
        assert vault.counts() == (40, 80)
        assert all(vault.open(reference) == who for who, reference in sealed)


# ---- files ----------------------------------------------------------------------------------------------------------

PHOTO = bytes(range(256)) * 4


def test_a_file_is_stored_once_encrypted_and_read_back_unchanged(place: Place) -> None:
    reference = file_reference("acme", "PO-1", "e1", bytes(32))
    with closing(place.open()) as vault:
        assert vault.keep("acme", "b-7", reference, PHOTO)
        for file in place.files():
            assert PHOTO[:64] not in file.read_bytes()
        with closing(place.open()) as other:
            assert other.read(reference) == PHOTO, "durable as soon as it is stored, without a flush"
            assert not other.keep("acme", "b-7", reference, b"something else")
        assert vault.read(reference) == PHOTO


def test_a_file_of_the_maximum_size_is_stored(vault: DatabaseVault) -> None:
    large = bytes(range(250)) * 7_000
    assert vault.keep("acme", "b-7", "file-1", large)
    assert vault.read("file-1") == large


def test_a_file_has_another_place_for_every_order_evidence_and_content() -> None:
    places = {
        file_reference(marketplace, order, evidence, sha256)
        for marketplace in ("acme", "a")
        for order in ("PO-1", "PO-1\0e1")
        for evidence in ("e1", "e2")
        for sha256 in (bytes(32), bytes([1]) * 32)
    }
    assert len(places) == 16


def test_a_file_that_was_dropped_or_whose_subject_was_erased_is_gone_and_its_place_is_free(
    vault: DatabaseVault,
) -> None:
    text = vault.seal("acme", "b-7", "written before")
    vault.keep("acme", "b-7", "file-1", PHOTO)
    vault.drop("file-1")
    with pytest.raises(TextGone):
        vault.read("file-1")
    vault.flush()
    assert vault.open(text.reference) == "written before"
    vault.keep("acme", "b-7", "file-2", PHOTO)
    vault.erase("acme", "b-7")
    with pytest.raises(TextGone, match="erased"):
        vault.read("file-2")
    assert vault.keep("acme", "b-7", "file-2", PHOTO[:10]), "somebody of the same name gives it again"
    assert vault.read("file-2") == PHOTO[:10]
