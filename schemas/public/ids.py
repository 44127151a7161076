"""Pinned schema ids for the framing of records, for installations without a schema registry.

An id belongs to one contract forever, so ``ids.json`` only grows. Readers find a record's contract by its id, here or
in a registry.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Protocol

from schemas.public.contracts import Contract


class SchemaIds(Protocol):
    """A source of schema ids for the framing."""

    def id_of(self, contract: Contract) -> int:
        """Return the id of a contract. Raises LookupError if it has none, RegistryUnavailable if the registry fails."""
        ...


class RegistryUnavailable(Exception):
    """The schema registry does not answer or refuses a schema. The message says what to do."""


@cache
def pinned() -> dict[Contract, int]:
    """Return all pinned ids by contract."""
    table: dict[str, int] = json.loads(files("schemas").joinpath("public", "ids.json").read_text("utf-8"))
    return {Contract(name, int(version)): number for key, number in table.items()
            for name, _, version in [key.rpartition(".")]}  # fmt: skip


@cache
def contract_of(schema_id: int) -> Contract:
    """Return the contract with a pinned id. Raises LookupError if there is none."""
    return {number: contract for contract, number in pinned().items()}[schema_id]


class PinnedIds:
    """The ids of ``ids.json``."""

    def id_of(self, contract: Contract) -> int:
        try:
            return pinned()[contract]
        except KeyError:
            raise LookupError(f"no schema id is pinned for {contract}") from None
