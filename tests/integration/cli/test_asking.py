"""Asking: order show, history, eligibility, deadlines, journal; as of now and as of then."""

import json
import re
import subprocess
import sys

import pytest

from domain.presets import presets
from tests.integration.cli.driving import BUYER, CTRL_C, Store, asks, command, ended, grants, placed, ships

HISTORY = [
    placed("PO-1", po_number="4500-17", checkout_id="K-9", ship_by="2026-03-05T00:00:00Z"),
    asks("PO-1", "2026-03-02T11:00:00Z"),
    ships("PO-1", "2026-03-03T10:00:00Z", 3),
    placed("PO-2", "2026-03-02T10:00:00Z", policy="peer-to-peer", po_number="4500-18"),
    placed("PO-3", "2026-03-02T10:00:00Z", policy="auction-house", paid=False, po_number="4500-19"),
    asks("PO-3", "2026-03-02T10:30:00Z"),
]


@pytest.fixture
def asked(store: Store) -> Store:
    store.take(HISTORY)
    return store


def test_an_order_has_every_field_of_the_contract(asked: Store) -> None:
    shown = asked.show("acme/PO-1")
    terms = {"marketplace", "order_id", "po_number", "checkout_id", "seller_id", "buyer_id", "currency", "placed_at"}
    state = {"status", "attention", "version", "policy", "lines", "money", "requests", "refunds", "shipments"}
    assert terms | state | {"deadlines", "head", "at"} <= set(shown)
    assert set(shown["policy"]) == {"id", "version", "sha256"}
    assert {"line", "sku", "ordered", "open", "shipped", "canceled", "auto_canceled", "returned", "rebilled"} <= set(
        shown["lines"][0]
    )
    assert shown["head"] == asked.history("acme/PO-1")[-1]["commit"]
    assert shown["version"] == len(asked.history("acme/PO-1"))


def test_an_order_is_found_by_its_po_number(asked: Store) -> None:
    assert asked.rescind("order", "show", "--po", "4500-18", "--json").json["order_id"] == "PO-2"
    assert "no order has the PO number" in asked.rescind("order", "show", "--po", "none", check=1).err


def test_the_po_number_is_found_without_views_too(asked: Store) -> None:
    for file in asked.place.glob("views.sqlite*"):
        file.unlink()
    assert asked.rescind("order", "show", "--po", "4500-18", "--json").json["order_id"] == "PO-2"


def test_a_po_number_of_several_orders_asks_which(store: Store) -> None:
    store.take([placed("PO-1", po_number="7"), placed("PO-2", po_number="7")])
    err = store.rescind("order", "show", "--po", "7", check=2).err
    assert "acme/PO-1" in err
    assert "acme/PO-2" in err


def test_without_an_instant_it_is_told_as_of_its_last_commit_and_nothing_is_assumed(store: Store) -> None:
    store.take([placed("PO-1", ship_by="2026-03-05T00:00:00Z")])
    shown = store.show("acme/PO-1")
    assert (shown["at"], shown["attention"]) == (shown["placed_at"], [])
    assert store.show("acme/PO-1", "--as-of", "2026-03-05T00:00:00Z")["attention"] == []
    assert store.show("acme/PO-1", "--as-of", "2026-03-05T00:00:00.000001Z")["attention"] == ["late"]


def test_as_of_an_instant_later_commits_have_not_happened(asked: Store) -> None:
    assert asked.show("acme/PO-1", "--as-of", "2026-03-02T10:59:59.999999Z")["status"] == "open"
    assert asked.show("acme/PO-1", "--as-of", "2026-03-02T11:00:00Z")["status"] == "cancel_requested"
    assert asked.show("acme/PO-1")["status"] == "shipped"
    before = asked.rescind("order", "show", "acme/PO-1", "--as-of", "2026-03-02T09:00:00Z", check=1)
    assert "as of 2026-03-02 09:00:00Z" in before.err


def test_as_of_an_instant_the_deadlines_before_it_are_reached_but_not_recorded(asked: Store) -> None:
    due = asked.show("acme/PO-3")["deadlines"][0]["due_at"]
    assert asked.show("acme/PO-3", "--as-of", due)["deadlines"][0]["due_at"] == due
    later = asked.show("acme/PO-3", "--as-of", "2026-03-12T00:00:00Z")
    assert (later["status"], later["deadlines"]) == ("canceled", [])
    assert asked.show("acme/PO-3")["status"] == "cancel_requested", "nothing was written"


