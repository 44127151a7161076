"""Any commands in any order: quantities and money add up, nothing is refunded twice, answers change on time.

Hypothesis plays random stories under every preset. The money is compared with a second computation that shares no code
with the domain: it goes through the events, unit by unit.
"""

import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import events as e
from domain.eligibility_queries import ACTIONS
from domain.instants import DAY, HOUR, MINUTE, format_instant, parse_instant
from domain.presets import NAMES
from domain.reasons import FAULTS
from tests.effort import examples
from tests.spec.domain.story import Story, policy

LOST = policy(
    """id = "lost-parcels"
version = 1
rules = ["stalled-tracking", "tracking-lock", "shipped-lock", "grace-window", "seller-has-final-say"]
fill-or-kill = true
[stalled-tracking]
after = "2 days"
[seller-has-final-say]
deadline = "1 day"
silence = "cancels"
[unpaid-auto-cancel]
after = "2 days"
[late-ship-auto-cancel]
after-ship-by = "1 day"
[returns]
days = 30
"""
)
START = parse_instant("2026-03-25T10:00:00Z")  # a clock change in Europe lies four days ahead

quantity = st.integers(1, 4)
line = st.integers(1, 3)
picks = st.none() | st.lists(
    line | st.builds(lambda n, q: {"line": n, "quantity": q}, line, quantity),
    min_size=1,
    max_size=3,
    unique_by=lambda p: p if isinstance(p, int) else p["line"],
)
number = st.sampled_from(["1", "2", "3"])
reason = st.sampled_from([None, "other", "out_of_stock", "changed_mind"])
parcel = {"carrier": "UPS", "tracking_number": "1Z9"}
NOTICE = "It was canceled but shipped with UPS, tracking number 1Z9. You will be billed again."


def command(
    name: str, by: str | None = None, /, **fields: Any
) -> st.SearchStrategy[tuple[str, str | None, dict[str, Any]]]:
    """A command with some of its fields drawn; None leaves a field out."""
    drawn = {k: v if isinstance(v, st.SearchStrategy) else st.just(v) for k, v in fields.items()}
    return st.fixed_dictionaries(drawn).map(lambda f: (name, by, {k: v for k, v in f.items() if v is not None}))


