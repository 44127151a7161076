"""The reference of a cancellation: from the commit's hash alone, and read back as people type it."""

from hypothesis import given
from hypothesis import strategies as st

from domain.references import ALPHABET, read_reference, reference_of


def test_the_reference_is_the_first_forty_bits_of_the_hash() -> None:
    assert reference_of(bytes(32)) == "C-0000-0000"
    assert reference_of(b"\xff" * 32) == "C-ZZZZ-ZZZZ"
    assert reference_of(bytes([0, 0, 0, 0, 1]) + b"\xff" * 27) == "C-0000-0001"
    assert reference_of(bytes([0b00001_000, 0, 0, 0, 0]) + bytes(27)) == "C-1000-0000"


@given(st.binary(min_size=32, max_size=32))
def test_an_issued_reference_is_read_back(commit: bytes) -> None:
    reference = reference_of(commit)
    assert read_reference(reference) == reference
    assert read_reference(f" {reference.lower()} ") == reference
    assert read_reference(reference.replace("-", "")) == reference
    assert set(reference) <= {*ALPHABET, "-"}


def test_characters_that_look_alike_are_read_as_the_intended_ones() -> None:
    assert read_reference("c-oil0-zzzz") == "C-0110-ZZZZ"


def test_text_that_is_no_reference_is_not_read_as_one() -> None:
    for text in ("", "C-", "C-7F3K", "C-7F3K-9QX", "D-7F3K-9QX2", "C-7F3K-9QXU", "C-7F3K-9QX22", "PO-1001"):
        assert read_reference(text) is None, text
