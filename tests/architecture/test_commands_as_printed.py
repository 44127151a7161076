"""A command on a page runs as it is printed: by its path in .venv, or the page says to activate .venv first."""

import re

import pytest

from tests.architecture.planted import ROOT

PAGES = ["README.md", "CONTRIBUTING.md", *(str(page.relative_to(ROOT)) for page in sorted(ROOT.glob("docs/**/*.md")))]
GENERATED = "docs/reference/cli.md"
ACTIVATE = "`. .venv/bin/activate`"
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
BARE = re.compile(r"(?:^|`)(?:\$ )?(?:pytest|ruff|mypy|lint-imports|python3? -m(?! venv)) \S", re.MULTILINE)
BARE_IN_A_BLOCK = re.compile(r"^(?:\$ )?(?:rescind|pip) \S", re.MULTILINE)


def needs_activation(page: str) -> bool:
    """Whether a page has a command whose program only an activated .venv has on the path."""
    blocks = "\n".join(FENCED.findall(page))
    return BARE.search(page) is not None or BARE_IN_A_BLOCK.search(blocks) is not None


@pytest.mark.parametrize("name", [page for page in PAGES if page != GENERATED])
def test_a_page_with_a_bare_command_says_how_it_is_found(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    assert not needs_activation(page) or ACTIVATE in page


@pytest.mark.parametrize(
    "command", ["```\nrescind serve\n```\n", "Run `pytest tests`.\n", "`python -m tests.broker`\n"]
)
def test_a_bare_command_is_noticed(command: str) -> None:
    assert needs_activation(command)
