"""The commands by name; a command's module is imported when it is called."""

from importlib import import_module
from typing import Final

import click

from infra.cli.groups import Group

# name: (module, attribute, what it does)
SUBCOMMANDS: Final[dict[str, tuple[str, str, str]]] = {
    "serve": ("serve", "serve", "Run everything in one process: HTTP, pages, engine, views."),
    "import": ("importing", "import_", "Import past orders from a commands file or the Olist data set."),
    "order": ("order", "order", "Show an order, and carry out commands on it."),
    "policy": ("policy", "policy", "List, show, explain, compare and publish policies."),
    "seller": ("seller", "seller", "Show a seller's cancellation rate, limit and counts."),
    "reasons": ("reasons", "reasons", "List reasons for cancellations and map them to other companies' codes."),
    "whatif": ("whatif", "whatif", "Find out what would have happened under another policy."),
    "notices": ("notices", "notices", "List, show and resend notifications."),
    "contacts": ("contacts", "contacts", "Manage the contacts of buyers and sellers."),
    "deadlines": ("deadlines", "deadlines", "List deadlines."),
    "journal": ("journal", "journal", "Show the journal's contents and size."),
    "topics": ("topics", "topics", "Create and check the Kafka topics."),
    "replay": ("replay", "replay", "Rebuild every view from the journal, or compare them with it."),
    "dead-letters": ("dead_letters", "dead_letters", "List what could not be read, shown or published, and retry it."),
    "doctor": ("doctor", "doctor", "Check the whole store, and say what to do about problems."),
}


class LazyGroup(Group):
    """A group that imports the module of a command when the command is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        module, attribute, _ = SUBCOMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"infra.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, _, what) in SUBCOMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", metavar="FILE", help="Settings file (TOML); default: the one in RESCIND_CONFIG.")
@click.option(
    "--journal", metavar="URL", help="The journal: sqlite:///DIR[?partitions=N], kafka://HOST:PORT/PREFIX, or memory:"
)
@click.option("--views", metavar="URL", help="The views: sqlite:///FILE, postgresql://…, or memory:")
@click.version_option(package_name="rescind", message="rescind %(version)s")
def cli(config: str | None, journal: str | None, views: str | None) -> None:
    """Decide order cancellations, and give the reason.

    Every command also takes --config, --journal and --views. Every setting is also an environment variable RESCIND_….
    """
