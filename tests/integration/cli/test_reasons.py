"""`rescind reasons` and `rescind import --reasons`: other houses' codes, in and out."""

import csv
import io

import pytest

from domain.code_schemes import CODE_SCHEMES
from infra.cli.reasons import SCHEME
from tests.integration.cli.driving import SELLER, Store, command, placed, requests_cancel, ships

AT = "2026-03-02T11:00:00Z"
LATER = "2026-03-03T11:00:00Z"


def cancels(order: str, reason: str) -> dict[str, object]:
    return command("CancelLines", order, AT, SELLER, reason=reason)


def test_the_command_line_knows_every_house() -> None:
    assert set(SCHEME.choices) == set(CODE_SCHEMES)


def test_codes_of_a_scheme_are_recorded_as_canonical_reasons_and_losses_are_reported(store: Store) -> None:
    rows = [
        *(placed(f"PO-{n}") for n in range(4)),
        cancels("PO-0", "OUT_OF_STOCK_OR_CANNOT_FULFILL"),
        cancels("PO-1", "ORDER_MISTAKE"),
        cancels("PO-2", "pricing_error"),
        cancels("PO-3", "NoInventory"),
    ]
    totals = store.take(rows, "--reasons", "ebay", check=1)
    assert (totals["accepted"], totals["bad"]) == (7, 1)
    assert "not a code of eBay" in totals["bad_lines"][0]["error"]
    lost = CODE_SCHEMES["ebay"].inward["OUT_OF_STOCK_OR_CANNOT_FULFILL"].loses
    assert totals["translated"] == [
        {"code": "ORDER_MISTAKE", "reason": "ordered_by_mistake", "loses": None, "count": 1},
        {"code": "OUT_OF_STOCK_OR_CANNOT_FULFILL", "reason": "out_of_stock", "loses": lost, "count": 1},
    ]
    recorded = [store.history(f"acme/PO-{n}")[2]["data"]["lines"][0]["reason"] for n in range(3)]
    assert recorded == ["out_of_stock", "ordered_by_mistake", "pricing_error"]

    second = store.take(rows, "--reasons", "ebay", check=1)
    assert (second["duplicate"], second["bad"]) == (7, 1)
    assert "which loses" in store.rescind("import", store.file(rows), "--reasons", "ebay", check=1).out


SHOPIFY = {"inventory": "out_of_stock", "Customer": "buyer_asked", "fraud": "suspected_fraud", "STAFF": "other"}
WALMART = {
    "SELLER_CANCEL_CUSTOMER_DUPLICATE_ORDER": "duplicate_order",
    "SELLER_CANCEL_CUSTOMER_CHANGE_ORDER": "changed_mind",
    "seller_cancel_customer_incorrect_address": "wrong_address",
    "Seller_Cancel_Pricing_Error": "pricing_error",
}


@pytest.mark.parametrize(("scheme", "codes"), [("shopify", SHOPIFY), ("walmart", WALMART)])
def test_codes_of_a_scheme_are_read_in_any_case(store: Store, scheme: str, codes: dict[str, str]) -> None:
    rows = [
        row for n, code in enumerate(codes) for row in (placed(f"PO-{n}", policy="big-box"), cancels(f"PO-{n}", code))
    ]
    totals = store.take(rows, "--reasons", scheme)
    assert (totals["accepted"], totals["refused"], totals["bad"]) == (2 * len(codes), {}, 0)
    own = {code.lower(): code for code in CODE_SCHEMES[scheme].inward}
    assert sorted((each["code"], each["reason"]) for each in totals["translated"]) == sorted(
        (own[code.lower()], reason) for code, reason in codes.items()
    )
    recorded = [store.history(f"acme/PO-{n}")[2]["data"]["lines"][0]["reason"] for n in range(len(codes))]
    assert recorded == list(codes.values())
    assert store.take(rows, "--reasons", scheme)["duplicate"] == 2 * len(codes)


def test_without_the_option_a_code_is_bad_and_nothing_is_translated(store: Store) -> None:
    totals = store.take([placed("PO-1"), cancels("PO-1", "ORDER_MISTAKE")], check=1)
    assert (totals["accepted"], totals["bad"]) == (1, 1)
    assert "translated" not in totals


def test_a_code_that_cancels_nothing_is_bad(store: Store) -> None:
    totals = store.take([placed("PO-1"), cancels("PO-1", "IA")], "--reasons", "x12", check=1)
    assert "is not a reason to cancel" in totals["bad_lines"][0]["error"]


