"""The policies shipped with the engine, as documents in this folder.

Each version of a preset is a file of its own and never changes: ``NAME.toml`` is version 1, ``NAME.2.toml`` version 2.
"""

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
    """Return the newest version of a preset."""
    return [document for document in presets() if document.policy.id == name][-1]


def presets() -> list[PolicyDocument]:
    """Return every version of every preset: ids in the order of the rule book, versions ascending.

    Raises ValueError if a file's name does not match its document's id and version, which is a defect of the release.
    """
    found: list[PolicyDocument] = []
    for file in files(__package__).iterdir():
        if file.name.endswith(".toml"):
            document = read_policy_toml(file.read_text(encoding="utf-8"))
            if file.name != file_name(document):
                raise ValueError(f"domain/presets/{file.name} must be named {file_name(document)}")
            found.append(document)
    return sorted(found, key=lambda each: (NAMES.index(each.policy.id), each.policy.version))


def file_name(document: PolicyDocument) -> str:
    """Return the name of the file that holds a preset's version."""
    policy = document.policy
    return f"{policy.id}.toml" if policy.version == 1 else f"{policy.id}.{policy.version}.toml"
