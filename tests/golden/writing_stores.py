"""Write a store of this release: ``python -m tests.golden.writing_stores NAME`` makes ``stores/NAME.tar.xz``, once.

The store is made by the release's own command line and HTTP server, in processes of their own. History is imported,
then orders of every preset are written live, with texts, files, addresses and mails. The server is stopped cleanly.
Next to the archive is ``NAME.orders.jsonl.xz``: the instant on its first line, and the output of `order show` and
`order history` for every order as of that instant. Later releases open a copy and must print the same.
"""

import argparse
import base64
import hashlib
import json
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from domain.instants import Instant, format_instant
from domain.order_json import show
from infra.runtime.clock import clock
from infra.settings import load_settings
from infra.store.reader import open_reader

HERE = Path(__file__).parent
CASES = HERE.parent / "spec" / "acceptance"
STORES = HERE / "stores"
RESCIND = Path(sys.executable).with_name("rescind")
PARTITIONS = 3
EVERY = 3
"""Each so many-th acceptance case is imported."""
PRESETS = (
    "peer-to-peer",
    "mutual-consent",
    "general-store",
    "seller-portal",
    "auction-house",
    "big-box",
    "everything-store",
)
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////"
    "////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
)


def run(store: Path, *words: str, stdin: str | None = None, ok: tuple[int, ...] = (0,)) -> str:
    """One command of the command line on the store; what it printed."""
    done = subprocess.run(
        [str(RESCIND), *words], input=stdin, capture_output=True, text=True, env=environment(store), check=False
    )
    if done.returncode not in ok:
        raise SystemExit(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def environment(store: Path) -> dict[str, str]:
    """Settings of the store: journal of some partitions, views, vault, notices and outbox in one directory."""
    return {
        **os.environ,
        "RESCIND_CONFIG": str(CASES / "settings.toml"),
        "RESCIND_JOURNAL": f"sqlite:///{store}?partitions={PARTITIONS}",
        "RESCIND_PUBLIC_URL": "https://orders.example.org",
    }


def history() -> str:
    """Commands of the chosen cases, as an import file."""
    lines: list[str] = []
    for number, row in enumerate((CASES / "cases.jsonl").read_text(encoding="utf-8").splitlines()):
        if number % EVERY:
            continue
        lines += [json.dumps(command) for command in json.loads(row)["commands"] if "raw" not in command]
    return "\n".join(lines) + "\n"


class Shop:
    """A running server, written to as its users do."""

    def __init__(self, store: Path) -> None:
        self.server = subprocess.Popen(
            [str(RESCIND), "serve", "--port", "0"],
            env=environment(store),
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.server.stdout is not None
        assert self.server.stderr is not None
        self.base = ""
        while not self.base:
            line = self.server.stdout.readline()
            if not line:
                raise SystemExit(f"the server ended: {self.server.stderr.read()}")
            found = re.search(r"http://[0-9.]+:[0-9]+", line)
            self.base = found[0] if found else ""
        self.keys = 0

    def post(self, path: str, body: dict[str, Any], method: str = "POST") -> Any:
        """One write; a refusal is an answer too."""
        self.keys += 1
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"live-{self.keys}"}
        request = urllib.request.Request(
            f"{self.base}/v1/shop{path}", json.dumps(body).encode(), headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as refused:
            answer = json.loads(refused.read())
            if refused.code != 409:
                raise SystemExit(f"{path}: {refused.code} {answer}") from refused
            return answer

    def confirmed(self, path: str, preview: str, body: dict[str, Any]) -> Any:
        """A write that people confirm: preview first."""
        shown = self.post(preview, body)
        return self.post(path, {**body, "confirmation": shown.get("confirmation")})

    def stop(self) -> None:
        """End the server as an operator does."""
        self.server.send_signal(signal.SIGTERM)
        self.server.communicate(timeout=60)


def live(shop: Shop) -> None:
    """Orders of every preset, in every state that a day of work leaves behind; many wait when the server stops."""
    for person, language in (("b-1", "en"), ("b-2", "de"), ("b-3", "en")):
        contact = {"address": f"{person}@example.org", "name": f"Buyer {person}", "language": language}
        shop.post(f"/buyers/{person}/contact", contact, "PUT")
    shop.post("/sellers/s-1/contact", {"address": "s-1@example.org", "name": "Lamps & more", "language": "de"}, "PUT")
    seller = {"kind": "seller", "id": "s-1"}
    system, support = {"kind": "system", "id": "checkout"}, {"kind": "support", "id": "ann"}
    for policy in PRESETS:
        for number in range(6):
            order = f"{policy}-{number}"
            here = f"/orders/{order}"
            shop.post(
                "/orders",
                {
                    "actor": system,
                    "order_id": order,
                    "po_number": f"PO-{number}-{policy}",
                    "buyer_id": f"b-{number % 3 + 1}",
                    "seller_id": "s-1",
                    "currency": ("USD", "EUR", "JPY")[number % 3],
                    "policy": policy,
                    "paid": True,
                    "lines": [
                        {"line": 1, "sku": "A-1", "title": "Desk lamp", "quantity": 4, "unit_price": "10"},
                        {"line": 2, "sku": "B-2", "title": "Bulb", "quantity": 2, "unit_price": "3"},
                    ],
                },
            )
            who = {"kind": "buyer", "id": f"b-{number % 3 + 1}"}
            shop.post(
                f"{here}/messages", {"actor": who, "message_id": "m1", "to": "seller", "text": f"Hello from {order}."}
            )
            if number in (1, 2):
                request_body = {"actor": who, "request_id": "r1", "reason": "ordered_by_mistake"}
                shop.confirmed(f"{here}/cancellations", f"{here}/cancellations/preview", request_body)
                shop.post(
                    f"{here}/evidence",
                    {
                        "actor": who,
                        "about": "r1",
                        "kind": "photo",
                        "origin": "own_photo",
                        "evidence_id": "e1",
                        "sha256": hashlib.sha256(JPEG).hexdigest(),
                        "media_type": "image/jpeg",
                        "size": len(JPEG),
                        "note": "What arrived.",
                    },
                )
            if number == 2:
                approve = f"{here}/cancellations/r1/approve"
                shop.confirmed(approve, f"{approve}/preview", {"actor": seller})
            if number in (3, 5):
                ship = {
                    "actor": seller,
                    "shipment_id": "asn-1",
                    "carrier": "UPS",
                    "tracking_number": f"1Z{order}",
                    "lines": [{"line": 1, "quantity": 2 if number == 3 else 4}],
                }
                shop.confirmed(f"{here}/shipments", f"{here}/shipments/preview", ship)
            if number == 4:
                cancel = {"actor": seller, "lines": [2], "reason": "out_of_stock"}
                shop.confirmed(f"{here}/cancellations", f"{here}/cancellations/preview", cancel)
                shop.post(f"{here}/refunds", {"actor": system, "command": "ConfirmRefund", "refund_id": "rf-1"})
            if number == 5:
                shop.post(
                    f"{here}/contacts",
                    {"actor": support, "contact_id": "c1", "channel": "phone", "text": "Asked when."},
                )
                shop.post(f"{here}/tracking", {"actor": system, "carrier": "UPS", "tracking_number": f"1Z{order}"})
                shop.post(f"{here}/cases", {"actor": who, "case_id": "k1", "reason": "not_as_described", "lines": [1]})


def orders(store: Path, instant: Instant) -> Iterator[dict[str, Any]]:
    """Every order of the store in log order: as `order show` prints it as of an instant, and its history."""
    settings = load_settings(journal=f"sqlite:///{store}")
    with open_reader(settings) as reader:
        for partition, follower in sorted(reader.followers.items()):
            for stream in follower.state.streams(limit=100_000):
                if stream.startswith("$"):
                    continue
                folded = reader.as_of(stream, instant)
                if folded.order is None or not folded.order.exists:
                    continue
                shown = show(folded.order, folded.head, instant)
                yield {"order": stream, "partition": partition, "show": shown, "history": list(reader.history(stream))}


def main() -> None:
    """Write the store and what its orders say."""
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("name")
    name = read.parse_args().name
    STORES.mkdir(exist_ok=True)
    target = STORES / f"{name}.tar.xz"
    if target.exists():
        raise SystemExit(f"{target.name} is there already: a golden store is written once")
    with tempfile.TemporaryDirectory() as temporary:
        store = Path(temporary) / "store"
        for path in sorted((CASES / "policies").glob("[!_]*.toml")):
            run(store, "policy", "publish", str(path))
        print(run(store, "import", "-", stdin=history(), ok=(0, 1))[-400:])
        shop = Shop(store)
        live(shop)
        shop.stop()
        copy = Path(temporary) / name
        shutil.copytree(store, copy)
        with tarfile.open(target, "w:xz") as archive:
            archive.add(copy, arcname=name)
        with lzma.open(STORES / f"{name}.orders.jsonl.xz", "wt", encoding="utf-8") as out:
            instant = clock()
            out.write(json.dumps({"as_of": format_instant(instant)}) + "\n")
            for row in orders(store, instant):
                out.write(json.dumps(row, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
