"""A Kafka cluster of local KRaft processes: one broker or three, on 127.0.0.1, each killed, frozen or started at will.

A throw-away cluster: its brokers end by SIGKILL, and with the process that started them.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping

from tests.broker import jars

TIMEOUT = 90.0
"""Seconds that a broker gets to be ready, on a machine that is busy with other things."""
_DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
"""A test process that is killed itself leaves no broker behind."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Node:
    """One broker, which is its own controller too."""

    def __init__(self, number: int, folder: pathlib.Path, port: int, controller: int, cluster: str) -> None:
        self.number = number
        self.folder = folder
        self.port = port
        self.controller = controller
        self.cluster = cluster
        self.logs = folder / "logs"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def configure(
        self, nodes: "list[Node]", more: Mapping[str, str], listeners: Mapping[str, int] | None = None
    ) -> None:
        """``listeners``: more of them, by name, with their ports; ``more`` says what they are."""
        doors = "".join(f",{name}://127.0.0.1:{port}" for name, port in (listeners or {}).items())
        several = len(nodes) > 1
        replicas, least = ("3", "2") if several else ("1", "1")
        settings = {
            "process.roles": "broker,controller",
            "node.id": str(self.number),
            "controller.quorum.voters": ",".join(f"{n.number}@127.0.0.1:{n.controller}" for n in nodes),
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller}{doors}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}{doors}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.logs),
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.num.partitions": "5",
            "transaction.state.log.num.partitions": "5",
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": least,
            "log.cleaner.dedupe.buffer.size": "2097152",  # with a heap as small as this it must be
            "broker.session.timeout.ms": "1000",
            "broker.heartbeat.interval.ms": "200",
            **more,
        }
        if several:
            settings |= {
                "controller.quorum.fetch.timeout.ms": "1000",
                "controller.quorum.election.timeout.ms": "500",
                "controller.quorum.election.backoff.max.ms": "200",
                "replica.lag.time.max.ms": "2000",
            }
        self.folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{key}={value}\n" for key, value in settings.items())
        (self.folder / "server.properties").write_text(text, encoding="utf-8")

    def format(self, *, archive: bool = True) -> None:
        order = jars.java(
            "kafka.tools.StorageTool", "format", "-t", self.cluster, "-c", str(self.folder / "server.properties"),
            archive=archive,
        )  # fmt: skip
        done = subprocess.run(order, capture_output=True, text=True, check=False, cwd=self.folder)
        if done.returncode:
            raise RuntimeError(f"the broker's folder cannot be formatted:\n{done.stdout}{done.stderr}")

    def start(self, *flags: str, archive: bool = True) -> None:
        assert not self.running
        command, *rest = jars.java("kafka.Kafka", str(self.folder / "server.properties"), archive=archive)
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_DIE_WITH_PARENT, command, *flags, *rest],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )

    def wait_for_port(self, timeout: float = TIMEOUT) -> None:
        """A client that asks before the port listens backs off for long; so this comes first."""
        until = time.monotonic() + timeout
        while True:
            if not self.running:
                raise RuntimeError(f"broker {self.number} ended:\n{self.output()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.5).close()
                return
            except OSError:
                if time.monotonic() > until:
                    raise RuntimeError(f"broker {self.number} does not listen:\n{self.output()}") from None
                time.sleep(0.02)

    def output(self) -> str:
        """The last of what it has logged."""
        return (self.folder / "broker.log").read_text(encoding="utf-8", errors="replace")[-3000:]

    def terminate(self, timeout: float = TIMEOUT) -> None:
        """End it politely."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(timeout)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(TIMEOUT)

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


class LocalCluster:
    """One broker, or three; ready when it is made."""

    def __init__(
        self,
        brokers: int = 1,
        settings: Mapping[str, str] | None = None,
        *,
        listeners: Mapping[str, int] | None = None,
    ) -> None:
        """``settings``: more of the brokers' properties. ``listeners``: more of them, of a single broker."""
        home = jars.prepare()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rescind-kafka-"))
        identity = jars.cluster_id(f"{brokers} brokers")
        self.nodes = [
            Node(number, self.folder / str(number), free_port(), free_port(), identity)
            for number in range(1, brokers + 1)
        ]
        try:
            for node in self.nodes:
                node.configure(self.nodes, settings or {}, listeners)
                _formatted(home, node, brokers)
                node.start()
            self.wait()
        except BaseException:
            self.close()
            raise

    @property
    def servers(self) -> str:
        """Bootstrap servers."""
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def node(self, number: int) -> Node:
        return self.nodes[number - 1]

    def wait(self) -> None:
        """Until every broker that runs is known to the cluster and not fenced."""
        running = [node for node in self.nodes if node.running]
        for node in running:
            node.wait_for_port()
        wait_until_ready([f"127.0.0.1:{node.port}" for node in running], {node.number for node in running})

    def restart(self, number: int) -> None:
        """Start a broker that was killed, on what it had written."""
        self.node(number).start()
        self.wait()

    def close(self) -> None:
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_until_ready(servers: list[str], numbers: set[int]) -> None:
    """Until all these brokers are in the cluster, none fenced. Their ports answer already."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    until = time.monotonic() + TIMEOUT
    while True:
        try:
            admin = KafkaAdminClient(bootstrap_servers=servers, reconnect_backoff_max_ms=200, request_timeout_ms=5000)
            try:
                while True:
                    found = admin.describe_cluster()["brokers"]
                    if numbers <= {each["broker_id"] for each in found if not each.get("is_fenced")}:
                        return
                    if time.monotonic() > until:
                        raise RuntimeError(f"brokers {sorted(numbers)} are not all ready: {found}")
                    time.sleep(0.02)
            finally:
                admin.close()
        except KafkaError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _formatted(home: pathlib.Path, node: Node, brokers: int) -> None:
    """The broker's folder as formatting leaves it, copied from the first time that one like it was formatted."""
    template = home / "formatted" / f"{node.number}-of-{brokers}"
    if not template.exists():
        node.format()
        template.parent.mkdir(exist_ok=True)
        draft = pathlib.Path(tempfile.mkdtemp(dir=template.parent))
        shutil.copytree(node.logs, draft / "logs")
        try:
            (draft / "logs").rename(template)
        except OSError:  # another process was quicker
            assert template.exists()
        shutil.rmtree(draft)
    else:
        shutil.copytree(template, node.logs)
