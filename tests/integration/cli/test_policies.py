"""`rescind policy`: what is in force, its content, and how another one comes into force."""

import json
import pathlib
from importlib import resources

import pytest

from domain.presets import presets
from tests.architecture.planted import ROOT
from tests.integration.cli.driving import Store, placed

BAD = ROOT / "tests" / "spec" / "acceptance" / "policies"

SHOP = """
id = "corner-shop"
version = 1
rules = ["shipped-lock", "grace-window", "seller-has-final-say"]
fill-or-kill = true
[grace-window]
length = "2 hours"
"""


@pytest.fixture
def shop(store: Store) -> Store:
    (store.place / "shop.toml").write_text(SHOP, encoding="utf-8")
    store.rescind("policy", "publish", store.place / "shop.toml")
    return store


def test_a_new_store_has_the_seven_presets_and_what_was_published(shop: Store) -> None:
    printed = shop.rescind("policy", "list", "--json").json
    assert [(p["id"], p["version"]) for p in printed] == [
        *((document.policy.id, document.policy.version) for document in presets()),
        ("corner-shop", 1),
    ]
    newest = {document.policy.id: document.policy.version for document in presets()} | {"corner-shop": 1}
    assert {p["id"]: p["version"] for p in printed if p["newest"]} == newest
    assert "corner-shop@1" in shop.rescind("policy", "list").out


def test_a_published_policy_never_changes_its_content(shop: Store) -> None:
    path = shop.place / "shop.toml"
    assert "published" in shop.rescind("policy", "publish", path).out, "the very same document again is no error"
    path.write_text(SHOP.replace("2 hours", "3 hours"), encoding="utf-8")
    err = shop.rescind("policy", "publish", path, check=1).err
    assert "Raise the version" in err
    path.write_text(SHOP.replace("2 hours", "3 hours").replace("version = 1", "version = 2"), encoding="utf-8")
    shop.rescind("policy", "publish", path)
    assert [p["version"] for p in shop.rescind("policy", "list", "--json").json if p["id"] == "corner-shop"] == [1, 2]
    assert shop.rescind("policy", "show", "corner-shop", "--json").json["document"]["version"] == 2


def test_a_table_whose_rule_is_not_listed_is_shown_as_not_in_force(store: Store) -> None:
    path = store.place / "shop.toml"
    path.write_text(SHOP.replace('"grace-window", ', ""), encoding="utf-8")
    idle = "grace-window has a table and is not listed in rules"
    assert idle in store.rescind("policy", "publish", path).err
    assert idle in store.rescind("policy", "explain", "corner-shop").err
    assert f"note: corner-shop: {idle}" in store.rescind("policy", "diff", "corner-shop", "peer-to-peer").err
    path.write_text(SHOP.replace("version = 1", "version = 2"), encoding="utf-8")
    assert "note:" not in store.rescind("policy", "publish", path).err


def test_lost_parcels_are_explained_where_their_table_alone_puts_the_rule_in_force(store: Store) -> None:
    path = store.place / "shop.toml"
    path.write_text(f"{SHOP}[stalled-tracking]\n", encoding="utf-8")
    assert "note:" not in store.rescind("policy", "publish", path).err
    explanation = store.rescind("policy", "explain", "corner-shop").out
    assert "stalled-tracking (after 7 days)" in explanation


def test_a_policy_comparison_shows_rules_as_on_and_off(shop: Store) -> None:
    comparison = shop.rescind("policy", "diff", "corner-shop", "peer-to-peer").out
    row = next(line.split() for line in comparison.splitlines() if line.startswith("fill-or-kill"))
    assert row == ["fill-or-kill", "on", "off"]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (('"grace-window",', '"grace-windows",'), "grace-windows"),
        (("fill-or-kill = true", "fill-and-kill = true"), "fill-and-kill"),
        (('"2 hours"', '"2 fortnights"'), "2 fortnights"),
        (("version = 1", "version = 0"), "version"),
        (("version = 1", "version ="), "not TOML"),
    ],
)
def test_an_unknown_key_rule_or_value_is_refused_by_name(store: Store, change: tuple[str, str], names: str) -> None:
    path = store.place / "shop.toml"
    path.write_text(SHOP.replace(*change), encoding="utf-8")
    assert names in store.rescind("policy", "publish", path, check=2).err
    assert not store.journal.exists(), "nothing is opened for what cannot be read"


def test_a_policy_file_that_is_not_there_is_named(store: Store) -> None:
    assert "cannot be read" in store.rescind("policy", "publish", store.place / "none.toml", check=2).err


def test_orders_are_placed_under_the_newest_or_the_version_named(shop: Store) -> None:
    path = shop.place / "shop.toml"
    path.write_text(SHOP.replace("2 hours", "4 hours").replace("version = 1", "version = 2"), encoding="utf-8")
    shop.rescind("policy", "publish", path)
    rows = [
        placed("PO-1", policy="corner-shop"),
        placed("PO-2", policy="corner-shop@1"),
        placed("PO-3", policy="no-shop"),
    ]
    assert shop.take(rows)["refused"] == {"no-such-policy": 1}
    assert [shop.show(f"acme/PO-{n}")["policy"]["version"] for n in (1, 2)] == [2, 1]


