"""`rescind whatif`: what would have happened under another policy. Reads the journal, writes nothing into it.

Orders placed in the period are told again one by one (``domain.whatif``); here they are read, counted and shown.
"""

import gc
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from domain.instants import Instant
from domain.wording import counted
from infra.cli.exits import UsageError
from infra.cli.files import Written, check_output
from infra.cli.options import INSTANT, as_json, check_period, stored
from infra.cli.printing import console, print_json, say
from infra.cli.whatif_report import OrderComparison, WhatIfReport
from infra.cli.whatif_text import print_report, write_csv
from schemas.partitioning import partition_of

if TYPE_CHECKING:
    from domain.policy import PolicyBook, PolicyDocument
    from domain.whatif import Life, OtherPolicy
    from infra.cli.whatif_resume import ResumeFile
    from infra.settings import Settings
    from infra.store.reader import Reader

GARBAGE: Final = (50_000, 20, 100)
"""When cycles are looked for (``gc.set_threshold``). Lives hold none; looking for them costs a third of the time."""

PAGE: Final = 500
"""Orders that are asked about between two writings of how far it was asked."""

Progress = Callable[[int, int], None]


@click.command()
@click.option("--policy", "name", required=True, metavar="FILE|ID@V", help="The other policy: a file, or a name.")
@click.option("--since", type=INSTANT, help="Orders placed at this instant or later.")
@click.option("--until", type=INSTANT, help="What was placed and said before this instant; otherwise all there is.")
@click.option("--csv", "file", metavar="FILE", help="A row for every answer that differs, into this file.")
@click.option(
    "--resume", "kept_in", metavar="FILE", help="Keep in this file how far it was asked, and go on from there."
)
@as_json
@stored
def whatif(
    settings: "Settings",
    name: str,
    since: Instant | None,
    until: Instant | None,
    file: str | None,
    kept_in: str | None,
    as_json: bool,
) -> None:
    """What would have happened under another policy: which answers differ, for whom, and what money moves.

    What was said about the orders placed in the period is said again, at the same instants, under the other policy, and
    what it decides is carried forward. Nothing is written into the journal.
    """
    from infra.store.reader import open_reader

    check_period(since, until)
    if kept_in is not None:
        check_output("--resume", kept_in, reads=(name,), settings=settings)
    if file is not None:
        check_output("--csv", file, reads=(name,) if kept_in is None else (name, kept_in), settings=settings)
    with ExitStack() as stack:
        reader = stack.enter_context(closing(open_reader(settings)))
        document = _policy(reader.book, name)
        stack.callback(gc.set_threshold, *gc.get_threshold())
        gc.set_threshold(*GARBAGE)
        kept = None if kept_in is None else stack.enter_context(closing(_kept(kept_in, reader, document, since, until)))
        try:
            report = WhatIfRun(reader, document, since, until, kept, _bar(stack)).report()
        except KeyboardInterrupt:
            if kept is None:
                say("broken off; the same question begins anew (--resume FILE keeps how far it was asked)")
            else:
                say(f"broken off; the same question with --resume {kept_in} goes on from here")
            raise
    if file is not None:
        with Written("--csv", file) as csv:
            write_csv(csv, report)
    if as_json:
        print_json(report.told())
    else:
        print_report(report)
    if file is not None:
        say(f"{file}: {counted(report.rows, 'row')}")


def _policy(book: "PolicyBook", name: str) -> "PolicyDocument":
    from infra.cli.policy import from_file

    if Path(name).is_file() or name.endswith(".toml"):
        return from_file(name)
    found = book.named(name)
    if found is None:
        known = ", ".join(sorted(book.latest))
        raise UsageError(f"--policy {name} is neither a file nor a policy that was published; there are {known}")
    return found


def _kept(
    path: str, reader: "Reader", document: "PolicyDocument", since: Instant | None, until: Instant | None
) -> "ResumeFile":
    from infra.cli.whatif_resume import ResumeFile, WhatIfQuestion

    question = WhatIfQuestion(
        f"{document.policy.id}@{document.policy.version}",
        document.sha256.hex(),
        since,
        until,
        reader.journal.identity,
        reader.settings.journal,
    )
    kept = ResumeFile(Path(path), question, {partition: of.next_ordinal for partition, of in reader.followers.items()})
    if kept.done:
        say(f"{path}: asked to the end before; its result is told again (another file asks anew)")
    elif kept.seen:
        say(f"{path}: goes on behind {kept.seen:,} of {counted(sum(kept.behind.values()), 'commit')}")
    return kept


# ---- asking ----------------------------------------------------------------------------------------------------------


