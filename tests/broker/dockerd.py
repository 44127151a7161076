"""A Docker engine of one's own, with the broker's image in it, while a command runs: ``python -m tests.broker.dockerd
COMMAND…``. It needs root and Debian's ``docker.io``, ``busybox-static``; no hub is contacted.

It touches nothing else on the machine: data, socket and pid file lie in a folder of its own, no packet filter is set
and no forwarding switched on, since its proxy carries what few bytes a broker's port has. It ends by its pid, and the
bridge that it made goes with it. If it cannot run, the command still runs, and RESCIND_NO_DOCKER gives its tests
the reason.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from tests.broker import image

TIMEOUT = 60.0
"""Seconds that it gets to answer."""
BRIDGE = "docker0"
_END_WITH_PARENT = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


class NoDocker(Exception):
    """Why there is no Docker engine here."""


class Dockerd:
    """An engine that answers when it is made."""

    def __init__(self) -> None:
        if not shutil.which("dockerd"):
            raise NoDocker("there is no dockerd on the PATH (Debian: apt-get install docker.io)")
        if os.geteuid() != 0:
            raise NoDocker("dockerd needs root")
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="rescind-dockerd-"))
        self._bridged = _has_bridge()
        self.host = f"unix://{self._folder}/docker.sock"
        self._log = self._folder / "log"
        places = ["data-root", "exec-root", "pidfile"]
        order = ["dockerd", "--host", self.host, *(f"--{each}={self._folder / each}" for each in places)]
        off = ["iptables", "ip6tables", "ip-forward", "ip-masq"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*_END_WITH_PARENT, *order, *(f"--{each}=false" for each in off)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"},
            )
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> None:
        until = time.monotonic() + TIMEOUT
        while not _answers(self.host):
            if self._process.poll() is not None:
                raise NoDocker(f"dockerd ended with {self._process.returncode}: {self.output()}")
            if time.monotonic() > until:
                raise NoDocker(f"dockerd did not answer in {TIMEOUT:.0f} seconds: {self.output()}")
            time.sleep(0.05)

    def output(self) -> str:
        """The last of what it has logged."""
        return " | ".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-4:])

    def close(self) -> None:
        """End it, its containers with it, and take away what it leaves behind."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(30)
        if not self._bridged and _has_bridge():
            subprocess.run(["ip", "link", "delete", BRIDGE], check=False)
        shutil.rmtree(self._folder, ignore_errors=True)


def _answers(host: str) -> bool:
    from docker import DockerClient
    from docker.errors import DockerException

    try:
        client = DockerClient(base_url=host, timeout=5)
    except DockerException:
        return False
    with contextlib.closing(client):
        try:
            client.ping()
        except (DockerException, OSError):
            return False
    return True


def _has_bridge() -> bool:
    return pathlib.Path("/sys/class/net", BRIDGE).exists()


@contextlib.contextmanager
def with_docker() -> Iterator[dict[str, str]]:
    """The environment of a command that shall find an engine with the image: where it is, or why there is none."""
    with contextlib.ExitStack() as around:
        try:
            if not os.environ.get("DOCKER_HOST"):  # nobody has one
                engine = around.enter_context(contextlib.closing(Dockerd()))
                os.environ["DOCKER_HOST"] = engine.host
            image.build()
        except (NoDocker, image.NotBuilt) as why:
            print(f"no broker in a container for the tests: {why}", file=sys.stderr, flush=True)
            os.environ["RESCIND_NO_DOCKER"] = str(why)
        yield {name: os.environ[name] for name in ("DOCKER_HOST", "RESCIND_NO_DOCKER") if name in os.environ}


def main() -> int:
    """Run a command with an engine around it; what it ended with."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with with_docker() as found:
        return subprocess.run(sys.argv[1:], env={**os.environ, **found}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
