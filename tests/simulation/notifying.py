"""Oracle O4: at most one message per (order, template, sequence), whatever happens.

A world with engines and a notifier. The notifier reads the local state of some engine, which may be torn or lost. It
ends anywhere, also between any two calls of its delivery store. Its carrier is away, refuses, breaks off, and takes
messages without confirming them. The delivery store alone is durable. The notifier's faults are drawn from their own
seed.
"""

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

from consumers.notifying.notification_mapper import NotificationMapper, message_id_of
from consumers.notifying.notifier import Notifier
from consumers.ports.local_state import Due, LocalState
from consumers.ports.log_values import Admitted
from consumers.ports.notifications import Contact, Mail, Message, Notification, PostRefused, PostUnavailable, PostUnsure
from domain.instants import MINUTE, SECOND
from infra.local_state import memory_local_state
from infra.notifications.delivery_store import SqliteDeliveryStore
from infra.notifications.mail.composing import PackComposer
from infra.notifications.mail.facts import World as Facts
from tests.simulation.oracles import Broken
from tests.simulation.process import older
from tests.simulation.traffic import MARKETS
from tests.simulation.world import _ACTIONS, World
from tests.spec.projections.histories import book as policies


class Ended(BaseException):
    """The notifier's process ends here."""


class Carrier:
    """Takes messages in all the ways there are."""

    name = "carrier"

    def __init__(self, world: "NotifiedWorld") -> None:
        self._world = world
        self.knows = world.chance.random() < 0.5
        self.taken: list[Mail] = []

    def hand_over(self, mail: Mail) -> None:
        how = self._world.chance.random() if self._world.faults else 1.0
        if how < 0.1:
            raise PostUnavailable("away")
        if how < 0.15:
            raise PostRefused("refused")
        if how < 0.2:
            raise Ended
        self.taken.append(mail)
        if how < 0.25:
            raise PostUnsure("broken off")
        if how < 0.3:
            raise Ended

    def has(self, message_id: str) -> bool | None:
        return any(mail.message_id == message_id for mail in self.taken) if self.knows else None


class Cut:
    """The delivery store, in a process that may end before or after any call of it."""

    def __init__(self, world: "NotifiedWorld", book: SqliteDeliveryStore) -> None:
        self._world = world
        self._book = book

    def __getattr__(self, name: str) -> Any:
        word = getattr(self._book, name)

        def call(*positional: Any, **named: Any) -> Any:
            how = self._world.chance.random() if self._world.faults else 1.0
            if how < 0.01:
                raise Ended
            answer = word(*positional, **named)
            if how < 0.02:
                raise Ended
            return answer

        return call


class Everybody:
    """All have an address but the sellers of one marketplace."""

    def __init__(self, without: str) -> None:
        self._without = without

    def contact(self, marketplace: str, audience: str, recipient_id: str) -> Contact | None:
        return None if (marketplace, audience) == (self._without, "seller") else Contact(f"{audience}@example.org")


class EngineState:
    """A partition as one engine has it at the moment; nothing where its local state is lost."""

    def __init__(self, world: World, number: int, partition: int) -> None:
        self._world = world
        self._number = number
        self._partition = partition
        self._nothing = memory_local_state(partition, world.partitions)

    @property
    def _state(self) -> LocalState:
        return self._world.processes[self._number].states.get(self._partition, self._nothing)

    @property
    def next_ordinal(self) -> int:
        return self._state.next_ordinal

    def commit_at(self, ordinal: int) -> Admitted | None:
        return self._state.commit_at(ordinal)

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]:
        return self._state.commits(first, behind)

    def commits_of(self, stream: str, first: int = 0) -> Iterator[Admitted]:
        return self._state.commits_of(stream, first)

    def due_before(self, instant: int, limit: int) -> list[Due]:
        return self._state.due_before(instant, limit)


class NotifiedWorld(World):
    """A world with a notifier. ``sends_unknown``: a planted bug."""

    def __init__(self, seed: int, *, sends_unknown: bool = False) -> None:
        super().__init__(seed)
        self.chance = Random(f"told {seed}")
        self.book = SqliteDeliveryStore(None, "journal")
        self.carrier = Carrier(self)
        self.notifier: Notifier | None = None
        self.endings = 0
        self._sends_unknown = sends_unknown

    def run(self, steps: int = 900) -> None:
        self.faults = True
        actions, weights = [*_ACTIONS, NotifiedWorld.notify], [*_ACTIONS.values(), 8.0]
        for action in self.rng.choices(actions, weights, k=steps):
            self.steps += 1
            action(self)
            self.clients.listen()
        self.faults = False
        self.heal()
        self.clients.retry_unsettled()
        self.settle()
        self.notifier = None
        for _ in range(400):
            if not self.notify():
                self.time += MINUTE
        assert self.notify() is False, "the notifier does not become idle"

    def notify(self) -> bool:
        """Run a step of the notifier, and start it first if it has ended."""
        try:
            if self.notifier is None:
                self.notifier = self._begin()
            return self.notifier.step(self.time + self.chance.choice((0, 0, SECOND, -SECOND)))
        except Ended:
            self.notifier = None
            self.endings += 1
            if self._sends_unknown:
                for letter in self.book.interrupted():
                    self.book.settle(letter, "waiting")
            return True

    def _begin(self) -> Notifier:
        number = self.chance.randrange(len(self.processes))
        sources = {partition: EngineState(self, number, partition) for partition in range(self.partitions)}
        composer = PackComposer(Facts(policies, MARKETS.__getitem__, lambda reference: "UPS has it"))
        cut: Any = Cut(self, self.book)
        return Notifier(sources, cut, self.carrier, Everybody(self.markets[0]), composer, policies)


def check_notifications(world: NotifiedWorld) -> Counter[str]:
    """Check O4 over all messages taken, and that everybody was notified. Return the number of notices by state."""
    for message_id, times in Counter(mail.message_id for mail in world.carrier.taken).items():
        if times > 1:
            raise Broken("O4", f"the message {message_id} went out {times} times")
    taken = {mail.message_id for mail in world.carrier.taken}
    states: Counter[str] = Counter()
    for partition in range(world.partitions):
        state = older(world.log, partition, _longest(world, partition), 0)
        news = NotificationMapper(partition, state)
        for admitted in state.commits():
            for wanted in news.of(admitted):
                if isinstance(wanted, Notification):
                    found = world.book.find(wanted.stream, wanted.notice_id)
                    if found is None:
                        raise Broken("O4", f"nobody took note of {wanted.stream} {wanted.notice_id}")
                    states[found.state] += 1
                    if found.state in ("waiting", "handing"):
                        raise Broken("O4", f"{wanted.stream} {wanted.notice_id} is {found.state} still")
                    if found.state == "handed" and message_id_of(Message([found])) not in taken:
                        raise Broken("O4", f"{wanted.stream} {wanted.notice_id} was never handed over")
    return states


def _longest(world: World, partition: int) -> LocalState:
    return max((process.states[partition] for process in world.processes), key=lambda state: state.next_offset)