drawn_id = {kind: number.map(f"{kind}{{}}".format) for kind in ("r", "s", "m", "k", "d", "x", "e", "p")}
amount = st.sampled_from(["1.00", "10.00", "33.33", "77.00"])
refund = number.map("refund-{}".format)
payment = st.just("payment-1") | drawn_id["p"]
covers = st.lists(
    st.builds(lambda n: {"line": n, "amount": "4.00"}, line)
    | st.just({"shipping": "2.00"})
    | st.builds(lambda n: {"fee_id": f"f{n}", "amount": "1.00"}, line),
    max_size=2,
    unique_by=str,
)
COMMANDS = st.one_of(
    command("RequestCancel", request_id=drawn_id["r"], lines=picks, reason=reason),
    command("RequestCancel", "seller", request_id=drawn_id["r"], lines=picks, reason="other"),
    command("CancelLines", lines=picks, reason=reason),
    command("CancelLines", "support", lines=picks, reason="other", rule="shipped-lock"),
    command("ApproveCancel", request_id=drawn_id["r"], refund_now=st.booleans()),
    command("ApproveCancel", "buyer", request_id=drawn_id["r"]),
    command("DeclineCancel", request_id=drawn_id["r"]),
    command("WithdrawCancel", request_id=drawn_id["r"]),
    command("TakeAlternative", request_id=st.none() | drawn_id["r"], kind=st.sampled_from(["wait", "credit"])),
    command("DeclineAlternatives", request_id=st.none() | drawn_id["r"]),
    command("StartFulfilment", lines=picks),
    command("StartTracking", lines=picks, **parcel),
    command("TrackingMoved", shipment_id=st.none() | drawn_id["s"], **parcel),
    command("Ship", shipment_id=drawn_id["s"], lines=picks),
    command("Ship", shipment_id=drawn_id["s"], lines=picks, **parcel),
    command("VoidShipment", shipment_id=drawn_id["s"], note="a mistake"),
    command("ReviseShipBy", ship_by=st.sampled_from(["2026-03-26T10:00:00Z", "2026-04-02T10:00:00Z"])),
    command("Deliver", shipment_id=st.none() | drawn_id["s"] | st.just("return-1")),
    command("ConfirmPayment", amount=amount),
    command(
        "ConfirmPayment",
        amount=amount,
        payment_id=drawn_id["p"],
        method=st.sampled_from(["card", "gift_card"]),
        state=st.sampled_from(["captured", "authorized"]),
    ),
    command("CapturePayment", payment_id=drawn_id["p"], amount=st.none() | st.just("7.00")),
    command("ReleasePayment", payment_id=drawn_id["p"], amount=st.none() | st.just("7.00")),
    command("RecordOtherRefund", amount=st.sampled_from(["0.50", "10.00"]), payment_id=st.none() | payment),
    command("RecordOtherRefund", amount=st.just("10.00"), covers=covers),
    command("RecordOtherRefund", amount=st.sampled_from(["3.34", "10.00"]), refund_id=refund),
    command("ConfirmRefund", refund_id=refund, payment_id=st.none() | payment),
    command("FailRefund", refund_id=refund, payment_id=st.none() | payment),
    command("WithdrawRefund", "support", refund_id=refund, rule="full-refund", note="a mistake"),
    command("OpenChargeback", payment_id=payment, amount=amount),
    command("CloseChargeback", payment_id=payment, outcome=st.sampled_from(["won", "lost"])),
    command("CloseChargeback", payment_id=payment, outcome="lost", amount="1.00"),
    command("ReportShippedAfterCancel", lines=picks.filter(bool), **parcel),
    command("NotifyCustomer", text=NOTICE),
    command("Acknowledge", accepts_item=True, accepts_rebilling=st.booleans()),
    command("Rebill", lines=picks),
    command("ConfirmRebill", rebill_id=number.map("rebill-{}".format)),
    command("IssueCreditMemo", memo_id=drawn_id["m"], rebill_id=number.map("rebill-{}".format)),
    command("OpenCase", case_id=drawn_id["k"], reason="wrong_item", lines=picks.filter(bool)),
    command("DecideCase", case_id=drawn_id["k"], outcome=st.sampled_from(["return", "deny"]), rule="case-reasons"),
    command("AcceptReturn", about=drawn_id["k"], refund_now=st.booleans()),
    command("RequestReturn", lines=picks.filter(bool), reason="wrong_item"),
    command("StartReturn", about=number.map("return-{}".format)),
    command("ReturnReceived", about=number.map("return-{}".format), condition="sellable"),
    command("OpenDispute", dispute_id=drawn_id["d"], about=drawn_id["r"]),
    command(
        "DecideDispute",
        dispute_id=drawn_id["d"],
        outcome=st.sampled_from(["grant", "deny", "return"]),
        rule="shipped-lock",
    ),
    command("AppealDispute", dispute_id=drawn_id["d"]),
    command(
        "AttachEvidence",
        "buyer",
        evidence_id=drawn_id["e"],
        about=drawn_id["k"],
        kind="photo",
        sha256="ab" * 32,
        media_type="image/png",
        size=9,
    ),
    command("RequestEvidence", about=drawn_id["k"], kinds=["photo"], until="2026-04-20T10:00:00Z"),
    command("SendMessage", message_id=drawn_id["x"], to="seller", text="Hello?"),
)
later = st.sampled_from([1, MINUTE, HOUR, 3 * HOUR, 20 * HOUR, DAY, 3 * DAY, 8 * DAY])
order_line = st.builds(
    lambda n, q, price, tax, off, shipping, shipping_tax: {
        "line": n,
        "sku": f"sku-{n}",
        "quantity": q,
        "unit_price": price,
        "tax": tax,
        "discount": off,
        "shipping": shipping,
        "shipping_tax": shipping_tax,
    },
    st.just(0),
    quantity,
    st.sampled_from(["0.00", "3.34", "10.00", "25.01"]),
    st.sampled_from(["0.00", "0.07", "1.00"]),
    st.just("0.00"),
    st.sampled_from(["0.00", "1.01"]),
    st.sampled_from(["0.00", "0.08"]),
)
fees = st.lists(
    st.builds(
        lambda n, refundable: {"fee_id": f"f{n}", "amount": "3.00", "tax": "0.24", "refundable": refundable},
        line,
        st.sampled_from(["never", "with-order"]),
    ),
    max_size=2,
    unique_by=lambda fee: fee["fee_id"],
)
orders = st.fixed_dictionaries(
    {
        "lines": st.lists(order_line, min_size=1, max_size=3).map(
            lambda ls: [{**x, "line": i + 1} for i, x in enumerate(ls)]
        ),
        "shipping": st.sampled_from(["0.00", "4.99"]),
        "shipping_tax": st.sampled_from(["0.00", "0.95"]),
        "paid": st.booleans(),
        "tax_included": st.booleans(),
        "rounding": st.sampled_from(["0.00", "0.03"]),
        "fees": fees,
        "sale_format": st.sampled_from(["fixed", "offer"]),
        "ship_by": st.sampled_from([None, "2026-03-27T17:00:00Z"]),
        "timezone": st.sampled_from([None, "Europe/Berlin"]),
    }
).map(lambda f: {k: v for k, v in f.items() if v is not None})
Step = tuple[str, str | None, dict[str, Any]]
SHIPPED: Step = ("Ship", None, {"shipment_id": "s9"})
DELIVERED: Step = ("Deliver", None, {})
CANCELED: Step = ("CancelLines", None, {"reason": "out_of_stock"})
FOUND: Step = ("ReportShippedAfterCancel", None, {"lines": [1], **parcel})
NOTIFIED: Step = ("NotifyCustomer", None, {"text": NOTICE})
ACCEPTED: Step = ("Acknowledge", None, {"accepts_item": True, "accepts_rebilling": True})
BILLED: Step = ("Rebill", None, {})
CONFIRMED: Step = ("ConfirmRebill", None, {"rebill_id": "rebill-1"})
PROLOGUES: list[list[Step]] = [
    [],
    [SHIPPED],
    [SHIPPED, DELIVERED],
    [("RequestCancel", None, {"request_id": "r1", "lines": [1], "reason": "other"})],
    [SHIPPED, ("RequestCancel", None, {"request_id": "r1", "lines": [1], "reason": "other"})],
    [
        SHIPPED,
        ("RequestCancel", None, {"request_id": "r1", "reason": "other"}),
        ("DeclineCancel", None, {"request_id": "r1"}),
    ],
    [CANCELED, FOUND],
    [CANCELED, FOUND, NOTIFIED],
    [CANCELED, FOUND, NOTIFIED, ACCEPTED],
    [CANCELED, FOUND, NOTIFIED, ACCEPTED, BILLED, CONFIRMED],
]
"""Beginnings of stories, so that late stages of an order's life occur often enough to be tested."""
stories = st.tuples(
    st.sampled_from([*NAMES, "lost-parcels"]),
    orders,
    st.builds(
        lambda before, after: [*((MINUTE, step) for step in before), *after],
        st.sampled_from(PROLOGUES),
        st.lists(st.tuples(later, COMMANDS), max_size=12),
    ),
)


