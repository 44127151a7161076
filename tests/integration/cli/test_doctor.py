"""`rescind doctor`: finds what is broken, says what to do, and what it says helps."""

import os
import pathlib
import sqlite3
from contextlib import closing

import pytest

from tests.integration.cli.driving import Store, lives, placed


@pytest.fixture
def kept(store: Store) -> Store:
    store.take(lives(0, 30))
    return store


def findings(store: Store, *options: str, check: int = 0) -> dict[str, tuple[str, str, str]]:
    told = store.rescind("doctor", "--json", *options, check=check).json
    return {f["part"]: (f["state"], f["said"], f["do"]) for f in told}


def files(store: Store) -> dict[pathlib.Path, bytes]:
    """Every file's content, with what SQLite keeps beside its files moved into them."""
    for path in store.place.rglob("*.sqlite"):
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    beside = ("-wal", "-shm")
    return {p: p.read_bytes() for p in sorted(store.place.rglob("*")) if p.is_file() and not p.name.endswith(beside)}


def settle(path: pathlib.Path) -> None:
    """Move what SQLite keeps beside a file into it."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def test_a_healthy_store_is_in_order(kept: Store) -> None:
    found = findings(kept, "--deep")
    assert {state for state, _, _ in found.values()} == {"ok"}
    assert "rebuilt from the log, it is the same" in found["local state 0"][1]
    assert "ok" in kept.rescind("doctor").out


def test_looking_changes_nothing(kept: Store) -> None:
    (kept.journal / "vault.key").chmod(0o644)
    before = files(kept)
    findings(kept, check=1)
    after = files(kept)
    assert sorted(before) == sorted(after)
    assert [p for p in before if before[p] != after[p]] == []


def test_local_state_that_is_damaged_is_made_anew_from_the_log(kept: Store) -> None:
    before = kept.everything()
    path = kept.journal / "state" / "0" / "journal-0.sqlite"
    settle(path)
    with path.open("r+b") as file:
        file.truncate(os.path.getsize(path) // 2)
    state, said, _ = findings(kept)["local state 0"]
    assert state == "note"
    assert "rebuilds it" in said
    assert kept.take(lives(0, 30))["accepted"] == 0
    assert findings(kept, "--deep")["local state 0"][0] == "ok"
    assert kept.everything() == before


def test_local_state_that_is_gone_comes_back(kept: Store) -> None:
    before = kept.everything()
    for file in (kept.journal / "state" / "0").glob("journal*"):
        file.unlink()
    assert findings(kept)["local state 0"][0] == "note"
    assert kept.everything() == before


def test_a_journal_that_was_cut_off_stops_everything_and_nothing_is_decided_anew(kept: Store) -> None:
    path = kept.journal / "journal.sqlite"
    settle(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM partition_0 WHERE offset > 2")
        database.commit()
    state, _, do = findings(kept, check=1)["local state 0"]
    assert state == "wrong"
    assert "restore the journal from a copy" in do
    show = kept.rescind("order", "show", "acme/PO-000001", check=3)
    assert "3" in show.err
    assert kept.rescind("import", kept.place / "commands.jsonl", check=3).out == ""


def test_a_journal_that_was_replaced_by_another_one_is_noticed(kept: Store, tmp_path: pathlib.Path) -> None:
    other = Store(tmp_path / "other")
    other.place.mkdir()
    other.take([placed("PO-1")])
    for store in (kept, other):
        settle(store.journal / "journal.sqlite")
    (other.journal / "journal.sqlite").replace(kept.journal / "journal.sqlite")
    assert findings(kept, check=1)["local state 0"][0] == "wrong"
    assert kept.rescind("order", "show", "acme/PO-1", check=3).err


def test_a_record_that_was_changed_has_another_checksum(kept: Store) -> None:
    path = kept.journal / "journal.sqlite"
    with closing(sqlite3.connect(path)) as database:
        (value,) = database.execute("SELECT value FROM partition_0 WHERE offset = 1").fetchone()
        changed = value[:-1] + bytes([value[-1] ^ 1])
        database.execute("UPDATE partition_0 SET value = ? WHERE offset = 1", (changed,))
        database.commit()
    state, said, do = findings(kept, check=1)["journal"]
    assert state == "wrong"
    assert "checksum" in said
    assert "from a copy" in do


def test_a_journal_that_is_gone_is_not_made_anew(kept: Store) -> None:
    for file in kept.journal.glob("journal.sqlite*"):
        file.unlink(missing_ok=True)  # SQLite takes a WAL away by itself
    assert findings(kept, check=1)["journal"][0] == "wrong"
    err = kept.rescind("import", kept.place / "commands.jsonl", check=3).err
    assert "does not start on an empty journal" in err
    assert not (kept.journal / "journal.sqlite").exists()


def test_a_control_log_that_is_gone_is_not_made_anew(kept: Store) -> None:
    for file in kept.journal.glob("control.sqlite*"):
        file.unlink(missing_ok=True)
    assert findings(kept, check=1)["control log"][0] == "wrong"
    assert "that belong together" in kept.rescind("import", kept.place / "commands.jsonl", check=3).err


def test_another_number_of_partitions_is_refused(kept: Store) -> None:
    kept.partitions = 3
    assert "1 partition, not 3" in kept.rescind("import", kept.place / "commands.jsonl", check=3).err


def test_views_that_are_damaged_or_changed_are_made_anew_by_replay(kept: Store) -> None:
    settle(kept.views)
    content = kept.views.read_bytes()
    kept.views.write_bytes(b"no database at all" * 100)
    state, _, do = findings(kept, check=1)["views"]
    assert (state, "replay" in do) == ("wrong", True)
    kept.views.write_bytes(content)

    with closing(sqlite3.connect(kept.views)) as database:
        database.execute("UPDATE orders SET status = 'open', total_minor = 1 WHERE order_id = 'PO-000001'")
        database.execute("DELETE FROM order_lines WHERE order_id = 'PO-000002'")
        database.commit()
    differs = kept.rescind("replay", "--check", "--json", check=1).json
    assert not differs["clean"]
    assert any("PO-000001" in line and "total_minor" in line for line in differs["differences"])
    assert "the journal is clean, `rescind replay` rebuilds the views" in kept.rescind("replay", "--check", check=1).out
    kept.rescind("replay")
    assert kept.rescind("replay", "--check", "--json").json["clean"]


@pytest.mark.parametrize("damage", ["first page", "everything but it", "not ours"])
def test_who_only_asks_leaves_damaged_views_as_they_are(kept: Store, damage: str) -> None:
    settle(kept.views)
    content = bytearray(kept.views.read_bytes())
    match damage:
        case "first page":
            content[:40] = bytes(40)
        case "everything but it":
            content[4096:] = b"\xff" * (len(content) - 4096)
        case _:
            content = bytearray(b"my diary\n" * 999)
    kept.views.write_bytes(content)
    beside = sorted(kept.place.iterdir())

    assert kept.rescind("order", "show", "--po", "PO-000001", "--json").json["order_id"] == "PO-000001"
    assert findings(kept, check=1)["views"][0] == "wrong"
    checked = kept.rescind("replay", "--check", check=3 if damage == "not ours" else 1)
    assert ("rescind replay" in checked.err) is (damage != "not ours")
    kept.rescind("dead-letters", "list", check=None)
    assert (sorted(kept.place.iterdir()), kept.views.read_bytes()) == (beside, bytes(content))

    if damage == "not ours":
        assert "is not a file of views: name another one with --views" in kept.rescind("replay", check=3).err
        assert "is not a file of views" in kept.rescind("serve", "--port", "0", check=3).err
        assert (sorted(kept.place.iterdir()), kept.views.read_bytes()) == (beside, bytes(content))
    else:
        made = kept.rescind("replay")
        assert damage != "first page" or "rebuilding the views from the log: the file was damaged" in made.err
        assert kept.rescind("replay", "--check", "--json").json["clean"]


def test_views_that_are_gone_are_filled_again(kept: Store) -> None:
    before = kept.everything()
    for file in kept.place.glob("views.sqlite*"):
        file.unlink()
    assert findings(kept)["views"][0] == "note"
    kept.rescind("replay")
    assert kept.everything() == before


def test_a_vault_without_its_key_is_told_and_stops_writing(kept: Store) -> None:
    (kept.journal / "vault.key").unlink()
    assert findings(kept, check=1)["vault"][0] == "wrong"
    err = kept.rescind("import", kept.place / "commands.jsonl", check=3).err
    assert "restore the file" in err
    assert kept.show("acme/PO-000001")["order_id"] == "PO-000001", "asking goes on"


def test_a_key_that_others_can_read_is_told(kept: Store) -> None:
    (kept.journal / "vault.key").chmod(0o644)
    state, _, do = findings(kept, check=1)["vault"]
    assert (state, do) == ("wrong", f"chmod 600 {kept.journal / 'vault.key'}")


def test_a_policy_that_the_settings_name_and_nobody_published_is_told(kept: Store) -> None:
    file = kept.place / "settings.toml"
    file.write_text(
        '[marketplaces.acme]\npolicy = "nope"\n[marketplaces.default]\npolicy = "big-box"\n'
        '[marketplaces.later]\npolicy = "big-box@7"\n[marketplaces.now]\npolicy = "big-box@1"\n',
        encoding="utf-8",
    )
    found = findings(kept, "--config", str(file), check=1)
    assert {part for part, (state, _, _) in found.items() if state == "wrong"} == {
        "marketplace acme",
        "marketplace later",
    }
    assert "the policy nope does not exist" in found["marketplace acme"][1]
    assert "[marketplaces.acme]" in found["marketplace acme"][2]


def test_without_a_store_it_says_how_one_comes_about(store: Store) -> None:
    assert "rescind import" in findings(store, check=1)["journal"][2]
