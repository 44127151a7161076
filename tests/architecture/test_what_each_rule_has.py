"""Every rule has a specification whose name is a sentence, words that a person understands, a policy, and a story."""

import ast

import pytest

from docs.generate import HERE, PAGES
from docs.pages.specs import specifications
from domain.policy import read_policy_toml
from domain.presets import presets
from domain.rulebook import RULE_IDS, RULES
from domain.rules import RULES as LISTED
from infra.demo.stories import AFTERWARDS, CANCELING, SHOWN
from infra.documents.packs import LANGUAGES
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
def test_every_rule_is_worded_as_a_sentence(rule: str) -> None:
    text = RULES[rule].sentence
    assert text[0].isupper()
    assert text.endswith(".")
    assert len(text.split()) > 2


@pytest.mark.parametrize("rule", sorted(LISTED))
def test_every_rule_of_a_list_has_words_in_every_language(rule: str) -> None:
    assert set(LISTED[rule].words) == set(LANGUAGES)
    assert [text for text in LISTED[rule].words.values() if len(text.split()) < 3 or not text.endswith(".")] == []


def in_force(first: bool = False) -> set[str]:
    """Rules that a preset puts in force, or the policy of a shop of the demo. ``first``: by a first version alone."""
    demo = read_policy_toml((ROOT / "infra/demo/tracked-parcels.toml").read_text(encoding="utf-8"))
    policies = [each.policy for each in (*presets(), demo) if each.policy.version == 1 or not first]
    by_table = {r.id: r.terms for r in LISTED.values() if r.table_is_enough and r.terms is not None}
    return {rule for policy in policies for rule in policy.rules} | {
        rule for policy in policies for rule, terms in by_table.items() if policy.terms_if_on(terms) is not None
    }


def test_every_rule_of_a_list_is_in_force_in_a_policy_that_is_shipped() -> None:
    assert set(LISTED) - in_force() == set()


def test_every_rule_has_a_story_that_happens() -> None:
    assert set(SHOWN) == RULE_IDS
    assert {play.__name__ for play in SHOWN.values()} <= {plot.tell.__name__ for plot in (*CANCELING, *AFTERWARDS)}


def test_the_changelog_names_every_rule_added_after_the_first_presets() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [rule for rule in LISTED if rule not in in_force(first=True) and f"`{rule}`" not in changelog] == []


def test_the_reference_says_what_every_rule_of_a_list_grants_refuses_or_asks() -> None:
    page = (HERE / "cancellation.md").read_text(encoding="utf-8").split("## Rules of a list\n")[1].split("\n## ")[0]
    assert [rule for rule in LISTED if f"`{rule}`" not in page] == []


@pytest.mark.parametrize("name", ["rules.md", "policy-keys.md", "presets.md"])
def test_the_reference_has_every_rule_as_it_is(name: str) -> None:
    assert PAGES[name]() == (HERE / name).read_text(encoding="utf-8"), "run: make docs"


def refusals() -> dict[str, str]:
    """Rule → what the domain says where it refuses by it: every call with a rule's id and a sentence behind it."""
    found: dict[str, str] = {}
    for path in (ROOT / "domain").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and len(node.args) > 1 and isinstance(node.args[0], ast.Constant)):
                continue
            argument = node.args[1]
            parts = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
            texts = [part.value for part in parts if isinstance(part, ast.Constant)]
            wording = "".join(text for text in texts if isinstance(text, str))
            if node.args[0].value in RULES and wording:
                found[str(node.args[0].value)] = wording
    return found


def test_every_refusal_by_a_rule_has_a_sentence() -> None:
    wording = refusals()
    assert len(wording) > 50, "the rules that refuse are found"
    assert {rule: text for rule, text in wording.items() if not text.endswith((".", "step: )"))} == {}
    assert {rule: text for rule, text in wording.items() if len(text.split()) < 3} == {}
