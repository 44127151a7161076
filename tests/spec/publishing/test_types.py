"""The types of public records, each in a file of its own: what one parser reads, Java's among them."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import fastavro
import pytest

from consumers.ports.public_log import PublicRecord
from schemas.contracts import named_types
from schemas.framing import unframe
from schemas.names import CURRENT
from schemas.public.contracts import EVENT_VERSIONS, all_contracts, event_contract
from schemas.public.ids import contract_of
from schemas.public.records import Actor, Frame, event_body
from schemas.public.topics import EVENTS, INSTRUCTIONS
from tests.broker import jars
from tests.golden.writing import EVENTS as GOLDEN
from tests.needs import require
from tests.spec.projections.histories import History
from tests.spec.publishing.test_public_records import public_records, read
from tests.spec.schemas.drafting import ORDER, TYPES, type_files

JAVA = Path(__file__).parents[2] / "java"


def test_the_files_follow_from_the_contracts() -> None:
    wanted = type_files()
    assert {path.name: path.read_text("utf-8") for path in TYPES.iterdir()} == wanted
    assert len(wanted) > len(CURRENT)


def test_no_file_defines_two_types_and_each_names_only_those_before_it() -> None:
    known: dict[str, Any] = {}
    for name in ORDER.read_text("utf-8").splitlines():
        schema = json.loads((TYPES / name).read_text("utf-8"))
        assert len(list(named_types(schema))) == 1
        fastavro.parse_schema(schema, named_schemas=known)  # raises for a name that it does not know
    assert {contract.name for contract in all_contracts()} <= set(known)


def one_of_every_kind() -> list[PublicRecord]:
    """The public records of two orders that have an instruction of every kind."""
    history = History()
    history.place()
    history.send("Ship", at="2026-03-02T11:00:00Z", shipment_id="s1", lines=[{"line": 1, "quantity": 3}])
    parcel: Any = {"carrier": "UPS", "tracking_number": "1Z", "lines": [{"line": 1, "quantity": 2}]}
    history.send("ReportShippedAfterCancel", at="2026-03-03T10:00:00Z", actor="seller", **parcel)
    history.send("NotifyCustomer", at="2026-03-03T11:00:00Z", actor="seller", text="It is on its way with UPS, 1Z.")
    at = "2026-03-03T12:00:00Z"
    history.send("Acknowledge", at=at, actor="buyer", accepts_item=True, accepts_rebilling=True)
    history.send("Rebill", at="2026-03-03T13:00:00Z")
    history.send("ConfirmRebill", at="2026-03-03T14:00:00Z", rebill_id="rebill-1")
    history.send("IssueCreditMemo", at="2026-03-03T15:00:00Z", memo_id="m-1", rebill_id="rebill-1")
    history.place("PO-2")
    history.send("CancelLines", "PO-2", "2026-03-02T11:00:00Z", actor="seller", reason="out_of_stock")
    history.send("WithdrawRefund", "PO-2", "2026-03-03T11:00:00Z", refund_id="refund-1", note="It was on its way.")
    return public_records(history)


def every_event() -> list[tuple[str, bytes]]:
    """Of each event that an order can have the golden bytes, behind a frame: contract and body."""
    frame = Frame("acme", "PO-1", 1, 0, 0, Actor("seller", "s-1"), "c1", None, history=False)
    found = []
    for name, version in EVENT_VERSIONS.items():
        for line in (GOLDEN / f"{name}.{version}.jsonl").read_text("utf-8").splitlines():
            body = event_body(frame, bytes.fromhex(json.loads(line)["body"]))
            found.append((event_contract(name, version).name, body))
    return found


@pytest.mark.java
def test_javas_parser_reads_all_types_and_records_of_every_kind(tmp_path: Path) -> None:
    require("java")
    written = one_of_every_kind()
    assert {record.kind for record in written} == {EVENTS, *INSTRUCTIONS}
    records = [(contract_of(unframe(record.value)[0]).name, unframe(record.value)[1]) for record in written]
    records += every_event()
    assert {name for name, _ in records} == {contract.name for contract in all_contracts()}
    (tmp_path / "records").write_text("".join(f"{name} {body.hex()}\n" for name, body in records), "utf-8")
    classpath = os.pathsep.join(str(path) for path in sorted(jars.fetched("java", JAVA / "pom.xml").iterdir()))
    done = subprocess.run(
        ["java", "-Dfile.encoding=UTF-8", "-cp", classpath, str(JAVA / "ReadTypes.java"), str(TYPES), "records"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    read_by_java = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(read_by_java) == len(records)
    for by_java, record in zip(read_by_java, written, strict=False):
        wanted = read(record)
        assert by_java.keys() == wanted.keys()
        assert by_java["order_id"] == wanted["order_id"]
        for number in ("amount", "version"):
            assert by_java.get(number) == wanted.get(number)
