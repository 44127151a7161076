"""Language packs are complete and alike; every statement comes from the order; no field carries markup or links."""

import re
from typing import Any

import pytest
from jinja2 import Environment, meta

from domain.notification_rules import REMINDED, TEMPLATES
from domain.reasons import CANCEL_REASONS, RETURN_REASONS
from domain.rulebook import RULES
from infra.documents.packs import LANGUAGES, pack
from infra.notifications.mail.facts import NAMES
from tests.spec.notifications.desk import Desk

NOON = "2026-03-02T12:00:00Z"
FRAME = {"name", "contact"}


def keys(words: Any, path: str = "") -> set[str]:
    if isinstance(words, dict):
        return {key for name, inner in words.items() for key in keys(inner, f"{path}/{name}")}
    return {f"{path}[{len(words)}]"} if isinstance(words, list) else {path}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_pack_has_the_keys_of_every_other(language: str) -> None:
    assert keys(pack(language).words) == keys(pack("en").words)
    assert pack(language).language == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_pack_has_every_template_reason_and_rule_that_is_sent_and_no_other(language: str) -> None:
    words = pack(language).words
    assert set(words["notification"]) == TEMPLATES
    assert set(words["reason"]) == {*CANCEL_REASONS, *RETURN_REASONS}
    assert {rule for rule, text in RULES.items() if text.section == 1} <= set(words["rule"]) <= set(RULES)
    assert set(words["form"]) == {"moment", "day", "months", "decimal", "group", "units", "and"}
    assert set(words["frame"]) == {"greeting", "order", "policy", "page", "contact", "again", "sign"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_uses_only_existing_values_and_all_languages_use_the_same(language: str) -> None:
    def used(words: dict[str, Any]) -> set[str]:
        source = " ".join([words["subject"], *words["paragraphs"]])
        return meta.find_undeclared_variables(Environment(autoescape=False).parse(source))

    for template, words in pack(language).notifications.items():
        assert used(words) <= set(NAMES), template
        assert used(words) == used(pack("en").notifications[template]), template
    for source in pack(language).words["frame"].values():
        assert meta.find_undeclared_variables(Environment(autoescape=False).parse(source)) <= {*NAMES, *FRAME}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_reminder_has_its_sentence(language: str) -> None:
    source = pack(language).notifications["reminder"]["paragraphs"][0]
    assert all(f"'{kind}'" in source for kind in REMINDED if kind != "appeal")


def test_times_and_money_are_written_as_the_language_does() -> None:
    instant = 1_772_445_720_000_000
    assert pack("en").moment(instant, "Europe/Berlin") == "2 March 2026, 11:02 (Europe/Berlin)"
    assert pack("de").moment(instant, "Europe/Berlin") == "2. März 2026, 11:02 Uhr (Europe/Berlin)"
    assert (pack("en").money(123456, "EUR"), pack("de").money(123456, "EUR")) == ("1,234.56 EUR", "1.234,56 EUR")
    assert pack("de").money(1234, "JPY") == "1.234 JPY"


def test_a_german_speaker_is_notified_in_german() -> None:
    desk = Desk()
    desk.people.languages = {"b-1": "de"}
    desk.canceled(timezone="Europe/Berlin")
    desk.run(NOON)
    mail = desk.carrier.taken[1]
    assert mail.language == "de" and "werden Ihnen erstattet" in mail.text and "70,00 USD" in mail.text
    assert mail.subject.startswith("Bestellung PO-1: der Rest ist storniert, Vorgang C-")


def canceled_by_the_seller(language: str, *lines: int) -> Desk:
    """Two lines; the buyer asked for these, and the seller cancels both and says that the buyer asked."""
    desk = Desk()
    desk.people.languages = {"b-1": language, "s-1": language}
    goods = [{"line": n, "sku": f"A-{n}", "quantity": 1, "unit_price": "10.00"} for n in (1, 2)]
    desk.history.place(lines=goods)
    if lines:
        request: dict[str, Any] = {"request_id": "r1", "reason": "changed_mind", "lines": list(lines)}
        desk.history.send("RequestCancel", at="2026-03-02T10:10:00Z", actor="buyer", **request)
    desk.history.send("CancelLines", at="2026-03-02T10:20:00Z", actor="seller", reason="buyer_asked")
    desk.run(NOON)
    return desk


def test_standing_without_a_request_on_record_the_buyer_is_asked_and_the_seller_notified() -> None:
    *_, buyers, sellers = canceled_by_the_seller("en").carrier.taken
    assert (buyers.to, sellers.to) == ("b-1@example.org", "s-1@example.org")
    assert buyers.subject.startswith("Order PO-1: canceled, did you ask for this? Reference C-")
    assert "The seller says that you asked to cancel it. We have no request from you on record" in buyers.text
    assert "contact acme and give the reference" in buyers.text
    assert "/receipt" in buyers.text, "it is still the confirmation"
    assert sellers.subject.startswith("Order PO-1: canceled, reference C-")
    assert "this counts as your own cancellation. We have asked the buyer about it." in sellers.text
    *_, buyers, _ = canceled_by_the_seller("de").carrier.taken
    assert "haben Sie darum gebeten? Vorgang C-" in buyers.subject
    assert "/o/acme/PO-1/receipt?lang=de" in buyers.text, "and so does its receipt"


def test_standing_a_buyer_who_requested_a_part_is_asked_about_the_rest() -> None:
    for part in (1, 2):
        *_, buyers, _ = canceled_by_the_seller("en", part).carrier.taken
        assert (
            "This carries out request r1. The seller says that you asked to cancel the rest. We have no other request"
            in buyers.text
        )
    *_, buyers, _ = canceled_by_the_seller("en", 1, 2).carrier.taken
    assert "The seller says" not in buyers.text and "This carries out request r1." in buyers.text


def test_a_title_and_a_name_bring_no_markup_along() -> None:
    desk = Desk()
    desk.people.names = {"b-1": "<script>alert(1)</script>"}
    title = '<img src="x" onerror="y"> & "Lamp"'
    desk.canceled(lines=[{"line": 1, "sku": "A", "title": title, "quantity": 10, "unit_price": "10.00"}])
    desk.run(NOON)
    mail = desk.carrier.taken[1]
    assert "<script" not in mail.html and "<img" not in mail.html
    assert "&lt;img src=&#34;x&#34; onerror=&#34;y&#34;&gt; &amp; &#34;Lamp&#34;" in mail.html
    assert title in mail.text


def notified(text: str) -> Desk:
    desk = Desk(texts={"text-4": text})
    desk.history.place(po_number="PO.example.com")
    desk.history.send("CancelLines", at="2026-03-02T10:10:00Z", actor="seller", reason="out_of_stock")
    parcel: dict[str, Any] = {"lines": [1], "carrier": "UPS", "tracking_number": "1Z9"}
    desk.history.send("ReportShippedAfterCancel", at="2026-03-02T10:20:00Z", actor="seller", **parcel)
    text = "UPS 1Z9 is on its way although it was cancelled; it would be billed again."
    desk.history.send("NotifyCustomer", at="2026-03-02T10:30:00Z", actor="seller", text=text)
    desk.people.names = {"b-1": "www.example.org"}
    desk.run(NOON)
    return desk


def test_notice_has_link_a_message_to_a_customer_has_no_link_of_any_kind() -> None:
    mail = notified("UPS 1Z9 is on its way.\nYou would be billed again.").carrier.taken[-1]
    assert "UPS 1Z9 is on its way." in mail.text and mail.subject.startswith(
        "Order PO example com: canceled but shipped"
    )
    assert not re.search(r"https?:|href|www\.|example\.", mail.text + re.sub(r"<head>.*</head>", "", mail.html))


def test_notice_has_link_a_text_with_one_does_not_go_out() -> None:
    desk = notified("see example.org for UPS 1Z9")
    assert desk.states()["notice-1"] == "failed"
    assert not any("example.org for" in mail.text for mail in desk.carrier.taken)


def test_an_erased_text_is_sent_to_nobody() -> None:
    desk = notified("UPS 1Z9")
    assert desk.states()["notice-1"] == "handed"
    letter = desk.book.message_of("acme/PO.x", "notice-1")
    assert letter is None
    desk.texts.clear()
    again = desk.book.message_of("acme/PO-1", "notice-1")
    assert again is not None and desk.book.again(again)
    desk.run(NOON)
    assert desk.states()["notice-1"] == "failed"


def test_every_template_can_be_rendered_for_every_history() -> None:
    """Twelve histories with something of everything, in both languages: nothing fails."""
    from tests.contract.views.filled import history as filled

    desks = []
    for language in LANGUAGES:
        desk = Desk()
        desk.people.languages = {"b-1": language, "s-1": language}
        desk.texts = _Anything()
        made = filled()
        desk.history.logs = made.logs[:1]
        desk.start()
        desk.run("2026-03-05T12:00:00Z")
        desks.append(desk)
        failed = desk.book.newest("failed", 100)
        assert not failed, failed
    assert len(desks[0].carrier.taken) == len(desks[1].carrier.taken) > 10


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "The following has shipped with UPS, tracking number 1Z9:"),
        ("de", "Folgendes ist versandt mit UPS, Sendungsnummer 1Z9:"),
    ],
)
def test_a_parcel_of_several_lines_is_one_sentence_with_all_its_lines(language: str, sentence: str) -> None:
    desk = Desk()
    desk.people.languages = {"b-1": language}
    goods = [{"line": n, "sku": f"A-{n}", "title": f"Lamp {n}", "quantity": 2, "unit_price": "1.00"} for n in (1, 2, 3)]
    desk.history.place(lines=goods)
    parcel: dict[str, Any] = {"shipment_id": "s1", "carrier": "UPS", "tracking_number": "1Z9"}
    desk.history.send("Ship", at="2026-03-02T11:00:00Z", **parcel)
    desk.run(NOON)
    mail = desk.carrier.taken[-1]
    assert mail.text.count(sentence) == 1 and mail.html.count(sentence) == 1
    assert [line.strip() for line in mail.text.splitlines() if "×" in line] == [f"2 × Lamp {n}" for n in (1, 2, 3)]
    assert "partly" not in mail.subject and "teilweise" not in mail.subject


