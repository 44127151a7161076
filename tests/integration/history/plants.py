"""Changes planted in a small store, what notices each, and the table of docs/explanation/changed-histories.md.

``python -m tests.integration.history.plants`` writes the table into the page.
"""

import hashlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch
from zlib import crc32

import infra.app
from consumers.engine.engine import Engine
from consumers.ports.journal import JournalError
from consumers.ports.local_state import LocalStateDamaged
from consumers.ports.vault import VaultUnavailable
from domain.commands import parse_command
from domain.policy import read_policy
from domain.presets import preset
from infra.notifications.delivery_store import AnotherJournals
from schemas.commit import Commit, EventEntry, decode_commit, encode_commit
from schemas.record import Record, decode_record, encode_record
from tests.integration.cli.driving import BUYER, Store, command, placed, requests_cancel, ships
from tests.integration.history.changing import change, opened, settle

PAGE: Final = Path(__file__).parents[3] / "docs" / "explanation" / "changed-histories.md"
MARKS: Final = ("<!-- table -->\n", "<!-- end of the table -->\n")
COLUMNS: Final = (
    "start, newest commits",
    "start, older commits",
    "running engine",
    "doctor",
    "deep doctor",
    "`replay --check`",
)
NOTICED, NOTHING, IMPOSSIBLE = "yes", "nothing yet", "—"
ORDERS: Final = 6
HOUSE: Final = read_policy({**json.loads(preset("seller-portal").document), "id": "house"})
"""A policy of the operator's, the newest in the control log; the last order is pinned to it."""
Database = sqlite3.Connection


def small_store(place: Path) -> Store:
    """Orders that were decided live, one record each command, the last under an own policy; and views."""
    store = Store(place)
    place.mkdir(parents=True, exist_ok=True)
    orders = [f"PO-{number}" for number in range(ORDERS)]
    with opened(store) as app:
        assert app.engine.publish(HOUSE).result(30).kind == "accepted"
        for make in (placed, lambda order: requests_cancel(order, ""), lambda order: ships(order, "", 1)):
            for order in orders:
                body = {**make(order), "at": None}
                if order == orders[-1] and make is placed:
                    body["policy"] = HOUSE.policy.id
                del body["at"]
                assert app.engine.submit(parse_command(body)).result(30).kind in ("accepted", "refused")
        text = {"message_id": "m1", "to": "seller", "text": "Please leave it with the neighbor."}
        body = command("SendMessage", orders[0], "", BUYER, "says", **text)
        del body["at"]
        assert app.engine.submit(parse_command(body)).result(30).kind == "accepted"
        assert app.views is not None
        assert app.views.catch_up(30)
    return store


def copied(store: Store, place: Path) -> Store:
    """A copy that can be changed."""
    shutil.copytree(store.place, place)
    return Store(place)


# ---- planting --------------------------------------------------------------------------------------------------------


def rewrite(
    store: Store, offset: int, by: Callable[[bytes], bytes], *, file: str = "journal", fits: bool = True
) -> None:
    """Change a record's bytes; ``fits``: its checksum too, as an attacker would."""

    def write(log: Database) -> None:
        (value,) = log.execute("SELECT value FROM partition_0 WHERE offset = ?", (offset,)).fetchone()
        changed = by(value)
        assert changed != value
        log.execute("UPDATE partition_0 SET value = ? WHERE offset = ?", (changed, offset))
        if fits:
            log.execute("UPDATE partition_0 SET crc = ? WHERE offset = ?", (crc32(changed), offset))

    change(store.journal / f"{file}.sqlite", write)


def flipped(data: bytes, at: int = -1) -> bytes:
    """One bit of one byte flipped."""
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def in_commit(by: Callable[[Commit], Commit]) -> Callable[[bytes], bytes]:
    """Change the first commit of a record."""

    def changed(value: bytes) -> bytes:
        record: Record = decode_record(value)
        first, *others = record.commits
        return encode_record(record.writer, [encode_commit(by(decode_commit(first))), *others])

    return changed


def in_event(by: Callable[[EventEntry], EventEntry]) -> Callable[[bytes], bytes]:
    """Change the first event of the first commit."""

    def changed(commit: Commit) -> Commit:
        part, *others = commit.streams
        event, *later = part.events
        return replace(commit, streams=(replace(part, events=(by(event), *later)), *others))

    return in_commit(changed)


