"""Requirements of some tests on the machine, and the skip or failure if one is missing.

A test that carries one of the markers below is skipped, with the reason, where the part is absent. RESCIND_REQUIRE, a
comma-separated list of the same names, turns every such skip into a failure: CI sets it, so that nothing is left out
unseen.
"""

import os
import shutil
from collections.abc import Callable

import pytest

KNOWN = ("browser", "docker", "java", "kafka", "postgresql", "root", "sqlite3")


def _browser() -> str | None:
    return None if shutil.which("chromium") else "no chromium on the PATH (Debian: apt-get install chromium)"


def _docker() -> str | None:
    if why := os.environ.get("RESCIND_NO_DOCKER"):
        return why
    if os.environ.get("DOCKER_HOST") or os.path.exists("/var/run/docker.sock"):
        return None
    return "no Docker engine; python -m tests.broker.dockerd COMMAND runs one around a command"


def _root() -> str | None:
    if os.geteuid() != 0 or not shutil.which("mount"):
        return "a disk of a few megabytes is mounted, which only root may"
    return None


def _java() -> str | None:
    return (
        None
        if shutil.which("java") and shutil.which("mvn")
        else "no java or no mvn on the PATH (Debian: default-jdk, maven)"
    )


def _kafka() -> str | None:
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or (shutil.which("java") and shutil.which("mvn")):
        return None
    if os.environ.get("DOCKER_HOST") or os.path.exists("/var/run/docker.sock"):
        return None
    return "no broker: set KAFKA_BOOTSTRAP_SERVERS, or have Java and Maven, or a Docker engine"


def _postgresql() -> str | None:
    return None if postgresql_programs() else "no PostgreSQL server programs (Debian: apt-get install postgresql)"


def _sqlite3() -> str | None:
    return None if shutil.which("sqlite3") else "no sqlite3 on the PATH (Debian: apt-get install sqlite3)"


def postgresql_programs() -> str | None:
    """The folder of `initdb` and `postgres`, newest first: Debian keeps them off the PATH."""
    on_path = shutil.which("postgres")
    if on_path:
        return os.path.dirname(os.path.realpath(on_path))
    root = "/usr/lib/postgresql"
    versions = (
        sorted((v for v in os.listdir(root) if v.isdigit()), key=int, reverse=True) if os.path.isdir(root) else []
    )
    return next((f"{root}/{v}/bin" for v in versions if os.access(f"{root}/{v}/bin/postgres", os.X_OK)), None)


_MISSING: dict[str, Callable[[], str | None]] = {
    "browser": _browser,
    "docker": _docker,
    "java": _java,
    "kafka": _kafka,
    "postgresql": _postgresql,
    "root": _root,
    "sqlite3": _sqlite3,
}


def required() -> frozenset[str]:
    """The names in RESCIND_REQUIRE; an unknown one is an error, since it would require nothing."""
    names = frozenset(filter(None, (n.strip() for n in os.environ.get("RESCIND_REQUIRE", "").split(","))))
    if unknown := names - set(KNOWN):
        raise pytest.UsageError(f"RESCIND_REQUIRE names {', '.join(sorted(unknown))}; known are {', '.join(KNOWN)}")
    return names


def require(name: str) -> None:
    """Skip the test that calls this where `name` is missing here; fail it where RESCIND_REQUIRE names it."""
    reason = _MISSING[name]()
    if reason is None:
        return
    if name in required():
        pytest.fail(f"RESCIND_REQUIRE asks for {name}: {reason}", pytrace=False)
    pytest.skip(f"{name}: {reason}")
