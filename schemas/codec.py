"""Encodes and decodes events by stored name and contract version, and renders them as JSON data.

``encode_event`` writes the current version. ``decode_event`` reads every version directly into the dataclass of today.
A field that the version did not have takes its default. Where that is not enough, ``upcasting`` converts the event.
Decoding is strict: it accepts bytes only if encoding the result in the version that was read gives the same bytes, so
two releases never read one event differently. Codecs are compiled at first use.
"""

from collections.abc import Callable
from typing import Any, Final

from domain import events
from domain.events import Event, Verdict
from domain.instants import EARLIEST, LATEST, format_instant
from schemas.contracts import event_schema, named_types
from schemas.names import CLASS_OF, NAME_OF, VERSION_OF
from schemas.upcasting import UPCASTERS, Upcasters, upcast
from schemas.wire import Malformed, compile_schema


class Undecodable(Exception):
    """This release cannot read an event. The event's order stays unreadable until a release that can runs."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"{name} version {version}: {reason}")
        self.name = name
        self.version = version
        self.reason = reason


def encode_event(event: Event) -> tuple[str, int, bytes]:
    """Encode an event as (stored name, schema version, body).

    Raises Malformed (``schemas.wire``) if a value does not fit its contract, TypeError if this is not an event.
    """
    name, version, encode = _WRITERS[event.__class__]
    return name, version, encode(event)


def decode_event(name: str, schema_version: int, body: bytes) -> Event:
    """Decode the body of an event that was written in this version. Raises Undecodable if that is not possible."""
    try:
        event: Event = _READERS[name, schema_version](body)
    except Malformed as wrong:
        raise Undecodable(name, schema_version, wrong.reason) from wrong
    return event


def event_data(event: Event) -> dict[str, Any]:
    """Convert an event to JSON data: names as in the contract, hashes in hex, instants in RFC 3339 with ``Z``.

    A verdict also has ``allowed``, and its inputs are one object.
    """
    return _DATA[event.__class__](event)


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """Convert a verdict to JSON data, as in events and answers (docs/reference/decisions.md, Verdict)."""
    return _DATA[verdict.__class__](verdict)


# ---- compiled at first use ------------------------------------------------------------------------------------------

VALUE_RECORDS: Final[dict[str, type]] = {
    of.__name__: of
    for of in (
        events.Calendar,
        events.CanceledLine,
        events.Cover,
        events.Deadline,
        events.Input,
        events.Instead,
        events.LineQuantity,
        events.Listing,
        events.PaymentShare,
        events.PlacedFee,
        events.PlacedLine,
        events.PolicyRef,
        events.ReceivedLine,
        events.RefundCause,
        events.RefundPart,
        events.RefundPurpose,
        events.ReleasedPart,
        events.Replaces,
        events.Sealed,
        events.Verdict,
    )
}
"""Name in the contracts → class, for the records that events share."""

Schema = dict[str, Any]
Read = Callable[[bytes], Any]
Write = Callable[[Any], bytes]


class _Writers(dict[type, tuple[str, int, Write]]):
    def __missing__(self, of: type) -> tuple[str, int, Write]:
        if of not in NAME_OF:
            raise TypeError(f"{of.__name__} is not an event that is stored")
        name, version = NAME_OF[of]
        codec = compile_schema(bounded(event_schema(name, version)), {**VALUE_RECORDS, name: of})
        self[of] = made = name, version, codec.encode
        return made


class _Readers(dict[tuple[str, int], Read]):
    def __missing__(self, key: tuple[str, int]) -> Read:
        name, version = key
        current = VERSION_OF.get(name)
        if current is None:
            raise Undecodable(name, version, "this release knows no event of this name")
        if not 1 <= version <= current:
            raise Undecodable(name, version, f"this release knows the versions 1 to {current}")
        self[key] = made = reader(name, version, current, CLASS_OF[name], event_schema, UPCASTERS)
        return made


def reader(
    name: str, version: int, current: int, of: type, schema_of: Callable[[str, int], Schema], steps: Upcasters
) -> Read:
    """Build the function that reads bodies of ``version`` into ``of``, the class of version ``current``.

    The function raises Malformed. A version that no upcaster starts from is read directly, and its missing fields take
    the defaults of the class. Otherwise the result of the last upcaster is encoded and decoded by the contract that it
    converts to, so that every value that it returns is valid.
    """
    converted = max((v + 1 for v in range(version, current) if (name, v) in steps), default=version)
    schema = bounded(schema_of(name, converted))
    now = compile_schema(schema, {**VALUE_RECORDS, name: of}, earlier=converted < current)
    if converted == version:
        return now.decode
    then = compile_schema(bounded(schema_of(name, version)))
    plain = compile_schema(schema)

    def read(body: bytes) -> Any:
        fields = then.decode(body)
        try:
            fields = upcast(name, version, fields, converted, steps)
        except (ArithmeticError, LookupError, TypeError, ValueError) as wrong:
            raise Malformed(f"not to be read as version {converted}: {wrong!r}") from wrong
        return now.decode(plain.encode(fields))

    return read


def bounded(schema: Any) -> Any:
    """Return the schema with every instant limited to the years 1 to 9999, because RFC 3339 has no others."""
    if isinstance(schema, list):
        return [bounded(part) for part in schema]
    if isinstance(schema, dict):
        limits = {"minimum": EARLIEST, "maximum": LATEST} if schema.get("logicalType") == "timestamp-micros" else {}
        return {key: bounded(part) for key, part in schema.items()} | limits
    return schema


class _Data(dict[type, Callable[[Any], dict[str, Any]]]):
    def __missing__(self, of: type) -> Callable[[Any], dict[str, Any]]:
        if of is Verdict:
            schema = next(part for part in named_types(event_schema("CommandRefused", 1)) if part["name"] == "Verdict")
        elif of in NAME_OF:
            schema = event_schema(*NAME_OF[of])
        else:
            raise TypeError(f"{of.__name__} is not an event that is stored")
        text = _expression(schema, {part["name"]: part for part in named_types(schema)}, "it", 0)
        made: Callable[[Any], dict[str, Any]] = eval(  # noqa: S307 - the text is made from our own contract
            f"lambda it: {text}", {"instant": format_instant}
        )
        self[of] = made
        return made


def _expression(schema: Any, known: dict[str, Any], value: str, depth: int) -> str:
    """Return the Python expression for the JSON form of ``value``. A record is one dict display, which is fastest."""
    schema = known.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, list):
        inner = _expression(schema[1], known, f"v{depth}", depth + 1)
        return value if inner == f"v{depth}" else f"(None if (v{depth} := {value}) is None else {inner})"
    kind = schema if isinstance(schema, str) else schema.get("logicalType", schema["type"])
    if kind == "timestamp-micros":
        return f"instant({value})"
    if kind == "fixed":
        return f"{value}.hex()"
    if kind == "array":
        each = f"v{depth}"
        return f"[{_expression(schema['items'], known, each, depth + 1)} for {each} in {value}]"
    if kind != "record":
        return value
    members = []
    for field in schema["fields"]:
        name = field["name"]
        if (schema["name"], name) == ("Verdict", "inputs"):
            members.append(f"'inputs': {{v{depth}.name: v{depth}.value for v{depth} in {value}.inputs}}")
            continue
        if (schema["name"], name) == ("Verdict", "outcome"):
            members.append(f"'allowed': {value}.allowed")
        members.append(f"{name!r}: {_expression(field['type'], known, f'{value}.{name}', depth)}")
    return f"{{{', '.join(members)}}}"


_WRITERS: Final = _Writers()
_READERS: Final = _Readers()
_DATA: Final = _Data()
