"""Presets reach stores: every version in a new one, a new version in the store of an earlier release."""

from pathlib import Path

import pytest

import domain.presets
from domain.policy import PolicyDocument, read_policy_toml
from domain.presets import NAMES, file_name, presets
from infra.app import AppOptions, open_app
from infra.settings import Settings, load_settings
from tests.golden.stores import NAMES as RELEASES
from tests.golden.stores import unpack

SECOND = ("general-store", "auction-house", "big-box", "everything-store")
"""The presets that have a second version."""
PACKAGE = Path(domain.presets.__file__).parent


def next_version(name: str) -> PolicyDocument:
    """What a later release may bring."""
    newest = [each for each in presets() if each.policy.id == name][-1].policy.version
    text = (PACKAGE / f"{name}.toml").read_text(encoding="utf-8")
    return read_policy_toml(text.replace("version = 1", f"version = {newest + 1}"))


def started(settings: Settings) -> tuple[list[str], dict[str, int], int]:
    """Start an engine on the store once: the policies published, the newest of each, and the control log's end."""
    with open_app(settings, AppOptions(views=False)) as app:
        book = app.control.book
        return [f"{id}@{version}" for id, version in book.documents], dict(book.latest), app.control.end()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> list[PolicyDocument]:
    """A later release: each preset has one version more."""
    found = [*presets(), *(next_version(name) for name in NAMES)]
    found.sort(key=lambda each: (NAMES.index(each.policy.id), each.policy.version))
    monkeypatch.setattr(domain.presets, "presets", lambda: found)
    return found


def test_a_new_store_has_every_version_and_the_last_is_the_newest(tmp_path: Path, later: list[PolicyDocument]) -> None:
    published, newest, _ = started(load_settings(journal=f"sqlite:///{tmp_path}"))
    assert published == [f"{each.policy.id}@{each.policy.version}" for each in later]
    assert newest == {each.policy.id: each.policy.version for each in later}


@pytest.mark.parametrize("release", RELEASES)
def test_a_later_version_reaches_the_store_of_an_earlier_release_once(
    release: str, tmp_path: Path, later: list[PolicyDocument], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(journal=f"sqlite:///{unpack(release, tmp_path)}")
    published, newest, end = started(settings)
    assert {f"{each.policy.id}@{each.policy.version}" for each in later} <= set(published)
    assert {name: newest[name] for name in NAMES} == {each.policy.id: each.policy.version for each in later}
    assert started(settings) == (published, newest, end)
    assert "is not published" not in capsys.readouterr().err


def test_an_operators_policy_under_a_presets_name_stays_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(journal=f"sqlite:///{tmp_path}")
    own = read_policy_toml(f'id = "{NAMES[0]}"\nversion = 7\nrules = ["shipped-lock"]\n')
    same_name = read_policy_toml(f'id = "{NAMES[1]}"\nversion = 2\nrules = ["shipped-lock"]\n')
    with open_app(settings, AppOptions(views=False)) as app:
        for document in (own, same_name):
            assert app.engine.publish(document).result(10).kind == "accepted"
    before = started(settings)
    versions = {**{each.policy.id: each.policy.version for each in presets()}, NAMES[0]: 7, NAMES[1]: 2}
    assert before[1] == versions
    capsys.readouterr()
    found = [*presets(), next_version(NAMES[0]), next_version(NAMES[1])]
    monkeypatch.setattr(domain.presets, "presets", lambda: found)
    assert started(settings) == before
    said = capsys.readouterr().err.splitlines()
    assert f"preset {NAMES[0]}@2 of this release is not published, because it would replace" in said[0]
    assert f"preset {NAMES[1]}@2 of this release is not published, because another policy has that name" in said[1]


def test_a_presets_file_is_named_by_its_id_and_version() -> None:
    assert {file_name(each) for each in presets()} == {path.name for path in PACKAGE.glob("*.toml")}
    assert file_name(next_version("big-box")) == "big-box.3.toml"


@pytest.mark.parametrize("release", RELEASES)
def test_second_versions_stand_beside_the_first_in_the_store_of_an_earlier_release(
    release: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(journal=f"sqlite:///{unpack(release, tmp_path)}")
    published, newest, _ = started(settings)
    for name in SECOND:
        assert {f"{name}@1", f"{name}@2"} <= set(published)
        assert newest[name] == 2
    assert {newest[name] for name in NAMES if name not in SECOND} == {1}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("release", RELEASES)
def test_a_store_with_its_own_document_under_a_second_versions_name_keeps_it_and_the_start_says_so(
    release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(journal=f"sqlite:///{unpack(release, tmp_path)}")
    own = read_policy_toml('id = "big-box"\nversion = 2\ntitle = "Ours"\nrules = ["shipped-lock"]\n')
    with monkeypatch.context() as earlier:
        earlier.setattr(domain.presets, "presets", lambda: [x for x in presets() if x.policy.version == 1])
        with open_app(settings, AppOptions(views=False)) as app:
            assert app.engine.publish(own).result(10).kind == "accepted"
    with open_app(settings, AppOptions(views=False)) as app:
        documents = app.control.book.documents
        assert (documents["big-box", 2].sha256, documents["auction-house", 2].policy.title) == (
            own.sha256,
            "Auction house",
        )
    said = capsys.readouterr().err
    assert "preset big-box@2 of this release is not published, because another policy has that name here" in said


@pytest.mark.parametrize("name", SECOND)
def test_a_second_version_differs_from_the_first_in_the_time_to_send_a_return(name: str) -> None:
    first, second = (each.policy for each in presets() if each.policy.id == name)
    assert first.returns is not None
    assert second.returns is not None
    assert (first.returns.ship_within, str(second.returns.ship_within)) == (None, "14 days")
    changed = {"version": 1, "returns": first.returns}
    assert second.model_copy(update=changed).model_dump() == first.model_dump()
