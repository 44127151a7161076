"""The wire framing of public records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.framing import HEAD_BYTES, NotFramed, frame, unframe


def test_a_framed_body_is_a_zero_byte_the_id_in_four_bytes_and_the_body() -> None:
    assert frame(0x01020304, b"body") == b"\x00\x01\x02\x03\x04body"


@given(st.integers(0, 2**32 - 1), st.binary())
def test_framed_bytes_are_read_back(schema_id: int, body: bytes) -> None:
    framed = frame(schema_id, body)
    assert unframe(framed) == (schema_id, body)
    assert len(framed) == HEAD_BYTES + len(body)


@pytest.mark.parametrize("schema_id", [-1, 2**32])
def test_an_id_that_does_not_fit_is_refused(schema_id: int) -> None:
    with pytest.raises(ValueError, match="schema id"):
        frame(schema_id, b"")


@pytest.mark.parametrize("framed", [b"", b"\x00\x00\x00\x01", b"\x01\x00\x00\x00\x01body"])
def test_bytes_without_the_head_are_not_framed(framed: bytes) -> None:
    with pytest.raises(NotFramed):
        unframe(framed)


@given(st.binary(max_size=12))
def test_any_bytes_are_unframed_or_refused(framed: bytes) -> None:
    try:
        schema_id, body = unframe(framed)
    except NotFramed:
        return
    assert frame(schema_id, body) == framed