def test_eligibility_is_a_verdict_for_each_action(asked: Store) -> None:
    def cancel(at: str) -> dict[str, object]:
        verdicts = asked.rescind("order", "eligibility", "acme/PO-2", "--as-of", at, "--json").json
        assert sorted(v["action"] for v in verdicts) == ["cancel", "open_case", "open_dispute", "return", "ship"]
        found: dict[str, object] = next(v for v in verdicts if v["action"] == "cancel")
        return found

    inside = cancel("2026-03-02T13:00:00Z")
    assert (inside["allowed"], inside["rule"]) == (True, "grace-window")
    assert inside["next_change_at"] == "2026-03-02T13:00:00.000001Z"
    outside = cancel("2026-03-02T13:00:00.000001Z")
    assert (outside["outcome"], outside["rule"]) == ("ask_seller", "seller-has-final-say")


def test_people_read_what_is_so_why_and_what_else_they_can_do(asked: Store) -> None:
    shown = asked.rescind("order", "show", "acme/PO-1").out
    assert "7 (7 by fill-or-kill)" in shown
    assert "paid 100.00 = 30.00 left with the seller + 70.00 refund on its way" in shown
    assert "PO number 4500-17" in shown
    waiting = asked.rescind("order", "show", "acme/PO-3").out
    assert "answer by 2026-03-05 10:30:00Z" in waiting
    assert "overdue" in waiting
    history = asked.rescind("order", "history", "acme/PO-1").out
    assert "OrderPlaced" in history
    assert "Refund refund-1 of 70.00 USD is due." in history
    may = asked.rescind("order", "eligibility", "acme/PO-1").out
    assert "Cancel it? no:" in may
    assert "(rule shipped-lock)" in may
    assert "Instead:" in may
    until = asked.rescind("order", "eligibility", "acme/PO-2", "--as-of", "2026-03-02T11:00:00Z").out
    assert "Cancel it? yes:" in until
    assert "2026-03-02 13:00:00.000001Z" in until


def test_money_of_an_order_adds_up_in_what_is_shown(asked: Store) -> None:
    for order in ("PO-1", "PO-2", "PO-3"):
        money = asked.show(f"acme/{order}")["money"]
        assert money["paid_minor"] == money["kept_minor"] + money["refund_due_minor"] + money["refunded_minor"]


def test_history_until_then_has_only_what_was_recorded_by_then(asked: Store) -> None:
    told = asked.rescind("order", "history", "acme/PO-1", "--as-of", "2026-03-02T11:00:00Z", "--json").lines
    assert [e["event"] for e in told] == ["OrderPlaced", "PaymentReceived", "CancelRequested"]


def test_an_order_must_be_named_in_one_way(asked: Store) -> None:
    assert "name one order" in asked.rescind("order", "show", check=2).err
    assert "name one order" in asked.rescind("order", "show", "acme/PO-1", "--po", "4500-17", check=2).err
    assert "marketplace/order_id" in asked.rescind("order", "show", "PO-1", check=2).err
    for question in ("show", "history", "eligibility", "cancel"):
        assert "no order acme/PO-404" in asked.rescind("order", question, "acme/PO-404", check=1).err
    assert "RFC 3339" in asked.rescind("order", "show", "acme/PO-1", "--as-of", "yesterday", check=2).err


def test_deadlines_are_listed_the_earliest_first(asked: Store) -> None:
    told = asked.rescind("deadlines", "list", "--json").lines
    assert told == sorted(told, key=lambda d: d["due_at"])
    assert {(d["order_id"], d["kind"]) for d in told} == {("PO-3", "decide"), ("PO-3", "unpaid")}
    assert not any(d["fires"] for d in told), "they were due before the import was closed"
    assert "never fires" in asked.rescind("deadlines", "list").out
    before = asked.rescind("deadlines", "list", "--before", "2026-03-05T10:30:00.000001Z", "--json").lines
    assert [d["kind"] for d in before] == ["decide"]
    assert "no marketplace other" in asked.rescind("deadlines", "list", "--marketplace", "other", check=1).err
    assert "2 more" not in asked.rescind("deadlines", "list").out
    assert "1 more" in asked.rescind("deadlines", "list", "--limit", "1").out


