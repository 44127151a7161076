"""Copies of the golden stores for tests: each call unpacks one into a fresh directory."""

import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

STORES = Path(__file__).parent
NAMES = sorted(path.name.removesuffix(".tar.xz") for path in STORES.glob("*.tar.xz"))


def unpack(name: str, into: Path) -> Path:
    """The directory of the store, unpacked below ``into``: what ``--journal sqlite:///DIRECTORY`` names."""
    with tarfile.open(STORES / f"{name}.tar.xz", "r:xz") as archive:
        archive.extractall(into, filter="data")
    return into / name


def recorded(name: str) -> tuple[str, list[dict[str, Any]]]:
    """The instant, and each order as the release that wrote the store showed it as of that instant."""
    with lzma.open(STORES / f"{name}.orders.jsonl.xz", "rt", encoding="utf-8") as lines:
        head, *rows = (json.loads(line) for line in lines)
    return head["as_of"], rows
