"""The records that an order of the demo needs to show a rule. A rule without an entry here is shown by a verdict."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from domain.instants import format_instant
from domain.standing import count_of
from infra.web.order_page import rules_of
from tests.integration.http.client import Http


@dataclass(frozen=True)
class Seen:
    """An order of the demo: its path, its history, and the client to query it."""

    path: str
    events: list[dict[str, Any]]
    http: Http

    def speaks(self, rule: str) -> bool:
        """The rule of a verdict, or what a decision or a step rests on."""
        return rule in rules_of(self.events) or any(verdict["rule"] == rule for verdict in self._verdicts())

    def refuses(self, rule: str) -> bool:
        return any((verdict["outcome"], verdict["rule"]) == ("refused", rule) for verdict in self._verdicts())

    def _verdicts(self) -> list[dict[str, Any]]:
        return [verdict for event in self.events if (verdict := event["data"].get("verdict"))]

    def all(self, event: str, **data: Any) -> list[dict[str, Any]]:
        """The data of the events of this name that have these values."""
        found = [each["data"] for each in self.events if each["event"] == event]
        return [each for each in found if all(each[key] == value for key, value in data.items())]

    def has(self, *names: str) -> bool:
        """These events, in this order, others between them or not."""
        left = iter(each["event"] for each in self.events)
        return all(name in left for name in names)

    def by(self, event: str) -> set[str]:
        """The kinds of the actors of this event."""
        return {each["actor"]["kind"] for each in self.events if each["event"] == event}

    def order(self, **query: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(self.path + "?" + "&".join(f"{k}={v}" for k, v in query.items())).json()
        return found

    def dispute(self) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"{self.path}/disputes/dispute-a").json()
        return found


Claim = Callable[[Seen], bool]


def _both_notified(seen: Seen) -> bool:
    """The confirmation went astray and arrived, and the seller has theirs."""
    version = next(each["version"] for each in seen.events if each["event"] == "LinesCanceled")
    buyers = [each["event"] for each in seen.events if each["data"].get("notice_id") == f"told-{version}-buyer"]
    sellers = seen.all("ConfirmationDelivered", notice_id=f"told-{version}-seller")
    return buyers == ["NoticeFailed", "ConfirmationDelivered"] and len(sellers) == 1


def _full_refund(seen: Seen) -> bool:
    """All is cancelled, and all that was paid is back, shipping included."""
    paid = sum(each["amount"] for each in seen.all("PaymentReceived"))
    money = seen.order()["money"]
    return 0 < paid == sum(each["amount"] for each in seen.all("RefundDue")) == money["refunded_minor"]


def _money_adds_up(seen: Seen) -> bool:
    """At every version, in three refunds that are not alike."""
    sums = [seen.order(as_of=each["recorded_at"])["money"] for each in seen.events]
    parts = {each["amount"] for each in seen.all("RefundDue")}
    return len(parts) == 3 and all(
        money["paid_minor"] == money["kept_minor"] + money["refund_due_minor"] + money["refunded_minor"] >= 0
        and money["kept_minor"] >= 0
        for money in sums
    )


def _restock_once(seen: Seen) -> bool:
    """One of three went back when it was cancelled, one on receipt; a second receipt of it was refused."""
    [line] = seen.order()["lines"]
    received = seen.all("ReturnReceived")
    once = [each["condition"] for each in received] == ["damaged"] and seen.refuses("step-out-of-order")
    return once and (line["ordered"], line["canceled"], line["returned"]) == (3, 1, 1)


def _standing(seen: Seen) -> bool:
    """A cancellation with the reason that the buyer asked, but without a request, counts against the seller."""
    parts = [part for each in seen.all("LinesCanceled") for part in each["lines"]]
    against = {count_of(part["cause"], part["reason"]) for part in parts if part["reason"] == "buyer_asked"}
    return against == {"by_seller"} and not seen.has("CancelRequested")


def _case_evidence(seen: Seen) -> bool:
    """The deadline was paused with time left, and resumed when the photograph was added."""
    [requested] = seen.all("EvidenceRequested")
    photos = seen.all("EvidenceAdded", kind="photo", origin="own_photo", side="buyer")
    goes_on = any(each["kind"] == "case" for one in photos for each in one["deadlines"])
    return requested["remaining"] > 0 and goes_on and seen.has("EvidenceRequested", "EvidenceAdded", "CaseDecided")


def _case_thread(seen: Seen) -> bool:
    """All three write in one thread, and support's note to itself is marked."""
    thread = seen.http.get(f"{seen.path}/cases/case-a").json()["thread"]
    marked = [each["internal"] for each in thread]
    return seen.by("MessageSent") == {"buyer", "seller", "support"} and marked == [False, False, False, True]


