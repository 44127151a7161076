"""Every command that a message names can be run as printed."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from infra.cli.commands import cli

ROOT = Path(__file__).parents[3]
ROOMS = ("domain", "schemas", "projections", "consumers", "infra")
"""The shipped code."""
NAMED = re.compile(r"`(rescind [^`]*)`", re.DOTALL)
FILLED = "FILLED-IN"
"""Stands for what a message fills in."""


def texts(tree: ast.AST) -> Iterator[str]:
    """Every string of a module, with ``FILLED`` where a value is filled in."""
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else FILLED for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


def named() -> list[tuple[str, str]]:
    """Every command in a text of the shipped code, with its place and its words."""
    found = set()
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for text in texts(ast.parse(path.read_text(encoding="utf-8"))):
                for command in NAMED.findall(text):
                    found.add((str(path.relative_to(ROOT)), re.sub(r"\s+", " ", command)))
        for path in sorted((ROOT / room).rglob("*.html")):
            for command in NAMED.findall(path.read_text(encoding="utf-8")):
                found.add((str(path.relative_to(ROOT)), re.sub(r"\s+", " ", command)))
    return sorted(found)


def wrong_with(command: str) -> str | None:
    """Why a command cannot be run as it is written; None if it can."""
    _, *words = shlex.split(command)
    at: click.Command = cli
    while isinstance(at, click.Group):
        if not words or words[0] == "…":
            return None  # a group, named as such
        found = at.get_command(click.Context(at), words[0])
        if found is None:
            return f"there is no command {words[0]}"
        at = found
        words = words[1:]
    options = {name: param for param in at.params if isinstance(param, click.Option) for name in param.opts}
    arguments = [param for param in at.params if isinstance(param, click.Argument)]
    position = 0
    while words:
        word = words.pop(0)
        if word == "…":
            continue
        if word.startswith("--"):
            name, equals, _ = word.partition("=")
            option = options.get(name)
            if option is None:
                return f"{at.name} has no option {name}"
            if not option.is_flag and not equals and words:  # at the end the option itself is meant
                words.pop(0)
            continue
        if position >= len(arguments):
            return f"{at.name} takes no {word}"
        kind = arguments[position].type
        if isinstance(kind, click.Choice) and word not in (FILLED, "KIND") and word not in kind.choices:
            return f"{at.name} takes {', '.join(map(str, kind.choices))}, not {word}"
        if arguments[position].nargs == 1:
            position += 1
    return None


def test_every_command_that_a_message_names_is_one() -> None:
    found = named()
    assert len(found) > 40, "the commands were not found"
    wrong = {f"{where}: `{command}`": why for where, command in found if (why := wrong_with(command)) is not None}
    assert wrong == {}


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("rescind topics answer refunds --onwards", None),
        ("rescind topics answer FILLED-IN --from 0:17", None),
        ("rescind topics answer refund --onwards", "not refund"),
        ("rescind topics answer refunds --forwards", "no option --forwards"),
        ("rescind topic create", "no command topic"),
        ("rescind topics create now", "takes no now"),
    ],
)
def test_a_command_that_cannot_be_run_is_found(command: str, why: str | None) -> None:
    message = wrong_with(command)
    assert message == why if why is None else message is not None and why in message
