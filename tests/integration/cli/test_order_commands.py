"""Every command about an order has a subcommand, which shows a preview and asks before it does anything."""

import os
import shlex
from collections.abc import Iterator
from typing import Any

import click
import pytest

from domain.commands import COMMANDS, parse_command
from infra.cli.order import order as group
from infra.cli.order_actions import ACTIONS, GROUPS, Action
from infra.cli.order_options import body_of
from infra.store.reader import open_reader
from tests.integration.cli.driving import Body, Store, command, ended, placed, requests_cancel, ships
from tests.integration.http.client import served
from tests.integration.http.files import png

ELSEWHERE = {"PlaceOrder", "ReachDeadline", "EraseSubject", "PlaceLegalHold", "ReleaseLegalHold"}
IDS = [" ".join(action.words) for action in ACTIONS]
AT = "2026-03-02T11:00:00Z"
SHOP = {"kind": "system", "id": "shop"}


def built(action: Action) -> click.Command:
    """The subcommand of an action, found by its words."""
    found: click.Command = group
    for word in action.words:
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found), word)
        assert inner is not None, word
        found = inner
    return found


def test_every_command_about_an_order_has_a_subcommand() -> None:
    assert {name for action in ACTIONS for name in action.commands} == set(COMMANDS) - ELSEWHERE
    assert len(IDS) == len(set(IDS))
    assert {action.words[0] for action in ACTIONS if len(action.words) == 2} == set(GROUPS)


