"""An engine with a log on real topics that it cannot read, or only in part, and with a cache that lies: known state can
be read, unknown state is never guessed, and other orders continue."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from consumers.engine.order_cache import CachedOrder
from consumers.engine.outcome import Outcome
from consumers.ports.vault import VaultUnavailable
from domain.commands import parse_command
from infra.app import App, AppOptions, open_app
from infra.diagnostics import examine
from infra.settings import Settings, load_settings
from schemas.commit import ZERO_HASH, Commit, EventEntry, StreamEntry, encode_commit
from schemas.record import encode_record
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.broker.topics import open_journal
from tests.integration.kafka.orders import command_document
from tests.integration.kafka.waiting import TIMEOUT, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(SECOND_GROUP)]

AT = 1_772_452_800_000_000


@pytest.fixture
def settings(kafka: Kafka, tmp_path: Path) -> Settings:
    return load_settings(journal=kafka.url(partitions=1), directory=str(tmp_path / "own"))


def submit(app: App, command: str, order: str, step: str, actor: str, **fields: Any) -> Outcome:
    return app.engine.submit(parse_command(command_document("a", command, order, step, actor, **fields))).result(
        TIMEOUT
    )


def place(app: App, order: str) -> Outcome:
    lines = [{"line": 1, "sku": "S-1", "quantity": 4, "unit_price": "10.00"}]
    parties = {"buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "policy": "seller-portal"}
    return submit(app, "PlaceOrder", order, "p", "system", lines=lines, **parties)


def ship(app: App, order: str) -> Outcome:
    return submit(app, "Ship", order, "s", "system", shipment_id="asn-1", lines=[1])


def folded(app: App, order: str) -> CachedOrder:
    return app.ask(lambda engine: engine.orders.get(0, f"acme/{order}"))


def append(settings: Settings, *parts: StreamEntry | bytes) -> None:
    """Somebody of another release appends commits of one stream each, or what this one cannot read at all."""
    at = settings.journal_at.kafka
    assert at is not None
    commits = [
        part
        if isinstance(part, bytes)
        else encode_commit(Commit(1, bytes([number]) * 16, None, None, None, None, None, AT, "newer", (part,)))
        for number, part in enumerate(parts)
    ]
    with closing(open_journal("kafka-python", at.servers, at.journal)) as journal:
        journal.append(0, b"", encode_record("newer", commits)).result(TIMEOUT)


def test_a_newer_format_stops_the_reader_and_names_the_release_that_it_needs(settings: Settings) -> None:
    raised = StreamEntry("$format/7", "chain", ZERO_HASH, 0, (EventEntry(0, "FormatRaised", 1, AT, b""),))
    with open_app(settings) as app:
        assert place(app, "PO-1").kind == "accepted"
        append(settings, raised, b"\x0e of the seventh kind")
        wait_until(lambda: place(app, "PO-2").rule == "partition-stopped")
        assert "install a release that reads format 7" in place(app, "PO-2").message
        assert folded(app, "PO-1").order is not None, "what was before it can be read"
    with open_app(settings) as app:
        assert place(app, "PO-2").rule == "partition-stopped", "it stops there again"


def test_an_event_that_cannot_be_projected_parks_its_order_and_other_orders_continue(settings: Settings) -> None:
    with open_app(settings) as app:
        for order in ("PO-1", "PO-2"):
            assert place(app, order).kind == "accepted"
        here = folded(app, "PO-1")
        future = EventEntry(0, "TimeTravelled", 1, AT, b"\x02")
        append(settings, StreamEntry("acme/PO-1", "chain", here.head, here.count, (future,)))
        wait_until(lambda: folded(app, "PO-1").unreadable is not None)
        unreadable = ship(app, "PO-1")
        assert (unreadable.kind, unreadable.rule) == ("unavailable", "order-stuck")
        assert "TimeTravelled" in unreadable.message
        assert ship(app, "PO-2").kind == "accepted"
        app.catch_up()
        assert app.views is not None
        views = app.views.views
        wait_until(lambda: len(views.dead_letters()) == 1)
        (letter,) = views.dead_letters()
        assert letter["stream"] == "acme/PO-1"
        assert "TimeTravelled" in letter["error"]


@pytest.mark.parametrize("harm", ["lost", "overwritten", "cut"])
def test_lost_or_damaged_local_state_is_rebuilt_from_the_topics(settings: Settings, harm: str) -> None:
    with open_app(settings, AppOptions(views=False)) as app:
        for number in range(40):
            place(app, f"PO-{number}")
        before = {number: folded(app, f"PO-{number}") for number in range(40)}
    files = list((Path(settings.directory or "") / "state").rglob("*.sqlite"))
    assert files
    for path in files:
        content = path.read_bytes()
        match harm:
            case "lost":
                path.unlink()
            case "overwritten":
                path.write_bytes(b"not a database" * (len(content) // 14))
            case _:
                path.write_bytes(content[: len(content) // 2])
    with open_app(settings, AppOptions(views=False)) as app:
        app.catch_up()
        for number, known in before.items():
            found = folded(app, f"PO-{number}")
            assert (found.head, found.count, found.order) == (known.head, known.count, known.order)
            assert place(app, f"PO-{number}").kind == "duplicate"


def test_a_new_machine_continues_and_reports_missing_texts_unless_a_vault_was_named(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_app(settings, AppOptions(views=False)) as app:
        place(app, "PO-1")
        submit(app, "SendMessage", "PO-1", "m", "buyer", message_id="m1", to="seller", text="It is the blue one.")
    assert "refer to" not in capsys.readouterr().err
    named = settings.model_copy(
        update={"directory": str(tmp_path / "third"), "vault": f"sqlite:///{tmp_path}/v.sqlite"}
    )
    with pytest.raises(VaultUnavailable, match="refer to 1 text"), open_app(named, AppOptions(views=False)):
        pass
    new = settings.model_copy(update={"directory": str(tmp_path / "new")})
    with open_app(new, AppOptions(views=False)) as app:
        app.catch_up()
        assert "refer to 1 text" in capsys.readouterr().err
        assert ship(app, "PO-1").kind == "accepted"
    with open_app(new, AppOptions(views=False)):
        assert capsys.readouterr().err == ""
    findings = {each.part: each for each in examine(new, deep=True)}
    assert (findings["vault"].state, "1 text to which" in findings["vault"].said) == ("wrong", True)