def test_a_part_that_ships_or_is_cancelled_is_no_whole_order() -> None:
    desk = Desk()
    goods = [{"line": n, "sku": f"A-{n}", "title": f"Lamp {n}", "quantity": 1, "unit_price": "1.00"} for n in (1, 2, 3)]
    desk.history.place(lines=goods)
    desk.history.send("Ship", at="2026-03-02T11:00:00Z", shipment_id="s1", lines=[1])
    desk.history.send("CancelLines", at="2026-03-02T11:10:00Z", actor="seller", reason="out_of_stock", lines=[2])
    desk.history.send("Deliver", at="2026-03-02T11:20:00Z", shipment_id="s1")
    desk.history.send("Ship", at="2026-03-02T11:30:00Z", shipment_id="s2", lines=[3])
    desk.history.send("VoidShipment", at="2026-03-02T11:40:00Z", actor="support", shipment_id="s2", note="not packed")
    desk.run(NOON)
    subjects = [subject for to, subject in desk.subjects() if to == "b-1"]
    assert [subject.partition(",")[0] for subject in subjects[1:]] == [
        "Order PO-1: partly shipped",
        "Order PO-1: partly canceled",
        "Order PO-1: partly delivered",
        "Order PO-1: partly shipped",
        "Order PO-1: partly not shipped after all",
    ]
    assert "nothing has left" not in desk.carrier.taken[-1].text, "the other parcel has"