class WhatIfRun:
    """Tells every order of the period again. Without ``until`` all lives end with what was recorded last."""

    def __init__(
        self,
        reader: "Reader",
        document: "PolicyDocument",
        since: Instant | None,
        until: Instant | None,
        kept: "ResumeFile | None",
        progress: Progress | None,
    ) -> None:
        self._reader = reader
        self._since = since
        self._until = until
        self._kept = kept
        self._progress = progress
        self._document = document
        self._report = WhatIfReport(document, since, until, end=until or 0)
        self._questions: dict[str, OtherPolicy] = {}
        self._waiting: dict[str, Life | None] = {}
        """Orders whose end depends on the last instant of all; None: to be lived again then."""
        self._seen = 0 if kept is None else kept.seen
        """Commits that were looked at, in all partitions."""
        self._behind = (
            {partition: of.next_ordinal for partition, of in reader.followers.items()} if kept is None else kept.behind
        )

    def report(self) -> WhatIfReport:
        """Ask, from where it was broken off."""
        report, kept = self._report, self._kept
        if kept is not None:
            report.end = max(report.end, kept.last)
            report.unreadable += kept.unreadable()
            self._waiting = dict.fromkeys(kept.waiting())
            for told in kept.told():
                report.add(told)
        if kept is None or not kept.done:
            for partition in self._behind:
                self._ask(partition)
            ended = {stream: self._end(stream, life) for stream, life in self._waiting.items()}
            for told in ended.values():
                report.add(told)
            if kept is not None:
                kept.finish(ended)
        report.changed.sort(key=lambda told: (told.marketplace, told.order_id))
        report.unreadable.sort()
        return report

    def _ask(self, partition: int) -> None:
        """The orders of a partition, page by page."""
        report, kept = self._report, self._kept
        state = self._reader.followers[partition].state
        after = None if kept is None else kept.after[partition]
        total = sum(self._behind.values())
        while names := state.streams(after, PAGE):
            after = names[-1]
            told: dict[str, OrderComparison | None] = {}
            unreadable: list[str] = []
            looked_at = 0
            for stream in names:
                if stream.startswith("$") or stream.count("/") != 1:
                    continue
                commits = self._commits(partition, stream)
                if commits is None:
                    unreadable.append(stream)
                    continue
                looked_at += len(commits)
                life = self._question(stream).live(stream, commits) if commits else None
                if life is None:
                    continue
                if self._until is None:
                    report.end = max(report.end, life.last)
                if self._until is None and (life.before.deadlines or life.after.deadlines):
                    told[stream] = None
                    self._waiting[stream] = life
                else:
                    told[stream] = OrderComparison.of(self._question(stream).end(life, report.end))
            for each in told.values():
                if each is not None:
                    report.add(each)
            report.unreadable += unreadable
            self._seen += looked_at
            if kept is not None:
                kept.keep(partition, after, looked_at, told, unreadable, report.end)
            if self._progress is not None:
                self._progress(self._seen, total)

    def _end(self, stream: str, life: "Life | None") -> OrderComparison:
        """An order that waited for the last instant of all, which is known now."""
        question = self._question(stream)
        if life is None:
            life = question.live(stream, self._commits(partition_of(stream, len(self._behind)), stream) or ())
        assert life is not None
        return OrderComparison.of(question.end(life, self._report.end))

    def _question(self, stream: str) -> "OtherPolicy":
        from domain.whatif import OtherPolicy

        marketplace = stream.partition("/")[0]
        found = self._questions.get(marketplace)
        if found is None:
            market = self._reader.settings.market(marketplace)
            found = self._questions[marketplace] = OtherPolicy(self._document, self._reader.book, market)
        return found

    def _commits(self, partition: int, stream: str) -> list[Any] | None:
        """The commits of an order placed in the period, before the end of it, decoded; None if one cannot be read."""
        from consumers.log.commit_codec import events_of, part_of, stamp_of
        from schemas.codec import Undecodable

        commits: list[Any] = []
        try:
            for admitted in self._reader.followers[partition].state.commits_of(stream):
                stamp = stamp_of(admitted.commit)
                if self._since is not None and not commits and stamp.recorded_at < self._since:
                    break
                if self._until is not None and stamp.recorded_at >= self._until:
                    break
                if admitted.ordinal >= self._behind[partition]:
                    break
                part = part_of(admitted.commit, stream)
                if part is not None:
                    commits.append((events_of(part), stamp))
        except Undecodable:
            return None
        return commits


def _bar(stack: ExitStack) -> Progress | None:
    if not sys.stderr.isatty():
        return None
    from rich.progress import Progress as Bar

    bar = stack.enter_context(Bar(console=console(stderr=True), transient=True))
    task = bar.add_task("commits", total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)
