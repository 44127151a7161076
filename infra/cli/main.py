"""The entry point of `rescind`. An error becomes one sentence and an exit code.

Exit codes: 0 done, 1 the answer is no or a check failed, 2 usage, 3 unavailable, 130 ctrl-C, 141 the output's reader is
gone, 143 SIGTERM. Signals and outputs are set up before anything else is imported.
"""

import sys
from typing import NoReturn

from infra.cli.exits import (
    EXIT_INTERRUPTED,
    EXIT_NOBODY_READS,
    EXIT_TERMINATED,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    Terminated,
    explain,
)
from infra.cli.signals import ENDING
from infra.cli.standard_streams import CLOSED, NobodyReads, OutputLost, open_outlets, visible


def main() -> NoReturn:
    """Run the command of this process and exit; the console script calls this."""
    answers = open_outlets()
    ENDING.begin()
    try:
        code = run(sys.argv[1:]) if answers else _closed()
        ENDING.end()
    except (KeyboardInterrupt, Terminated):  # a signal between two statements
        ENDING.end()
        code = ENDING.code or 0
    sys.exit(code)


def _closed() -> int:
    sys.stderr.write(f"rescind: {CLOSED}\n")
    return EXIT_UNAVAILABLE


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        ENDING.heard()
        return EXIT_INTERRUPTED
    except Terminated:
        ENDING.heard()
        return EXIT_TERMINATED
    except NobodyReads:
        return EXIT_NOBODY_READS
    except OutputLost as lost:
        sys.stderr.write(f"rescind: {lost}\n")
        return EXIT_UNAVAILABLE


def _run(arguments: list[str]) -> int:
    import click

    from infra.cli.commands import cli

    try:
        code = cli.main(arguments, prog_name="rescind", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as wrong:
        wrong.show()
        return EXIT_USAGE
    except click.Abort:
        return ENDING.code or EXIT_INTERRUPTED
    except (NobodyReads, OutputLost):
        raise
    except Exception as wrong:
        if ENDING.code is not None:  # a library replaced the signal's exception
            ENDING.heard()
            return ENDING.code
        found = explain(wrong)
        if found is None:
            raise
        code, sentence = found
        sys.stderr.write(f"rescind: {visible(sentence)}\n")
    return code if isinstance(code, int) else 0
