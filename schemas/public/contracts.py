"""The contracts of public records.

The contract of an event is the frame with the event's own contract in ``data``. The contract of an instruction is a
file. Each contract is complete, so that it can be registered or distributed alone.

A contract has a name like ``rescind.order.LineShipped`` or ``rescind.instructions.RefundInstruction``, and a version.
The version of an event's contract is the version of its body.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from domain import events as e
from schemas.contracts import event_schema
from schemas.names import CURRENT

EVENT_NAMESPACE: Final = "rescind.order"
INSTRUCTION_NAMESPACE: Final = "rescind.instructions"

INSTRUCTION_VERSIONS: Final = {
    "RefundInstruction": 2,
    "RefundStop": 1,
    "RebillInstruction": 1,
    "CreditMemoInstruction": 1,
    "RestockInstruction": 1,
    "NotificationInstruction": 1,
}
"""Instruction → the version in which it is written today."""

_ELSEWHERE: Final = (
    e.SubjectErased,
    e.LegalHoldPlaced,
    e.LegalHoldReleased,
    e.JournalCreated,
    e.PolicyPublished,
    e.ImportOpened,
    e.ImportClosed,
)
"""Events that never belong to an order."""

EVENT_VERSIONS: Final = {name: version for of, name, version in CURRENT if of not in _ELSEWHERE}
"""Stored name of each event of an order → its current version."""


class Contract(NamedTuple):
    """A contract's full name and version."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}.{self.version}"


def event_contract(name: str, version: int) -> Contract:
    """Return the contract of an event's record."""
    return Contract(f"{EVENT_NAMESPACE}.{name}", version)


def instruction_contract(name: str) -> Contract:
    """Return the contract in which an instruction is written today."""
    return Contract(f"{INSTRUCTION_NAMESPACE}.{name}", INSTRUCTION_VERSIONS[name])


def all_contracts() -> list[Contract]:
    """Return all contracts, in every version."""
    events = [event_contract(name, v) for name, last in EVENT_VERSIONS.items() for v in range(1, last + 1)]
    return events + [
        Contract(f"{INSTRUCTION_NAMESPACE}.{name}", v)
        for name, last in INSTRUCTION_VERSIONS.items()
        for v in range(1, last + 1)
    ]


@cache
def frame_schema() -> dict[str, Any]:
    """Return the schema of the fields before ``data``, named OrderEvent."""
    return _file("OrderEvent.1")


@cache
def schema_of(contract: Contract) -> dict[str, Any]:
    """Return a contract as parsed JSON, which callers must not change. Raises FileNotFoundError if there is none."""
    namespace, _, name = contract.name.rpartition(".")
    if namespace == INSTRUCTION_NAMESPACE:
        return _file(f"{name}.{contract.version}")
    event = event_schema(name, contract.version)
    frame = frame_schema()
    data = {"name": "data", "type": event, "doc": "The event's own fields."}
    return {**frame, "name": name, "doc": event.get("doc", ""), "fields": [*frame["fields"], data]}


def schema_text(contract: Contract) -> str:
    """Return a contract as it is registered: JSON without spaces."""
    return json.dumps(schema_of(contract), ensure_ascii=False, separators=(",", ":"))


def _file(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(files("schemas").joinpath("public", f"{name}.avsc").read_text("utf-8"))
    return schema
