"""`rescind topics`: creates the Kafka topics with the settings that they need, and checks them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

import click

from domain.wording import counted
from infra.cli.exits import EXIT_NO, CommandRefused, UsageError
from infra.cli.groups import Group
from infra.cli.options import as_json, stored
from infra.cli.printing import console, echo, plain, print_json, table
from schemas.public.topics import INSTRUCTIONS, WRITTEN

if TYPE_CHECKING:
    from infra.kafka.admin import Topics
    from infra.settings import Settings

_ALL = "instructions"
"""Names every kind of instructions."""
_MARK = {"ok": "ok", "note": "note", "wrong": "WRONG"}


@click.group(cls=Group)
def topics() -> None:
    """Create and check Kafka topics: the journal's (--journal kafka://host:port/prefix) and public ones."""


@topics.command()
@click.option(
    "--partitions",
    type=click.IntRange(1, 400),
    help="Partitions of the journal; they can never change. [default: the URL's, or 12]",
)
@click.option(
    "--replicas", type=click.IntRange(1, 9), help="Replicas of each topic. [default: 3, or the number of brokers]"
)
@as_json
@stored
def create(settings: "Settings", partitions: int | None, replicas: int | None, as_json: bool) -> None:
    """Create missing topics with the settings that they need."""
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
    """Check the topics' settings. Changes nothing; exit 1 for a problem."""
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
@click.option("--again", "how", flag_value="again", help="Publish everything again, from the start of the journal.")
@click.option("--onwards", "how", flag_value="onwards", help="Continue with what the topic does not have yet.")
@click.option(
    "--from",
    "places",
    metavar="PLACE",
    multiple=True,
    help="Continue where another PREFIX (or kafka://HOST:PORT/PREFIX) ended, or at PARTITION:OFFSET of the journal.",
)
@stored
def answer(settings: "Settings", kind: str, how: Literal["again", "onwards"] | None, places: tuple[str, ...]) -> None:
    """Decide how publishing to a topic continues when it has stopped: `--again`, `--onwards` or `--from PLACE`.

    The answer is for every partition; `--from PARTITION:OFFSET`, which may be repeated, is for one. KIND
    `instructions` means every kind of instructions. A running publisher pauses for a moment. Start a process that has
    stopped again.
    """
    from consumers.ports.public_log import PublishingStopped
    from infra.publishing.operator_answers import answer_all, begin_at

    if (how is None) == (not places):
        raise UsageError("give one of --again, --onwards or --from PLACE")
    kinds = INSTRUCTIONS if kind == _ALL else (kind,)
    try:
        partitions = answer_all(settings, kinds, how) if how is not None else begin_at(settings, kinds, places)
    except PublishingStopped as wrong:
        raise CommandRefused(str(wrong)) from None
    how_text = "publishes again" if how == "again" else "continues" if how else f"continues from {', '.join(places)}"
    echo(f"{kind}: {how_text}, {counted(partitions, 'partition')}")


@contextmanager
def _topics(settings: "Settings") -> Iterator[list["Topics"]]:
    """Yield the topics of the journal, the public ones and those of commands, as far as they are on Kafka."""
    from infra.command_topic.topics import CommandTopics
    from infra.kafka.admin import Topics
    from infra.publishing.topics import PublicTopics

    at, public, commands = settings.journal_at.kafka, settings.public_topics_at, settings.commands_at
    if at is None and public is None:
        raise UsageError(f"{settings.journal} has no topics; name a journal with --journal kafka://host:port/prefix")
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


def _partitions(settings: "Settings", there: dict[str, int | None], wanted: int | None) -> int:
    """Return the number of partitions that the journal has or gets. ``there``: the topics of a journal on Kafka."""
    from infra.kafka.admin import PARTITIONS

    at = settings.journal_at.kafka
    if at is None:
        from infra.publishing.operator_answers import partitions_of

        return partitions_of(settings)
    return there.get(at.journal) or wanted or settings.journal_at.partitions or PARTITIONS
