"""Subjects: what is on record of a person's data, and of the holds on it."""

from typing import Any

from domain.commands import parse_command
from domain.decide import authorise, decide
from domain.folding import apply
from domain.instants import parse_instant
from domain.marketplace_settings import DEFAULT_MARKET
from domain.order import Order, Stamp, fresh
from tests.spec.domain.story import book


class Subject:
    """The commands of support about one person's data."""

    def __init__(self) -> None:
        self.order: Order | None = None
        self.count = 0

    def send(self, name: str, **fields: Any) -> list[str]:
        """Send a command. Returns the names of its events."""
        self.count += 1
        actor = {"kind": "support", "id": "desk"}
        body = {
            "command": name,
            "command_id": f"c{self.count}",
            "marketplace": "acme",
            "subject": "b-1",
            "actor": actor,
        }
        command = parse_command({**body, **fields})
        assert authorise(self.order, command) is None
        now = parse_instant(f"2026-03-02T10:00:{self.count:02}Z")
        decided = decide(self.order, command, book(), DEFAULT_MARKET, now)
        self.order = self.order or fresh("acme", "")
        for event, at in decided.events:
            apply(self.order, event, at, Stamp(now, "support", "desk", command.fingerprint))
        return [type(event).__name__ for event, _ in decided.events]


def test_a_subject_is_erased_on_every_request_because_new_texts_may_have_arrived() -> None:
    subject = Subject()
    assert subject.send("EraseSubject") == ["SubjectErased"]
    assert subject.send("EraseSubject") == ["SubjectErased"]
    assert subject.send("PlaceLegalHold", hold_id="h1") == ["LegalHoldPlaced"]
    assert subject.send("EraseSubject") == ["CommandRefused"]
    assert subject.send("ReleaseLegalHold", hold_id="h1") == ["LegalHoldReleased"]
    assert subject.send("EraseSubject") == ["SubjectErased"]
