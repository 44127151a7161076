"""A store of one's own for each test of the command line."""

import pathlib

import pytest

from tests.integration.cli.driving import Store


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Store:
    """An empty place."""
    return Store(tmp_path)