def test_a_mapping_is_listed_in_both_directions_with_what_it_loses(store: Store) -> None:
    there = store.rescind("reasons", "map", "amazon", "changed_mind", "--json").json
    assert there == {"of": "changed_mind", "to": "BuyerCanceled", "loses": "why the buyer asked"}
    assert store.rescind("reasons", "map", "amazon", "NoInventory").out == "out_of_stock\n"
    whole = store.rescind("reasons", "map", "shopify", "--json").json
    assert (len(whole["inward"]), len(whole["outward"])) == (6, 18)


def test_a_reason_without_a_counterpart_exits_1_and_an_unknown_one_exits_2(store: Store) -> None:
    assert "it cancels nothing" in store.rescind("reasons", "map", "x12", "IA", check=1).err
    assert "neither" in store.rescind("reasons", "map", "ebay", "BECAUSE", check=2).err


@pytest.mark.parametrize(("options", "count"), [((), 18), (("--house", "ebay"), 12), (("--house", "x12"), 6)])
def test_lists_explain_each_reason_and_code(store: Store, options: tuple[str, ...], count: int) -> None:
    listed = store.rescind("reasons", "list", *options, "--json").json
    assert len(listed) == count
    assert all(each["says"] for each in listed)


def test_codes_are_for_commands_files(store: Store) -> None:
    assert "commands file" in store.rescind("import", ".", "--format", "olist", "--reasons", "ebay", check=2).err


def test_requests_and_cancellations_are_exported_in_another_schemes_codes_and_losses_are_reported(
    store: Store,
) -> None:
    store.take(
        [
            placed("PO-1"),
            placed("PO-2", po_number="=1+1"),
            requests_cancel("PO-1", AT, reason="changed_mind"),
            cancels("PO-2", "pricing_error"),
            command("CancelLines", "PO-1", LATER, SELLER),
        ]
    )
    done = store.rescind("reasons", "export", "walmart", "--json")
    requested, mistaken, carried = sorted(done.lines, key=lambda each: (each["at"], each["order_id"]))
    lost = CODE_SCHEMES["walmart"].outward["changed_mind"]
    assert requested == {
        "at": AT,
        "marketplace": "acme",
        "order_id": "PO-1",
        "po_number": "PO-1",
        "what": "asked",
        "request_id": "r1",
        "cause": None,
        "line": 1,
        "quantity": requested["quantity"],
        "reason": "changed_mind",
        "code": "CUSTOMER_REQUESTED_SELLER_TO_CANCEL",
        "loses": lost.loses,
    }
    assert (carried["what"], carried["cause"], carried["request_id"]) == ("canceled", "request", "r1")
    assert (carried["reason"], carried["code"]) == ("changed_mind", "CUSTOMER_REQUESTED_SELLER_TO_CANCEL")
    assert (mistaken["code"], mistaken["loses"]) == ("SELLER_CANCEL_PRICING_ERROR", None)
    assert "3 lines in the codes of Walmart US: 2 lose meaning, 0 have no code" in done.err

    of_the_day = store.rescind("reasons", "export", "x12", "--since", AT, "--until", LATER)
    rows = list(csv.DictReader(io.StringIO(of_the_day.out)))
    assert [row["order_id"] for row in rows if row["what"] == "asked"] == ["PO-1"]
    assert [row["po_number"] for row in rows if row["what"] == "canceled"] == ["'=1+1"]
    assert "empty" in store.rescind("reasons", "export", "x12", "--since", AT, "--until", AT, check=2).err


def test_exported_reasons_are_imported_unchanged_except_for_what_the_codes_lose(store: Store) -> None:
    ebay = CODE_SCHEMES["ebay"]
    reasons = [reason for reason, step in ebay.outward.items() if step.loses is None]
    assert len(reasons) > 5
    store.take([row for n, reason in enumerate(reasons) for row in (placed(f"PO-{n}"), cancels(f"PO-{n}", reason))])
    exported = store.rescind("reasons", "export", "ebay", "--json").lines
    assert {each["order_id"]: ebay.inward[each["code"]].to for each in exported} == {
        f"PO-{n}": reason for n, reason in enumerate(reasons)
    }


def test_units_that_were_cancelled_without_a_reason_are_exported_and_have_no_code(store: Store) -> None:
    store.take([placed("PO-1", quantity=3), ships("PO-1", AT, 1)])
    (killed,) = store.rescind("reasons", "export", "amazon", "--json").lines
    assert (killed["cause"], killed["quantity"], killed["reason"], killed["code"]) == ("fill_or_kill", 2, None, None)
    assert killed["loses"] == "no reason is recorded"
