"""The eraser carries out each erasure of the log once, wherever it is interrupted."""

from collections.abc import Iterator, Sequence

import pytest

from consumers.erasing.eraser import SPARSE, Eraser, Erasure, erased_at, subject_of
from consumers.ports.log_values import Admitted
from consumers.ports.vault import VaultUnavailable
from domain.events import Event, LegalHoldPlaced, LegalHoldReleased, MessageSent, Sealed, SubjectErased
from schemas.commit import EventEntry
from tests.spec.projections.histories import Log

STREAM = "acme/subject/b-7"


class Killed(BaseException):
    """The process ends here."""


class Vault:
    """A vault's positions and erasures. The next call may be set to fail."""

    def __init__(self) -> None:
        self.positions: dict[tuple[str, int], int] = {}
        self.destroyed: list[Erasure] = []
        self.scrubbed = True
        self.fails: list[str] = []

    def erased_through(self, journal: str, partition: int) -> int:
        return self.positions.get((journal, partition), 0)

    def carry_out(self, journal: str, partition: int, before: int, position: int, erasures: Sequence[Erasure]) -> bool:
        how = self.fails.pop(0) if self.fails else "ok"
        if how == "away":
            raise VaultUnavailable("the vault is away")
        if self.erased_through(journal, partition) != before:
            return False
        self.positions[journal, partition] = position
        self.destroyed += erasures
        self.scrubbed = self.scrubbed and not erasures
        if how == "killed behind":
            raise Killed
        if how == "unsure":
            raise VaultUnavailable("the connection broke off")
        return True

    def scrub(self) -> None:
        if self.fails and self.fails[0] == "no scrub":
            self.fails.pop(0)
            raise VaultUnavailable("the file is in use")
        self.scrubbed = True


