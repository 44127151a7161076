"""Writes the pages of docs/reference that are generated from the code. `make docs` runs it.

The pages are in the repository so that people can read them there. A test compares them with the code.
"""

import pathlib
import sys
from collections.abc import Callable

from docs.pages.cli import cli_page
from docs.pages.commands import command_form, command_page
from docs.pages.events import event_page
from docs.pages.public_topics import asyncapi, topics_page
from docs.pages.reasons import reasons_page
from docs.pages.rules import policy_keys_page, preset_page, rule_page
from docs.pages.settings import settings_page
from docs.pages.tables import tables_page

HERE = pathlib.Path(__file__).parent / "reference"

PAGES: dict[str, Callable[[], str]] = {
    "asyncapi.json": asyncapi,
    "cli.md": cli_page,
    "commands.md": command_page,
    "commands.schema.json": command_form,
    "events.md": event_page,
    "policy-keys.md": policy_keys_page,
    "presets.md": preset_page,
    "reasons.md": reasons_page,
    "rules.md": rule_page,
    "settings.md": settings_page,
    "topics-public.md": topics_page,
    "../tables.md": tables_page,
}


def main() -> None:
    """Write every page that differs."""
    for name, page in PAGES.items():
        path, text = HERE / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"written: docs/reference/{name}\n")


if __name__ == "__main__":
    main()
