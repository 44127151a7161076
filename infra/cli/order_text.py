"""Prints an order, its history and what can be done with it, as text."""

from typing import Any

from domain.claims import claims, refunds_in_flight
from domain.events import Verdict
from domain.instants import Instant, parse_instant
from domain.marketplace_settings import MarketSettings
from domain.order import Order
from domain.wording import counted
from infra.cli.printing import console, from_now, length, money, plain, table, when
from infra.documents.claims import OrderWriter
from infra.documents.packs import LANGUAGES, pack
from infra.documents.words import ATTENTION, DEADLINE, REFUND, REQUEST, SHIPMENT, event_sentence, reason

_STATUS = {
    "cancel_requested": "cancellation requested",
    "partly_shipped": "partly shipped",
    "partly_canceled": "partly canceled",
}
_ACTION = {
    "cancel": "Cancel it",
    "ship": "Ship it",
    "return": "Send it back",
    "open_case": "Open a case",
    "open_dispute": "Open a dispute",
}
_ANSWER = {
    "granted": "[green]yes[/]",
    "ask_seller": "[yellow]the seller decides[/]",
    "offer_alternatives": "[yellow]an alternative is offered first[/]",
    "refused": "[red]no[/]",
}


def print_order(order: Order, shown: dict[str, Any], at: Instant, now: Instant, unreadable: str | None) -> None:
    """Print the contents of ``order show --json`` as text."""
    out = console()
    terms = order.terms
    state = _STATUS.get(shown["status"], shown["status"])
    out.print(f"[bold]{plain(shown['marketplace'])}/{plain(shown['order_id'])}[/]  {state}")
    checkout = f", checkout {terms.checkout_id}" if terms.checkout_id else ""
    out.print(plain(f"PO number {terms.po_number}, seller {terms.seller_id}, buyer {terms.buyer_id}{checkout}"))
    policy = f"{terms.policy.id}@{terms.policy.version}"
    ship_by = f", ship by {when(shown['ship_by'])}" if shown["ship_by"] else ""
    out.print(plain(f"placed {when(shown['placed_at'])} under policy {policy}{ship_by}"))
    if abs(now - at) > 60_000_000:
        out.print(f"[bold]as of {when(at)}[/]")
    if shown["attention"]:
        attention = ", ".join(ATTENTION.get(each, each) for each in shown["attention"])
        out.print(f"[red]needs attention: {attention}[/]")
    if unreadable is not None:
        out.print(f"[red]This release cannot read the order: {plain(unreadable)}. Update rescind to decide on it.[/]")

    writer = _writer(order, at)
    for text in writer.all(claims(order, at)):
        out.print(plain(text))

    out.print()
    out.print(_lines(shown["lines"]))
    out.print()
    _print_money(out, order, shown["money"])
    for request in shown["requests"]:
        awaits = order.awaits(order.requests[request["request_id"]])
        out.print(plain(_request(request, writer, awaits, now)))
    for refund in shown["refunds"]:
        state = REFUND["failed" if order.refunds[refund["refund_id"]].failed else refund["status"]][0].lower()
        amount = money(refund["amount_minor"], terms.currency)
        out.print(plain(f"refund {refund['refund_id']}: {amount} {terms.currency}, {state}"))
    for shipment in shown["shipments"]:
        parcel = " ".join(filter(None, (shipment["carrier"], shipment["tracking_number"])))
        named = f" ({parcel})" if parcel else ""
        state, happened = SHIPMENT[shipment["status"]][0].lower(), when(shipment["occurred_at"])
        what = writer.what(quantities(shipment["lines"]))
        out.print(plain(f"shipment {shipment['shipment_id']}{named}: {what}, {state}, {happened}"))
    for deadline in shown["deadlines"]:
        due, what = deadline["due_at"], DEADLINE.get(deadline["kind"], deadline["kind"])
        about = "" if deadline["ref"] == order.order_id else f" ({deadline['ref']})"
        out.print(plain(f"deadline {when(due)} ({from_now(due, now)}): {what}{about}"))
    out.print(f"[dim]version {shown['version']}, head {shown['head'] or 'none'}[/]")


def _writer(order: Order, at: Instant) -> OrderWriter:
    """Writes sentences of an order with times as this command line prints them."""
    return OrderWriter(
        order, pack(LANGUAGES[0]), lambda due: f"{when(due)} ({from_now(due, at)})", lambda due: from_now(due, at)
    )


def quantities(parts: list[dict[str, Any]]) -> dict[int, int]:
    """Line → units, from a list of lines with quantities."""
    return {part["line"]: part["quantity"] for part in parts}


def _lines(lines: list[dict[str, Any]]) -> Any:
    more = [name for name in ("returned", "rebilled", "undelivered") if any(line[name] for line in lines)]
    numbers = ["ordered", "open", "shipped", "canceled", *more]
    rows = []
    for line in lines:
        canceled = f"{line['canceled']}"
        if line["auto_canceled"]:
            canceled += f" ({line['auto_canceled']} by fill-or-kill)"
        shown = {**line, "canceled": canceled}
        rows.append([line["line"], line["sku"], line.get("title") or "", *(shown[name] for name in numbers)])
    return table(["line", "sku", "title", *numbers], rows, right=["line", *numbers])