@pytest.mark.parametrize(
    ("policy", "here", "not_here"),
    [
        ("mutual-consent", "You can ask to cancel it. The seller decides.", "nobody has to approve it"),
        (
            "peer-to-peer",
            "You can cancel it yourself until",
            "you can cancel it yourself from",
        ),
        ("everything-store", "until", "nothing at all"),
    ],
)
def test_the_end_of_the_cancellation_window_is_rendered_exactly(policy: str, here: str, not_here: str) -> None:
    desk = Desk()
    desk.history.place(policy=policy)
    desk.run(NOON)
    [mail] = desk.carrier.taken
    assert here in mail.text and not_here not in mail.text, mail.text


def test_a_sale_that_is_final_until_it_is_late_can_be_cancelled_from_then_on() -> None:
    desk = Desk()
    desk.history.place(policy="peer-to-peer", sale_format="offer")
    desk.run(NOON)
    [mail] = desk.carrier.taken
    assert mail.subject == "Order PO-1: how to cancel it"
    assert "It cannot be canceled now. It came from an accepted offer" in mail.text
    assert (
        "If it has not shipped by 9 March 2026" in mail.text and "you can cancel it yourself from then on" in mail.text
    )


def written(to: str, by: str, about: str | None = None, language: str = "en") -> Desk:
    """Somebody writes to somebody."""
    desk = Desk()
    desk.people.languages = {"b-1": language, "s-1": language}
    desk.history.place(policy="mutual-consent")
    desk.history.send("RequestCancel", at="2026-03-02T10:10:00Z", actor="buyer", request_id="r1", reason="other")
    desk.history.send("DeclineCancel", at="2026-03-02T10:20:00Z", actor="seller", request_id="r1")
    disputed: dict[str, Any] = {"dispute_id": "d1", "about": "r1", "text": "why"}
    desk.history.send("OpenDispute", at="2026-03-02T10:30:00Z", actor="buyer", **disputed)
    desk.run(NOON)
    desk.carrier.taken.clear()
    sent: dict[str, Any] = {"message_id": "m1", "to": to, "text": "The secret text.", "about": about}
    if about is None:
        del sent["about"]
    assert desk.history.send("SendMessage", at="2026-03-02T12:10:00Z", actor=by, **sent).refused is None
    desk.run("2026-03-02T12:20:00Z")
    return desk


