"""The seven policies shipped with the engine (RULES.md 7, COMMANDS.md 3), as documents beside this file."""

from importlib.resources import files
from typing import Final

from domain.policy import PolicyDocument, read_policy_toml

NAMES: Final = (
    "peer-to-peer",
    "mutual-consent",
    "general-store",
    "seller-portal",
    "auction-house",
    "big-box",
    "everything-store",
)


def preset(name: str) -> PolicyDocument:
    """One preset by its id."""
    return read_policy_toml(files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def presets() -> list[PolicyDocument]:
    """All of them, in the order of the rule book."""
    return [preset(name) for name in NAMES]
