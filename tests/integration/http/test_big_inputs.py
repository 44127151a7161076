"""Twice the input takes at most twice the work, at every entry for strangers, with right and with wrong input.

Bodies, queries, headers, forms, files, topics, imports and policies. Lines of our code that run are counted, and how
often a name is compared, which C does too.
"""

import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.command_topic.gateway import InputRecord
from domain.commands import parse_command
from domain.errors import BadInput
from domain.marketplace_settings import MarketSettings
from domain.policy import PolicyBook, read_policy
from domain.presets import presets
from infra.api.strict_json import NotJson, read_json
from infra.command_topic.translation import CommandForm
from infra.http.uploads import UnsupportedFile, media_type_of
from infra.importing.commands_file import read_line
from tests.integration.http.client import SYSTEM, Http, placing, served
from tests.integration.http.files import png
from tests.integration.http.routes import routes
from tests.integration.http.test_evidence import give
from tests.spec.commands.test_form import Vault
from tests.steps import MORE, Counting, counting, too_many

SIZE = 250
"""Parts of the smaller input."""
LARGEST = 8_000
"""Parts of the smaller input of what is read without a server; twice as many fill a body."""


class Name(str):
    """A name of a JSON object that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@pytest.fixture(scope="module", autouse=True)
def counted_names() -> Iterator[None]:
    """Objects are read with names that count."""
    loads = json.loads

    def counting_loads(text: Any, **options: Any) -> Any:
        hook = options.get("object_pairs_hook")
        if hook is not None:
            options["object_pairs_hook"] = lambda pairs: hook([(Name(name), value) for name, value in pairs])
        return loads(text, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json, "loads", counting_loads)
        yield


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Counting, Http]]:
    directory: Path = tmp_path_factory.mktemp("store")
    with counting() as counter, served(directory) as http:
        yield counter, http


def check(counter: Counting, act: Callable[[int], object], size: int, label: object) -> None:
    """Check that twice the size takes at most MORE times the steps and the comparisons."""
    found = []
    for each in (size, 2 * size):
        Name.compared = 0
        steps = counter.of(lambda each=each: act(each))  # type: ignore[misc]
        found.append((steps, Name.compared))
    (once, compared), (twice, compared_twice) = found
    assert not too_many(once, twice, size), label
    assert compared_twice <= MORE * compared + 16 * size, (label, compared, compared_twice)


def key(number: int) -> str:
    return f"key-{10_000_000 + number}"


def all_different(size: int) -> str:
    return "{" + ",".join(f'"{key(n)}":1' for n in range(size)) + "}"


def last_twice(size: int) -> str:
    return all_different(size)[:-1] + f',"{key(size - 1)}":1}}'


def first_twice(size: int) -> str:
    return all_different(size)[:-1] + f',"{key(0)}":1}}'


def each_twice(size: int) -> str:
    return all_different(size)[:-1] + "," + all_different(size)[1:]


def many_objects(size: int) -> str:
    return '{"lines":[' + ",".join(f'{{"line":{10_000 + n}}}' for n in range(size)) + "]}"


def a_line_twice(size: int) -> str:
    return '{"lines":[' + ",".join(f"{10_000 + n % (size - 1)}" for n in range(size)) + "]}"


def a_null_last(size: int) -> str:
    return '{"lines":[' + ",".join(f"[[[[{n}]]]]" for n in range(size)) + ",[[[[null]]]]]}"


def deep(size: int) -> str:
    return "[" * size


def brackets_in_text(size: int) -> str:
    return '{"text":"' + '[{\\"' * size + '"}'


def surrogates(size: int) -> str:
    return '{"text":"' + "\\ud83d\\ude00" * size + '"}'


def long_texts(size: int) -> str:
    return json.dumps({"rule": "x" * size, "lines": ["y" * size], "z" * size: "z" * size})


BODIES = [
    all_different, last_twice, first_twice, each_twice, many_objects, a_line_twice, a_null_last, deep, brackets_in_text,
    surrogates, long_texts,
]  # fmt: skip
bodies = pytest.mark.parametrize("body", BODIES, ids=[body.__name__ for body in BODIES])


@bodies
def test_a_json_text(counted: tuple[Counting, Http], body: Callable[[int], str]) -> None:
    def read(size: int) -> None:
        try:
            read_json(body(size).encode(), 2 * 1024 * 1024)
        except NotJson:
            return

    check(counted[0], read, LARGEST, body.__name__)


@pytest.mark.parametrize("body", [*BODIES[1:6:2], a_null_last], ids=lambda body: body.__name__)
def test_the_body_of_every_write(counted: tuple[Counting, Http], body: Callable[[int], str]) -> None:
    counter, http = counted
    known = {"marketplace": "acme", "order_id": http.place().rpartition("/")[2]}
    for route in routes(http):
        if route.method in ("POST", "PUT"):
            target = route.filled({name: known.get(name, "x1") for name in route.parameters})
            content = {size: body(size).encode() for size in (SIZE, 2 * SIZE)}
            check(counter, lambda size, t=target, c=content: http.raw(t, c[size]), SIZE, (body.__name__, target))  # type: ignore[misc]


@bodies
def test_a_command_on_its_topic(counted: tuple[Counting, Http], body: Callable[[int], str]) -> None:
    form = CommandForm("commands", 1, lambda _: MarketSettings(), PolicyBook, Vault())
    own = '{"command":"Ship","command_id":"c1","marketplace":"acme","order_id":"PO-1",'

    def read(size: int) -> None:
        content = own + body(size).removeprefix("{")
        form.read(InputRecord(0, 0, b"acme/PO-1", content.encode(), {}))

    check(counted[0], read, LARGEST // 2, body.__name__)


@bodies
def test_a_line_of_an_import(counted: tuple[Counting, Http], body: Callable[[int], str]) -> None:
    check(counted[0], lambda size: read_line(1, body(size).encode()), LARGEST // 2, body.__name__)


@bodies
def test_a_field_of_a_form(counted: tuple[Counting, Http], body: Callable[[int], str]) -> None:
    counter, http = counted
    order = http.place()
    check(counter, lambda size: give(http, order, png(), actor=body(size)), SIZE, body.__name__)


def test_the_fields_of_a_form(counted: tuple[Counting, Http]) -> None:
    counter, http = counted
    order = http.place()
    check(counter, lambda size: give(http, order, png(), **{key(n): "x" for n in range(size)}), 20, "fields")


def test_queries_and_headers(counted: tuple[Counting, Http]) -> None:
    counter, http = counted
    known = {"marketplace": "acme", "order_id": http.place().rpartition("/")[2]}
    for route in routes(http):
        if route.method != "GET":
            continue
        target = route.filled({name: known.get(name, "x1") for name in route.parameters})
        name = (*route.queries, "lang")[0]
        for query in (
            lambda size: "&".join(f"{key(n)}=1" for n in range(size)),
            lambda size, name=name: "&".join(f"{name}=1" for _ in range(size)),
            lambda size, name=name: f"{name}=" + "x" * size,
        ):
            check(counter, lambda size, q=query, t=target: http.get(f"{t}?{q(size)}"), SIZE, target)  # type: ignore[misc]
        for header in ("Rescind-Position", "Accept-Language", "If-Match"):
            for part in ("0:0,", "en;q=0.5,", "x", " "):
                headers = {size: {header: part * size} for size in (SIZE, 2 * SIZE)}
                check(counter, lambda size, h=headers, t=target: http.get(t, **h[size]), SIZE, (target, header))  # type: ignore[misc]


def test_a_policy(counted: tuple[Counting, Http]) -> None:
    whole = json.loads(presets()[0].document)
    for wrong in (
        lambda size: whole | {key(n): 1 for n in range(size)},
        lambda size: whole | {"rules": [key(n) for n in range(size)]},
        lambda size: whole | {"rules": whole["rules"] * size},
        lambda size: whole | {"reasons": ["changed_mind"] * size},
    ):

        def read(size: int, wrong: Callable[[int], Any] = wrong) -> None:
            try:
                read_policy(wrong(size))
            except BadInput:
                return

        check(counted[0], read, SIZE, "policy")


def test_a_file(counted: tuple[Counting, Http]) -> None:
    chunk = b"\0\0\0\0tEXt" + zlib.crc32(b"tEXt").to_bytes(4, "big")
    for content in (
        lambda size: png()[:33] + chunk * size,
        lambda size: b"\xff\xd8" + b"\xff\xe0\0\2" * size,
        lambda size: b"\xff\xd8" + b"\xff" * size,
        lambda size: b"%PDF-1.4\n" + b"1 " * size,
    ):

        def look(size: int, content: Callable[[int], bytes] = content) -> None:
            try:
                media_type_of(content(size))
            except UnsupportedFile:
                return

        check(counted[0], look, LARGEST, "file")


def test_a_command_is_read_once(counted: tuple[Counting, Http]) -> None:
    def place(size: int) -> None:
        lines = [{"line": 10_000 + n, "sku": "A", "quantity": 1, "unit_price": "1.00"} for n in range(size)]
        whole = {"command": "PlaceOrder", "command_id": "c1", "marketplace": "acme"}
        parse_command(
            {**whole, **placing("PO-1"), "actor": SYSTEM, "lines": lines, "discount": "1.00", "shipping": "1.00"}
        )

    check(counted[0], place, LARGEST // 2, "PlaceOrder")


def test_a_file_of_digits_is_looked_at_once() -> None:
    """In a process of its own, because a quadratic search would not end and could not be interrupted."""
    content = "b'%PDF-1.4\\n' + b'1' * 1_500_000 + b'\\nstartxref\\n9\\n%%EOF'"
    look = f"from infra.http.uploads import media_type_of; media_type_of({content})"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, timeout=120, check=False)
    assert b"its cross-reference table is missing" in done.stderr
