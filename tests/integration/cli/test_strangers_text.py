"""Text from strangers commands no terminal and no spreadsheet."""

import json
import os
import pty
import re
import subprocess
import unicodedata
from collections.abc import Iterator

import click
import pytest

from infra.cli.commands import cli
from infra.cli.options import InstantType
from infra.cli.standard_streams import visible
from infra.documents.csv_cells import safe_cell
from tests.integration.cli.driving import RESCIND, Body, Store, placed, requests_cancel

CSI, OVERRIDE, ISOLATE, MARK = "\x9b", "\u202e", "\u2066", "\u200f"
TITLE = f"Lamp {CSI}31m red {OVERRIDE}evil{ISOLATE} [bold]{MARK}"


def order() -> Body:
    whole = placed("PO-1", policy="general-store", po_number=f"4711{OVERRIDE}0815", seller_id=f"s{CSI}2J")
    return {**whole, "lines": [{**whole["lines"][0], "title": TITLE, "sku": f"A{OVERRIDE}1"}]}


def _leaves(group: click.Group, way: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    with click.Context(group) as ctx:
        for name in group.list_commands(ctx):
            command = group.get_command(ctx, name)
            assert command is not None
            if isinstance(command, click.Group):
                yield from _leaves(command, (*way, name))
            else:
                yield (*way, name), command


def _with_broken(command: click.Command) -> Iterator[list[str]]:
    """Arguments of a command: each text in turn with a byte that is not UTF-8, everything else as it may be."""
    arguments = [param for param in command.params if isinstance(param, click.Argument)]
    texts = [
        p
        for p in command.params
        if p.type is click.STRING and p.name != "how" and not (p.name == "file" or "FILE" in (p.metavar or ""))
    ]
    for broken in texts:
        plain = [_value(param, param is broken) for param in arguments if param.required or param is broken]
        more = [] if broken in arguments else [broken.opts[-1], _value(broken, True)]
        needed = [p for p in command.params if isinstance(p, click.Option) and p.required and p is not broken]
        yield [
            *more,
            *(part for p in needed for part in (p.opts[-1], *([] if p.is_flag else [_value(p, False)]))),
            *plain,
        ]


def _value(param: click.Parameter, broken: bool) -> str:
    if isinstance(param.type, click.Choice):
        return str(next(iter(param.type.choices)))
    if isinstance(param.type, InstantType):
        return "now"
    return "acme/\udcff" if broken else "acme/x"


def test_an_argument_that_is_not_utf_8_is_a_mistake_in_usage(store: Store) -> None:
    """It had been a traceback and exit code 1, which means that the answer is no."""
    store.take([placed("PO-1")])
    tried = 0
    for way, command in _leaves(cli):
        if way == ("reasons", "map"):
            continue  # reports that it knows no such reason
        for arguments in _with_broken(command):
            done = store.rescind(*way, *arguments, check=2)
            assert "acme/\\xff is not UTF-8" in done.err, (way, arguments, done.err)
            tried += 1
    assert tried > 50


def in_a_terminal(store: Store, *arguments: str) -> str:
    """The command's output on a terminal, standard error included."""
    terminal, side = pty.openpty()
    environment = {**store.environment, "TERM": "xterm-256color"}
    done = subprocess.Popen(
        [RESCIND, *arguments], env=environment, stdin=side, stdout=side, stderr=side, close_fds=True
    )
    os.close(side)
    read = b""
    while True:
        try:
            block = os.read(terminal, 65_536)
        except OSError:  # the other side is closed
            break
        if not block:
            break
        read += block
    os.close(terminal)
    done.wait(60)
    return read.decode("utf-8")


def hidden(text: str) -> set[str]:
    """Names of the characters that command a terminal or turn the reading direction, but for styles."""
    unstyled = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return {
        f"U+{ord(each):04X}"
        for each in unstyled
        if (unicodedata.category(each) == "Cc" and each not in "\n\t\r")
        or unicodedata.bidirectional(each) in {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
        or each in "\u061c\u200e\u200f"
    }


COMMANDS = (
    ("order", "show", "acme/PO-1"),
    ("order", "show", "acme/PO-1", "--json"),
    ("order", "show", "--po", f"47{CSI}11\x1b[2J"),
    ("reasons", "export", "ebay"),
)


def test_a_strangers_text_commands_no_terminal(store: Store) -> None:
    store.take([order(), requests_cancel("PO-1", "2026-03-02T11:00:00Z")])
    for arguments in COMMANDS:
        output = in_a_terminal(store, *arguments)
        assert len(output) > 20, arguments
        assert hidden(output) == set(), arguments


def test_a_json_answer_is_unchanged(store: Store) -> None:
    store.take([order()])
    (line,) = json.loads(store.rescind("order", "show", "acme/PO-1", "--json", own_process=True).out)["lines"]
    assert line["title"] == TITLE


def test_control_characters_of_a_terminal_are_made_visible() -> None:
    assert visible(f"a{CSI}b{OVERRIDE}c\x1b\x07\td\n") == "a\\u009bb\\u202ec\\u001b\\u0007\td\n"
    assert visible("Größe 4 – 日本 עברית") == "Größe 4 – 日本 עברית"


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("=1", "'=1"),
        (" =1", "' =1"),
        ("red;=1", "red;'=1"),
        ("red; =1;-2", "red;' =1;'-2"),
        ("\u00a0=1", "'\u00a0=1"),
        ("\u200b+1", "'\u200b+1"),
        ('"=1', "'\"=1"),
        ("-5", "'-5"),
        ("\t1", "'\t1"),
        ("a\n=1", "a\n'=1"),
        ("a\r@x", "a\r'@x"),
        ("a|=1", "a|'=1"),
        ("＝1", "'＝1"),
    ],
)
def test_a_value_that_looks_like_a_formula_is_marked_in_the_csv(text: str, marked: str) -> None:
    assert safe_cell(text) == marked


@pytest.mark.parametrize("value", ["Lamp, -5 degrees", "a-b", "1;2", "", "x = 1", -5, None, 2.5])
def test_other_cells_stay_as_they_are(value: object) -> None:
    assert safe_cell(value) == value
