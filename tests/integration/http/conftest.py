"""One app for all tests of a file; each test places orders of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.http.client import Http, served


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    directory: Path = tmp_path_factory.mktemp("store")
    with served(directory) as here:
        yield here
