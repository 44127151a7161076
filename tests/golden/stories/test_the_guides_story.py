"""The guide's own story, stored once as bytes, in both variants: it folds to the same order for ever,
and has the same gaps, contradictions and advice."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from domain.checklist import Item, dispute_checklist
from domain.chronology import chronology
from domain.folding import apply
from domain.instants import Instant, parse_instant
from domain.order import Order, Stamp, fresh
from domain.order_json import show
from domain.recommendation import Precedents, Recommendation, recommend_dispute
from domain.record import Entry
from schemas.codec import decode_event
from schemas.commit import ZERO_HASH, decode_commit
from tests.golden.stories.writing import STREAM, VARIANTS, written_story
from tests.spec.domain.story import book

FOLDER = Path(__file__).parent
OPEN, DENIED, LAPSED = "2026-03-07T09:00:00Z", "2026-03-10T17:00:00Z", "2026-03-25T00:00:00Z"
POLICIES = book()


class StoredStory(NamedTuple):
    """A story as it is stored, up to an instant."""

    order: Order
    record: list[Entry]
    head: bytes
    now: Instant

    @property
    def checklist(self) -> tuple[Item, ...]:
        document = POLICIES.get(self.order.terms.policy)
        assert document is not None
        return dispute_checklist(self.order, self.record, self.order.disputes["d1"], document.policy, self.now)

    @property
    def gaps(self) -> list[tuple[str, str, str]]:
        return [(gap.gap, gap.stage, gap.severity) for item in self.checklist for gap in item.gaps]

    def item(self, name: str) -> Item:
        return next(item for item in self.checklist if item.item == name)

    def advice(self, precedents: Precedents | None = None) -> Recommendation:
        dispute = self.order.disputes["d1"]
        return recommend_dispute(
            self.order, self.record, dispute, self.checklist, self.now, fee="250.00 USD", precedents=precedents
        )


def stored(variant: str, until: str = "2027-01-01T00:00:00Z") -> StoredStory:
    """Fold what is stored, as every reader of a journal does."""
    order, record, parent = fresh("acme", "PO-1"), [], ZERO_HASH
    for line in (FOLDER / f"{variant}.1.jsonl").read_text(encoding="utf-8").splitlines():
        content = bytes.fromhex(json.loads(line))
        commit = decode_commit(content)
        (part,) = commit.streams
        assert (part.stream, part.parent, part.first_event) == (STREAM, parent, order.version)
        assert commit.actor is not None
        if commit.recorded_at > parse_instant(until):
            break
        stamp = Stamp(commit.recorded_at, commit.actor.kind, commit.actor.id, commit.command_fingerprint)
        for entry in part.events:
            event = decode_event(entry.name, entry.schema_version, entry.body)
            apply(order, event, entry.occurred_at, stamp)
            who = commit.actor
            record.append(Entry(order.version, event, entry.occurred_at, commit.recorded_at, who.kind, who.id))
        parent = sha256(content).digest()
    return StoredStory(order, record, parent, min(parse_instant(until), parse_instant("2026-03-13T00:00:00Z")))


by_message: Callable[..., StoredStory] = lambda until="2027-01-01T00:00:00Z": stored("asked-by-message", until)  # noqa: E731
by_request: Callable[..., StoredStory] = lambda until="2027-01-01T00:00:00Z": stored("asked-by-request", until)  # noqa: E731


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_story_played_today_has_the_same_events(variant: str) -> None:
    assert [type(entry.event).__name__ for entry in stored(variant).record] == written_story(variant).events()


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_folds_to_an_order_that_shipped_was_denied_and_is_to_be_returned(variant: str) -> None:
    order = stored(variant).order
    shown = show(order, None, order.recorded_at)
    assert (shown["status"], shown["refunds"]) == ("delivered", [])
    assert [(line["open"], line["shipped"], line["canceled"]) for line in shown["lines"]] == [(0, 1, 0)]
    assert order.disputes["d1"].status == "denied"
    back = order.returns["return-1"]
    assert (back.accepted, back.refund, back.status) == (True, "on_receipt", "open")
    assert order.refunds_instructed == 0, "the money waits for the parcel"


def test_asking_by_message_only_is_recorded_and_weighs_as_much_as_asking_late() -> None:
    here = by_message(OPEN)
    assert here.item("request").said == "asked by message only"
    assert here.item("answer").said == "nobody was asked to answer"
    assert here.gaps == [
        ("asked-by-message-only", "before", "high"),
        ("asked-late", "before", "high"),
        ("no-platform-confirmation", "during", "moderate"),
    ]
    assert here.item("contacts").said == "chat, ticket T-100"


def test_after_a_request_the_sellers_silence_is_stated_and_nothing_is_late() -> None:
    here = by_request(OPEN)
    assert (here.item("request").present, here.item("request").versions) == (True, (4,))
    assert here.item("answer").said == "the seller did not answer in the time that was given"
    assert here.gaps == [("no-platform-confirmation", "during", "moderate")]
    assert here.item("deadlines").said == "running: evidence evidence-1"


def test_a_request_leads_to_proceed_and_a_message_to_give_up_and_return_it() -> None:
    requested, messaged = by_request(OPEN).advice(), by_message(OPEN).advice()
    assert (requested.course.course, requested.course.takes) == ("proceed", "weeks to months")
    assert requested.facts == ("it was asked in time", "the seller did not answer in the time that was given")
    assert messaged.course.course == "abandon-and-return"
    assert messaged.facts == ("it shipped before there was any request: it was asked by message only",)
    assert requested.at_stake == messaged.at_stake == 8000, "it shipped: the shipping of 10.00 is not at stake"
    assert requested.arbitration_fee == "250.00 USD"


def test_a_denied_buyer_who_asked_in_time_may_escalate_until_the_appeal_lapses() -> None:
    here = by_request(DENIED)
    assert (here.advice().course.course, here.advice().facts[1]) == ("escalate", "the time to appeal is open")
    late = here._replace(now=parse_instant(LAPSED))
    assert ("missed-deadline", "after", "critical") in late.gaps
    assert late.advice().course.course == "abandon-and-return"
    assert by_message(DENIED).advice().course.course == "abandon-and-return"


def test_claimed_times_and_reasons_are_shown_next_to_the_logs_and_never_merged() -> None:
    for here, flag, logged in ((by_message(), "other-time", 3), (by_request(), "before-the-order", 1)):
        found = chronology(here.record)
        assert [entry.version for entry in found.entries] == list(range(1, len(here.record) + 1)), "the log's order"
        claim = next(claim for claim in found.claims if claim.flag == flag)
        attached = next(x for x in here.record if x.version == claim.version)
        assert (type(attached.event).__name__, claim.logged_version) == ("EvidenceAdded", logged)
        assert found.flags(claim.version) == [flag]
    requested = chronology(by_request().record)
    assert [(each.where, each.by, each.reason) for each in requested.reasons] == [
        ("request", "buyer", "ordered_by_mistake"),
        ("return", "buyer", "changed_mind"),
    ]
    assert requested.reasons_differ
    assert not chronology(by_message().record).reasons_differ


def test_a_marketplaces_own_figures_are_shown_from_thirty_disputes_on() -> None:
    here = by_request(OPEN)
    assert here.advice(Precedents(29, 10, 12)).precedents is None
    enough = here.advice(Precedents(30, 10, 12)).precedents
    assert enough is not None
    assert (enough.decided, enough.granted, enough.median_days) == (30, 10, 12)
