"""What the public topic of refunds says, read with fastavro and held against the account of every order."""

import io
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import fastavro

from consumers.ports.local_state import LocalState
from consumers.publishing.public_records import Publisher
from schemas.framing import unframe
from schemas.public.contracts import schema_of
from schemas.public.ids import PinnedIds, contract_of
from schemas.public.topics import REFUNDS
from tests.simulation.tenders import Tenders

STOP: Final = "rescind.instructions.RefundStop"


def wrong_instructions(states: Mapping[int, LocalState], tenders: Mapping[str, Tenders]) -> str | None:
    """Return what is wrong with the instructions of these partitions, as a sentence. ``tenders``: by stream."""
    to_pay: dict[tuple[str, str], int] = defaultdict(int)
    stopped: set[tuple[str, str]] = set()
    ids: set[bytes] = set()
    for partition, state in states.items():
        publisher = Publisher(partition, state, PinnedIds())
        for admitted in state.commits():
            records, failed = publisher.records(admitted, {})
            if failed:
                return f"{failed[0].stream} cannot be published: {failed[0].letter.error}"
            for record in records:
                id = dict(record.headers)["ce_id"]
                if id in ids:
                    return f"{id.decode()} is published twice"
                ids.add(id)
                if record.kind != REFUNDS:
                    continue
                name, body = _read(record.value)
                of = f"{body['marketplace']}/{body['order_id']}", body["refund_id"]
                if of in stopped:
                    return f"{of} has a record after it was stopped"
                if name == STOP:
                    stopped.add(of)
                    continue
                to_pay[of] += body["amount"]
                if sum(part["amount"] for part in body["parts"]) != body["amount"]:
                    return f"{id.decode()} instructs {body['amount']} in the parts {body['parts']}"
    for stream, known in tenders.items():
        for refund_id, refund in known.refunds.items():
            if to_pay.pop((stream, refund_id), 0) != refund.to_pay:
                return f"{stream} {refund_id} is not instructed with {refund.to_pay}"
            if ((stream, refund_id) in stopped) is not refund.stopped:
                return f"{stream} {refund_id} is {refund.status}, and its stop is wrong"
    return f"there are no such refunds: {sorted(to_pay)}" if to_pay else None


def _read(value: bytes) -> tuple[str, dict[str, Any]]:
    schema_id, body = unframe(value)
    found: Any = fastavro.schemaless_reader(io.BytesIO(body), _schema(schema_id), None)
    return contract_of(schema_id).name, dict(found)


@cache
def _schema(schema_id: int) -> Any:
    return fastavro.parse_schema(schema_of(contract_of(schema_id)))
