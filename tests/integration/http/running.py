"""A real server in a thread, on a free port of this machine, for tests that need a network."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from infra.app import App, open_app
from infra.server.server import Server, create
from infra.settings import load_settings


@contextmanager
def running(directory: Path, **settings: Any) -> Iterator[tuple[App, str]]:
    """An app on the store in ``directory``, and the address that it is served at."""
    addresses: SimpleQueue[str] = SimpleQueue()
    with open_app(load_settings(journal=f"sqlite:///{directory}/journal", synchronous="normal", **settings)) as app:
        server = Server(create(app), app.settings, addresses.put)
        thread = threading.Thread(target=server.run, name="http")
        thread.start()
        try:
            yield app, addresses.get(timeout=30)
        finally:
            server.should_exit = True
            thread.join(30)
