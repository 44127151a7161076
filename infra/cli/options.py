"""Options that many commands share: the store, JSON or text, instants, orders."""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import click

from domain.instants import Instant, parse_instant
from infra.cli.exits import UsageError

Run = Callable[..., Any]


def stored(command: Run) -> Run:
    """Add --config, --journal and --views to a command; its function gets ``settings``."""

    @click.option("--config", metavar="FILE", help="Settings file (TOML).")
    @click.option("--journal", metavar="URL", help="The journal.")
    @click.option("--views", metavar="URL", help="The views.")
    @click.pass_context
    @wraps(command)
    def wrapped(
        ctx: click.Context, /, config: str | None, journal: str | None, views: str | None, **options: Any
    ) -> Any:
        from infra.cli.printing import say
        from infra.settings import load_settings, unknown_variables

        before = ctx.find_root().params
        given = {**options, "journal": journal or before.get("journal"), "views": views or before.get("views")}
        _check_text(ctx.command.params, given)
        more = {name: options.pop(name) for name in ("host", "port") if name in options}
        settings = load_settings(
            config or before.get("config"),
            journal=given["journal"],
            views=given["views"],
            **more,
        )
        for stranger in unknown_variables(os.environ):
            say(f"rescind: {stranger}")
        return command(settings=settings, **options)

    return wrapped


def _check_text(params: list[click.Parameter], values: dict[str, Any]) -> None:
    """UsageError for an argument with bytes that are not UTF-8; only the name of a file may have them."""
    for param in params:
        value = values.get(param.name or "")
        is_file = param.name == "file" or "FILE" in (param.metavar or "")
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not is_file and not text.startswith("sqlite:"):
                _check_utf8(text)


def _check_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        written = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise UsageError(f"{written} is not UTF-8") from None


as_json: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


class InstantType(click.ParamType[Instant]):
    """An RFC 3339 time with offset, or ``now``."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Instant:
        if isinstance(value, int):
            return value
        if value == "now":
            from infra.runtime.clock import clock

            return clock()
        try:
            return parse_instant(value)
        except ValueError as wrong:
            self.fail(f"{value!r}: {wrong}", param, ctx)


INSTANT: Final = InstantType()


def check_period(since: Instant | None, until: Instant | None) -> None:
    """UsageError if ``--until`` is not after ``--since``."""
    if since is not None and until is not None and until <= since:
        raise UsageError("the period is empty: --until must be after --since")


def stream_of(order: str) -> str:
    """Check that an order is written ``marketplace/order_id``; UsageError if it is not."""
    marketplace, slash, order_id = order.partition("/")
    if not slash or not marketplace or not order_id or "/" in order_id:
        raise UsageError(f"{order!r} does not name an order: write marketplace/order_id, or use --po NUMBER")
    return order
