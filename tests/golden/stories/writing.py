"""Writes the guide's own story as golden history: ``python -m tests.golden.stories.writing``.

Both variants: asked by message, asked by request. It only adds a file that is not there. A line is a commit, in hex.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from schemas.codec import encode_event
from schemas.commit import ZERO_HASH, ActorEntry, Commit, EventEntry, StreamEntry, encode_commit
from tests.spec.domain.story import Story

FOLDER: Final = Path(__file__).parent
STREAM: Final = "acme/PO-1"
VARIANTS: Final = ("asked-by-message", "asked-by-request")


def written_story(variant: str) -> Story:
    """The buyer asks within minutes, the seller is silent for days, it is marked shipped, the dispute is denied because
    it shipped before any agreement, the buyer is sent to returns."""
    listing = {"ref": "listing-77", "sha256": "ab" * 32}
    line = {"line": 1, "sku": "A-1", "title": "Lamp", "quantity": 1, "unit_price": "80.00", "listing": listing}
    story = Story("mutual-consent").placed(lines=[line], shipping="10.00")
    send(story, "SendMessage", "2026-03-02T10:04:00Z", message_id="m1", to="seller", text="Please cancel, a mistake!")
    about = "m1"
    if variant == "asked-by-request":
        about = "r1"
        send(story, "RequestCancel", "2026-03-02T10:06:00Z", request_id="r1", reason="ordered_by_mistake")
    send(
        story,
        "RecordContact",
        "2026-03-04T09:00:00Z",
        by="buyer",
        contact_id="k1",
        channel="chat",
        ticket="T-100",
        about=about,
    )
    send(
        story,
        "Ship",
        "2026-03-06T15:00:00Z",
        shipment_id="asn-1",
        carrier="UPS",
        tracking_number="1Z999",
        occurred_at="2026-03-06T12:00:00Z",
    )
    send(story, "OpenDispute", "2026-03-07T08:00:00Z", dispute_id="d1", about=about, text="I asked in time.")
    send(
        story,
        "AttachEvidence",
        "2026-03-07T08:30:00Z",
        by="buyer",
        evidence_id="e1",
        about="d1",
        kind="message",
        sha256="cd" * 32,
        media_type="image/png",
        size=4711,
        origin="screenshot",
        source="the app",
        claimed_at="2026-03-02T09:50:00Z" if variant == "asked-by-request" else "2026-03-02T10:14:00Z",
    )
    send(story, "EscalateDispute", "2026-03-08T08:00:00Z", by="buyer", dispute_id="d1", ticket="T-200")
    send(
        story,
        "DecideDispute",
        "2026-03-10T16:00:00Z",
        dispute_id="d1",
        outcome="deny",
        rule="mutual-consent-after-shipment",
        note="It shipped before any agreement.",
    )
    send(story, "Deliver", "2026-03-11T10:00:00Z")
    send(story, "RequestReturn", "2026-03-12T10:00:00Z", reason="changed_mind", lines=[1])
    return story


def send(story: Story, name: str, at: str, **fields: Any) -> None:
    outcome = story.send(name, at, **fields)
    assert outcome == "accepted", f"{name}: {outcome}"


def commits(story: Story) -> list[bytes]:
    """The commits of a story, chained as the engine chains them."""
    parent, first, made = ZERO_HASH, 0, []
    for number, (events, stamp) in enumerate(story.commits, 1):
        entries = []
        for index, (event, occurred_at) in enumerate(events):
            name, version, body = encode_event(event)
            entries.append(EventEntry(index, name, version, occurred_at, body))
        commit = Commit(
            commit_version=1,
            commit_id=uuid5(NAMESPACE_URL, f"{STREAM}/{number}").bytes,
            command_id=f"c{number}",
            command_fingerprint=stamp.fingerprint,
            actor=ActorEntry(stamp.actor_kind, stamp.actor_id),
            correlation_id=None,
            causation_id=None,
            recorded_at=stamp.recorded_at,
            writer="import",
            streams=(StreamEntry(STREAM, "chain", parent, first, tuple(entries)),),
        )
        made.append(encode_commit(commit))
        parent, first = sha256(made[-1]).digest(), first + len(entries)
    return made


def main() -> None:
    for variant in VARIANTS:
        path = FOLDER / f"{variant}.1.jsonl"
        if not path.exists():
            path.write_text(
                "".join(f'"{commit.hex()}"\n' for commit in commits(written_story(variant))), encoding="utf-8"
            )


if __name__ == "__main__":
    main()
