"""Runs the bench as ``make bench`` does, in a process of its own."""

import subprocess
import sys

from tests.architecture.planted import ROOT
from tests.integration.cli.driving import Done, Store


def measure(store: Store, *arguments: object, check: int = 0) -> Done:
    """Run ``python -m tests.bench`` on a store's journal and views. ``check``: the exit code that is expected."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *map(str, arguments)],
        env=store.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == check, (done.returncode, done.stdout[-2000:], done.stderr[-4000:])
    return Done(done.returncode, done.stdout, done.stderr)
