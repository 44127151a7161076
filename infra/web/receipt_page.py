"""The receipt as a page to keep or print, and who was told on the order's page. Reads, and decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from consumers.notices import Notice
from domain.instants import Instant, parse_instant
from infra.web import words
from infra.web.formatting import counted, moment, money, units
from infra.web.order_page import When, when

STATE: Mapping[str, tuple[str, str]] = {
    "waiting": ("Goes out next", "waiting"),
    "handing": ("Goes out now", "waiting"),
    "handed": ("Handed over", "done"),
    "unknown": ("May have gone out", "attention"),
    "no-address": ("Not sent: no address", "attention"),
    "too-old": ("Not sent", "quiet"),
    "failed": ("Could not be sent", "attention"),
    "moot": ("Not needed", "quiet"),
    "delivered": ("Delivered", "done"),
    "seen": ("Seen", "done"),
    "came back": ("Came back", "attention"),
}
"""How far a notice has come → its word and its signal."""


class ReceiptPage:
    """A receipt, in the order's own time zone."""

    def __init__(self, receipt: Mapping[str, Any], now: Instant, *, then: bool) -> None:
        """``then``: it speaks of an instant that was asked for."""
        self.receipt = receipt
        self.zone: str = receipt["timezone"]
        self._now = now
        self._then = then

    @property
    def title(self) -> str:
        """The answer in a word."""
        return {"not": "Not cancelled", "partly": "Cancelled in part", "whole": "Cancelled"}[self.receipt["canceled"]]

    @property
    def sentence(self) -> str:
        """The answer, as it may be shown to others."""
        receipt = self.receipt
        at = f"As of {moment(parse_instant(receipt['as_of']), self.zone)} ({self.zone})"
        many = receipt["canceled"] == "partly" and receipt["canceled_units"] != 1
        was = ("were" if many else "was") if self._then else ("are" if many else "is")
        order = f"order {receipt['po_number']}"
        if receipt["canceled"] == "not":
            return f"{at} {order} {was} not cancelled, in whole or in part."
        what = f"{receipt['canceled_units']} of {units(receipt['ordered'])} of {order}"
        if receipt["canceled"] == "whole":
            what = order
        done = counted(len(receipt["cancellations"]), "cancellation")
        return f"{at} {what} {was} cancelled, by {done}. That cannot be undone."

    def when(self, text: str) -> When:
        """With the year: a receipt is kept."""
        instant = parse_instant(text)
        return replace(when(instant, self.zone, self._now), text=moment(instant, self.zone))

    def money(self, minor: int) -> str:
        return money(minor, self.receipt["currency"])

    def cause(self, line: Mapping[str, Any]) -> str:
        """Why these units were cancelled."""
        said = words.CAUSE.get(line["cause"], "fill or kill" if line["cause"] == "fill_or_kill" else line["cause"])
        return said if line["reason"] is None else f"{said}: {words.reason(line['reason'])}"

    def state(self, told: Mapping[str, Any]) -> tuple[str, str]:
        """How far the confirmation has come, the most that is known."""
        if told["first_seen_at"]:
            return STATE["seen"]
        if told["delivered_at"]:
            return STATE["delivered"]
        return STATE["came back"] if told["failed_at"] else STATE[told["state"]]

    def since(self, told: Mapping[str, Any]) -> When | None:
        """Since when that is known."""
        at = told["first_seen_at"] or told["delivered_at"] or told["failed_at"] or told["handed_over_at"]
        return None if at is None else self.when(at)


@dataclass(frozen=True, slots=True)
class ToldRow:
    """A notice on the order's page."""

    id: str
    about: str
    audience: str
    recipient: str
    status: tuple[str, str]
    error: str | None
    since: When


class WhoWasTold:
    """The notices of an order, the newest first."""

    def __init__(self, notices: Sequence[Notice], zone: str, now: Instant) -> None:
        self.rows = [
            ToldRow(
                notice.notice_id,
                notice.template.replace("-", " "),
                notice.audience,
                notice.recipient_id,
                STATE[_furthest(notice)],
                notice.error,
                when(_since(notice), zone, now),
            )
            for notice in reversed(notices)
        ]
        done = sum(notice.handed_at is not None for notice in notices)
        self.sentence = f"{done} of {counted(len(notices), 'notice')} handed over"


def _furthest(notice: Notice) -> str:
    """The most that is known of it."""
    if notice.seen_at is not None:
        return "seen"
    if notice.delivered_at is not None:
        return "delivered"
    return "came back" if notice.failed_at is not None else notice.state


def _since(notice: Notice) -> Instant:
    return notice.seen_at or notice.delivered_at or notice.failed_at or notice.handed_at or notice.told_at
