"""`rescind whatif`: what would have happened under another policy. Reads the journal, writes nothing into it.

Orders placed in the period are told again one by one (``domain.whatif``); here they are read, counted and shown.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from domain.instants import Instant
from infra.cli.exits import Wrong
from infra.cli.options import INSTANT, as_json, stored
from infra.cli.printing import console, print_json, say
from infra.cli.whatif_report import Report
from infra.cli.whatif_text import print_report, write_csv

if TYPE_CHECKING:
    from domain.policy import PolicyBook, PolicyDocument
    from domain.whatif import Life
    from infra.reading import Reader
    from infra.settings import Settings

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
        write_csv(Path(file), report)
    if as_json:
        print_json(report.told())
    else:
        print_report(report)
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


def _bar(stack: ExitStack) -> Progress | None:
    if not sys.stderr.isatty():
        return None
    from rich.progress import Progress as Bar

    bar = stack.enter_context(Bar(console=console(stderr=True), transient=True))
    task = bar.add_task("commits", total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)