class Partition:
    """A log as the eraser reads it."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.read = 0

    @property
    def next_ordinal(self) -> int:
        return self.log.state.next_ordinal

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]:
        for admitted in self.log.state.commits(first, behind):
            self.read += 1
            yield admitted

    def commit_at(self, ordinal: int) -> Admitted | None:
        return self.log.state.commit_at(ordinal)

    def commits_of(self, stream: str, first: int = 0) -> Iterator[Admitted]:
        return self.log.state.commits_of(stream, first)


@pytest.fixture
def log() -> Log:
    return Log()


def write(log: Log, *events: Event, stream: str = STREAM) -> Admitted:
    return log.write(stream, *events)


def runs(log: Log, vault: Vault, journal: str = "j") -> Eraser:
    """Start an eraser, and run it until it has nothing to do."""
    eraser = Eraser(journal, {0: Partition(log)}, vault)
    while eraser.step():
        pass
    return eraser


def text() -> MessageSent:
    return MessageSent("m1", "support", None, Sealed(b"c" * 32, "r"))


def test_an_admitted_erasure_is_carried_out_at_its_place(log: Log) -> None:
    write(log, LegalHoldPlaced("b-8", "h1"), stream="acme/subject/b-8")
    at = write(log, SubjectErased("b-7"))
    vault = Vault()
    eraser = runs(log, vault)
    assert vault.destroyed == [Erasure("acme", "b-7", at.ordinal)]
    assert (vault.positions, vault.scrubbed) == ({("j", 0): 2}, True)
    assert eraser.done(0) == 2


def test_an_earlier_hold_preserves_the_key_whatever_was_recorded(log: Log) -> None:
    write(log, LegalHoldPlaced("b-7", "h1"))
    write(log, LegalHoldPlaced("b-7", "h2"))
    write(log, LegalHoldReleased("b-7", "h1"))
    write(log, SubjectErased("b-7"))
    vault = Vault()
    runs(log, vault)
    assert vault.destroyed == [], "appended by somebody whom no rule of the domain prevented"
    write(log, LegalHoldReleased("b-7", "h2"))
    runs(log, vault)
    assert vault.destroyed == [], "what was refused stays refused: it is asked for again"
    at = write(log, SubjectErased("b-7"))
    write(log, LegalHoldPlaced("b-7", "h3"))
    runs(log, vault)
    assert vault.destroyed == [Erasure("acme", "b-7", at.ordinal)], "a hold behind it comes too late"


def test_events_of_one_commit_count_in_their_order(log: Log) -> None:
    write(log, LegalHoldPlaced("b-7", "h1"), SubjectErased("b-7"), LegalHoldReleased("b-7", "h1"))
    vault = Vault()
    runs(log, vault)
    assert vault.destroyed == []
    write(log, LegalHoldPlaced("b-7", "h2"), LegalHoldReleased("b-7", "h2"), SubjectErased("b-7"))
    runs(log, vault)
    assert [erasure.ordinal for erasure in vault.destroyed] == [1]


def test_a_hold_that_this_release_cannot_read_is_in_force(log: Log) -> None:
    placed = EventEntry(0, "LegalHoldPlaced", 999, 0, b"?")
    log.append([(STREAM, [placed])], 0)
    write(log, SubjectErased("b-7"))
    vault = Vault()
    runs(log, vault)
    assert vault.destroyed == []


@pytest.mark.parametrize(
    ("stream", "event"),
    [
        (STREAM, SubjectErased("b-8")),
        ("acme/PO-1", SubjectErased("b-7")),
        ("acme/other/b-7", SubjectErased("b-7")),
        ("$acme/subject/b-7", SubjectErased("b-7")),
        (STREAM, LegalHoldReleased("b-7", "h1")),
    ],
)
def test_an_event_of_another_stream_or_content_erases_nobody(log: Log, stream: str, event: Event) -> None:
    write(log, event, stream=stream)
    vault = Vault()
    runs(log, vault)
    assert vault.destroyed == []


def test_the_stream_names_the_subject() -> None:
    assert subject_of("acme/subject/b/7") == ("acme", "b/7")
    assert [subject_of(s) for s in ("acme/PO-1", "acme/subject/", "$x/subject/b", "acme/subjects/b")] == [None] * 4


def test_an_erasure_is_carried_out_once_however_many_readers_there_are(log: Log) -> None:
    write(log, SubjectErased("b-7"))
    vault = Vault()
    one, other = Eraser("j", {0: Partition(log)}, vault), Eraser("j", {0: Partition(log)}, vault)
    one._positions[0] = one._stored[0] = other._positions[0] = other._stored[0] = 0  # both have looked at the start
    while one.step() | other.step():
        pass
    runs(log, vault)
    assert len(vault.destroyed) == 1
    runs(log, vault, "another journal")
    assert len(vault.destroyed) == 2, "positions are of one journal"


def test_after_a_kill_behind_the_erasure_the_next_process_scrubs_and_does_not_erase_again(log: Log) -> None:
    write(log, SubjectErased("b-7"))
    vault = Vault()
    vault.fails = ["killed behind"]
    with pytest.raises(Killed):
        runs(log, vault)
    assert not vault.scrubbed
    runs(log, vault)
    assert (len(vault.destroyed), vault.scrubbed) == (1, True)


@pytest.mark.parametrize("how", ["away", "unsure", "no scrub"])
def test_a_vault_that_is_away_is_tried_again(log: Log, how: str) -> None:
    write(log, SubjectErased("b-7"))
    vault = Vault()
    eraser = Eraser("j", {0: Partition(log)}, vault)
    vault.fails = [how]
    with pytest.raises(VaultUnavailable):
        eraser.step()
    assert eraser.done(0) == 0, "who waits for it waits on"
    while eraser.step():
        pass
    assert (len(vault.destroyed), vault.scrubbed, eraser.done(0)) == (1, True, 1)


def test_local_state_that_is_behind_the_vault_erases_nothing_again() -> None:
    vault, log = Vault(), Log()
    vault.positions["j", 0] = 2
    write(log, SubjectErased("b-7"))
    eraser = runs(log, vault)
    assert (vault.destroyed, eraser.done(0)) == ([], 2)
    write(log, LegalHoldPlaced("b-9", "h1"), stream="acme/subject/b-9")
    write(log, SubjectErased("b-8"), stream="acme/subject/b-8")
    runs(log, vault)
    assert vault.destroyed == [Erasure("acme", "b-8", 2)]


def test_commits_handed_over_are_not_read_again(log: Log) -> None:
    source, vault = Partition(log), Vault()
    eraser = Eraser("j", {0: source}, vault)
    for subject in ("b-1", "b-2"):
        eraser.admitted(write(log, SubjectErased(subject), stream=f"acme/subject/{subject}"))
    write(log, SubjectErased("b-3"), stream="acme/subject/b-3")
    while eraser.step():
        pass
    assert [erasure.subject for erasure in vault.destroyed] == ["b-1", "b-2", "b-3"]
    assert source.read == 1


def test_a_position_is_stored_now_and_then_where_nobody_is_erased(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.erasing.eraser.SPARSE", 3)
    vault = Vault()
    for n in range(2):
        write(log, text(), stream=f"acme/PO-{n}")
    runs(log, vault)
    assert vault.positions == {}
    write(log, text(), stream="acme/PO-9")
    runs(log, vault)
    assert vault.positions == {("j", 0): 3}
    assert SPARSE >= 1_000


def test_the_last_of_several_erasures_is_known(log: Log) -> None:
    for _ in range(2):
        write(log, SubjectErased("b-7"))
    assert list(erased_at(STREAM, log.state.commits_of(STREAM))) == [0, 1]
