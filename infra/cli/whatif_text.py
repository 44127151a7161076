"""Prints the report of `rescind whatif` as text, or writes it as CSV with a row for every different answer."""

import csv
from typing import TYPE_CHECKING, Any, Final

from domain.instants import format_instant
from domain.wording import counted
from infra.cli.printing import console, money, plain, table
from infra.cli.whatif_report import OrderComparison, WhatIfReport
from infra.documents.csv_cells import safe_cell

if TYPE_CHECKING:
    from domain.whatif import Flip
    from infra.cli.files import Written

COLUMNS: Final = (
    "marketplace",
    "order_id",
    "seller_id",
    "buyer_id",
    "at",
    "what",
    "ref",
    "outcome_before",
    "rule_before",
    "outcome_after",
    "rule_after",
    "status_before",
    "status_after",
    "units_canceled_before",
    "units_canceled_after",
    "currency",
    "refunds_minor_before",
    "refunds_minor_after",
)
"""Columns of the CSV; values of the order are repeated in each of its rows."""
SHOWN: Final = 15
"""Sellers that the text lists at most."""


def write_csv(file: "Written", report: WhatIfReport) -> None:
    """Write the CSV (RFC 4180). An order that differs only in money has one row with an empty ``what``."""
    out = csv.writer(file)
    out.writerow(COLUMNS)
    for life in report.changed:
        out.writerows(map(safe_cell, _row(life, flip)) for flip in life.flips or (None,))


def _row(life: OrderComparison, flip: "Flip | None") -> list[Any]:
    answers = ("",) * 7 if flip is None else (format_instant(flip.at), flip.what, flip.ref, *flip.before, *flip.after)
    return [
        life.marketplace,
        life.order_id,
        life.seller_id,
        life.buyer_id,
        *answers,
        *life.statuses,
        *life.canceled,
        life.currency,
        *life.refunds,
    ]


def print_report(report: WhatIfReport) -> None:
    out = console()
    policy = report.document.policy
    out.print(
        f"[bold]{policy.id}@{policy.version}[/]: replayed {counted(report.orders, 'order')} with "
        f"{counted(report.stimuli, 'command')} and {counted(report.events, 'event')}. "
        f"{counted(len(report.changed), 'order has', 'orders have')} a different result."
    )
    flips = [
        (
            f"{x['count']:,}",
            x["what"],
            _answer(x["before"]),
            _answer(x["after"]),
            f"{x['sellers']:,}",
            f"{x['buyers']:,}",
        )
        for x in report.flips()
    ]
    if flips:
        columns = ["count", "what", "recorded", "under the other policy", "sellers", "buyers"]
        out.print(table(columns, flips, right=["count", "sellers", "buyers"]))
    sums = [
        (code, money(before, code), money(after, code), money(after - before, code))
        for code, (before, after) in sorted(report.refunds.items())
    ]
    if sums:
        columns = ["refunds", "recorded", "other", "difference"]
        out.print(table(columns, sums, right=["recorded", "other", "difference"]))
    sellers = report.sellers()
    if sellers:
        rows = [
            (
                f"{x['marketplace']}/{x['seller_id']}",
                x["orders"],
                x["flips"],
                money(x["difference_minor"], x["currency"]),
            )
            for x in sellers[:SHOWN]
        ]
        out.print(table(["seller", "orders", "answers", "refunds"], rows, right=["orders", "answers", "refunds"]))
        if len(sellers) > SHOWN:
            out.print(f"… and {counted(len(sellers) - SHOWN, 'more seller')}; --json and --csv list all")
    if report.undecided:
        out.print(f"{counted(report.undecided, 'request')} would still wait for an answer, and count as open")
    if report.lost:
        lost = ", ".join(f"{name} {count:,}" for name, count in sorted(report.lost.items()))
        out.print(plain(f"not replayed, because the log does not have them: {lost}"))
    if report.unreadable:
        out.print(plain(f"left out, because this release cannot read them: {', '.join(report.unreadable[:10])}"))


def _answer(answer: dict[str, Any]) -> str:
    outcome = answer["outcome"].replace("_", " ")
    return f"{outcome} ({answer['rule']})" if answer["rule"] else outcome
