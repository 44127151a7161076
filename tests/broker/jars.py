"""The broker's jars, fetched once by Maven and stored in a cache folder that is named by the hash of ``pom.xml``.

The folder also has a class-data archive, which halves the broker's start. RESCIND_CACHE names another cache folder than
``.cache`` in the project.
"""

import base64
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

HERE = pathlib.Path(__file__).parent
POM = HERE / "pom.xml"
# Small and quick to start. For figures of throughput a broker wants more heap and no tier limit.
JVM = ("-Xmx128m", "-Xms32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=ERROR")


def cache() -> pathlib.Path:
    """The folder of this pom's jars: ``jars/``, ``classes.jsa``, ``formatted/``."""
    return _cache("kafka", POM)


def _cache(name: str, pom: pathlib.Path) -> pathlib.Path:
    root = pathlib.Path(os.environ.get("RESCIND_CACHE") or HERE.parent.parent / ".cache")
    return root / f"{name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:16]}"


def fetched(name: str, pom: pathlib.Path) -> pathlib.Path:
    """The folder with the jars of another pom, fetched now if they are not there."""
    home = _cache(name, pom)
    home.mkdir(parents=True, exist_ok=True)
    with _turn(home):
        if not (home / "jars").exists():
            _fetch(home, pom)
    return home / "jars"


def java(*arguments: str, archive: bool = True) -> list[str]:
    """The command line of a program in the jars."""
    home = cache()
    shared = [f"-XX:SharedArchiveFile={home / 'classes.jsa'}"] if archive else []
    return ["java", *JVM, *shared, "-cp", f"{home / 'jars'}/*", *arguments]


def prepare() -> pathlib.Path:
    """The cache folder with everything in it, made now if it is not there. Several processes may ask at once."""
    home = cache()
    home.mkdir(parents=True, exist_ok=True)
    with _turn(home):
        if not (home / "jars").exists():
            _fetch(home, POM)
        if not (home / "classes.jsa").exists():
            _archive(home)
    return home


def cluster_id(name: str) -> str:
    """A cluster id: 22 characters of URL-safe base64 that do not begin with a dash."""
    made = base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()[:16]).decode().rstrip("=")
    return f"k{made[1:]}"


@contextmanager
def _turn(home: pathlib.Path) -> Iterator[None]:
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(home: pathlib.Path, pom: pathlib.Path) -> None:
    draft = home / "jars.draft"
    shutil.rmtree(draft, ignore_errors=True)
    order = ["mvn", "-q", "-B", "-ntp", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime"]
    done = subprocess.run([*order, f"-DoutputDirectory={draft}"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"Maven cannot fetch the jars of {pom}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    draft.rename(home / "jars")


def _archive(home: pathlib.Path) -> None:
    """Run a broker once, end it politely, and record which classes it had loaded."""
    from tests.broker.local import Node, free_port

    draft = home / "classes.draft"
    folder = home / "archiving"
    shutil.rmtree(folder, ignore_errors=True)
    node = Node(1, folder, free_port(), free_port(), cluster_id("archiving"))
    node.configure([node], {})
    node.format(archive=False)
    node.start(f"-XX:ArchiveClassesAtExit={draft}", archive=False)
    node.wait_for_port(60)
    node.terminate(60)
    until = time.monotonic() + 30
    while not draft.exists() and time.monotonic() < until:
        time.sleep(0.05)
    draft.rename(home / "classes.jsa")
    shutil.rmtree(folder)