def play(preset: str, order: dict[str, Any], steps: list[tuple[int, Any]]) -> tuple[Story, int]:
    """Play a story. Returns it with the instant of its last command."""
    story = Story(preset, documents=(LOST,)).placed(format_instant(START), **order)
    now = START
    for wait, (name, by, fields) in steps:
        now += wait
        outcome = story.send(name, format_instant(now), by=by, **fields)
        assert outcome.split(":")[0] in ("accepted", "refused", "bad"), outcome
    return story, now


# ---- a second computation of the money ------------------------------------------------------------


def units(amount: int, count: int) -> list[int]:
    """One amount over so many units: the first k carry ceil(k · amount / count)."""
    until = [math.ceil(Fraction(k * amount, count)) for k in range(count + 1)]
    return [b - a for a, b in pairwise(until)]


def refunds_expected(story: Story) -> list[int]:
    """The refunds that each commit should have instructed, from the events alone."""
    terms = next(ev for events, _ in story.commits for ev, _ in events if isinstance(ev, e.OrderPlaced))
    on_top = 0 if terms.tax_included else 1
    goods = {x.line: units(x.goods, x.quantity) for x in terms.lines}
    tax = {x.line: units(on_top * x.tax, x.quantity) for x in terms.lines}
    shipping = {x.line: units(x.shipping, x.quantity) for x in terms.lines}
    shipping_tax = {x.line: units(on_top * x.shipping_tax, x.quantity) for x in terms.lines}
    given, shipping_given, canceled = dict.fromkeys(goods, 0), dict.fromkeys(goods, 0), dict.fromkeys(goods, 0)
    worth: dict[Any, int] = dict.fromkeys(goods, 0)
    covered: Counter[Any] = Counter()
    notices: dict[str, int] = {}
    returns: dict[str, e.ReturnOpened] = {}
    faults: set[str] = set()
    stalled: set[str] = set()
    settled: set[str] = set()
    paid = other = instructed = rebilled_back = 0
    expected = []

    def give(number: int, count: int, with_shipping: bool) -> None:
        for _ in range(count):
            worth[number] += goods[number][given[number]] + tax[number][given[number]]
            given[number] += 1
            if with_shipping:
                n = shipping_given[number]
                worth[number] += shipping[number][n] + shipping_tax[number][n]
                shipping_given[number] += 1

    def come_back(back: e.ReturnOpened) -> None:
        settled.add(back.return_id)
        for part in back.lines:
            at_fault = back.reason in FAULTS if back.reason else back.about in faults
            give(part.line, part.quantity, at_fault or back.about in stalled)

    for events, _ in story.commits:
        for event, _ in events:
            match event:
                case e.PaymentReceived():
                    paid += event.amount
                case e.PaymentReleased():
                    paid -= event.amount - event.voided
                case e.OtherRefundRecorded():
                    other += event.amount
                    for cover in event.covers:
                        covered[cover.line or cover.fee_id or "shipping"] += cover.amount
                case e.LinesCanceled():
                    for part in event.lines:
                        give(part.line, part.quantity, True)
                        canceled[part.line] += part.quantity
                case e.AutoCanceled():
                    give(event.line, event.quantity, True)
                    canceled[event.line] += event.quantity
                case e.LineShipped() | e.LinePartiallyShipped():
                    notices[event.shipment_id] = 1
                case e.ShipmentVoided():
                    notices.pop(event.shipment_id, None)
                case e.CaseOpened():
                    if event.reason in FAULTS:
                        faults.add(event.case_id)
                case e.CancelRequested():
                    stalled.discard(event.request_id)
                    if event.verdict.rule == "stalled-tracking":
                        stalled.add(event.request_id)
                case e.ReturnOpened():
                    returns[event.return_id] = event
                    if event.refund == "at_once":
                        come_back(event)
                case e.ReturnAccepted(refund_now=True) | e.ReturnReceived():
                    back = returns[event.return_id]
                    if back.refund == "none":
                        rebilled_back = story.here.rebill_back
                    elif event.return_id not in settled:
                        come_back(back)
                case _:
                    pass
        if all(canceled[x.line] == x.quantity for x in terms.lines) and not notices:
            worth["shipping"] = terms.shipping + on_top * terms.shipping_tax
            for fee in terms.fees:
                worth[fee.fee_id] = fee.amount + on_top * fee.tax if fee.refundable == "with-order" else 0
        owed = sum(max(0, value - covered[target]) for target, value in worth.items())
        short, over = max(0, terms.total - paid), max(0, paid - terms.total)
        due = min(max(0, owed - short), min(paid, terms.total) - other) + over
        expected.append(max(0, due - instructed))
        instructed += expected[-1]
    assert rebilled_back == story.here.rebill_back
    return expected


