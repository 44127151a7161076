"""Compares the claims of sentences with the order: regular expressions over English text, and sums over the order.

Nothing here uses what makes the sentences; each check says again, from the order alone, when its sentence is true.
"""

import re
from collections.abc import Iterator

from domain import events as e
from domain.deadlines import live
from domain.instants import Instant
from domain.order import Order, Request
from infra.documents.formatting import moment
from infra.documents.packs import pack

NUMBER = r"([\d,]+)"
MONEY = r"([\d,.]+ [A-Z]{3})"
ONE_OF_MANY = re.compile(
    r"(?<![\d,.×])1 (units|lines|items|orders|events|commits|requests|days|hours|minutes|pieces|contacts|cancellations|"
    r"bytes|notices)\b"
)
MANY_OF_ONE = re.compile(
    r"(?<![\d,.])(?:[2-9]|\d[\d,]*\d) (unit|line|item|order|event|request|day|cancellation|notice)\b"
)


def grammar(text: str) -> Iterator[str]:
    """A number and its noun agree."""
    for pattern in (ONE_OF_MANY, MANY_OF_ONE):
        if found := pattern.search(text):
            yield f"{found[0]!r} in {text!r}"


def about_quantities(text: str) -> Iterator[str]:
    """No sentence counts nothing."""
    if re.search(r"(?<![\d,.])0 of (?:line|“)|\(0\)|: nothing\.|cancel nothing", text):
        yield text


def _amount(order: Order, minor: int) -> str:
    return pack("en").money(minor, order.terms.currency)


def _due(order: Order, state: str) -> int:
    """The parts of due refunds that are on their way, failed or waiting. What is paid or settled is none of them."""
    parts = [part for x in order.refunds.values() if x.status == "due" for part in x.parts]
    found = {"waiting": 0, "failed": 0, "on its way": 0}
    for part in parts:
        of = "waiting" if part.waiting else "failed" if part.failed else "on its way"
        found[of] += part.amount - part.confirmed - part.elsewhere
    return found[state]


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _exactly(text: str, pattern: str, want: str | None) -> Iterator[str]:
    """Check that the pattern is in the text once with this group, or not at all if ``want`` is None."""
    found = re.findall(pattern, text)
    if found != ([] if want is None else [want]):
        yield f"{pattern!r}: {found} instead of {want!r}"


def _tracked(order: Order) -> int:
    """Open units in parcels that a carrier has and no notice names."""
    left = {n: line.open for n, line in order.lines.items()}
    for parcel in order.parcels:
        if not parcel.delivered:
            for n, units in parcel.lines.items():
                left[n] -= min(left[n], units)
    return order.open_units - sum(left.values())


def about_the_order(text: str, order: Order, now: Instant) -> Iterator[str]:
    """Everything that the sentence at the top of an order claims."""
    yield from _money(text, order)
    requests = [request for request in order.requests.values() if request.status == "open"]
    yield from _requests(text, order, requests, now)
    if not any(order.awaits(request) for request in requests):
        yield from _units(text, order, now)
    yield from _left(text, order, now)
    yield from _under_way(text, order, now)


def _money(text: str, order: Order) -> Iterator[str]:
    for state, sentence in (
        ("on its way", r"A refund of " + MONEY + r" is on its way to the buyer"),
        ("failed", r"A refund of " + MONEY + r" failed and is still due"),
        ("waiting", r"A refund of " + MONEY + r" waits for the end of a chargeback"),
    ):
        due = _due(order, state)
        yield from _exactly(text, sentence, _amount(order, due) if due else None)
    demanded = sum(x.chargeback.amount for x in order.payments.values() if x.chargeback is not None)
    want = _amount(order, demanded) if demanded else None
    yield from _exactly(text, r"bank demands " + MONEY + r" back", want)
    yield from _separately(text, order)
    twice = sum(each.amount for each in order.others) + order.refunds_due + order.refunds_confirmed - order.paid
    twice -= sum(x.amount for x in order.rebills.values() if x.status == "confirmed")
    yield from _exactly(
        text, MONEY + r" more was given back than was paid", _amount(order, twice) if twice > 0 else None
    )
    unpaid = order.terms.total - order.value_with_shipping - order.paid
    want = _amount(order, unpaid) if order.is_unpaid and order.open_units else None
    yield from _exactly(text, MONEY + r" are not paid yet", want)