def test_the_journal_tells_what_stands_in_it(asked: Store) -> None:
    told = asked.rescind("journal", "stats", "--json").json
    assert (told["streams"], told["malformed"], told["policies"]) == (3, 0, len(presets()))
    assert told["commits"] == len(HISTORY) + 2, "the commands, the opening and the closing of the import"
    commits = asked.rescind("journal", "tail", "-n", "3", "--json").lines
    assert len(commits) == 3
    assert commits[-1]["streams"][0]["events"] == ["ImportClosed"]
    assert "acme/PO-3: CancelRequested" in asked.rescind("journal", "tail").out


def test_without_a_journal_it_says_how_one_comes_about(store: Store) -> None:
    for arguments in (
        ("order", "show", "acme/PO-1"),
        ("journal", "stats"),
        ("deadlines", "list"),
        ("policy", "list"),
        ("replay",),
        ("order", "cancel", "acme/PO-1"),
    ):
        err = store.rescind(*arguments, check=3).err
        assert "there is no journal in" in err
        assert "rescind import" in err
    assert not store.journal.exists(), "asking makes nothing"


def test_cancelling_from_the_command_line_is_a_command_like_any_other(store: Store) -> None:
    store.take([placed("PO-1"), placed("PO-2", policy="mutual-consent")])
    answer = store.rescind(
        "order", "cancel", "acme/PO-1", "--reason", "out_of_stock", "--command-id", "x1", "--yes", "--json"
    ).json
    assert (answer["outcome"], answer["order"]["status"]) == ("accepted", "canceled")
    assert answer["order"]["money"]["refund_due_minor"] == 10_000
    again = store.rescind(
        "order", "cancel", "acme/PO-1", "--reason", "out_of_stock", "--command-id", "x1", "--json"
    ).json
    assert (again["outcome"], again["replayed"]) == ("accepted", True)

    refused = store.rescind("order", "cancel", "acme/PO-1", "--reason", "out_of_stock", "--yes", check=1)
    assert "already-canceled" in refused.err
    request = store.rescind("order", "cancel", "acme/PO-2", "--as", "buyer", "--reason", "changed_mind", "--yes")
    assert "The buyer asks to cancel" in request.out
    assert store.show("acme/PO-2")["status"] == "cancel_requested"


def test_a_person_is_asked_before_a_cancellation_is_carried_out(store: Store) -> None:
    store.take([placed("PO-1")])
    err = store.rescind("order", "cancel", "acme/PO-1", "--reason", "out_of_stock", check=2).err
    assert "acme/PO-1: Cancels 10 of line 1; it cannot be undone." in err
    assert "100.00 USD will be refunded to the buyer." in err
    assert "--yes" in err
    assert store.show("acme/PO-1")["status"] == "open"


def test_bad_options_of_a_cancellation_are_named(store: Store) -> None:
    store.take([placed("PO-1")])
    for options, word in (
        (("--as", "courier"), "buyer, seller or support"),
        (("--as", "support"), "support:YOUR-ID"),
        (("--line", "one"), "--line one"),
        (("--line", "１"), "--line １"),
        (("--line", "1" * 5_000), "write the line's number"),
        (("--reason", "because"), "/reason"),
    ):
        assert word in store.rescind("order", "cancel", "acme/PO-1", *options, "--yes", check=2).err


def test_asking_needs_no_lock_while_a_server_has_the_store(asked: Store) -> None:
    server = asked.begin("serve", "--port", "0")
    try:
        assert server.stdout is not None
        assert "listening on" in server.stdout.readline().decode()
        assert asked.show("acme/PO-1")["status"] == "shipped"
        assert len(asked.rescind("journal", "tail", "--json").lines) >= len(HISTORY)
        asked.rescind("order", "cancel", "acme/PO-2", "--reason", "out_of_stock", "--yes")
        assert asked.show("acme/PO-2")["status"] == "canceled", "also what another process has just written"
        more = [placed("PO-9"), ships("PO-9", "2026-03-03T10:00:00Z", 10)]
        assert asked.take(more)["accepted"] == 2
        assert asked.rescind("replay", "--check", "--json").json["clean"]
    finally:
        done = ended(server, CTRL_C)
    assert done.code == 130
    assert "Traceback" not in done.err


