"""`rescind whatif`: through the console script's entry point, on small histories, and on the Olist folder by a second
count.

The second count shares no code with the engine but the CSV files: it goes through the rows, seller's order by seller's
order, and lists which were late under ``big-box`` and the money that moves.
"""

import csv
import os
import pathlib
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.cli.driving import Store, grants, lives, placed, requests_cancel, ships

ROOT = pathlib.Path(__file__).resolve().parents[3]
SHARED = pathlib.Path(os.environ.get("RESCIND_SHARED") or "../shared")
REAL = (SHARED if SHARED.is_absolute() else ROOT / SHARED).resolve() / "data" / "olist"
ZONE = ZoneInfo("America/Sao_Paulo")
SECOND = timedelta(seconds=1)

CORNER_SHOP = """id = "corner-shop"
version = 7
rules = ["shipped-lock", "grace-window", "seller-has-final-say"]
[grace-window]
length = "5 hours"
"""


def two_orders(store: Store) -> None:
    """One order with a request after four hours that was granted, one shipped in part."""
    store.take(
        [
            placed("PO-1"),
            requests_cancel("PO-1", "2026-03-02T14:00:00Z"),
            grants("PO-1", "2026-03-02T15:00:00Z"),
            placed("PO-2", "2026-03-03T10:00:00Z"),
            ships("PO-2", "2026-03-04T10:00:00Z", 4),
            ships("PO-2", "2026-03-05T10:00:00Z", 6, "asn-2"),
        ]
    )


def test_an_id_that_a_spreadsheet_would_run_as_a_formula_is_text_in_the_csv(store: Store) -> None:
    evil = '=HYPERLINK("http://elsewhere.example")'
    buyer = {"kind": "buyer", "id": evil}
    store.take([placed("PO-1", buyer_id=evil), {**requests_cancel("PO-1", "2026-03-02T14:00:00Z"), "actor": buyer}])
    (store.place / "shop.toml").write_text(CORNER_SHOP, encoding="utf-8")
    store.rescind("whatif", "--policy", store.place / "shop.toml", "--csv", store.place / "flips.csv")
    with (store.place / "flips.csv").open(encoding="utf-8", newline="") as opened:
        [row] = csv.DictReader(opened)
    assert row["buyer_id"] == f"'{evil}"
    assert row["refunds_minor_after"] == "10000"


def test_a_policy_file_can_be_tried_before_it_is_published(store: Store) -> None:
    two_orders(store)
    file = store.place / "corner-shop.toml"
    file.write_text(CORNER_SHOP, encoding="utf-8")
    before = store.stats()
    report = store.rescind("whatif", "--policy", file, "--json").json
    assert (report["policy"]["id"], report["policy"]["version"]) == ("corner-shop", 7)
    assert (report["orders"], report["stimuli"], report["orders_changed"], report["undecided"]) == (2, 6, 2, 0)
    assert report["end"] == "2026-03-05T10:00:00Z"
    flips = {(x["what"], x["before"]["outcome"]): x["after"] for x in report["flips"]}
    assert flips == {
        ("RequestCancel", "asked"): {"outcome": "granted", "rule": "grace-window"},
        ("ApproveCancel", "accepted"): {"outcome": "moot", "rule": "request-closed"},
        ("Ship", "shipped_rest_canceled"): {"outcome": "accepted", "rule": None},
        ("Ship", "refused"): {"outcome": "accepted", "rule": None},
    }
    assert report["money"] == [
        {
            "currency": "USD",
            "refunds_minor_before": 16000,
            "refunds_minor_after": 10000,
            "difference_minor": -6000,
        }
    ]
    assert store.stats() == before, "nothing was written"


