"""Commands from a topic: whether the topics are as they must be, how many engines take commands, and how many commands
are unanswered."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from consumers.ports.journal import Journal, JournalError
from infra.diagnostics.findings import Finding, of_topic
from infra.settings import Settings, SettingsError

_REACH = "check that the brokers run and can be reached from this machine"


def check_commands(settings: Settings, journal: Journal) -> Iterator[Finding]:
    """Check the command topics and their consumer group. Joins no group, so engines that take commands are not
    disturbed."""
    try:
        at = settings.commands_at
    except SettingsError as wrong:
        yield Finding("commands", "wrong", str(wrong), "correct the setting")
        return
    if at is None:
        return
    from kafka.errors import KafkaError

    from infra.command_topic.topics import CommandTopics
    from infra.kafka.quiet_import import CONNECTION_ERRORS
    from infra.kafka.refusals import GROUP, code_of, why

    try:
        with closing(CommandTopics(at, settings.security)) as topics:
            found = [each for each in topics.check(journal.partitions) if each.do]
            yield from map(of_topic, found)
            members, behind = _group_backlog(settings, journal.partitions)
    except KafkaError as wrong:
        needs = f"Describe on the group {at.engines}" if code_of(wrong) == GROUP else ""
        yield Finding("commands", "wrong", why(wrong, settings.security, needs, CONNECTION_ERRORS), _REACH)
        return
    except JournalError as wrong:
        yield Finding("commands", "wrong", str(wrong), _REACH)
        return
    if not members and behind:
        message = f"{behind:,} are unanswered, and no engine takes commands"
        yield Finding("commands", "wrong", message, "start an engine: `rescind serve` with the setting commands")
    elif behind:
        yield Finding("commands", "note", f"{behind:,} are unanswered; engines that take commands: {members}")
    else:
        yield Finding("commands", "ok", f"all are answered; engines that take commands: {members}")


def _group_backlog(settings: Settings, partitions: int) -> tuple[int, int]:
    """The number of members of the group, and of commands that it has not answered. KafkaError."""
    from kafka import KafkaAdminClient, TopicPartition

    from infra.kafka.kafka_python import connection
    from infra.publishing.reading import PublishingTimeouts, opened_consumer

    at = settings.commands_at
    assert at is not None
    timeout, group = PublishingTimeouts(), at.engines
    milliseconds = int(timeout.ask * 1000)
    connected = connection(at.servers, settings.security)
    places = [TopicPartition(at.commands, partition) for partition in range(partitions)]
    with closing(
        KafkaAdminClient(**connected, request_timeout_ms=milliseconds, bootstrap_timeout_ms=milliseconds)
    ) as admin:
        members = admin.describe_groups([group])[group]["members"]
        remembered: Any = admin.list_group_offsets([group])[group]
    with opened_consumer(connected, timeout) as consumer:
        first = consumer.beginning_offsets(places, timeout_ms=milliseconds)
        ends = consumer.end_offsets(places, timeout_ms=milliseconds)
    answered = {place: remembered[place].offset if place in remembered else first[place] for place in places}
    return len(members), sum(max(0, ends[place] - answered[place]) for place in places)
