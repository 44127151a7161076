"""`rescind topics`: the Kafka topics of a journal, made with the settings that it stands on, and compared with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from infra.cli.exits import EXIT_NO, Wrong
from infra.cli.options import as_json, stored
from infra.cli.printing import console, plain, print_json, table

if TYPE_CHECKING:
    from infra.kafka.topics import Topics
    from infra.settings import Settings

_MARK = {"ok": "ok", "note": "note", "wrong": "WRONG"}


@click.group()
def topics() -> None:
    """The Kafka topics of a journal (--journal kafka://host:port/prefix)."""


@topics.command()
@click.option("--partitions", type=click.IntRange(1, 400), help="Of the journal, for ever. [default: the URL's, or 12]")
@click.option("--replicas", type=click.IntRange(1, 9), help="Of each topic. [default: 3, or as many as brokers]")
@as_json
@stored
def create(settings: "Settings", partitions: int | None, replicas: int | None, as_json: bool) -> None:
    """Make the topics that are missing, with every setting that the journal stands on."""
    from infra.kafka.topics import PARTITIONS

    with _topics(settings) as topics:
        made = topics.create(partitions or settings.journal_at.partitions or PARTITIONS, replicas)
        there = topics.partitions()
    if as_json:
        print_json({"made": made, "partitions": there})
        return
    for name, count in there.items():
        click.echo(f"{name}: {'made' if name in made else 'was there'}, {count} partition{'' if count == 1 else 's'}")


@topics.command()
@as_json
@stored
def check(settings: "Settings", as_json: bool) -> int:
    """Compare the topics with what they must be. Changes nothing; exit 1 if something is wrong."""
    with _topics(settings) as topics:
        findings = topics.check(settings.journal_at.partitions)
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


@contextmanager
def _topics(settings: "Settings") -> Iterator["Topics"]:
    from infra.kafka.topics import Topics

    at = settings.journal_at.kafka
    if at is None:
        raise Wrong(f"{settings.journal} has no topics: name a journal with --journal kafka://host:port/prefix")
    topics = Topics(at, settings.security)
    try:
        yield topics
    finally:
        topics.close()
