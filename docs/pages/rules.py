"""The pages of rules (id, parameters, presets, specification), of the keys of a policy file, and of presets."""

from importlib import resources
from typing import Any

from docs.pages.specs import specifications
from docs.pages.text import NOTE, cell
from domain.policy import PolicyFile
from domain.policy_terms import Table, keys, tables
from domain.presets import NAMES, file_name, preset, presets
from domain.reasons import CANCEL_REASONS, FAULTS, RETURN_REASONS
from domain.rulebook import RULES, SECTIONS

TABLES: dict[str, type[Table]] = dict(tables(PolicyFile))
KEYS = {key: (declared, default) for key, _, declared, default in keys(PolicyFile)}
"""Keys outside any table."""
SWITCHES = frozenset(
    (field.alias or name) for name, field in PolicyFile.model_fields.items() if field.default in (None, False, True)
)
"""Keys and tables that switch a rule on without the list."""


def rule_page() -> str:
    """Write the page with every id that a refusal can name, by subject."""
    lines = [
        "# Rules",
        "",
        NOTE.format(source="`domain/rules/` and `domain/rulebook.py`"),
        "",
        "Each rule has one id, the same in the code, in a refusal, in the tables and here. A policy lists the rules in",
        "force in the order of the checks, with their parameters ([keys of a policy file](policy-keys.md)). The first",
        "that applies decides. How they are applied is in [cancellation](cancellation.md),",
        "[after shipment](after-shipment.md), [money](money.md) and [deadlines](deadlines.md).",
        "",
        "*Parameters* are keys of the rule's table in a policy file, with their defaults. *Presets* have the rule in",
        "their list, or switch it on by a key of its own. *Shown by* is the test whose name states the rule.",
        "",
    ]
    shown_by = specifications()
    for section, title in SECTIONS.items():
        rules = {rule: text for rule, text in RULES.items() if text.section == section}
        if section == 0:
            rows = [f"| `{rule}` | {cell(text.sentence)} |" for rule, text in rules.items()]
            lines += [f"## {title}", "", "| id | rule |", "|---|---|", *rows, ""]
            continue
        rows = [
            f"| `{rule}` | {cell(text.sentence)} | {_parameters(text.key)} | {_presets(rule, text.key)} "
            f"| {_spec(*shown_by[rule])} |"
            for rule, text in rules.items()
        ]
        head = ["| id | rule | parameters | presets | shown by |", "|---|---|---|---|---|"]
        lines += [f"## {section}. {title}", "", *head, *rows, ""]
    return "\n".join(lines)


def _parameters(key: str | None) -> str:
    """List the parameters of a rule with their defaults."""
    if key in TABLES:
        return "; ".join(f"`{name}` {_default(default)}" for name, _, _, default in keys(TABLES[key]))
    return f"`{key}` {_default(KEYS[key][1])}" if key in KEYS else ""


def _default(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return "all" if value == CANCEL_REASONS else ", ".join(value)
    return str(value)


def _presets(rule: str, key: str | None) -> str:
    """Name the presets that list the rule, or switch it on by a key of its own."""
    policies = [preset(name).policy for name in NAMES]
    return ", ".join(
        policy.id
        for policy in policies
        if policy.lists(rule) or (key in SWITCHES and getattr(policy, key.replace("-", "_")))
    )


def _spec(file: str, name: str) -> str:
    return f"`{file}`: {name.removeprefix('test_').replace('_', ' ')}"


def policy_keys_page() -> str:
    """Write the page with every key that a policy file can have."""
    lines = ["# Keys of a policy file", "", NOTE.format(source="`domain/rules/` and `domain/policy_terms.py`"), ""]
    lines += [
        "[The policy file](policy.md) explains the format. Each of these tables switches something on that is off",
        f"without it: {', '.join(f'`[{table}]`' for table in TABLES if table in SWITCHES)}.",
        "*Meaning* is the sentence of `rescind policy explain` for the default.",
        "",
        "| table | key | form | default | meaning |",
        "|---|---|---|---|---|",
    ]
    for key, (declared, default) in KEYS.items():
        lines.append(_row("", key, declared.form, default, declared.means))
    for table, model in TABLES.items():
        for key, _, declared, default in keys(model):
            lines.append(_row(f"`[{table}]`", key, declared.form, default, declared.means))
    return "\n".join([*lines, ""])


def _row(table: str, key: str, form: str, default: Any, means: Any) -> str:
    required = "required" in form
    listed = default in (CANCEL_REASONS, RETURN_REASONS, FAULTS)
    shown = "" if required else "all of them" if default in (CANCEL_REASONS, RETURN_REASONS) else _default(default)
    meaning = "" if required or listed else means(default)
    return f"| {table} | `{key}` | {cell(form)} | {cell(shown)} | {cell(meaning)} |"


def preset_page() -> str:
    """Write the page of the policies that a new journal begins with."""
    lines = ["# Presets", "", NOTE.format(source="`domain/presets/`"), ""]
    lines += [
        "An engine publishes every version that its journal lacks when it starts, whether the journal is new or not.",
        "An order keeps the version that it was placed under. Start from one for [a policy of your own](policy.md).",
        "",
    ]
    for document in sorted(presets(), key=lambda each: (each.policy.id, each.policy.version)):
        policy = document.policy
        text = resources.files("domain.presets").joinpath(file_name(document)).read_text(encoding="utf-8")
        heading = policy.id if policy.version == 1 else f"{policy.id}@{policy.version}"
        lines += [f"## {heading}", "", "```toml", text.strip(), "```", ""]
    return "\n".join(lines)
