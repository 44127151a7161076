"""Rules, by id, with parameters, presets and specifications; and the policies that a journal begins with."""

from importlib import resources
from typing import Any, TypeGuard, get_args

from pydantic import BaseModel

from docs.pages.specs import SPECS
from docs.pages.text import NOTE, cell
from domain import rulebook
from domain.policy import Policy
from domain.presets import NAMES, file_name, preset, presets
from domain.reasons import CANCEL_REASONS

TABLE = {
    "reason-required": "reasons",
    "auto-canceled-is-final": "fill-or-kill",
    "both-told": "both-told",
    "case-reasons": "cases",
    "case-window": "cases",
    "case-evidence": "cases",
    "case-thread": "cases",
    "case-decision-time": "cases",
    "seller-may-accept": "cases",
    "silence-is-not-consent": "cases",
    "platform-pays-return": "cases",
    "store-return": "returns",
    "return-not-confirmed": "returns",
    **dict.fromkeys(
        (
            "notify-customer",
            "notice-lacks-tracking",
            "notice-has-link",
            "acknowledge-both",
            "evidence-of-acknowledgment",
            "rebill",
            "credit-memo",
            "memo-needs-acknowledgment",
        ),
        "cancelled-but-shipped",
    ),
}
"""Rule → the key or table of a policy file that it belongs to, where that has another name."""
BESIDE = frozenset(
    {
        "fill_or_kill",
        "cancelled_but_shipped",
        "unpaid_auto_cancel",
        "late_ship_auto_cancel",
        "stalled_tracking",
        "cases",
        "returns",
        "standing",
    }
)
"""What is switched on beside the list."""
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
        "that applies decides. How they are applied is in [cancellation](cancellation.md),",
        "[after shipment](after-shipment.md), [money](money.md) and [deadlines](deadlines.md).",
        "",
    ]
    lines += [
        "*Parameters* are keys of the rule's table in a policy file, with their defaults. *Presets* have the rule in",
        "their list, or switched on beside it. *Shown by* is the test whose name says it.",
        "",
    ]
    for section, title in SECTIONS.items():
        rules = {rule: text for rule, (where, text) in rulebook.RULES.items() if where == section}
        if not rules:
            continue
        if section == 0:
            rows = [f"| `{rule}` | {cell(text)} |" for rule, text in rules.items()]
            lines += [f"## {title}", "", "| id | rule |", "|---|---|", *rows, ""]
            continue
        rows = [
            f"| `{rule}` | {cell(text)} | {_parameters(rule)} | {_presets(rule)} | {_spec(rule)} |"
            for rule, text in rules.items()
        ]
        head = ["| id | rule | parameters | presets | shown by |", "|---|---|---|---|---|"]
        lines += [f"## {section}. {title}", "", *head, *rows, ""]
    return "\n".join(lines)


def _parameters(rule: str) -> str:
    """Keys with their defaults."""
    table = TABLE.get(rule, rule).replace("-", "_")
    field = Policy.model_fields.get(table)
    if field is None:
        return ""
    model = next((t for t in (field.annotation, *get_args(field.annotation)) if _is_table(t)), None)
    if model is None:
        return f"`{table.replace('_', '-')}` {_default(field.default)}"
    keys = {f.alias or name.replace("_", "-"): f.default for name, f in model.model_fields.items()}
    return "; ".join(f"`{key}` {_default(value)}" for key, value in keys.items())


def _is_table(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _default(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return "all" if value == CANCEL_REASONS else ", ".join(value)
    return str(value)


def _presets(rule: str) -> str:
    found = []
    for document in map(preset, NAMES):
        policy, table = document.policy, TABLE.get(rule, rule).replace("-", "_")
        beside = getattr(policy, table, None) if table in BESIDE else None
        if policy.lists(rule) or beside:
            found.append(policy.id)
    return ", ".join(found)


def _spec(rule: str) -> str:
    file, name = SPECS[rule]
    return f"`{file}`: {name.removeprefix('test_').replace('_', ' ')}"


def preset_page() -> str:
    """The policies that a new journal begins with."""
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
