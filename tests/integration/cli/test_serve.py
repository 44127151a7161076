"""`rescind serve` as a person starts and ends it."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.cli.driving import CTRL_C, TERM, Store, ended, placed


@contextmanager
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_demo_fills_nothing_before_it_has_its_port(store: Store) -> None:
    with taken() as port:
        done = store.rescind("serve", "--demo", "--port", port, check=3)
    assert re.fullmatch(r"rescind: 127\.0\.0\.1:\d+ cannot be listened on \(.+\); choose another --port\n", done.err)
    assert "can be reached from other machines" in store.rescind("serve", "--demo", "--host", "0.0.0.0", check=2).err
    assert not store.journal.exists()


def test_the_demo_fills_no_store_that_has_orders(store: Store) -> None:
    store.take([placed("PO-1")])
    before = store.stats()
    done = store.rescind("serve", "--demo", "--port", "0", check=2, own_process=True)
    assert (
        "the store has orders that are not from this demo" in done.err
        and "acme/PO-1" in done.err
        and "--journal" in done.err
    )
    assert store.stats() == before


@pytest.mark.parametrize(("number", "code"), [(TERM, 0), (CTRL_C, 130)])
def test_a_listening_server_ends_cleanly_on_a_signal(store: Store, number: int, code: int) -> None:
    server = store.begin("serve", "--port", "0")
    assert server.stdout is not None
    address = server.stdout.readline().decode()
    assert re.fullmatch(r"rescind: listening on http://127\.0\.0\.1:\d+/\n", address)
    done = ended(server, number)
    assert (done.code, done.err.strip()) == (code, "")
