"""Which process follows which partition, as the consumer group of the commands topic has it.

A member's client id is the URL that it advertises. Nothing else is believed, and only members are ever contacted.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from infra.addresses.kafka import KafkaAt, Security
from infra.kafka.kafka_python import connection
from infra.kafka.quiet_import import KafkaAdminClient, KafkaError
from infra.settings import PROCESS_URL

MAX_AGE: Final = 5.0
"""Seconds after which the group is asked again."""
RETRY_AFTER: Final = 0.25
"""Seconds between two queries while the last answer is in doubt."""
QUERY_TIMEOUT: Final = 3.0
"""The timeout of a query, in seconds."""

Places = Mapping[int, str]


def places_of(group: Mapping[str, Any], topic: str) -> Places | None:
    """Return the URL of the member that has each partition; None while the group is assigning them."""
    if group.get("error") or group["group_state"] not in ("Stable", "Empty", "Dead"):
        return None
    found: dict[int, str] = {}
    for member in group["members"]:
        url, assigned = member["client_id"], member["member_assignment"]
        if not PROCESS_URL.fullmatch(url or "") or not isinstance(assigned, Mapping):
            continue
        for part in assigned["assigned_partitions"]:
            if part["topic"] == topic:
                found.update(dict.fromkeys(part["partitions"], url))
    return found


class Group:
    """Asks the brokers for the members of a consumer group. One thread at a time."""

    def __init__(self, at: KafkaAt, security: Security) -> None:
        self._connection = connection(at.servers, security)
        self._group = at.engines
        self._topic = at.commands
        self._admin: Any = None

    def __call__(self) -> Places | None:
        """Return who has which partition (``places_of``); None if the brokers do not answer."""
        try:
            if self._admin is None:
                milliseconds = int(QUERY_TIMEOUT * 1000)
                self._admin = KafkaAdminClient(
                    **self._connection, request_timeout_ms=milliseconds, bootstrap_timeout_ms=milliseconds
                )
            return places_of(self._admin.describe_groups([self._group])[self._group], self._topic)
        except (KafkaError, OSError):
            self.close()
            return None

    def close(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()


class Membership:
    """The last answer of the group, asked for again when it is old or turned out wrong."""

    def __init__(self, ask: Callable[[], Places | None], clock: Callable[[], float] = time.monotonic) -> None:
        """``ask`` queries the group; while it returns None, the last answer is used."""
        self._ask = ask
        self._clock = clock
        self._places: Places = {}
        self._lock = threading.Lock()
        self._ask_at = float("-inf")

    async def of(self, partition: int) -> str | None:
        """Return the URL of the process that follows a partition; None if none is known."""
        if self._clock() >= self._ask_at:
            await asyncio.to_thread(self._look)
        return self._places.get(partition)

    def doubt(self) -> None:
        """The last answer has turned out wrong: ask again soon."""
        self._ask_at = min(self._ask_at, self._clock() + RETRY_AFTER)

    def _look(self) -> None:
        with self._lock:
            now = self._clock()
            if now < self._ask_at:
                return
            places = self._ask()
            if places is not None:
                self._places = places
            self._ask_at = self._clock() + (MAX_AGE if places is not None else RETRY_AFTER)
