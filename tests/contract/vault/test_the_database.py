"""A vault in PostgreSQL: servers that go away, and other tables in its database."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from consumers.ports.vault import VaultUnavailable
from infra.addresses.postgresql import PostgresqlAt, postgresql_at
from infra.postgresql import connecting
from infra.postgresql.connecting import Db
from infra.vault import postgresql as adapter
from infra.vault.postgresql import PostgresqlVault, postgresql_vault_exists
from infra.views.postgresql import open_postgresql_views
from tests.contract.vault.conftest import KEY
from tests.postgresql.server import Server

pytestmark = pytest.mark.postgresql


def test_the_vault_may_share_a_database_with_the_views(postgresql: str) -> None:
    at = postgresql_at(postgresql)
    assert not postgresql_vault_exists(at)
    with closing(PostgresqlVault(at, KEY)) as vault:
        vault.keep("acme", "b-7", "file-1", b"content")
        for _ in range(2):
            open_postgresql_views(at).views.close()
        assert vault.read("file-1") == b"content"
    assert postgresql_vault_exists(at)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_stored_texts_survive_the_server_and_waiting_texts_are_written_when_it_is_back(
    postgresql_of_its_own: Callable[..., Server], how: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "RETRY_AFTER", 0.0)
    monkeypatch.setattr(adapter, "SHARE", 0.0)
    server = postgresql_of_its_own("fsync=on")
    with closing(PostgresqlVault(postgresql_at(server.url), KEY)) as vault:
        before = vault.seal("acme", "b-7", "before")
        vault.flush()
        vault.keep("acme", "b-7", "file-1", b"content")
        server.stop(how)
        waits = vault.seal("acme", "b-7", "waits")
        for call in (vault.flush, lambda: vault.open(before.reference), lambda: vault.keep("acme", "b", "f", b"")):
            with pytest.raises(VaultUnavailable):
                call()
        server.start()
        vault.flush()
        assert (vault.open(before.reference), vault.read("file-1")) == ("before", b"content")
    with closing(PostgresqlVault(postgresql_at(server.url), KEY)) as vault:
        assert vault.open(waits.reference) == "waits"


def test_a_server_that_does_not_answer_is_not_tried_at_every_turn_of_the_engine(
    postgresql_of_its_own: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgresql_of_its_own()
    call: list[str] = []
    with closing(PostgresqlVault(postgresql_at(server.url), KEY)) as vault:
        vault.seal("acme", "b-7", "text")
        server.stop()

        def counted(at: PostgresqlAt) -> Db:
            call.append(str(at))
            return connecting.connect(at)

        monkeypatch.setattr(adapter, "connect", counted)
        monkeypatch.setattr(adapter, "RETRY_AFTER", 3600.0)
        with pytest.raises(VaultUnavailable):
            vault.flush()
        tried = len(call)
        for _ in range(100):
            with pytest.raises(VaultUnavailable, match="a moment ago"):
                vault.flush()
        assert len(call) == tried


def test_writers_create_keys_of_the_same_new_subjects_in_one_order(postgresql: str) -> None:
    """Engines that went in opposite orders would each wait for the other."""
    people = [f"b-{n}" for n in range(5)]
    new = "INSERT INTO vault_subjects (marketplace, subject) VALUES ('acme', %s)"
    with (
        closing(PostgresqlVault(postgresql_at(postgresql), KEY)) as vault,
        psycopg.connect(postgresql) as other,
        psycopg.connect(postgresql, autocommit=True) as watching,
        ThreadPoolExecutor(1) as thread,
    ):
        for who in reversed(people):
            vault.seal("acme", who, who)
        other.execute(new, (people[-1],))
        flushing = thread.submit(vault.flush)
        try:
            while not watching.execute("SELECT FROM pg_locks WHERE NOT granted").rowcount:
                assert not flushing.done()
            watching.execute("SET lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                watching.execute(new, (people[0],))
        finally:
            other.rollback()
        flushing.result()
        assert vault.counts() == (5, 5)


def test_an_unreachable_address_is_reported_without_its_password() -> None:
    with pytest.raises(VaultUnavailable, match=r"me@127\.0\.0\.1:9/vault cannot be opened") as error:
        PostgresqlVault(postgresql_at("postgresql://me:open-sesame@127.0.0.1:9/vault"), KEY)
    assert "open-sesame" not in str(error.value)
