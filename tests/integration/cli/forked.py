"""`rescind` without the half second that loading it takes: a server loads it once and forks for each call.

Each call is a process of its own with the caller's arguments, environment, folder, input and outputs, and runs the very
function that the console script runs. ``serving`` starts the server and gives the command to call.
"""

import array
import json
import os
import pathlib
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory

HERE = pathlib.Path(__file__)
LOADED = (
    "holidays.countries",
    "infra.app",
    "infra.cli.commands",
    "infra.cli.importing",
    "infra.cli.main",
    "infra.cli.order",
    "infra.cli.policy",
    "infra.importing.pipeline",
    "infra.projection.runner",
)
"""``holidays.countries`` has a module for each country, which every call that needs a calendar would load anew."""
CLIENT = """
import array, json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
request = json.dumps([sys.argv[2:], dict(os.environ), os.getcwd()]).encode()
server.sendmsg([len(request).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
server.sendall(request)
code = server.recv(1)
sys.exit(code[0] if code else 70)
"""


@contextmanager
def serving() -> Iterator[str]:
    """Start the server, and yield the command line that replaces ``rescind`` while it runs."""
    with TemporaryDirectory(prefix="rescind-") as place:  # a socket's path must be short
        yield from _serving(pathlib.Path(place))


def _serving(place: pathlib.Path) -> Iterator[str]:
    client, address = place / "client.py", place / "socket"
    client.write_text(CLIENT, encoding="utf-8")
    server = subprocess.Popen(
        [sys.executable, str(HERE), str(address)], stdout=subprocess.PIPE, cwd=HERE.parents[3], text=True
    )
    assert server.stdout is not None
    try:
        assert server.stdout.readline() == "ready\n"
        yield shlex.join([sys.executable, "-I", "-S", str(client), str(address)])
    finally:
        server.terminate()
        server.wait(30)
        server.stdout.close()


def serve(address: str) -> None:
    """Fork for each call until terminated."""
    from importlib import import_module

    for name in LOADED:
        import_module(name)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen(64)
    print("ready", flush=True)
    while True:
        call, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            os._exit(_answer(call))
        call.close()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _answer(call: socket.socket) -> int:
    """Run one call in a child of this process, and send the caller its exit code."""
    size, rights, _, _ = call.recvmsg(4, socket.CMSG_SPACE(12))
    outlets = array.array("i", rights[0][2])
    request = b""
    while len(request) < int.from_bytes(size, "big"):
        request += call.recv(65_536)
    arguments, environment, folder = json.loads(request)
    child = os.fork()
    if child == 0:
        call.close()
        for number, outlet in enumerate(outlets):
            os.dup2(outlet, number)
            os.close(outlet)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        os._exit(_run(arguments))
    for outlet in outlets:
        os.close(outlet)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    call.sendall(bytes([code if code >= 0 else 128 - code]))
    return 0


def _run(arguments: list[str]) -> int:
    from infra.cli.main import main

    sys.argv = ["rescind", *arguments]
    try:
        main()
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
