"""`rescind reasons` and `rescind import --reasons`: other houses' codes, in and out."""

import pytest

from domain.crosswalk import HOUSES
from infra.cli.reasons import HOUSE
from tests.integration.cli.driving import SELLER, Store, command, placed

AT = "2026-03-02T11:00:00Z"


def cancels(order: str, reason: str) -> dict[str, object]:
    return command("CancelLines", order, AT, SELLER, reason=reason)


def test_the_command_line_knows_every_house() -> None:
    assert set(HOUSE.choices) == set(HOUSES)


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
    assert "no code of eBay" in said["bad_lines"][0]["error"]
    lost = HOUSES["ebay"].inward["OUT_OF_STOCK_OR_CANNOT_FULFILL"].loses
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
    assert "is no reason to cancel" in said["bad_lines"][0]["error"]


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
