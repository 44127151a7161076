"""A process that projects: the history of ``filled`` many times over, into the views of this URL.

It prints each position as soon as it is written: ``python -m tests.contract.views.projecting URL``. With ``side`` after
the URL it makes shadow tables, and is killed before it can delete them.
"""

import os
import signal
import sys

from consumers.ports.views import PositionMoved
from consumers.projection.projector import Projector
from infra.settings import views_at
from infra.views.opening import open_views
from tests.spec.projections.histories import History


def long_history() -> History:
    """Some hundred commits on one partition."""
    made = History()
    for n in range(60):
        made.place(f"PO-{n}")
        made.send("Ship", f"PO-{n}", actor="seller", shipment_id="asn-1", lines=[{"line": 1, "quantity": 3}])
        made.send("ConfirmRefund", f"PO-{n}", refund_id="refund-1")
        made.send("SendMessage", f"PO-{n // 2}", actor="buyer", message_id=f"m{n}", to="seller", text="Well?")
    return made


def main(url: str, *, side: bool) -> None:
    views = open_views(views_at(url)).views
    if side:
        views.shadow()
        os.kill(os.getpid(), signal.SIGKILL)
    projector = Projector("journal", 0, long_history().log.state, views)
    moved = 1
    while moved:
        try:
            moved = projector.advance(2)
        except PositionMoved:
            continue
        print(projector.position.ordinal, flush=True)
    views.close()


if __name__ == "__main__":
    main(sys.argv[1], side="side" in sys.argv)
