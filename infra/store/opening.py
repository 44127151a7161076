"""Open a store: check that the control log and the journal belong together, and give a new store its presets.

Both the process that appends (``infra.app``) and readers (``infra.store.reader``) use this module. Importing it
connects to nothing.
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
"""Seconds that a commit to the control log may take at the start."""


def new_id() -> bytes:
    """Return 16 unique bytes."""
    return uuid.uuid4().bytes


def follow_control(
    journal: Journal,
    name: str,
    wake: Callable[[], None] | None = None,
    marks: Sequence[Mark] = (),
    *,
    alone: bool = False,
) -> ControlLog:
    """Read the control log on this journal to its end. Its local state is in memory, because the log is short.

    LogLost or LogChanged if the log lacks what the marks record. ``alone``: only engines can append to this log, so a
    policy that does not match its hash proves that the log was changed.
    """
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
            f"control log: the text of {names} does not match its hash: the text or the hash was changed. {KEEP_BOTH}"
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
    """Open a store's control log and read it to its end. ``marks`` and ``alone`` as in ``follow_control``."""
    journal = store.control(create=create, wake=wake)
    try:
        return follow_control(journal, name, wake, marks, alone=alone)
    except BaseException:
        journal.close()
        raise


def open_journal(
    store: Store, control: ControlLog, wanted: int | None, default: int, *, wake: Callable[[], None] = lambda: None
) -> Journal:
    """Open the journal that the control log describes. Create it if the control log describes none and none exists.

    ``wanted`` is the number of partitions in the URL. JournalMismatch, JournalUnavailable: the two logs do not belong
    together, or one of them is missing. Nothing is created in that case.
    """
    if control.partitions is not None:
        if not store.exists()[1]:
            raise JournalUnavailable(
                f"the journal of {store} is missing, but the control log says that there was one with "
                f"{counted(control.partitions, 'partition')}: restore it from a copy. The engine does not start on an "
                "empty journal"
            )
        journal = store.journal(wanted, wake=wake)
        control.agree(journal.partitions)
        return journal
    made = store.journal(wanted, create=default, wake=wake)
    if any(made.end(partition) for partition in range(made.partitions)):
        made.close()
        raise JournalMismatch(
            f"the journal of {store} has records, but its control log does not mention it: the control log belongs to "
            "another journal, or its content was lost. Restore the journal and the control log that belong together"
        )
    return made


def settle(control: ControlLog, begin: Callable[[Callable[[Settled | None], None]], None], what: str) -> None:
    """Commit to the control log before any loop runs, and wait for the result."""
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
    """Write what the store does not have yet: its number of partitions, and every version of the presets.

    Skips a preset version that would replace a newer policy of the operator as the newest version, and one whose id and
    version the operator has given to another policy. Standard error reports what was skipped.
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
