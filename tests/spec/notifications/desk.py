"""A notifier over a history, with a carrier that remembers and can be made to fail; the book is real, in memory."""

from collections.abc import Iterator
from typing import Any

from consumers.notifying.notifier import Notifier, NotifierLimits
from consumers.ports.local_state import Due
from consumers.ports.log_values import Admitted
from consumers.ports.notifications import Contact, Mail, PostRefused, PostUnavailable, PostUnsure
from domain.deadlines import live
from domain.instants import Instant, parse_instant
from infra.notifications.delivery_store import SqliteDeliveryStore
from infra.notifications.mail.composing import PackComposer
from infra.notifications.mail.facts import World
from tests.spec.projections.histories import History, book


class Killed(BaseException):
    """The process ends here."""


class Carrier:
    """Takes messages and stores them. The next one may be set to fail."""

    name = "carrier"

    def __init__(self, *, knows: bool = False) -> None:
        self.taken: list[Mail] = []
        self.knows = knows
        self.fails: list[str] = []

    def hand_over(self, mail: Mail) -> None:
        how = self.fails.pop(0) if self.fails else "ok"
        if how == "away":
            raise PostUnavailable("the carrier is away")
        if how == "refuses":
            raise PostRefused("the carrier refuses it")
        if how == "killed before":
            raise Killed
        self.taken.append(mail)
        if how == "killed behind":
            raise Killed
        if how == "unsure":
            raise PostUnsure("the connection broke off")

    def has(self, message_id: str) -> bool | None:
        return any(mail.message_id == message_id for mail in self.taken) if self.knows else None


class People:
    """Everybody has an address, except for those named."""

    def __init__(self) -> None:
        self.without: set[str] = set()
        self.languages: dict[str, str] = {}
        self.names: dict[str, str] = {}

    def contact(self, marketplace: str, audience: str, recipient_id: str) -> Contact | None:
        if recipient_id in self.without:
            return None
        language = self.languages.get(recipient_id, "en")
        return Contact(f"{recipient_id}@example.org", self.names.get(recipient_id), language)


class Partition:
    """A history's partition as the notifier reads it; commits may be given another writer."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.state = history.log.state

    @property
    def next_ordinal(self) -> int:
        return self.state.next_ordinal

    def commit_at(self, ordinal: int) -> Admitted | None:
        return self.state.commit_at(ordinal)

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]:
        return self.state.commits(first, behind)

    def commits_of(self, stream: str, first: int = 0) -> Iterator[Admitted]:
        return self.state.commits_of(stream, first)

    def due_before(self, instant: Instant, limit: int) -> list[Due]:
        found = [
            Due(deadline.due_at, f"acme/{order_id}", deadline.deadline_id)
            for order_id, order in self.history.orders.items()
            for deadline in live(order)
            if deadline.due_at < instant
        ]
        return sorted(found)[:limit]


class Desk:
    """History, carrier, people, book, and a notifier that can be ended and restarted."""

    def __init__(
        self, *, knows: bool = False, limits: NotifierLimits | None = None, texts: dict[str, str] | None = None
    ) -> None:
        self.history = History()
        self.carrier = Carrier(knows=knows)
        self.people = People()
        self.book = SqliteDeliveryStore(None, "journal")
        self.limits = limits
        self.texts = texts or {}
        self.start()

    def start(self, *, post: bool = True) -> None:
        world = World(book, lambda name: self.history.market, self.texts.__getitem__)
        self.notifier = Notifier(
            {0: Partition(self.history)},
            self.book,
            self.carrier if post else None,
            self.people,
            PackComposer(world, "https://orders.example.org"),
            book,
            self.limits,
        )

    def run(self, at: str) -> None:
        """Step until there is nothing to do at that instant."""
        while self.notifier.step(parse_instant(at)):
            pass

    def states(self, order_id: str = "PO-1") -> dict[str, str]:
        return {notice.notice_id: notice.state for notice in self.book.of(f"acme/{order_id}")}

    def subjects(self) -> list[tuple[str, str]]:
        return [(mail.to.partition("@")[0], mail.subject) for mail in self.carrier.taken]

    def canceled(self, **fields: Any) -> None:
        """An order of ten, three shipped and seven killed."""
        self.history.place(**fields)
        self.history.send("Ship", at="2026-03-02T11:00:00Z", shipment_id="s1", lines=[{"line": 1, "quantity": 3}])