def test_the_first_words_come_quickly_enough_to_be_a_tool(asked: Store) -> None:
    """Not timed, since the machine is shared: what costs start-up is that modules are loaded that are not needed."""
    code = (
        "import sys; from infra.cli.main import run; run(sys.argv[1:]); "
        "print([m for m in ('fastapi', 'rich', 'kafka', 'eventsourcing', 'holidays', 'uvicorn', 'jinja2') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "order", "show", "acme/PO-1", "--json"],
        env=asked.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    shown, loaded = done.stdout.splitlines()
    assert json.loads(shown)["order_id"] == "PO-1"
    assert loaded == "[]"


def test_a_request_approved_later_shows_both_times(store: Store) -> None:
    contact = command("RecordContact", "PO-1", "2026-03-02T11:30:00Z", BUYER, contact_id="k1", channel="phone")
    store.take([placed("PO-1"), asks("PO-1", "2026-03-02T11:00:00Z"), contact, grants("PO-1", "2026-03-02T12:00:00Z")])
    out = store.rescind("order", "history", "acme/PO-1").out
    assert "2026-03-02 11:00:00Z" in out
    assert "2026-03-02 12:00:00Z" in out
    said = r"The buyer asks to cancel “Lamp”: changed their mind\.".replace(" ", r"\s+")
    assert re.search(said, out)


def test_a_stranger_who_cancels_is_told_in_a_sentence(store: Store) -> None:
    store.take([placed("PO-1")])
    cancel = ("order", "cancel", "acme/PO-1", "--as", "seller:other", "--reason", "out_of_stock", "--yes")
    refused = store.rescind(*cancel, check=1)
    assert refused.err.splitlines()[-2:] == [
        "rescind: no: The order, or this command, is not yours. (rule not-yours)",
        "  Instead: Name the order's own buyer or seller with --as, or leave out the id.",
    ]
    assert store.rescind(*cancel, "--json", check=1).json["because"] == "The order, or this command, is not yours."


@pytest.mark.parametrize(
    ("who", "option"),
    [("seller", "--rule"), ("buyer", "--rule"), ("seller", "--request-id"), ("support:agent-4", "--request-id")],
)
def test_an_option_that_is_for_somebody_else_is_not_passed_over(store: Store, who: str, option: str) -> None:
    store.take([placed("PO-1")])
    cancel = ("order", "cancel", "acme/PO-1", "--as", who, "--reason", "other", option, "shipped-lock", "--yes")
    assert f"{option} needs --as" in store.rescind(*cancel, check=2).err
    assert store.show("acme/PO-1")["version"] == 2


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_before_it_was_placed_there_is_no_history_either(store: Store, json: tuple[str, ...]) -> None:
    store.take([placed("PO-1")])
    for what in ("show", "history", "eligibility"):
        asked = store.rescind("order", what, "acme/PO-1", "--as-of", "2026-03-02T09:59:59Z", *json, check=1)
        assert (asked.out, "there is no order acme/PO-1 as of 2026-03-02 09:59:59Z" in asked.err) == ("", True)
    assert len(store.rescind("order", "history", "acme/PO-1", "--as-of", "2026-03-02T10:00:00Z", "--json").lines) == 2


@pytest.mark.parametrize(
    ("time", "says"),
    [
        ("2026-13-01T00:00:00Z", "'2026-13-01T00:00:00Z': month must be in 1..12"),
        ("yesterday", "'yesterday': not an RFC 3339 time with offset"),
    ],
)
def test_a_time_that_is_none_is_told_with_what_is_wrong_with_it(store: Store, time: str, says: str) -> None:
    assert says in store.rescind("deadlines", "list", "--before", time, check=2).err


@pytest.mark.parametrize("columns", [40, 60, 80, 110, 200])
def test_ids_stay_whole_however_narrow_the_terminal_is(store: Store, columns: int) -> None:
    name = "PO-2026-0000001001"
    request = {**asks(name, "2026-03-02T11:00:00Z"), "request_id": "request-of-the-buyer-4711"}
    sku = {
        "line": 1,
        "sku": "SKU-0123456789-0123456789",
        "title": "A desk lamp " * 20,
        "quantity": 1,
        "unit_price": "1",
    }
    store.take([{**placed(name, policy="everything-store"), "lines": [sku]}, request])
    store.more["COLUMNS"] = str(columns)
    said = store.rescind("deadlines", "list").out
    for listed in store.rescind("deadlines", "list", "--json").lines:
        for each in (f"acme/{name}", listed["deadline_id"], listed["ref"] or ""):
            assert each in said
    assert str(sku["sku"]) in store.rescind("order", "show", f"acme/{name}").out
    assert max(map(len, said.splitlines())) <= columns
