"""The oracles of promises speak when a promise is broken, and only then."""

from dataclasses import replace

import pytest

from tests.chaos.load import AT_ITS_POSITION, Answer, Attempt, Intent
from tests.chaos.oracles import find, promises
from tests.simulation.oracles import Broken
from tests.simulation.reader import AdmittedCommit, Reading

HASH = b"\x07" * 32
PRINT = b"\x01" * 32
ACCEPTED: Answer = ("accepted", None, (0, 0, HASH.hex()))
DENIED: Answer = ("refused", "no-such-order", None)


def admitted(command_id: str = "c1", ordinal: int = 0) -> AdmittedCommit:
    stream = {"stream": "acme/PO-1", "kind": "chain", "parent": bytes(32), "first_event": 0, "events": []}
    commit = {"command_id": command_id, "command_fingerprint": PRINT, "streams": [stream]}
    return AdmittedCommit(0, ordinal, ordinal, HASH, 0, commit)


def answered(*answers: Answer | None, lost: bool = False) -> Intent:
    """A command that was asked again and again, each time after the last answer."""
    intent = Intent({"marketplace": "acme", "order_id": "PO-1", "command_id": "c1"})
    for number, answer in enumerate(answers):
        attempt = Attempt(intent, intent.body, PRINT, "a", 2 * number + 1, 0.0, answer, 2 * number + 2)
        attempt.lost = lost and answer is None
        intent.attempts.append(attempt)
    return intent


def judge(intent: Intent, *commits: AdmittedCommit) -> None:
    promises(Reading(list(commits), {}), [intent])


def test_a_run_that_fulfills_every_promise_has_no_findings() -> None:
    judge(answered(("unknown", None, None), ACCEPTED, ACCEPTED), admitted())
    judge(answered(None, ACCEPTED, lost=True), admitted())
    judge(answered(("unavailable", "journal-unavailable", None), DENIED))


@pytest.mark.parametrize(
    ("oracle", "intent", "commits"),
    [
        ("lost", answered(ACCEPTED), []),
        ("lost", answered(ACCEPTED), [replace(admitted(), hash=bytes(32))]),
        ("lost", answered(ACCEPTED), [admitted("c2")]),
        ("lost", answered(("accepted", None, None)), []),
        ("once", answered(ACCEPTED), [admitted(), admitted(ordinal=1)]),
        ("once", answered(ACCEPTED), [admitted(), admitted("c2", 1)]),
        ("answered", answered(("unknown", None, None)), []),
        ("answered", answered(ACCEPTED, None), [admitted()]),
        ("lost", answered(ACCEPTED, DENIED), [admitted()]),
        ("same answer", answered(ACCEPTED, ("refused", "over", None)), [admitted()]),
        ("same answer", answered(ACCEPTED, ("refused", "over", (0, 0, HASH.hex()))), [admitted()]),
        ("unwritten", answered(DENIED), [admitted()]),
        ("defect", answered(("defect", "KeyError()", None)), []),
    ],
)
def test_a_run_that_breaks_a_promise_is_reported(oracle: str, intent: Intent, commits: list[AdmittedCommit]) -> None:
    with pytest.raises(Broken) as broken:
        judge(intent, *commits)
    assert broken.value.oracle == oracle


def at(position: int, kind: str = "refused") -> Answer:
    return (kind, "over", (0, AT_ITS_POSITION, str(position)))


def with_events(command_id: str, ordinal: int, events: int) -> AdmittedCommit:
    made = admitted(command_id, ordinal)
    made.commit["streams"][0]["events"] = [{}] * events
    return made


def test_an_answer_that_knows_a_position_only_is_the_commit_of_its_command_that_ends_there() -> None:
    intent = answered(at(2))
    reading = Reading([with_events("c0", 0, 2), with_events("c1", 1, 1)], {})
    find(reading, [intent])
    assert intent.attempts[0].answer == ("refused", "over", (0, 1, HASH.hex()))


@pytest.mark.parametrize("commits", [[], [with_events("c1", 0, 2)], [with_events("c0", 0, 2), with_events("c2", 1, 1)]])
def test_an_answer_whose_position_is_another_is_lost(commits: list[AdmittedCommit]) -> None:
    with pytest.raises(Broken, match="lost"):
        find(Reading(commits, {}), [answered(at(2))])
