"""Build the image of a broker from Maven's jars: ``python -m tests.broker.image``. No hub is asked for anything.

From nothing: a Java runtime by ``jlink``, the jars, static busybox for the scripts' sake, and the libraries that the
runtime loads. It takes ``KAFKA_…`` variables as the official image does, through the same class of Kafka's.
"""

import contextlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

from tests.broker import jars
from tests.broker.containers import IMAGE

MODULES = (
    "java.base,java.desktop,java.logging,java.management,java.management.rmi,java.rmi,java.naming,java.scripting,"
    "java.security.jgss,java.security.sasl,java.sql,java.xml,jdk.crypto.ec,jdk.management,jdk.net,jdk.unsupported,"
    "jdk.zipfs"
)
"""What Kafka uses; ``jdeps`` does not find all of them."""
LIBRARIES = ("libc", "libm", "libz", "libpthread", "libdl", "librt", "libgcc_s", "libstdc++")
LOG = """\
Configuration:
  Appenders:
    Console: {name: out, target: SYSTEM_OUT, PatternLayout: {pattern: "[%d] %p %m (%c)%n"}}
  Loggers:
    Root: {level: INFO, AppenderRef: [{ref: out}]}
"""
START = """\
#!/bin/sh
set -e
CP='/kafka/jars/*'
mkdir -p /tmp/final /tmp/mounted
java -cp "$CP" kafka.docker.KafkaDockerWrapper setup --default-configs-dir /kafka/default \\
  --mounted-configs-dir /tmp/mounted --final-configs-dir /tmp/final
exec java -Xmx256m -Xms32m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \\
  -Dlog4j2.configurationFile=/kafka/default/log4j2.yaml -cp "$CP" kafka.Kafka /tmp/final/server.properties
"""
CONTAINERFILE = """\
FROM scratch
COPY root/ /
ENV PATH=/java/bin:/bin
ENTRYPOINT ["/bin/sh", "/kafka/start.sh"]
"""


class NotBuilt(Exception):
    """Why there is no image."""


def build(name: str = IMAGE) -> None:
    """Build and tag it. NotBuilt says what is missing or has failed."""
    from docker.errors import DockerException

    brought = {"jlink": "default-jdk-headless", "busybox": "busybox-static"}
    for program, package in brought.items():
        if not shutil.which(program):
            raise NotBuilt(f"there is no {program} on the PATH (Debian: apt-get install {package})")
    try:
        _build(name)
    except subprocess.CalledProcessError as error:
        raise NotBuilt(f"{error.cmd[0]} ended with {error.returncode}; see its output above") from error
    except DockerException as error:
        raise NotBuilt(f"the Docker engine does not build it: {error}") from error


def _build(name: str) -> None:
    import docker

    home = jars.prepare()
    with tempfile.TemporaryDirectory(prefix="rescind-image-") as folder:
        place = pathlib.Path(folder)
        root = place / "root"
        for each in ("bin", "etc", "tmp", "kafka/default", "lib64"):
            (root / each).mkdir(parents=True)
        run("jlink", "--add-modules", MODULES, "--strip-debug", "--no-man-pages", "--no-header-files",
            "--output", str(root / "java"))  # fmt: skip
        shutil.copytree(home / "jars", root / "kafka" / "jars")
        busybox = shutil.which("busybox")
        assert busybox is not None
        shutil.copy(busybox, root / "bin" / "busybox")
        for applet in ("sh", "mkdir", "ls", "cat"):
            (root / "bin" / applet).symlink_to("busybox")
        copy_libraries(root)
        (root / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\n", encoding="utf-8")
        (root / "kafka" / "start.sh").write_text(START, encoding="utf-8")
        (root / "kafka" / "default" / "server.properties").write_text("", encoding="utf-8")
        for log in ("log4j2.yaml", "tools-log4j2.yaml"):
            (root / "kafka" / "default" / log).write_text(LOG, encoding="utf-8")
        (place / "Containerfile").write_text(CONTAINERFILE, encoding="utf-8")
        with contextlib.closing(docker.from_env(timeout=300)) as client:
            client.images.build(path=str(place), dockerfile="Containerfile", tag=name, rm=True)


def copy_libraries(root: pathlib.Path) -> None:
    """The loader and the libraries that the runtime wants, where it looks for them."""
    output = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        found, _, path = line.strip().partition(" => ")
        if (found.split(".so")[0] in LIBRARIES and "x86-64" in found) or found.startswith("ld-linux"):
            source = pathlib.Path(path)
            target = root / source.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source.resolve(), target)
            if found.startswith("ld-linux"):
                shutil.copy(source.resolve(), root / "lib64" / source.name)


def run(*order: str) -> None:
    subprocess.run(order, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    build()
    print(IMAGE)
