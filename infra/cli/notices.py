"""`rescind notices`: lists, shows and resends notifications."""

from typing import TYPE_CHECKING

import click

from infra.cli.exits import CommandRefused
from infra.cli.groups import Group
from infra.cli.options import as_json, stored, stream_of
from infra.cli.printing import console, echo, print_json, table, when

if TYPE_CHECKING:
    from consumers.ports.notifications import State
    from infra.settings import Settings

STATES = ("waiting", "handing", "handed", "unknown", "no-address", "too-old", "failed", "moot")


@click.group(cls=Group, usual="list --order")
def notices() -> None:
    """List, show and resend notifications."""


@notices.command("list")
@click.option(
    "--state", type=click.Choice(STATES), help="Only notifications in this state. Default: all that have not been sent."
)
@click.option("--order", "order", metavar="ORDER", help="Only notifications of this order: marketplace/order_id.")
@click.option("--marketplace", help="Only this marketplace.")
@click.option(
    "--limit",
    default=100,
    show_default=True,
    metavar="N",
    type=click.IntRange(1, 1_000_000),
    help="Number of notifications at most.",
)
@as_json
@stored
def list_(
    settings: "Settings", state: "State | None", order: str | None, marketplace: str | None, limit: int, as_json: bool
) -> None:
    """List notifications and their states, newest first; those of one order in the order of its events."""
    from infra.notifications.inspection import notification_json, opened_delivery_store
    from infra.store.order_search import unknown_marketplace
    from infra.store.reader import open_reader

    with opened_delivery_store(settings) as book:
        if order is not None:
            found = [each for each in book.of(stream_of(order)) if state in (None, each.state)][:limit]
        else:
            found = book.newest(state, limit, marketplace=marketplace)
    if marketplace is not None and not found:
        with open_reader(settings) as reader:
            unknown = unknown_marketplace(reader, marketplace)
        if unknown is not None:
            raise CommandRefused(unknown)
    if as_json:
        for notice in found:
            print_json(notification_json(notice))
        return
    rows = [
        (when(n.told_at), n.stream, n.notice_id, n.template, n.recipient_id, n.state, n.error or "") for n in found
    ]  # fmt: skip
    out = console()
    columns = ["recorded", "order", "notice", "about", "to", "state", "error"]
    out.print(table(columns, rows) if rows else "no such notifications")


@notices.command()
@click.argument("order", metavar="ORDER")
@click.argument("notice_id", metavar="NOTICE")
@click.option("--language", default="en", show_default=True, help="Language, if the recipient has no contact.")
@as_json
@stored
def show(settings: "Settings", order: str, notice_id: str, language: str, as_json: bool) -> None:
    """Show a notification and its mail."""
    from consumers.ports.notifications import CannotCompose, Contact
    from infra.notifications.inspection import NoSuchNotice, message_of, notification_json, opened_contacts, rendered
    from infra.runtime.clock import clock
    from infra.store.reader import open_reader

    stream = stream_of(order)
    try:
        with open_reader(settings) as reader:
            with opened_contacts(settings) as contacts:
                message = message_of(contacts.store, reader, stream, notice_id)
                first = message.first
                contact = contacts.contact(stream.partition("/")[0], first.audience, first.recipient_id)
            mail = rendered(settings, reader, message, contact or Contact("nobody@localhost", None, language), clock())
    except (NoSuchNotice, CannotCompose) as wrong:
        raise CommandRefused(str(wrong)) from None
    if as_json:
        parts = {"subject": mail.subject, "text": mail.text, "html": mail.html, "language": mail.language}
        print_json({"notices": [notification_json(each) for each in message.notifications], **parts})
        return
    echo(f"{message.first.state}, to {message.first.audience} {message.first.recipient_id}\n\n{mail.subject}\n")
    echo(mail.text)


@notices.command()
@click.argument("order", metavar="ORDER")
@click.argument("notice_id", metavar="NOTICE")
@stored
def resend(settings: "Settings", order: str, notice_id: str) -> None:
    """Make `rescind serve` send a notification (again), even if it may have been sent."""
    from infra.notifications.inspection import NoSuchNotice, message_of, opened_delivery_store, send_again
    from infra.store.reader import open_reader

    stream = stream_of(order)
    try:
        with open_reader(settings) as reader, opened_delivery_store(settings) as book:
            send_again(book, message_of(book, reader, stream, notice_id))
    except NoSuchNotice as wrong:
        raise CommandRefused(str(wrong)) from None
    echo(f"{stream} {notice_id}: it will be sent as soon as `rescind serve` runs")
