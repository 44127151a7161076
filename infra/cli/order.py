"""`rescind order`: what is so, how it came to be, what may be done, and a cancellation of one's own."""

from itertools import chain
from typing import TYPE_CHECKING

import click

from domain.instants import Instant
from infra.cli.exits import CommandRefused, UsageError
from infra.cli.options import INSTANT, as_json, stored, stream_of
from infra.cli.printing import print_json

if TYPE_CHECKING:
    from consumers.engine.order_cache import CachedOrder
    from infra.settings import Settings
    from infra.store.reader import Reader


@click.group()
def order() -> None:
    """Ask about an order, or cancel it. ORDER is written marketplace/order_id."""


def found(command: click.decorators.FC) -> click.decorators.FC:
    """ORDER or --po NUMBER."""
    command = click.option("--po", metavar="NUMBER", help="Find the order by its purchase-order number.")(command)
    return click.argument("order", required=False)(command)


as_of = click.option("--as-of", type=INSTANT, help="As it was at this instant (RFC 3339), nothing new happening after.")


@order.command()
@found
@as_of
@as_json
@stored
def show(settings: "Settings", order: str | None, po: str | None, as_of: Instant | None, as_json: bool) -> None:
    """The order: lines, money, requests, refunds, shipments, deadlines."""
    from domain.order_json import show as picture
    from infra.runtime.clock import clock
    from infra.store.reader import open_reader

    with open_reader(settings) as reader:
        stream = _chosen(reader, order, po)
        folded = _standing(reader, stream, as_of)
        assert folded.order is not None
        at = folded.order.recorded_at if as_of is None else as_of  # what is recorded, nothing assumed
        shown = picture(folded.order, folded.head, at, unreadable=folded.unreadable is not None)
        if as_json:
            print_json(shown)
        else:
            from infra.cli.order_text import print_order

            now = clock()
            print_order(folded.order, shown, now if as_of is None else as_of, now, folded.unreadable)


@order.command()
@found
@as_of
@as_json
@stored
def history(settings: "Settings", order: str | None, po: str | None, as_of: Instant | None, as_json: bool) -> None:
    """Everything that happened to it, in the log's order; with --json a line per event."""
    from domain.instants import parse_instant
    from infra.store.reader import open_reader

    with open_reader(settings) as reader:
        stream = _chosen(reader, order, po)
        told = reader.history(stream)
        if as_of is not None:
            told = (event for event in told if parse_instant(event["recorded_at"]) <= as_of)
        first = next(told, None)
        if first is None:
            raise nowhere(reader, stream, as_of)
        told = chain((first,), told)
        if as_json:
            for event in told:
                print_json(event)
            return
        folded = reader.folded(stream)
        from infra.cli.order_text import print_history

        currency = folded.order.terms.currency if folded.order is not None and folded.order.exists else "XXX"
        print_history(stream, list(told), currency)


@order.command()
@found
@as_of
@as_json
@stored
def eligibility(settings: "Settings", order: str | None, po: str | None, as_of: Instant | None, as_json: bool) -> None:
    """What may be done with it, why or why not, and until when."""
    from domain.eligibility_queries import eligibility as judged
    from infra.runtime.clock import clock
    from infra.store.reader import open_reader
    from schemas.codec import verdict_data

    with open_reader(settings) as reader:
        stream = _chosen(reader, order, po)
        at = clock() if as_of is None else as_of
        folded = _standing(reader, stream, at)
        assert folded.order is not None
        market = settings.market(folded.order.marketplace)
        if reader.book.get(folded.order.terms.policy) is None:
            policy = folded.order.terms.policy
            raise CommandRefused(
                f"the policy {policy.id}@{policy.version} of {stream} is not in the control log yet: ask again later"
            )
        verdicts = judged(folded.order, reader.book, market, at)
        if as_json:
            print_json([verdict_data(verdict) for verdict in verdicts])
        else:
            from infra.cli.order_text import print_verdicts

            print_verdicts(stream, verdicts, at, clock(), market)


