"""The page of settings: every key, with its default and meaning."""

from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from docs.pages.text import NOTE, cell
from infra.settings import Marketplace, Settings


def default_of(field: FieldInfo) -> str:
    value: Any = field.get_default()
    return (
        ""
        if value is None or isinstance(value, SecretStr) or field.default_factory
        else f"`{str(value).lower() if isinstance(value, bool) else value}`"
    )


def rows(model: type[BaseModel]) -> list[str]:
    return [f"| `{name}` | {default_of(f)} | {cell(f.description or '')} |" for name, f in model.model_fields.items()]


def settings_page() -> str:
    return "\n".join(
        [
            "# Settings",
            "",
            NOTE.format(source="`infra/settings.py`"),
            "",
            "A setting comes from the command line's option if there is one, else from the environment (`RESCIND_`",
            "and the key in capitals), else from the settings file (TOML; `--config FILE`, or `RESCIND_CONFIG` names",
            "it). Otherwise it has its default. Secrets come from the environment or from a file of their own.",
            "",
            "| key | default | |",
            "|---|---|---|",
            *rows(Settings),
            "",
            "## Marketplaces",
            "",
            "| key of `[marketplaces.NAME]` | default | |",
            "|---|---|---|",
            *rows(Marketplace),
            "",
        ]
    )
