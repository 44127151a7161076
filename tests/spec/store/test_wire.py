"""The schema compiler: what it writes is what fastavro writes, and it reads nothing that it would not write."""

import io
import json
from dataclasses import dataclass
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.wire import Malformed, compile_schema
from tests.effort import examples

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "bytes": st.binary(max_size=9),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
}


@st.composite
def schemas_with_values(draw: st.DrawFn, depth: int = 3) -> tuple[Any, st.SearchStrategy[Any]]:
    """A schema, and its values as fastavro has them (lists for arrays)."""
    counter = iter(range(10**6))
    sized: set[str] = set()

    def any_type(depth: int, may_be_empty: bool = True) -> tuple[Any, st.SearchStrategy[Any]]:
        kinds = [*(SCALARS if may_be_empty else SCALARS.keys() - {"null"}), "enum", "fixed", "instant"]
        kind = draw(st.sampled_from(sorted(kinds) + ["union", "array", "record"] * (depth > 0)))
        if kind in SCALARS:
            return kind, SCALARS[kind]
        if kind == "instant":
            return {"type": "long", "logicalType": "timestamp-micros"}, SCALARS["long"]
        if kind == "enum":
            symbols = [f"S{n}" for n in range(draw(st.sampled_from([1, 3, 64, 65, 200])))]
            return {"type": "enum", "name": f"E{next(counter)}", "symbols": symbols}, st.sampled_from(symbols)
        if kind == "fixed":
            size = draw(st.integers(1, 5))
            sized.add(f"F{size}")
            return {"type": "fixed", "name": f"F{next(counter)}", "size": size}, st.binary(min_size=size, max_size=size)
        if kind == "union":
            inner, values = any_type(0, may_be_empty=False)
            return draw(st.permutations(["null", inner])), st.none() | values
        if kind == "array":
            inner, values = any_type(depth - 1, may_be_empty=False)
            return {"type": "array", "items": inner}, st.lists(values, max_size=4)
        fields = [(f"f{n}", *any_type(depth - 1, may_be_empty=n > 0)) for n in range(draw(st.integers(1, 4)))]
        if not may_be_empty:
            fields.append(("last", "boolean", st.booleans()))
        schema = {
            "type": "record",
            "name": f"R{next(counter)}",
            "fields": [{"name": name, "type": inner} for name, inner, _ in fields],
        }
        return schema, st.fixed_dictionaries({name: values for name, _, values in fields})

    return any_type(depth)


def plain(schema: Any) -> Any:
    """The schema without logical types, so that fastavro gives integers too."""
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key != "logicalType"}
    return [plain(each) for each in schema] if isinstance(schema, list) else schema


def tupled(value: Any) -> Any:
    """Lists as tuples, as our codec reads them."""
    if isinstance(value, dict):
        return {key: tupled(each) for key, each in value.items()}
    return tuple(map(tupled, value)) if isinstance(value, list) else value


