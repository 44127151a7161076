"""Which process follows which partition: the group that takes commands knows, and each member says where it is reached.

A member's client id is the URL that it advertises. Nothing else is believed, and nobody but a member is ever contacted.
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
"""Seconds after which it is asked again although nothing spoke against it."""
RETRY_AFTER: Final = 0.25
"""Seconds between two questions while something does."""
QUERY_TIMEOUT: Final = 3.0
"""Seconds that the brokers get to answer."""

Places = Mapping[int, str]


def places_of(group: Mapping[str, Any], topic: str) -> Places | None:
    """Of each partition the URL of its member, as the group says; None while it is not settled."""
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
    """The members of a consumer group, asked of the brokers. One thread at a time."""

    def __init__(self, at: KafkaAt, security: Security) -> None:
        self._connection = connection(at.servers, security)
        self._group = at.engines
        self._topic = at.commands
        self._admin: Any = None

    def __call__(self) -> Places | None:
        """See ``places_of``; None where the brokers do not say."""
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
    """What the group said last, asked again when it is old or turned out wrong."""

    def __init__(self, ask: Callable[[], Places | None], clock: Callable[[], float] = time.monotonic) -> None:
        """``ask``: what the group says now; None: it does not, and what it said before is believed."""
        self._ask = ask
        self._clock = clock
        self._places: Places = {}
        self._asking = threading.Lock()
        self._again_at = float("-inf")

    async def of(self, partition: int) -> str | None:
        """Where the follower of a partition is reached; None where nobody is known to follow it."""
        if self._clock() >= self._again_at:
            await asyncio.to_thread(self._look)
        return self._places.get(partition)

    def doubt(self) -> None:
        """What was said is not so any more: it is asked again soon."""
        self._again_at = min(self._again_at, self._clock() + RETRY_AFTER)

    def _look(self) -> None:
        with self._asking:
            now = self._clock()
            if now < self._again_at:
                return
            places = self._ask()
            if places is not None:
                self._places = places
            self._again_at = self._clock() + (MAX_AGE if places is not None else RETRY_AFTER)
