"""`rescind import`: the result of each line, and what a second import changes."""

import itertools
import json
import os
import pathlib
import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest

from consumers.engine.dependencies import IMPORT
from domain.commands import Command
from domain.decide import Decided, decide
from domain.order import Order
from infra.app import AppOptions, open_app
from infra.importing.commands_file import open_commands
from infra.importing.pipeline import ImportOptions, run_import
from infra.settings import load_settings
from tests.integration.cli.driving import BUYER, Body, Store, command, grants, lives, placed, requests_cancel, ships

PORTAL = [
    placed("PO-1"),
    ships("PO-1", "2026-03-03T10:00:00Z", 3),
    ships("PO-1", "2026-03-03T11:00:00Z", 1, "asn-2"),
]
FAR = ("big-box", "everything-store", "peer-to-peer")


def test_the_seller_portals_example_ends_as_the_rule_book_describes(store: Store) -> None:
    totals = store.take(PORTAL)

    assert {k: v for k, v in totals.items() if k != "seconds"} == {
        "read": 3,
        "accepted": 2,
        "refused": {"auto-canceled-is-final": 1},
        "duplicate": 0,
        "bad": 0,
        "bad_lines": [],
    }
    shown = store.show("acme/PO-1")
    assert (shown["status"], shown["version"]) == ("shipped", 6)
    assert [(x["ordered"], x["open"], x["shipped"], x["canceled"], x["auto_canceled"]) for x in shown["lines"]] == [
        (10, 0, 3, 7, 7)
    ]
    assert shown["money"] == {
        "total_minor": 10_000,
        "paid_minor": 10_000,
        "refund_due_minor": 7_000,
        "refunded_minor": 0,
        "other_refunds_minor": 0,
        "kept_minor": 3_000,
    }


def test_an_imported_history_has_its_own_times_and_names_the_import(store: Store) -> None:
    store.take(PORTAL)

    history = store.history("acme/PO-1")
    assert [event["event"] for event in history] == [
        "OrderPlaced",
        "PaymentReceived",
        "LinePartiallyShipped",
        "AutoCanceled",
        "RefundDue",
        "ShipmentRefused",
    ]
    assert [event["version"] for event in history] == [1, 2, 3, 4, 5, 6]
    assert history[0]["recorded_at"] == history[0]["occurred_at"] == "2026-03-02T10:00:00Z"
    assert len({history[n]["commit"] for n in (2, 3, 4)}) == 1, "a notice and what it kills are one commit"
    assert history[0]["actor"] == {"kind": "system", "id": "checkout"}
    commits = store.rescind("journal", "tail", "--json").lines
    assert {c["writer"] for c in commits if c["streams"][0]["stream"] == "acme/PO-1"} == {"import"}


def test_a_live_import_is_marked_in_every_commit(store: Store) -> None:
    store.take(PORTAL, "--live")
    commits = store.rescind("journal", "tail", "--json").lines
    assert {c["writer"] for c in commits if c["streams"][0]["stream"] == "acme/PO-1"} == {"import-live"}


def test_importing_the_same_file_again_changes_nothing(store: Store) -> None:
    stranger = command("Ship", "PO-1", "2026-03-04T10:00:00Z", {"kind": "seller", "id": "other"}, shipment_id="x")
    unknown = ships("PO-404", "2026-03-04T10:00:00Z", 1)
    rows: list[Body | str] = [*PORTAL, stranger, unknown, "nonsense"]
    first = store.take(rows, check=1)
    before = store.stats()

    second = store.take(rows, check=1)

    assert first["refused"] == {"auto-canceled-is-final": 1, "no-such-order": 1, "not-yours": 1}
    assert (second["accepted"], second["duplicate"], second["refused"], second["bad"]) == (
        0,
        3,
        {"no-such-order": 1, "not-yours": 1},
        1,
    )
    assert store.stats() == before, "not even the opening of an import is written"


def test_a_line_refused_for_a_missing_order_is_decided_again_once_the_order_exists(store: Store) -> None:
    late = [ships("PO-1", "2026-03-03T10:00:00Z", 10)]
    assert store.take(late)["refused"] == {"no-such-order": 1}
    store.take([placed("PO-1")])
    assert store.take(late)["accepted"] == 1


