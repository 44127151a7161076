"""The contracts of public records: of an event the frame with the event's own contract in ``data``, of an instruction
its file. Each is whole in itself, so that it can be registered or handed out alone.

A contract is named ``rescind.order.LineShipped`` or ``rescind.instructions.RefundInstruction``, and has a version: an
event's is the version that its body was written in.
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
    "RefundInstruction": 1,
    "RebillInstruction": 1,
    "CreditMemoInstruction": 1,
    "RestockInstruction": 1,
    "NotificationInstruction": 1,
}
"""Name → the version that is written today."""

_ELSEWHERE: Final = (
    e.SubjectErased,
    e.LegalHoldPlaced,
    e.LegalHoldReleased,
    e.JournalCreated,
    e.PolicyPublished,
    e.ImportOpened,
    e.ImportClosed,
)
"""Events that are never an order's."""

EVENT_VERSIONS: Final = {name: version for of, name, version in CURRENT if of not in _ELSEWHERE}
"""Stored name of every event that an order can have → its current version."""


class Contract(NamedTuple):
    """A contract's full name and version."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}.{self.version}"


def event_contract(name: str, version: int) -> Contract:
    """The contract of an event's record."""
    return Contract(f"{EVENT_NAMESPACE}.{name}", version)


def instruction_contract(name: str) -> Contract:
    """The contract that this instruction is written by today."""
    return Contract(f"{INSTRUCTION_NAMESPACE}.{name}", INSTRUCTION_VERSIONS[name])


def all_contracts() -> list[Contract]:
    """Every contract that there ever was."""
    events = [event_contract(name, v) for name, last in EVENT_VERSIONS.items() for v in range(1, last + 1)]
    return events + [
        Contract(f"{INSTRUCTION_NAMESPACE}.{name}", v)
        for name, last in INSTRUCTION_VERSIONS.items()
        for v in range(1, last + 1)
    ]


@cache
def frame_schema() -> dict[str, Any]:
    """The fields before ``data``, under the name OrderEvent."""
    return _file("OrderEvent.1")


@cache
def schema_of(contract: Contract) -> dict[str, Any]:
    """A contract as parsed JSON, not to be changed; FileNotFoundError if there is no such one."""
    namespace, _, name = contract.name.rpartition(".")
    if namespace == INSTRUCTION_NAMESPACE:
        return _file(f"{name}.{contract.version}")
    event = event_schema(name, contract.version)
    frame = frame_schema()
    data = {"name": "data", "type": event, "doc": "What happened."}
    return {**frame, "name": name, "doc": event.get("doc", ""), "fields": [*frame["fields"], data]}


def schema_text(contract: Contract) -> str:
    """A contract as a registry is given it: JSON without spaces."""
    return json.dumps(schema_of(contract), ensure_ascii=False, separators=(",", ":"))


def _file(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(files("schemas").joinpath("public", f"{name}.avsc").read_text("utf-8"))
    return schema
