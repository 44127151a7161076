"""`rescind order`: shows an order, its history and what can be done with it, and carries out commands on it."""

from itertools import chain
from typing import TYPE_CHECKING

import click

from domain.instants import Instant
from infra.cli.exits import CommandRefused, UsageError
from infra.cli.options import INSTANT, as_json, stored, stream_of
from infra.cli.order_actions import GROUPS
from infra.cli.order_groups import ActionGroup, named
from infra.cli.printing import print_json

if TYPE_CHECKING:
    from consumers.engine.order_cache import CachedOrder
    from infra.settings import Settings
    from infra.store.reader import Reader


@click.group(cls=ActionGroup, usual="show")
def order() -> None:
    """Show an order, and carry out commands on it. ORDER is written marketplace/order_id.

    A command shows a preview and asks before it does anything. PlaceOrder has no subcommand: orders come by import,
    HTTP or the commands topic.
    """


@order.group(cls=ActionGroup, words=("dispute",), default="show", help=GROUPS["dispute"])
def dispute() -> None:
    pass


@order.group(cls=ActionGroup, words=("case",), default="show", help=GROUPS["case"])
def case() -> None:
    pass


as_of = click.option("--as-of", type=INSTANT, help="Show it as it was recorded at this instant (RFC 3339).")


@order.command()
@named
@as_of
@as_json
@stored
def show(settings: "Settings", order: str | None, po: str | None, as_of: Instant | None, as_json: bool) -> None:
    """Show an order: lines, money, requests, refunds, shipments, deadlines."""
    from domain.order_json import show as picture
    from infra.runtime.clock import clock
    from infra.store.reader import open_reader

    with open_reader(settings) as reader:
        stream = chosen(reader, order, po)
        folded = _recorded(reader, stream, as_of)
        assert folded.order is not None
        at = folded.order.recorded_at if as_of is None else as_of  # only what is recorded
        shown = picture(folded.order, folded.head, at, unreadable=folded.unreadable is not None)
        if as_json:
            print_json(shown)
        else:
            from infra.cli.order_text import print_order

            now = clock()
            print_order(folded.order, shown, now if as_of is None else as_of, now, folded.unreadable)


@order.command()
@named
@as_of
@as_json
@stored
def history(settings: "Settings", order: str | None, po: str | None, as_of: Instant | None, as_json: bool) -> None:
    """Show every event of an order in the log's order; with --json one line per event."""
    from domain.instants import parse_instant
    from infra.store.reader import open_reader

    with open_reader(settings) as reader:
        stream = chosen(reader, order, po)
        events = reader.history(stream)
        if as_of is not None:
            events = (event for event in events if parse_instant(event["recorded_at"]) <= as_of)
        first = next(events, None)
        if first is None:
            raise nowhere(reader, stream, as_of)
        events = chain((first,), events)
        if as_json:
            for event in events:
                print_json(event)
            return
        folded = reader.folded(stream)
        from infra.cli.order_text import print_history

        order_read = folded.order if folded.order is not None and folded.order.exists else None
        print_history(stream, list(events), order_read)


@order.command()
@named
@as_of
@as_json
@stored
def eligibility(settings: "Settings", order: str | None, po: str | None, as_of: Instant | None, as_json: bool) -> None:
    """Show what can be done with an order, why or why not, and until when."""
    from domain.eligibility_queries import eligibility as judged
    from infra.runtime.clock import clock
    from infra.store.reader import open_reader
    from schemas.codec import verdict_data

    with open_reader(settings) as reader:
        stream = chosen(reader, order, po)
        at = clock() if as_of is None else as_of
        folded = _recorded(reader, stream, at)
        assert folded.order is not None
        market = settings.market(folded.order.marketplace)
        if reader.book.get(folded.order.terms.policy) is None:
            policy = folded.order.terms.policy
            raise CommandRefused(
                f"the policy {policy.id}@{policy.version} of {stream} is not in the control log yet. Try again later."
            )
        verdicts = judged(folded.order, reader.book, market, at)
        if as_json:
            print_json([verdict_data(verdict) for verdict in verdicts])
        else:
            from infra.cli.order_text import print_verdicts

            print_verdicts(stream, verdicts, at, clock(), market)


@dispute.command("show")
@click.argument("order")
@click.argument("dispute_id", metavar="ID")
@as_json
@stored
def show_dispute(settings: "Settings", order: str, dispute_id: str, as_json: bool) -> None:
    """Show a dispute: checklist, chronology, recommendation, messages, evidence, and its policy."""
    _on_record(settings, order, dispute_id, "dispute", as_json)


@case.command("show")
@click.argument("order")
@click.argument("case_id", metavar="ID")
@as_json
@stored
def show_case(settings: "Settings", order: str, case_id: str, as_json: bool) -> None:
    """Show a case after delivery: checklist, chronology, recommendation, messages, evidence, and its policy."""
    _on_record(settings, order, case_id, "case", as_json)


def _on_record(settings: "Settings", order: str, matter_id: str, kind: str, as_json: bool) -> None:
    from infra.cli.case_file_text import print_case_file, read_case_file
    from infra.store.reader import open_reader

    with open_reader(settings) as reader:
        stream = stream_of(order)
        folded = _recorded(reader, stream, None)
        document = read_case_file(reader, folded, matter_id)
        if document is None or document["kind"] != kind:
            raise CommandRefused(
                f"{stream} has no {kind} {matter_id}. rescind order history {stream} lists its cases and disputes."
            )
        if as_json:
            print_json(document)
        else:
            assert folded.order is not None
            print_case_file(document, folded.order)


def chosen(reader: "Reader", order: str | None, po: str | None) -> str:
    """Return the order's stream. CommandRefused if no order has the PO number, UsageError if several have."""
    if (order is None) == (po is None):
        raise UsageError("name one order: marketplace/order_id, or --po NUMBER")
    if order is not None:
        return stream_of(order)
    assert po is not None
    from infra.store.order_search import orders_with_po

    streams = orders_with_po(reader, po)
    if not streams:
        raise CommandRefused(
            f"no order has the PO number {po}. Check the number, or name the order as marketplace/order_id."
        )
    if len(streams) > 1:
        some = ", ".join(streams[:10])
        raise UsageError(f"{len(streams)} orders have the PO number {po}. Name one of them: {some}")
    return streams[0]


def _recorded(reader: "Reader", stream: str, as_of: Instant | None) -> "CachedOrder":
    """Return the order as recorded, or as of an instant. CommandRefused if there is none."""
    folded = reader.folded(stream) if as_of is None else reader.as_of(stream, as_of)
    if folded.order is None or not folded.order.exists:
        raise nowhere(reader, stream, as_of)
    return folded


def nowhere(reader: "Reader", stream: str, as_of: Instant | None = None) -> CommandRefused:
    """The error for an order that does not exist; it suggests the nearest marketplace if that is unknown, too."""
    from infra.cli.printing import when
    from infra.store.order_search import unknown_marketplace

    unknown = unknown_marketplace(reader, stream.partition("/")[0])
    if unknown is not None:
        return CommandRefused(f"there is no order {stream}: {unknown}")
    then = "" if as_of is None else f" as of {when(as_of)}"
    return CommandRefused(
        f"there is no order {stream}{then}. Check marketplace and order id, or search with --po NUMBER."
    )
