"""An order, its history and what may be done with it, as text that a person in trouble can read."""

from typing import Any

from domain.claims import claims, refunds_in_flight
from domain.events import Verdict
from domain.instants import Instant, parse_instant
from domain.marketplace_settings import MarketSettings
from domain.order import Order
from domain.wording import counted
from infra.cli.printing import console, from_now, length, money, plain, table, when
from infra.cli.sentences import lines, sentence
from infra.documents.claims import Speaker
from infra.documents.packs import LANGUAGES, pack

_STATUS = {
    "canceled": "canceled altogether",
    "cancel_requested": "a cancellation is asked for",
    "partly_shipped": "partly shipped",
    "partly_canceled": "partly canceled",
}
_DO = {
    "cancel": "Cancel it",
    "ship": "Ship it",
    "return": "Send it back",
    "open_case": "Open a case",
    "open_dispute": "Open a dispute",
}
_SAID = {
    "granted": "[green]yes[/]",
    "ask_seller": "[yellow]the seller is asked[/]",
    "offer_alternatives": "[yellow]something else is offered first[/]",
    "refused": "[red]no[/]",
}


def print_order(order: Order, shown: dict[str, Any], at: Instant, now: Instant, unreadable: str | None) -> None:
    """What ``order show --json`` says, for people."""
    out = console()
    terms = order.terms
    state = _STATUS.get(shown["status"], shown["status"])
    out.print(f"[bold]{plain(shown['marketplace'])}/{plain(shown['order_id'])}[/]  {state}")
    checkout = f", checkout {terms.checkout_id}" if terms.checkout_id else ""
    out.print(plain(f"PO number {terms.po_number}, seller {terms.seller_id}, buyer {terms.buyer_id}{checkout}"))
    policy = f"{terms.policy.id}@{terms.policy.version}"
    ship_by = f", to be shipped by {when(shown['ship_by'])}" if shown["ship_by"] else ""
    out.print(plain(f"placed {when(shown['placed_at'])} under the policy {policy}{ship_by}"))
    if abs(now - at) > 60_000_000:
        out.print(f"[bold]as of {when(at)}[/]")
    if shown["attention"]:
        out.print(f"[red]needs attention: {', '.join(shown['attention'])}[/]")
    if unreadable is not None:
        out.print(f"[red]stuck: {plain(unreadable)}; nothing is decided on it until a newer release runs[/]")

    speaker = Speaker(
        order, pack(LANGUAGES[0]), lambda due: f"{when(due)} ({from_now(due, at)})", lambda due: from_now(due, at)
    )
    for sentence_of_claim in speaker.all(claims(order, at)):
        out.print(plain(sentence_of_claim))

    out.print()
    out.print(_lines(shown["lines"]))
    out.print()
    _print_money(out, order, shown["money"])
    for request in shown["requests"]:
        out.print(plain(_request(request, order.awaits(order.requests[request["request_id"]]), now)))
    for refund in shown["refunds"]:
        failed = ", and the last try failed" if order.refunds[refund["refund_id"]].failed else ""
        amount = money(refund["amount_minor"], terms.currency)
        out.print(plain(f"refund {refund['refund_id']}: {amount} {terms.currency}, {refund['status']}{failed}"))
    for shipment in shown["shipments"]:
        parcel = " ".join(filter(None, (shipment["carrier"], shipment["tracking_number"])))
        what = ", ".join(f"line {part['line']} ({part['quantity']})" for part in shipment["lines"])
        named = f" ({parcel})" if parcel else ""
        happened = when(shipment["occurred_at"])
        out.print(plain(f"shipment {shipment['shipment_id']}{named}: {what}, {shipment['status']}, {happened}"))
    for deadline in shown["deadlines"]:
        due = deadline["due_at"]
        out.print(plain(f"deadline {deadline['kind']} of {deadline['ref']}: {when(due)} ({from_now(due, now)})"))
    out.print(f"[dim]version {shown['version']}, head {shown['head'] or 'none'}[/]")


