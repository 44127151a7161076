"""`rescind reasons` and `rescind import --reasons`: other houses' codes, in and out."""

import csv
import io

import pytest

from domain.code_schemes import CODE_SCHEMES
from infra.cli.reasons import SCHEME
from tests.integration.cli.driving import SELLER, Store, asks, command, placed, ships

AT = "2026-03-02T11:00:00Z"
LATER = "2026-03-03T11:00:00Z"


def cancels(order: str, reason: str) -> dict[str, object]:
    return command("CancelLines", order, AT, SELLER, reason=reason)


def test_the_command_line_knows_every_house() -> None:
    assert set(SCHEME.choices) == set(CODE_SCHEMES)


def test_codes_of_a_house_are_recorded_as_canonical_reasons_and_what_was_lost_is_said(store: Store) -> None:
    rows = [
        *(placed(f"PO-{n}") for n in range(4)),
        cancels("PO-0", "OUT_OF_STOCK_OR_CANNOT_FULFILL"),
        cancels("PO-1", "ORDER_MISTAKE"),
        cancels("PO-2", "pricing_error"),
        cancels("PO-3", "NoInventory"),
    ]
    said = store.take(rows, "--reasons", "ebay", check=1)
    assert (said["accepted"], said["bad"]) == (7, 1)
    assert "not a code of eBay" in said["bad_lines"][0]["error"]
    lost = CODE_SCHEMES["ebay"].inward["OUT_OF_STOCK_OR_CANNOT_FULFILL"].loses
    assert said["translated"] == [
        {"code": "ORDER_MISTAKE", "reason": "ordered_by_mistake", "loses": None, "count": 1},
        {"code": "OUT_OF_STOCK_OR_CANNOT_FULFILL", "reason": "out_of_stock", "loses": lost, "count": 1},
    ]
    recorded = [store.history(f"acme/PO-{n}")[2]["data"]["lines"][0]["reason"] for n in range(3)]
    assert recorded == ["out_of_stock", "ordered_by_mistake", "pricing_error"]

    again = store.take(rows, "--reasons", "ebay", check=1)
    assert (again["duplicate"], again["bad"]) == (7, 1)
    assert "which loses" in store.rescind("import", store.file(rows), "--reasons", "ebay", check=1).out


def test_without_the_option_a_code_is_bad_and_nothing_is_translated(store: Store) -> None:
    said = store.take([placed("PO-1"), cancels("PO-1", "ORDER_MISTAKE")], check=1)
    assert (said["accepted"], said["bad"]) == (1, 1)
    assert "translated" not in said


def test_a_code_that_cancels_nothing_is_bad(store: Store) -> None:
    said = store.take([placed("PO-1"), cancels("PO-1", "IA")], "--reasons", "x12", check=1)
    assert "is not a reason to cancel" in said["bad_lines"][0]["error"]


def test_a_mapping_is_told_in_both_directions_with_what_it_loses(store: Store) -> None:
    there = store.rescind("reasons", "map", "amazon", "changed_mind", "--json").json
    assert there == {"of": "changed_mind", "to": "BuyerCanceled", "loses": "why the buyer asked"}
    assert store.rescind("reasons", "map", "amazon", "NoInventory").out == "out_of_stock\n"
    whole = store.rescind("reasons", "map", "shopify", "--json").json
    assert (len(whole["inward"]), len(whole["outward"])) == (6, 18)


def test_what_has_no_counterpart_is_no_and_what_nobody_has_is_usage(store: Store) -> None:
    assert "it cancels nothing" in store.rescind("reasons", "map", "x12", "IA", check=1).err
    assert "neither" in store.rescind("reasons", "map", "ebay", "BECAUSE", check=2).err


@pytest.mark.parametrize(("options", "count"), [((), 18), (("--house", "ebay"), 12), (("--house", "x12"), 6)])
def test_lists_say_what_each_reason_or_code_means(store: Store, options: tuple[str, ...], count: int) -> None:
    listed = store.rescind("reasons", "list", *options, "--json").json
    assert len(listed) == count
    assert all(each["says"] for each in listed)


def test_codes_are_for_commands_files(store: Store) -> None:
    assert "commands file" in store.rescind("import", ".", "--format", "olist", "--reasons", "ebay", check=2).err


def test_what_was_asked_and_cancelled_goes_out_in_another_houses_codes_and_what_they_leave_out_is_said(
    store: Store,
) -> None:
    store.take(
        [
            placed("PO-1"),
            placed("PO-2", po_number="=1+1"),
            asks("PO-1", AT, reason="changed_mind"),
            cancels("PO-2", "pricing_error"),
            command("CancelLines", "PO-1", LATER, SELLER),
        ]
    )
    done = store.rescind("reasons", "export", "walmart", "--json")
    asked, mistaken, carried = sorted(done.lines, key=lambda each: (each["at"], each["order_id"]))
    lost = CODE_SCHEMES["walmart"].outward["changed_mind"]
    assert asked == {
        "at": AT,
        "marketplace": "acme",
        "order_id": "PO-1",
        "po_number": "PO-1",
        "what": "asked",
        "request_id": "r1",
        "cause": None,
        "line": 1,
        "quantity": asked["quantity"],
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


def test_what_is_exported_comes_in_again_as_what_it_was_but_for_what_the_codes_lose(store: Store) -> None:
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
