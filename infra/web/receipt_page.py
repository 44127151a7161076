"""The receipt page, to keep or print, and the notifications on the order page. Reads, decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from consumers.ports.notifications import Notification
from domain.instants import Instant, format_instant, parse_instant
from domain.wording import counted
from infra.documents import words
from infra.documents.formatting import clock
from infra.documents.packs import LANGUAGES, Pack, pack
from infra.web.order_page import When, when

STATE: Mapping[str, str] = {
    "waiting": "waiting",
    "handing": "waiting",
    "handed": "done",
    "unknown": "attention",
    "no-address": "attention",
    "too-old": "quiet",
    "failed": "attention",
    "moot": "quiet",
    "delivered": "done",
    "seen": "done",
    "came-back": "attention",
}
"""State of a notification → its signal. The language pack has the words."""


_OF_A_REFUND: Final[Mapping[str, str]] = {
    "due": "on_its_way",
    "failed": "failed",
    "waiting": "waiting",
    "paid": "refunded",
    "separately": "settled_elsewhere",
    "withdrawn": "withdrawn",
}
"""Clause of a refund's sentence → the amount of the receipt that it is about."""


class ReceiptPage:
    """The values that the receipt template shows, in the order's own time zone and the reader's language."""

    def __init__(self, receipt: Mapping[str, Any], language: Pack, *, historical: bool) -> None:
        """``historical``: the receipt is as of a requested instant in the past, and is worded so."""
        self.receipt = receipt
        self.zone: str = receipt["timezone"]
        self.words: Mapping[str, str] = language.words["receipt"]
        self._pack = language
        self._historical = historical

    @property
    def title(self) -> str:
        """Canceled, partly canceled or not canceled, in words."""
        return self.words[self.receipt["canceled"]]

    @property
    def sentence(self) -> str:
        """The receipt's statement, worded to be shown to others."""
        receipt, number = self.receipt, self._pack.number
        cancellations = len(receipt["cancellations"])
        return self._pack.say(
            "receipt",
            "sentence",
            at=self._pack.moment(parse_instant(receipt["as_of"]), self.zone),
            canceled=receipt["canceled"],
            po=receipt["po_number"],
            then=self._historical,
            units=number(receipt["canceled_units"]),
            many=receipt["canceled"] == "partly" and receipt["canceled_units"] != 1,
            ordered=number(receipt["ordered"]),
            ordered_many=receipt["ordered"] != 1,
            count=number(cancellations),
            count_many=cancellations != 1,
        )

    def when(self, text: str) -> When:
        """Write an instant with year and zone, because people store receipts for years."""
        instant = parse_instant(text)
        exact = f"{clock(instant, self.zone)} {self.zone} ({format_instant(instant)})"
        return When(self._pack.moment(instant, self.zone), exact, format_instant(instant))

    def refund(self, refund: Mapping[str, Any] | None) -> str:
        """Write the refund of a cancellation."""
        if refund is None:
            return self._pack.say("receipt", "no-refund", others=bool(self.receipt["other_refunds"]))
        status = refund["status"]
        if status == "due":
            status = "failed" if refund["failed"] else "waiting" if refund["waiting"] else status
        parts = [
            self._pack.say("receipt", f"refund-{name}", amount=self._money(refund[f"{field}_minor"]))
            for name, field in _OF_A_REFUND.items()
            if refund[f"{field}_minor"] or (field == "on_its_way" and not refund["amount_minor"])
        ]
        what = self._pack.listed(parts)
        word = self._pack.word("refund", status)
        return self._pack.say(
            "receipt", "refund", what=what[:1].upper() + what[1:], id=refund["refund_id"], status=word
        )

    def _money(self, minor: int) -> str:
        return self._pack.money(minor, self.receipt["currency"])

    @property
    def others(self) -> list[str]:
        """Write each amount that was refunded separately."""
        return [
            self._pack.say(
                "claim",
                "refunded-separately",
                amount=self._money(other["amount_minor"]),
                day=self._pack.day(parse_instant(other["at"]), self.zone),
                many=False,
            )
            for other in self.receipt["other_refunds"]
        ]

    def cause(self, line: Mapping[str, Any]) -> str:
        """Why these units were canceled."""
        cause = self._pack.word("cause", line["cause"])
        return cause if line["reason"] is None else f"{cause}: {self._pack.word('reason', line['reason'])}"

    def as_asked(self, lines: Sequence[Mapping[str, Any]]) -> bool:
        """True if the seller says that the buyer asked for it, but no request is on record."""
        return any(line["cause"] == "seller" and line["reason"] == "buyer_asked" for line in lines)

    def table(self, reference: str) -> str:
        """The label of a table of canceled lines."""
        return self._pack.say("receipt", "table", reference=reference)

    def state(self, confirmation: Mapping[str, Any]) -> tuple[str, str]:
        """The last known state of a confirmation: its word and its signal."""
        if confirmation["first_seen_at"]:
            return _state(self._pack, "seen")
        if confirmation["delivered_at"]:
            return _state(self._pack, "delivered")
        return _state(self._pack, "came-back" if confirmation["failed_at"] else confirmation["state"])

    def since(self, confirmation: Mapping[str, Any]) -> When | None:
        """When the confirmation reached that state."""
        times = ("first_seen_at", "delivered_at", "failed_at", "handed_over_at")
        at = next((confirmation[name] for name in times if confirmation[name]), None)
        return None if at is None else self.when(at)


def _state(language: Pack, name: str) -> tuple[str, str]:
    """A state's word and its signal."""
    return language.words["delivery"][name], STATE[name]


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """A notification on the order page."""

    id: str
    about: str
    audience: str
    recipient: str
    status: tuple[str, str]
    error: str | None
    since: When


class OrderNotifications:
    """The notifications of an order, newest first."""

    def __init__(self, notices: Sequence[Notification], zone: str, now: Instant) -> None:
        self.rows = [
            NotificationRow(
                notice.notice_id,
                words.NOTIFICATION.get(notice.template, notice.template),
                notice.audience,
                notice.recipient_id,
                _state(pack(LANGUAGES[0]), _furthest(notice)),
                notice.error,
                when(_since(notice), zone, now),
            )
            for notice in reversed(notices)
        ]
        sent = sum(notice.handed_at is not None for notice in notices)
        self.sentence = f"{sent} of {counted(len(notices), 'message')} sent"


def _furthest(notice: Notification) -> str:
    """The last known state of a notification."""
    if notice.seen_at is not None:
        return "seen"
    if notice.delivered_at is not None:
        return "delivered"
    return "came-back" if notice.failed_at is not None else notice.state


def _since(notice: Notification) -> Instant:
    return notice.seen_at or notice.delivered_at or notice.failed_at or notice.handed_at or notice.told_at