def _separately(text: str, order: Order) -> Iterator[str]:
    """What was refunded separately is named, and no sentence says that no money goes back while some did."""
    elsewhere = sum(each.amount for each in order.others)
    want = _amount(order, elsewhere) if order.others else None
    yield from _exactly(text, MONEY + r" was refunded separately(?:, most recently)? on \d+ \w+ \d{4}\.", want)
    if order.others and NO_MONEY.search(text):
        yield f"no money, and {elsewhere} went back: {text!r}"


NO_MONEY = re.compile(
    r"nothing (?:is|will be|was) refunded|nothing to refund|without a refund|does not lead to a refund|no refund\b",
    re.IGNORECASE,
)
"""Sentences that say that no money goes back at all."""


def _units(text: str, order: Order, now: Instant) -> Iterator[str]:
    lines = order.lines.values()
    ordered, canceled = sum(x.ordered for x in lines), sum(x.canceled for x in lines)
    shipped, delivered = sum(x.shipped for x in lines), sum(min(x.delivered, x.shipped) for x in lines)
    tracked = _tracked(order)
    to_ship = order.open_units - tracked
    if ("This order is canceled." in text) != (canceled == ordered):
        yield "the order is canceled"
    if canceled == ordered:
        return
    if to_ship == ordered:
        yield from _exactly(text, rf"(?:^|\. |All ){NUMBER} units? (?:is|are) still to ship", f"{ordered:,}")
    else:
        yield from _exactly(text, rf"{NUMBER} units? (?:is|are) still to ship", f"{to_ship:,}" if to_ship else None)
    some = f"{shipped:,}" if shipped else None
    yield from _exactly(text, rf"{NUMBER} units? (?:has|have) (?:shipped|been delivered)", some)
    if shipped and ("been delivered" in text) != (delivered > 0):
        yield "delivered"
    part = f"{delivered:,}" if 0 < delivered < shipped else None
    yield from _exactly(text, rf"{NUMBER} of them (?:has|have) been delivered", part)
    yield from _exactly(text, rf"{NUMBER} units? (?:is|are) canceled", f"{canceled:,}" if canceled else None)
    yield from _exactly(text, rf"{NUMBER} units? (?:is|are) with the carrier", f"{tracked:,}" if tracked else None)
    if ("nothing is open" in text) != (order.open_units == 0):
        yield "nothing is open"
    if order.ship_by is not None and to_ship:
        word = "due since" if order.ship_by < now else "by"
        if f", {word} {moment(order.ship_by, order.terms.calendar.timezone)}" not in text:
            yield f"to ship {word} {order.ship_by}"


def _requests(text: str, order: Order, requests: list[Request], now: Instant) -> Iterator[str]:
    if len(re.findall(r"The (?:buyer|seller) asks to cancel", text)) != len(requests):
        yield f"{len(requests)} open requests"
    zone = order.terms.calendar.timezone
    waiting = {x.request_id: order.awaits(x) for x in requests}
    for sentence, of in (("because a dispute about it is open", "support"), ("nobody has to answer", None)):
        if text.count(sentence) != list(waiting.values()).count(of):
            yield f"{sentence!r}, and the requests wait for {waiting}"
    requests = [x for x in requests if waiting[x.request_id] in ("buyer", "seller")]
    waits = [x for x in requests if not x.offers and x.decide_by is not None and x.decide_by >= now]
    want = [("buyer" if x.by == "seller" else "seller", moment(x.decide_by or 0, zone)) for x in waits]
    found = re.findall(r"The (buyer|seller) has until (.+?) \(.+?\) to answer", text)
    if found != want:
        yield f"waits for {found}, not {want}"
    forever = [x for x in requests if not x.offers and x.decide_by is None]
    if len(re.findall(r"The (?:buyer|seller) has not answered yet\.", text)) != len(forever):
        yield "requests without a deadline"
    late = [x for x in requests if not x.offers and x.decide_by is not None and x.decide_by < now]
    if len(re.findall(r"The (?:buyer|seller)'s deadline to answer passed", text)) != len(late):
        yield "requests past their deadline"
    offered = [x for x in requests if x.offers]
    if len(re.findall(r"The store (?:offers|offered) ", text)) != len(offered):
        yield "offers"


