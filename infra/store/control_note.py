"""The vault's note of the control log, which identifies the log and records its length.

The vault also notes the journal to which its texts belong (docs/adr/0016). The control log has a note because it has no
local state on disk. The note is written when an engine starts and when it ends.
"""

from contextlib import suppress
from typing import Final

from consumers.engine.control_log import ControlLog
from consumers.log.divergence import Mark, ahead, unlike
from consumers.ports.journal import JournalError, LogChanged
from consumers.ports.vault import VaultUnavailable
from infra.vault.base import ControlNote, DatabaseVault

_WHAT: Final = "the vault, which has noted the control log,"


def control_noted(vault: DatabaseVault | None, journal: str) -> ControlNote | None:
    """Return the note for the journal with this identity. None if there is none, or the vault cannot be reached."""
    with suppress(VaultUnavailable):
        return None if vault is None or not vault.opened else vault.control(journal)
    return None


def unlike_noted(control: ControlLog, noted: ControlNote | None) -> JournalError | None:
    """The error for a control log, read to its end, that is not the noted one (LogChanged), or shorter (LogLost)."""
    if noted is None:
        return None
    identity, commits, last = noted
    if identity != control.journal.identity:
        return LogChanged(
            f"control log: this is log {control.journal.identity}, the vault has noted log {identity} for this "
            "journal. The control log was replaced by another one. Bring the old one back. Delete neither before you "
            "know which is right"
        )
    state = control.follower.state
    while state.next_ordinal < commits and control.follow():  # another engine may have published since it was read
        pass
    mark = Mark(_WHAT, commits, bytes.fromhex(last) or None)
    wrong: JournalError | None = ahead(mark, 0, state.next_ordinal, control.end())
    if wrong is None and commits:
        commit = state.commit_at(commits - 1)
        wrong = unlike(mark, 0, None if commit is None else commit.hash)
    return None if wrong is None else type(wrong)(f"control log, {wrong}")


def note_control(control: ControlLog, vault: DatabaseVault, journal: str) -> None:
    """Have the vault note the control log as followed so far, if that is further than noted."""
    state = control.follower.state
    noted = control_noted(vault, journal)
    if not vault.opened or (noted is not None and noted.commits >= state.next_ordinal):
        return
    last = state.commit_at(state.next_ordinal - 1)
    with suppress(VaultUnavailable):
        hashed = "" if last is None else last.hash.hex()
        vault.note_control(journal, ControlNote(control.journal.identity, state.next_ordinal, hashed))
