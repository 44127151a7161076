"""Detects by its bytes whether a file is a complete JPEG, PNG or PDF; its name and declared type are ignored.

Checks that the structure fits the format from beginning to end, so that a web page, a script or a truncated upload is
not accepted. Pictures are not decoded.
"""

import re
import struct
import zlib
from typing import Final

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"
PDF: Final = "application/pdf"
EXTENSIONS: Final = {JPEG: "jpg", PNG: "png", PDF: "pdf"}

_PNG_BEGINS: Final = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNK: Final = re.compile(rb"[A-Za-z]{4}")
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a frame, which has the picture's width and height."""
_PDF_BEGINS: Final = re.compile(rb"%PDF-(1\.[0-7]|2\.0)[\r\n \t]")
_PDF_ENDS: Final = re.compile(rb"startxref\s+(\d{1,10})\s+%%EOF\s*\Z")
_PDF_TAIL: Final = 2048
_PDF_OBJECT: Final = re.compile(rb"(?<!\d)\d++ \d++ obj\b")


class UnsupportedFile(ValueError):
    """The bytes are not a complete JPEG, PNG or PDF; the message says why."""


def media_type_of(content: bytes) -> str:
    """Return image/jpeg, image/png or application/pdf; UnsupportedFile for everything else."""
    if content.startswith(_PNG_BEGINS):
        _check_png(content)
        return PNG
    if content.startswith(b"\xff\xd8\xff"):
        _check_jpeg(content)
        return JPEG
    if content.startswith(b"%PDF-"):
        _check_pdf(content)
        return PDF
    raise UnsupportedFile("it is not a JPEG, PNG or PDF file")


def _check_png(content: bytes) -> None:
    """Check signature, IHDR with a size, at least one IDAT, the chunks' checksums, and IEND with nothing after it."""
    at = len(_PNG_BEGINS)
    seen: list[bytes] = []
    while at + 12 <= len(content):
        length, name = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if _PNG_CHUNK.fullmatch(name) is None or end > len(content):
            break
        body = content[at + 4 : end - 4]
        if zlib.crc32(body) != struct.unpack_from(">I", content, end - 4)[0]:
            raise UnsupportedFile(f"the PNG is damaged in its part {name.decode()}")
        if not seen and (name != b"IHDR" or length != 13 or 0 in struct.unpack_from(">II", body, 4)):
            raise UnsupportedFile("the PNG does not begin with the picture's size")
        seen.append(name)
        at = end
        if name == b"IEND":
            if at != len(content):
                raise UnsupportedFile("the PNG has data after its end")
            if b"IDAT" not in seen:
                raise UnsupportedFile("the PNG has no picture in it")
            return
    raise UnsupportedFile("the PNG is cut off")


def _check_jpeg(content: bytes) -> None:
    """Check the segments, a frame with a size, a scan, and the end marker after it."""
    at, sized = 2, False
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            raise UnsupportedFile("the JPEG is damaged: a segment is missing")
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD9 or marker == 0:
            raise UnsupportedFile("the JPEG is damaged: it ends before there is a picture")
        (length,) = struct.unpack_from(">H", content, at + 2)
        if length < 2 or at + 2 + length > len(content):
            break
        if marker in _JPEG_FRAMES:
            if length < 11 or 0 in struct.unpack_from(">HH", content, at + 5):
                raise UnsupportedFile("the JPEG has no size")
            sized = True
        at += 2 + length
        if marker == 0xDA:
            if not sized:
                raise UnsupportedFile("the JPEG has no size")
            if content.find(b"\xff\xd9", at) < at + 1:
                break
            return
    raise UnsupportedFile("the JPEG is cut off")


def _check_pdf(content: bytes) -> None:
    """Check the version, objects, and that the cross-reference table lies within the file."""
    if _PDF_BEGINS.match(content) is None:
        raise UnsupportedFile("the PDF has an unknown version")
    found = _PDF_ENDS.search(content[-_PDF_TAIL:])
    if found is None:
        raise UnsupportedFile("the PDF is cut off")
    if not 0 < int(found[1]) < len(content) or _PDF_OBJECT.search(content) is None:
        raise UnsupportedFile("the PDF is damaged: its cross-reference table is missing")
