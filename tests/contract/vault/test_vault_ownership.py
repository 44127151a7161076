"""A vault that is gone, or another one, is never replaced in silence: on each database that a vault can live in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from infra.app import AppOptions, open_app
from infra.settings import load_settings
from tests.contract.vault.conftest import Place, SqlitePlace
from tests.integration.cli.driving import BUYER, Store, command, placed

AT = "2026-03-02T11:00:00Z"
MESSAGE = command("SendMessage", "PO-1", AT, BUYER, "says", message_id="m1", to="seller", text="It is the blue one.")


@pytest.fixture
def store(tmp_path: Path, place: Place) -> Store:
    """A store with a vault, and with its key next to its journal."""
    return Store(tmp_path, more={"RESCIND_VAULT": place.setting})


def lose(place: Place) -> None:
    """Delete the vault and leave its key."""
    if isinstance(place, SqlitePlace):
        for file in place.path.parent.glob(f"{place.path.name}*"):
            file.unlink()
    else:
        place.rows("DROP TABLE vault_about, vault_texts, vault_keys, vault_keys_made, vault_erasing, vault_subjects")


def vault_exists(place: Place) -> bool:
    if isinstance(place, SqlitePlace):
        return place.path.exists()
    return place.rows("SELECT to_regclass('vault_about')") != [(None,)]


@contextmanager
def lost_for_good(store: Store) -> Iterator[None]:
    """A running server that was started with the confirmation that texts are lost."""
    with (
        patch.dict("os.environ", store.environment, clear=True),
        open_app(load_settings(), AppOptions(texts_lost=True)),
    ):
        yield


def vault_found(store: Store, *options: str, check: int) -> tuple[str, str, str]:
    findings = store.rescind("doctor", "--json", *options, check=check).json
    return next((f["state"], f["said"], f["do"]) for f in findings if f["part"] == "vault")


def test_a_vault_that_is_gone_stops_the_start_and_nothing_is_made_in_its_place(store: Store, place: Place) -> None:
    store.take([placed("PO-1"), MESSAGE])
    lose(place)
    for _ in range(2):
        refused = store.rescind("import", store.file([MESSAGE]), check=3).err
        assert "refer to 1 text" in refused
        assert "rescind serve --texts-lost" in refused
        assert not vault_exists(place)
    state, message, do = vault_found(store, check=1)
    assert (state, "refer to 1 text" in message, "restore it" in do) == ("wrong", True, True)
    assert store.show("acme/PO-1")["order_id"] == "PO-1", "orders can still be read"


def test_another_vault_in_its_place_is_recognized(store: Store, place: Place) -> None:
    store.take([placed("PO-1"), MESSAGE])
    lose(place)
    with lost_for_good(Store(store.place / "other", more=store.more)):
        pass
    (store.journal / "vault.key").write_bytes((store.place / "other" / "journal" / "vault.key").read_bytes())
    assert "is another one: it lacks all 1 text" in store.rescind("import", store.file([MESSAGE]), check=3).err
    state, message, _ = vault_found(store, check=1)
    assert (state, "is another one" in message) == ("wrong", True)


def test_a_lost_vault_is_confirmed_once_and_the_new_vault_is_used_from_then_on(store: Store, place: Place) -> None:
    store.take([placed("PO-1"), MESSAGE])
    lose(place)
    with lost_for_good(store):
        pass
    later = {**MESSAGE, "command_id": "says-2", "message_id": "m2"}
    assert store.take([later])["accepted"] == 1
    state, message, _ = vault_found(store, "--deep", check=0)
    fits = "1 text of 1 person, and the key matches, each is what its event commits to"
    assert (state, message) == ("ok", f"{fits}; earlier texts were declared lost")
    lose(place)
    assert "refer to 2 texts" in store.rescind("import", store.file([later]), check=3).err


def test_an_import_without_texts_points_to_nothing(store: Store, place: Place) -> None:
    """And so does a new store: a vault may be begun."""
    store.take([placed("PO-1")])
    lose(place)
    assert store.take([placed("PO-2"), {**MESSAGE, "order_id": "PO-2"}])["accepted"] == 2
    assert vault_found(store, "--deep", check=0)[0] == "ok"


def test_the_doctor_reports_a_text_that_an_older_copy_lacks(store: Store, place: Place) -> None:
    store.take([placed("PO-1"), MESSAGE])
    place.rows(f"DELETE FROM {place.texts}")
    assert store.take([placed("PO-2"), {**MESSAGE, "order_id": "PO-2"}])["accepted"] == 2, "a copy that is older starts"
    assert vault_found(store, check=1)[0] == "wrong", "of the newest records without --deep"
    state, message, do = vault_found(store, "--deep", check=1)
    assert (state, "1 text to which" in message, "restore a newer one" in do) == ("wrong", True, True)


def test_an_address_missing_from_the_vault_is_reported_like_a_text(store: Store, place: Place) -> None:
    store.take([placed("PO-1")])
    store.rescind("contacts", "set", "acme", "buyer", "b-7", "--address", "bea@example.org")
    lose(place)
    assert "refer to 1 address" in store.rescind("import", store.file([placed("PO-2")]), check=3).err
    assert "1 address" in store.rescind("contacts", "show", "acme", "buyer", "b-7", check=3).err
    assert not vault_exists(place)
    assert vault_found(store, check=1)[0] == "wrong"


def test_a_key_made_with_a_vault_shows_that_there_was_a_vault(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.take([placed("PO-1")])
    for file in store.journal.glob("vault.sqlite*"):
        file.unlink()
    assert "so there was one" in store.rescind("import", store.file([placed("PO-2")]), check=3).err
    assert vault_found(store, check=1)[0] == "wrong"


def test_a_vault_of_an_earlier_release_is_known_by_its_texts(store: Store, place: Place) -> None:
    store.take([placed("PO-1"), MESSAGE])
    table = "about" if isinstance(place, SqlitePlace) else "vault_about"
    assert len(place.rows(f"DELETE FROM {table} WHERE name NOT IN ('format', 'key') RETURNING name")) == 2
    assert store.take([placed("PO-2"), {**MESSAGE, "order_id": "PO-2"}])["accepted"] == 2
    assert vault_found(store, "--deep", check=0)[0] == "ok"


def test_a_second_engine_on_the_same_vault_finds_it_known(store: Store, place: Place) -> None:
    with lost_for_good(store):
        file = store.file([placed("PO-1"), MESSAGE])
        assert store.rescind("import", file, "--json", own_process=True).json["accepted"] == 2
    assert vault_found(store, "--deep", check=0)[0] == "ok"


def test_a_start_reports_that_an_older_vault_lacks_texts(
    store: Store, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    store.take(
        [placed("PO-1"), MESSAGE, {**MESSAGE, "command_id": "again", "message_id": "m2", "text": "And the red one."}]
    )
    place.rows(f"DELETE FROM {place.texts} WHERE reference = (SELECT max(reference) FROM {place.texts})")
    capsys.readouterr()
    with (
        patch.dict("os.environ", store.environment, clear=True),
        open_app(load_settings(), AppOptions(publish=True)) as app,
    ):
        message = app.watch.trouble["texts"]
        app.watch.look_at_components()
        assert f"texts are missing: {message}" in capsys.readouterr().err
    assert "lacks 1 text to which the newest 500 records of a partition refer" in message
    assert "restore a newer one" in message
    assert vault_found(store, check=1)[0] == "wrong", "also without --deep"
    with lost_for_good(store):
        pass
    with (
        patch.dict("os.environ", store.environment, clear=True),
        open_app(load_settings(), AppOptions(publish=True)) as app,
    ):
        assert "texts" not in app.watch.trouble
