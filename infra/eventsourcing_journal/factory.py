"""The infrastructure factory of the persistence module: it reads the environment and opens the journal."""

from pathlib import Path
from typing import ClassVar, Final, TypeVar

from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.utils import Environment, EnvType, resolve_topic

from consumers.ports.journal import JournalError
from infra.eventsourcing_journal.opening import Address, open_lease
from infra.eventsourcing_journal.recorders import (
    TIMEOUT,
    JournalAggregateRecorder,
    JournalApplicationRecorder,
    JournalProcessRecorder,
    JournalRecorder,
    JournalTrackingRecorder,
)
from infra.eventsourcing_journal.store import Lease, as_persistence_error

N = TypeVar("N", int, float)
R = TypeVar("R", bound=JournalRecorder)

UNNAMED: Final = "application"
"""The topic of an application without a name."""


class JournalFactory(InfrastructureFactory[JournalTrackingRecorder]):
    """Makes the recorders of one application on its partition of the journal. It reads these variables:

    ``JOURNAL_URL`` (``memory:``, ``memory:NAME``, ``sqlite:///DIR`` or ``kafka://HOST:PORT/PREFIX``), ``JOURNAL_TOPIC``
    (default: the application's name), ``JOURNAL_PARTITION`` (0), ``JOURNAL_TIMEOUT`` (seconds that a save may take,
    30), ``JOURNAL_DIRECTORY`` (local state of a journal on Kafka; default: in memory), and the library's own
    ``APPLICATION_RECORDER_TOPIC``, ``PROCESS_RECORDER_TOPIC`` and ``TRACKING_RECORDER_TOPIC``.
    """

    JOURNAL_URL = "JOURNAL_URL"
    JOURNAL_TOPIC = "JOURNAL_TOPIC"
    JOURNAL_PARTITION = "JOURNAL_PARTITION"
    JOURNAL_TIMEOUT = "JOURNAL_TIMEOUT"
    JOURNAL_DIRECTORY = "JOURNAL_DIRECTORY"

    aggregate_recorder_class: type[JournalAggregateRecorder] = JournalAggregateRecorder
    application_recorder_class: type[JournalApplicationRecorder] = JournalApplicationRecorder
    tracking_recorder_class: type[JournalTrackingRecorder] = JournalTrackingRecorder
    process_recorder_class: type[JournalProcessRecorder] = JournalProcessRecorder

    CREATE: ClassVar[int | None] = 1
    """Partitions of a new topic. None: the topic must exist."""

    def __init__(self, env: Environment | EnvType | None, lease: Lease | None = None) -> None:
        """``lease``: an open store, to be used instead of the journal in the environment.

        OSError for a setting that is missing or invalid. The library's errors for a journal that cannot be opened.
        """
        super().__init__(env)
        self.timeout = self._number(self.JOURNAL_TIMEOUT, TIMEOUT)
        self.lease = self._opened() if lease is None else lease

    def _opened(self) -> Lease:
        url = self.env.get(self.JOURNAL_URL)
        if not url:
            raise OSError(
                f"no journal: set {' or '.join(self.env.create_keys(self.JOURNAL_URL))} to memory:, memory:NAME, "
                "sqlite:///DIRECTORY or kafka://HOST:PORT/PREFIX"
            )
        topic = self.env.get(self.JOURNAL_TOPIC) or self.env.name or UNNAMED
        partition = self._number(self.JOURNAL_PARTITION, 0)
        try:
            own = self.env.get(self.JOURNAL_DIRECTORY)
            return open_lease(Address(url, topic, partition, self.CREATE, Path(own) if own else None))
        except ValueError as error:
            raise OSError(str(error)) from error
        except JournalError as error:
            raise as_persistence_error(error) from error

    def _number(self, key: str, default: N) -> N:
        text = self.env.get(key)
        try:
            return type(default)(text) if text else default
        except ValueError:
            raise OSError(f"{key} is {text!r}: set it to a number like {default}") from None

    def aggregate_recorder(self, purpose: str = "events") -> JournalAggregateRecorder:
        """The recorder of aggregates' events. With another purpose, of additional events such as snapshots."""
        other_purpose = None if purpose == "events" else purpose
        return self.aggregate_recorder_class(self.lease, purpose=other_purpose, timeout=self.timeout)

    def application_recorder(self) -> JournalApplicationRecorder:
        found = self._resolve(self.APPLICATION_RECORDER_TOPIC, self.application_recorder_class)
        return found(self.lease, timeout=self.timeout)

    def process_recorder(self) -> JournalProcessRecorder:
        found = self._resolve(self.PROCESS_RECORDER_TOPIC, self.process_recorder_class)
        return found(self.lease, timeout=self.timeout)

    def tracking_recorder(
        self, tracking_recorder_class: type[JournalTrackingRecorder] | None = None
    ) -> JournalTrackingRecorder:
        """The recorder of tracking. A view that derives from JournalTrackingRecorder is requested by its class."""
        found = tracking_recorder_class or self._resolve(self.TRACKING_RECORDER_TOPIC, self.tracking_recorder_class)
        assert issubclass(found, JournalTrackingRecorder), f"{found} does not derive from JournalTrackingRecorder"
        return found(self.lease, timeout=self.timeout)

    def _resolve(self, key: str, default: type[R]) -> type[R]:
        topic = self.env.get(key)
        if not topic:
            return default
        found: type[R] = resolve_topic(topic)
        assert issubclass(found, default), f"{topic} does not derive from {default.__name__}"
        return found

    def close(self) -> None:
        """Release the journal. Takes no lock and joins no thread, because ``Application.__del__`` calls it from any
        thread."""
        if hasattr(self, "lease"):
            self.lease.release()
