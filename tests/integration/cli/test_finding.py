"""Finding orders from the command line: a PO number in any case, and marketplaces that nothing names."""

from pathlib import Path

import pytest

from tests.integration.cli.driving import Store, placed

READS = [
    ("order", "show", "acne/PO-1"),
    ("order", "history", "acne/PO-1"),
    ("order", "eligibility", "acne/PO-1"),
    ("order", "case", "acne/PO-1", "k1"),
    ("order", "cancel", "acne/PO-1", "--yes"),
    ("seller", "show", "acne/s-3"),
    ("contacts", "show", "acne", "buyer", "b-7"),
    ("deadlines", "list", "--marketplace", "acne"),
    ("notices", "list", "--marketplace", "acne"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store whose orders name one marketplace, and whose settings name another."""
    place = tmp_path_factory.mktemp("finding")
    settings = place / "settings.toml"
    settings.write_text('[marketplaces.default]\ntimezone = "UTC"\n[marketplaces.garden]\n', encoding="utf-8")
    store = Store(place, partitions=2, more={"RESCIND_CONFIG": str(settings)})
    orders = [
        placed("PO-1"),
        placed("b", po_number="Nr-7"),
        placed("c", po_number="NR-7"),
        placed("d", po_number="x-9"),
    ]
    assert store.take(orders)["accepted"] == 4
    return store


@pytest.mark.parametrize("words", READS, ids=" ".join)
def test_a_read_of_an_unknown_marketplace_is_refused_with_the_nearest_name(shop: Store, words: tuple[str, ...]) -> None:
    err = shop.rescind(*words, check=1).err
    assert "there is no marketplace acne" in err
    assert "the nearest name is acme" in err


@pytest.mark.parametrize("words", READS, ids=" ".join)
@pytest.mark.parametrize("known", ["acme", "garden"])
def test_a_marketplace_that_orders_or_settings_name_is_known(shop: Store, words: tuple[str, ...], known: str) -> None:
    named = [word.replace("acne", known).replace("PO-1", "never").replace("s-3", "s-9") for word in words]
    assert "no marketplace" not in shop.rescind(*named, check=None).err


def test_the_section_of_all_marketplaces_names_none(shop: Store) -> None:
    err = shop.rescind("order", "show", "default/PO-1", check=1).err
    assert "there is no marketplace default" in err
    assert "nearest" not in err


def test_in_a_store_without_an_order_no_marketplace_is_unknown(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.rescind("policy", "publish", policy(tmp_path))
    assert store.rescind("deadlines", "list", "--marketplace", "acne", "--json").out == ""
    assert "no marketplace" not in store.rescind("order", "show", "acne/PO-1", check=1).err


def policy(place: Path) -> Path:
    path = place / "policy.toml"
    path.write_text('id = "mine"\nversion = 1\nrules = ["seller-has-final-say"]\n', encoding="utf-8")
    return path


@pytest.mark.parametrize("views", [True, False])
def test_a_po_number_is_found_in_any_case_and_in_its_own_first(shop: Store, views: bool) -> None:
    more = shop.more if views else {**shop.more, "RESCIND_VIEWS": f"sqlite:///{shop.place}/none.sqlite"}
    store = Store(shop.place, shop.partitions, more)
    for po, order_id in (("x-9", "d"), ("X-9", "d"), ("Nr-7", "b"), ("NR-7", "c")):
        assert store.rescind("order", "show", "--po", po, "--json").json["order_id"] == order_id
    assert "2 orders have the PO number nr-7" in store.rescind("order", "show", "--po", "nr-7", check=2).err
    assert "no order has the PO number x-" in store.rescind("order", "show", "--po", "x-", check=1).err