@pytest.mark.parametrize("action", ACTIONS, ids=IDS)
def test_the_help_of_every_subcommand_has_its_options_and_an_example(store: Store, action: Action) -> None:
    text = store.rescind("order", *action.words, "--help").out
    assert action.whole_example in text
    for option in ("--as", "--po", "--command-id", "--preview", "--yes", "--json"):
        assert option in text
    for param in built(action).params:
        assert isinstance(param, click.Argument) or (isinstance(param, click.Option) and param.help), param.name


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An order to which examples are applied."""
    store = Store(tmp_path_factory.mktemp("examples"))
    store.take([placed("PO-1001")])
    from infra.settings import load_settings

    with open_reader(load_settings(journal=f"sqlite:///{store.journal}")) as reader:
        yield reader.folded("acme/PO-1001").order


@pytest.mark.parametrize("action", ACTIONS, ids=IDS)
def test_every_example_is_a_command(order: Any, action: Action) -> None:
    words = ["acme/PO-1001", *shlex.split(action.example)]
    given = built(action).make_context("x", words).params
    fields = {
        name: value
        for name, value in given.items()
        if name not in ("order", "po", "actor", "command_id", "preview", "yes", "as_json", "config", "journal", "views")
    }
    if fields.get("file") is not None:
        fields["file"] = png()
    found = parse_command(body_of(action, order, given["actor"], "cli-1", fields))
    assert found.command == action.commands[-1]


# ---- commands are carried out ----------------------------------------------------------------------------------------


def placed_now(store: Store, *more: Body, **fields: Any) -> None:
    """Order PO-1 of ten units, and what happened to it."""
    store.take([placed("PO-1", policy="general-store@2", **fields), *more])


def do(store: Store, *words: str, check: int = 0) -> Body:
    """Carry out a subcommand on PO-1 without being asked; its answer."""
    *subcommand, rest = words
    answer: Body = store.rescind(
        "order", *subcommand, "acme/PO-1", *shlex.split(rest), "--yes", "--json", check=check
    ).json
    return answer


def test_a_preview_only_shows_what_would_happen(store: Store) -> None:
    placed_now(store, ships("PO-1", AT, 10))
    report = ("order", "undelivered", "acme/PO-1", "--shipment-id", "asn-1", "--outcome", "lost", "--preview")
    shown = store.rescind(*report).out
    assert "Reports 10 of line 1 as not delivered" in shown
    assert "100.00 USD will be refunded to the buyer." in shown
    assert store.rescind(*report, "--json").json["undelivered"] == [{"line": 1, "quantity": 10}]
    version = store.show("acme/PO-1")["version"]
    refused = ("order", "cancel", "acme/PO-1", "--reason", "out_of_stock", "--preview")
    assert "(rule " in store.rescind(*refused, check=1).err
    assert store.rescind(*refused, "--json", check=1).json["confirmation"] is None
    assert store.show("acme/PO-1")["version"] == version


def test_nothing_is_carried_out_without_a_confirmation(store: Store) -> None:
    placed_now(store, requests_cancel("PO-1", AT))
    confirm = ("order", "payment", "record", "acme/PO-1", "--amount", "5.00")
    err = store.rescind(*confirm, check=2).err
    assert "Add --yes" in err
    assert "acme/PO-1: " in err, "the preview says what would be recorded"
    assert len(store.show("acme/PO-1")["payments"]) == 1


@pytest.mark.parametrize(("typed", "code", "status"), [("y", 0, "canceled"), ("n", 130, "open")])
def test_a_person_at_a_terminal_is_asked(store: Store, typed: str, code: int, status: str) -> None:
    placed_now(store)
    terminal, theirs = os.openpty()
    try:
        process = store.begin("order", "cancel", "acme/PO-1", "--reason", "out_of_stock", stdin=theirs)
        os.write(terminal, f"{typed}\n".encode())
        done = ended(process)
    finally:
        os.close(terminal)
        os.close(theirs)
    assert done.code == code, done.err
    assert "A cancellation cannot be undone. Carry it out?" in done.err
    assert store.show("acme/PO-1")["status"] == status


def test_what_changes_nothing_is_not_asked_about(store: Store) -> None:
    placed_now(store, ships("PO-1", AT, 10), command("Deliver", "PO-1", "2026-03-03T11:00:00Z", SHOP))
    done = store.rescind("order", "deliver", "acme/PO-1")
    assert "Nothing changes: it is so already." in done.err
    assert "nothing to do" in done.out


def test_a_request_is_approved_by_the_seller(store: Store) -> None:
    store.take([placed("PO-1"), requests_cancel("PO-1", AT)])
    assert "LinesCanceled" in do(store, "approve", "--request-id r1")["events"]
    assert store.show("acme/PO-1")["requests"][0]["status"] == "approved"


def test_a_seller_proposes_and_support_names_a_rule(store: Store) -> None:
    store.take([placed("PO-1", policy="mutual-consent")])
    proposed = do(store, "propose", "--reason out_of_stock --request-id r7")
    assert proposed["events"] == ["CancelRequested"]
    declined = do(store, "decline", "--request-id r7 --as support:agent-4 --rule seller-has-final-say")
    assert declined["events"] == ["CancelDeclined"]
    rule = store.rescind(
        "order", "decline", "acme/PO-1", "--request-id", "r7", "--as", "buyer", "--rule", "standing", check=2
    )
    assert "--rule needs --as support:YOUR-ID" in rule.err


def test_payments_refunds_and_chargebacks_are_recorded(store: Store) -> None:
    placed_now(store, paid=False)
    record = "--payment-id p1 --amount 100.00 --method card --state authorized"
    assert do(store, "payment", "record", record)["events"] == ["PaymentReceived"]
    assert do(store, "payment", "capture", "--payment-id p1 --amount 80.00")["events"] == ["PaymentCaptured"]
    assert "PaymentReleased" in do(store, "payment", "release", "--payment-id p1")["events"]
    assert do(store, "refund", "record", "--amount 10.00 --covers line:1=10.00")["events"] == ["OtherRefundRecorded"]
    assert do(store, "cancel", "--line 1:6 --reason out_of_stock")["events"][-1] == "RefundDue"
    assert do(store, "refund", "confirm", "--refund-id refund-1 --provider-ref re_1")["events"] == ["RefundConfirmed"]
    assert do(store, "refund", "fail", "--refund-id refund-1 --payment-id p1")["events"] == ["RefundFailed"]
    assert do(store, "chargeback", "open", "--payment-id p1 --amount 40.00")["events"] == ["ChargebackOpened"]
    closed = do(store, "chargeback", "close", "--payment-id p1 --outcome won")
    assert closed["events"][0] == "ChargebackClosed"
    mistake = "--refund-id refund-1 --note twice"
    assert do(store, "refund", "withdraw", mistake)["events"] == ["RefundWithdrawn"]
    assert store.show("acme/PO-1")["refunds"][0]["status"] == "withdrawn"


def test_a_parcel_is_shipped_delivered_and_returned_in_parts(store: Store) -> None:
    placed_now(store)
    assert do(store, "ship", "--shipment-id asn-1 --carrier UPS --tracking-number 1Z999")["events"] == ["LineShipped"]
    assert do(store, "deliver", "--shipment-id asn-1")["events"] == ["Delivered"]
    assert "ReturnOpened" in do(store, "return", "request", "--line 1:5 --reason changed_mind")["events"]
    do(store, "return", "receive", "--about return-1 --line 1:2:sellable --line 1:1:damaged")
    [back] = store.show("acme/PO-1")["returns"]
    assert back["received"] == [{"line": 1, "quantity": 3}]
    assert "ReturnClosed" in do(store, "return", "close", "--about return-1 --outcome refund")["events"]


def test_what_shipped_although_it_was_canceled_is_billed_again_step_by_step(store: Store) -> None:
    placed_now(store)
    do(store, "cancel", "--reason out_of_stock")
    do(store, "report-shipped", "--line 1 --carrier UPS --tracking-number 1Z999")
    do(store, "notify", "--text 'It left with UPS, number 1Z999; you would be billed again.'")
    do(store, "acknowledge", "--accepts-item --accepts-rebilling")
    do(store, "rebill", "start", "")
    do(store, "rebill", "confirm", "--rebill-id rebill-1")
    assert do(store, "credit-memo", "--rebill-id rebill-1")["events"] == ["CreditMemoIssued"]


def test_a_case_is_opened_with_its_file_and_shown_as_before(store: Store) -> None:
    placed_now(store, ships("PO-1", AT, 10), command("Deliver", "PO-1", "2026-03-03T11:00:00Z", SHOP))
    store.take([placed("PO-2", policy="peer-to-peer")])
    do_2 = ("acme/PO-2", "--yes", "--json")
    store.rescind("order", "ship", *do_2, "--shipment-id", "asn-1")
    store.rescind("order", "deliver", *do_2)
    store.rescind("order", "case", "open", *do_2, "--line", "1", "--reason", "wrong_item", "--case-id", "k1")
    photo = store.place / "box.png"
    photo.write_bytes(png())
    about = ("--about", "k1", "--kind", "photo", "--evidence-id", "e1", "--file", str(photo))
    assert store.rescind("order", "evidence", *do_2, *about).json["events"] == ["EvidenceAdded"]
    for words in (("case",), ("case", "show")):
        assert store.rescind("order", *words, "acme/PO-2", "k1", "--json").json["case_id"] == "k1"
    with served(store.place, filled=False) as http:
        assert http.get("/v1/acme/orders/PO-2/evidence/e1").content == png()
    photo.write_bytes(b"<html>")
    wrong = store.rescind("order", "evidence", "acme/PO-2", *about, "--yes", check=2).err
    assert "not a JPEG, PNG or PDF" in wrong


BAD: list[tuple[str, str]] = [
    ("refund confirm", "Missing option '--refund-id'"),
    ("refund record --amount 1.00 --covers line=1", "write line:NUMBER=AMOUNT"),
    ("return receive --about r --line 1:2:3", "NUMBER:QUANTITY:CONDITION"),
    ("return receive --about r --line 1:2:broken", "/lines/0/condition"),
    ("ship --line 1:2:sellable", "NUMBER:QUANTITY"),
    ("undelivered --shipment-id asn-1 --outcome stolen", "'stolen' is not one of"),
    ("ship-by --ship-by tomorrow", "RFC 3339"),
    ("approve --request-id r1 --as courier", "buyer, seller or support"),
    ("evidence --about k1 --kind photo --file nowhere.png", "there is no such file"),
    ("evidence --about k1 --kind photo", "/sha256"),
    ("apprve --request-id r1", "Did you mean: rescind order approve"),
    ("refund confrm --refund-id r", "Did you mean: rescind order refund confirm"),
]


@pytest.mark.parametrize(("typed", "said"), BAD, ids=[typed for typed, _ in BAD])
def test_wrong_options_are_answered_with_how_to_write_them(store: Store, typed: str, said: str) -> None:
    placed_now(store)
    words = typed.split()
    count = next((n for n, word in enumerate(words) if word.startswith("--")), len(words))
    done = store.rescind("order", *words[:count], "acme/PO-1", *words[count:], "--yes", check=2)
    assert said in " ".join(done.err.split())
