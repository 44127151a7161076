"""Bad input is bad before anybody looks at the order: on a second import it is bad again."""

import json
import re
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from domain import malformed
from domain.commands import COMMANDS, fingerprint_of, parse_command
from domain.errors import BadInput
from domain.policy import read_policy
from infra.api.command_schema import definitions
from tests.spec.domain.story import book

PLACE: dict[str, Any] = {
    "command": "PlaceOrder",
    "command_id": "c1",
    "marketplace": "acme",
    "order_id": "PO-1",
    "at": "2026-03-02T10:00:00Z",
    "actor": {"kind": "system", "id": "shop"},
    "buyer_id": "b-1",
    "seller_id": "s-1",
    "currency": "USD",
    "lines": [{"line": 1, "sku": "A", "quantity": 2, "unit_price": "10.00"}],
}
COMMON = {k: PLACE[k] for k in ("command_id", "marketplace", "order_id", "at", "actor")}
SUPPORT = {"kind": "support", "id": "desk"}


def line(**changes: Any) -> dict[str, Any]:
    return {"lines": [{**PLACE["lines"][0], **changes}]}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"currency": "ZZZ"}, "/currency"),
        ({"currency": "JPY"}, "/lines/0/unit_price"),
        (line(unit_price="10.001"), "/lines/0/unit_price"),
        (line(unit_price="-1.00"), "/lines/0/unit_price"),
        (line(discount="20.01"), "/lines/0/discount"),
        ({"discount": "20.01"}, "/discount"),
        ({"total": "19.99"}, "/total"),
        ({"timezone": "Europe/Atlantis"}, "/timezone"),
        ({"timezone": "localtime"}, "/timezone"),
        ({"timezone": "posixrules"}, "/timezone"),
        ({"timezone": "Factory"}, "/timezone"),
        ({"timezone": "right/Europe/Berlin"}, "/timezone"),
        ({"policy": "Corner Shop"}, "/policy"),
        ({"marketplace": "ACME"}, "/marketplace"),
        ({"order_id": "a/b"}, "/order_id"),
        ({"at": "2026-02-30T10:00:00Z"}, "/at"),
        ({"at": 1}, "/at"),
        ({"lines": "1"}, "/lines"),
        (line(quantity=1.0), "/lines/0/quantity"),
        (line(quantity=True), "/lines/0/quantity"),
    ],
)
def test_a_placing_that_does_not_work_out_is_bad_and_names_the_field(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(BadInput) as bad:
        parse_command({**PLACE, **changes})
    assert bad.value.pointer == pointer


@pytest.mark.parametrize("name", ["ApproveCancel", "DeclineCancel", "CancelLines", "DecideCase", "DecideDispute"])
@pytest.mark.parametrize("rule", [None, "kindness"])
def test_support_without_a_rule_of_the_rule_book_is_bad(name: str, rule: str | None) -> None:
    fields = {"request_id": "r1", "case_id": "k1", "dispute_id": "d1", "outcome": "deny"}
    needed = {k: v for k, v in fields.items() if k in COMMANDS[name].model_fields}
    body = {**COMMON, "command": name, "actor": SUPPORT, **needed, **({"rule": rule} if rule else {})}
    with pytest.raises(BadInput) as bad:
        parse_command(body)
    assert bad.value.pointer == "/rule"
    assert parse_command({**body, "rule": "grace-window"}).command == name


@pytest.mark.parametrize("form", ["refund-1", "return-22", "late-ship-1", "decide-3", "notice-1", "rebill-9"])
def test_an_id_in_a_form_that_the_engine_gives_is_bad(form: str) -> None:
    with pytest.raises(BadInput) as bad:
        parse_command({**COMMON, "command": "Ship", "shipment_id": form})
    assert bad.value.pointer == "/shipment_id"


def test_an_occurrence_after_its_report_is_bad() -> None:
    with pytest.raises(BadInput) as bad:
        parse_command({**COMMON, "command": "Ship", "shipment_id": "s", "occurred_at": "2026-03-02T10:00:00.000001Z"})
    assert bad.value.pointer == "/occurred_at"


@pytest.mark.parametrize("lines", [[], [1, 1], [1, {"line": 1, "quantity": 2}], ["1"], [0]])
def test_a_selection_names_each_line_once_by_its_number(lines: Any) -> None:
    with pytest.raises(BadInput) as bad:
        parse_command({**COMMON, "command": "CancelLines", "lines": lines})
    assert bad.value.pointer.startswith("/lines")


def test_a_fingerprint_is_of_the_content_as_rfc_8785_writes_it() -> None:
    import hashlib

    import rfc8785

    body = {**PLACE, "po_number": 'Ünï "quoted" \\ \u0001 €', "correlation_id": "x"}
    content = {k: v for k, v in body.items() if k not in ("command_id", "at", "correlation_id")}
    assert fingerprint_of(body) == hashlib.sha256(rfc8785.dumps(content)).digest()
    assert fingerprint_of({**body, "command_id": "c2", "at": "later"}) == fingerprint_of(body)
    assert fingerprint_of({**body, "po_number": "other"}) != fingerprint_of(body)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_field_that_is_null_is_bad_and_left_out_instead(name: str) -> None:
    """A null that counted as an absent field made a selection the whole order."""
    for field in COMMANDS[name].model_fields:
        if field == "command":
            continue
        with pytest.raises(BadInput) as bad:
            parse_command({**COMMON, "command": name, field: None})
        assert bad.value.pointer == f"/{field}"
        assert "leave it out" in bad.value.message


def test_null_is_bad_in_every_field() -> None:
    cancel = {**COMMON, "command": "CancelLines", "reason": "out_of_stock"}
    for body, pointer in [
        ({**PLACE, **line(discount=None)}, "/lines/0/discount"),
        ({**PLACE, **line(listing={"ref": None, "sha256": "ab" * 32})}, "/lines/0/listing/ref"),
        ({**cancel, "lines": [1, {"line": 2, "quantity": None}]}, "/lines/1/quantity"),
        ({**cancel, "lines": [None]}, "/lines/0"),
        ({**cancel, "actor": {"kind": "seller", "id": None}}, "/actor/id"),
    ]:
        with pytest.raises(BadInput) as bad:
            parse_command(body)
        assert bad.value.pointer == pointer


@pytest.mark.parametrize(
    ("changes", "pointer", "sentence"),
    [
        ({"lines": "1"}, "/lines", "must be a list"),
        ({"lines": []}, "/lines", "must not be empty"),
        ({"lines": [7]}, "/lines/0", "must be an object with line, sku, quantity and unit_price"),
        ({"actor": "me"}, "/actor", 'must be an object like {"kind": "buyer", "id": "b-7"}'),
        ({"actor": {"kind": "robot", "id": "x"}}, "/actor/kind", "must be one of buyer, seller, support, system"),
        (line(unit_price="-1.00"), "/lines/0/unit_price", "must not be negative"),
        (line(unit_price=10), "/lines/0/unit_price", "must be a string"),
        (
            line(unit_price="ten"),
            "/lines/0/unit_price",
            'must be a decimal like "10.00", with at most 18 digits before',
        ),
        (line(quantity="2"), "/lines/0/quantity", "must be a whole number"),
        (line(quantity=0), "/lines/0/quantity", "must be at least 1"),
        (line(quantity=2_000_000_000), "/lines/0/quantity", "must be at most 1,000,000,000"),
        ({"paid": "yes"}, "/paid", "must be true or false"),
        ({"currency": "usd"}, "/currency", "must be three capital letters, a code of ISO 4217 like USD"),
        ({"policy": "Big Box"}, "/policy", "must be the name of a policy, id or id@version"),
        ({"command_id": ""}, "/command_id", "must be 1 to 100 of A-Z a-z 0-9 . _ : -"),
        ({"buyer_id": ""}, "/buyer_id", "must not be empty"),
        ({"buyer_id": "b" * 201}, "/buyer_id", "must have at most 200 characters"),
        ({"buyer_id": "b\n"}, "/buyer_id", "must not be empty or hold control characters"),
        ({"replaces": "PO-0"}, "/replaces", "must be an object with order_id and lines"),
        ({"discount": "20.01"}, "/discount", "its share makes line 1"),
        ({"rounding": "-20.05"}, "/rounding", "its share makes line 1"),
        ({"discount": "0.00", "rounding": "-20.05"}, "/rounding", "its share makes line 1"),
    ],
)
def test_errors_are_worded_without_python_terms(changes: dict[str, Any], pointer: str, sentence: str) -> None:
    with pytest.raises(BadInput) as bad:
        parse_command({**PLACE, **changes})
    assert (bad.value.pointer, bad.value.message[: len(sentence)]) == (pointer, sentence)


@pytest.mark.parametrize(
    ("lines", "pointer", "sentence"),
    [
        ([[1]], "/lines/0", 'must be a line number or {"line": 1, "quantity": 3}'),
        (["1"], "/lines/0", 'must be a line number or {"line": 1, "quantity": 3}'),
        ("1", "/lines", 'must be a list of line numbers or {"line": 1, "quantity": 3}'),
        ([1, 1], "/lines", "names a line twice"),
        ([{"line": 1, "units": 2}], "/lines/0/units", "there is no such field"),
    ],
)
def test_an_invalid_selection_is_answered_with_the_valid_form(lines: Any, pointer: str, sentence: str) -> None:
    with pytest.raises(BadInput) as bad:
        parse_command({**COMMON, "command": "Ship", "shipment_id": "s", "lines": lines})
    assert (bad.value.pointer, bad.value.message) == (pointer, sentence)


def _lists(model: type[BaseModel], way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every list that a form has, those of the objects in it included."""
    for name, field in model.model_fields.items():
        for part in _parts(field.annotation):
            if get_origin(part) is tuple:
                yield (*way, name)
            elif isinstance(part, type) and issubclass(part, BaseModel):
                yield from _lists(part, (*way, name))


def _parts(annotation: Any) -> Iterator[Any]:
    """An annotation, or the members of a union."""
    yield annotation
    if get_origin(annotation) in (Union, UnionType, Annotated):
        for part in get_args(annotation):
            yield from _parts(part)


LISTS = sorted({(name, way) for name, model in COMMANDS.items() for way in _lists(model)})


def _with_list(name: str, way: tuple[str, ...], entries: list[Any]) -> dict[str, Any]:
    body: Any = entries
    for step in reversed(way):
        body = {step: body}
    return {**COMMON, "command": name, **body}


@pytest.mark.parametrize(("name", "way"), LISTS)
@pytest.mark.parametrize("entry", [{}, [], "x", -1, {"line": {}}])
def test_a_list_is_refused_by_its_length_or_its_first_wrong_entries(
    monkeypatch: pytest.MonkeyPatch, name: str, way: tuple[str, ...], entry: object
) -> None:
    """A body of 256 KiB had 320,000 errors, and blocked the event loop for seconds."""
    counts = []

    def counted(invalid: ValidationError) -> BadInput:
        counts.append(invalid.error_count())
        return make(invalid)

    make = malformed.translate_error
    monkeypatch.setattr(malformed, "translate_error", counted)
    with pytest.raises(BadInput):
        parse_command(_with_list(name, way, [entry] * malformed.MOST_ENTRIES))
    assert all(count < 50 for count in counts)
    counts.clear()
    with pytest.raises(BadInput) as bad:
        parse_command(_with_list(name, way, [entry] * (malformed.MOST_ENTRIES + 1)))
    assert (bad.value.pointer, bad.value.message) == ("/" + "/".join(way), "must have at most 10,000 entries")
    assert (bad.value.rule, counts) == ("form", [])


@pytest.mark.parametrize("way", [(), ("actor",), ("lines", 0), ("replaces",)])
def test_an_object_with_thousands_of_fields_is_refused_by_their_number(way: tuple[str | int, ...]) -> None:
    crowded = {f"f{n}": n for n in range(20_000)}
    body: Any = {**PLACE, **crowded}
    if way:
        body = {**PLACE, way[0]: [crowded] if len(way) == 2 else crowded}
    with pytest.raises(BadInput) as bad:
        parse_command(body)
    assert bad.value.pointer == "".join(f"/{step}" for step in way)
    assert bad.value.message == "must have at most 64 fields"


def test_a_policy_is_refused_by_its_first_wrong_entries() -> None:
    for body in ({"rules": ["x"] * 20_000}, {f"f{n}": n for n in range(20_000)}):
        with pytest.raises(BadInput) as bad:
            read_policy({"id": "p", "version": 1, "rules": ["grace-window"], **body})
        assert "must have at most" in bad.value.message


def test_every_form_of_a_text_has_its_sentence() -> None:
    """No pattern is ever shown to anybody: each one of a field is described in words."""
    patterns = set(re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', json.dumps(definitions()[1])))
    assert len(patterns) >= 10
    for pattern in patterns:
        assert json.loads(f'"{pattern}"') in malformed._FORMS


@pytest.mark.parametrize(
    "name",
    [
        "big-box@" + "1" * 5_000,
        *("big-box@²", "big-box@１", "big-box@+1", "big-box@ 1", "big-box@1_0", "big-box@01", "big-box@"),
        *("a@b", "a@b@1", "@1", "", "big-box\n", "big-box@1\n", "\0"),
    ],
)
def test_an_invalid_policy_name_names_no_policy(name: str) -> None:
    assert book().named("big-box@1") is not None
    assert book().named(name) is None
