"""`rescind whatif`: what would have happened under another policy. Reads the journal, writes nothing into it.

Orders placed in the period are told again one by one (``domain.whatif``); here they are read, counted and shown.
"""

import csv
import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from domain.instants import Instant, format_instant
from infra.cli.exits import Unavailable, Wrong
from infra.cli.options import INSTANT, as_json, stored
from infra.cli.printing import console, money, plain, print_json, say, table
from infra.csv_cells import safe_cell

if TYPE_CHECKING:
    from domain.policy import PolicyBook, PolicyDocument
    from domain.whatif import Answer, Flip, Life
    from infra.reading import Reader
    from infra.settings import Settings

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
"""Of the CSV: a row for every answer that differs; what is the order's own stands in each of its rows."""
SHOWN: Final = 15
"""Sellers that the text names."""

GARBAGE: Final = (50_000, 20, 100)
"""When cycles are looked for (``gc.set_threshold``). Lives hold none; looking for them costs a third of the time."""

Progress = Callable[[int, int], None]


@click.command()
@click.option("--policy", "name", required=True, metavar="FILE|ID@V", help="The other policy: a file, or a name.")
@click.option("--since", type=INSTANT, help="Orders placed at this instant or later.")
@click.option("--until", type=INSTANT, help="What was placed and said before this instant; otherwise all there is.")
@click.option("--csv", "file", metavar="FILE", help="A row for every answer that differs, into this file.")
@as_json
@stored
def whatif(
    settings: "Settings", name: str, since: Instant | None, until: Instant | None, file: str | None, as_json: bool
) -> None:
    """What would have happened under another policy: which answers differ, for whom, and what money moves.

    What was said about the orders placed in the period is said again, at the same instants, under the other policy, and
    what it decides is carried forward. Nothing is written into the journal.
    """
    from infra.reading import open_reader

    if since is not None and until is not None and until <= since:
        raise Wrong("the period is empty: --until has to lie after --since")
    with ExitStack() as stack:
        reader = stack.enter_context(closing(open_reader(settings)))
        document = _policy(reader.book, name)
        stack.callback(gc.set_threshold, *gc.get_threshold())
        gc.set_threshold(*GARBAGE)
        report = _ask(reader, document, since, until, _bar(stack))
    if file is not None:
        _write(Path(file), report)
    if as_json:
        print_json(report.told())
    else:
        _print(report)
    if file is not None:
        say(f"{file}: {report.rows:,} rows")


def _policy(book: "PolicyBook", name: str) -> "PolicyDocument":
    from infra.cli.policy import from_file

    if Path(name).is_file() or name.endswith(".toml"):
        return from_file(name)
    try:
        found = book.named(name)
    except ValueError:
        found = None
    if found is None:
        known = ", ".join(sorted(book.latest))
        raise Wrong(f"--policy {name} is neither a file nor a policy that was published; there are {known}")
    return found


