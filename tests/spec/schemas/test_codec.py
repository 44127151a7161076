"""Events to bytes and back: against fastavro in both directions, strictly, and under one kind of failure."""

import io
import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import events as e
from domain.instants import EARLIEST, LATEST
from schemas.codec import VALUE_RECORDS, Undecodable, decode_event, encode_event, reader
from schemas.contracts import event_schema
from schemas.names import CURRENT
from schemas.upcasting import UPCASTERS
from schemas.wire import Malformed, compile_schema
from tests.effort import examples
from tests.spec.schemas.showing import without_logical_types
from tests.spec.schemas.strategies import built, values

NAMES = [(name, version) for _, name, version in CURRENT]
PARSED = {name: fastavro.parse_schema(event_schema(name, version)) for name, version in NAMES}


PLAIN = {name: fastavro.parse_schema(without_logical_types(event_schema(name, version))) for name, version in NAMES}


def fastavro_bytes(name: str, fields: dict[str, Any]) -> bytes:
    written = io.BytesIO()
    fastavro.schemaless_writer(written, PARSED[name], fields)
    return written.getvalue()


@pytest.mark.parametrize(("name", "version"), NAMES)
@settings(max_examples=examples(30))
@given(data=st.data())
def test_an_event_is_encoded_and_decoded_as_fastavro_does(name: str, version: int, data: st.DataObject) -> None:
    fields = data.draw(values(name, version))
    event = built(name, fields)
    body = fastavro_bytes(name, fields)
    assert encode_event(event) == (name, version, body)
    assert decode_event(name, version, body) == event
    assert fastavro.schemaless_reader(io.BytesIO(encode_event(event)[2]), PLAIN[name], None) == fields


@pytest.mark.parametrize(("name", "version"), NAMES)
@settings(max_examples=examples(30))
@given(data=st.data())
def test_any_bytes_are_an_event_that_has_exactly_them_or_undecodable(
    name: str, version: int, data: st.DataObject
) -> None:
    body = bytearray(fastavro_bytes(name, data.draw(values(name, version))))
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    try:
        event = decode_event(name, version, bytes(body))
    except Undecodable:
        return
    assert encode_event(event) == (name, version, bytes(body))


EARLIER = [(name, version) for name, current in NAMES for version in range(1, current)]


@pytest.mark.parametrize(("name", "version"), EARLIER)
@settings(max_examples=examples(30))
@given(data=st.data())
def test_an_earlier_version_is_read_as_avro_resolves_it_to_the_current_one(
    name: str, version: int, data: st.DataObject
) -> None:
    """fastavro resolves the two contracts with the defaults that stand in them; ours are those of the classes."""
    then = fastavro.parse_schema(without_logical_types(event_schema(name, version)))
    written = io.BytesIO()
    fastavro.schemaless_writer(written, then, data.draw(values(name, version)))
    resolved: Any = fastavro.schemaless_reader(io.BytesIO(written.getvalue()), then, PLAIN[name])
    assert decode_event(name, version, written.getvalue()) == built(name, resolved)


@given(st.sampled_from(NAMES), st.binary(max_size=40))
def test_noise_is_an_event_that_has_exactly_these_bytes_or_undecodable(named: tuple[str, int], body: bytes) -> None:
    try:
        event = decode_event(*named, body)
    except Undecodable:
        return
    assert encode_event(event) == (*named, body)


PAID = encode_event(e.PaymentReceived(1999))[2]


@pytest.mark.parametrize(
    ("name", "version", "body"),
    [
        ("PaymentReceived", 2, b""),
        ("PaymentReceived", 2, PAID + b"\x00"),
        ("PaymentReceived", 2, PAID[:-1]),
        ("PaymentReceived", 2, b"\x80\x00"),
        ("PaymentReceived", 2, b"\xff" * 10),
        ("PaymentReceived", 0, PAID),
        ("PaymentReceived", 3, PAID),
        ("PaymentReceived", 1, PAID),
        ("PaymentReceived", -1, PAID),
        ("paymentReceived", 1, PAID),
        ("PolicyRef", 1, PAID),
        ("../names", 1, PAID),
        ("", 1, PAID),
    ],
)
def test_bytes_that_are_no_event_of_this_release_are_undecodable_whatever_is_wrong(
    name: str, version: int, body: bytes
) -> None:
    for _ in range(2):  # the same again when it has been met before
        with pytest.raises(Undecodable) as caught:
            decode_event(name, version, body)
        assert (caught.value.name, caught.value.version) == (name, version)
        assert str(caught.value) == f"{name} version {version}: {caught.value.reason}"


