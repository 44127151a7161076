"""Groups whose subcommands are declared in ``order_actions``; a subcommand is built when it is needed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from infra.cli.groups import Group
from infra.cli.options import as_json, stored
from infra.cli.order_actions import ACTIONS, GROUPS, Action, action_of

if TYPE_CHECKING:
    from infra.settings import Settings


def named(command: click.decorators.FC) -> click.decorators.FC:
    """Add the argument ORDER and the option --po, either of which names the order."""
    command = click.option("--po", metavar="NUMBER", help="Find the order by its purchase-order number.")(command)
    return click.argument("order", required=False)(command)


class ActionGroup(Group):
    """A group of declared subcommands, and of those that are added to it.

    ``words``: the words before the subcommand's own. ``default``: the subcommand that is meant if the first word is
    none.
    """

    def __init__(self, *args: Any, words: tuple[str, ...] = (), default: str | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._words = words
        self._default = default
        self._built: dict[str, click.Command] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands, sorted."""
        declared = {action.words[len(self._words)] for action in ACTIONS if self._has(action)}
        return sorted({*super().list_commands(ctx), *declared})

    def _has(self, action: Action) -> bool:
        return len(action.words) > len(self._words) and action.words[: len(self._words)] == self._words

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand: one that was added, else a declared one."""
        added = super().get_command(ctx, cmd_name)
        if added is not None:
            return added
        if cmd_name not in self._built:
            words = (*self._words, cmd_name)
            action = action_of(words)
            if action is not None:
                self._built[cmd_name] = _command(action)
            elif cmd_name in GROUPS and not self._words:
                self._built[cmd_name] = ActionGroup(cmd_name, words=words, help=GROUPS[cmd_name])
        return self._built.get(cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default subcommand before what is none."""
        is_help = bool(args) and args[0] in ctx.help_option_names
        if self._default is not None and args and not is_help and args[0] not in self.list_commands(ctx):
            args = [self._default, *args]
        return super().parse_args(ctx, args)


def _command(action: Action) -> click.Command:
    """Build the subcommand of an action."""
    from infra.cli.order_options import options_of

    def carry_out(
        settings: "Settings",
        order: str | None,
        po: str | None,
        actor: str,
        command_id: str | None,
        preview: bool,
        yes: bool,
        as_json: bool,
        **fields: Any,
    ) -> int:
        from infra.cli.order import chosen
        from infra.cli.order_command import Given, run_action
        from infra.store.reader import open_reader

        reader = open_reader(settings)
        try:
            stream = chosen(reader, order, po)
        except BaseException:
            reader.close()
            raise
        return run_action(settings, stream, reader, action, Given(actor, fields, command_id, yes, preview, as_json))

    run: Callable[..., Any] = stored(carry_out)
    built = click.command(
        action.words[-1], help=action.text, epilog=f"\b\nExample:\n  {action.whole_example}", short_help=action.text
    )(named(_last(run)))
    where = next(n for n, param in enumerate(built.params) if param.name == "command_id")
    built.params[where:where] = [_as(action), *options_of(action)]
    return built


def _as(action: Action) -> click.Option:
    who = "buyer, seller, support:YOUR-ID or system:NAME."
    return click.Option(["--as", "actor"], metavar="KIND[:ID]", default=action.actor, show_default=True, help=who)


def _last(run: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every subcommand has after its own."""
    for option in reversed(_LAST):
        run = option(run)
    return run


_LAST: Final = (
    click.option(
        "--command-id", metavar="ID", help="Id of the command; repeat it for a retry, and it is carried out only once."
    ),
    click.option("--preview", is_flag=True, help="Only show what it would do."),
    click.option("--yes", is_flag=True, help="Do not ask for confirmation."),
    as_json,
)
