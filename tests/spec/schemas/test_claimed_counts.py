"""A count is a claim: bytes that say there are more items than bytes are refused before anything is done about it."""

import pytest

from schemas.codec import Undecodable, decode_event
from schemas.wire import Malformed, compile_schema

HUGE = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"  # the largest long


def test_an_array_of_fixed_that_claims_more_than_there_is_ends_too_early() -> None:
    hashes = compile_schema({"type": "array", "items": {"type": "fixed", "name": "Hash", "size": 32}})
    assert hashes.decode(hashes.encode((bytes(32), b"\x01" * 32))) == (bytes(32), b"\x01" * 32)
    with pytest.raises(Malformed, match="too early"):
        hashes.decode(HUGE + bytes(32))


def test_an_event_that_claims_more_lines_than_it_has_bytes_is_undecodable() -> None:
    with pytest.raises(Undecodable, match="too early"):
        decode_event("RebillAccepted", 1, HUGE + bytes(100))
