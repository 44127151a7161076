"""Every command by its name, loaded when it is called."""

from importlib import import_module
from typing import Final

import click

# name: (module, attribute, what it does)
SUBCOMMANDS: Final[dict[str, tuple[str, str, str]]] = {
    "serve": ("serve", "serve", "Everything in one process: HTTP, pages, engine, views."),
    "import": ("importing", "import_", "Import history: a commands file, or the Olist folder."),
    "order": ("order", "order", "Ask about an order, or cancel it."),
    "policy": ("policy", "policy", "The policies in force: list, show, explain, compare, publish."),
    "seller": ("seller", "seller", "A seller's standing: counts, rate, limit, window."),
    "reasons": ("reasons", "reasons", "Reasons of cancellations, and other houses' codes for them."),
    "whatif": ("whatif", "whatif", "What would have happened under another policy."),
    "notices": ("notices", "notices", "Who was told what: list, show, send again."),
    "contacts": ("contacts", "contacts", "Where buyers and sellers are reached."),
    "deadlines": ("deadlines", "deadlines", "What falls due."),
    "journal": ("journal", "journal", "What stands in the journal."),
    "topics": ("topics", "topics", "The Kafka topics of a journal: make them, check them."),
    "replay": ("replay", "replay", "Rebuild every view from the journal, or compare them with it."),
    "dead-letters": ("dead_letters", "dead_letters", "What could not be read, told or published."),
    "doctor": ("doctor", "doctor", "Is everything in order, and if not, what to do."),
}


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own, imported when they are needed."""

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
@click.option("--config", metavar="FILE", help="Settings file (TOML); otherwise RESCIND_CONFIG names it.")
@click.option(
    "--journal", metavar="URL", help="The journal: sqlite:///DIR[?partitions=N], kafka://HOST:PORT/PREFIX, or memory:"
)
@click.option("--views", metavar="URL", help="The views: sqlite:///FILE, postgresql://…, or memory:")
@click.version_option(package_name="rescind", message="rescind %(version)s")
def cli(config: str | None, journal: str | None, views: str | None) -> None:
    """Decides order cancellations, and says why.

    Every command takes --config, --journal and --views too; every setting is also an environment variable RESCIND_….
    """
