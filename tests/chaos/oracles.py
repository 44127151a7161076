"""Checks of the log after a run, read by the simulation's second reader, which shares nothing with the engine.

Quantities, money and deadlines are judged by the simulation's own oracles; the checks here judge the
answers to clients. Each check raises ``Broken``.
"""

from collections import defaultdict
from collections.abc import Iterator

from consumers.ports.journal import JournalRecord
from infra.journals.memory import MemoryLog
from infra.kafka.quiet_import import KafkaConsumer, TopicPartition
from tests.chaos.load import AT_ITS_POSITION, UNSETTLED, Attempt, Intent
from tests.simulation.oracles import WROTE_NOTHING, Broken, deadlines, quantities_and_money
from tests.simulation.reader import AdmittedCommit, Reading, read


def check(servers: str, topic: str, partitions: int, intents: list[Intent]) -> Reading:
    """All oracles over the log and over everything that was answered."""
    reading = read(log(servers, topic, partitions))
    find(reading, intents)
    promises(reading, intents)
    quantities_and_money(reading)
    deadlines(reading)
    return reading


def log(servers: str, topic: str, partitions: int) -> MemoryLog:
    """The whole topic, by a plain consumer."""
    found = MemoryLog(partitions, lambda: 0)
    parts = [TopicPartition(topic, number) for number in range(partitions)]
    consumer = KafkaConsumer(
        bootstrap_servers=servers.split(","),
        group_id=None,
        auto_offset_reset="none",
        enable_auto_commit=False,
        reconnect_backoff_max_ms=200,
    )
    try:
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends = consumer.end_offsets(parts)
        while any(consumer.position(part) < ends[part] for part in parts):
            for part, records in consumer.poll(timeout_ms=500, max_records=5000).items():
                found.records[part.partition] += [
                    JournalRecord(part.partition, record.offset, record.timestamp * 1000, record.value)
                    for record in records
                ]
    finally:
        consumer.close()
    return found


def find(reading: Reading, intents: list[Intent]) -> None:
    """The commits that answers name by the position of their last event only: that of the command, which must end at
    this position."""
    by_command = {(admitted.stream, admitted.commit["command_id"]): admitted for admitted in reading.admitted}
    ends = dict(_ends(reading))
    for intent in intents:
        for attempt in intent.attempts:
            kind, rule, commit_position = attempt.answer or ("", None, None)
            if commit_position is None or commit_position[1] != AT_ITS_POSITION:
                continue
            partition, _, position = commit_position
            admitted = by_command.get(intent.key)
            named = partition, int(position)
            if admitted is None or (admitted.partition, ends[admitted.partition, admitted.ordinal]) != named:
                raise Broken("lost", f"{intent.key} was acknowledged at {partition}:{position}, where it is not")
            attempt.answer = kind, rule, (admitted.partition, admitted.ordinal, admitted.hash.hex())


def _ends(reading: Reading) -> Iterator[tuple[tuple[int, int], int]]:
    """Partition and ordinal → position of the last event that was there then."""
    counted: dict[int, int] = defaultdict(int)
    for admitted in reading.admitted:
        counted[admitted.partition] += sum(
            len(part["events"]) for part in admitted.commit["streams"] if part["kind"] == "chain"
        )
        yield (admitted.partition, admitted.ordinal), counted[admitted.partition] - 1


def promises(reading: Reading, intents: list[Intent]) -> None:
    """Every command was answered, a named commit is in the log once, and all answers to a command are equal."""
    at = {(admitted.partition, admitted.ordinal): admitted for admitted in reading.admitted}
    by_command: dict[tuple[str, str], list[AdmittedCommit]] = defaultdict(list)
    for admitted in reading.admitted:
        if admitted.commit["command_id"] is not None:
            by_command[admitted.stream, admitted.commit["command_id"]].append(admitted)
    for command, found in by_command.items():
        if len(found) > 1:
            raise Broken("once", f"{command} is in the log {len(found)} times")
    known = _known_orders(intents)
    sent = set()
    for intent in intents:
        sent.add(intent.key)
        if not intent.settled:
            raise Broken("answered", f"{intent.key} was never answered")
        for attempt in intent.attempts:
            if attempt.answer is None and not attempt.lost:
                raise Broken("answered", f"{intent.key} waits for {attempt.engine}, which is alive")
            _check_named_commit(attempt, at)
            _knew(attempt, known)
        _one_answer(intent)
        _check_unwritten(intent, by_command.get(intent.key, []))
    for stream, command_id in by_command.keys() - sent:
        if not command_id.startswith("deadline:"):
            raise Broken("once", f"{stream} has a command that nobody sent: {command_id}")


def _check_named_commit(attempt: Attempt, at: dict[tuple[int, int], AdmittedCommit]) -> None:
    if attempt.answer is None:
        return
    key, (kind, rule, commit_position) = attempt.intent.key, attempt.answer
    if kind == "defect":
        raise Broken("defect", f"{key}: {rule}")
    if commit_position is None:
        if kind == "accepted":
            raise Broken("lost", f"{key} was accepted without a commit")
        return
    partition, ordinal, hash_ = commit_position
    admitted = at.get((partition, ordinal))
    if admitted is None or admitted.hash.hex() != hash_:
        raise Broken("lost", f"{key} was acknowledged with a commit that is not in the log: {commit_position}")
    found = admitted.stream, admitted.commit["command_id"]
    if found != key or admitted.commit["command_fingerprint"] != attempt.fingerprint:
        raise Broken("lost", f"{key} was acknowledged with the commit of something else")


def _known_orders(intents: list[Intent]) -> dict[str, int]:
    """When somebody was first answered that an order exists."""
    known: dict[str, int] = {}
    for intent in intents:
        for attempt in intent.attempts:
            if attempt.answer is not None and attempt.answer[2] is not None:
                stream = intent.key[0]
                known[stream] = min(attempt.heard, known.get(stream, attempt.heard))
    return known


def _knew(attempt: Attempt, known: dict[str, int]) -> None:
    """Nobody is answered that there is no such order after somebody was answered that there is."""
    denied = attempt.answer is not None and attempt.answer[1] == "no-such-order"
    if denied and known.get(attempt.intent.key[0], attempt.asked) < attempt.asked:
        raise Broken("lost", f"{attempt.intent.key} was answered that there is no such order, but there was")


def _one_answer(intent: Intent) -> None:
    """A repeated command gets the first answer."""
    first: Attempt | None = None
    answered = [attempt for attempt in intent.attempts if attempt.answer is not None]
    for attempt in sorted(answered, key=lambda attempt: attempt.heard):
        assert attempt.answer is not None
        kind, _, commit_position = attempt.answer
        if commit_position is None:
            later = first is not None and attempt.asked > first.heard and attempt.fingerprint == first.fingerprint
            if later and kind not in UNSETTLED:
                raise Broken("same answer", f"{intent.key} was answered already, and then {attempt.answer}")
        elif first is None:
            first = attempt
        elif attempt.answer != first.answer or attempt.fingerprint != first.fingerprint:
            raise Broken("same answer", f"{intent.key}: {first.answer}, and then {attempt.answer}")


def _check_unwritten(intent: Intent, found: list[AdmittedCommit]) -> None:
    """A command that every answer called unwritten is not in the log."""
    unwritten = all(
        attempt.answer is not None
        and (attempt.answer[0] in WROTE_NOTHING or (attempt.answer[0] == "refused" and attempt.answer[2] is None))
        for attempt in intent.attempts
    )
    if found and unwritten:
        raise Broken("unwritten", f"{intent.key} is in the log, but every answer was that nothing was written")