def _left(text: str, order: Order, now: Instant) -> Iterator[str]:
    stage = None if order.found is None else order.found.stage
    if (" shipped anyway" in text) != (stage in ("found", "notified", "acknowledged", "declined")):
        yield f"canceled but shipped, stage {stage}"
    found_lines = {} if order.found is None else order.found.lines
    in_part = any(found_lines.get(n, 0) != line.ordered for n, line in order.lines.items())
    if "The whole order shipped anyway" in text and in_part:
        yield "the whole order shipped anyway"
    for sentence, of in (
        ("The customer has to be notified", "found"),
        ("The customer has been notified", "notified"),
        ("The customer did not accept both", "declined"),
    ):
        if (sentence in text) != (stage == of):
            yield f"{sentence!r} in stage {stage}"
    if stage != "acknowledged" and re.search(r"billed (?:\S+ \S+ )?again", text):
        yield f"billed again in stage {stage}"
    if "may be billed again" in text and any(x.status == "due" for x in order.rebills.values()):
        yield "may be billed again, and is"
    failed = any(x.failed and x.status == "due" for x in order.rebills.values())
    if stage == "acknowledged" and ("could not be billed again yet" in text) != failed:
        yield "billing again failed"
    if found := re.search(r"The customer has been notified and has until (.+?) \(.+?\) to answer", text):
        due = [d.due_at for d in live(order) if d.kind == "acknowledge"]
        if [moment(at, order.terms.calendar.timezone) for at in due] != [found[1]] or due[0] < now:
            yield f"to answer until {found[1]}"


def _under_way(text: str, order: Order, now: Instant) -> Iterator[str]:
    for word, things in (
        ("return", order.returns.values()),
        ("case", order.cases.values()),
        ("dispute", order.disputes.values()),
    ):
        still = [each for each in things if each.status == "open"]
        if len(re.findall(rf"A {word} is open", text)) != len(still):
            yield f"{len(still)} open {word}s"
    zone = order.terms.calendar.timezone
    due_times = {moment(d.due_at, zone) for d in live(order) if d.kind == "case" and d.due_at >= now}
    if not set(re.findall(r"The decision is due by (.+?) \(", text)) <= due_times:
        yield "a case is decided by another time"
    paused = [x for x in order.cases.values() if x.status == "open" and x.remaining is not None]
    if text.count("The decision deadline is paused") != len(paused):
        yield "a case is paused"


def about_stopping(stop: list[dict[str, object]], order: Order) -> Iterator[str]:
    """Packing is stopped by requests over open units that somebody has to act on, and by no other."""
    stated = {each["id"]: each["other"] for each in stop}
    want = {
        x.request_id: order.awaits(x)
        for x in order.requests.values()
        if order.awaits(x) is not None and any(order.still_open(x, n) for n in x.requested)
    }
    if stated != want:
        yield f"stops for {stated}, not {want}"


def about_what_is_absent(text: str, order: Order) -> Iterator[str]:
    """Check the page's sentences where it has no table of shipments and deadlines."""
    gone = order.shipped_units or order.parcels or any(line.found_shipped for line in order.lines.values())
    if "Nothing has shipped." in text and (gone or order.shipments):
        yield "nothing has shipped"
    if "No shipping notice names the items that have left." in text and (not gone or order.shipments):
        yield "no shipping notice"
    if ("No deadline is running." in text) != (next(live(order), None) is None):
        yield "no deadline is running"


