"""Carries out a command on an order: shows a preview, asks for confirmation, submits it, and prints the outcome.

Every subcommand of ``order_actions`` works in this way.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from infra.cli.exits import EXIT_NO, CommandRefused, Unavailable, UsageError
from infra.cli.order_actions import Action
from infra.cli.printing import console, money, plain, print_json, say

if TYPE_CHECKING:
    from consumers.engine.order_cache import CachedOrder
    from consumers.engine.outcome import Outcome
    from consumers.ports.vault import Files
    from domain.commands import Command
    from domain.events import Verdict
    from domain.order import Order
    from domain.preview import Preview
    from infra.settings import Settings
    from infra.store.reader import Reader


@dataclass(frozen=True, slots=True)
class Given:
    """The options of a subcommand, as given. ``fields``: those that are fields of its command."""

    actor: str
    fields: Mapping[str, Any]
    command_id: str | None
    yes: bool
    only_preview: bool
    as_json: bool


def run_action(settings: "Settings", stream: str, reader: "Reader", action: Action, given: Given) -> int:
    """Show a preview of the command, ask, and carry it out. Returns the exit code. Closes ``reader`` first."""
    from domain.preview import Confirmation
    from infra.app import AppOptions, open_app
    from infra.cli.order import nowhere
    from infra.cli.order_options import read_file
    from infra.runtime.clock import clock

    try:
        folded = reader.folded(stream)
        if folded.order is None or not folded.order.exists:
            raise nowhere(reader, stream)
        path = given.fields.get("file")
        content = None if path is None else read_file(path)
        command = _command(folded.order, action, given, content)
        again = command.command_id in folded.answered
        shown = None if again and not given.only_preview else previewed(reader, folded, command, clock())
    finally:
        reader.close()
    if given.only_preview:
        assert shown is not None
        return _answer_preview(stream, shown, given.as_json)
    if shown is not None and shown.refused is None:
        _print_preview(stream, shown)
        if shown.changes and not given.yes:
            _ask(shown)
    with open_app(settings, AppOptions(create=False)) as app:
        app.catch_up()
        confirm = None
        if shown is not None:
            market, book = settings.market(command.marketplace), lambda: app.engine.control.book
            confirm = Confirmation(shown.confirmation or "nothing to confirm", book, market, everybody=True)
        stored = None if content is None else _keep(app.vault, command, content)
        outcome = app.engine.submit(command, confirm=confirm).result(settings.answer_within)
        if stored is not None and outcome.effective.kind in ("refused", "bad"):
            app.vault.drop(stored)
        if app.views is not None:
            app.views.catch_up(settings.answer_within)
    return _answer(outcome, command, given.as_json)


def _command(order: "Order", action: Action, given: Given, content: bytes | None) -> "Command":
    from domain.commands import parse_command
    from infra.cli.order_options import body_of
    from infra.store.opening import new_id

    command_id = given.command_id or f"cli-{new_id().hex()[:12]}"
    return parse_command(body_of(action, order, given.actor, command_id, {**given.fields, "file": content}))


def _keep(files: "Files", command: "Command", content: bytes) -> str | None:
    """Store a file of evidence before its command is decided. Returns its reference, or None if it is stored already
    or too large."""
    from consumers.ports.vault import file_reference
    from domain.commands import AttachEvidence
    from domain.decisions.cases import LARGEST_FILE

    assert isinstance(command, AttachEvidence)
    if len(content) > LARGEST_FILE:
        return None
    hashed = bytes.fromhex(command.sha256)
    reference = file_reference(command.marketplace, command.order_id, command.evidence_id, hashed)
    return reference if files.keep(command.marketplace, command.actor.id, reference, content) else None


def previewed(reader: "Reader", folded: "CachedOrder", command: "Command", now: int) -> "Preview":
    """Preview what the command would do now; the same preview as over HTTP."""
    from domain.preview import preview

    assert folded.order is not None
    partition, market = reader.partition(folded.stream), reader.settings.market(command.marketplace)
    closed_at = reader.imports(partition).closed_at(partition, command.marketplace)
    return preview(folded.order, command, reader.book, market, now, closed_at)


def _ask(shown: "Preview") -> None:
    """Ask whether to carry out what was shown. UsageError if nobody can answer."""
    if shown.cancels or shown.kills:
        final = "a cancellation cannot be undone"
    elif shown.command == "RequestCancel":
        final = "the request will wait for an answer"
    else:
        final = "what is recorded cannot be deleted"
    if not sys.stdin.isatty():
        raise UsageError(f"{final}. Add --yes to carry it out without being asked.")
    click.confirm(f"{final.capitalize()}. Carry it out?", abort=True, err=True)


def _print_preview(stream: str, preview: "Preview") -> None:
    """Print the preview to standard error; standard output is for the answer."""
    out = console(stderr=True)
    for text in _sentences(preview):
        out.print(plain(f"{stream}: {text}"))


def _sentences(preview: "Preview") -> list[str]:
    """Say what the command would do: in units, or event by event where it is not about units."""
    from infra.cli.order_text import event_text
    from schemas.codec import event_data

    if preview.refused is None and preview.changes and not preview.lines:
        return [event_text(type(event).__name__, event_data(event), preview.after) for event in preview.events]
    texts = [preview.sentence()]
    if preview.refund:
        currency = preview.order.terms.currency
        texts.append(f"{money(preview.refund, currency)} {currency} will be refunded to the buyer.")
    return texts


def _answer_preview(stream: str, shown: "Preview", as_json: bool) -> int:
    """Print a preview as the answer."""
    from infra.api.previews import body

    if as_json:
        print_json(body(shown))
    elif shown.refused is not None:
        _print_refusal(shown.sentence(), shown.refused, shown.verdict)
    else:
        out = console()
        for text in _sentences(shown):
            out.print(plain(f"{stream}: {text}"))
    return EXIT_NO if shown.refused is not None else 0


def _print_refusal(message: str, rule: str | None, verdict: "Verdict | None") -> None:
    say(f"rescind: no: {message} (rule {rule})")
    for other in verdict.instead if verdict is not None else ():
        say(f"  Instead: {other.text}")
    if rule == "not-yours":
        say("  Instead: Name the order's own buyer or seller with --as, or leave out the id.")


def _answer(outcome: "Outcome", command: "Command", as_json: bool) -> int:
    from domain.order_json import show
    from schemas.codec import event_data, verdict_data

    result = outcome.effective
    if result.rule == "cancel-is-final" and result.commit_position is None:
        nothing = "nothing was canceled" if command.command in ("CancelLines", "RequestCancel") else "nothing was done"
        raise CommandRefused(
            f"{command.stream} has changed in the meantime, so {nothing}. Check the order, then repeat the command."
        )
    if result.kind == "bad":
        raise UsageError(f"{result.pointer}: {result.message}" if result.pointer else result.message)
    if result.kind in ("unknown", "unavailable"):
        raise Unavailable(f"{result.message} (command id {command.command_id})")
    order = result.order
    if as_json:
        answer: dict[str, Any] = {
            "outcome": result.kind,
            "command_id": command.command_id,
            "replayed": outcome.kind == "duplicate",
            "rule": result.rule,
            "because": result.message or None,
            "verdict": None if result.verdict is None else verdict_data(result.verdict),
            "events": [type(event).__name__ for event, _ in result.events],
        }
        if order is not None and order.exists:
            head = None if result.commit_position is None else result.commit_position.hash
            answer["order"] = show(order, head, order.recorded_at)
        print_json(answer)
    elif result.kind == "refused":
        _print_refusal(result.message, result.rule, result.verdict)
    else:
        out = console()
        out.print(
            f"done (command id {command.command_id}):" if result.events else "nothing to do: this has already been done"
        )
        from infra.cli.order_text import event_text

        for event, _ in result.events:
            out.print(plain(f"  {event_text(type(event).__name__, event_data(event), order)}"))
    return EXIT_NO if result.kind == "refused" else 0
