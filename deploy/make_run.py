"""What `make run` runs: the engine with the demo marketplace, in the foreground of the terminal.

    python deploy/make_run.py DATA HOST PORT

`make` dies of a ctrl-C in its own terminal, with exit code 130, however well the engine ends. So the engine becomes the
terminal's foreground job, as a shell makes one of a command, and `make` sees only that it ended.
"""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

ENDED_BY_SIGNAL = {sign for number in (signal.SIGINT, signal.SIGTERM) for sign in (128 + number, -number)}
"""Exit codes of an engine that was ended before it listened: nothing went wrong."""


def main(data: str, host: str, port: int) -> int:
    """Start the engine and wait for its end; returns the exit code."""
    if port and not _is_free(host, port):
        free = next((each for each in range(port + 1, 65_536) if _is_free(host, each)), 0)
        settings = [("PORT", str(free), ""), ("HOST", host, "127.0.0.1"), ("DATA", data, "var")]
        shown = " ".join(f"{name}={shlex.quote(value)}" for name, value, default in settings if value != default)
        print(f"make run: port {port} is taken on {host}. Type: make run {shown}", file=sys.stderr)
        return 3
    journal = Path(data).resolve() / "journal"
    journal.parent.mkdir(parents=True, exist_ok=True)
    rescind = str(Path(sys.executable).with_name("rescind"))
    code = _foreground(
        [rescind, "serve", "--demo", "--journal", f"sqlite:///{journal}", "--host", host, "--port", str(port)],
        f"make run: the store is {journal.parent}; ctrl-C ends the engine",
    )
    return 0 if code in ENDED_BY_SIGNAL else code


def _is_free(host: str, port: int) -> bool:
    """Whether a server can listen there. Another obstacle than a taken port is left to the engine to explain."""
    from infra.server.binding import NotFree, NotHere, bind

    try:
        for each in bind(host, port):
            each.close()
    except NotFree:
        return False
    except NotHere:
        return True
    return True


def _foreground(command: list[str], started: str) -> int:
    """Run a command as the foreground job of the terminal; without a terminal, as a plain child.

    ``started`` is printed as soon as a ctrl-C reaches the command alone. Returns the command's exit code.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        terminal = -1
    if terminal < 0 or os.tcgetpgrp(terminal) != os.getpgrp():
        child = subprocess.Popen(command)
        signal.signal(signal.SIGINT, lambda *_: None)  # the child, of the same process group, gets it too
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        print(started, flush=True)
        return child.wait()
    child = subprocess.Popen(command, process_group=0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: child.send_signal(number))
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # so that the terminal can be taken back from the background
    os.tcsetpgrp(terminal, child.pid)
    print(started, flush=True)
    while True:
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        os.tcsetpgrp(terminal, os.getpgrp())
        if not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status)
        os.killpg(0, signal.SIGTSTP)  # ctrl-Z: `make` stops as well, and the shell is back
        if os.tcgetpgrp(terminal) == os.getpgrp():
            os.tcsetpgrp(terminal, child.pid)
        os.killpg(child.pid, signal.SIGCONT)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    except KeyboardInterrupt:
        sys.exit(0)