def about_a_verdict(because: str, order: Order) -> Iterator[str]:
    """Check what a yes or no claims of the order."""
    lines = order.lines
    canceled = any(line.canceled for line in lines.values())
    by_us = any(
        line.canceled_by in ("support", "system") and line.canceled_as == line.canceled_by for line in lines.values()
    )
    if "by the marketplace" in because and not by_us:
        yield f"the marketplace canceled nothing: {because}"
    if "marketplace" in because.replace("by the marketplace", "").replace("The marketplace canceled", ""):
        yield f"a verdict rests on the order's policy, not on the marketplace: {because}"
    if because.startswith("The order has shipped") and (canceled or order.open_units or not order.shipped_units):
        yield because
    if because.startswith("What is left of the order has shipped") and (not canceled or order.open_units):
        yield because
    if (found := re.match(r"Line (\d+) has shipped", because)) and not lines[int(found[1])].shipped:
        yield because
    if (found := re.match(r"The carrier is already tracking line (\d+)", because)) and not order.under_tracking(
        int(found[1])
    ):
        yield because
    if because.startswith("It has been delivered") and not order.all_shipped_is_delivered:
        yield because
    if (found := re.match(r"Line (\d+) is canceled already", because)) and not lines[int(found[1])].canceled:
        yield because
    if found := re.match(r"Request (\S+) is open already(.*)", because):
        request = order.requests[found[1]]
        stated = {
            " and the buyer has to choose among the offers.": "buyer",
            " and waits for an answer.": order.awaits(request),
            " and a dispute about it is open.": "support",
            ", and nobody has to answer it.": None,
        }[found[2]]
        if request.status != "open" or order.awaits(request) != stated or ("waits" in because and stated == "support"):
            yield because
        if "answer." in because and (request.offers or stated is None):
            yield because
    if because == "Nothing has shipped." and any(x.shipped or x.found_shipped for x in lines.values()):
        yield because


def about_ways_out(verdicts: list[e.Verdict], order: Order) -> Iterator[str]:
    """No way out leads to a refusal, but for what is delivered later."""
    no = {verdict.action for verdict in verdicts if verdict.outcome == "refused"}
    to_come = any(line.open or line.under_way for line in order.lines.values())
    leads = {"return": "return", "open_case": "open_case", "cancel": "cancel", "dispute": "open_dispute"}
    for verdict in verdicts:
        if verdict.outcome == "refused" and not verdict.instead:
            yield f"no way out of {verdict.because!r}"
        for each in verdict.instead:
            action = (
                "cancel" if each.text == "Ask the seller." and verdict.action != "cancel" else leads.get(each.option)
            )
            if action in no and not (action in ("return", "open_case") and to_come):
                yield f"{verdict.action} is refused, instead {each.text!r}, and {action} is refused, too"


