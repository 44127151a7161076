"""Events to bytes and back, by their stored name and the version of their contract; and as data for people.

``encode_event`` writes the current version. ``decode_event`` reads every version there ever was: the current one
straight into its dataclass, earlier ones through ``upcasting``. Reading is strict: bytes are accepted only if writing
what was read gives them again, so two releases never read one event in two ways. Codecs are compiled when an event is
first met.
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
    """This release cannot read an event: its order is stuck until one that can is there."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"{name} version {version}: {reason}")
        self.name = name
        self.version = version
        self.reason = reason


def encode_event(event: Event) -> tuple[str, int, bytes]:
    """(stored name, schema version, body) of an event.

    Malformed (``schemas.wire``) if a value does not fit its contract, TypeError if this is no event.
    """
    name, version, encode = _WRITERS[event.__class__]
    return name, version, encode(event)


def decode_event(name: str, schema_version: int, body: bytes) -> Event:
    """The event of this name whose body was written by this version; Undecodable if there is none."""
    try:
        event: Event = _READERS[name, schema_version](body)
    except Malformed as wrong:
        raise Undecodable(name, schema_version, wrong.reason) from wrong
    return event


def event_data(event: Event) -> dict[str, Any]:
    """The event as JSON has it: names as in the contract, hashes in hex, instants RFC 3339 with ``Z``, lists as lists.

    A verdict has ``allowed`` beside its outcome and its inputs as one object.
    """
    return _DATA[event.__class__](event)


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON has it, in events and in answers (docs/reference/decisions.md, Verdict)."""
    return _DATA[verdict.__class__](verdict)


# ---- compiled at first use ------------------------------------------------------------------------------------------

VALUE_RECORDS: Final[dict[str, type]] = {
    of.__name__: of
    for of in (
        events.Calendar,
        events.CanceledLine,
        events.Deadline,
        events.Input,
        events.Instead,
        events.LineQuantity,
        events.Listing,
        events.PlacedLine,
        events.PolicyRef,
        events.Replaces,
        events.Sealed,
        events.Verdict,
    )
}
"""Name in the contracts → class, of the records that events share."""

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
    """What reads bodies of ``version`` into ``of``, the class of version ``current``; it raises Malformed.

    What an upcaster made of an earlier version is written and read by the current contract, so that nothing comes out
    that the current version could not say itself.
    """
    now = compile_schema(bounded(schema_of(name, current)), {**VALUE_RECORDS, name: of})
    if version == current:
        return now.decode
    then = compile_schema(bounded(schema_of(name, version)))
    plain = compile_schema(bounded(schema_of(name, current)))

    def read(body: bytes) -> Any:
        fields = then.decode(body)
        try:
            fields = upcast(name, version, fields, current, steps)
        except (ArithmeticError, LookupError, TypeError, ValueError) as wrong:
            raise Malformed(f"not to be read as version {current}: {wrong!r}") from wrong
        return now.decode(plain.encode(fields))

    return read


def bounded(schema: Any) -> Any:
    """The schema with the years 1 to 9999 as limits of every instant: no text form can say others."""
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
    """Python for the JSON form of ``value``; a record is one dict display, as quick as it can be said."""
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