@pytest.mark.parametrize("instant", [EARLIEST - 1, LATEST + 1])
def test_an_instant_that_no_text_can_express_is_neither_written_nor_read(instant: int) -> None:
    with pytest.raises(Malformed):
        encode_event(e.ShipByRevised(instant, False, ()))
    body = fastavro_bytes("ShipByRevised", {"ship_by": instant, "proposed": False, "deadlines": []})
    with pytest.raises(Undecodable):
        decode_event("ShipByRevised", 1, body)


@pytest.mark.parametrize("instant", [EARLIEST, LATEST])
def test_the_first_and_the_last_instant_are_written_and_read(instant: int) -> None:
    event = e.ShipByRevised(instant, False, ())
    assert decode_event(*encode_event(event)) == event


@pytest.mark.parametrize(
    "event",
    [
        e.PaymentReceived(2**63),
        e.PaymentReceived("10"),  # type: ignore[arg-type]
        e.PaymentReceived(None),  # type: ignore[arg-type]
        e.PaymentReceived(1.5),  # type: ignore[arg-type]
        e.RefundConfirmed("\ud800"),
        e.RefundConfirmed(b"refund-1"),  # type: ignore[arg-type]
        e.ImportOpened("acme", bytes(31)),
        e.ImportOpened("acme", bytes(33)),
        e.ShipByRevised(0, None, ()),  # type: ignore[arg-type]
        e.ShipByRevised(0, False, None),  # type: ignore[arg-type]
        e.RebillAccepted((None,)),  # type: ignore[arg-type]
        e.RefundFailed("refund-1", e.LineQuantity(1, 1)),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_a_value_that_its_contract_does_not_have_is_never_written(event: e.Event) -> None:
    with pytest.raises(Malformed):
        encode_event(event)


@pytest.mark.parametrize("thing", [e.LineQuantity(1, 2), object, None, "OrderPlaced"], ids=repr)
def test_only_events_are_encoded(thing: Any) -> None:
    with pytest.raises(TypeError, match="is not an event"):
        encode_event(thing)


# ---- earlier versions, with a made-up event that had three ---------------------------------------------------------


@dataclass(slots=True)
class ParcelWeighed:
    parcel: str
    grams: int
    scale: str | None
    by: e.LineQuantity | None


def contract(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "ParcelWeighed", "namespace": "rescind.events", "fields": list(fields)}


LINE = {
    "type": "record",
    "name": "LineQuantity",
    "fields": [{"name": "line", "type": "long"}, {"name": "quantity", "type": "long"}],
}
PARCEL = {"name": "parcel", "type": "string"}
VERSIONS = {
    1: contract(PARCEL, {"name": "kilos", "type": "long", "default": 0}),
    2: contract(PARCEL, {"name": "grams", "type": "long", "default": 0}),
    3: contract(
        PARCEL,
        {"name": "grams", "type": "long", "default": 0},
        {"name": "scale", "type": ["null", "string"], "default": None},
        {"name": "by", "type": ["null", LINE], "default": None},
    ),
}


def to_grams(fields: dict[str, Any]) -> dict[str, Any]:
    return {"parcel": fields["parcel"], "grams": 1000 * fields["kilos"]}


def with_scale(fields: dict[str, Any]) -> dict[str, Any]:
    if fields["grams"] < 0:
        raise ValueError("lighter than nothing")
    return {**fields, "scale": None, "by": {"line": 1, "quantity": fields["grams"] // fields["grams"]}}


STEPS = {("ParcelWeighed", 1): to_grams, ("ParcelWeighed", 2): with_scale}


def reads(version: int, steps: Any = STEPS) -> Any:
    return reader("ParcelWeighed", version, 3, ParcelWeighed, lambda _, v: VERSIONS[v], steps)


def wrote(version: int, fields: dict[str, Any]) -> bytes:
    return compile_schema(VERSIONS[version]).encode(fields)


def test_an_earlier_version_is_read_as_the_current_one_step_by_step() -> None:
    now = ParcelWeighed("p-1", 2000, None, e.LineQuantity(1, 1))
    assert reads(1)(wrote(1, {"parcel": "p-1", "kilos": 2})) == now
    assert reads(2)(wrote(2, {"parcel": "p-1", "grams": 2000})) == now


def test_the_current_version_passes_no_upcaster() -> None:
    body = wrote(3, {"parcel": "p-1", "grams": -5, "scale": "s", "by": None})
    assert reads(3, steps={})(body) == ParcelWeighed("p-1", -5, "s", None)


@pytest.mark.parametrize("grams", [-1, 0], ids=["refused by the upcaster", "not foreseen by the upcaster"])
def test_a_record_that_an_upcaster_cannot_read_is_malformed(grams: int) -> None:
    with pytest.raises(Malformed, match="version 3"):
        reads(2)(wrote(2, {"parcel": "p-1", "grams": grams}))


def test_the_result_of_an_upcaster_must_fit_the_current_contract() -> None:
    steps = {("ParcelWeighed", 2): lambda fields: {**fields, "scale": 7, "by": None}}
    with pytest.raises(Malformed):
        reads(2, steps)(wrote(2, {"parcel": "p-1", "grams": 1}))


# ---- earlier versions that only have fewer fields -------------------------------------------------------------------


@dataclass(slots=True)
class Stop:
    town: str
    floor: int = 0


@dataclass(slots=True)
class RouteDriven:
    stops: tuple[Stop, ...]
    driver: str
    tolls: tuple[e.LineQuantity, ...] = ()
    state: str = "done"
    ended_at: int | None = None


def route(stop: list[dict[str, Any]], *fields: dict[str, Any]) -> dict[str, Any]:
    stops = {"type": "array", "items": {"type": "record", "name": "Stop", "fields": stop}}
    return {"type": "record", "name": "RouteDriven", "fields": [{"name": "stops", "type": stops}, *fields]}


TOWN = {"name": "town", "type": "string"}
FLOOR = {"name": "floor", "type": "long", "default": 0}
DRIVER = {"name": "driver", "type": "string"}
TOLLS = {"name": "tolls", "type": {"type": "array", "items": LINE}, "default": []}
STATE = {"name": "state", "type": "string", "default": "done"}
ENDED = {"name": "ended_at", "type": ["null", "long"], "default": None}
ROUTES = {
    1: route([TOWN], DRIVER),
    2: route([TOWN], DRIVER, TOLLS),
    3: route([TOWN, FLOOR], DRIVER, TOLLS, STATE, ENDED),
}


def drives(version: int, steps: Any = MappingProxyType({})) -> Any:
    return reader("RouteDriven", version, 3, RouteDriven, lambda _, v: ROUTES[v], steps)


@pytest.fixture(autouse=True)
def stops_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VALUE_RECORDS, "Stop", Stop)


def test_a_version_with_fewer_fields_is_read_directly_and_takes_the_defaults_in_nested_records_too() -> None:
    body = compile_schema(ROUTES[1]).encode({"stops": ({"town": "Ulm"}, {"town": "Kiel"}), "driver": "d-1"})
    assert drives(1)(body) == RouteDriven((Stop("Ulm"), Stop("Kiel")), "d-1")
    body = compile_schema(ROUTES[2]).encode({"stops": (), "driver": "d-1", "tolls": ({"line": 1, "quantity": 2},)})
    assert drives(2)(body) == RouteDriven((), "d-1", (e.LineQuantity(1, 2),), "done", None)
    for wrong in (body + b"\x00", body[:-1]):
        with pytest.raises(Malformed):
            drives(2)(wrong)


def test_an_upcaster_converts_to_its_version_and_the_fields_of_later_ones_take_their_defaults() -> None:
    steps = {("RouteDriven", 1): lambda fields: {**fields, "driver": fields["driver"].upper(), "tolls": ()}}
    body = compile_schema(ROUTES[1]).encode({"stops": ({"town": "Ulm"},), "driver": "d-1"})
    assert drives(1, steps)(body) == RouteDriven((Stop("Ulm"),), "D-1")


def test_a_field_without_a_default_is_never_made_up() -> None:
    incomplete = route([TOWN], TOLLS)
    with pytest.raises(ValueError, match="RouteDriven is not a dataclass with the fields"):
        reader("RouteDriven", 1, 3, RouteDriven, lambda _, v: incomplete if v == 1 else ROUTES[v], {})
    with pytest.raises(ValueError, match="RouteDriven is not a dataclass with the fields"):
        reader("RouteDriven", 1, 1, RouteDriven, lambda _, v: ROUTES[2], {})


def test_reading_an_earlier_version_runs_the_same_statements_as_reading_the_current_one() -> None:
    """Each missing field is a constant in the call of the class, so no time is lost on it."""
    classes = {**VALUE_RECORDS, "RouteDriven": RouteDriven}
    then = compile_schema(ROUTES[1], classes, earlier=True).source.splitlines()
    now = compile_schema(ROUTES[3], classes).source.splitlines()
    assert len(then) < len(now)
    assert "DEFAULT_RouteDriven_tolls" in "".join(then)


def test_an_upcaster_has_one_for_every_version_that_leads_to_it() -> None:
    for name, version in UPCASTERS:
        assert all((name, before) in UPCASTERS for before in range(1, version))


def test_an_earlier_version_is_read_as_strictly_as_the_current_one() -> None:
    body = wrote(1, {"parcel": "p-1", "kilos": 2})
    for wrong in (body + b"\x00", body[:-1], json.dumps({"parcel": "p-1"}).encode()):
        with pytest.raises(Malformed):
            reads(1)(wrong)
