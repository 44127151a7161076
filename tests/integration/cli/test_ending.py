"""A signal that ends a command is never lost, at any moment, and sets the exit code."""

import pathlib
import subprocess
import sys

import pytest

from tests.integration.cli.driving import CTRL_C, TERM, Done, ended

DOOR = """
import os
import infra.cli.commands as commands
from infra.cli.signals import ENDING
from infra.cli.main import main
from threading import Event

def wait(what):
    os.write(1, what.encode() + b"\\n")
    Event().wait(60)

{body}

commands.cli.main = lambda *_, **__: command()
main()
"""

LOST_BY_THE_INTERPRETER = """
import weakref

class Thing: ...

def command():
    thing = Thing()
    watched = weakref.ref(thing, lambda _: wait("here"))
    del thing  # what is raised in the callback is printed, and all goes on
    Event().wait(60)
    print("went on to its end")
"""
SWALLOWED_BY_A_LIBRARY = """
def command():
    try:
        wait("here")
    except BaseException:
        pass
    Event().wait(60)
    print("went on to its end")
"""
MADE_INTO_SOMETHING_ELSE = """
def command():
    try:
        wait("here")
    except BaseException:
        raise ValueError("the schema is wrong") from None
"""
WHILE_A_MODULE_IS_LOADED = """
def command():
    import loading
    Event().wait(60)
    print("went on to its end")
"""
MODULE = """
import os
from infra.cli.signals import ENDING
from threading import Event

os.write(1, b"here\\n")
while ENDING.code is None:
    Event().wait(0.005)
print("loaded whole")
"""


def begun(body: str, place: pathlib.Path) -> "subprocess.Popen[bytes]":
    """The entry point with this command, once it has reached the point where it waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", DOOR.format(body=body)],
        env={"PYTHONPATH": str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    return process


@pytest.mark.parametrize(("number", "code"), [(TERM, 143), (CTRL_C, 130)])
@pytest.mark.parametrize("body", [LOST_BY_THE_INTERPRETER, SWALLOWED_BY_A_LIBRARY, MADE_INTO_SOMETHING_ELSE])
def test_a_lost_signal_still_ends_the_command(tmp_path: pathlib.Path, body: str, number: int, code: int) -> None:
    assert ended(begun(body, tmp_path), number, timeout=30) == Done(code, "", "")


def test_a_signal_waits_until_a_module_is_loaded_whole(tmp_path: pathlib.Path) -> None:
    (tmp_path / "loading.py").write_text(MODULE, encoding="utf-8")
    assert ended(begun(WHILE_A_MODULE_IS_LOADED, tmp_path), TERM, timeout=30) == Done(143, "loaded whole\n", "")


def test_a_second_ctrl_c_breaks_off_the_ending_and_a_second_sigterm_does_not(tmp_path: pathlib.Path) -> None:
    body = """
def command():
    try:
        wait("here")
    finally:
        wait("closing")
"""
    process = begun(body, tmp_path)
    assert process.stdout is not None
    process.send_signal(TERM)
    assert process.stdout.readline() == b"closing\n"
    process.send_signal(TERM)
    assert ended(process, CTRL_C, timeout=30).code == 143


def test_a_background_command_of_a_shell_is_not_ended_by_ctrl_c(tmp_path: pathlib.Path) -> None:
    body = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does it, before anything runs

def command():
    wait("here")
"""
    process = begun(body, tmp_path)
    process.send_signal(CTRL_C)
    assert ended(process, TERM, timeout=30).code == 143
