"""The receipt as a page to keep or print, and who was told on the order's page. Reads, and decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.ports.notifications import Notification
from domain.instants import Instant, format_instant, parse_instant
from domain.wording import counted
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
"""How far a notice has come → its signal. Its word is the language pack's."""


class ReceiptPage:
    """A receipt, in the order's own time zone and the reader's language."""

    def __init__(self, receipt: Mapping[str, Any], words: Pack, *, then: bool) -> None:
        """``then``: it speaks of an instant that was asked for."""
        self.receipt = receipt
        self.zone: str = receipt["timezone"]
        self.words: Mapping[str, str] = words.words["receipt"]
        self._pack = words
        self._then = then

    @property
    def title(self) -> str:
        """The answer in a word."""
        return self.words[self.receipt["canceled"]]

    @property
    def sentence(self) -> str:
        """The answer, as it may be shown to others."""
        receipt, number = self.receipt, self._pack.number
        done = len(receipt["cancellations"])
        return self._pack.say(
            "receipt",
            "sentence",
            at=self._pack.moment(parse_instant(receipt["as_of"]), self.zone),
            canceled=receipt["canceled"],
            po=receipt["po_number"],
            then=self._then,
            units=number(receipt["canceled_units"]),
            many=receipt["canceled"] == "partly" and receipt["canceled_units"] != 1,
            ordered=number(receipt["ordered"]),
            ordered_many=receipt["ordered"] != 1,
            count=number(done),
            count_many=done != 1,
        )

    def when(self, text: str) -> When:
        """With year and zone: a receipt is kept."""
        instant = parse_instant(text)
        exact = f"{clock(instant, self.zone)} {self.zone} ({format_instant(instant)})"
        return When(self._pack.moment(instant, self.zone), exact, format_instant(instant))

    def refund(self, refund: Mapping[str, Any] | None) -> str:
        """What of the money goes back for a cancellation."""
        if refund is None:
            return self.words["no-refund"]
        return self._pack.say(
            "receipt",
            "refund",
            amount=self._pack.money(refund["amount_minor"], self.receipt["currency"]),
            id=refund["refund_id"],
            status=self._pack.word("refund", "failed" if refund["failed"] else refund["status"]),
            failed=refund["failed"],
            paid=refund["status"] == "confirmed",
        )

    def cause(self, line: Mapping[str, Any]) -> str:
        """Why these units were cancelled."""
        said = self._pack.word("cause", line["cause"])
        return said if line["reason"] is None else f"{said}: {self._pack.word('reason', line['reason'])}"

    def as_asked(self, lines: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the seller says that the buyer asked, with no request on record."""
        return any(line["cause"] == "seller" and line["reason"] == "buyer_asked" for line in lines)

    def table(self, reference: str) -> str:
        """What a table of lines is about."""
        return self._pack.say("receipt", "table", reference=reference)

    def state(self, told: Mapping[str, Any]) -> tuple[str, str]:
        """How far the confirmation has come, the most that is known."""
        if told["first_seen_at"]:
            return _state(self._pack, "seen")
        if told["delivered_at"]:
            return _state(self._pack, "delivered")
        return _state(self._pack, "came-back" if told["failed_at"] else told["state"])

    def since(self, told: Mapping[str, Any]) -> When | None:
        """Since when that is known."""
        at = told["first_seen_at"] or told["delivered_at"] or told["failed_at"] or told["handed_over_at"]
        return None if at is None else self.when(at)


def _state(words: Pack, name: str) -> tuple[str, str]:
    """A state's word and its signal."""
    return words.words["sent"][name], STATE[name]


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """A notice on the order's page."""

    id: str
    about: str
    audience: str
    recipient: str
    status: tuple[str, str]
    error: str | None
    since: When


class OrderNotifications:
    """The notices of an order, the newest first."""

    def __init__(self, notices: Sequence[Notification], zone: str, now: Instant) -> None:
        self.rows = [
            NotificationRow(
                notice.notice_id,
                notice.template.replace("-", " "),
                notice.audience,
                notice.recipient_id,
                _state(pack(LANGUAGES[0]), _furthest(notice)),
                notice.error,
                when(_since(notice), zone, now),
            )
            for notice in reversed(notices)
        ]
        done = sum(notice.handed_at is not None for notice in notices)
        self.sentence = f"{done} of {counted(len(notices), 'notice')} handed over"


def _furthest(notice: Notification) -> str:
    """The most that is known of it."""
    if notice.seen_at is not None:
        return "seen"
    if notice.delivered_at is not None:
        return "delivered"
    return "came-back" if notice.failed_at is not None else notice.state


def _since(notice: Notification) -> Instant:
    return notice.seen_at or notice.delivered_at or notice.failed_at or notice.handed_at or notice.told_at
