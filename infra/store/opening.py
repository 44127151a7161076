"""Opening a store: the control log and the journal belong together, and a new store gets its presets.

Used by whoever appends (``infra.app``) and whoever only reads (``infra.store.reader``). Nothing connects at import.
"""

import sys
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from consumers.engine.control_log import ControlLog
from consumers.log.divergence import KEEP_BOTH, Mark
from consumers.log.writer import Settled
from consumers.ports.journal import Journal, JournalMismatch, JournalUnavailable, LogChanged, LogLost
from domain.policy import PolicyDocument
from domain.wording import counted
from infra.local_state import memory_local_state
from infra.runtime.clock import clock
from infra.store.logs import Store

TIMEOUT: Final = 30.0
"""Seconds that a first commit of the control log may take."""


def new_id() -> bytes:
    """16 unique bytes."""
    return uuid.uuid4().bytes


def follow_control(
    journal: Journal,
    name: str,
    wake: Callable[[], None] | None = None,
    marks: Sequence[Mark] = (),
    *,
    alone: bool = False,
) -> ControlLog:
    """The control log on this journal, read to its end. Its local state is in memory: it is short. LogLost, LogChanged
    where it does not have what the marks say. ``alone``: nobody but engines can append, so whatever does not fit shows
    that it was changed."""
    control = ControlLog(journal, memory_local_state(0, 1), name, new_id, wake, alone=alone)
    try:
        control.start(marks)
        while control.follow():
            pass
    except (LogChanged, LogLost) as wrong:
        raise type(wrong)(f"control log, {wrong}") from None
    if alone and control.policies.changed:
        names = ", ".join(control.policies.changed)
        raise LogChanged(
            f"control log: the text of {names} does not fit its hash: one of them was changed. {KEEP_BOTH}"
        )
    return control


def open_control(
    store: Store,
    name: str,
    *,
    create: bool,
    wake: Callable[[], None] = lambda: None,
    marks: Sequence[Mark] = (),
    alone: bool = False,
) -> ControlLog:
    """The control log of a store, read to its end; ``marks``, ``alone`` as for ``follow_control``."""
    journal = store.control(create=create, wake=wake)
    try:
        return follow_control(journal, name, wake, marks, alone=alone)
    except BaseException:
        journal.close()
        raise


def open_journal(
    store: Store, control: ControlLog, asked: int | None, default: int, *, wake: Callable[[], None] = lambda: None
) -> Journal:
    """The journal that the control log speaks of, made now if it speaks of none and there is none.

    ``asked`` is the number of partitions that the URL names. JournalMismatch, JournalUnavailable: the two logs do not
    belong together, or one of them is gone; nothing is made anew then.
    """
    if control.partitions is not None:
        if not store.there()[1]:
            raise JournalUnavailable(
                f"the journal of {store} is gone, but the control log says that there was one with "
                f"{counted(control.partitions, 'partition')}: bring it back from a copy; nothing is decided "
                "anew on an empty one"
            )
        journal = store.journal(asked, wake=wake)
        control.agree(journal.partitions)
        return journal
    made = store.journal(asked, create=default, wake=wake)
    if any(made.end(partition) for partition in range(made.partitions)):
        made.close()
        raise JournalMismatch(
            f"the journal of {store} holds a history, but its control log does not know of it: that is another "
            "journal's control log, or it was lost; put back what belongs together"
        )
    return made


def settle(control: ControlLog, begin: Callable[[Callable[[Settled | None], None]], None], what: str) -> None:
    """Write to the control log before any loop runs, and wait for what became of it."""
    answers: list[Settled | None] = []
    begin(answers.append)
    until = time.monotonic() + TIMEOUT
    while not answers:
        if not control.step(clock()):
            control.journal.wait(0, control.next_offset, 0.005)
        if time.monotonic() > until:
            raise JournalUnavailable(f"{what} could not be written to the control log; try again")
    settled = answers[0]
    if settled is not None and settled.kind != "admitted":
        raise JournalUnavailable(f"{what} could not be written to the control log ({settled.reason}); try again")


def prepare(control: ControlLog, journal: Journal) -> None:
    """Write what a store must know and does not yet: its number of partitions, and every version of the presets.

    A version that would take the place of a newer policy of the operator's as the newest is left out, and so is one
    whose id and version the operator has given to a policy of theirs. Standard error says so.
    """
    if control.partitions is None:
        settle(control, lambda done: control.create(journal.partitions, clock(), done), "the journal's beginning")
    control.agree(journal.partitions)
    from domain.presets import presets

    for document in presets():
        _publish_preset(control, document)


def _publish_preset(control: ControlLog, document: PolicyDocument) -> None:
    policy = document.policy
    name = f"{policy.id}@{policy.version}"
    published = control.policies.sha256_of(policy.id, policy.version)
    higher = control.policies.highest(policy.id)
    if published == document.sha256:
        return
    if published is not None:
        sys.stderr.write(
            f"rescind: the preset {name} of this release is not published, because another policy has that name here\n"
        )
    elif higher is not None and higher > policy.version:
        sys.stderr.write(
            f"rescind: the preset {name} of this release is not published, because it would replace "
            f"{policy.id}@{higher} as the newest version\n"
        )
    else:
        settle(control, partial(_publish, control, document), f"the policy {name}")


def _publish(control: ControlLog, document: PolicyDocument, done: Callable[[Settled | None], None]) -> None:
    control.publish(document, clock(), lambda _, settled: done(settled))
