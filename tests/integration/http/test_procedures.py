"""Every row of docs/explanation/procedures.md, walked through the HTTP API in its order: the table cannot go stale."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.api.paths import EVIDENCE, PATHS, PREVIEWS
from infra.http.routes import ANY
from tests.architecture.planted import ROOT
from tests.integration.cli.driving import Store
from tests.integration.http.client import BUYER, SELLER, SUPPORT, SYSTEM, Http, placing, served
from tests.integration.http.files import png
from tests.integration.http.test_evidence import give

PAGE = ROOT / "docs" / "explanation" / "procedures.md"
ROW = re.compile(r"\| ([A-E]\d+) \| (\w+) \| (.+?) \| `(GET|POST) (\S+)`(?: `(\w+)`)? \|")
ACTORS = {"buyer": BUYER, "seller": SELLER, "support": SUPPORT, "system": SYSTEM}
UPS = {"carrier": "UPS", "tracking_number": "1Z999"}


@dataclass(frozen=True)
class Step:
    """A row of the table."""

    step: str
    who: str
    what: str
    method: str
    path: str
    command: str | None

    @property
    def refused_by(self) -> str | None:
        """The rule that refuses the step."""
        found = re.search(r"\*\*no\*\*, `([a-z-]+)`", self.what)
        return None if found is None else found[1]

    def takes(self, path: str, order: str) -> bool:
        """Whether a path is the one of the row: capitals are placeholders of ids, … of the order."""
        pattern = re.sub(r"[A-Z]{2,}", "[^/?]+", re.escape(self.path).replace("…", re.escape(order)))
        return re.fullmatch(pattern, path.partition("?")[0]) is not None


STEPS = {row[0]: Step(*row) for row in ROW.findall(PAGE.read_text(encoding="utf-8"))}


@dataclass
class Walk:
    """One procedure on its way; every step is checked against its row."""

    http: Http
    policy: str
    order: str = ""
    walked: list[str] = field(default_factory=list)

    def place(self, **fields: Any) -> str:
        self.order = self.http.place(policy=self.policy, **fields)
        return self.order

    def get(self, step: str, path: str = "") -> httpx.Response:
        row = self._row(step, "GET", path)
        assert self.http.app.views is not None
        assert self.http.app.views.catch_up(30)
        answer = self.http.get(path)
        assert answer.status_code == 200, (row, answer.text)
        return answer

    def post(self, step: str, path: str, **body: Any) -> dict[str, Any]:
        """Carry a step out; people confirm what a preview showed them."""
        where = f"{self.order}/{path}"
        row = self._row(step, "POST", where)
        content = {"actor": ACTORS[row.who], **body}
        assert row.command == self._means(where, content), row
        send = self.http.confirmed if row.who in ("buyer", "seller") and self._is_confirmed(path) else self.http.post
        return self._answered(row, send(where, content, f"step-{step}"))

    def _is_confirmed(self, path: str) -> bool:
        """Whether the path has a preview."""
        previews = (re.sub(r"\{\w+\}", "[^/]+", form.path) for form in PREVIEWS)
        return any(re.fullmatch(preview, f"/{path}/preview") for preview in previews)

    def attach(self, step: str, content: bytes, **fields: Any) -> dict[str, Any]:
        """Add evidence with its file."""
        row = self._row(step, "POST", f"{self.order}/evidence")
        assert row.command == "AttachEvidence"
        form_fields = {"actor": json.dumps(ACTORS[row.who]), **fields}
        return self._answered(row, give(self.http, self.order, content, key=f"step-{step}", **form_fields))

    def _row(self, step: str, method: str, path: str) -> Step:
        row = STEPS[step]
        assert row.method == method, row
        assert row.takes(path, self.order), (row, path)
        self.walked.append(step)
        return row

    def _means(self, path: str, body: dict[str, Any]) -> str:
        """The command that the API makes of the path and body."""
        below = path.removeprefix(self.order)
        for form in (*PREVIEWS, *PATHS, EVIDENCE, ANY):
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", form.path), below):
                return form.command(body)
        raise AssertionError(f"no form takes {path}")

    def _answered(self, row: Step, answer: httpx.Response) -> dict[str, Any]:
        document: dict[str, Any] = answer.json()
        if row.refused_by is None:
            assert answer.status_code == 200, (row, answer.text)
        else:
            assert (answer.status_code, document["rule"]) == (409, row.refused_by), (row, answer.text)
            assert document["instead"], row
        return document

    def events(self, answer: dict[str, Any]) -> list[str]:
        return [event["event"] for event in answer["events"]]


def consumer(walk: Walk) -> None:
    order = walk.place()
    assert walk.get("A1", "/v1/acme/orders?buyer=b-7").json()["orders"]
    cancel = walk.get("A2", f"{order}/eligibility").json()[0]
    assert (cancel["outcome"], cancel["rule"]) == ("granted", "grace-window")
    assert cancel["next_change_at"] is not None
    seen = walk.post("A3", "cancellations/preview", reason="ordered_by_mistake")
    assert seen["refund_minor"] == 10_000
    done = walk.post("A4", "cancellations", reason="ordered_by_mistake")
    assert {"LinesCanceled", "RefundDue"} <= set(walk.events(done))
    walk.post("A5", "refunds/refund-1/confirm")
    assert re.search(r"C-[0-9A-Z]{4}-[0-9A-Z]{4}", walk.get("A6", f"{order}/receipt").text)
    walk.place(sale_format="offer")
    walk.post("A7", "cancellations", reason="changed_mind")
    walk.post("A8", "messages", to="seller", text="Would you let me out of it?")
    walk.order = "/v1/acme/orders/old-offer"
    assert walk.post("A9", "cancellations", reason="arrives_too_late")["verdict"]["rule"] == "not-shipped-in-time"
    walk.place()
    walk.post("A10", "tracking", **UPS)
    walk.post("A11", "cancellations", reason="changed_mind")


def disputing(walk: Walk) -> None:
    order = walk.place()
    walk.post("B1", "cancellations", request_id="r1", reason="ordered_by_mistake")
    walk.post("B2", "contacts", channel="chat", ticket="T-1", about="r1")
    walk.post("B3", "cancellations/r1/decline")
    walk.post("B4", "shipments", shipment_id="asn-1")
    walk.post("B5", "disputes", dispute_id="d1", about="r1")
    walk.attach("B6", png(), about="d1", kind="photo", claimed_at="2026-03-02T10:00:00Z")
    assert walk.get("B7", f"{order}/disputes/d1").json()["recommendation"]["course"] == "proceed"
    assert "What is missing" in walk.get("B8", f"/d/acme/{order.rpartition('/')[2]}/d1").text
    walk.post("B9", "disputes/d1/escalate", ticket="T-2")
    walk.post("B10", "disputes/d1/request-evidence", kinds=["receipt"], until="2099-01-01T00:00:00Z")
    walk.post("B11", "disputes/d1/messages", to="buyer", text="We need the receipt.")
    walk.post("B12", "disputes/d1/decide", outcome="deny", rule="mutual-consent-after-shipment")
    walk.post("B13", "disputes/d1/appeal")
    granted = walk.post("B14", "disputes/d1/decide", outcome="grant", rule="seller-has-final-say")
    assert walk.events(granted) == ["DisputeDecided", "ReturnOpened", "ReturnAccepted"]
    walk.post("B15", "disputes/d1/appeal")
    assert walk.events(walk.post("B16", "returns/return-1/receive", condition="sellable"))[-1] == "RefundDue"
    walk.post("B17", "refunds/refund-1/confirm")
    walk.place()
    assert walk.http.post(f"{walk.order}/shipments", {"actor": SYSTEM, "shipment_id": "asn-1"}, "ship").is_success
    walk.post("B18", "cancellations", request_id="r2", reason="out_of_stock")
    assert "ReturnOpened" in walk.events(walk.post("B19", "cancellations/r2/approve"))


def case(walk: Walk) -> None:
    order = walk.place()
    walk.post("C1", "cases", reason="wrong_item", lines=[1])
    walk.post("C2", "shipments", shipment_id="asn-1")
    walk.post("C3", "deliveries")
    walk.post("C4", "cases", reason="changed_mind", lines=[1])
    walk.post("C5", "cases", reason="not_as_described", lines=[1], case_id="k1")
    walk.attach("C6", png(), about="k1", kind="photo", origin="own_photo", evidence_id="e1")
    walk.post("C7", "cases/k1/messages", to="buyer", text="It was whole when it left.")
    walk.attach("C8", png(shade=9), about="k1", kind="photo", origin="listing", evidence_id="e2")
    assert [each["side"] for each in walk.get("C9", f"{order}/cases/k1").json()["evidence"]] == ["buyer", "seller"]
    walk.post("C10", "cases/k1/request-evidence", kinds=["receipt"], until="2099-01-01T00:00:00Z")
    decided = walk.post("C11", "cases/k1/decide", outcome="return", rule="case-reasons")
    assert decided["events"][1]["data"]["postage"] == "platform"
    walk.post("C12", "cases/k1/accept")
    walk.post("C13", "returns/k1/start", **UPS)
    walk.post("C14", "deliveries", shipment_id="return-1")
    assert walk.events(walk.post("C15", "returns/k1/receive", condition="damaged")) == ["ReturnReceived", "RefundDue"]
    walk.place()
    steps: tuple[tuple[str, dict[str, Any]], ...] = (
        ("shipments", {"actor": SYSTEM, "shipment_id": "asn-1"}),
        ("deliveries", {"actor": SYSTEM}),
        ("cases", {"actor": BUYER, "reason": "missing_item", "lines": [1], "case_id": "k2"}),
    )
    for path, body in steps:
        assert walk.http.post(f"{walk.order}/{path}", body, path).is_success
    assert walk.events(walk.post("C16", "cases/k2/accept")) == ["ReturnOpened", "ReturnAccepted"]


def store(walk: Walk) -> None:
    walk.place()
    offered = walk.post("D1", "cancellations", request_id="r1", reason="found_cheaper")
    assert walk.events(offered) == ["CancelRequested", "AlternativeOffered"]
    assert "LinesCanceled" in walk.events(walk.post("D2", "cancellations/r1/decline-alternatives"))
    walk.place()
    walk.post("D3", "cancellations", request_id="r1", reason="arrives_too_late")
    taken = walk.post("D4", "cancellations/r1/take-alternative", kind="wait")
    assert walk.events(taken) == ["AlternativeTaken", "CancelWithdrawn"]
    walk.post("D5", "fulfilment")
    late = walk.post("D6", "cancellations", request_id="r2", reason="changed_mind")
    assert {each["option"] for each in late["instead"]} == {"contact", "return"}
    walk.post("D7", "contacts", channel="phone")
    walk.post("D8", "shipments", shipment_id="asn-1")
    walk.post("D9", "deliveries")
    walk.post("D10", "returns", reason="changed_mind", lines=[1])
    assert "RefundDue" in walk.events(walk.post("D11", "returns/return-1/receive", condition="sellable"))


def portal(walk: Walk) -> None:
    first = walk.place(po_number="PO 4711")
    assert walk.get("E1", "/v1/acme/orders?po=PO%204711").json()["orders"]
    walk.get("E2", f"/o/acme/{first.rpartition('/')[2]}")
    assert walk.post("E3", "cancellations/preview", lines=[1], reason="out_of_stock")["refund_minor"] == 10_000
    walk.post("E4", "cancellations", lines=[1], reason="out_of_stock")
    walk.place()
    walk.post("E5", "cancellations", request_id="r1", reason="found_cheaper")
    assert "found it cheaper" in walk.get("E6", "/o/acme?status=cancel_requested").text
    walk.post("E7", "cancellations/r1/approve")
    walk.place()
    walk.post("E8", "cancellations", request_id="r1", reason="ordered_by_mistake")
    part = {"shipment_id": "asn-1", "lines": [{"line": 1, "quantity": 3}]}
    seen = walk.post("E9", "shipments/preview", **part)
    assert (seen["stop"][0]["request_id"], seen["kills"]) == ("r1", [{"line": 1, "quantity": 7}])
    line = walk.post("E10", "shipments", **part)["order"]["lines"][0]
    assert (line["shipped"], line["canceled"]) == (3, 7)
    walk.post("E11", "shipments", shipment_id="asn-2", lines=[{"line": 1, "quantity": 1}])
    walk.order = first
    walk.post("E12", "shipped-after-cancel", lines=[1], **UPS)
    early = {"actor": SUPPORT, "memo_id": "m1", "rebill_id": "rebill-1"}
    walk.post("E13", "shipped-after-cancel/credit-memo", **early)
    walk.post("E14", "shipped-after-cancel/notify", text="UPS 1Z999: see ups.com/track")
    walk.post("E15", "shipped-after-cancel/notify", text="It left with UPS, number 1Z999; you would be billed again.")
    walk.attach("E16", png(), about="rebill", kind="message", origin="correspondence", evidence_id="e1")
    both = {"accepts_item": True, "accepts_rebilling": True}
    walk.post("E17", "shipped-after-cancel/acknowledge", evidence=["e1"], **both)
    walk.post("E18", "shipped-after-cancel/rebill")
    walk.post("E19", "shipped-after-cancel/rebills/rebill-1/confirm")
    memo = walk.post("E20", "shipped-after-cancel/credit-memo", memo_id="m1", rebill_id="rebill-1")
    assert memo["events"][0]["data"]["amount"] == 10_000


WALKS: dict[str, tuple[str, Callable[[Walk], None]]] = {
    "A": ("peer-to-peer", consumer),
    "B": ("mutual-consent", disputing),
    "C": ("peer-to-peer", case),
    "D": ("general-store", store),
    "E": ("seller-portal", portal),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    """A marketplace with one old order, by accepted offer, that nobody has shipped in nine days."""
    directory: Path = tmp_path_factory.mktemp("procedures")
    at = (datetime.now(UTC) - timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%SZ")
    old = placing("old-offer", policy="peer-to-peer", sale_format="offer")
    Store(directory).take([{"command": "PlaceOrder", "command_id": "c1", "marketplace": "acme", "at": at, **old}])
    with served(directory) as http:
        yield http


@pytest.mark.parametrize("source", sorted(WALKS))
def test_a_procedure_is_walked_row_by_row(shop: Http, source: str) -> None:
    policy, follow = WALKS[source]
    walk = Walk(shop, policy)
    follow(walk)
    assert walk.walked == [step for step in STEPS if step.startswith(source)], "every row, in the table's order"


def test_every_line_of_the_tables_is_read_as_a_row() -> None:
    lines = [x for x in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| [A-E]\d", x)]
    assert len(lines) == len(STEPS)
    assert {step[0] for step in STEPS} == set(WALKS)
