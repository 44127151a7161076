"""`rescind topics`: the Kafka topics of a journal and the public ones, made with the settings that they stand on, and
compared with them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

import click

from domain.wording import counted
from infra.cli.exits import EXIT_NO, CommandRefused, UsageError
from infra.cli.options import as_json, stored
from infra.cli.printing import console, echo, plain, print_json, table
from schemas.public.topics import INSTRUCTIONS, WRITTEN

if TYPE_CHECKING:
    from infra.kafka.admin import Topics
    from infra.settings import Settings

_ALL = "instructions"
"""Stands for every kind that instructs."""
_MARK = {"ok": "ok", "note": "note", "wrong": "WRONG"}


@click.group()
def topics() -> None:
    """The Kafka topics of a journal (--journal kafka://host:port/prefix), and the public ones (setting publish)."""


@topics.command()
@click.option("--partitions", type=click.IntRange(1, 400), help="Of the journal, for ever. [default: the URL's, or 12]")
@click.option("--replicas", type=click.IntRange(1, 9), help="Of each topic. [default: 3, or as many as brokers]")
@as_json
@stored
def create(settings: "Settings", partitions: int | None, replicas: int | None, as_json: bool) -> None:
    """Make the topics that are missing, with every setting that they stand on."""
    made: list[str] = []
    there: dict[str, int | None] = {}
    with _topics(settings) as several:
        for topics in several:
            made += topics.create(_partitions(settings, there, partitions), replicas)
            there |= topics.partitions()
    if as_json:
        print_json({"made": made, "partitions": there})
        return
    for name, count in there.items():
        echo(f"{name}: {'made' if name in made else 'was there'}, {count} partition{'' if count == 1 else 's'}")


@topics.command()
@as_json
@stored
def check(settings: "Settings", as_json: bool) -> int:
    """Compare the topics with what they must be. Changes nothing; exit 1 if something is wrong."""
    findings = []
    there: dict[str, int | None] = {}
    with _topics(settings) as several:
        for topics in several:
            if there:
                findings += topics.check(_partitions(settings, there, None))
            else:
                findings += topics.check(settings.journal_at.partitions)
                there |= topics.partitions()
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = [(f.topic, f.what, f.wanted, f.found, _MARK[f.state]) for f in findings]
        out = console()
        out.print(table(["topic", "what", "wanted", "found", ""], rows))
        for finding in findings:
            if finding.do:
                out.print(f"{finding.topic}, {finding.what}: {plain(finding.do)}")
    return EXIT_NO if any(finding.state == "wrong" for finding in findings) else 0


@topics.command()
@click.argument("kind", type=click.Choice((*WRITTEN, _ALL)))
@click.option("--again", "how", flag_value="again", help="What was on it goes out again, from the journal's start.")
@click.option("--onwards", "how", flag_value="onwards", help="It goes on with what it does not have yet.")
@click.option(
    "--from",
    "places",
    metavar="PLACE",
    multiple=True,
    help="It goes on where another PREFIX (or kafka://HOST:PORT/PREFIX) ended, or at PARTITION:OFFSET of the journal.",
)
@stored
def answer(settings: "Settings", kind: str, how: Literal["again", "onwards"] | None, places: tuple[str, ...]) -> None:
    """Answer what publishing asked about a public topic: `--again`, `--onwards` or `--from PLACE`.

    It stands for every partition (`--from PARTITION:OFFSET`, which may be repeated: for that one), and KIND may be
    `instructions`, for all that instruct. Whoever publishes is interrupted for a moment; a process that has stopped is
    to be started again.
    """
    from consumers.ports.public_log import PublishingStopped
    from infra.publishing.operator_answers import answer_all, begin_at

    if (how is None) == (not places):
        raise UsageError("say one thing about what was on it: --again, --onwards or --from PLACE")
    kinds = INSTRUCTIONS if kind == _ALL else (kind,)
    try:
        partitions = answer_all(settings, kinds, how) if how is not None else begin_at(settings, kinds, places)
    except PublishingStopped as wrong:
        raise CommandRefused(str(wrong)) from None
    goes = "goes out again" if how == "again" else "goes on" if how else f"goes on from {', '.join(places)}"
    echo(f"{kind}: {goes}, {counted(partitions, 'partition')}")


@contextmanager
def _topics(settings: "Settings") -> Iterator[list["Topics"]]:
    """Those of the journal, if it is on Kafka, then the public ones, if something is published, then those of
    commands, if they are taken from a topic."""
    from infra.command_topic.topics import CommandTopics
    from infra.kafka.admin import Topics
    from infra.publishing.topics import PublicTopics

    at, public, commands = settings.journal_at.kafka, settings.public_topics_at, settings.commands_at
    if at is None and public is None:
        raise UsageError(f"{settings.journal} has no topics: name a journal with --journal kafka://host:port/prefix")
    with ExitStack() as closing:
        several: list[Topics] = []
        if at is not None:
            several.append(Topics(at, settings.security))
            closing.callback(several[-1].close)
        if public is not None:
            several.append(PublicTopics(public, settings.security))
            closing.callback(several[-1].close)
        if commands is not None:
            several.append(CommandTopics(commands, settings.security, dead_letters=commands != public))
            closing.callback(several[-1].close)
        yield several


def _partitions(settings: "Settings", there: dict[str, int | None], asked: int | None) -> int:
    """How many partitions the journal has or is to have. ``there``: the topics of a journal on Kafka."""
    from infra.kafka.admin import PARTITIONS

    at = settings.journal_at.kafka
    if at is None:
        from infra.publishing.operator_answers import partitions_of

        return partitions_of(settings)
    return there.get(at.journal) or asked or settings.journal_at.partitions or PARTITIONS
