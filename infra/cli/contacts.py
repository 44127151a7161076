"""`rescind contacts`: where buyers and sellers are reached. Kept in the vault, under the person's own key."""

from typing import TYPE_CHECKING

import click

from infra.cli.exits import CommandRefused, UsageError
from infra.cli.options import as_json, stored
from infra.cli.printing import echo, print_json

if TYPE_CHECKING:
    from domain.notification_rules import Audience
    from infra.settings import Settings

SIDE = click.Choice(["buyer", "seller"])


@click.group()
def contacts() -> None:
    """Where buyers and sellers are reached."""


@contacts.command("set")
@click.argument("marketplace")
@click.argument("side", type=SIDE)
@click.argument("person", metavar="ID")
@click.option("--address", required=True, help="The mail address.")
@click.option("--name", help="The name, as they are greeted.")
@click.option("--language", default="en", show_default=True, help="en or de.")
@stored
def set_(
    settings: "Settings", marketplace: str, side: "Audience", person: str, address: str, name: str | None, language: str
) -> None:
    """Say where a buyer or seller is reached, in place of what was said before."""
    from consumers.ports.notifications import Contact
    from infra.notifications.contacts import BadContact
    from infra.notifications.inspection import opened_contacts

    with opened_contacts(settings) as found:
        try:
            found.set(marketplace, side, person, Contact(address, name, language))
        except BadContact as wrong:
            raise UsageError(str(wrong)) from None
    echo(f"{side} {person} of {marketplace} is told at {address}")


@contacts.command()
@click.argument("marketplace")
@click.argument("side", type=SIDE)
@click.argument("person", metavar="ID")
@as_json
@stored
def show(settings: "Settings", marketplace: str, side: "Audience", person: str, as_json: bool) -> None:
    """Where somebody is reached."""
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
        raise CommandRefused(
            f"nobody has said where {side} {person} of {marketplace} is reached: `rescind contacts set` does"
        )
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
    """Do not write to somebody any more."""
    from infra.notifications.inspection import opened_contacts

    with opened_contacts(settings) as found:
        if not found.remove(marketplace, side, person):
            raise CommandRefused(f"nobody has said where {side} {person} of {marketplace} is reached")
    echo(f"{side} {person} of {marketplace} is not written to any more")
