"""A journal that writes the vault before each append, so that every text an admitted event refers to is in the
vault."""

from concurrent.futures import Future

from consumers.ports.journal import Appended, AppendRefused, Journal
from consumers.ports.vault import VaultUnavailable
from infra.vault.base import DatabaseVault


class VaultFirstJournal:
    """A journal that makes texts durable before any record that may refer to them."""

    def __init__(self, journal: Journal, vault: DatabaseVault) -> None:
        self._journal = journal
        self._vault = vault
        self.read = journal.read
        self.ready = journal.ready
        self.behind_hole = journal.behind_hole
        self.begin = journal.begin
        self.end = journal.end
        self.wait = journal.wait
        self.close = journal.close

    @property
    def silence(self) -> float:
        return self._journal.silence

    @property
    def identity(self) -> str:
        return self._journal.identity

    @property
    def partitions(self) -> int:
        return self._journal.partitions

    @property
    def record_limit(self) -> int:
        return self._journal.record_limit

    def append(self, partition: int, key: bytes, record: bytes) -> Future[Appended]:
        """Append after flushing the vault. If the flush fails, a record that refers to a text that is not durable is
        refused. Other records are appended."""
        try:
            self._vault.flush()
        except VaultUnavailable as unavailable:
            if not self._vault.is_pointed_to(record):
                return self._journal.append(partition, key, record)
            refused: Future[Appended] = Future()
            refused.set_exception(AppendRefused(str(unavailable), retriable=True))
            return refused
        return self._journal.append(partition, key, record)
