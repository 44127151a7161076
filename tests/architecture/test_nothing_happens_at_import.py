"""Importing a module connects to nothing, opens nothing for writing, and starts nothing."""

import subprocess
import sys

from tests.architecture.planted import PACKAGES, ROOT

PROGRAM = """
import importlib, pkgutil, sys, threading

WATCHED = {"socket.connect", "socket.bind", "sqlite3.connect", "subprocess.Popen", "os.system", "os.fork", "os.mkdir"}
seen = []

def watch(event, args):
    if event in WATCHED or event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        seen.append((event, str(args)))

sys.addaudithook(watch)
count = 0
for package in sys.argv[1:]:
    within = pkgutil.walk_packages(importlib.import_module(package).__path__, package + ".")
    for name in [package, *(module.name for module in within)]:
        if not name.endswith("__main__"):
            importlib.import_module(name)
            count += 1
            assert seen == [], (name, seen)
            assert threading.active_count() == 1, (name, threading.enumerate())
print(count, "modules")
"""


def test_every_module_can_be_imported_and_does_nothing_by_it() -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", PROGRAM, *PACKAGES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" modules\n")
