"""Payment instructions: compare what is due according to the views with what is on the public topics."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final, NamedTuple

from kafka import TopicPartition

from consumers.ports.journal import Journal
from consumers.ports.local_state import LocalState, LocalStateDamaged, LocalStateUnavailable
from consumers.ports.public_log import Progress, PublicLogUnavailable
from consumers.ports.views import ViewsError
from consumers.publishing.public_records import Publisher
from domain.instants import HOUR, Instant
from domain.wording import counted
from infra.addresses.kafka import KafkaAt
from infra.diagnostics.findings import Finding
from infra.kafka.kafka_python import connection
from infra.local_state import open_local_state
from infra.local_state.slots import slot_path, state_file
from infra.publishing.earlier_prefixes import other_prefixes
from infra.publishing.reading import PublishingTimeouts, opened_consumer, unavailable
from infra.settings import Settings
from infra.views.opening import existing_views
from schemas.partitioning import partition_of
from schemas.public.ids import PinnedIds
from schemas.public.topics import REBILLS, REFUNDS, topic_name

NAMED: Final = 10
"""The most instructions that a finding names."""
_DUE: Final = {
    REFUNDS: "SELECT marketplace, order_id, refund_id AS id FROM refunds WHERE status = 'due' AND in_flight_minor > 0",
    REBILLS: "SELECT marketplace, order_id, rebill_id AS id FROM rebills WHERE status = 'due'",
}

_HELD: Final = "SELECT refund_id FROM refunds WHERE status = 'due' AND in_flight_minor = 0 AND waiting_minor > 0"


class _Due(NamedTuple):
    """An instruction in the journal that nobody has confirmed."""

    kind: str
    id: str
    partition: int
    offset: int
    recorded_at: Instant


def check_instructions(
    settings: Settings, at: KafkaAt, directory: Path, journal: Journal, progress: Mapping[int, Progress]
) -> Iterator[Finding]:
    """Check that every due refund and rebill has its instruction on a topic. ``progress``: by partition. What cannot be
    examined is left out, because another finding reports it."""
    try:
        due, held = _due(settings, directory, journal)
    except (LocalStateDamaged, LocalStateUnavailable, ViewsError, FileNotFoundError):
        return
    try:
        missing, waiting, never = _sorted_out(settings, at, journal, progress, due)
    except PublicLogUnavailable as wrong:
        yield Finding(
            "instructions", "wrong", str(wrong), "check that the brokers run and can be reached from this machine"
        )
        return
    by_hand = "carry each out by hand, once, and confirm it (ConfirmRefund, ConfirmRebill)"
    if missing:
        message = (
            f"{_many(missing)} due according to the views, but missing on the topics that had them: {_names(missing)}"
        )
        yield Finding("instructions", "wrong", message, f"restore the topics from a copy; or {by_hand}")
    if never:
        message = f"{_many(never)} due that were decided before instructions were published here: {_names(never)}"
        yield Finding(
            "instructions", "note", message, f"check whether they were instructed in another way; if not, {by_hand}"
        )
    if waiting:
        message = f"{_many(waiting)} due and not published yet: {_names(waiting)}"
        yield Finding("instructions", "note", message, "`rescind serve` publishes them")
    if not (missing or never or waiting):
        message = f"{len(due):,} due, each with its instruction on a topic"
        if held:
            message += f"; {counted(held, 'refund')} held back by a chargeback"
        yield Finding("instructions", "ok", message)


def _due(settings: Settings, directory: Path, journal: Journal) -> tuple[list[_Due], int]:
    """Refunds and rebills that are due in the views and were instructed by a live command, from local state.

    A refund can have several instructions, because parts that waited for a chargeback go out on their own. Also returns
    the number of due refunds that only wait for one.
    """
    due: list[_Due] = []
    views = existing_views(settings.views_at) if settings.views_at.persistent else None
    if views is None:
        return due, 0
    ids: dict[str, set[str]] = {}
    with closing(views):
        held = len(views.query(_HELD, ()))
        for kind, query in _DUE.items():
            for row in views.query(query, ()):
                stream = f"{row['marketplace']}/{row['order_id']}"
                ids.setdefault(stream, set()).add(f"{kind}:{stream}/{row['id']}")
    with ExitStack() as stack:
        states: dict[int, LocalState] = {}
        for stream, wanted in ids.items():
            partition = partition_of(stream, journal.partitions)
            if partition not in states:
                path = state_file(slot_path(directory, 0), partition)
                opened = open_local_state(path, partition, journal.partitions, read_only=True)
                states[partition] = stack.enter_context(closing(opened.state))
            publisher = Publisher(partition, states[partition], PinnedIds())
            for admitted in states[partition].commits_of(stream):
                for record in publisher.records(admitted, {}, stream)[0]:
                    id = dict(record.headers)["ce_id"].decode()
                    of = f"{record.kind}:{stream}/{id.removeprefix(f'{stream}/').partition('.')[0]}"
                    if of in wanted:
                        due.append(_Due(record.kind, id, partition, admitted.offset, admitted.commit.recorded_at))
    return due, held


def _sorted_out(
    settings: Settings, at: KafkaAt, journal: Journal, progress: Mapping[int, Progress], due: list[_Due]
) -> tuple[list[_Due], list[_Due], list[_Due]]:
    """Instructions that are missing on their topic, that are not published yet, and that were decided before any prefix
    existed."""
    waiting: list[_Due] = []
    never: list[_Due] = []
    by_topic: dict[str, list[_Due]] = {}
    older = None
    for each in due:
        kind = progress[each.partition].kinds.get(each.kind)
        if kind is None or each.offset >= kind.offset:
            waiting.append(each)
        elif each.offset >= kind.begins:
            by_topic.setdefault(topic_name(at.prefix, each.kind), []).append(each)
        else:
            if older is None:
                older = other_prefixes(at, settings.security, journal)
            for prefix, partitions in older.items():
                then = partitions[each.partition].kinds.get(each.kind) if each.partition in partitions else None
                if then is not None and then.begins <= each.offset < then.offset:
                    by_topic.setdefault(topic_name(prefix, each.kind), []).append(each)
                    break
            else:
                never.append(each)
    missing: list[_Due] = []
    for name, wanted in by_topic.items():
        there = _ids_on(name, wanted, settings, at)
        missing += [each for each in wanted if each.id not in there]
    return missing, waiting, never


def _ids_on(name: str, wanted: list[_Due], settings: Settings, at: KafkaAt) -> set[str]:
    """The ids of the instructions on a topic, from the earliest time at which one of ``wanted`` can have been
    published."""
    timeout = PublishingTimeouts()
    found: set[str] = set()
    partitions = {each.partition for each in wanted}
    places = [TopicPartition(name, partition) for partition in sorted(partitions)]
    since = (min(each.recorded_at for each in wanted) - HOUR) // 1_000
    until = time.monotonic() + 60 * timeout.ask
    connected = connection(at.servers, settings.security)
    with unavailable(connected), opened_consumer(connected, timeout) as consumer:
        if not partitions <= (consumer.partitions_for_topic(name) or set()):
            return found
        consumer.assign(places)
        ends = consumer.end_offsets(places, timeout_ms=int(timeout.ask * 1000))
        first = consumer.offsets_for_times({place: max(0, since) for place in places})
        for place in places:
            consumer.seek(place, ends[place] if first.get(place) is None else first[place].offset)
        left = set(places)
        while left := {place for place in left if consumer.position(place) < ends[place]}:
            if time.monotonic() > until:
                raise PublicLogUnavailable(f"the end of {name} was not reached in time")
            for records in consumer.poll(timeout_ms=200).values():
                found |= {dict(record.headers).get("ce_id", b"").decode() for record in records}
    return found


def _many(some: list[_Due]) -> str:
    return "1 instruction is" if len(some) == 1 else f"{len(some):,} instructions are"


def _names(some: list[_Due]) -> str:
    names = ", ".join(f"{each.id} ({each.kind})" for each in sorted(some)[:NAMED])
    return names if len(some) <= NAMED else f"{names}, and {len(some) - NAMED:,} more"
