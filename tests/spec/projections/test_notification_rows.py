"""The table of notifications to buyers and sellers (rule ``both-told``), and the reference of a cancellation."""

from dataclasses import replace
from typing import Any

from consumers.projection.projector import Projector
from domain.references import reference_of
from projections.tables import CANCELLATIONS, NOTIFICATIONS
from tests.spec.projections.histories import History
from tests.spec.projections.memory_views import MemoryViews


class Imported:
    """A partition as if an import had written it."""

    def __init__(self, history: History) -> None:
        self._state = history.log.state
        self.next_ordinal = self._state.next_ordinal
        self.commit_at = self._state.commit_at

    def commits(self, first: int = 0, behind: int | None = None) -> Any:
        for admitted in self._state.commits(first, behind):
            yield replace(admitted, commit=replace(admitted.commit, writer="import"))

    def commits_of(self, stream: str, first: int = 0) -> Any:
        return self._state.commits_of(stream, first)


def rows(history: History, source: Any = None) -> list[dict[str, Any]]:
    views = MemoryViews()
    projector = Projector("journal", 0, source or history.log.state, views)
    while projector.advance():
        pass
    assert not views.tables["dead_letters"]
    return [dict(zip(NOTIFICATIONS.names, row, strict=True)) for row in views.tables["notifications"].values()]


def killed() -> History:
    history = History()
    history.place()
    history.send("Ship", at="2026-03-02T11:00:00Z", shipment_id="s1", lines=[{"line": 1, "quantity": 3}])
    return history


def test_both_told_a_cancellation_is_a_row_for_the_buyer_and_one_for_the_seller_with_its_reference() -> None:
    history = killed()
    commit = history.log.state.commit_at(1)
    assert commit is not None
    notifications = [row for row in rows(history) if row["template"] == "auto-canceled"]
    assert [(row["audience"], row["recipient_id"], row["notice_id"], row["step"]) for row in notifications] == [
        ("buyer", "b-1", "told-4-buyer", "told"),
        ("seller", "s-1", "told-4-seller", "told"),
    ]
    assert {row["reference"] for row in notifications} == {reference_of(commit.hash)}


def test_a_report_is_a_row_of_its_own() -> None:
    history = killed()
    history.send("FailNotice", at="2026-03-02T12:00:00Z", notice_id="told-4-seller")
    history.send("ConfirmNotice", at="2026-03-02T13:00:00Z", notice_id="told-4-seller")
    steps = [(row["step"], row["audience"]) for row in rows(history) if row["notice_id"] == "told-4-seller"]
    assert steps == [("told", "seller"), ("failed", "seller"), ("delivered", "seller")]


def test_an_import_notifies_nobody_and_preserves_what_a_seller_reported() -> None:
    history = History()
    history.place()
    history.send("CancelLines", at="2026-03-02T11:00:00Z", actor="seller", reason="out_of_stock")
    found: dict[str, Any] = {"actor": "seller", "lines": [1], "carrier": "UPS", "tracking_number": "1Z9"}
    history.send("ReportShippedAfterCancel", at="2026-03-02T12:00:00Z", **found)
    text = "UPS 1Z9 is on its way although it was cancelled; it would be billed again."
    history.send("NotifyCustomer", at="2026-03-02T13:00:00Z", actor="seller", text=text)
    assert len(rows(history)) > 1
    assert [row["notice_id"] for row in rows(history, Imported(history))] == ["notice-1"]


def test_every_unit_that_was_cancelled_has_the_reference_of_its_commit() -> None:
    history = killed()
    views = MemoryViews()
    projector = Projector("journal", 0, history.log.state, views)
    while projector.advance():
        pass
    commit = history.log.state.commit_at(1)
    assert commit is not None
    assert views.row(CANCELLATIONS)["reference"] == reference_of(commit.hash)
