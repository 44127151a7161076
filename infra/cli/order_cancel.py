"""`rescind order cancel`: shows a preview, asks for confirmation, carries out the command."""

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from infra.cli.exits import EXIT_NO, CommandRefused, Unavailable, UsageError
from infra.cli.printing import console, money, plain, print_json, say

if TYPE_CHECKING:
    from consumers.engine.order_cache import CachedOrder
    from consumers.engine.outcome import Outcome
    from domain.commands import Command
    from domain.preview import Preview
    from infra.settings import Settings
    from infra.store.reader import Reader

_PICK: Final = re.compile(r"([0-9]{1,18})(?::([0-9]{1,18}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class CancelOptions:
    """The options of `rescind order cancel`, as given."""

    actor: str
    lines: tuple[str, ...]
    reason: str | None
    rule: str | None
    request_id: str | None
    command_id: str | None
    yes: bool
    as_json: bool


def run_cancel(settings: "Settings", stream: str, reader: "Reader", given: CancelOptions) -> int:
    """Show a preview of the cancellation, ask, and carry it out. Returns the exit code. Closes ``reader`` first."""
    from domain.preview import Confirmation
    from infra.app import AppOptions, open_app
    from infra.cli.order import nowhere
    from infra.runtime.clock import clock

    try:
        folded = reader.folded(stream)
        if folded.order is None or not folded.order.exists:
            raise nowhere(reader, stream)
        command = _command(folded, given)
        again = command.command_id in folded.answered
        shown = None if again else previewed(reader, folded, command, clock())
    finally:
        reader.close()
    if shown is not None and shown.refused is None:
        _print_preview(stream, shown)
        if not given.yes and given.command_id is None:
            final = "a cancellation cannot be undone" if shown.cancels else "the request will wait for an answer"
            if not sys.stdin.isatty():
                raise UsageError(f"{final}. Add --yes to carry it out without being asked.")
            click.confirm(f"{final.capitalize()}. Carry it out?", abort=True, err=True)
    with open_app(settings, AppOptions(create=False)) as app:
        app.catch_up()
        confirm = None
        if shown is not None:
            market, book = settings.market(command.marketplace), lambda: app.engine.control.book
            confirm = Confirmation(shown.confirmation or "nothing to confirm", book, market, everybody=True)
        outcome = app.engine.submit(command, confirm=confirm).result(settings.answer_within)
        if app.views is not None:
            app.views.catch_up(settings.answer_within)
    return _answer(outcome, command, given.as_json)


def _command(folded: "CachedOrder", given: CancelOptions) -> "Command":
    from domain.commands import parse_command
    from infra.store.opening import new_id

    order = folded.order
    assert order is not None
    kind, _, name = given.actor.partition(":")
    own = {"buyer": order.terms.buyer_id, "seller": order.terms.seller_id}
    if kind not in ("buyer", "seller", "support"):
        raise UsageError(f"--as {given.actor}: write buyer, seller or support:YOUR-ID")
    if not name and kind not in own:
        raise UsageError("--as support needs your id: --as support:YOUR-ID")
    if given.rule is not None and kind != "support":
        raise UsageError(f"--rule needs --as support:YOUR-ID. A {kind} cannot choose the rule.")
    if given.request_id is not None and kind != "buyer":
        raise UsageError(f"--request-id needs --as buyer. A {kind} cancels without a request.")
    fresh = new_id().hex()[:12]
    body: dict[str, Any] = {
        "command": "RequestCancel" if kind == "buyer" else "CancelLines",
        "command_id": given.command_id or f"cli-{fresh}",
        "marketplace": order.marketplace,
        "order_id": order.order_id,
        "actor": {"kind": kind, "id": name or own[kind]},
    }
    if kind == "buyer":
        body["request_id"] = given.request_id or f"request-{given.command_id or fresh}"
    if given.lines:
        body["lines"] = [_pick(line) for line in given.lines]
    body |= {key: value for key, value in (("reason", given.reason), ("rule", given.rule)) if value is not None}
    return parse_command(body)


def _pick(text: str) -> dict[str, int]:
    found = _PICK.fullmatch(text)
    if found is None:
        raise UsageError(f"--line {text[:100]}: write the line's number, or NUMBER:QUANTITY")
    number, quantity = found.groups()
    return {"line": int(number), **({"quantity": int(quantity)} if quantity else {})}


def previewed(reader: "Reader", folded: "CachedOrder", command: "Command", now: int) -> "Preview":
    """Preview what the command would do now; the same preview as over HTTP."""
    from domain.preview import preview

    assert folded.order is not None
    partition, market = reader.partition(folded.stream), reader.settings.market(command.marketplace)
    closed_at = reader.imports(partition).closed_at(partition, command.marketplace)
    return preview(folded.order, command, reader.book, market, now, closed_at)


def _print_preview(stream: str, preview: "Preview") -> None:
    """Print the preview to standard error; standard output is for the answer."""
    out = console(stderr=True)
    out.print(plain(f"{stream}: {preview.sentence()}"))
    if preview.refund:
        currency = preview.order.terms.currency
        out.print(plain(f"{money(preview.refund, currency)} {currency} will be refunded to the buyer."))


def _answer(outcome: "Outcome", command: "Command", as_json: bool) -> int:
    from domain.order_json import show
    from schemas.codec import event_data, verdict_data

    result = outcome.effective
    if result.rule == "cancel-is-final" and result.commit_position is None:
        raise CommandRefused(
            f"{command.stream} has changed in the meantime, so nothing was canceled. "
            "Check the order, then repeat the command."
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
        verdict = result.verdict
        say(f"rescind: no: {result.message} (rule {result.rule})")
        for other in verdict.instead if verdict is not None else ():
            say(f"  Instead: {other.text}")
        if result.rule == "not-yours":
            say("  Instead: Name the order's own buyer or seller with --as, or leave out the id.")
    else:
        out = console()
        out.print(
            f"done (command id {command.command_id}):" if result.events else "nothing to do: this has already been done"
        )
        from infra.cli.order_text import event_text

        for event, _ in result.events:
            out.print(plain(f"  {event_text(type(event).__name__, event_data(event), order)}"))
    return EXIT_NO if result.kind == "refused" else 0