def test_a_bad_line_is_reported_with_its_number_and_the_other_lines_are_imported(store: Store) -> None:
    nested = "[" * 40 + "]" * 40
    rows: list[Body | str] = [
        placed("PO-1"),
        "",
        "{",
        "[1, 2]",
        '{"command": "Ship", "command": "Ship"}',
        '{"command": "Ship", "x": NaN}',
        f'{{"command": "Ship", "x": {nested}}}',
        json.dumps(placed("PO-2") | {"colour": "red"}),
        json.dumps({k: v for k, v in placed("PO-3").items() if k != "at"}),
        json.dumps(placed("PO-4") | {"at": "2026-03-02 10:00"}),
        json.dumps({"command": "SendMessage", "text": "x" * 300_000}),
        ships("PO-1", "2026-03-01T10:00:00Z", 1),
        placed("PO-1") | {"buyer_id": "b-8"},
        ships("PO-1", "2026-03-03T10:00:00Z", 10),
    ]
    totals = store.take(rows, check=1)

    errors = {bad["line"]: bad["error"] for bad in totals["bad_lines"]}
    assert (totals["read"], totals["accepted"], totals["bad"]) == (13, 2, 11)
    for line, word in {
        3: "not JSON",
        4: "object",
        5: "'command' twice",
        6: "NaN",
        7: "deeper than 32",
        8: "/colour",
        9: "/at",
        10: "/at",
        11: "longer than 262,144 bytes",
        12: "goes-back-in-time",
        13: "command-id-reused",
    }.items():
        assert word in errors[line], (line, errors[line])


def test_bytes_that_are_not_utf_8_are_a_bad_line(store: Store) -> None:
    raw = json.dumps(placed("PO-1")).encode().replace(b"Lamp", b"L\xe4mp") + b"\n" + json.dumps(placed("PO-2")).encode()
    totals = store.rescind("import", "-", "--json", input=raw, check=1).json
    assert (totals["accepted"], totals["bad"]) == (1, 1)
    assert "UTF-8" in totals["bad_lines"][0]["error"]


def test_a_file_that_can_be_read_only_once_is_imported_too(store: Store) -> None:
    fifo = store.place / "pipe"
    os.mkfifo(fifo)
    content = "".join(json.dumps(row) + "\n" for row in PORTAL)
    feeding = threading.Thread(target=fifo.write_text, args=(content,))
    feeding.start()
    assert store.rescind("import", fifo, "--json").json["read"] == 3
    feeding.join()


def test_half_a_character_is_a_bad_line(store: Store) -> None:
    row = json.dumps(requests_cancel("PO-1", "2026-03-02T11:00:00Z", text="X")).replace('"X"', '"\\ud800"')
    assert store.take([placed("PO-1"), row], check=1)["bad"] == 1