def test_a_policy_explains_its_rules_in_the_order_in_which_they_are_judged(shop: Store) -> None:
    printed = shop.rescind("policy", "explain", "corner-shop", "--json").json
    assert [t["rule"] for t in printed if t["rule"]] == [
        "shipped-lock",
        "grace-window",
        "seller-has-final-say",
        "fill-or-kill",
        "auto-canceled-is-final",
    ]
    assert printed[1]["parameters"] == {"length": "2 hours"}
    assert printed[1]["means"] == {"length": "Applies until 2 hours after the order was placed, inclusive."}
    assert printed[2]["means"]["silence"].startswith("Without an answer the request stays open")
    tables = {t["table"]: t["means"] for t in printed if t["rule"] is None}
    assert set(tables) == {"", "cases", "disputes", "returns", "standing", "both-told"}
    assert str(tables["cases"]).startswith("off")
    assert set(tables[""]) >= {"reasons", "fill-or-kill", "cancelled-but-shipped"}
    out = shop.rescind("policy", "explain", "mutual-consent").out
    assert "1. mutual-consent-after-shipment (deadline 3 days, silence stays)" in out
    assert "disputes: request 60 days" in out
    assert "A dispute can be opened within 60 days of the purchase." in out


def test_two_policies_are_compared_key_by_key(shop: Store) -> None:
    printed = shop.rescind("policy", "diff", "corner-shop@1", "everything-store", "--json").json
    assert printed["grace-window.length"] == {"old": "2 hours", "new": "30 minutes"}
    assert printed["fill-or-kill"] == {"old": True, "new": False}
    file = shop.rescind("policy", "diff", "corner-shop", shop.place / "shop.toml").out
    assert "the policies are equal" in file
    assert "grace-window.length" in shop.rescind("policy", "diff", "corner-shop", "everything-store").out


def test_an_unknown_policy_is_answered_with_those_there_are(shop: Store) -> None:
    err = shop.rescind("policy", "show", "corner-store", check=1).err
    assert "corner-shop" in err
    assert "no policy seller-portal@9" in shop.rescind("policy", "explain", "seller-portal@9", check=1).err


def test_a_marketplace_has_its_default_policy_from_the_settings(store: Store, tmp_path: pathlib.Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(
        '[marketplaces.default]\npolicy = "big-box"\ntimezone = "UTC"\n'
        '[marketplaces.acme]\ntimezone = "Europe/Berlin"\nholidays = [2026-03-09]\n',
        encoding="utf-8",
    )
    row = {k: v for k, v in placed("PO-1").items() if k != "policy"}
    file = store.file([row])
    store.rescind("--config", config, "import", file)
    assert store.show("acme/PO-1")["policy"]["id"] == "big-box"
    calendar = store.history("acme/PO-1")[0]["data"]["calendar"]
    assert (calendar["timezone"], calendar["holidays"]) == ("Europe/Berlin", ["2026-03-09"])

    behind = Store(tmp_path / "behind")
    behind.place.mkdir()
    behind.file([row])
    behind.rescind("import", behind.place / "commands.jsonl", "--config", config)
    assert behind.show("acme/PO-1")["policy"]["id"] == "big-box"
    named = Store(tmp_path / "named", more={"RESCIND_CONFIG": str(config)})
    named.place.mkdir()
    named.take([row])
    assert json.dumps(named.show("acme/PO-1")["policy"]) == json.dumps(store.show("acme/PO-1")["policy"])


def test_a_mark_that_editors_put_in_front_of_utf_8_is_no_matter(store: Store) -> None:
    store.take([placed("PO-1")])
    file = store.place / "p.toml"
    text = (resources.files("domain.presets") / "big-box.toml").read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8-sig")
    assert store.rescind("policy", "diff", file, "big-box@1").out == "the policies are equal\n"
    settings = store.place / "settings.toml"
    settings.write_text("answer_within = 20\n", encoding="utf-8-sig")
    store.rescind("policy", "list", "--config", settings)


def test_publishing_a_lower_version_reports_that_it_is_now_the_newest(store: Store) -> None:
    store.take([placed("PO-1")])
    text = (resources.files("domain.presets") / "big-box.toml").read_text(encoding="utf-8")
    text = text.replace('id = "big-box"', 'id = "corner-box"')
    assert "version = 1\n" in text

    def publish(version: int) -> str:
        file = store.place / f"{version}.toml"
        file.write_text(text.replace("version = 1\n", f"version = {version}\n"), encoding="utf-8")
        return store.rescind("policy", "publish", file).err

    assert "newest" not in publish(3)
    assert "note: corner-box@2 is now the newest version, although 3 is higher" in publish(2)
    assert "note: corner-box@3 was already published. The newest version is still corner-box@2" in publish(3)
    store.take([placed("PO-2", policy="corner-box")])
    assert store.show("acme/PO-2")["policy"]["version"] == 2


@pytest.mark.parametrize("file", sorted(BAD.glob("_*.toml")), ids=lambda file: file.stem)
def test_a_bad_policy_file_is_refused_with_its_name_and_key_once(store: Store, file: pathlib.Path) -> None:
    err = store.rescind("policy", "publish", file, check=2).err
    assert err.startswith(f"rescind: {file}: ")
    error = err.removeprefix(f"rescind: {file}: ")
    assert str(file) not in error
    key, found, message = error.partition(": ")
    assert not found or not message.startswith(f"{key}:")
    assert "/" not in key