def _listing_as_sold(seen: Seen) -> bool:
    [line] = seen.http.get(f"{seen.path}/cases/case-a").json()["lines"]
    pinned = seen.all("OrderPlaced")[0]["lines"][0]["listing"]
    return bool(pinned) and line["listing"] == pinned


def _overpaid(seen: Seen) -> bool:
    """The excess went back at once; the second refund goes back to both payments, and only one part is paid."""
    first, second = seen.all("RefundDue")
    paid = [each["amount"] for each in seen.all("PaymentReceived")]
    excess = sum(paid) - seen.order()["money"]["total_minor"]
    parts = {each["payment_id"]: each["amount"] for each in second["parts"]}
    whole = parts == {"gift-card-1": paid[0], "card-1": paid[1] - excess} and second["amount"] == sum(paid) - excess
    causes = [each["cause"] for each in (*first["causes"], *second["causes"])]
    status = [each["status"] for each in seen.order()["refunds"]]
    return whole and first["amount"] == excess and causes == ["overpaid", "seller"] and status == ["confirmed", "due"]


CLAIMS: dict[str, Claim] = {
    "alternatives-first": lambda seen: seen.speaks("alternatives-first") and seen.has("AlternativeTaken"),
    "both-told": _both_notified,
    "full-refund": _full_refund,
    "money-adds-up": _money_adds_up,
    "restock-once": _restock_once,
    "standing": _standing,
    "notify-customer": lambda seen: seen.has("ShippedAfterCancelFound", "CustomerNotified"),
    "acknowledge-both": lambda seen: bool(
        seen.all("CustomerDeclined", accepts_item=True, accepts_rebilling=False)
        and seen.all("ReturnOpened", postage="platform")
        and not seen.has("RebillDue")
    ),
    "evidence-of-acknowledgment": lambda seen: (
        seen.refuses("evidence-of-acknowledgment")
        and seen.has("CommandRefused", "EvidenceAdded", "CustomerAcknowledged")
        and bool(seen.all("CustomerAcknowledged", evidence=["answer"]))
    ),
    "rebill": lambda seen: seen.has("CustomerAcknowledged", "RebillAccepted", "RebillDue", "Rebilled"),
    "credit-memo": lambda seen: (
        seen.has("Rebilled", "CreditMemoIssued")
        and seen.all("CreditMemoIssued")[0]["amount"] == seen.all("RebillDue")[0]["amount"] > 0
    ),
    "case-evidence": _case_evidence,
    "case-thread": _case_thread,
    "listing-as-sold": _listing_as_sold,
    "seller-may-accept": lambda seen: (
        seen.has("CaseOpened", "ReturnAccepted")
        and seen.by("ReturnAccepted") == {"seller"}
        and not seen.has("CaseDecided")
    ),
    "silence-is-not-consent": lambda seen: (
        seen.speaks("silence-is-not-consent") and "seller" not in seen.by("EvidenceAdded") | seen.by("MessageSent")
    ),
    "case-decision-time": lambda seen: bool(
        seen.all("DeadlineReached", kind="case")
        and not seen.has("CaseDecided")
        and {"case_open", "late"} <= set(seen.order(as_of=format_instant(seen.http.app.clock()))["attention"])
    ),
    "platform-pays-return": lambda seen: (
        seen.has("CaseDecided", "ReturnOpened", "ReturnReceived", "RefundDue")
        and bool(seen.all("ReturnOpened", postage="platform", about="case-a"))
    ),
    "return-not-confirmed": lambda seen: (
        bool(seen.all("ReturnReceived", cause="not_confirmed"))
        and seen.has("DeadlineReached", "ReturnReceived", "RefundDue")
    ),
    "store-return": lambda seen: (
        bool(seen.all("ReturnOpened", reason="does_not_fit", postage="buyer"))
        and seen.has("Delivered", "ReturnReceived")
    ),
}  # fmt: skip
"""Rule → what shows it. Every other rule of the table has to speak in a verdict, or be what something rests on."""

