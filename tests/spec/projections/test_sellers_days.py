"""cancellations and seller_daily: which cause counts against whom, once a line, on which local day."""

import sys
from types import FrameType
from typing import Any

from consumers.projection.projector import Projector
from projections.dashboards import local_day
from projections.tables import CANCELLATIONS, SELLER_DAILY, Cell
from tests.spec.projections.histories import History
from tests.spec.projections.memory_views import MemoryViews
from tests.spec.projections.test_what_an_order_shows import viewed

LINES = [{"line": n, "sku": f"A-{n}", "quantity": 5, "unit_price": "5.00"} for n in (1, 2, 3, 4)]


def days(history: History) -> dict[Cell, dict[str, Cell]]:
    """day → what is not 0."""
    rows = viewed(history).rows(SELLER_DAILY)
    hidden = ("marketplace", "seller_id", "day", "currency", "currency_exponent")
    return {row["day"]: {k: v for k, v in row.items() if v and k not in hidden} for row in rows}


def causes(history: History) -> list[tuple[Cell, Cell, Cell]]:
    return [(row["line"], row["cause"], row["quantity"]) for row in viewed(history).rows(CANCELLATIONS)]


def placed(**fields: Any) -> History:
    history = History()
    history.place(lines=LINES, **fields)
    return history


def test_each_line_counts_once_under_its_cause() -> None:
    history = placed()
    history.send("RequestCancel", actor="buyer", request_id="r1", lines=[1], reason="changed_mind")
    history.send("ApproveCancel", actor="seller", request_id="r1")
    history.send("CancelLines", actor="seller", lines=[2], reason="out_of_stock")
    history.send("Ship", actor="seller", shipment_id="asn-1", lines=[{"line": 3, "quantity": 2}])

    assert causes(history) == [(1, "request", 5), (2, "seller", 5), (3, "fill_or_kill", 3)]
    assert days(history) == {
        "2026-03-02": {
            "orders_placed": 1,
            "lines_placed": 4,
            "lines_canceled_by_request": 1,
            "lines_canceled_by_seller": 1,
            "lines_auto_canceled": 1,
            "refund_minor": 6500,
        }
    }


def test_a_lost_parcel_counts_for_nobody() -> None:
    history = placed(policy="big-box")
    history.send("Ship", actor="seller", shipment_id="asn-1")
    history.send("ReportUndelivered", at="2026-03-12T10:00:00Z", actor="seller", shipment_id="asn-1", outcome="lost")
    assert causes(history) == []
    assert days(history)["2026-03-12"] == {"refund_minor": 10000}


def test_a_line_counts_under_the_cause_that_first_cancelled_any_of_it() -> None:
    history = placed(policy="big-box", ship_by="2026-03-03T00:00:00Z")
    requested = [{"line": 1, "quantity": 1}]
    history.send("RequestCancel", actor="buyer", request_id="r1", lines=requested, reason="changed_mind")
    history.send("ApproveCancel", actor="seller", request_id="r1")
    history.send("CancelLines", at="2026-03-03T12:00:00Z", actor="seller", lines=[1], reason="out_of_stock")
    history.send("Ship", at="2026-03-04T12:00:00Z", actor="seller", shipment_id="asn-1", lines=[2])
    history.send("ConfirmRefund", at="2026-03-10T12:00:00Z", refund_id="refund-1")

    assert causes(history) == [(1, "request", 1), (1, "seller", 4), (3, "late_ship", 5), (4, "late_ship", 5)]
    totals = days(history)
    assert totals["2026-03-02"]["lines_canceled_by_request"] == 1
    assert "lines_canceled_by_seller" not in totals["2026-03-03"]
    assert totals["2026-03-07"] == {"lines_auto_canceled": 2, "refund_minor": 5000}


def test_one_cancellation_for_two_causes_counts_the_line_once() -> None:
    history = placed(policy="big-box")
    requested = [{"line": 1, "quantity": 2}]
    history.send("RequestCancel", actor="buyer", request_id="r1", lines=requested, reason="changed_mind")
    history.send("CancelLines", actor="seller", lines=[1], reason="out_of_stock")

    assert causes(history) == [(1, "request", 2), (1, "seller", 3)]
    assert days(history)["2026-03-02"]["lines_canceled_by_request"] == 1
    assert "lines_canceled_by_seller" not in days(history)["2026-03-02"]


def test_supports_cancellation_counts_as_the_sellers_only_for_a_sellers_reason() -> None:
    history = placed()
    history.send("CancelLines", actor="support", lines=[1], reason="pricing_error", rule="standing")
    history.send("CancelLines", actor="support", lines=[2], reason="suspected_fraud", rule="standing")

    assert causes(history) == [(1, "support", 5), (2, "support", 5)]
    assert days(history)["2026-03-02"] == {
        "orders_placed": 1,
        "lines_placed": 4,
        "lines_canceled_by_seller": 1,
        "lines_canceled_by_marketplace": 1,
        "refund_minor": 5000,
    }


