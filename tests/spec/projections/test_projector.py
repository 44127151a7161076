"""The projector: one position, all or nothing, one order's trouble is nobody else's."""

from collections.abc import Iterator
from typing import Any

import pytest

from consumers.engine.control_log import entries
from consumers.ports.log_values import Admitted
from consumers.ports.views import Batch, Position, PositionMoved, ViewsUnavailable
from consumers.projection.projector import Projector, ViewsOfAnotherLog
from domain.events import AutoCanceled, ImportOpened, MessageSent, PaymentReceived, Sealed, SubjectErased
from domain.instants import parse_instant
from domain.presets import presets
from projections.tables import AUDIT_TRAIL, DEAD_LETTERS, ORDERS, POLICIES, SELLER_DAILY
from schemas.commit import EventEntry
from tests.spec.projections.histories import MONDAY, History, Log, control_log
from tests.spec.projections.memory_views import MemoryViews

NOW = parse_instant(MONDAY)
UNKNOWN = EventEntry(0, "OrderTeleported", 1, NOW, b"\x02")


def projector(log: Log, views: MemoryViews, **more: Any) -> Projector:
    return Projector("journal", log.partition, log.state, views, **more)


def three_orders() -> History:
    """Orders whose commands are interleaved: PO-1 ships 3 of 10, PO-2 is asked to be cancelled and is, PO-3 is open."""
    history = History()
    for order_id in ("PO-1", "PO-2", "PO-3"):
        history.place(order_id)
    history.say("RequestCancel", "PO-2", actor="buyer", request_id="r1", reason="changed_mind")
    history.say("Ship", "PO-1", actor="seller", shipment_id="asn-1", lines=[{"line": 1, "quantity": 3}])
    history.say("ApproveCancel", "PO-2", actor="seller", request_id="r1")
    history.say("Ship", "PO-1", actor="seller", shipment_id="asn-2", lines=[{"line": 1, "quantity": 3}])
    return history


def test_it_goes_on_where_the_views_are() -> None:
    history, views = three_orders(), MemoryViews()
    assert projector(history.log, views).advance(3) == 3

    later = projector(history.log, views)
    assert later.behind == 4
    assert later.advance() == 4
    assert later.advance() == 0

    assert views.position("journal", 0).ordinal == 7
    assert views.position("journal", 0).position == len(views.rows(AUDIT_TRAIL)) == history.log.state.next_position


def test_of_two_projectors_one_applies_a_part_of_the_log() -> None:
    history, views = three_orders(), MemoryViews()
    one, other = projector(history.log, views), projector(history.log, views)
    assert one.position == other.position
    assert one.advance(5) == 5

    with pytest.raises(PositionMoved):
        other.advance(3)

    assert other.advance() == 2
    with pytest.raises(PositionMoved):
        one.advance()
    assert one.advance() == 0
    assert views.row(SELLER_DAILY)["orders_placed"] == 3


def test_a_write_that_failed_is_done_again_as_if_it_had_not_been_tried() -> None:
    history, views = three_orders(), Unreliable()
    one = projector(history.log, views)
    assert one.advance(4) == 4
    views.down = True
    with pytest.raises(ViewsUnavailable):
        one.advance()
    views.down = False
    assert one.advance() == 3

    assert views.tables == told(history).tables


class Unreliable(MemoryViews):
    down = False

    def apply(self, batch: Batch) -> None:
        if self.down:
            raise ViewsUnavailable("the disk is full")
        super().apply(batch)


def told(history: History) -> MemoryViews:
    views = MemoryViews()
    while projector(history.log, views).advance():
        pass
    return views


def test_commits_that_are_handed_over_are_not_read_again() -> None:
    history, views = three_orders(), MemoryViews()
    source = Counting(history.log)
    one = Projector("journal", 0, source, views, waiting=4)
    for admitted in history.log.state.commits():
        one.admitted(admitted)

    assert one.advance(2) == 2
    assert source.read == 0
    assert one.advance() == 5
    assert source.read == 1, "what did not fit is read from the source"
    assert views.tables == told(history).tables