def instructed(story: Story) -> Iterator[list[int]]:
    for events, _ in story.commits:
        yield [event.amount for event, _ in events if isinstance(event, e.RefundDue)]


@pytest.mark.rule("money-adds-up")
@given(stories)
@settings(max_examples=examples(400))
def test_refunds_equal_the_amounts_due_and_a_commit_has_at_most_one(drawn: Any) -> None:
    story, _ = play(*drawn)
    amounts = list(instructed(story))
    assert all(len(found) <= 1 for found in amounts)
    if story.here.rebill_back == 0:
        assert [sum(found) for found in amounts] == refunds_expected(story)


@given(stories, st.sampled_from(ACTIONS), st.lists(st.floats(0, 1, exclude_max=True), max_size=4))
@settings(max_examples=examples(300))
def test_between_now_and_next_change_at_no_answer_changes_and_at_it_one_does(
    drawn: Any, action: str, where: list[float]
) -> None:
    story, now = play(*drawn)
    verdict = story.may(action, format_instant(now))
    answer = verdict.outcome, verdict.rule
    until = verdict.next_change_at
    end = until if until is not None else now + 400 * DAY
    for share in [*where, 0.999999]:
        between = now + int((end - 1 - now) * share)
        later = story.may(action, format_instant(between))
        assert (later.outcome, later.rule) == answer, format_instant(between)
    if until is not None:
        assert until > now
        just = story.may(action, format_instant(until - 1))
        assert (just.outcome, just.rule) == answer
        changed = story.may(action, format_instant(until))
        assert (changed.outcome, changed.rule) != answer


@given(stories)
@settings(max_examples=examples(150))
def test_the_same_story_has_the_same_events(drawn: Any) -> None:
    first, _ = play(*drawn)
    second, _ = play(*drawn)
    assert first.commits == second.commits


@pytest.mark.rule("memo-needs-acknowledgment")
@given(stories)
@settings(max_examples=examples(200))
def test_no_memo_without_acknowledgment_and_nothing_rebilled_that_was_not_refunded(drawn: Any) -> None:
    story, _ = play(*drawn)
    names = story.events()
    if "CreditMemoIssued" in names:
        before = names[: names.index("CreditMemoIssued")]
        assert {"CustomerNotified", "CustomerAcknowledged", "RebillAccepted", "RebillDue", "Rebilled"} <= set(before)
    assert sum(x.amount for x in story.here.rebills.values()) <= story.here.refunds_instructed
