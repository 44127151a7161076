"""The text form of the vault's key-encryption key."""

import base64
import binascii
from typing import Final

KEY_BYTES: Final = 32


def key_from_text(text: str) -> bytes:
    """Decode a key written in base64. ValueError if it is not 32 bytes."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("must be 32 bytes in base64, like the output of: openssl rand -base64 32")
    return key
