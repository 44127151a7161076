"""`rescind seller show`: a seller's standing."""

from tests.integration.cli.driving import SELLER, Store, command, placed


def test_a_sellers_standing_is_shown_with_its_rate_limit_and_window(store: Store) -> None:
    at = "2026-03-02T11:00:00Z"
    store.take([
        *(placed(f"PO-{n}", policy="everything-store") for n in range(3)),
        command("CancelLines", "PO-0", at, SELLER, reason="buyer_asked"),
    ])  # fmt: skip
    standing = store.rescind("seller", "show", "acme/s-3", "--json").json
    assert standing["orders"] == {"open": 2, "canceled": 1}
    assert (standing["limit"], standing["window"]["length"]) == (0.025, "7 days")
    assert standing["rate"] is None, "what was imported lies long ago"
    out = store.rescind("seller", "show", "acme/s-3").out
    assert "no line was placed" in out
    assert "2.50 %" in out


def test_a_seller_that_is_not_there_is_no_and_a_name_that_is_none_is_usage(store: Store) -> None:
    store.take([placed("PO-1")])
    assert "no order in acme" in store.rescind("seller", "show", "acme/s-9", check=1).err
    assert "marketplace/seller_id" in store.rescind("seller", "show", "s-3", check=2).err
