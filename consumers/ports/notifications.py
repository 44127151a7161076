"""Notices on their way (rule ``both-told``): what is known of each, and the ports of the notifier.

A *notice* is what one side is told of one event (``domain.notification_rules``); a *letter* is all that one commit
tells one side, and goes out as one message. The *book* keeps how far each has come. It is not the log's: the log says
who is told what, the book whether it was handed over, and of a mail server that can be known for certain only
afterwards.
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
"""``handing``: the intent is written, the answer is not; ``unknown``: a process ended in between, so that it may have
gone out or not, and nobody sends it again by itself; ``moot``: there was nothing left to remind of."""
STATES: Final[tuple[State, ...]] = get_args(State)

Step = Literal["delivered", "failed"]


@dataclass(slots=True)
class Notification:
    """What one side is told of one event, and how far it has come.

    ``letter`` names the message that it is in, among those of its order. ``ordinal`` is its commit's, ``version`` its
    event's number in the order's history; of a reminder they are where the order stood. ``sequence`` counts messages:
    1 the first, more when it was sent again. Instants are None until it is so far; ``follow_up_at``: when it is sent
    again if nobody has confirmed it.
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
    """The log says that a notice was delivered, or could not be."""

    stream: str
    notice_id: str
    step: Step
    at: Instant


@dataclass(slots=True)
class Message:
    """The notices of one message, in the order of their events; at least one."""

    notices: list[Notification]

    @property
    def first(self) -> Notification:
        return self.notices[0]

    @property
    def key(self) -> tuple[str, str]:
        """Stream and letter: what the book finds it by."""
        return self.first.stream, self.first.letter


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a buyer or seller is reached, and in which language. Personal: it lives in the vault."""

    address: str
    name: str | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Mail:
    """A message ready to be handed over. ``message_id`` follows from the log, without angle brackets."""

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
    """What a letter is about: the order as it stood after the letter's commit, and its events by notice."""

    order: Order
    commit: bytes
    events: Sequence[tuple[Notification, Event]] = field(default=())


# ---- ports ----------------------------------------------------------------------------------------------------------


class PostUnavailable(Exception):
    """The message was certainly not taken; it may be tried again later."""


class PostRefused(Exception):
    """The message will never be taken like this; the text says why."""


class PostUnsure(Exception):
    """The connection broke off so late that the message may have been taken."""


class CannotCompose(Exception):
    """There is no message to be made of it; the text says why."""


class Post(Protocol):
    """What takes messages: a directory, a mail server."""

    @property
    def name(self) -> str: ...

    def hand_over(self, mail: Mail) -> None:
        """Have it taken; PostUnavailable, PostRefused, PostUnsure."""
        ...

    def has(self, message_id: str) -> bool | None:
        """Whether a message was taken; None where nobody can know."""
        ...


class Directory(Protocol):
    """Where people are reached."""

    def contact(self, marketplace: str, audience: Audience, recipient_id: str) -> Contact | None:
        """None: nobody has said where, or it was erased."""
        ...


class Composer(Protocol):
    """Makes messages from what there is to say."""

    def compose(self, letter: Message, subject: Subject, contact: Contact, message_id: str, now: Instant) -> Mail:
        """The letter in the contact's language; CannotCompose."""
        ...


class NotifierSource(CommitReader, Protocol):
    """One partition's admitted commits, and the deadlines that fall due in it: a ``LocalState`` is one."""

    def due_before(self, instant: Instant, limit: int) -> list[Due]: ...


class DeliveryStore(Protocol):
    """How far each notice has come. Every call is one transaction, durable when it returns; BookUnavailable."""

    def position(self, partition: int) -> int:
        """Ordinal of the first commit that was not looked at."""
        ...

    def take(
        self, partition: int, position: int, notices: Sequence[Notification], reports: Sequence[DeliveryReport] = ()
    ) -> None:
        """Note these (those that are there already stay as they are), what was reported, and the new position."""
        ...

    def find(self, stream: str, notice_id: str) -> Notification | None: ...

    def of(self, stream: str) -> list[Notification]:
        """Every notice of an order, in the order of their events."""
        ...

    def due(self, now: Instant, limit: int) -> list[Message]:
        """Letters that wait and may be tried now, the oldest first."""
        ...

    def interrupted(self) -> list[Message]:
        """Letters whose intent was written, and whose answer was not."""
        ...

    def intend(self, letter: Message, message_id: str, carrier: str) -> None:
        """The message is about to be handed over."""
        ...

    def settle(
        self,
        letter: Message,
        state: State,
        *,
        at: Instant | None = None,
        error: str | None = None,
        not_before: Instant = 0,
        follow_up_at: Instant | None = None,
    ) -> None:
        """What became of it; ``at``: handed over then."""
        ...

    def unconfirmed(self, now: Instant, limit: int) -> list[Message]:
        """Letters that are to be followed up by now, and that nobody confirmed or saw."""
        ...

    def again(self, letter: Message, *, key: str | None = None) -> bool:
        """Have it sent once more, as the next of its sequence; False if ``key`` had that done before."""
        ...


class DeliveryStoreUnavailable(Exception):
    """The book cannot be read or written now; the same call may succeed later."""