class Counting:
    """A source that counts how often a batch was read."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.read = 0
        self.commit_at = log.state.commit_at
        self.commits_of = log.state.commits_of

    @property
    def next_ordinal(self) -> int:
        return self._log.state.next_ordinal

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]:
        self.read += 1
        return self._log.state.commits(first, behind)


def test_what_was_handed_over_too_early_or_too_late_does_no_harm() -> None:
    history, views = three_orders(), MemoryViews()
    commits = list(history.log.state.commits())
    one = projector(history.log, views)
    for admitted in (commits[4], commits[5], commits[1]):
        one.admitted(admitted)
    while one.advance(2):
        pass
    assert views.tables == told(history).tables


def test_views_of_another_log_are_not_touched() -> None:
    views = told(three_orders())
    before = {name: dict(rows) for name, rows in views.tables.items()}
    other = History()
    for n in range(9):
        other.place(f"X-{n}")

    with pytest.raises(ViewsOfAnotherLog):
        projector(other.log, views).advance()

    assert views.tables == before


def test_views_that_are_ahead_of_the_source_wait_for_it() -> None:
    history = three_orders()
    views = told(history)
    behind = Log()

    one = projector(behind, views)

    assert one.advance() == 0
    assert one.ahead == 7


# ---- what cannot be told -------------------------------------------------------------------------------------------


def test_an_event_that_this_release_does_not_know_parks_its_order_and_no_other() -> None:
    history, views = three_orders(), MemoryViews()
    history.log.append([("acme/PO-1", [UNKNOWN])], NOW)
    history.place("PO-4")
    history.log.write("acme/PO-1", PaymentReceived(1))

    one = projector(history.log, views)
    assert one.advance() == 10
    assert one.advance() == 0

    letter = views.row(DEAD_LETTERS)
    assert (letter["stream"], letter["ordinal"], letter["event"]) == ("acme/PO-1", 7, "OrderTeleported")
    assert letter["position"] == history.log.state.commit_at(7).position  # type: ignore[union-attr]
    assert "knows no event of this name" in str(letter["error"])
    parked = views.row(ORDERS, order_id="PO-1")
    assert (parked["attention"], parked["version"], parked["paid_minor"]) == ("stuck", 6, 10000)
    assert views.row(ORDERS, order_id="PO-4")["attention"] == ""
    assert len(views.rows(AUDIT_TRAIL, order_id="PO-1")) == 6


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_an_event_that_fits_no_history_parks_its_order_with_what_came_before_it_told(limit: int) -> None:
    history, views = History(), MemoryViews()
    history.place()
    history.log.write("acme/PO-1", AutoCanceled(7, 1, "asn-1"))  # there is no line 7
    history.place("PO-2")

    one = projector(history.log, views)
    while one.advance(limit):
        pass

    assert views.row(DEAD_LETTERS)["event"] == "AutoCanceled"
    assert views.row(ORDERS, order_id="PO-1")["attention"] == "stuck"
    assert views.row(ORDERS, order_id="PO-2")["attention"] == ""
    assert views.row(SELLER_DAILY)["orders_placed"] == 2


def test_rows_that_the_database_refuses_park_their_order() -> None:
    history, views = History(), MemoryViews(refuses="\0")
    history.place("PO-1")
    history.place("PO-2")
    message = MessageSent("m\0", "seller", None, Sealed(bytes(32), "v"))
    history.log.write("acme/PO-1", message)
    history.place("PO-3")
    history.log.write("acme/PO-1", PaymentReceived(1))

    one = projector(history.log, views)
    assert one.advance() == 5

    assert (views.row(DEAD_LETTERS)["stream"], views.row(DEAD_LETTERS)["ordinal"]) == ("acme/PO-1", 2)
    assert [row["attention"] for row in views.rows(ORDERS)] == ["stuck", "", ""]
    assert views.position("journal", 0).ordinal == 5
    assert views.row(SELLER_DAILY)["orders_placed"] == 3


def test_a_parked_order_stays_parked_after_a_restart_and_is_freed_by_a_retry_that_works() -> None:
    history = three_orders()
    log = history.log
    views = MemoryViews(refuses="asn-2")
    history.say("SendMessage", "PO-1", actor="buyer", message_id="m1", to="seller", text="Hello?")
    one = projector(log, views)
    while one.advance(2):
        pass
    assert views.row(DEAD_LETTERS)["stream"] == "acme/PO-1"

    restarted = projector(log, views)
    history.say("SendMessage", "PO-1", actor="buyer", message_id="m2", to="seller", text="Hello?")
    assert restarted.advance() == 1
    assert "asn-2" in str(restarted.retry("acme/PO-1"))
    assert len(views.rows(DEAD_LETTERS)) == 1

    views.refuses = None
    assert restarted.retry("acme/PO-1") is None
    assert views.tables == told(history).tables
    with pytest.raises(LookupError):
        restarted.retry("acme/PO-1")


def test_a_projector_elsewhere_learns_that_an_order_was_freed() -> None:
    history, views = three_orders(), MemoryViews(refuses="asn-2")
    serving = projector(history.log, views)
    while serving.advance():
        pass
    views.refuses = None
    assert projector(history.log, views).retry("acme/PO-1") is None

    history.say("SendMessage", "PO-1", actor="buyer", message_id="m1", to="seller", text="Hello?")
    with pytest.raises(PositionMoved):
        serving.advance()
    assert serving.advance() == 1

    assert views.tables == told(history).tables


# ---- streams that are no orders' -----------------------------------------------------------------------------------


def test_the_audit_trail_has_the_events_of_every_stream() -> None:
    log, views = Log(), MemoryViews()
    log.write("$import/acme/ab", ImportOpened("acme", bytes(32)))
    log.write("acme/subject/b-1", SubjectErased("b-1"), actor=("support", "kim"))

    projector(log, views).advance()

    told = [(r["marketplace"], r["order_id"], r["event"], r["actor_kind"]) for r in views.rows(AUDIT_TRAIL)]
    assert told == [(None, None, "ImportOpened", "system"), ("acme", None, "SubjectErased", "support")]
    assert views.rows(ORDERS) == []


def _received(amount: int) -> str:
    return f'{{"amount":{amount},"payment_id":"","method":"other","state":"captured"}}'


def test_positions_follow_the_writers_order_where_a_commit_has_several_streams() -> None:
    history, views = History(), MemoryViews()
    history.place("PO-1")
    history.place("PO-2")
    payment = [entries([(PaymentReceived(n), NOW)])[0] for n in (1, 2, 3)]
    for index, entry in enumerate(payment):
        entry.index = index
    history.log.append([("acme/PO-1", [payment[0], payment[2]]), ("acme/PO-2", [payment[1]])], NOW)

    projector(history.log, views).advance()

    last = views.rows(AUDIT_TRAIL)[-3:]
    assert sorted((r["position"], r["order_id"], r["version"], r["data"]) for r in last) == [
        (4, "PO-1", 3, _received(1)),
        (5, "PO-2", 3, _received(2)),
        (6, "PO-1", 4, _received(3)),
    ]


def test_an_empty_commit_moves_the_position_and_nothing_else() -> None:
    history, views = History(), MemoryViews()
    history.place()
    one = projector(history.log, views)
    one.advance()
    before = {name: dict(rows) for name, rows in views.tables.items()}
    admitted = history.log.append([("acme/PO-1", [])], NOW)

    assert one.advance() == 1

    assert views.tables == before
    assert views.position("journal", 0) == Position(2, 2, admitted.hash, 0)


def test_the_control_log_gives_the_policies_and_leaves_the_audit_trail_to_the_journal() -> None:
    log, views = control_log(), MemoryViews()
    one = Projector("control", 0, log.state, views)
    while one.advance(3):
        pass

    assert [row["id"] for row in views.rows(POLICIES)][:2] == ["peer-to-peer", "mutual-consent"]
    assert len(views.rows(POLICIES)) == len(presets())
    assert views.rows(AUDIT_TRAIL) == []
    assert views.position("control", 0).ordinal == len(presets()) + 1
    assert views.position("journal", 0).ordinal == 0
