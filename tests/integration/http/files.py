"""Small complete files of the kinds that evidence may have, made by hand, so that no test depends on a picture
library."""

import struct
import zlib


def png(width: int = 2, height: int = 2, shade: int = 200, padding: int = 0) -> bytes:
    """A grey picture; ``padding`` bytes of a text in it make it as large as one likes."""
    rows = b"".join(b"\0" + bytes([shade]) * width for _ in range(height))
    parts = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    if padding:
        parts.append(_chunk(b"tEXt", b"Comment\0" + b"x" * padding))
    parts += [_chunk(b"IDAT", zlib.compress(rows)), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def jpeg() -> bytes:
    """The segments of a photograph in their order; what the scan holds is for a decoder."""
    return b"".join(
        (
            b"\xff\xd8",
            b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0\1\1\0\0\1\0\1\0\0",
            b"\xff\xdb" + struct.pack(">H", 67) + b"\0" + bytes([1]) * 64,
            b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, 2, 2, 1) + b"\1\x11\0",
            b"\xff\xda" + struct.pack(">HB", 8, 1) + b"\1\0\0\x3f\0",
            b"\xd2\xcf\x20\xff\0\x15",
            b"\xff\xd9",
        )
    )


def pdf() -> bytes:
    """One empty page."""
    head = b"%PDF-1.4\n"
    objects = (
        b"1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n",
        b"2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n",
        b"3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>\nendobj\n",
    )
    at = len(head) + sum(len(each) for each in objects)
    return (
        head
        + b"".join(objects)
        + b"xref\n0 1\n0000000000 65535 f \ntrailer\n<</Root 1 0 R>>\n"
        + (b"startxref\n" + str(at).encode() + b"\n%%EOF\n")
    )
