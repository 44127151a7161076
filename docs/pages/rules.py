"""Rules, by id, and the policies that a journal begins with."""

from importlib import resources

from docs.pages.text import NOTE, cell
from domain import rulebook

SECTIONS = {
    1: "Who may cancel what, and when",
    2: "What a cancellation does",
    3: "Cancelled but shipped",
    4: "Cases and returns after delivery",
    5: "Disputes and evidence",
    0: "Answers to a command that the order contradicts",
}


def rule_page() -> str:
    """Every id that a refusal can name, by subject."""
    lines = [
        "# Rules",
        "",
        NOTE.format(source="`domain/rulebook.py`"),
        "",
        "Each rule has one id, the same in the code, in a refusal, in the tables and here. A policy lists the rules in",
        "force in the order in which they are judged, with their parameters ([the policy file](policy.md)); the first",
        "that speaks decides.",
        "",
    ]
    for section, title in SECTIONS.items():
        rows = [
            f"| `{rule}` | {cell(sentence)} |" for rule, (where, sentence) in rulebook.RULES.items() if where == section
        ]
        lines += [f"## {title}", "", "| id | rule |", "|---|---|", *rows, ""] if rows else []
    return "\n".join(lines)


def preset_page() -> str:
    """The policies that a new journal begins with."""
    lines = ["# Presets", "", NOTE.format(source="`domain/presets/`"), ""]
    lines += [
        "Published as version 1 when a journal is created. Start from one for [a policy of your own](policy.md).",
        "",
    ]
    files = (f for f in resources.files("domain.presets").iterdir() if f.name.endswith(".toml"))
    for file in sorted(files, key=lambda f: f.name):
        lines += [
            f"## {file.name.removesuffix('.toml')}",
            "",
            "```toml",
            file.read_text(encoding="utf-8").strip(),
            "```",
            "",
        ]
    return "\n".join(lines)
