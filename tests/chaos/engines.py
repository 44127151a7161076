"""Engines in processes of their own, each killed and started again at will."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OutputLine = tuple["Engine", int, list[Any] | None]
"""The engine, its life, and a line of its output; None: that life is over."""


class Engine:
    """One engine; ``life`` counts its starts. A thread puts its output on the queue."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        environment: Mapping[str, str],
        lines: queue.Queue[OutputLine],
        lives: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """``lives``: what is different of the environment in the next life."""
        self.name = name
        self.life = 0
        self.ready = False
        self.ending = False
        """Whether this life is meant to be over."""
        self._arguments = arguments
        self._environment = {**os.environ, **environment}
        self._lines = lines
        self._lives = lives
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        self.life += 1
        self.ready = self.ending = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.child", *self._arguments],
            cwd=ROOT,
            env={**self._environment, **self._lives()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process, self.life), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str], life: int) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith("]\n"):  # a line that a kill cut off does not count
                self._lines.put((self, life, json.loads(line)))
        self._lines.put((self, life, None))

    def send(self, line: list[Any]) -> None:
        """Send a command. A command that a dead process does not take is lost with it."""
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(line) + "\n")
        except BrokenPipeError:
            self.ready = False

    def kill(self) -> None:
        """Kill with -9. Its end is reported once all of its output was read."""
        assert self._process is not None
        self.ready, self.ending = False, True
        self._process.send_signal(signal.SIGKILL)

    def buried(self) -> int:
        """Take the dead process away; what it ended with."""
        assert self._process is not None and self._process.stdin is not None and self._process.stdout is not None
        code = self._process.wait(60)
        try:
            self._process.stdin.close()
        except BrokenPipeError:  # it left something unread
            self._process.stdin = None
        self._process.stdout.close()
        return code

    def finish(self) -> None:
        """Nothing more is asked; it ends by itself."""
        assert self._process is not None and self._process.stdin is not None
        self.ready, self.ending = False, True
        self._process.stdin.close()

    def destroy(self) -> None:
        """Kill it in whatever state it is."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
            self._process.wait(60)
        if self._reader is not None:
            self._reader.join(60)
