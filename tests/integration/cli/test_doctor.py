"""`rescind doctor`: finds what is broken, and its advice repairs it."""

import os
import pathlib
import sqlite3
from contextlib import closing

import pytest

from tests.integration.cli.driving import Store, lives, placed


@pytest.fixture
def filled_store(store: Store) -> Store:
    store.take(lives(0, 30))
    return store


def findings(store: Store, *options: str, check: int = 0) -> dict[str, tuple[str, str, str]]:
    report = store.rescind("doctor", "--json", *options, check=check).json
    return {f["part"]: (f["state"], f["said"], f["do"]) for f in report}


def files(store: Store) -> dict[pathlib.Path, bytes]:
    """Every file's content, after SQLite's write-ahead logs were merged into their files."""
    for path in store.place.rglob("*.sqlite"):
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    suffixes = ("-wal", "-shm")
    return {p: p.read_bytes() for p in sorted(store.place.rglob("*")) if p.is_file() and not p.name.endswith(suffixes)}


def settle(path: pathlib.Path) -> None:
    """Merge SQLite's write-ahead log into its file."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def test_a_healthy_store_is_in_order(filled_store: Store) -> None:
    found = findings(filled_store, "--deep")
    assert {state for state, _, _ in found.values()} == {"ok"}
    assert "rebuilt from the log, it is the same" in found["local state 0"][1]
    assert "ok" in filled_store.rescind("doctor").out


def test_looking_changes_nothing(filled_store: Store) -> None:
    (filled_store.journal / "vault.key").chmod(0o644)
    before = files(filled_store)
    findings(filled_store, check=1)
    after = files(filled_store)
    assert sorted(before) == sorted(after)
    assert [p for p in before if before[p] != after[p]] == []


def test_damaged_local_state_is_rebuilt_from_the_log(filled_store: Store) -> None:
    before = filled_store.everything()
    path = filled_store.journal / "state" / "0" / "journal-0.sqlite"
    settle(path)
    with path.open("r+b") as file:
        file.truncate(os.path.getsize(path) // 2)
    state, message, _ = findings(filled_store)["local state 0"]
    assert state == "note"
    assert "rebuilds it" in message
    assert filled_store.take(lives(0, 30))["accepted"] == 0
    assert findings(filled_store, "--deep")["local state 0"][0] == "ok"
    assert filled_store.everything() == before


def test_missing_local_state_is_rebuilt(filled_store: Store) -> None:
    before = filled_store.everything()
    for file in (filled_store.journal / "state" / "0").glob("journal*"):
        file.unlink()
    assert findings(filled_store)["local state 0"][0] == "note"
    assert filled_store.everything() == before


def test_a_truncated_journal_stops_everything_and_nothing_is_decided_a_second_time(filled_store: Store) -> None:
    path = filled_store.journal / "journal.sqlite"
    settle(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM partition_0 WHERE offset > 2")
        database.commit()
    state, _, do = findings(filled_store, check=1)["local state 0"]
    assert state == "wrong"
    assert "restore the journal from a copy" in do
    show = filled_store.rescind("order", "show", "acme/PO-000001", check=3)
    assert "3" in show.err
    assert filled_store.rescind("import", filled_store.place / "commands.jsonl", check=3).out == ""


def test_a_journal_that_was_replaced_by_another_one_is_noticed(filled_store: Store, tmp_path: pathlib.Path) -> None:
    other = Store(tmp_path / "other")
    other.place.mkdir()
    other.take([placed("PO-1")])
    for store in (filled_store, other):
        settle(store.journal / "journal.sqlite")
    (other.journal / "journal.sqlite").replace(filled_store.journal / "journal.sqlite")
    assert findings(filled_store, check=1)["local state 0"][0] == "wrong"
    assert filled_store.rescind("order", "show", "acme/PO-1", check=3).err


def test_a_record_that_was_changed_has_another_checksum(filled_store: Store) -> None:
    path = filled_store.journal / "journal.sqlite"
    with closing(sqlite3.connect(path)) as database:
        (value,) = database.execute("SELECT value FROM partition_0 WHERE offset = 1").fetchone()
        changed = value[:-1] + bytes([value[-1] ^ 1])
        database.execute("UPDATE partition_0 SET value = ? WHERE offset = 1", (changed,))
        database.commit()
    state, message, do = findings(filled_store, check=1)["journal"]
    assert state == "wrong"
    assert "checksum" in message
    assert "from a copy" in do


def test_a_missing_journal_is_not_recreated(filled_store: Store) -> None:
    for file in filled_store.journal.glob("journal.sqlite*"):
        file.unlink(missing_ok=True)  # SQLite takes a WAL away by itself
    assert findings(filled_store, check=1)["journal"][0] == "wrong"
    err = filled_store.rescind("import", filled_store.place / "commands.jsonl", check=3).err
    assert "does not start on an empty journal" in err
    assert not (filled_store.journal / "journal.sqlite").exists()


def test_a_missing_control_log_is_not_recreated(filled_store: Store) -> None:
    for file in filled_store.journal.glob("control.sqlite*"):
        file.unlink(missing_ok=True)
    assert findings(filled_store, check=1)["control log"][0] == "wrong"
    assert "that belong together" in filled_store.rescind("import", filled_store.place / "commands.jsonl", check=3).err


def test_another_number_of_partitions_is_refused(filled_store: Store) -> None:
    filled_store.partitions = 3
    assert "1 partition, not 3" in filled_store.rescind("import", filled_store.place / "commands.jsonl", check=3).err


def test_damaged_or_changed_views_are_rebuilt_by_replay(filled_store: Store) -> None:
    settle(filled_store.views)
    content = filled_store.views.read_bytes()
    filled_store.views.write_bytes(b"no database at all" * 100)
    state, _, do = findings(filled_store, check=1)["views"]
    assert (state, "replay" in do) == ("wrong", True)
    filled_store.views.write_bytes(content)

    with closing(sqlite3.connect(filled_store.views)) as database:
        database.execute("UPDATE orders SET status = 'open', total_minor = 1 WHERE order_id = 'PO-000001'")
        database.execute("DELETE FROM order_lines WHERE order_id = 'PO-000002'")
        database.commit()
    differs = filled_store.rescind("replay", "--check", "--json", check=1).json
    assert not differs["clean"]
    assert any("PO-000001" in line and "total_minor" in line for line in differs["differences"])
    assert (
        "the journal is clean, `rescind replay` rebuilds the views"
        in filled_store.rescind("replay", "--check", check=1).out
    )
    filled_store.rescind("replay")
    assert filled_store.rescind("replay", "--check", "--json").json["clean"]


@pytest.mark.parametrize("damage", ["first page", "everything but it", "not ours"])
def test_a_command_that_only_reads_does_not_change_damaged_views(filled_store: Store, damage: str) -> None:
    settle(filled_store.views)
    content = bytearray(filled_store.views.read_bytes())
    match damage:
        case "first page":
            content[:40] = bytes(40)
        case "everything but it":
            content[4096:] = b"\xff" * (len(content) - 4096)
        case _:
            content = bytearray(b"my diary\n" * 999)
    filled_store.views.write_bytes(content)
    suffixes = sorted(filled_store.place.iterdir())

    assert filled_store.rescind("order", "show", "--po", "PO-000001", "--json").json["order_id"] == "PO-000001"
    assert findings(filled_store, check=1)["views"][0] == "wrong"
    checked = filled_store.rescind("replay", "--check", check=3 if damage == "not ours" else 1)
    assert ("rescind replay" in checked.err) is (damage != "not ours")
    filled_store.rescind("dead-letters", "list", check=None)
    assert (sorted(filled_store.place.iterdir()), filled_store.views.read_bytes()) == (suffixes, bytes(content))

    if damage == "not ours":
        assert "is not a file of views: name another one with --views" in filled_store.rescind("replay", check=3).err
        assert "is not a file of views" in filled_store.rescind("serve", "--port", "0", check=3).err
        assert (sorted(filled_store.place.iterdir()), filled_store.views.read_bytes()) == (suffixes, bytes(content))
    else:
        made = filled_store.rescind("replay")
        assert damage != "first page" or "rebuilding the views from the log: the file was damaged" in made.err
        assert filled_store.rescind("replay", "--check", "--json").json["clean"]


def test_missing_views_are_filled_again(filled_store: Store) -> None:
    before = filled_store.everything()
    for file in filled_store.place.glob("views.sqlite*"):
        file.unlink()
    assert findings(filled_store)["views"][0] == "note"
    filled_store.rescind("replay")
    assert filled_store.everything() == before


def test_a_vault_without_its_key_is_reported_and_stops_writes(filled_store: Store) -> None:
    (filled_store.journal / "vault.key").unlink()
    assert findings(filled_store, check=1)["vault"][0] == "wrong"
    err = filled_store.rescind("import", filled_store.place / "commands.jsonl", check=3).err
    assert "restore the file" in err
    assert filled_store.show("acme/PO-000001")["order_id"] == "PO-000001", "reads still work"


def test_a_key_file_that_others_can_read_is_reported(filled_store: Store) -> None:
    (filled_store.journal / "vault.key").chmod(0o644)
    state, _, do = findings(filled_store, check=1)["vault"]
    assert (state, do) == ("wrong", f"chmod 600 {filled_store.journal / 'vault.key'}")


def test_an_unpublished_policy_in_the_settings_is_reported(filled_store: Store) -> None:
    file = filled_store.place / "settings.toml"
    file.write_text(
        '[marketplaces.acme]\npolicy = "nope"\n[marketplaces.default]\npolicy = "big-box"\n'
        '[marketplaces.later]\npolicy = "big-box@7"\n[marketplaces.now]\npolicy = "big-box@1"\n',
        encoding="utf-8",
    )
    found = findings(filled_store, "--config", str(file), check=1)
    assert {part for part, (state, _, _) in found.items() if state == "wrong"} == {
        "marketplace acme",
        "marketplace later",
    }
    assert "the policy nope does not exist" in found["marketplace acme"][1]
    assert "[marketplaces.acme]" in found["marketplace acme"][2]


def test_without_a_store_the_message_explains_how_to_create_one(store: Store) -> None:
    assert "rescind import" in findings(store, check=1)["journal"][2]
