"""Pages, receipts, mails and the command line are true of an order in every state that orders go through."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from consumers.ports.notifications import CannotCompose, Contact, Message, Notification, Subject
from domain import events as e
from domain.claims import IDS, Claim, absences, claims
from domain.eligibility_queries import as_of, eligibility
from domain.instants import DAY, Instant
from domain.notification_rules import notice_id, notification_rule
from domain.order_json import attention
from domain.presets import NAMES as PRESETS
from infra.cli.order_text import event_text, print_order
from infra.documents.claims import OrderWriter
from infra.documents.packs import LANGUAGES, pack
from infra.documents.receipt import receipt_of
from infra.documents.words import event_sentence
from infra.notifications.mail.composing import PackComposer
from infra.notifications.mail.facts import World
from infra.web.order_page import OrderPage
from infra.web.receipt_page import ReceiptPage
from tests.golden.stores import NAMES as STORES
from tests.spec.claims import checks
from tests.spec.claims.states import BOOK, State, of_a_golden_store, of_cases, of_random_orders, of_the_demo

LATER = 40 * DAY
RANDOM_ORDERS = 420
Check = Callable[[State], Iterator[str]]


def page_of(state: State, now: Instant) -> OrderPage:
    return OrderPage(state.order, None, [], [], now)


def order_pages(state: State) -> Iterator[str]:
    """The sentence at the top and what is absent; at once and long after."""
    for now in (state.at, state.at + LATER):
        page = page_of(state, now)
        for wrong in checks.about_the_order(page.sentence, state.order, now):
            yield f"{wrong} in {page.sentence!r}"
        yield from checks.grammar(page.sentence)
        yield from checks.grammar(page.summary)
        yield from checks.about_stopping(page.stop, state.order)
        if not page.shipments and not page.deadlines:
            yield from checks.about_what_is_absent(page.absent, state.order)


def receipts(state: State) -> Iterator[str]:
    receipt = receipt_of(state.order, bytes(32), state.history, state.at, [])
    for language in LANGUAGES:
        page = ReceiptPage(receipt, pack(language), historical=False)
        refunds = [page.refund(each["refund"]) for each in receipt["cancellations"]]
        if language == "en":
            yield from checks.about_a_receipt(page.sentence, refunds, state.order)
            yield from checks.about_what_a_receipt_adds(page.others, state.order)
            yield from checks.grammar(page.sentence)


class Anything:
    """A vault's texts."""

    def __getitem__(self, reference: str) -> str:
        return "UPS 1Z9 left"


def mails(state: State) -> Iterator[str]:
    """The mails of the commit, one to each side that is notified."""
    composer = PackComposer(World(lambda: BOOK, lambda _: state.market, Anything().__getitem__))
    first = state.order.version - len(state.events) + 1
    stream = f"{state.order.marketplace}/{state.order.order_id}"
    letters: dict[str, list[tuple[Notification, e.Event]]] = {}
    for version, event in enumerate(state.events, first):
        news = notification_rule(event)
        for side in () if news is None else news.audiences:
            assert news is not None
            id = notice_id(event, version, side)
            notice = Notification(0, stream, id, f"{first}-{side}", side, "x", news.template, 0, version, state.at)
            letters.setdefault(side, []).append((notice, event))
    for of_side in letters.values():
        letter = Message([notice for notice, _ in of_side])
        subject = Subject(state.order, state.commit, of_side)
        for language in LANGUAGES:
            contact = Contact("x@example.org", None, language)
            try:
                mail = composer.compose(letter, subject, contact, "m@rescind", state.at)
            except CannotCompose as no:
                yield f"no mail: {no}"
                continue
            if language == "en":
                yield from checks.about_a_mail(mail.subject, mail.text, state.order, state.events)
                yield from checks.grammar(f"{mail.subject} {mail.text}")


def verdicts(state: State) -> Iterator[str]:
    """The actions that the page offers."""
    now = as_of(state.order, BOOK, state.market, state.at)  # what is due has been reached when it is asked
    found = eligibility(state.order, BOOK, state.market, state.at)
    yield from checks.about_ways_out(found, now)
    for verdict in found:
        yield from checks.about_a_verdict(verdict.because, now)
        yield from checks.grammar(verdict.because)


def refusals(state: State) -> Iterator[str]:
    """Check the refusals of a state's commands, and the alternatives offered."""
    for event in state.events:
        if isinstance(event, e.CommandRefused | e.ShipmentRefused):
            options = [each.option for each in event.verdict.instead]
            if state.actor in ("system", "support") and "contact" in options:
                yield f"{state.actor} is advised to contact the marketplace: {event.verdict.because}"
            if not options:
                yield f"no way out of {event.verdict.because!r}"
            if state.actor == "seller" and "ask_seller" in options:
                yield f"the seller is advised to ask the seller: {event.verdict.because}"


def histories(state: State) -> Iterator[str]:
    """The sentences of the last commit, on the page and at the command line."""
    writer = OrderWriter(state.order, pack("en"), str, str)
    for each in state.history[-len(state.events) :]:
        texts = (
            event_sentence(each["event"], each["data"], writer),
            event_text(each["event"], each["data"], state.order),
        )
        for text in texts:
            yield from checks.about_quantities(text)
    for request in page_of(state, state.at).requests:
        yield from checks.about_quantities(request["what"])


