"""`rescind contacts`: manages contacts, which are stored in the vault under the person's own key."""

from typing import TYPE_CHECKING

import click

from infra.cli.exits import CommandRefused, UsageError
from infra.cli.groups import Group
from infra.cli.options import as_json, stored
from infra.cli.printing import echo, print_json

if TYPE_CHECKING:
    from domain.notification_rules import Audience
    from infra.settings import Settings

SIDE = click.Choice(["buyer", "seller"])


@click.group(cls=Group)
def contacts() -> None:
    """Manage the contacts of buyers and sellers."""


@contacts.command("set")
@click.argument("marketplace")
@click.argument("side", type=SIDE)
@click.argument("person", metavar="ID")
@click.option("--address", required=True, help="The mail address.")
@click.option("--name", help="Name in the greeting.")
@click.option("--language", default="en", show_default=True, help="en or de.")
@stored
def set_(
    settings: "Settings", marketplace: str, side: "Audience", person: str, address: str, name: str | None, language: str
) -> None:
    """Set the contact of a buyer or seller."""
    from consumers.ports.notifications import Contact
    from infra.notifications.contacts import BadContact
    from infra.notifications.inspection import opened_contacts

    with opened_contacts(settings) as found:
        try:
            found.set(marketplace, side, person, Contact(address, name, language))
        except BadContact as wrong:
            raise UsageError(str(wrong)) from None
    echo(f"{side} {person} of {marketplace} is notified at {address}")


@contacts.command()
@click.argument("marketplace")
@click.argument("side", type=SIDE)
@click.argument("person", metavar="ID")
@as_json
@stored
def show(settings: "Settings", marketplace: str, side: "Audience", person: str, as_json: bool) -> None:
    """Show the contact of a buyer or seller."""
    from infra.notifications.inspection import opened_contacts
    from infra.store.order_search import unknown_marketplace
    from infra.store.reader import open_reader

    with opened_contacts(settings) as found:
        contact = found.contact(marketplace, side, person)
    if contact is None:
        with open_reader(settings) as reader:
            unknown = unknown_marketplace(reader, marketplace)
        if unknown is not None:
            raise CommandRefused(unknown)
        raise CommandRefused(f"{side} {person} of {marketplace} has no contact; set one with `rescind contacts set`")
    if as_json:
        print_json({"address": contact.address, "name": contact.name, "language": contact.language})
        return
    echo(f"{contact.address}  {contact.name or ''}  {contact.language}")


@contacts.command()
@click.argument("marketplace")
@click.argument("side", type=SIDE)
@click.argument("person", metavar="ID")
@stored
def remove(settings: "Settings", marketplace: str, side: "Audience", person: str) -> None:
    """Remove a contact, so that no more mail is sent."""
    from infra.notifications.inspection import opened_contacts

    with opened_contacts(settings) as found:
        if not found.remove(marketplace, side, person):
            raise CommandRefused(f"{side} {person} of {marketplace} has no contact")
    echo(f"{side} {person} of {marketplace} gets no more mail")