def by_fastavro(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue()


def canonical(schema: Any, data: bytes) -> bool:
    """Whether fastavro reads the bytes, finds a value in range, and writes the same bytes for it."""
    try:
        value = fastavro.schemaless_reader(io.BytesIO(data), schema, None)
        return fastavro.validate(value, schema, raise_errors=False) and by_fastavro(schema, value) == data
    except (EOFError, IndexError, ValueError, OverflowError, TypeError, KeyError, MemoryError):
        return False


@given(st.data())
def test_both_codecs_write_and_read_the_same(data: st.DataObject) -> None:
    schema, values = data.draw(schemas_with_values())
    value = data.draw(values)
    codec = compile_schema(schema)
    reference = fastavro.parse_schema(plain(schema))
    written = codec.encode(value)
    assert written == by_fastavro(reference, value)
    assert codec.decode(written) == tupled(value)


@settings(max_examples=examples(400))
@given(st.data())
def test_bytes_are_read_if_and_only_if_they_are_canonical(data: st.DataObject) -> None:
    schema, values = data.draw(schemas_with_values())
    codec = compile_schema(schema)
    reference = fastavro.parse_schema(plain(schema))
    given_bytes = bytearray(codec.encode(data.draw(values)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(given_bytes)))
        match data.draw(st.sampled_from(["set", "insert", "cut", "longer"])):
            case "set" if at < len(given_bytes):
                given_bytes[at] = data.draw(st.sampled_from([0, 1, 2, 3, 4, 127, 128, 129, 254, 255]))
            case "insert":
                given_bytes.insert(at, data.draw(st.integers(0, 255)))
            case "cut":
                del given_bytes[at:]
            case _ if at < len(given_bytes):  # an overlong form of the number that may begin here
                given_bytes[at] |= 128
                given_bytes.insert(at + 1, 0)
    changed = bytes(given_bytes)
    try:
        value = codec.decode(changed)
    except Malformed:
        assert not canonical(reference, changed)
    else:
        assert codec.encode(value) == changed
        assert canonical(reference, changed)


@pytest.mark.parametrize(
    ("schema", "data", "reason"),
    [
        ("boolean", b"\x02", "it is neither 0 nor 1"),
        ("int", b"\x80\x00", "a number is longer than it need be"),
        ("int", b"\x80\x80\x80\x80\x10", "it is not in -2147483648..2147483647"),
        ("long", b"\xff" * 9 + b"\x02", "a number has more than 64 bits"),
        ("long", b"\x80" * 12, "a number has more than 64 bits"),
        ("long", b"\x80", "it ends too early"),
        ("long", b"", "it ends too early"),
        ("long", b"\x02\x02", "it does not end where it should"),
        ("string", b"\x02\xff", "a text is not UTF-8"),
        ("string", b"\x06\xed\xa0\x80", "a text is not UTF-8"),
        ("string", b"\x04\xc0\x80", "a text is not UTF-8"),
        ("string", b"\x01", "a length is negative"),
        ("bytes", b"\x06ab", "it does not end where it should"),
        ("bytes", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "it does not end where it should"),
        (["null", "long"], b"\x04\x02", "it has a bad union index"),
        (["null", "long"], b"\x01", "it has a bad union index"),
        (["null", "long"], b"\x80\x00", "it has a bad union index"),
        ({"type": "enum", "name": "E", "symbols": ["a", "b"]}, b"\x04", "it has a bad enum index"),
        ({"type": "enum", "name": "E", "symbols": ["a", "b"]}, b"\x01", "it has a bad enum index"),
        ({"type": "array", "items": "long"}, b"\x01\x02\x02\x00", "a length is negative"),
        ({"type": "array", "items": "long"}, b"\x02\x02\x02\x02\x00", "it is not in one block"),
        ({"type": "array", "items": "long"}, b"\x80\x00", "a number is longer than it need be"),
        ({"type": "array", "items": "long"}, b"\x02\x02", "it ends too early"),
        (
            {"type": "array", "items": {"type": "fixed", "name": "F", "size": 2}},
            b"\xfe\xff\xff\x01",
            "it ends too early",
        ),
        ({"type": "fixed", "name": "F", "size": 3}, b"ab", "it does not end where it should"),
    ],
)
def test_an_error_in_bytes_is_described(schema: Any, data: bytes, reason: str) -> None:
    with pytest.raises(Malformed) as wrong:
        compile_schema(schema).decode(data)
    assert wrong.value.reason == reason


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        ("boolean", 1, "it is not true or false"),
        ("null", 0, "it is not null"),
        ("int", 2**31, "it is not in -2147483648..2147483647"),
        ("long", -(2**63) - 1, "it is not in -9223372036854775808..9223372036854775807"),
        ("string", "\ud800", "a text cannot be written as UTF-8"),
        ({"type": "fixed", "name": "F", "size": 3}, b"ab", "it has not 3 bytes"),
    ],
)
def test_an_error_in_a_value_is_described(schema: Any, value: Any, reason: str) -> None:
    with pytest.raises(Malformed) as wrong:
        compile_schema(schema).encode(value)
    assert wrong.value.reason == reason


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("long", "1"),
        ("long", 1.5),
        ("long", None),
        ("string", b"bytes"),
        ("bytes", "text"),
        ("bytes", 5),
        ({"type": "enum", "name": "E", "symbols": ["a"]}, "b"),
        ({"type": "record", "name": "R", "fields": [{"name": "f", "type": "long"}]}, {}),
        ({"type": "array", "items": "long"}, None),
    ],
)
def test_a_value_of_another_type_is_malformed(schema: Any, value: Any) -> None:
    with pytest.raises(Malformed):
        compile_schema(schema).encode(value)