def in_text(before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    """Change bytes of an event's body for others of the same length."""

    def changed(event: EventEntry) -> EventEntry:
        assert before in event.body
        return replace(event, body=event.body.replace(before, after, 1))

    return in_event(changed)


def other_price(store: Store, offset: int) -> None:
    rewrite(store, offset, in_text(b"Lamp", b"Tree"))


def policy_offset(store: Store, policy: str = "seller-portal") -> int:
    """The place of a policy in the control log."""
    with closing(sqlite3.connect(store.journal / "control.sqlite")) as log:
        rows = log.execute("SELECT offset, value FROM partition_0 ORDER BY offset").fetchall()
    return next(int(offset) for offset, value in rows if f"$policy/{policy}".encode() in value)


def policy_text(store: Store, offset: int) -> None:
    rewrite(store, policy_offset(store), in_text(b'"id":"seller-portal"', b'"id":"seller-pirate"'), file="control")


def policy_hash(store: Store, offset: int) -> None:
    sha256 = preset("seller-portal").sha256
    rewrite(store, policy_offset(store), in_text(sha256, flipped(sha256)), file="control")


def policy_both(store: Store, offset: int) -> None:
    """The text, and the hash that fits it."""
    document = preset("seller-portal")
    text = document.document.replace('["shipped-lock","whole-lines-only"', '["whole-lines-only","shipped-lock"')
    assert text != document.document

    def changed(event: EventEntry) -> EventEntry:
        body = event.body.replace(document.document.encode(), text.encode())
        return replace(event, body=body.replace(document.sha256, hashlib.sha256(text.encode()).digest()))

    rewrite(store, policy_offset(store), in_event(changed), file="control")


def control_changed(store: Store, *statements: str) -> None:
    def by(log: Database) -> None:
        for statement in statements:
            log.execute(statement)

    change(store.journal / "control.sqlite", by)


def control_tail_cut(store: Store, offset: int) -> None:
    """The newest policy was not published: a copy from before."""
    control_changed(store, "DELETE FROM partition_0 WHERE offset = (SELECT max(offset) FROM partition_0)")


def control_emptied(store: Store, offset: int) -> None:
    control_changed(store, "DELETE FROM partition_0")


def views_removed(by: Callable[[Store, int], None]) -> Callable[[Store, int], None]:
    """The change, and the views removed, which record how far they have followed the control log."""

    def both(store: Store, offset: int) -> None:
        by(store, offset)
        for suffix in ("", "-wal", "-shm"):
            store.views.with_name(store.views.name + suffix).unlink(missing_ok=True)

    return both


def text_removed(store: Store, offset: int) -> None:
    """The vault as it was before the newest text."""
    delete = "DELETE FROM texts WHERE reference = (SELECT max(reference) FROM texts)"
    change(store.journal / "vault.sqlite", lambda vault: vault.execute(delete))


def file_removed(name: str) -> Callable[[Store, int], None]:
    def remove(store: Store, offset: int) -> None:
        for suffix in ("", "-wal", "-shm"):
            (store.journal / f"{name}{suffix}").unlink(missing_ok=True)

    return remove


def moved(store: Store, by: Callable[[Database], object]) -> None:
    change(store.journal / "journal.sqlite", by)


def append_time(store: Store, offset: int) -> None:
    back = "UPDATE partition_0 SET appended_at = appended_at - 3600000000 WHERE offset = ?"
    moved(store, lambda log: log.execute(back, (offset,)))


def newest_in_the_future(store: Store, offset: int) -> None:
    hundred_years = 100 * 365 * 86_400_000_000
    later = "UPDATE partition_0 SET appended_at = appended_at + ? WHERE offset = (SELECT max(offset) FROM partition_0)"
    moved(store, lambda log: log.execute(later, (hundred_years,)))


def other_identity(log: Database) -> None:
    """As if the file were that of another log with the same records."""
    log.execute("UPDATE topic SET identity = 'x' || substr(identity, 2)")


def removed(store: Store, offset: int) -> None:
    moved(store, lambda log: log.execute("DELETE FROM partition_0 WHERE offset = ?", (offset,)))


def closed_up(store: Store, offset: int) -> None:
    def close(log: Database) -> None:
        (end,) = log.execute("SELECT max(offset) FROM partition_0").fetchone()
        log.execute("DELETE FROM partition_0 WHERE offset = ?", (offset,))
        for later in range(offset + 1, end + 1):
            log.execute("UPDATE partition_0 SET offset = ? WHERE offset = ?", (later - 1, later))

    moved(store, close)


def swapped(store: Store, offset: int) -> None:
    """Two records of different orders, with their checksums; the times stay in order."""

    def swap(log: Database) -> None:
        one, two = log.execute(
            "SELECT crc, value FROM partition_0 WHERE offset IN (?, ?) ORDER BY offset", (offset, offset + 1)
        ).fetchall()
        for at, (crc, value) in ((offset, two), (offset + 1, one)):
            log.execute("UPDATE partition_0 SET crc = ?, value = ? WHERE offset = ?", (crc, value, at))

    moved(store, swap)


def inserted(store: Store, offset: int) -> None:
    """A placing that never was, before the record, with a time that fits."""

    def insert(log: Database) -> None:
        (end,) = log.execute("SELECT max(offset) FROM partition_0").fetchone()
        (value,) = log.execute("SELECT value FROM partition_0 WHERE offset = 0").fetchone()
        (at,) = log.execute("SELECT appended_at FROM partition_0 WHERE offset = ?", (offset,)).fetchone()
        for later in range(end, offset - 1, -1):
            log.execute("UPDATE partition_0 SET offset = ? WHERE offset = ?", (later + 1, later))

        def forged(commit: Commit) -> Commit:
            (part,) = commit.streams
            return replace(commit, commit_id=bytes(16), streams=(replace(part, stream="acme/PO-FORGED"),))

        new = in_commit(forged)(value)
        log.execute("INSERT INTO partition_0 VALUES (?, ?, ?, ?)", (offset, at, crc32(new), new))

    moved(store, insert)


def front_cut(store: Store, offset: int) -> None:
    moved(store, lambda log: log.execute("DELETE FROM partition_0 WHERE offset < 3"))


def tail_cut(store: Store, offset: int) -> None:
    moved(
        store,
        lambda log: log.execute("DELETE FROM partition_0 WHERE offset > (SELECT max(offset) FROM partition_0) - 3"),
    )


def older_copy(store: Store, offset: int) -> None:
    """Another file in the place of the journal's: the one that a backup has."""
    path = store.journal / "journal.sqlite"
    settle(path)
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    change(
        copy,
        lambda log: log.execute("DELETE FROM partition_0 WHERE offset > (SELECT max(offset) FROM partition_0) - 3"),
    )
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    copy.replace(path)


def local_state(store: Store, offset: int) -> None:
    """The data of a commit in local state, not its hash."""
    sql = "SELECT data FROM commits WHERE offset = ?"
    path = store.journal / "state" / "0" / "journal-0.sqlite"

    def write(state: Database) -> None:
        (data,) = state.execute(sql, (offset,)).fetchone()
        state.execute("UPDATE commits SET data = ? WHERE offset = ?", (data.replace(b"Lamp", b"Tree"), offset))

    change(path, write)


PLANTS: Final[dict[str, Callable[[Store, int], None]]] = {
    "a bit of a record flipped": lambda store, offset: rewrite(store, offset, flipped, fits=False),
    "the record's envelope, checksum made to fit": lambda store, offset: rewrite(
        store, offset, lambda value: encode_record("somebody", decode_record(value).commits)
    ),
    "the commit's envelope": lambda store, offset: rewrite(
        store, offset, in_commit(lambda commit: replace(commit, recorded_at=commit.recorded_at + 1))
    ),
    "the body of an event": other_price,
    "the text of a policy": policy_text,
    "the hash of a policy": policy_hash,
    "text and hash of a policy": policy_both,
    "the time of an append": append_time,
    "a record removed": removed,
    "a record removed, the others closed up": closed_up,
    "two records swapped": swapped,
    "a record inserted": inserted,
    "the front cut off": front_cut,
    "the tail cut off": tail_cut,
    "the file replaced by an older copy": older_copy,
    "the data of a commit in local state": local_state,
    "all append times moved back": lambda store, offset: moved(
        store, lambda log: log.execute("UPDATE partition_0 SET appended_at = appended_at - 3600000000")
    ),
    "the newest append time moved to the future": newest_in_the_future,
    "the identity of the journal": lambda store, offset: change(store.journal / "journal.sqlite", other_identity),
    "the identity of the control log": lambda store, offset: change(store.journal / "control.sqlite", other_identity),
    "a text removed from the vault": text_removed,
    "the tail of the control log cut off": control_tail_cut,
    "the tail of the control log cut off, the views removed": views_removed(control_tail_cut),
    "all records of the control log removed": control_emptied,
    "the journal's file removed": file_removed("journal.sqlite"),
    "the control log's file removed": file_removed("control.sqlite"),
    "the vault's file removed": file_removed("vault.sqlite"),
}
"""Each change by its title. A change of one record is of the placing of an order that has later records."""


# ---- noticing --------------------------------------------------------------------------------------------------------


def by_start(store: Store, *, recent: int, whole: int) -> bool:
    """Whether the engine does not start, follows nothing, or reports what does not work."""
    with patch.object(infra.app, "RECENT", recent), patch.object(infra.app, "WHOLE", whole):
        try:
            with opened(store) as app:
                app.catch_up()
                for number in range(ORDERS):
                    app.ask(partial(_read_order, f"acme/PO-{number}"))
                return bool(app.engine.stopped) or bool(app.watch.trouble)
        except (JournalError, LocalStateDamaged, VaultUnavailable, AnotherJournals):
            return True


def _read_order(stream: str, engine: Engine) -> None:
    engine.orders.load(0, stream)


def by_running(store: Store, plant: Callable[[], None]) -> bool:
    """Whether a running engine refuses requests after the change."""
    with opened(store) as app:
        app.catch_up()
        plant()
        kinds = []
        for number in range(ORDERS):
            body: dict[str, Any] = {**requests_cancel(f"PO-{number}", "", "again")}
            del body["at"]
            kinds.append(app.engine.submit(parse_command(body)).result(60).kind)
        return (
            bool(app.engine.stopped)
            or bool(app.watch.trouble)
            or any(kind in ("unavailable", "unknown") for kind in kinds)
        )


def by_doctor(store: Store, *options: str) -> bool:
    return store.rescind("doctor", *options, check=None).code != 0


def by_replay_check(store: Store) -> bool:
    """Also where it only remarks on something that can have a harmless reason."""
    checked = store.rescind("replay", "--check", "--json", check=None)
    return checked.code != 0 or bool(checked.json["notes"])


def noticed_by(base: Store, plant: Callable[[Store, int], None], place: Path, *, without: bool) -> list[str]:
    """The cells of a row. ``without`` local state, as after a restore."""
    made = 0

    def planted() -> Store:
        nonlocal made
        made += 1
        store = copied(base, place / str(made))
        if without:
            shutil.rmtree(store.journal / "state")
        plant(store, OFFSET)
        return store

    def running() -> bool:
        store = copied(base, place / "running")
        return by_running(store, lambda: plant(store, OFFSET))

    cells = [
        by_start(planted(), recent=2_000, whole=2**30),
        by_start(planted(), recent=2, whole=0),
        None if without else running(),
        by_doctor(planted()),
        by_doctor(planted(), "--deep"),
        by_replay_check(planted()),
    ]
    return [IMPOSSIBLE if cell is None else NOTICED if cell else NOTHING for cell in cells]


OFFSET: Final = 2
"""The record that is changed: the placing of the third order."""


def rows() -> Iterator[tuple[str, Callable[[Store, int], None], bool]]:
    """Each row's title, what is planted, and whether local state is removed."""
    for without in (False, True):
        for what, plant in PLANTS.items():
            if not (without and plant is local_state):
                yield f"{what}, local state removed" if without else what, plant, without


def table(base: Store, place: Path) -> str:
    """The table as the page has it."""
    found = ["| what is changed | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for number, (title, plant, without) in enumerate(rows()):
        cells = noticed_by(base, plant, place / str(number), without=without)
        found.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(found) + "\n"


def rows_of_page() -> dict[str, list[str]]:
    """The table that the page has: cells by the row's title."""
    text = PAGE.read_text(encoding="utf-8")
    _, _, rest = text.partition(MARKS[0])
    lines = rest.partition(MARKS[1])[0].splitlines()[2:]
    return {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in lines if line}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = table(small_store(Path(folder) / "base"), Path(folder))
    before, _, after = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    PAGE.write_text(before + MARKS[0] + made + MARKS[1] + after.partition(MARKS[1])[2], encoding="utf-8")