def test_only_a_hundred_bad_lines_are_listed_and_the_report_has_all(store: Store) -> None:
    rows: list[Body | str] = [*["nonsense"] * 130, placed("PO-1"), ships("PO-9", "2026-03-03T10:00:00Z", 1)]
    totals = store.take(rows, "--report", store.place / "report.jsonl", check=1)
    assert (totals["bad"], len(totals["bad_lines"])) == (130, 100)

    report = [json.loads(line) for line in (store.place / "report.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [r["outcome"] for r in report] == ["bad"] * 130 + ["refused"]
    assert (report[-1]["rule"], report[-1]["order_id"]) == ("no-such-order", "PO-9")


def test_strict_stops_at_the_first_bad_line_and_reads_nothing_behind_it(store: Store) -> None:
    rows: list[Body | str] = [placed("PO-1"), "nonsense", placed("PO-2")]
    done = store.rescind("import", store.file(rows), "--strict", "--json", check=1)
    assert (done.json["read"], done.json["accepted"], done.json["bad"]) == (2, 1, 1)
    assert "line 2" in done.err
    assert "no order acme/PO-2" in store.rescind("order", "show", "acme/PO-2", check=1).err


def test_deadlines_before_until_are_reached_as_history_and_no_others(store: Store) -> None:
    store.take([placed(order, policy="auction-house", paid=False) for order in ("PO-1", "PO-2")])
    assert [d["kind"] for d in store.show("acme/PO-1")["deadlines"]] == ["unpaid"]
    due = store.show("acme/PO-1")["deadlines"][0]["due_at"]
    assert due == "2026-03-06T10:00:00Z"

    exactly = store.rescind("import", store.place / "commands.jsonl", "--until", due, "--json").json
    assert (exactly["duplicate"], store.show("acme/PO-1")["status"]) == (2, "unpaid"), "at due_at it is not before it"

    store.rescind("import", store.place / "commands.jsonl", "--until", "2026-03-06T10:00:00.000001Z")
    shown = store.show("acme/PO-1")
    assert (shown["status"], shown["deadlines"]) == ("canceled", [])
    reached = [e for e in store.history("acme/PO-1") if e["event"] == "DeadlineReached"]
    assert [(e["recorded_at"], e["occurred_at"]) for e in reached] == [(due, due)]


def test_an_import_needs_one_input(store: Store) -> None:
    assert "name one input" in store.rescind("import", check=2).err
    assert "cannot be read" in store.rescind("import", store.place / "none.jsonl", check=2).err
    assert "a folder" in store.rescind("import", store.place, check=2).err


def test_orders_that_name_no_policy_get_the_one_of_the_import(store: Store) -> None:
    rows = [placed("PO-1"), placed("PO-2", policy="seller-portal")]
    del rows[0]["policy"]
    refused = store.take(rows, check=1)
    assert "sets no default" in refused["bad_lines"][0]["error"]
    assert store.take(rows, "--policy", "big-box")["accepted"] == 1
    policies = [store.show(f"acme/{order}")["policy"]["id"] for order in ("PO-1", "PO-2")]
    assert policies == ["big-box", "seller-portal"]


def test_an_empty_file_is_read_to_its_end(store: Store) -> None:
    assert store.take([])["read"] == 0
    assert store.take(["", "   ", "\t"])["read"] == 0


@pytest.mark.parametrize("partitions", [1, 4])
def test_the_events_of_each_order_are_in_sequence_with_many_orders_under_way(store: Store, partitions: int) -> None:
    store.partitions = partitions
    totals = store.take(lives(0, 120))
    assert totals["read"] == 480
    assert totals["accepted"] + sum(totals["refused"].values()) == 480
    assert store.rescind("replay", "--check", "--json").json["clean"]
    events = [event["event"] for event in store.history("acme/PO-000001")]
    assert events[:3] == ["OrderPlaced", "PaymentReceived", "CancelRequested"]


def test_totals_are_printed_as_text_too(store: Store) -> None:
    done = store.rescind("import", store.file([*PORTAL, "nonsense"]), check=1)
    assert "4 read" in done.out
    assert "refused: auto-canceled-is-final" in done.out
    assert "line 4: the line is not JSON" in done.out


def test_texts_go_to_the_vault_and_not_into_the_journal(store: Store) -> None:
    words = "the blue one, please, and not by Tuesday"
    message = command("SendMessage", "PO-1", "2026-03-02T11:00:00Z", BUYER, message_id="m1", to="seller", text=words)
    store.take([placed("PO-1"), message])
    sent = next(e for e in store.history("acme/PO-1") if e["event"] == "MessageSent")
    assert set(sent["data"]["text"]) == {"commitment", "reference"}
    for file in store.place.rglob("*"):
        assert not file.is_file() or file.name == "commands.jsonl" or words.encode() not in file.read_bytes(), file


def test_approvals_and_requests_of_a_history_are_judged_as_of_their_time(store: Store) -> None:
    store.take(
        [placed("PO-1"), requests_cancel("PO-1", "2026-03-02T11:00:00Z"), grants("PO-1", "2026-03-02T12:00:00Z")]
    )
    shown = store.show("acme/PO-1")
    assert (shown["status"], shown["money"]["refund_due_minor"]) == ("canceled", 10_000)
    assert shown["requests"][0]["status"] == "approved"


def test_a_line_that_causes_an_internal_error_is_reported_each_time_it_is_imported(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks_down(order: Order | None, command: Command, *about: Any) -> Decided:
        if command.command == "Ship":
            raise ZeroDivisionError("a defect")
        return decide(order, command, *about)

    monkeypatch.setattr("consumers.engine.command_handler.decide", breaks_down)
    monkeypatch.setattr("infra.importing.repeated.decide", breaks_down)
    rows = [placed("PO-1"), ships("PO-1", "2026-03-03T10:00:00Z", 3), placed("PO-2")]
    first = store.take(rows, check=1)
    second = store.take(rows, check=1)

    assert (first["accepted"], first["bad"], second["duplicate"], second["bad"]) == (2, 1, 2, 1)
    for totals in (first, second):
        (bad,) = totals["bad_lines"]
        assert bad["line"] == 2
        assert "internal error, please report it" in bad["error"]


def test_a_ship_by_of_never_is_imported_and_the_order_stays_one_to_be_judged(store: Store) -> None:
    never = "9999-12-31T23:59:59Z"
    rows = [placed("PO-1") | {"policy": policy, "order_id": policy, "ship_by": never} for policy in FAR]
    assert store.take(rows)["accepted"] == len(FAR)
    assert store.take(rows)["duplicate"] == len(FAR)
    for policy in FAR:
        verdicts = store.rescind("order", "eligibility", f"acme/{policy}", "--json").json
        assert [verdict["action"] for verdict in verdicts] == ["cancel", "ship", "return", "open_case", "open_dispute"]
        assert store.rescind("order", "show", f"acme/{policy}").out
        assert store.rescind("order", "history", f"acme/{policy}").out
    assert "9999" in store.rescind("deadlines", "list").out


def test_the_report_has_the_reason_and_the_alternatives_of_every_refusal(store: Store) -> None:
    stranger = command("Ship", "PO-1", "2026-03-04T10:00:00Z", {"kind": "seller", "id": "other"}, shipment_id="x")
    report = store.place / "report.jsonl"
    store.take([*PORTAL, stranger, ships("PO-404", "2026-03-04T10:00:00Z", 1)], "--report", report)

    refusals = {line["rule"]: line for line in map(json.loads, report.read_text(encoding="utf-8").splitlines())}
    assert {rule: line["because"] for rule, line in refusals.items() if rule != "auto-canceled-is-final"} == {
        "not-yours": "The order, or this command, is not yours.",
        "no-such-order": "There is no order acme/PO-404.",
    }
    assert refusals["no-such-order"]["instead"] == refusals["not-yours"]["instead"] == []
    instead = refusals["auto-canceled-is-final"]["instead"]
    refused = store.history("acme/PO-1")[-1]
    assert refused["event"] == "ShipmentRefused"
    assert instead == refused["data"]["verdict"]["instead"] != []


def test_progress_counts_answered_lines_and_starts_at_zero(tmp_path: pathlib.Path) -> None:
    rows = [json.dumps(placed(f"PO-{n}", policy="no-such-policy" if n % 7 == 0 else "big-box")) for n in range(1_000)]
    text = [f"{row}\n".encode() for row in rows]
    ends = list(itertools.accumulate(map(len, text), initial=0))
    (tmp_path / "orders.jsonl").write_bytes(b"".join(text))
    moved: list[tuple[int, int]] = []
    with (
        closing(open_commands(str(tmp_path / "orders.jsonl"))) as source,
        open_app(load_settings(journal="memory:"), AppOptions(mode=IMPORT, views=False)) as app,
    ):
        run_import(app, source, ImportOptions(progress=lambda done, totals: moved.append((done, totals.read))))
    assert moved[0] == (0, 0)
    assert moved[-1] == (ends[-1], len(rows))
    assert moved == sorted(moved)
    assert all(done == ends[read] for done, read in moved)
    assert len({done for done, _ in moved}) > 3


def test_line_numbers_go_up_to_the_largest_of_a_database(store: Store) -> None:
    largest = 2**63 - 1
    order = placed("PO-1", policy="general-store", lines=[{**placed("PO-1")["lines"][0], "line": largest}])
    notice = {**ships("PO-1", "2026-03-03T10:00:00Z", 3), "lines": [{"line": largest, "quantity": 3}]}
    assert store.take([order, notice])["accepted"] == 2
    (line,) = store.show("acme/PO-1")["lines"]
    assert (line["line"], line["shipped"]) == (largest, 3)
    with closing(sqlite3.connect(store.views)) as views:
        assert views.execute("SELECT line, shipped FROM order_lines").fetchall() == [(largest, 3)]
    beyond = {**order, "order_id": "PO-2", "lines": [{**order["lines"][0], "line": largest + 1}]}
    (bad,) = store.take([beyond], check=1)["bad_lines"]
    assert bad["error"] == "/lines/0/line: must be at most 9,223,372,036,854,775,807"
