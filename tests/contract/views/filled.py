"""A history with something for every table, and views filled from it."""

from consumers.projector import Part, Projector
from consumers.views import Views
from tests.spec.projections.histories import History, control_log


def history() -> History:
    """Twelve orders over two partitions: some shipped in part, some asked to be cancelled, one spoken about."""
    made = History(partitions=2)
    for n in range(12):
        made.place(f"PO-{n}", policy="peer-to-peer" if n % 3 else "seller-portal", ship_by="2026-03-09T00:00:00Z")
    for n in range(0, 12, 2):
        made.say("Ship", f"PO-{n}", actor="seller", shipment_id="asn-1", lines=[{"line": 1, "quantity": 3}])
    for n in range(1, 12, 2):
        asked = {"actor": "buyer", "request_id": "r1", "reason": "changed_mind"}
        made.say("RequestCancel", f"PO-{n}", at=f"2026-03-02T1{n % 4 + 3}:00:00Z", **asked)
    made.say("SendMessage", "PO-1", "2026-03-02T20:00:00Z", actor="buyer", message_id="m1", to="seller", text="Hello?")
    return made


def parts(made: History) -> list[Part]:
    """Both partitions, and the control log."""
    logs = [Part("journal", log.partition, log.state) for log in made.logs]
    return [*logs, Part("control", 0, control_log().state)]


def project(made: History, views: Views, limit: int = 1000) -> None:
    """Everything that there is."""
    for part in parts(made):
        projector = Projector(part.log, part.partition, part.source, views)
        while projector.advance(limit):
            pass