def assert_true(states: Iterable[State], *each: Check) -> int:
    """Every check of every state; how many states there were."""
    wrong: list[str] = []
    count = 0
    for state in states:
        count += 1
        wrong += [f"{state.name}: {what}" for check in each for what in check(state)]
        assert len(wrong) < 20, "\n".join(wrong)
    assert not wrong, "\n".join(wrong)
    return count


def test_every_page_and_refusal_of_every_case_is_true() -> None:
    assert assert_true(of_cases(), order_pages, refusals) > 1_500


def test_every_statement_about_random_orders_is_true() -> None:
    assert assert_true(of_random_orders(RANDOM_ORDERS), order_pages, verdicts, histories, receipts, mails) > 500


def test_random_orders_go_through_every_state_of_money_and_parcels() -> None:
    seen: Counter[str] = Counter()
    for state in of_random_orders(RANDOM_ORDERS):
        order = state.order
        for refund in order.refunds.values():
            parts = refund.parts
            seen[refund.status] += 1
            seen["waiting"] += refund.waiting
            seen["paid in part"] += refund.status == "due" and any(part.confirmed for part in parts)
            seen["settled in part"] += refund.status == "due" and any(part.elsewhere for part in parts)
            seen["void"] += any(part.kind == "void" for part in parts)
        seen["refunded separately"] += bool(order.others)
        seen.update(f"shipment {shipment.status}" for shipment in order.shipments.values())
        seen.update(f"by {line.canceled_as}" for line in order.lines.values())
        seen.update(attention(order, state.at))
    assert {"due", "confirmed", "settled_elsewhere", "withdrawn", "waiting", "paid in part"} <= set(+seen), seen
    assert {"settled in part", "void", "refunded separately", "by system", "by support"} <= set(+seen), seen
    assert {"shipment lost", "shipment damaged", "shipment returning", "paid_twice"} <= set(+seen), seen


def test_the_cases_go_through_every_preset() -> None:
    assert {state.order.terms.policy.id for state in of_cases()} >= set(PRESETS)


def test_every_receipt_and_mail_of_many_cases_is_true() -> None:
    assert assert_true(of_cases(every=8), receipts, mails) > 150


def test_every_verdict_of_many_cases_is_true() -> None:
    assert assert_true(of_cases(every=12), verdicts) > 100


def test_every_page_of_the_demo_is_true() -> None:
    assert assert_true(of_the_demo(), order_pages) > 500


@pytest.mark.slow
def test_every_statement_about_every_case_is_true() -> None:
    assert assert_true(of_cases(), order_pages, receipts, mails, verdicts, refusals) > 1_500


@pytest.mark.slow
def test_every_statement_about_the_demo_is_true() -> None:
    assert assert_true(of_the_demo(), order_pages, receipts, mails, verdicts, refusals) > 500


@pytest.mark.slow
@pytest.mark.parametrize("name", STORES)
def test_every_statement_about_an_earlier_releases_store_is_true(name: str, tmp_path: Path) -> None:
    states = of_a_golden_store(name, tmp_path)
    assert assert_true(states, order_pages, receipts, mails, verdicts) > 500


def test_every_claim_is_made_of_some_state() -> None:
    made: Counter[str] = Counter()
    for state in (*of_cases(), *of_random_orders(RANDOM_ORDERS)):
        for now in (state.at, state.at + LATER):
            made.update(claim.id for claim in (*claims(state.order, now), *absences(state.order)))
    assert set(made) <= set(IDS)
    assert not set(IDS) - set(made), "no case goes through a state with this claim"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_claim_has_its_sentence(language: str) -> None:
    words = pack(language).words["claim"]
    assert {claim for claim in IDS if claim != "units"} <= set(words)
    for state in of_cases(every=40):
        writer = OrderWriter(state.order, pack(language), str, str)
        for now in (state.at, state.at + LATER):
            assert all(writer.say(claim) for claim in claims(state.order, now))
    nothing = OrderWriter(state.order, pack(language), str, str)
    assert nothing.say(Claim("no-deadline")).endswith(".")


def test_the_command_line_prints_the_same_amounts(capsys: pytest.CaptureFixture[str]) -> None:
    from domain.order_json import show

    seen: Counter[str] = Counter()
    for state in of_cases():
        order = state.order
        due = [refund for refund in order.refunds.values() if refund.status == "due"]
        if not due or (seen["due"] > 20 and not any(refund.failed for refund in due)):
            continue
        print_order(order, show(order, None, state.at), state.at, state.at, None)
        output = " ".join(capsys.readouterr().out.split())  # lines break where the terminal ends
        parts = [part for refund in due for part in refund.parts if part.left]
        failed = any(part.failed and not part.waiting for part in parts)
        assert ("failed refund, still due" in output) is failed, state.name
        assert ("refund waiting for a chargeback" in output) is any(part.waiting for part in parts), state.name
        on_its_way = any(not part.failed and not part.waiting for part in parts)
        assert ("refund on its way" in output) is on_its_way, state.name
        seen["failed" if failed else "due"] += 1
    assert seen["due"] > 10 and seen["failed"] > 0
