"""`rescind whatif`: what would have happened under another policy. Reads the journal and does not write to it.

``domain.whatif`` replays the orders placed in the period one by one; this module reads them and sums up the results.
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
"""Thresholds of the garbage collector. Lives have no cycles, and looking for them takes a third of the time."""

PAGE: Final = 500
"""Orders that are replayed between two writes of the resume file."""

Progress = Callable[[int, int], None]


@click.command()
@click.option("--policy", "name", required=True, metavar="FILE|ID@V", help="The other policy: a file or a name.")
@click.option("--since", type=INSTANT, help="Only orders placed at this instant or later.")
@click.option("--until", type=INSTANT, help="Only orders and commands before this instant. Default: all.")
@click.option("--csv", "file", metavar="FILE", help="Write a row for every different answer to this file.")
@click.option("--resume", "resume_file", metavar="FILE", help="Store progress in this file, and continue from it.")
@as_json
@stored
def whatif(
    settings: "Settings",
    name: str,
    since: Instant | None,
    until: Instant | None,
    file: str | None,
    resume_file: str | None,
    as_json: bool,
) -> None:
    """Find out what would have happened under another policy: which answers differ, for whom, and which refunds.

    Replays the commands about the orders placed in the period, at the same instants, under the other policy. Nothing is
    written to the journal.
    """
    from infra.store.reader import open_reader

    check_period(since, until)
    if resume_file is not None:
        check_output("--resume", resume_file, reads=(name,), settings=settings)
    if file is not None:
        check_output("--csv", file, reads=(name,) if resume_file is None else (name, resume_file), settings=settings)
    with ExitStack() as stack:
        reader = stack.enter_context(closing(open_reader(settings)))
        document = _policy(reader.book, name)
        stack.callback(gc.set_threshold, *gc.get_threshold())
        gc.set_threshold(*GARBAGE)
        resume = (
            None
            if resume_file is None
            else stack.enter_context(closing(_open_resume(resume_file, reader, document, since, until)))
        )
        try:
            report = WhatIfRun(reader, document, since, until, resume, _bar(stack)).report()
        except KeyboardInterrupt:
            if resume is None:
                say("interrupted; the same command starts from the beginning (--resume FILE stores the progress)")
            else:
                say(f"interrupted; the same command with --resume {resume_file} continues from here")
            raise
    if file is not None:
        with Written("--csv", file) as csv:
            write_csv(csv, report)
    if as_json:
        print_json(report.json())
    else:
        print_report(report)
    if file is not None:
        say(f"{file}: {counted(report.rows, 'row')}")


def _policy(book: "PolicyBook", name: str) -> "PolicyDocument":
    from infra.cli.policy import from_file, known

    if Path(name).is_file() or name.endswith(".toml"):
        return from_file(name)
    found = book.named(name)
    if found is None:
        raise UsageError(f"--policy {name} is neither a file nor a published policy. {known(book, name)}")
    return found


def _open_resume(
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
    resume = ResumeFile(
        Path(path), question, {partition: of.next_ordinal for partition, of in reader.followers.items()}
    )
    if resume.done:
        say(f"{path}: this run has already finished; its result is shown again (use another file for a new run)")
    elif resume.seen:
        say(f"{path}: continues after {resume.seen:,} of {counted(sum(resume.behind.values()), 'commit')}")
    return resume


# ---- replaying -----------------------------------------------------------------------------------------------------


class WhatIfRun:
    """Replays every order of the period. Without ``until``, all lives end at the last recorded instant."""

    def __init__(
        self,
        reader: "Reader",
        document: "PolicyDocument",
        since: Instant | None,
        until: Instant | None,
        resume: "ResumeFile | None",
        progress: Progress | None,
    ) -> None:
        self._reader = reader
        self._since = since
        self._until = until
        self._resume = resume
        self._progress = progress
        self._document = document
        self._report = WhatIfReport(document, since, until, end=until or 0)
        self._questions: dict[str, OtherPolicy] = {}
        self._waiting: dict[str, Life | None] = {}
        """Orders whose end depends on the last recorded instant; None: to be replayed then."""
        self._seen = 0 if resume is None else resume.seen
        """Commits read so far, in all partitions."""
        self._behind = (
            {partition: of.next_ordinal for partition, of in reader.followers.items()}
            if resume is None
            else resume.behind
        )

    def report(self) -> WhatIfReport:
        """Replay the orders, continuing from the resume file, and return the report."""
        report, resume = self._report, self._resume
        if resume is not None:
            report.end = max(report.end, resume.last)
            report.unreadable += resume.unreadable()
            self._waiting = dict.fromkeys(resume.waiting())
            for each in resume.finished():
                report.add(each)
        if resume is None or not resume.done:
            for partition in self._behind:
                self._ask(partition)
            ended = {stream: self._end(stream, life) for stream, life in self._waiting.items()}
            for each in ended.values():
                report.add(each)
            if resume is not None:
                resume.finish(ended)
        report.changed.sort(key=lambda order: (order.marketplace, order.order_id))
        report.unreadable.sort()
        return report

    def _ask(self, partition: int) -> None:
        """Replay the orders of a partition, page by page."""
        report, resume = self._report, self._resume
        state = self._reader.followers[partition].state
        after = None if resume is None else resume.after[partition]
        total = sum(self._behind.values())
        while names := state.streams(after, PAGE):
            after = names[-1]
            results: dict[str, OrderComparison | None] = {}
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
                    results[stream] = None
                    self._waiting[stream] = life
                else:
                    results[stream] = OrderComparison.of(self._question(stream).end(life, report.end))
            for each in results.values():
                if each is not None:
                    report.add(each)
            report.unreadable += unreadable
            self._seen += looked_at
            if resume is not None:
                resume.keep(partition, after, looked_at, results, unreadable, report.end)
            if self._progress is not None:
                self._progress(self._seen, total)

    def _end(self, stream: str, life: "Life | None") -> OrderComparison:
        """End an order that waited for the last recorded instant, which is known now."""
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
        """Return the decoded commits of an order placed in the period, up to its end; None if one cannot be read."""
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