def test_both_told_a_message_notifies_its_addressee_without_its_text() -> None:
    [mail] = written("buyer", "seller").carrier.taken
    assert mail.to == "b-1@example.org" and mail.subject == "Order PO-1: a message from the seller"
    assert "The seller has sent you a message. Read it on the order's page." in mail.text
    assert "https://orders.example.org/o/acme/PO-1" in mail.text
    assert "secret" not in mail.text + mail.html + mail.subject
    [mail] = written("seller", "buyer", language="de").carrier.taken
    assert mail.to == "s-1@example.org" and mail.subject == "Bestellung PO-1: eine Nachricht vom Käufer"
    assert "Der Käufer hat Ihnen eine Nachricht geschickt." in mail.text
    [mail] = written("seller", "support/agent-1").carrier.taken
    assert mail.subject == "Order PO-1: a message from acme"


def test_a_message_of_a_dispute_leads_to_its_thread() -> None:
    [mail] = written("seller", "buyer", about="d1").carrier.taken
    assert "has sent you a message about d1." in mail.text
    assert "https://orders.example.org/d/acme/PO-1/d1" in mail.text


@pytest.mark.parametrize("by", ["support/agent-1", "buyer", "seller"])
def test_a_message_to_support_notifies_nobody(by: str) -> None:
    assert written("support", by).carrier.taken == []


class _Anything(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "UPS 1Z9 left"
