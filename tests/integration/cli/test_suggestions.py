"""What the command line suggests for a command or policy that does not exist, and how it lays out long text."""

import pytest

from tests.integration.cli.driving import Store, placed


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("seller demo/x", "rescind seller show demo/x"),
        ("order demo/PO-1", "rescind order show demo/PO-1"),
        ("order shw demo/PO-1", "rescind order show demo/PO-1"),
        ("ordr show demo/PO-1", "rescind order show demo/PO-1"),
        ("deadlines demo", "rescind deadlines list --marketplace demo"),
        ("policy big-box", "rescind policy explain big-box"),
    ],
)
def test_an_unknown_command_is_answered_with_the_one_that_was_meant(store: Store, words: str, meant: str) -> None:
    assert store.rescind(*words.split(), check=2).err.rstrip().endswith(f"Did you mean: {meant}?")


def test_a_command_that_resembles_none_gets_no_suggestion(store: Store) -> None:
    assert store.rescind("topics", "nix", check=2).err.rstrip().endswith("No such command 'nix'.")


@pytest.mark.parametrize(("name", "meant"), [("big-bx", "big-box"), ("big-box@99", "big-box@")])
def test_an_unknown_policy_is_answered_with_the_nearest_and_with_versions(store: Store, name: str, meant: str) -> None:
    store.take([placed("PO-1")])
    said = store.rescind("policy", "explain", name, check=1).err
    assert f"no policy {name} is published. Did you mean {meant}" in said
    assert "Published are auction-house@1" in said


def test_wrapped_lines_of_an_explanation_keep_their_margin(store: Store) -> None:
    store.take([placed("PO-1")])
    said = store.rescind("policy", "explain", "peer-to-peer").out
    assert "both-told: on\n" in said
    reasons = said[said.index("   The reason of a cancellation") :].split("   Units")[0]
    assert len(reasons.splitlines()) > 1
    assert all(line.startswith("   ") for line in reasons.splitlines())


def test_the_summary_of_an_import_has_no_empty_header(store: Store) -> None:
    lines = store.rescind("import", store.file([placed("PO-1")])).out.splitlines()
    assert lines[1].split() == ["outcome", "number"]
    assert lines[3].split() == ["accepted", "1"]
