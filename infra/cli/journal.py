"""`rescind journal`: shows the log's commits and its size."""

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from domain.wording import counted
from infra.cli.groups import Group
from infra.cli.options import as_json, stored
from infra.cli.printing import console, echo, plain, print_json, table, when

if TYPE_CHECKING:
    from consumers.ports.log_values import Admitted
    from infra.settings import Settings


@click.group(cls=Group)
def journal() -> None:
    """Show the journal's contents and size."""


@journal.command()
@as_json
@stored
def stats(settings: "Settings", as_json: bool) -> None:
    """Count records, commits, events and orders, and the records that were rejected."""
    from infra.store.reader import open_reader

    with open_reader(settings) as reader:
        shown: dict[str, Any] = {
            "journal": str(reader.store),
            "identity": reader.journal.identity,
            "partitions": [_partition(reader.followers[p].state, reader.journal, p) for p in sorted(reader.followers)],
            "policies": len(reader.book.documents),
        }
    shown["bytes"] = reader.store.size()
    totals = {name: sum(part[name] for part in shown["partitions"]) for name in _COUNTED}
    shown |= totals
    if as_json:
        print_json(shown)
        return
    out = console()
    out.print(
        plain(
            f"{shown['journal']}: journal {shown['identity']}, "
            f"{_bytes(shown['bytes'])}{counted(shown['policies'], 'policy', 'policies')}"
        )
    )
    rows = [[part["partition"], *(f"{part[name]:,}" for name in _COUNTED)] for part in shown["partitions"]]
    if len(rows) > 1:
        rows.append(["all", *(f"{totals[name]:,}" for name in _COUNTED)])
    out.print(table(["partition", *_COUNTED], rows, right=["partition", *_COUNTED]))


def _bytes(size: int | None) -> str:
    return "" if size is None else f"{counted(size, 'byte')}, "


_COUNTED = ("records", "commits", "events", "streams", "duplicate", "superseded", "malformed")


def _partition(state: Any, log: Any, partition: int) -> dict[str, int]:
    streams = 0
    after: str | None = None
    while names := state.streams(after, 10_000):
        streams += sum(not name.startswith("$") for name in names)
        after = names[-1]
    return {
        "partition": partition,
        "begin": log.begin(partition),
        "records": log.end(partition) - log.begin(partition),
        "commits": state.next_ordinal,
        "events": state.next_position,
        "streams": streams,
        **{kind: state.rejections().get(kind, 0) for kind in ("duplicate", "superseded", "malformed")},
    }


@journal.command()
@click.option(
    "-n",
    "--lines",
    default=10,
    show_default=True,
    metavar="N",
    type=click.IntRange(0),
    help="Number of commits.",
)
@click.option("-f", "--follow", is_flag=True, help="Keep printing new commits until ctrl-C.")
@as_json
@stored
def tail(settings: "Settings", lines: int, follow: bool, as_json: bool) -> None:
    """Show the last commits with their events."""
    from infra.store.reader import open_reader

    with open_reader(settings) as reader:
        found = [
            admitted
            for partition, follower in sorted(reader.followers.items())
            for admitted in follower.state.commits(max(0, follower.next_ordinal - lines))
        ]
        found.sort(key=lambda admitted: (admitted.appended_at, admitted.partition, admitted.ordinal))
        for admitted in found[-lines:] if lines else []:
            _print(admitted, as_json)
        seen = {partition: follower.next_offset for partition, follower in reader.followers.items()}
    if follow:
        _follow(settings, seen, as_json)


def _follow(settings: "Settings", seen: dict[int, int], as_json: bool) -> None:
    from infra.store.reader import open_reader

    shown: dict[int, int] = {}
    while True:
        with open_reader(settings) as reader:
            for partition, follower in sorted(reader.followers.items()):
                state = follower.state
                first = shown.get(partition)
                if first is None:
                    first = next(
                        (a.ordinal for a in state.commits() if a.offset >= seen[partition]), state.next_ordinal
                    )
                for admitted in state.commits(first):
                    _print(admitted, as_json)
                shown[partition] = state.next_ordinal
        sys.stdout.flush()
        time.sleep(0.25)


def _print(admitted: "Admitted", as_json: bool) -> None:
    from domain.instants import format_instant

    commit = admitted.commit
    actor = commit.actor
    streams: list[dict[str, Any]] = [
        {
            "stream": part.stream,
            "kind": part.kind,
            "first_event": part.first_event,
            "events": [e.name for e in part.events],
        }
        for part in commit.streams
    ]
    if as_json:
        print_json(
            {
                "partition": admitted.partition,
                "offset": admitted.offset,
                "ordinal": admitted.ordinal,
                "position": admitted.position,
                "commit": admitted.hash.hex(),
                "command_id": commit.command_id,
                "actor": None if actor is None else {"kind": actor.kind, "id": actor.id},
                "writer": commit.writer,
                "recorded_at": format_instant(commit.recorded_at),
                "appended_at": format_instant(admitted.appended_at),
                "streams": streams,
            }
        )
        return
    what = "; ".join(f"{part['stream']}: {', '.join(part['events']) or 'nothing'}" for part in streams)
    by = f"{actor.kind} {actor.id}" if actor is not None else commit.writer
    echo(f"{admitted.partition}:{admitted.ordinal}  {when(commit.recorded_at)}  {by}  {what}")
