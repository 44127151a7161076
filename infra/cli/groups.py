"""Groups of commands that suggest what was meant where a command's name is unknown."""

from difflib import get_close_matches
from typing import Any

import click


class Group(click.Group):
    """A group that names the most similar command, or the usual one, if the first word is no command."""

    def __init__(self, *args: Any, usual: str | None = None, **options: Any) -> None:
        """``usual``: the command, with its options, that takes the first word of those who leave the command out."""
        super().__init__(*args, **options)
        self.usual = usual

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command. UsageError with a suggestion if there is none of this name."""
        name, *rest = args
        if name.startswith("-") or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        similar = get_close_matches(name, self.list_commands(ctx), 1)
        words = [*similar, *rest] if similar else [] if self.usual is None else [self.usual, *args]
        meant = f" Did you mean: {' '.join([ctx.command_path, *words])}?" if words else ""
        raise click.UsageError(f"No such command {name!r}.{meant}", ctx)