# ---- asking ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Report:
    """The answers of all orders of the period, counted. ``changed``: the orders that come to something else."""

    document: "PolicyDocument"
    since: Instant | None
    until: Instant | None
    end: Instant = 0
    orders: int = 0
    events: int = 0
    stimuli: int = 0
    undecided: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    refunds: dict[str, list[int]] = field(default_factory=dict)
    units: list[int] = field(default_factory=lambda: [0, 0])
    changed: list["Life"] = field(default_factory=list)

    def add(self, life: "Life") -> None:
        """Count an order whose two lives are at their end."""
        self.orders += 1
        self.events += life.events
        self.stimuli += life.stimuli
        self.undecided += life.undecided
        self.lost += life.lost
        paid_back = self.refunds.setdefault(life.before.terms.currency, [0, 0])
        for side in (0, 1):
            paid_back[side] += life.refunds[side]
            self.units[side] += life.canceled[side]
        if life.differs:
            self.changed.append(life)

    @property
    def rows(self) -> int:
        """Rows of the CSV."""
        return sum(max(1, len(life.flips)) for life in self.changed)

    def flips(self) -> list[dict[str, Any]]:
        """Answers that differ in the same way, together; the most frequent first."""
        found: dict[tuple[str, Answer, Answer], list[Life]] = {}
        for life in self.changed:
            for flip in life.flips:
                found.setdefault((flip.what, flip.before, flip.after), []).append(life)
        told = [
            {
                "what": what,
                "before": before._asdict(),
                "after": after._asdict(),
                "count": len(lives),
                "orders": len({id(life) for life in lives}),
                "sellers": len({(x.before.marketplace, x.before.terms.seller_id) for x in lives}),
                "buyers": len({(x.before.marketplace, x.before.terms.buyer_id) for x in lives}),
            }
            for (what, before, after), lives in found.items()
        ]
        return sorted(told, key=lambda x: (-x["count"], x["what"], str(x["before"]), str(x["after"])))

    def sellers(self) -> list[dict[str, Any]]:
        """What it comes to for each seller, and in each currency; where most money moves first."""
        found: dict[tuple[str, str, str], list[Life]] = {}
        for life in self.changed:
            terms = life.before.terms
            found.setdefault((life.before.marketplace, terms.seller_id, terms.currency), []).append(life)
        told = [
            {
                "marketplace": marketplace,
                "seller_id": seller,
                "orders": len(lives),
                "flips": sum(len(life.flips) for life in lives),
                **_moved(currency, sum(x.refunds[0] for x in lives), sum(x.refunds[1] for x in lives)),
            }
            for (marketplace, seller, currency), lives in found.items()
        ]
        return sorted(told, key=lambda x: (-abs(x["difference_minor"]), -x["flips"], x["marketplace"], x["seller_id"]))

    def told(self) -> dict[str, Any]:
        """The whole as JSON has it."""
        policy = self.document.policy
        return {
            "policy": {"id": policy.id, "version": policy.version, "sha256": self.document.sha256.hex()},
            "since": _time(self.since),
            "until": _time(self.until),
            "end": _time(self.end) if self.orders else None,
            "orders": self.orders,
            "events": self.events,
            "stimuli": self.stimuli,
            "not_said_again": dict(sorted(self.lost.items())),
            "unreadable": self.unreadable,
            "orders_changed": len(self.changed),
            "undecided": self.undecided,
            "units_canceled": {"before": self.units[0], "after": self.units[1]},
            "money": [_moved(currency, *sums) for currency, sums in sorted(self.refunds.items())],
            "flips": self.flips(),
            "sellers": self.sellers(),
            "changed": [_changed(life) for life in self.changed],
        }


def _ask(
    reader: "Reader",
    document: "PolicyDocument",
    since: Instant | None,
    until: Instant | None,
    progress: Progress | None,
) -> Report:
    """Tell every order of the period again. Without ``--until`` all lives end with what was recorded last."""
    from domain.whatif import OtherPolicy

    report = Report(document, since, until, end=until or 0)
    questions: dict[str, OtherPolicy] = {}
    waiting: list[Life] = []
    for stream, commits in _orders(reader, since, until, report, progress):
        marketplace = stream.partition("/")[0]
        question = questions.get(marketplace)
        if question is None:
            market = reader.settings.market(marketplace)
            question = questions[marketplace] = OtherPolicy(document, reader.book, market)
        life = question.live(stream, commits)
        if life is None:
            continue
        if until is None:
            report.end = max(report.end, life.last)
        if until is None and (life.before.deadlines or life.after.deadlines):
            waiting.append(life)
        else:
            report.add(question.end(life, report.end))
    for life in waiting:
        report.add(questions[life.before.marketplace].end(life, report.end))
    report.changed.sort(key=lambda life: (life.before.marketplace, life.before.order_id))
    report.unreadable.sort()
    return report


