"""The support page of a dispute or case: the document of ``infra.documents.case_file``, made ready for its template.

It decides nothing. Missing things first, by severity; then everything in the log's order; then what the policy said.
"""

from collections.abc import Mapping
from typing import Any, Final

from domain.instants import Instant, parse_instant
from domain.wording import counted
from infra.documents import words
from infra.documents.case_file import SHARED
from infra.documents.formatting import exact, from_now, money
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
    "policy": "The policy that was cited",
    "packet": "What is on record beside the request",
    "deadlines": "Deadlines",
    "claim": "What the buyer says",
}
COURSE: Final = {
    "proceed": "Proceed",
    "escalate": "Escalate",
    "abandon-and-return": "Abandon, and return it",
    "settle-or-complete": "Settle, or complete what is missing",
}
FLAG: Final = {
    "before-the-order": "claims a time before the order",
    "after-it-was-attached": "claims a time after it was attached",
    "not-in-the-log": "the log has nothing of the kind",
    "other-time": "the log has another time",
    "told-late": "happened earlier than what the log has before it",
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


class MatterPage:
    """Everything that the template asks for, as of ``now``, in the order's own time zone."""

    shared = SHARED

    def __init__(self, document: Document, zone: str, now: Instant) -> None:
        self.document = document
        self.zone = zone
        self.now = now
        self.kind = document["kind"]
        self.name = document[f"{self.kind}_id"]
        self.status = STATUS[document["status"]]
        self.currency = document["recommendation"]["currency"]

    @property
    def sentence(self) -> str:
        """What it is about and what waits, in words."""
        said = self.document
        if self.kind == "dispute":
            asked = said["request"]
            about = f"It is about request {said['about']}" if asked else f"It is about message {said['about']} only"
            text = f"{about}, opened by the {said['by']}."
            waits, what = said["evidence_until"], "evidence"
            if said["status"] != "open":
                waits, what = (None if said["appealed"] else said["appeal_until"]), "appeal"
        else:
            text = f"The buyer says: {words.reason(said['reason'])}."
            waits, what = said["decide_by"], "decision"
            if said["awaited"]:
                kinds = [pack(LANGUAGES[0]).word("evidence", kind) for kind in said["awaited"]]
                text += f" The time to decide is paused until the buyer sends: {words.listed(kinds)}."
        if waits is not None:
            due = parse_instant(waits)
            key = f"{what}-{'until' if due >= self.now else 'over'}"
            until = f"{self.when(waits).text} ({from_now(due, self.now)})"
            text += " " + pack(LANGUAGES[0]).say("claim", key, until=until, ago=from_now(due, self.now))
        return text

    @property
    def gaps(self) -> list[dict[str, Any]]:
        """What is missing, the worst first."""
        found = [{**gap, "where": ITEM[item["item"]]} for item in self.document["checklist"] for gap in item["gaps"]]
        return sorted(found, key=lambda gap: _SEVERITY[gap["severity"]])

    @property
    def items(self) -> list[dict[str, Any]]:
        return [{**item, "name": ITEM[item["item"]]} for item in self.document["checklist"]]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The chronology, newest first, both clocks beside each other where they differ."""
        return [
            {
                "version": entry["version"],
                "recorded": self.when(entry["recorded_at"]),
                "occurred": None if entry["occurred_at"] == entry["recorded_at"] else self.when(entry["occurred_at"]),
                "who": entry["who"],
                "text": words.told(entry["event"], entry["data"], self.currency),
                "flags": [FLAG[flag] for flag in entry["flags"]],
            }
            for entry in reversed(self.document["chronology"]["entries"])
        ]

    @property
    def claims(self) -> list[dict[str, Any]]:
        """Claimed times beside the log's, unmerged."""
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
        """Every reason given, side by side, where they are not the same."""
        told = self.document["chronology"]
        if not told["reasons_differ"]:
            return []
        return [{**said, "said": words.reason(said["reason"])} for said in told["reasons"]]

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
        told = self.document["recommendation"]
        fee = told["arbitration_fee"]
        return {
            **told,
            "name": COURSE[told["course"]],
            "stake": money(told["at_stake_minor"], self.currency),
            "fee": "not known here" if fee is None else fee,
        }

    def when(self, text: str) -> When:
        """An instant of the document in the order's zone."""
        return when(parse_instant(text), self.zone, self.now)

    def exactly(self, text: str) -> str:
        return exact(parse_instant(text), self.zone)
