"""Notifications of buyers and sellers (rule ``both-told``): their delivery states, and the notifier's ports.

A *notification* is about one event and goes to one side (``domain.notification_rules``). A *message* has all
notifications of one commit to one side. The log determines who is notified of what. The *delivery store* has the state
of each delivery, which is not in the log: only afterwards is it certain whether a mail server took a message.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, get_args

from consumers.ports.local_state import Due
from consumers.ports.log_values import CommitReader
from domain.events import Event
from domain.instants import Instant
from domain.notification_rules import Audience
from domain.order import Order

State = Literal["waiting", "handing", "handed", "unknown", "no-address", "too-old", "failed", "moot"]
"""``handing``: the intent is written, the carrier's answer is not. ``unknown``: a process ended in between, so it may
have gone out, and it is not sent again automatically. ``moot``: there was nothing left to remind of."""
STATES: Final[tuple[State, ...]] = get_args(State)

Step = Literal["delivered", "failed"]


@dataclass(slots=True)
class Notification:
    """A notification of one side about one event, and the state of its delivery.

    ``letter`` names its message among those of its order. ``ordinal`` is its commit's, and ``version`` its event's
    number in the order's history; for a reminder they are the order's last ones at the time. ``sequence`` counts the
    messages: 1 is the first, and each repetition adds one. An instant is None until it is reached. ``follow_up_at``:
    when the message is sent again if it is not confirmed. The field names are columns of the stored table.
    """

    partition: int
    stream: str
    notice_id: str
    letter: str
    audience: Audience
    recipient_id: str
    template: str
    ordinal: int
    version: int
    told_at: Instant
    state: State = "waiting"
    sequence: int = 1
    attempts: int = 0
    not_before: Instant = 0
    message_id: str | None = None
    carrier: str | None = None
    error: str | None = None
    handed_at: Instant | None = None
    follow_up_at: Instant | None = None
    delivered_at: Instant | None = None
    failed_at: Instant | None = None
    seen_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """A recorded report that a notification was delivered, or could not be."""

    stream: str
    notice_id: str
    step: Step
    at: Instant


@dataclass(slots=True)
class Message:
    """The notifications of one message, in the order of their events. There is at least one."""

    notifications: list[Notification]

    @property
    def first(self) -> Notification:
        return self.notifications[0]

    @property
    def key(self) -> tuple[str, str]:
        """Its stream and its name (``letter``), by which the delivery store finds it."""
        return self.first.stream, self.first.letter


@dataclass(frozen=True, slots=True)
class Contact:
    """The address and language of a buyer or seller. It is personal, so it is stored in the vault."""

    address: str
    name: str | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Mail:
    """A composed message. ``message_id`` is derived from the log, without angle brackets."""

    message_id: str
    to: str
    name: str | None
    language: str
    subject: str
    text: str
    html: str
    at: Instant


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a message: the order after the message's commit, and the event of each notification."""

    order: Order
    commit: bytes
    events: Sequence[tuple[Notification, Event]] = field(default=())


# ---- ports ----------------------------------------------------------------------------------------------------------


class PostUnavailable(Exception):
    """The carrier certainly did not take the message. It may be tried again later."""


class PostRefused(Exception):
    """The carrier will never take this message. The text says why."""


class PostUnsure(Exception):
    """The connection ended so late that the carrier may have taken the message."""


class CannotCompose(Exception):
    """The message cannot be composed. The text says why."""


class Post(Protocol):
    """A carrier of messages: a directory or a mail server."""

    @property
    def name(self) -> str: ...

    def hand_over(self, mail: Mail) -> None:
        """Hand a message to the carrier. Raises PostUnavailable, PostRefused, PostUnsure."""
        ...

    def has(self, message_id: str) -> bool | None:
        """Whether the carrier took a message; None if it cannot be known."""
        ...


class Directory(Protocol):
    """The contacts of buyers and sellers."""

    def contact(self, marketplace: str, audience: Audience, recipient_id: str) -> Contact | None:
        """Return a contact; None if there is none or it was erased."""
        ...


class Composer(Protocol):
    """Composes messages."""

    def compose(self, message: Message, subject: Subject, contact: Contact, message_id: str, now: Instant) -> Mail:
        """Compose a message in the contact's language. Raises CannotCompose."""
        ...


class NotifierSource(CommitReader, Protocol):
    """Reads one partition's admitted commits and due deadlines. A ``LocalState`` is one."""

    def due_before(self, instant: Instant, limit: int) -> list[Due]: ...


class DeliveryStore(Protocol):
    """Stores the delivery states of notifications.

    Every call is one transaction, which is durable when it returns. Every call may raise DeliveryStoreUnavailable.
    """

    def position(self, partition: int) -> int:
        """Return the ordinal of the first commit that was not taken."""
        ...

    def take(
        self,
        partition: int,
        position: int,
        notifications: Sequence[Notification],
        reports: Sequence[DeliveryReport] = (),
    ) -> None:
        """Store new notifications, the reports, and the new position. Notifications that exist stay unchanged."""
        ...

    def find(self, stream: str, notice_id: str) -> Notification | None: ...

    def of(self, stream: str) -> list[Notification]:
        """Return every notification of an order, in the order of their events."""
        ...

    def due(self, now: Instant, limit: int) -> list[Message]:
        """Return the messages that wait and may be tried now, the oldest first."""
        ...

    def interrupted(self) -> list[Message]:
        """Return the messages whose intent was written and whose answer was not."""
        ...

    def intend(self, message: Message, message_id: str, carrier: str) -> None:
        """Record that a message is about to be handed over."""
        ...

    def settle(
        self,
        message: Message,
        state: State,
        *,
        at: Instant | None = None,
        error: str | None = None,
        not_before: Instant = 0,
        follow_up_at: Instant | None = None,
    ) -> None:
        """Record the result of a message. ``at``: when it was handed over."""
        ...

    def unconfirmed(self, now: Instant, limit: int) -> list[Message]:
        """Return the messages that are due to be followed up and were neither confirmed nor seen."""
        ...

    def again(self, message: Message, *, key: str | None = None) -> bool:
        """Send a message again, as the next of its sequence. Returns False if that was done under ``key`` before."""
        ...


class DeliveryStoreUnavailable(Exception):
    """The delivery store cannot be read or written now. The same call may succeed later."""