FURTHER_CLAIMS: dict[str, Claim] = {
    "found by a scan": lambda seen: bool(seen.all("ShippedAfterCancelFound", source="scan")),
    "never acknowledged": lambda seen: (
        bool(seen.all("DeadlineReached", kind="acknowledge"))
        and seen.refuses("memo-needs-acknowledgment")
        and not seen.has("RebillDue")
    ),
    "rebill failed": lambda seen: seen.has("RebillDue", "RebillFailed", "Rebilled"),
    "evidence not given": lambda seen: bool(seen.all("DeadlineReached", kind="evidence")) and seen.has("CaseDecided"),
    "policy as it was": lambda seen: seen.all("DisputeOpened")[0]["policy"] == seen.all("OrderPlaced")[0]["policy"],
    "asked by message only": lambda seen: (
        seen.all("DisputeOpened")[0]["about"] == seen.all("MessageSent")[0]["message_id"]
        and not seen.has("CancelRequested")
    ),
    "nobody answered": lambda seen: seen.has("CancelRequested", "DeadlineReached", "LineShipped", "DisputeOpened"),
    "gaps on the checklist": lambda seen: any(item["gaps"] for item in seen.dispute()["checklist"]),
    "evidence too late": lambda seen: seen.refuses("evidence-closed"),
    "escalated": lambda seen: seen.has("DisputeOpened", "DisputeEscalated"),
    "more asked for": lambda seen: seen.has("DisputeEscalated", "EvidenceRequested"),
    "granted": lambda seen: (
        bool(seen.all("DisputeDecided", outcome="grant")) and seen.has("DisputeDecided", "LinesCanceled", "RefundDue")
    ),
    "denied": lambda seen: (
        bool(seen.all("DisputeDecided", outcome="deny"))
        and seen.has("CancelRequested", "LineShipped", "DisputeDecided")
    ),
    "sent back": lambda seen: (
        bool(seen.all("DisputeDecided", outcome="return")) and seen.has("DisputeDecided", "ReturnOpened", "RefundDue")
    ),
    "appealed": lambda seen: seen.has("DisputeDecided", "DisputeAppealed", "DisputeDecided"),
    "decided for good": lambda seen: seen.has("DisputeAppealed", "DisputeDecided") and seen.refuses("dispute-closed"),
    "dismissed": lambda seen: seen.has("DisputeDecided", "DisputeDismissed") and seen.refuses("too-late"),
    "lost parcel": lambda seen: (
        seen.has("LineShipped", "ParcelUndelivered", "RefundDue", "RefundConfirmed")
        and seen.order()["status"] == "undelivered"
        and seen.order()["money"]["kept_minor"] == 0
    ),
    "return in parts": lambda seen: (
        [each["lines"][0]["condition"] for each in seen.all("ReturnReceived")] == ["sellable", "damaged"]
        and [each["status"] for each in seen.order()["returns"]] == ["started"]
        and len(seen.all("RefundDue")) == 2
    ),
    "overpaid": _overpaid,
    "chargeback": lambda seen: (
        seen.has("ChargebackOpened", "LinesCanceled", "RefundDue", "ChargebackClosed", "OtherRefundSettled")
        and [each["waiting"] for each in seen.all("RefundDue")[0]["parts"]] == [True]
        and seen.order()["money"]["other_refunds_minor"] == 3000
    ),
    "refund withdrawn": lambda seen: [each["status"] for each in seen.order()["refunds"]] == ["withdrawn"],
    "just opened": lambda seen: seen.order()["attention"] == ["dispute_open"],
}  # fmt: skip
"""Further behavior of the rules → what shows it."""