def test_unpaid_counts_for_nobody() -> None:
    history = placed(policy="auction-house", paid=False)
    history.send("SendMessage", at="2026-03-20T10:00:00Z", actor="buyer", message_id="m1", to="seller", text="Well?")

    assert {cause for _, cause, _ in causes(history)} == {"unpaid"}
    assert days(history) == {"2026-03-02": {"orders_placed": 1, "lines_placed": 4}}


def test_a_granted_dispute_counts_as_by_request() -> None:
    history = placed(policy="mutual-consent")
    history.send("RequestCancel", actor="buyer", request_id="r1", lines=[1], reason="changed_mind")
    history.send("DeclineCancel", at="2026-03-03T10:00:00Z", actor="seller", request_id="r1")
    history.send("OpenDispute", at="2026-03-04T10:00:00Z", actor="buyer", dispute_id="d1", about="r1")
    history.send("EscalateDispute", at="2026-03-04T11:00:00Z", actor="buyer", dispute_id="d1", ticket="T-1")
    granted = {"dispute_id": "d1", "outcome": "grant", "rule": "seller-has-final-say"}
    decided = history.send("DecideDispute", at="2026-03-05T10:00:00Z", actor="support", **granted)
    assert decided.refused is None

    assert causes(history) == [(1, "dispute", 5)]
    assert days(history)["2026-03-05"] == {"lines_canceled_by_request": 1, "refund_minor": 2500}


def test_the_day_is_the_local_one_in_the_orders_zone_by_recorded_time() -> None:
    history = placed(at="2026-03-02T02:30:00Z", timezone="America/Sao_Paulo")  # 23:30 the day before
    shipped: dict[str, Any] = {"actor": "seller", "shipment_id": "asn-1", "lines": [{"line": 1, "quantity": 2}]}
    history.send("Ship", at="2026-03-03T02:59:59.999999Z", occurred_at="2026-03-02T12:00:00Z", **shipped)
    history.send("CancelLines", at="2026-03-03T03:00:00Z", actor="seller", lines=[2], reason="out_of_stock")

    totals = days(history)

    assert totals["2026-03-01"] == {"orders_placed": 1, "lines_placed": 4}
    assert totals["2026-03-02"] == {"lines_auto_canceled": 1, "refund_minor": 1500}
    assert totals["2026-03-03"] == {"lines_canceled_by_seller": 1, "refund_minor": 2500}


def test_at_the_ends_of_the_calendar_the_day_is_that_of_utc() -> None:
    from domain.instants import EARLIEST, LATEST

    assert local_day(LATEST, "Pacific/Kiritimati") == "9999-12-31"
    assert local_day(EARLIEST, "America/Sao_Paulo") == "0001-01-01"


def test_a_sellers_day_has_a_row_for_each_currency_and_counts_no_order_twice() -> None:
    history = History()
    history.place("dollars", lines=LINES)
    yen = [{"line": 1, "sku": "A-1", "quantity": 2, "unit_price": "1500"}]
    history.place("yen", lines=yen, currency="JPY")
    history.send("CancelLines", "dollars", actor="seller", lines=[1], reason="out_of_stock")
    history.send("Ship", "yen", actor="seller", shipment_id="asn-1", lines=[{"line": 1, "quantity": 1}])

    rows = viewed(history).rows(SELLER_DAILY)

    totals = {
        row["currency"]: (row["currency_exponent"], row["orders_placed"], row["lines_placed"], row["refund_minor"])
        for row in rows
    }
    assert totals == {"USD": (2, 1, 4, 2500), "JPY": (0, 1, 1, 1500)}
    assert {row["day"] for row in rows} == {"2026-03-02"}


def test_the_work_for_a_cancellation_of_many_lines_grows_with_their_number_only() -> None:
    def steps(number: int) -> int:
        """Lines of code executed for one notice that kills units of so many lines, each by an event of its own."""
        history = History()
        lines = [{"line": n + 1, "sku": "A", "quantity": 2, "unit_price": "1.00"} for n in range(number)]
        history.place(lines=lines)
        half = [{"line": n + 1, "quantity": 1} for n in range(number)]
        history.send("Ship", actor="seller", shipment_id="asn-1", lines=half)
        projector = Projector("journal", 0, history.log.state, MemoryViews())
        projector.advance(1)
        executed = 0

        def count(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal executed
            executed += event == "line" and frame.f_code.co_filename.endswith(
                ("standing.py", "dashboards.py", "cancellations.py")
            )
            return count

        before = sys.gettrace()
        sys.settrace(count)
        try:
            assert projector.advance(1) == 1
        finally:
            sys.settrace(before)
        return executed

    assert 0 < steps(80) < 2.5 * steps(40)
