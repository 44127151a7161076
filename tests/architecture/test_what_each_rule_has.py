"""Every rule id has a specification whose name is a sentence, and a text that a person understands."""

import ast

import pytest

from docs.pages.specs import specifications
from domain.rulebook import RULE_IDS, RULES
from tests.architecture.planted import ROOT


def test_every_rule_has_its_specification_and_no_other_is_listed() -> None:
    assert set(specifications()) == RULE_IDS


@pytest.mark.parametrize("rule", sorted(RULE_IDS))
def test_the_specification_of_a_rule_is_there_and_is_named_as_a_sentence(rule: str) -> None:
    file, name = specifications()[rule]
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert len(name.split("_")) > 5, "a sentence"


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_is_said_in_a_sentence(rule: str) -> None:
    text = RULES[rule].sentence
    assert text[0].isupper()
    assert text.endswith(".")
    assert len(text.split()) > 2


def refusals() -> dict[str, str]:
    """Rule → what the domain says where it refuses by it: every call with a rule's id and a sentence behind it."""
    found: dict[str, str] = {}
    for path in (ROOT / "domain").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and len(node.args) > 1 and isinstance(node.args[0], ast.Constant)):
                continue
            said_by = node.args[1]
            parts = said_by.values if isinstance(said_by, ast.JoinedStr) else [said_by]
            texts = [part.value for part in parts if isinstance(part, ast.Constant)]
            said = "".join(text for text in texts if isinstance(text, str))
            if node.args[0].value in RULES and said:
                found[str(node.args[0].value)] = said
    return found


def test_what_a_refusal_says_is_a_sentence_wherever_a_rule_refuses() -> None:
    said = refusals()
    assert len(said) > 50, "the rules that refuse are found"
    assert {rule: text for rule, text in said.items() if not text.endswith((".", "step: )"))} == {}
    assert {rule: text for rule, text in said.items() if len(text.split()) < 3} == {}