def test_the_period_selects_orders_by_when_they_were_placed_and_limits_what_is_counted(store: Store) -> None:
    two_orders(store)

    def counts(*options: str) -> tuple[int, int, int]:
        report = store.rescind("whatif", "--policy", "big-box", *options, "--json").json
        return report["orders"], report["stimuli"], report["orders_changed"]

    assert counts() == (2, 6, 1)
    assert counts("--since", "2026-03-03T10:00:00Z") == (1, 3, 1)
    assert counts("--since", "2026-03-03T10:00:00.000001Z") == (0, 0, 0)
    assert counts("--until", "2026-03-03T10:00:00Z") == (1, 3, 0)
    assert counts("--until", "2026-03-04T10:00:00Z") == (2, 4, 0)
    assert counts("--until", "2026-03-05T10:00:00Z") == (2, 5, 1)
    empty = store.rescind(
        "whatif", "--policy", "big-box", "--since", "2026-03-03T10:00:00Z", "--until", "2026-03-03T10:00:00Z", check=2
    )
    assert "the period is empty" in empty.err


def test_the_csv_has_a_row_for_every_answer_that_differs(store: Store) -> None:
    two_orders(store)
    file = store.place / "flips.csv"
    done = store.rescind("whatif", "--policy", "big-box@1", "--csv", file)
    assert "2 rows" in done.err
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [(r["order_id"], r["seller_id"], r["buyer_id"], r["what"], r["ref"]) for r in rows] == [
        ("PO-2", "s-3", "b-7", "Ship", "asn-1"),
        ("PO-2", "s-3", "b-7", "Ship", "asn-2"),
    ]
    assert [(r["outcome_before"], r["rule_before"], r["outcome_after"], r["rule_after"]) for r in rows] == [
        ("shipped_rest_canceled", "fill-or-kill", "accepted", ""),
        ("refused", "auto-canceled-is-final", "accepted", ""),
    ]
    assert {(r["currency"], r["refunds_minor_before"], r["refunds_minor_after"]) for r in rows} == {
        ("USD", "6000", "0")
    }
    assert {(r["units_canceled_before"], r["units_canceled_after"]) for r in rows} == {("6", "0")}
    assert store.rescind("whatif", "--policy", "big-box", "--csv", store.place, check=2).err.count("\n") == 1


def test_the_text_of_a_whatif_shows_what_differs_for_whom_and_how_much_money_moves(store: Store) -> None:
    two_orders(store)
    text = store.rescind("whatif", "--policy", "big-box").out
    for part in ("1 order has a different result", "shipped rest canceled (fill-or-kill)", "−60.00", "acme/s-3"):
        assert part in text, part


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ('id = "x"\nversion = 1\nrules = ["no-such-rule"]\n', "no-such-rule"),
        ('id = "x"\nversion = 1\nrules = ["shipped-lock"]\ncolour = "red"\n', "colour"),
        ("id = \n", "not TOML"),
    ],
)
def test_a_bad_policy_file_is_named_with_its_key(store: Store, content: str, word: str) -> None:
    two_orders(store)
    file = store.place / "bad.toml"
    file.write_text(content, encoding="utf-8")
    done = store.rescind("whatif", "--policy", file, "--json", check=2)
    assert word in done.err
    assert done.out == ""


def test_an_unknown_policy_is_reported(store: Store) -> None:
    two_orders(store)
    assert "Published are auction-house@1, " in store.rescind("whatif", "--policy", "corner-shop@3", check=2).err
    assert "cannot be read" in store.rescind("whatif", "--policy", "nowhere.toml", check=2).err
    store = Store(store.place / "other")
    assert "there is no journal" in store.rescind("whatif", "--policy", "big-box", check=3).err


def test_the_answer_does_not_depend_on_partitions(tmp_path: pathlib.Path) -> None:
    answers = []
    for partitions in (1, 4):
        store = Store(tmp_path / str(partitions), partitions)
        store.place.mkdir()
        store.take(lives(1, 60))
        answers.append(store.rescind("whatif", "--policy", "big-box", "--json").out)
        assert store.rescind("whatif", "--policy", "big-box", "--json").out == answers[-1]
    assert answers[0] == answers[1]
    assert '"orders":60,' in answers[0]


# ---- Olist: big-box against the recorded seller-portal ---------------------------------------------------------------