def _orders(
    reader: "Reader", since: Instant | None, until: Instant | None, report: Report, progress: Progress | None
) -> Iterator[tuple[str, list[Any]]]:
    """Each order placed in the period, with its commits before the end of it, decoded."""
    from consumers.orders import events_of, part_of, stamp_of
    from schemas.codec import Undecodable

    total = sum(follower.next_ordinal for follower in reader.followers.values())
    seen = 0
    for follower in reader.followers.values():
        after: str | None = None
        while names := follower.state.streams(after, 1000):
            after = names[-1]
            for stream in names:
                if stream.startswith("$") or stream.count("/") != 1:
                    continue
                commits: list[Any] = []
                try:
                    for admitted in follower.state.commits_of(stream):
                        seen += 1
                        stamp = stamp_of(admitted.commit)
                        if since is not None and not commits and stamp.recorded_at < since:
                            break
                        if until is not None and stamp.recorded_at >= until:
                            break
                        part = part_of(admitted.commit, stream)
                        if part is not None:
                            commits.append((events_of(part), stamp))
                except Undecodable:
                    report.unreadable.append(stream)
                    continue
                if commits:
                    yield stream, commits
            if progress is not None:
                progress(seen, total)


# ---- telling ---------------------------------------------------------------------------------------------------------


def _time(instant: Instant | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _moved(currency: str, before: int, after: int) -> dict[str, Any]:
    return {
        "currency": currency,
        "refunds_minor_before": before,
        "refunds_minor_after": after,
        "difference_minor": after - before,
    }


def _changed(life: "Life") -> dict[str, Any]:
    terms = life.before.terms
    return {
        "marketplace": life.before.marketplace,
        "order_id": life.before.order_id,
        "seller_id": terms.seller_id,
        "buyer_id": terms.buyer_id,
        "status": dict(zip(("before", "after"), life.statuses, strict=True)),
        "units_canceled": dict(zip(("before", "after"), life.canceled, strict=True)),
        **_moved(terms.currency, *life.refunds),
        "flips": [
            {
                "at": format_instant(flip.at),
                "what": flip.what,
                "ref": flip.ref,
                "before": flip.before._asdict(),
                "after": flip.after._asdict(),
            }
            for flip in life.flips
        ],
    }


def _write(path: Path, report: Report) -> None:
    """The CSV: RFC 4180, UTF-8. An order that differs in money alone has one row, ``what`` left empty."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow(COLUMNS)
            for life in report.changed:
                out.writerows(map(safe_cell, _row(life, flip)) for flip in life.flips or (None,))
    except OSError as wrong:
        raise Unavailable(f"{path} cannot be written: {wrong.strerror}") from None


def _row(life: "Life", flip: "Flip | None") -> list[Any]:
    order = life.before
    terms = order.terms
    answers = ("",) * 7 if flip is None else (format_instant(flip.at), flip.what, flip.ref, *flip.before, *flip.after)
    return [
        order.marketplace,
        order.order_id,
        terms.seller_id,
        terms.buyer_id,
        *answers,
        *life.statuses,
        *life.canceled,
        terms.currency,
        *life.refunds,
    ]


def _print(report: Report) -> None:
    out = console()
    policy = report.document.policy
    out.print(
        f"[bold]{policy.id}@{policy.version}[/] asked about {report.orders:,} orders, {report.stimuli:,} things said, "
        f"{report.events:,} events: {len(report.changed):,} orders come to something else"
    )
    flips = [
        (f"{x['count']:,}", x["what"], _said(x["before"]), _said(x["after"]), f"{x['sellers']:,}", f"{x['buyers']:,}")
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
            out.print(f"… and {len(sellers) - SHOWN:,} more sellers: --json and --csv have them all")
    if report.undecided:
        out.print(f"{report.undecided:,} requests would wait for an answer that nobody gave: they count as open")
    if report.lost:
        lost = ", ".join(f"{name} {count:,}" for name, count in sorted(report.lost.items()))
        out.print(plain(f"not said again, for the record does not hold them: {lost}"))
    if report.unreadable:
        out.print(plain(f"left out, for this release cannot read them: {', '.join(report.unreadable[:10])}"))


def _said(answer: dict[str, Any]) -> str:
    outcome = answer["outcome"].replace("_", " ")
    return f"{outcome} ({answer['rule']})" if answer["rule"] else outcome


def _bar(stack: ExitStack) -> Progress | None:
    if not sys.stderr.isatty():
        return None
    from rich.progress import Progress as Bar

    bar = stack.enter_context(Bar(console=console(stderr=True), transient=True))
    task = bar.add_task("commits", total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)
