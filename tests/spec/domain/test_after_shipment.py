"""Sentences of docs/reference/after-shipment.md that no acceptance case shows.

``after_shipment.md`` in this folder lists the specs of each sentence. Every name in it is looked up here.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from domain.order_json import attention
from domain.record import Entry, is_internal, seen_by
from tests.spec.domain.story import Story, policy

HERE = Path(__file__).parent
SPECS = HERE.parent
TWO = [
    {"line": 1, "sku": "A", "quantity": 1, "unit_price": "20.00"},
    {"line": 2, "sku": "B", "quantity": 2, "unit_price": "30.00"},
]


def delivered(preset: str = "peer-to-peer") -> Story:
    """Two lines, delivered on Monday 2 March 2026, 12:00."""
    story = Story(preset).placed("2026-03-02T10:00:00Z", lines=TWO)
    assert story.send("Ship", "2026-03-02T11:00:00Z", shipment_id="asn-1") == "accepted"
    assert story.send("Deliver", "2026-03-02T12:00:00Z") == "accepted"
    return story


def with_case(preset: str = "peer-to-peer") -> Story:
    story = delivered(preset)
    assert story.send("OpenCase", "2026-03-02T13:00:00Z", case_id="k1", reason="wrong_item", lines=[1]) == "accepted"
    return story


def photo(story: Story, at: str, evidence_id: str, kind: str = "photo", by: str = "buyer", about: str = "k1") -> str:
    return story.send(
        "AttachEvidence", at, by=by, evidence_id=evidence_id, about=about, kind=kind,
        sha256="0" * 64, media_type="image/png", size=1,
    )  # fmt: skip


def deadlines(story: Story, kind: str) -> list[str]:
    return [d["due_at"] for d in story.shown["deadlines"] if d["kind"] == kind]


# ---- cancelled but shipped -----------------------------------------------------------------------------------------


def test_each_step_left_out_is_refused_and_the_answer_names_the_missing_one() -> None:
    story = Story("seller-portal").placed(lines=TWO)
    story.send("CancelLines", "2026-03-02T11:00:00Z", reason="out_of_stock")
    parcel = {"carrier": "UPS", "tracking_number": "1Z999"}
    assert story.send("NotifyCustomer", "2026-03-02T12:00:00Z", text="UPS 1Z999") == "refused:step-out-of-order"
    story.send("ReportShippedAfterCancel", "2026-03-02T12:00:00Z", lines=[1], **parcel)
    both: dict[str, Any] = {"accepts_item": True, "accepts_rebilling": True}
    assert story.send("Acknowledge", "2026-03-02T13:00:00Z", **both) == "refused:step-out-of-order"
    assert _missing(story) == "notify-customer"
    assert story.send("Rebill", "2026-03-02T13:00:00Z") == "refused:step-out-of-order"
    assert _missing(story) == "notify-customer"
    story.send("NotifyCustomer", "2026-03-02T14:00:00Z", text="It left with UPS, number 1Z999.")
    assert story.send("Rebill", "2026-03-02T15:00:00Z") == "refused:memo-needs-acknowledgment"
    assert _missing(story) == "acknowledge-both"
    memo = {"memo_id": "m1", "rebill_id": "rebill-1"}
    assert story.send("IssueCreditMemo", "2026-03-02T15:00:00Z", **memo) == "refused:memo-needs-acknowledgment"
    story.send("Acknowledge", "2026-03-02T16:00:00Z", **both)
    assert story.send("IssueCreditMemo", "2026-03-02T17:00:00Z", **memo) == "refused:step-out-of-order"
    assert _missing(story) == "rebill"
    story.send("Rebill", "2026-03-02T18:00:00Z")
    assert story.send("IssueCreditMemo", "2026-03-02T19:00:00Z", **memo) == "refused:step-out-of-order"
    story.send("ConfirmRebill", "2026-03-02T20:00:00Z", rebill_id="rebill-1")
    assert story.send("IssueCreditMemo", "2026-03-02T21:00:00Z", **memo) == "accepted"
    assert (story.line(1), story.here.lines[1].rebilled) == ((0, 0, 1), 1), "the quantity stays canceled"


def _missing(story: Story) -> str:
    assert story.last is not None
    assert story.last.verdict is not None
    return next(each.value for each in story.last.verdict.inputs if each.name == "missing")


# ---- cases -----------------------------------------------------------------------------------------------------------


def test_without_cases_a_line_that_is_not_there_is_still_the_first_answer() -> None:
    story = delivered("general-store")
    assert story.send("OpenCase", "2026-03-02T13:00:00Z", case_id="k1", reason="wrong_item", lines=[9]) == (
        "refused:no-such-line"
    )
    assert story.send("OpenCase", "2026-03-02T13:00:00Z", case_id="k1", reason="wrong_item", lines=[1]) == (
        "refused:cases-off"
    )


def test_evidence_requested_twice_pauses_the_clock_until_all_of_it_is_given() -> None:
    story = with_case()
    story.send("RequestEvidence", "2026-03-03T10:00:00Z", about="k1", kinds=["photo"], until="2026-03-10T10:00:00Z")
    story.send("RequestEvidence", "2026-03-03T11:00:00Z", about="k1", kinds=["receipt"], until="2026-03-11T10:00:00Z")
    assert photo(story, "2026-03-04T10:00:00Z", "e1", "receipt") == "accepted"
    assert deadlines(story, "case") == [], "the photograph is still awaited"
    assert photo(story, "2026-03-05T10:00:00Z", "e2") == "accepted"
    assert deadlines(story, "case") == ["2026-03-06T13:00:00Z"], "1 day and 3 hours were left"
    assert deadlines(story, "evidence") == []


@pytest.mark.parametrize("dates", [("2026-03-04", "2026-03-05"), ("2026-03-06", "2026-03-05")])
def test_evidence_requested_twice_pauses_the_clock_until_the_last_date_set(dates: tuple[str, str]) -> None:
    story = with_case()
    for number, day in enumerate(dates):
        at = f"2026-03-03T10:0{number}:00Z"
        story.send("RequestEvidence", at, about="k1", kinds=["photo"], until=f"{day}T10:00:00Z")
    assert deadlines(story, "evidence") == ["2026-03-05T10:00:00Z"]
    story.reach_until(story.here.recorded_at + 49 * 3_600_000_000)
    assert deadlines(story, "case") == ["2026-03-06T13:00:00Z"]
    assert story.here.cases["k1"].awaited == (), "its date has passed: nothing is awaited any more"


def test_support_requests_evidence_until_a_time_in_the_future() -> None:
    story = with_case()
    past: dict[str, Any] = {"about": "k1", "kinds": ["photo"], "until": "2026-03-03T10:00:00Z"}
    assert story.send("RequestEvidence", "2026-03-03T10:00:00Z", **past) == "bad:/until"


def test_each_side_may_attach_five_files_whatever_the_other_side_attached() -> None:
    story = with_case()
    for number in range(5):
        assert photo(story, f"2026-03-02T14:0{number}:00Z", f"b{number}") == "accepted"
    assert photo(story, "2026-03-02T14:06:00Z", "b5") == "refused:evidence-limits"
    assert photo(story, "2026-03-02T14:07:00Z", "s0", by="seller") == "accepted"
    assert photo(story, "2026-03-02T14:08:00Z", "d0", by="support") == "accepted"


def test_evidence_about_an_unknown_matter_is_refused_as_unknown() -> None:
    assert photo(with_case(), "2026-03-02T14:00:00Z", "b0", about="k9") == "refused:nothing-to-dispute"


@pytest.mark.parametrize("end", ["DecideCase", "AcceptReturn"])
def test_while_a_case_is_open_over_units_only_the_others_can_be_returned(end: str) -> None:
    story = with_case("mutual-consent")
    back: dict[str, Any] = {"reason": "changed_mind", "lines": [1]}
    assert story.send("RequestReturn", "2026-03-02T14:00:00Z", by="buyer", **back) == "refused:one-open-request"
    assert story.send("RequestReturn", "2026-03-02T14:00:00Z", by="buyer", **{**back, "lines": [2]}) == "accepted"
    if end == "DecideCase":
        story.send(end, "2026-03-03T10:00:00Z", case_id="k1", outcome="return", rule="case-reasons")
    else:
        story.send(end, "2026-03-03T10:00:00Z", about="k1")
    assert [x.lines for x in story.here.returns.values()] == [{2: 2}, {1: 1}]


def test_a_claimed_fault_is_denied_by_the_rule_whose_reason_it_is() -> None:
    story = with_case()
    decide = {"case_id": "k1", "outcome": "deny", "rule": "case-reasons", "note": "It says: too small."}
    assert story.send("DecideCase", "2026-03-03T10:00:00Z", **decide) == "accepted"
    assert (story.here.cases["k1"].outcome, story.here.returns) == ("deny", {})


def test_an_approved_case_is_returned_at_the_platforms_cost_and_refunded_on_receipt() -> None:
    story = with_case()
    story.send("DecideCase", "2026-03-03T10:00:00Z", case_id="k1", outcome="return", rule="case-reasons")
    assert (story.here.returns["return-1"].postage, story.refunds) == ("platform", [])
    story.send("ReturnReceived", "2026-03-06T10:00:00Z", by="seller", about="k1", condition="damaged")
    assert story.refunds == [2000]


def test_an_overdue_case_is_shown_to_be_late_and_nothing_is_decided() -> None:
    story = with_case()
    later = story.here.recorded_at + 30 * 86_400_000_000
    story.reach_until(later)
    assert "late" in attention(story.here, later)
    assert story.here.cases["k1"].status == "open"
    assert story.here.returns == {}, "silence is not consent"


def test_supports_note_to_itself_is_internal_and_only_that() -> None:
    story = with_case()
    for number, (by, to) in enumerate((("support", "support"), ("seller", "support"), ("support", "buyer"))):
        at = f"2026-03-02T15:0{number}:00Z"
        assert story.send("SendMessage", at, by=by, message_id=f"m{number}", to=to, text="?", about="k1") == "accepted"
    record = [
        Entry(0, event, at, stamp.recorded_at, stamp.actor_kind, stamp.actor_id)
        for events, stamp in story.commits
        for event, at in events
    ]
    assert [is_internal(x) for x in record[-3:]] == [True, False, False]
    for side in ("buyer", "seller"):
        assert len(seen_by(record, side)) == len(record) - 1
    for office in (None, "support"):
        assert seen_by(record, office) == record


# ---- disputes --------------------------------------------------------------------------------------------------------


def test_a_request_overtaken_by_a_shipment_may_be_disputed_and_the_engine_cites_the_policy() -> None:
    text = 'id = "court"\nversion = 1\nrules = ["shipped-lock", "seller-has-final-say"]\n[disputes]\n'
    court = policy(text)
    story = Story("court", documents=(court,)).placed(lines=TWO)
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="other", lines=[1])
    assert (
        story.send("OpenDispute", "2026-03-02T11:30:00Z", dispute_id="d1", about="r1") == "refused:nothing-to-dispute"
    )
    story.send("Ship", "2026-03-02T12:00:00Z", shipment_id="asn-1", lines=[1])
    assert story.request() == "shipped"
    assert story.send("OpenDispute", "2026-03-02T13:00:00Z", dispute_id="d1", about="r1") == "accepted"
    opened = story.commits[-1][0][0][0]
    assert opened.policy == court.ref  # type: ignore[union-attr]


# ---- every sentence has its spec -------------------------------------------------------------------------------------


def rows() -> list[tuple[str, list[str]]]:
    """Sentence and specs of every row of after_shipment.md."""
    text = (HERE / "after_shipment.md").read_text(encoding="utf-8")
    found = [re.fullmatch(r"\| (.+?) \| (.+) \|", line) for line in text.splitlines()]
    rows = [(row[1], re.findall(r"`([\w.-]+)`", row[2])) for row in found if row is not None]
    return [(sentence, specs) for sentence, specs in rows if sentence not in ("sentence", "---")]


def test_every_spec_that_a_sentence_names_is_there() -> None:
    cases = {
        json.loads(x)["id"] for x in (SPECS / "acceptance" / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    }
    tests = set()
    for path in SPECS.parent.rglob("test_*.py"):
        tests |= set(re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8")))
    for sentence, specs in rows():
        assert specs, sentence
        assert not [name for name in specs if name not in cases and name not in tests], sentence