def rows_of(name: str) -> list[dict[str, str]]:
    with (REAL / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def time_of(text: str) -> datetime | None:
    """A local time of the files."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S") if text else None  # noqa: DTZ007 - local time is what is counted


def utc(local: datetime) -> float:
    return local.replace(tzinfo=ZONE).timestamp()


def counted() -> dict[str, Any]:
    """The changes that big-box would have made, counted from the CSV alone.

    A seller's order is canceled four days (same local clock time) after its latest shipping limit if by then it has
    neither gone to the carrier nor been canceled; its payment is refunded once it was paid. An order that went to the
    carrier later counts a scan, a notice and, if it arrived, a delivery too late. The last instant of the record is the
    end.
    """
    items: dict[str, dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(rows_of("olist_order_items_dataset.csv"), key=lambda x: int(x["order_item_id"])):
        items[row["order_id"]][row["seller_id"]].append(row)
    orders = []
    end = 0.0
    for row in rows_of("olist_orders_dataset.csv"):
        for seller, theirs in items[row["order_id"]].items():
            latest = time_of(row["order_purchase_timestamp"])
            assert latest is not None
            paid, carried, arrived = (
                time_of(row[f"order_{name}"])
                for name in ("approved_at", "delivered_carrier_date", "delivered_customer_date")
            )
            latest = max(latest, paid or latest)
            shipped = latest = max(latest, carried or latest)
            canceled = None
            if row["order_status"] == "canceled":
                latest += SECOND
                if carried is None:
                    canceled = latest = latest + SECOND
            elif row["order_status"] == "unavailable":
                latest += SECOND
                canceled = latest if carried is None else None
            latest = max(latest, arrived or latest)
            end = max(end, utc(latest))
            due = max(time_of(x["shipping_limit_date"]) or latest for x in theirs) + timedelta(days=4)
            worth = sum(Decimal(x["price"]) + Decimal(x["freight_value"]) for x in theirs)
            orders.append(
                (seller, utc(due), carried and utc(shipped), canceled and utc(canceled), paid, arrived, worth)
            )
    found: Counter[str] = Counter()
    before = after = Decimal(0)
    sellers = set()
    for seller, due_at, carried_at, canceled_at, paid_at, arrived_at, worth in orders:
        gone = [x for x in (carried_at, canceled_at) if x]
        late = due_at < end and not any(x <= due_at for x in gone)
        before += worth if canceled_at and paid_at else 0
        after += worth if (canceled_at or late) and paid_at else 0
        if late:
            sellers.add(seller)
            found["late"] += 1
            found["shipped"] += carried_at is not None
            found["delivered"] += carried_at is not None and arrived_at is not None
    return {"late": found, "sellers": len(sellers), "before": int(before * 100), "after": int(after * 100)}


@pytest.mark.slow
def test_on_the_olist_history_the_figures_are_those_of_a_count_of_the_csv(store: Store) -> None:
    if not (REAL / "olist_orders_dataset.csv").is_file():
        reason = f"the Olist folder is missing: {REAL}; RESCIND_SHARED names the folder that has data/olist"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    store.rescind("import", "--format", "olist", REAL, "--json", check=1)
    own = store.rescind("whatif", "--policy", "seller-portal", "--json").json
    assert (own["orders"], own["stimuli"], own["flips"], own["not_said_again"]) == (7_433, 33_808, [], {})

    report = store.rescind("whatif", "--policy", "big-box", "--json").json
    count = counted()
    flips: Counter[str] = Counter()
    for flip in report["flips"]:
        flips[flip["what"]] += flip["count"]
    assert flips["deadline:late-ship"] == report["orders_changed"] == count["late"]["late"] == 787
    assert flips["StartTracking"] == flips["Ship"] == count["late"]["shipped"] == 170
    assert flips["Deliver"] == count["late"]["delivered"] == 120
    assert len(report["sellers"]) == count["sellers"] == 431
    assert report["money"] == [
        {
            "currency": "BRL",
            "refunds_minor_before": count["before"],
            "refunds_minor_after": count["after"],
            "difference_minor": count["after"] - count["before"],
        }
    ]
    assert (count["before"], count["after"]) == (9_915_855, 27_327_436)