def _print_money(out: Any, order: Order, amounts: dict[str, int]) -> None:
    """Print what was paid and what became of it; both sides are the same sum (rule ``money-adds-up``)."""
    currency = order.terms.currency
    on_its_way, failed, waiting = refunds_in_flight(order)

    def amount(minor: int) -> str:
        return money(minor, currency)

    parts = [
        (amounts["kept_minor"], "left with the seller"),
        (on_its_way, "refund on its way"),
        (failed, "failed refund, still due"),
        (waiting, "refund waiting for a chargeback"),
        (order.refunds_due - on_its_way - failed - waiting, "paid of refunds that are still due"),
        (amounts["refunded_minor"], "refunded"),
        (order.other_refunds_in_all, "refunded separately"),
        (-order.rebills_confirmed, "billed again"),
    ]
    texts = [f"{amount(minor)} {name}" for n, (minor, name) in enumerate(parts) if minor or n == 0]
    out.print(f"total {amount(amounts['total_minor'])} {currency}, paid {amount(amounts['paid_minor'])}", end="")
    out.print(f" = {' + '.join(texts)}" if amounts["paid_minor"] else ", nothing was paid")


def _request(request: dict[str, Any], writer: OrderWriter, awaits: str | None, now: Instant) -> str:
    what = writer.what(quantities(request["lines"]))
    state = REQUEST[request["status"]][0].lower()
    why = reason(request["reason"])
    text = f"request {request['request_id']} by the {request['by']} to cancel {what} ({why}): {state}"
    if request["status"] != "open":
        return f"{text} (rule {request['rule']})"
    if awaits not in ("buyer", "seller"):
        why = "a dispute about it is open" if awaits == "support" else "nobody has to answer"
        return f"{text} since {when(request['asked_at'])}, {why}"
    if request["decide_by"] is None:
        return f"{text} since {when(request['asked_at'])}, no deadline to answer"
    left = parse_instant(request["decide_by"]) - now
    time = f"{length(left)} left" if left >= 0 else f"{length(-left)} overdue"
    return f"{text} since {when(request['asked_at'])}, answer by {when(request['decide_by'])} ({time})"


def print_history(stream: str, events: list[dict[str, Any]], order: Order | None) -> None:
    """Print an order's events as a table; an event that happened before it was recorded has both times.

    ``order``: None where this release cannot read the order; its events are then named by their types.
    """
    out = console()
    out.print(f"[bold]{plain(stream)}[/], {counted(len(events), 'event')}")
    rows = []
    commit = None
    writer = None if order is None else _writer(order, order.recorded_at)
    for event in events:
        actor = event["actor"]
        late = "" if event["occurred_at"] == event["recorded_at"] else f" (happened {when(event['occurred_at'])})"
        new = event["commit"] != commit
        commit = event["commit"]
        by = f"{actor['kind']} {actor['id']}" if actor is not None else ""
        text = _sentence(event["event"], event["data"], writer) + late
        rows.append(
            (event["version"], when(event["recorded_at"]) if new else "", by if new else "", event["event"], text)
        )
    out.print(table(["version", "recorded", "by", "event", "what happened"], rows, right=["version"]))


def event_text(event: str, data: dict[str, Any] | None, order: Order | None) -> str:
    """Say what an event of an order means; by its type where there is no such order."""
    writer = _writer(order, order.recorded_at) if order is not None and order.exists else None
    return _sentence(event, data, writer)


def _sentence(event: str, data: dict[str, Any] | None, writer: OrderWriter | None) -> str:
    """Say what happened; a refusal comes with its reason and rule."""
    if data is None:
        return "A newer release wrote this event. This release cannot read it."
    text = event if writer is None else event_sentence(event, data, writer)
    verdict = data.get("verdict")
    if verdict is not None and verdict["outcome"] == "refused":
        text += f" {verdict['because']} (rule {verdict['rule']})"
    return text


def print_verdicts(stream: str, verdicts: list[Verdict], at: Instant, now: Instant, market: MarketSettings) -> None:
    """Print for each action: yes or no, why, until when, and what can be done instead."""
    out = console()
    then = "" if abs(now - at) < 60_000_000 else f" as of {when(at)}"
    out.print(f"[bold]{plain(stream)}[/]{then}, under policy {verdicts[0].policy.id}@{verdicts[0].policy.version}")
    for verdict in verdicts:
        out.print()
        answer = f"[bold]{_ACTION[verdict.action]}?[/] {_ANSWER[verdict.outcome]}"
        out.print(f"{answer}: {plain(verdict.because)} (rule {verdict.rule})")
        if verdict.next_change_at is not None:
            change = verdict.next_change_at
            out.print(
                f"  This answer changes at {when(change)}" + (f" ({from_now(change, now)})." if not then else ".")
            )
        for other in verdict.instead:
            until = f" (until {when(other.until)})" if other.until is not None else ""
            out.print(plain(f"  Instead: {other.text}{until}"))
    if market.contact:
        out.print()
        out.print(plain(f"Contact: {market.contact}. Give the order number {stream}."))
