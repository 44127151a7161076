"""`rescind dead-letters`: lists, shows, retries and discards dead letters."""

from typing import TYPE_CHECKING, Any

import click

from domain.wording import counted
from infra.cli.exits import EXIT_NO, CommandRefused
from infra.cli.groups import Group
from infra.cli.options import as_json, stored
from infra.cli.printing import console, echo, plain, print_json, table

if TYPE_CHECKING:
    from consumers.log.dead_letters import DeadLetter
    from infra.dead_letters.handling import Letters
    from infra.settings import Settings

_FOR_GOOD = ("journal", "commands")
"""Origins of dead letters that cannot be retried."""


@click.group("dead-letters", cls=Group)
def dead_letters() -> None:
    """List, show, retry and discard dead letters: what could not be read, shown or published."""


@dead_letters.command("list")
@click.option("--all", "everything", is_flag=True, help="Include discarded ones.")
@as_json
@stored
def list_(settings: "Settings", everything: bool, as_json: bool) -> None:
    """List dead letters: malformed commits, orders that views or publisher stopped at, malformed commands."""
    from infra.dead_letters.handling import open_letters

    with open_letters(settings) as letters:
        found = [(each, letters.is_discarded(each)) for each in letters.all()]
    if as_json:
        for letter, discarded in found:
            if everything or not discarded:
                print_json(_letter_json(letter, discarded))
        return
    rows = [
        (letter.id, letter.event or "", letter.error, "discarded" if discarded else "")
        for letter, discarded in found
        if everything or not discarded
    ]
    out = console()
    out.print(table(["letter", "event", "error", ""], rows) if rows else "no dead letters")
    hidden = sum(discarded for _, discarded in found)
    if hidden and not everything:
        out.print(f"… and {hidden:,} discarded; --all lists them")


@dead_letters.command()
@click.argument("letter")
@as_json
@stored
def show(settings: "Settings", letter: str, as_json: bool) -> None:
    """Show a dead letter: its origin, its error, its bytes, and the commit in them if there is one."""
    from infra.dead_letters.handling import open_letters

    with open_letters(settings) as letters:
        found = _find(letters, letter)
        shown = _letter_json(found, letters.is_discarded(found))
    shown |= {"key": found.key.decode("utf-8", "replace"), "commit": _commit(found.value), "value": found.value.hex()}
    if as_json:
        print_json(shown)
        return
    out = console()
    rows = [(key, value) for key, value in shown.items() if value is not None and key not in ("commit", "value")]
    out.print(table(["key", "value"], rows))
    if shown["commit"] is not None:
        out.print(plain(_text(shown["commit"])))
    else:
        out.print(plain(f"{counted(len(found.value), 'byte')}, beginning with {found.value[:64]!r}"))


@dead_letters.command()
@click.argument("letter", required=False)
@click.option("--all", "everything", is_flag=True, help="Every parked order; malformed commits cannot be retried.")
@as_json
@stored
def retry(settings: "Settings", letter: str | None, everything: bool, as_json: bool) -> int:
    """Retry an order from where it stopped; exit 1 if it still fails.

    A newer release may succeed. A running publisher pauses for some seconds.
    """
    from infra.dead_letters.handling import NotToBeTried, open_letters

    if (letter is None) is not everything:
        raise click.UsageError("name a dead letter, or give --all")
    left = 0
    with open_letters(settings) as letters:
        wanted = [each for each in letters.all() if each.origin not in _FOR_GOOD] if everything else []
        for each in wanted or ([_find(letters, letter)] if letter is not None else []):
            try:
                wrong = letters.retry(each)
            except NotToBeTried as never:
                raise CommandRefused(str(never)) from None
            left += wrong is not None
            if as_json:
                print_json({"id": each.id, "done": wrong is None, "error": wrong})
            else:
                echo(f"{each.id}: {'done' if wrong is None else wrong}")
    return EXIT_NO if left else 0


@dead_letters.command()
@click.argument("letter")
@as_json
@stored
def discard(settings: "Settings", letter: str, as_json: bool) -> None:
    """Discard a dead letter, so that it is not listed any more. The log is unchanged, and an order stays stopped."""
    from infra.dead_letters.handling import open_letters

    with open_letters(settings) as letters:
        found = _find(letters, letter)
        letters.discard(found)
    if as_json:
        print_json({"id": found.id, "discarded": True})
    else:
        echo(f"{found.id}: discarded")


def _find(letters: "Letters", id: str) -> "DeadLetter":
    from infra.dead_letters.handling import NoSuchLetter

    try:
        return letters.find(id)
    except NoSuchLetter as wrong:
        raise CommandRefused(str(wrong)) from None


def _letter_json(letter: "DeadLetter", discarded: bool) -> dict[str, Any]:
    return {
        "id": letter.id,
        "origin": letter.origin,
        "stream": letter.stream,
        "partition": letter.partition,
        "offset": letter.offset,
        "index": letter.index,
        "ordinal": letter.ordinal,
        "event": letter.event,
        "error": letter.error,
        "bytes": len(letter.value),
        "discarded": discarded,
    }


def _commit(value: bytes) -> dict[str, Any] | None:
    """Decode the bytes as a commit; None if they are not one."""
    from domain.instants import format_instant
    from schemas.commit import decode_commit
    from schemas.wire import Malformed

    try:
        commit = decode_commit(value)
    except Malformed:
        return None
    return {
        "commit_id": commit.commit_id.hex(),
        "command_id": commit.command_id,
        "recorded_at": format_instant(commit.recorded_at),
        "writer": commit.writer,
        "streams": [
            {
                "stream": part.stream,
                "kind": part.kind,
                "first_event": part.first_event,
                "events": [f"{entry.name}.{entry.schema_version}" for entry in part.events],
            }
            for part in commit.streams
        ],
    }


def _text(commit: dict[str, Any]) -> str:
    parts = [f"{part['stream']}: {', '.join(part['events']) or 'no event'}" for part in commit["streams"]]
    return (
        f"a commit of {commit['recorded_at']} by {commit['writer']}, command {commit['command_id']}: {'; '.join(parts)}"
    )
