"""The page of a dispute or case: shows the document of ``infra.documents.case_file``. Decides nothing.

First comes what is missing, by severity; then the chronology in the log's order; then the text of the policy.
"""

from collections.abc import Mapping
from typing import Any, Final

from domain.instants import Instant, parse_instant
from domain.order import Order
from domain.wording import counted
from infra.documents import words
from infra.documents.case_file import SHARED
from infra.documents.claims import OrderWriter
from infra.documents.formatting import exact, from_now, moment, money
from infra.documents.packs import LANGUAGES, pack
from infra.web.order_page import When, when

Document = Mapping[str, Any]
_SEVERITY: Final = {"critical": 0, "high": 1, "moderate": 2}
ITEM: Final = {
    "order-details": "Order details",
    "request": "The request, with its time",
    "answer": "The other side's answer",
    "platform-confirmation": "The platform's confirmation",
    "contacts": "Contacts with support",
    "photographs": "Photographs",
    "receipts": "Receipts",
    "policy": "The policy cited",
    "packet": "Other records about the request",
    "deadlines": "Deadlines",
    "claim": "The buyer's claim",
}
COURSE: Final = {
    "proceed": "Proceed",
    "escalate": "Escalate",
    "abandon-and-return": "Give up, and return the items",
    "settle-or-complete": "Settle, or add what is missing",
}
FLAG: Final = {
    "before-the-order": "its claimed time is before the order",
    "after-it-was-attached": "its claimed time is after it was added",
    "not-in-the-log": "the log has no such event",
    "other-time": "the log has a different time",
    "told-late": "recorded late: it happened before the entry above it in the log",
    "reasons-differ": "reasons differ",
}
STATUS: Final = {
    "open": ("Open", "waiting"),
    "granted": ("Granted", "done"),
    "returned": ("Return ordered", "done"),
    "denied": ("Denied", "refused"),
    "accepted": ("Return accepted", "done"),
    "decided": ("Decided", "done"),
}


class CaseFilePage:
    """The values that the template shows, as of ``now``, in the order's own time zone."""

    shared = SHARED

    def __init__(self, document: Document, order: Order, now: Instant) -> None:
        self.document = document
        self.zone = order.terms.calendar.timezone
        self.now = now
        self.kind = document["kind"]
        self.name = document[f"{self.kind}_id"]
        self.status = STATUS[document["status"]]
        self.currency = document["recommendation"]["currency"]
        self._writer = OrderWriter(
            order, pack(LANGUAGES[0]), lambda at: moment(at, self.zone), lambda at: from_now(at, now)
        )

    @property
    def is_open(self) -> bool:
        """Whether it is still to be decided."""
        return bool(self.document["status"] == "open")

    @property
    def sentence(self) -> str:
        """The subject of the case or dispute, and what is due next, in a few sentences."""
        document = self.document
        if self.kind == "dispute":
            about = "cancellation request" if document["request"] else "message"
            text = f"The {document['by']} opened this dispute about {about} {document['about']}."
            due_at, what = document["evidence_until"], "evidence"
            if document["status"] != "open":
                due_at, what = (None if document["appealed"] else document["appeal_until"]), "appeal"
        else:
            text = f"The buyer says: {words.reason(document['reason'])}."
            due_at, what = document["decide_by"], "decision"
            if document["awaited"]:
                kinds = [pack(LANGUAGES[0]).word("evidence", kind) for kind in document["awaited"]]
                text += f" The decision deadline is paused until the buyer sends {words.listed(kinds)}."
        if due_at is not None:
            due = parse_instant(due_at)
            key = f"{what}-{'until' if due >= self.now else 'over'}"
            until = f"{self.when(due_at).text} ({from_now(due, self.now)})"
            text += " " + pack(LANGUAGES[0]).say("claim", key, until=until, ago=from_now(due, self.now))
        return text

    @property
    def gaps(self) -> list[dict[str, Any]]:
        """Missing records, the most severe first."""
        found = [{**gap, "where": ITEM[item["item"]]} for item in self.document["checklist"] for gap in item["gaps"]]
        return sorted(found, key=lambda gap: _SEVERITY[gap["severity"]])

    @property
    def items(self) -> list[dict[str, Any]]:
        return [{**item, "name": ITEM[item["item"]]} for item in self.document["checklist"]]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The chronology, newest first; an entry has both times where they differ."""
        return [
            {
                "version": entry["version"],
                "recorded": self.when(entry["recorded_at"]),
                "occurred": None if entry["occurred_at"] == entry["recorded_at"] else self.when(entry["occurred_at"]),
                "who": entry["who"],
                "text": words.event_sentence(entry["event"], entry["data"], self._writer),
                "flags": [FLAG[flag] for flag in entry["flags"]],
            }
            for entry in reversed(self.document["chronology"]["entries"])
        ]

    @property
    def claims(self) -> list[dict[str, Any]]:
        """Claimed times that the log does not support, each with the log's time."""
        return [
            {
                "flag": FLAG[claim["flag"]],
                "version": claim["version"],
                "claimed": self.when(claim["claimed_at"]),
                "logged": None if claim["logged_at"] is None else self.when(claim["logged_at"]),
                "logged_version": claim["logged_version"],
            }
            for claim in self.document["chronology"]["claimed_times"]
        ]

    @property
    def reasons(self) -> list[dict[str, Any]]:
        """Every reason that was given, where they differ."""
        chronology = self.document["chronology"]
        if not chronology["reasons_differ"]:
            return []
        return [{**each, "text": words.reason(each["reason"])} for each in chronology["reasons"]]

    @property
    def evidence(self) -> list[dict[str, Any]]:
        return [
            {
                **each,
                "size": counted(each["size"], "byte"),
                "claimed": None if each["claimed_at"] is None else self.when(each["claimed_at"]),
                "recorded": self.when(each["recorded_at"]),
            }
            for each in self.document["evidence"]
        ]

    @property
    def thread(self) -> list[dict[str, Any]]:
        return [{**each, "when": self.when(each["recorded_at"])} for each in self.document["thread"]]

    @property
    def advice(self) -> dict[str, Any]:
        advice = self.document["recommendation"]
        fee = advice["arbitration_fee"]
        return {
            **advice,
            "name": COURSE[advice["course"]],
            "stake": money(advice["at_stake_minor"], self.currency),
            "fee": "not set" if fee is None else fee,
        }

    def when(self, text: str) -> When:
        """Write an instant of the document in the order's zone."""
        return when(parse_instant(text), self.zone, self.now)

    def exactly(self, text: str) -> str:
        return exact(parse_instant(text), self.zone)