@order.command()
@click.argument("order")
@click.argument("dispute_id", metavar="ID")
@as_json
@stored
def dispute(settings: "Settings", order: str, dispute_id: str, as_json: bool) -> None:
    """A dispute: checklist with its gaps, chronology, recommendation, thread, evidence, the policy as it was."""
    _on_record(settings, order, dispute_id, "dispute", as_json)


@order.command()
@click.argument("order")
@click.argument("case_id", metavar="ID")
@as_json
@stored
def case(settings: "Settings", order: str, case_id: str, as_json: bool) -> None:
    """A case after delivery, likewise."""
    _on_record(settings, order, case_id, "case", as_json)


def _on_record(settings: "Settings", order: str, matter_id: str, kind: str, as_json: bool) -> None:
    from infra.cli.case_file_text import matter_document, print_matter
    from infra.store.reader import open_reader

    with open_reader(settings) as reader:
        stream = stream_of(order)
        folded = _standing(reader, stream, None)
        document = matter_document(reader, folded, matter_id)
        if document is None or document["kind"] != kind:
            raise CommandRefused(
                f"{stream} has no {kind} {matter_id}: rescind order history {stream} tells what it has"
            )
        if as_json:
            print_json(document)
        else:
            print_matter(document)


@order.command()
@found
@click.option("--as", "actor", metavar="KIND[:ID]", default="seller", show_default=True, help="buyer, seller, support.")
@click.option("--line", "lines", metavar="N[:QUANTITY]", multiple=True, help="Only this line; may be repeated.")
@click.option("--reason", help="Why; the policy says which reasons there are.")
@click.option("--rule", help="The rule that support decides by.")
@click.option("--request-id", help="The request's id, for a buyer's request; made up if absent.")
@click.option("--command-id", help="For a retry: the same id is carried out once at most.")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@as_json
@stored
def cancel(
    settings: "Settings",
    order: str | None,
    po: str | None,
    actor: str,
    lines: tuple[str, ...],
    reason: str | None,
    rule: str | None,
    request_id: str | None,
    command_id: str | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Cancel it, or lines of it: a buyer asks (RequestCancel), a seller or support cancels (CancelLines)."""
    from infra.cli.order_cancel import run_cancel
    from infra.store.reader import open_reader

    reader = open_reader(settings)
    try:
        stream = _chosen(reader, order, po)
    except BaseException:
        reader.close()
        raise
    return run_cancel(
        settings,
        stream,
        reader,
        actor=actor,
        lines=lines,
        reason=reason,
        rule=rule,
        request_id=request_id,
        command_id=command_id,
        yes=yes,
        as_json=as_json,
    )


def _chosen(reader: "Reader", order: str | None, po: str | None) -> str:
    """The stream that is meant. No where no order has the PO number, Wrong where several have."""
    if (order is None) == (po is None):
        raise UsageError("name one order: marketplace/order_id, or --po NUMBER")
    if order is not None:
        return stream_of(order)
    assert po is not None
    from infra.store.order_search import orders_with_po

    streams = orders_with_po(reader, po)
    if not streams:
        raise CommandRefused(
            f"no order has the PO number {po}: check the number, or name the order as marketplace/order_id"
        )
    if len(streams) > 1:
        some = ", ".join(streams[:10])
        raise UsageError(f"{len(streams)} orders have the PO number {po}: name one of {some}")
    return streams[0]


def _standing(reader: "Reader", stream: str, as_of: Instant | None) -> "CachedOrder":
    """The order as recorded, or as of an instant. No where there is none."""
    folded = reader.folded(stream) if as_of is None else reader.as_of(stream, as_of)
    if folded.order is None or not folded.order.exists:
        raise nowhere(reader, stream, as_of)
    return folded


def nowhere(reader: "Reader", stream: str, as_of: Instant | None = None) -> CommandRefused:
    """There is no such order; where its marketplace is unknown too, the nearest name."""
    from infra.cli.printing import when
    from infra.store.order_search import unknown_marketplace

    unknown = unknown_marketplace(reader, stream.partition("/")[0])
    if unknown is not None:
        return CommandRefused(f"there is no order {stream}: {unknown}")
    then = "" if as_of is None else f" as of {when(as_of)}"
    return CommandRefused(
        f"there is no order {stream}{then}: check marketplace and order id, or search with --po NUMBER"
    )
