"""A broker in a container, through testcontainers, when a Docker engine answers and has the image.

RESCIND_KAFKA_IMAGE names the image; by default it is the one that ``build_image`` makes from Maven's jars, since a test
machine need not reach a hub. If one can be reached, ``apache/kafka:4.1.0`` takes the same variables.
"""

import os
import shutil
from typing import Any

from tests.broker import jars
from tests.broker.local import free_port, wait_until_ready

IMAGE = "rescind/test-kafka:4.1.0"
_INSIDE = 9092


class Container:
    """A broker in a container; ready when it is made."""

    def __init__(self, image: str) -> None:
        os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
        os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy

        port = free_port()
        self.servers = f"127.0.0.1:{port}"
        container = DockerContainer(image)
        for key, value in _variables(port).items():
            container = container.with_env(key, value)
        ports: dict[str, Any] = container.ports
        ports[f"{_INSIDE}/tcp"] = ("127.0.0.1", port)
        started = LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(60)
        self._container = container.waiting_for(started)
        try:
            self._container.start()
            wait_until_ready([self.servers], {1})
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._container.stop()


def start_if_possible() -> Container | None:
    """A broker in a container; None where no engine answers, or the engine does not have the image."""
    if not shutil.which("docker") and not os.environ.get("DOCKER_HOST"):
        return None
    image = os.environ.get("RESCIND_KAFKA_IMAGE")
    if _has(image or IMAGE):
        return Container(image or IMAGE)
    if image is not None:
        raise RuntimeError(f"RESCIND_KAFKA_IMAGE names {image}, but no Docker engine here has it")
    return None


def _has(image: str) -> bool:
    import docker
    from docker.errors import DockerException

    client: Any = None
    try:
        client = docker.from_env(timeout=5)
        client.images.get(image)
    except DockerException:
        return False
    finally:
        if client is not None:
            client.close()
    return True


def _variables(port: int) -> dict[str, str]:
    """Setting any of them discards the image's defaults, so all are set. The broker speaks to itself too (whoever leads
    a partition asks the coordinator of a transaction), and the port that clients know is not there inside."""
    return {
        "CLUSTER_ID": jars.cluster_id("container"),
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_NODE_ID": "1",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@127.0.0.1:9093",
        "KAFKA_LISTENERS": f"PLAINTEXT://0.0.0.0:{_INSIDE},ITSELF://127.0.0.1:9094,CONTROLLER://127.0.0.1:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port},ITSELF://127.0.0.1:9094",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,ITSELF:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "ITSELF",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "5",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "5",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_LOG_CLEANER_DEDUPE_BUFFER_SIZE": "2097152",
    }