def test_limits_in_the_schema_hold_in_both_directions() -> None:
    limited: list[tuple[Any, list[Any], list[Any], Any]] = [
        ({"type": "int", "minimum": 1, "maximum": 9}, [1, 9], [0, 10], "int"),
        ({"type": "string", "minBytes": 1, "maxBytes": 4}, ["a", "éé"], ["", "éés"], "string"),
        ({"type": "bytes", "maxBytes": 2}, [b"", b"ab"], [b"abc"], "bytes"),
        ({"type": "array", "items": "int", "minItems": 1, "maxItems": 2}, [(1,), (1, 2)], [(), (1, 2, 3)], None),
    ]
    for schema, good, bad, free in limited:
        codec = compile_schema(schema)
        unlimited = compile_schema(free or {"type": "array", "items": "int"})
        for value in good:
            assert codec.decode(codec.encode(value)) == value
        for value in bad:
            with pytest.raises(Malformed):
                codec.encode(value)
            with pytest.raises(Malformed):
                codec.decode(unlimited.encode(value))


@dataclass(slots=True)
class Inner:
    """In another order than its schema."""

    b: bool
    a: int


@dataclass(slots=True)
class Outer:
    inner: Inner
    inners: tuple[Inner, ...]


INNER: dict[str, Any] = {
    "type": "record",
    "name": "Inner",
    "fields": [{"name": "a", "type": "long"}, {"name": "b", "type": "boolean"}],
}


def test_records_are_read_into_their_dataclasses_whatever_the_order_of_fields() -> None:
    schema = {
        "type": "record",
        "name": "Outer",
        "namespace": "some.space",
        "fields": [
            {"name": "inner", "type": INNER},
            {"name": "inners", "type": {"type": "array", "items": "some.space.Inner"}},
        ],
    }
    codec = compile_schema(schema, {"Outer": Outer, "Inner": Inner})
    value = Outer(Inner(True, 5), (Inner(False, -5), Inner(True, 0)))
    assert codec.decode(codec.encode(value)) == value
    as_dicts = {"inner": {"a": 5, "b": True}, "inners": [{"a": -5, "b": False}, {"a": 0, "b": True}]}
    assert codec.encode(value) == by_fastavro(fastavro.parse_schema(json.loads(json.dumps(schema))), as_dicts)


@pytest.mark.parametrize(
    "schema",
    [
        "double",
        {"type": "map", "values": "long"},
        ["null", "long", "string"],
        ["long", "string"],
        {"type": "array", "items": "null"},
        {"type": "record", "name": "R", "fields": [{"name": "r", "type": ["null", "R"]}]},
        {
            "type": "record",
            "name": "R",
            "fields": [
                {"name": "a", "type": {"type": "fixed", "name": "F", "size": 1}},
                {"name": "b", "type": {"type": "fixed", "name": "F", "size": 2}},
            ],
        },
    ],
)
def test_a_schema_that_the_compiler_does_not_know_is_refused(schema: Any) -> None:
    with pytest.raises(ValueError, match=r"known|may take no bytes|contains itself|called"):
        compile_schema(schema)


def test_a_dataclass_with_other_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="Outer is not a dataclass with the fields of Inner"):
        compile_schema(INNER, {"Inner": Outer})
