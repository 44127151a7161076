"""The page of the command line: every command with its arguments and options, as `--help` has them."""

import re

import click

from docs.pages.text import NOTE
from infra.cli.commands import SUBCOMMANDS, cli

SHARED = ("config", "journal", "views", "help")
"""Options that every command has. The page lists them once."""
BAR = "\\|"
"""An escaped bar for a cell of a table."""
EXITS = (
    ("0", "done; the answer is yes; no fault was found"),
    ("1", "the answer is no, or a check failed: a refusal, bad lines in an import, views that differ, a fault"),
    (
        "2",
        "a usage error: an unknown option, an invalid setting, a file that does not exist or may not be written",
    ),
    ("3", "unavailable: no journal, a log that lost something, no space for the answer; the error says what to do"),
    ("130, 143", "ended by ctrl-C, by SIGTERM; a listening server that gets SIGTERM exits with 0"),
    ("141", "neither yes nor no: the reader of the output closed it early (`| head`), as SIGPIPE ends a program"),
)


def cli_page() -> str:
    """Write the page with every command, in the order of `rescind --help`."""
    lines = [
        "# Command line",
        "",
        NOTE.format(source="`infra/cli/`"),
        "",
        "`--json` prints data as JSON on standard output ([orders as JSON](orders.md)). Errors are one sentence on",
        "standard error that says what to do next. `ORDER` is `marketplace/order_id`, `TIME` is RFC 3339 with offset,",
        "or `now`.",
        "",
        "A subcommand of `rescind order` that gives a [command](commands.md) first shows what it would do, and asks.",
        "`--yes` skips the question, `--preview` ends after the preview. Without a terminal, `--yes` is needed. The",
        "preview of a command that would be refused exits with 1. `PlaceOrder` has no subcommand.",
        "",
        "| exit code | |",
        "|---|---|",
        *(f"| {code} | {meaning} |" for code, meaning in EXITS),
        "",
        "Every command accepts these options, before or after its name:",
        "",
    ]
    root = click.Context(cli, info_name="rescind")
    lines += _options([p for p in cli.params if p.name in SHARED])
    for name in SUBCOMMANDS:
        command = cli.get_command(root, name)
        assert command is not None
        lines += _command(command, click.Context(command, info_name=name, parent=root))
    return "\n".join(lines).rstrip() + "\n"


def _command(command: click.Command, context: click.Context, depth: int = 2) -> list[str]:
    """Write a command's section, and those of its subcommands."""
    arguments = " ".join(p.make_metavar(context) for p in command.params if isinstance(p, click.Argument))
    lines = ["", f"{'#' * depth} {context.command_path.removeprefix('rescind ')}", ""]
    lines += [_text(command.help or ""), ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            lines += _command(inner, click.Context(inner, info_name=name, parent=context), depth + 1)
        return lines
    lines += ["```text", f"{context.command_path} [OPTIONS] {arguments}".rstrip(), "```", ""]
    if command.epilog:
        example = command.epilog.partition("Example:")[2].strip()
        lines += ["Example:", "", "```text", example, "```", ""]
    return lines + _options([p for p in command.params if p.name not in SHARED])


def _options(parameters: list[click.Parameter]) -> list[str]:
    found = [p for p in parameters if isinstance(p, click.Option)]
    if not found:
        return []
    context = click.Context(cli)
    rows = []
    for option in found:
        names, text = option.get_help_record(context) or (option.opts[0], "")
        rows.append(f"| `{names.replace('|', BAR)}` | {_text(text).replace('|', BAR)} |")
    return ["| option | |", "|---|---|", *rows]


def _text(text: str) -> str:
    return re.sub(r"[ \t]*\n[ \t]*", "\n", text).strip()
