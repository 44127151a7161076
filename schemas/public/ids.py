"""Pinned schema ids, for installations without a schema registry: contract → the id in the framing of its records.

An id stands for one contract for ever; ``ids.json`` only grows. Readers look a record's contract up by its id, here or
in a registry.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Protocol

from schemas.public.contracts import Contract


class SchemaIds(Protocol):
    """Where the ids in the framing come from."""

    def id_of(self, contract: Contract) -> int:
        """The id of a contract; LookupError if there is none, RegistryUnavailable if that cannot be known now."""
        ...


class RegistryUnavailable(Exception):
    """The schema registry does not answer, or refuses a schema; the message says what to do."""


@cache
def pinned() -> dict[Contract, int]:
    """Every pinned id."""
    table: dict[str, int] = json.loads(files("schemas").joinpath("public", "ids.json").read_text("utf-8"))
    return {Contract(name, int(version)): number for key, number in table.items()
            for name, _, version in [key.rpartition(".")]}  # fmt: skip


@cache
def contract_of(schema_id: int) -> Contract:
    """The contract with this pinned id; LookupError if there is none."""
    return {number: contract for contract, number in pinned().items()}[schema_id]


class PinnedIds:
    """The ids of ``ids.json``."""

    def id_of(self, contract: Contract) -> int:
        try:
            return pinned()[contract]
        except KeyError:
            raise LookupError(f"no schema id is pinned for {contract}") from None