def _lines(lines: list[dict[str, Any]]) -> Any:
    more = [name for name in ("returned", "rebilled") if any(line[name] for line in lines)]
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
    """Paid on the left, where it is on the right: both sides are the same sum (``money-adds-up``)."""
    currency = order.terms.currency
    on_its_way, failed = refunds_in_flight(order)

    def said(minor: int) -> str:
        return money(minor, currency)

    parts = [
        (amounts["kept_minor"], "kept"),
        (on_its_way, "refund on its way"),
        (failed, "refund that failed and stays due"),
        (amounts["refunded_minor"], "refunded"),
        (order.other_refunds, "refunded otherwise"),
        (-order.rebills_confirmed, "billed again"),
    ]
    said_parts = [f"{said(minor)} {name}" for minor, name in parts if minor or name == "kept"]
    out.print(f"total {said(amounts['total_minor'])} {currency}, paid {said(amounts['paid_minor'])}", end="")
    out.print(f" = {' + '.join(said_parts)}" if amounts["paid_minor"] else ", nothing was paid")


def _request(request: dict[str, Any], awaits: str | None, now: Instant) -> str:
    what = lines(request["lines"])
    reason = f", {request['reason']}" if request["reason"] else ""
    told = f"request {request['request_id']} by the {request['by']} ({what}{reason}): {request['status']}"
    if request["status"] != "open":
        return f"{told}, {request['rule']}"
    if awaits not in ("buyer", "seller"):
        why = "a dispute about it is open" if awaits == "support" else "nobody has to answer"
        return f"{told} since {when(request['asked_at'])}, {why}"
    if request["decide_by"] is None:
        return f"{told} since {when(request['asked_at'])}, no time is set for an answer"
    left = parse_instant(request["decide_by"]) - now
    time = f"{length(left)} left" if left >= 0 else f"{length(-left)} too late"
    return f"{told} since {when(request['asked_at'])}, answer by {when(request['decide_by'])} ({time})"


def print_history(stream: str, events: list[dict[str, Any]], currency: str) -> None:
    """The timeline; what occurred earlier than it was recorded says so."""
    out = console()
    out.print(f"[bold]{plain(stream)}[/], {counted(len(events), 'event')}")
    rows = []
    commit = None
    for event in events:
        actor = event["actor"]
        late = "" if event["occurred_at"] == event["recorded_at"] else f" (happened {when(event['occurred_at'])})"
        new = event["commit"] != commit
        commit = event["commit"]
        by = f"{actor['kind']} {actor['id']}" if actor is not None else ""
        said = sentence(event["event"], event["data"], currency) + late
        rows.append(
            (event["version"], when(event["recorded_at"]) if new else "", by if new else "", event["event"], said)
        )
    out.print(table(["version", "recorded", "by", "what", ""], rows, right=["version"]))


def print_verdicts(stream: str, verdicts: list[Verdict], at: Instant, now: Instant, market: MarketSettings) -> None:
    """Each action: yes or no, why, until when, and what can be done instead."""
    out = console()
    then = "" if abs(now - at) < 60_000_000 else f" as of {when(at)}"
    out.print(f"[bold]{plain(stream)}[/]{then}, under the policy {verdicts[0].policy.id}@{verdicts[0].policy.version}")
    for verdict in verdicts:
        out.print()
        out.print(
            f"[bold]{_DO[verdict.action]}?[/] {_SAID[verdict.outcome]}: {plain(verdict.because)} ({verdict.rule})"
        )
        if verdict.next_change_at is not None:
            change = verdict.next_change_at
            out.print(f"  This answer changes {when(change)}" + (f" ({from_now(change, now)})." if not then else "."))
        for other in verdict.instead:
            until = f" (until {when(other.until)})" if other.until is not None else ""
            out.print(plain(f"  Instead: {other.text}{until}"))
    if market.contact:
        out.print()
        out.print(plain(f"Contact: {market.contact}; have the order number {stream} at hand."))
