"""From a command to a mail in the outbox, by the real engine; and the command line that looks at it and sends again."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from consumers.ports.notifications import Contact
from domain.commands import parse_command
from infra.app import App, AppOptions, open_app
from infra.settings import load_settings
from tests.integration.cli.driving import Store
from tests.integration.http.client import SELLER, placing


def until(reached: Callable[[], bool]) -> None:
    """Wait for a condition, at most half a minute."""
    end = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < end, "it did not come about in 30 s"
        time.sleep(0.01)


def mails(place: Path) -> list[EmailMessage]:
    found = [message_from_bytes(file.read_bytes(), policy=default) for file in (place / "outbox").glob("*.eml")]
    return [each for each in found if isinstance(each, EmailMessage)]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with open_app(
        load_settings(journal=f"sqlite:///{tmp_path}/journal", synchronous="normal"), AppOptions(publish=True)
    ) as here:
        yield here


def submit(app: App, command: str, order_id: str, **fields: object) -> None:
    body = {"command": command, "command_id": f"{command}-1", "marketplace": "acme", "order_id": order_id, **fields}
    assert app.engine.submit(parse_command(body)).result(30).kind == "accepted"


def canceled(app: App, order_id: str = "PO-1") -> None:
    submit(app, "PlaceOrder", **placing(order_id))
    submit(app, "CancelLines", order_id, actor=SELLER, reason="out_of_stock")


def test_a_cancellation_notifies_buyer_and_seller_through_the_outbox(app: App, tmp_path: Path) -> None:
    assert app.notifications is not None
    app.notifications.contacts.set("acme", "buyer", "b-7", Contact("b7@example.org", "Béa", "de"))
    app.notifications.contacts.set("acme", "seller", "s-3", Contact("s3@example.org"))
    canceled(app)
    until(lambda: len(mails(tmp_path / "journal")) == 3)
    found = {(mail["To"].addresses[0].addr_spec, mail["Subject"][:30]) for mail in mails(tmp_path / "journal")}
    assert {who for who, _ in found} == {"b7@example.org", "s3@example.org"}
    assert any(subject.startswith("Bestellung PO-1: storniert") for _, subject in found)
    until(lambda: all(n.state == "handed" for n in app.notifications.store.of("acme/PO-1")))  # type: ignore[union-attr]


def test_the_command_line_lists_shows_and_resends_notices(app: App, tmp_path: Path) -> None:
    assert app.notifications is not None
    canceled(app)
    until(lambda: len(app.notifications.store.of("acme/PO-1")) == 4)  # type: ignore[union-attr]
    store = Store(tmp_path)
    listed = store.rescind("notices", "list", "--json").lines
    assert {each["state"] for each in listed} == {"no-address"} and len(listed) == 4
    assert "canceled, reference C-" in store.rescind("notices", "show", "acme/PO-1", "told-3-buyer").out
    german = store.rescind("notices", "show", "acme/PO-1", "told-3-buyer", "--language", "de", "--json").json
    assert german["subject"].startswith("Bestellung PO-1: storniert, Vorgang C-")
    store.rescind("notices", "show", "acme/PO-1", "told-99-buyer", check=1)
    findings = {each["part"]: each for each in store.rescind("doctor", "--json", check=None).json}
    assert findings["notices"]["state"] == "note" and "4 had no address" in findings["notices"]["said"]
    store.rescind("contacts", "set", "acme", "buyer", "b-7", "--address", "nobody", check=2)
    store.rescind("contacts", "set", "acme", "buyer", "b-7", "--address", "b7@example.org", "--name", "Béa")
    assert store.rescind("contacts", "show", "acme", "buyer", "b-7", "--json").json["name"] == "Béa"
    assert b"b7@example.org" not in b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    store.rescind("notices", "resend", "acme/PO-1", "told-3-buyer")
    until(lambda: len(mails(tmp_path / "journal")) == 1)
    until(lambda: store.rescind("notices", "list", "--state", "handed", "--json").lines != [])
    store.rescind("contacts", "remove", "acme", "buyer", "b-7")
    store.rescind("contacts", "show", "acme", "buyer", "b-7", check=1)


def test_a_second_engine_on_the_same_store_sends_no_notifications(app: App, tmp_path: Path) -> None:
    assert app.notifications is not None
    app.notifications.contacts.set("acme", "buyer", "b-7", Contact("b7@example.org"))
    with open_app(
        load_settings(journal=f"sqlite:///{tmp_path}/journal", synchronous="normal"), AppOptions(publish=True)
    ) as other:
        canceled(other)
        until(lambda: len(mails(tmp_path / "journal")) == 2)
        until(lambda: app.notifications.behind == 0)  # type: ignore[union-attr]
        assert other.notifications is not None and other.notifications.behind == 0
    assert len(mails(tmp_path / "journal")) == 2


def test_notifications_that_were_not_sent_are_sent_by_the_next_engine(tmp_path: Path) -> None:
    settings = load_settings(journal=f"sqlite:///{tmp_path}/journal", synchronous="normal")
    with open_app(settings) as app:
        canceled(app)
    store = Store(tmp_path)
    store.rescind("contacts", "set", "acme", "buyer", "b-7", "--address", "b7@example.org")
    with open_app(settings, AppOptions(publish=True)):
        until(lambda: len(mails(tmp_path / "journal")) == 2)


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_without_the_book_nothing_is_sent_twice_and_addresses_are_found(
    tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(journal=f"sqlite:///{tmp_path}/journal", synchronous="normal")
    store = Store(tmp_path)
    book = tmp_path / "journal" / "notices.sqlite"
    with open_app(settings, AppOptions(publish=True)) as app:
        assert app.notifications is not None
        app.notifications.contacts.set("acme", "buyer", "b-7", Contact("b7@example.org", "Béa", "de"))
        canceled(app)
        until(lambda: len(mails(tmp_path / "journal")) == 2)
    for file in book.parent.glob(f"{book.name}*"):
        file.unlink()
    if how == "damaged":
        book.write_bytes(b"no book at all" * 1000)
        for command in (("notices", "list"), ("serve", "--port", "0"), ("contacts", "show", "acme", "buyer", "b-7")):
            refused = store.rescind(*command, check=3).err
            assert "is damaged" in refused and "move it away and start `rescind serve`" in refused
        book.unlink()
    found = {each["part"]: each for each in store.rescind("doctor", "--json", check=1).json}
    assert found["notices"]["state"] == "wrong" and "is gone" in found["notices"]["said"]
    assert "bring it back" in store.rescind("notices", "list", check=3).err
    assert not book.exists(), "a query creates none"
    capsys.readouterr()
    with open_app(settings, AppOptions(publish=True)) as app:
        assert "a new one is begun" in capsys.readouterr().err
        assert app.notifications is not None
        assert app.notifications.contacts.contact("acme", "buyer", "b-7") == Contact("b7@example.org", "Béa", "de")
        until(lambda: len(app.notifications.store.of("acme/PO-1")) == 4)  # type: ignore[union-attr]
        assert app.notifications.store.counts() == {"unknown": 3, "no-address": 1}
        canceled(app, "PO-2")
        until(lambda: len(mails(tmp_path / "journal")) == 4)
    found = {each["part"]: each for each in store.rescind("doctor", "--json").json}
    assert "3 may have been sent" in found["notices"]["said"]


def test_a_removed_contact_is_not_read_from_the_vault(app: App, tmp_path: Path) -> None:
    assert app.notifications is not None
    contacts = app.notifications.contacts
    for address in ("b7@example.org", "bea@example.org"):
        contacts.set("acme", "buyer", "b-7", Contact(address))
        assert contacts.contact("acme", "buyer", "b-7") == Contact(address)
    assert contacts.contact("acme", "seller", "b-7") is None
    assert contacts.remove("acme", "buyer", "b-7")
    assert contacts.contact("acme", "buyer", "b-7") is None
    assert not contacts.remove("acme", "buyer", "b-7")


def contents(place: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (place / "outbox").glob("*.eml")}


@pytest.mark.parametrize("when", ["before anything was taken", "while a mail waited"])
def test_an_older_copy_of_the_notification_store_resends_nothing_silently(
    tmp_path: Path, when: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(journal=f"sqlite:///{tmp_path}/journal", synchronous="normal")
    store, journal = Store(tmp_path), tmp_path / "journal"
    book, copy = journal / "notices.sqlite", tmp_path / "copy"
    with open_app(settings, AppOptions(publish=True)) as app:
        assert app.notifications is not None
        app.notifications.contacts.set("acme", "buyer", "b-7", Contact("b7@example.org"))
        canceled(app)
        until(lambda: len(mails(journal)) == 2)
    shutil.copy(book, copy)
    with open_app(settings, AppOptions(publish=True)) as app:
        canceled(app, "PO-2")
        until(lambda: len(mails(journal)) == 4)
        until(lambda: app.notifications.store.counts().get("handed", 0) == 6)  # type: ignore[union-attr]
    assert {each["part"]: each for each in store.rescind("doctor", "--json").json}["notices"]["state"] != "wrong"
    if when == "while a mail waited":  # every commit was read: the position proves nothing
        shutil.copy(book, copy)
        with closing(sqlite3.connect(copy)) as database:
            database.execute("UPDATE notices SET state = 'waiting' WHERE stream = 'acme/PO-2' AND state = 'handed'")
            database.execute("UPDATE about SET value = value - 2 WHERE name = 'messages'")
            database.commit()
    before = contents(journal)
    shutil.copy(copy, book)
    found = {each["part"]: each for each in store.rescind("doctor", "--json", check=1).json}
    assert found["notices"]["state"] == "wrong" and "is an older copy: 2 messages" in found["notices"]["said"]
    capsys.readouterr()
    with open_app(settings, AppOptions(publish=True)) as app:
        assert "notices.sqlite is an older copy: 2 messages that it does not know of were" in capsys.readouterr().err
        assert app.notifications is not None
        until(lambda: app.notifications.behind == 0 and len(app.notifications.store.of("acme/PO-2")) == 4)  # type: ignore[union-attr]
        canceled(app, "PO-3")
        until(lambda: len(mails(journal)) == 6)
        assert {n.state for n in app.notifications.store.of("acme/PO-2")} == {"unknown", "no-address"}
    after = contents(journal)
    assert {name: after[name] for name in before} == before, "no mail was written again"
    with open_app(settings, AppOptions(publish=True)):
        assert "older copy" not in capsys.readouterr().err, "it is reported once"
    assert {each["part"]: each for each in store.rescind("doctor", "--json").json}["notices"]["state"] == "note"