def about_a_mail(subject: str, text: str, order: Order, events: tuple[e.Event, ...]) -> Iterator[str]:
    """Check the claims of a mail as of its commit."""
    lines = order.lines.values()
    whole = {
        "canceled": all(x.canceled == x.ordered for x in lines),
        "shipped": all(x.shipped == x.ordered for x in lines),
        "delivered": all(x.delivered == x.ordered for x in lines),
    }
    found = re.search(r": (partly )?(canceled|shipped|delivered)(?:,|$)", subject)
    if found is not None and whole[found[2]] == bool(found[1]):
        yield f"{subject!r} of an order with {whole}"
    for amount, refund in re.findall(MONEY + r" are on their way back to you \((refund-\d+)\)", text):
        x = order.refunds[refund]
        left = sum(part.left for part in x.parts if not part.waiting)
        if x.status != "due" or x.failed or _amount(order, left) != amount:
            yield f"{refund} is on its way"
    for amount, refund in re.findall(MONEY + r" have to wait because your bank .+? \((refund-\d+)\)", text):
        x = order.refunds[refund]
        if x.status != "due" or _amount(order, sum(part.left for part in x.parts if part.waiting)) != amount:
            yield f"{refund} waits"
    for amount, refund in re.findall(MONEY + r" could not be refunded yet \((refund-\d+)\)", text):
        x = order.refunds[refund]
        failed = [part.left for part in x.parts if part.failed]
        if x.status != "due" or amount not in {_amount(order, sum(failed)), *(_amount(order, each) for each in failed)}:
            yield f"{refund} failed"
    for amount, refund in re.findall(MONEY + r" were refunded to you \((refund-\d+)\)", text):
        x = order.refunds[refund]
        paid = [part.confirmed for part in x.parts if part.confirmed]
        if amount not in {_amount(order, sum(paid)), *(_amount(order, each) for each in paid)}:
            yield f"{refund} was paid"
    if "refund" in text.replace("refunded separately", "") and order.others and "was refunded separately" not in text:
        yield f"not a word of what was refunded separately: {text!r}"
    if "was refunded separately" in text:
        yield from _separately(text, order)
    due_now = {_amount(order, event.amount) for event in events if isinstance(event, e.RefundDue)}
    for amount in re.findall(MONEY + r" will be refunded (?:to you|to the buyer)", text):
        if amount not in due_now:
            yield f"{amount} will be refunded"
    if "Nothing was paid for it" in text and order.paid:
        yield "nothing was paid"
    if "will be refunded" in subject and not due_now:
        yield subject
    zone = order.terms.calendar.timezone
    running = {pack("en").moment(d.due_at, zone) for d in order.deadlines.values()}
    for until in re.findall(r"(?:Answer by|Choose by|decides by|is accepted until|appealed until) (.+?\))", text):
        if until not in running and not any(isinstance(event, e.DeadlineReached) for event in events):
            yield f"until {until}, and the deadlines are {running}"
    for request in re.findall(r"Cancellation request (\S+) is declined. It cancels nothing\.", text):
        if any(order.requests[request].canceled.values()):
            yield f"request {request} canceled something"
    if "nothing has left" in text or "Nothing has shipped" in text:
        yield "nothing has left"
    sentences = [line for line in text.splitlines() if line.endswith((".", ":")) and "Hello" not in line]
    for each in {line for line in sentences if sentences.count(line) > 1}:
        yield f"twice: {each!r}"


def about_a_receipt(sentence: str, refunds: list[str], order: Order) -> Iterator[str]:
    """Check the claims of a receipt: the canceled quantity, and the refunds."""
    lines = order.lines.values()
    ordered, canceled = sum(x.ordered for x in lines), sum(x.canceled for x in lines)
    if ("is not canceled, in whole or in part" in sentence) != (canceled == 0):
        yield sentence
    part = f"{canceled:,}" if 0 < canceled < ordered else None
    yield from _exactly(sentence, rf"{NUMBER} of [\d,]+ units? of order", part)
    for stated in refunds:
        if re.fullmatch(r"This cancellation does not lead to a (?:further )?refund\.", stated):
            if bool(order.others) != ("further" in stated):
                yield stated
            continue
        yield from _refund_on_a_receipt(stated, order)


def about_what_a_receipt_adds(others: list[str], order: Order) -> Iterator[str]:
    """Check that each amount that was refunded separately has its sentence."""
    want = [_amount(order, each.amount) for each in order.others]
    found = [re.match(MONEY + r" was refunded separately on ", stated) for stated in others]
    if [each and each[1] for each in found] != want:
        yield f"{others} instead of {want}"


def _refund_on_a_receipt(stated: str, order: Order) -> Iterator[str]:
    found = re.search(r"\((refund-\d+), ([^()]+)\)\.$", stated)
    if found is None:
        yield f"what is this: {stated!r}"
        return
    x = order.refunds[found[1]]
    wanted: dict[str, int] = {}
    for part in x.parts:
        left = part.amount - part.confirmed - part.elsewhere
        verb = (
            "was withdrawn"
            if x.status == "withdrawn"
            else "are to be refunded"
            if part.waiting
            else ("could not be refunded" if part.failed else "will be refunded")
        )
        for each, amount in (
            (verb, left),
            ("were refunded to the buyer", part.confirmed),
            ("separately", part.elsewhere),
        ):
            wanted[each] = wanted.get(each, 0) + amount
    for each, amount in wanted.items():
        clause = rf"{MONEY} {each}" if each != "separately" else rf"{MONEY} were refunded to the buyer separately"
        if each == "were refunded to the buyer":
            clause += r"(?! separately)"
        if x.amount:
            yield from _exactly(stated, clause, _amount(order, amount) if amount else None)
