"""A small compiler from Avro schemas to strict codecs. It generates Python source once for each schema.

It supports records, arrays, unions of null and one other type, enums, fixed, bytes, string, long, int, boolean and
null. Bytes are accepted only if encoding the decoded value gives the same bytes. Overlong and out-of-range numbers, bad
indexes, booleans other than 0 and 1, arrays in several blocks, bad UTF-8 and trailing bytes are refused. Every error is
Malformed.

A schema may set limits on a type: ``minimum`` and ``maximum`` of a number, ``minBytes`` and ``maxBytes`` of bytes and
strings (UTF-8), ``minItems`` and ``maxItems`` of an array. They apply to encoding and decoding.

The generated code is one function with everything inline. It slices without a check for the end of the data. If a slice
passes the end, the next byte raises IndexError, or the check after the last field fails.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Any, Final

_INT: Final = (-(2**31), 2**31 - 1)
_LONG: Final = (-(2**63), 2**63 - 1)
_INSTANTS: Final = ("timestamp-micros", "timestamp-millis")


class Malformed(ValueError):
    """The bytes or the value do not fit the schema. ``reason`` is one short sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Codec:
    """``encode(value) -> bytes`` and ``decode(bytes) -> value`` of one schema. Both raise only Malformed.

    ``source`` is the generated code, for inspection.
    """

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    source: str


def compile_schema(schema: Any, classes: Mapping[str, type] | None = None, *, earlier: bool = False) -> Codec:
    """Compile the codec of a schema (parsed JSON).

    ``classes`` maps a record's name (without namespace) to the dataclass that it is decoded into and encoded from. The
    dataclass has the record's fields, in any order. Other records are dicts. Arrays are decoded as tuples, enums as
    strings, logical types as their underlying type. Raises ValueError for a schema that the compiler does not support.

    ``earlier``: the schema is an earlier version of the classes. A field that it does not have takes the default of its
    class when a value is decoded, in nested records too. It costs no time, because the defaults are constants.
    """
    known: dict[str, Any] = {}
    scope: dict[str, Any] = {
        "Malformed": Malformed,
        "VARINT": _VARINTS,
        "UNZIGZAG": _UNZIGZAGS,
        "read_number": _read_number,
        "read_length": _read_length,
        "write_number": _write_number,
        "SEEN": {},
        "WRITTEN": _Written(),
    }
    writer = _Encoding(schema, known, dict(classes or {}), scope, earlier)
    reader = _Decoding(schema, known, dict(classes or {}), scope, earlier)
    source = "\n".join([*writer.lines, "", "", *reader.lines, ""])
    exec(compile(source, f"<codec of {_name_of(schema)}>", "exec"), scope)  # noqa: S102 - our own source, from our own schemas
    return Codec(scope["encode"], scope["decode"], source)


# ---- numbers -------------------------------------------------------------------------------------------------------


def _write_number(number: int) -> bytes:
    """Encode a long as a zigzag varint. The caller has checked its range."""
    rest = number << 1 ^ number >> 63
    if rest < 128:
        return bytes((rest,))
    out = bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    out.append(rest)
    return bytes(out)


class _Written(dict[int, bytes]):
    """A cache of instants as varints, because a commit nearly always repeats a few instants."""

    def __missing__(self, number: int) -> bytes:
        if len(self) > 1000:
            self.clear()
        self[number] = made = _write_number(number)
        return made


def _read_number(data: bytes, at: int, byte: int) -> tuple[int, int]:
    """Decode a long whose first byte (128 or more) was already read. Returns it and the position after it."""
    number = byte & 127
    shift = 7
    while (byte := data[at]) > 127:
        number |= (byte & 127) << shift
        at += 1
        shift += 7
        if shift > 63:
            raise Malformed("a number has more than 64 bits")
    if byte == 0:
        raise Malformed("a number is longer than it need be")
    number |= byte << shift
    if number >> 64:
        raise Malformed("a number has more than 64 bits")
    return number >> 1 ^ -(number & 1), at + 1


def _read_length(data: bytes, at: int, byte: int) -> tuple[int, int]:
    """Decode a length or count whose first byte was already read. Refuses a negative one."""
    if byte < 128:
        number = byte >> 1 ^ -(byte & 1)
    else:
        number, at = _read_number(data, at, byte)
    if number < 0:
        raise Malformed("a length is negative")
    return number, at


_VARINTS: Final = tuple(_write_number(number) for number in range(4096))
_UNZIGZAGS: Final = tuple(byte >> 1 ^ -(byte & 1) for byte in range(128))


# ---- what both directions share ------------------------------------------------------------------------------------


def _name_of(schema: Any) -> str:
    if isinstance(schema, list):
        return "union"
    return str(schema.get("name", schema["type"]) if isinstance(schema, dict) else schema)


@dataclass(slots=True)
class _Shape:
    """A type for the generators: its kind, and the schema's attributes."""

    kind: str
    attributes: dict[str, Any]


class _Generator:
    """The source of one function. Subclasses write its statements. ``path`` names the field in error messages."""

    def __init__(self, known: dict[str, Any], classes: dict[str, type], scope: dict[str, Any], earlier: bool) -> None:
        self.known = known
        self.classes = classes
        self.scope = scope
        self.earlier = earlier
        self.lines: list[str] = []
        self.depth = 0
        self.names = 0
        self.open: list[str] = []

    def emit(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def fresh(self, hint: str = "v") -> str:
        self.names += 1
        return f"{hint}{self.names}"

    def fail(self, path: str, what: str) -> str:
        return f"raise Malformed({f'{path} {what}' if path else f'it {what}'!r})"

    def shape(self, schema: Any) -> _Shape:
        """Resolve a type to its shape. Named types are registered, so that later references find them."""
        if isinstance(schema, list):
            if len(schema) != 2 or schema.count("null") != 1:
                raise ValueError(f"only unions of null and one other type are known, not {schema}")
            return _Shape("union", {"null": schema.index("null"), "other": schema[1 - schema.index("null")]})
        if isinstance(schema, str):
            if schema in ("null", "boolean", "int", "long", "bytes", "string"):
                return _Shape(schema, {})
            if schema.rpartition(".")[2] in self.known:
                return self.shape(self.known[schema.rpartition(".")[2]])
            raise ValueError(f"type {schema!r} is not known")
        kind = schema["type"]
        if kind in ("record", "enum", "fixed"):
            name = schema["name"].rpartition(".")[2]
            if self.known.setdefault(name, schema) != schema:
                raise ValueError(f"two types are called {name}")
            return _Shape(kind, schema)
        if kind == "array":
            return _Shape(kind, schema)
        if isinstance(kind, str) and kind in ("null", "boolean", "int", "long", "bytes", "string"):
            return _Shape(kind, schema)
        if isinstance(kind, dict | list) or (isinstance(kind, str) and kind.rpartition(".")[2] in self.known):
            return self.shape(kind)
        raise ValueError(f"type {kind!r} is not known")

    def record(self, attributes: dict[str, Any]) -> tuple[type | None, list[tuple[str, Any]]]:
        """Return the class of a record (None: a dict) and its fields in the schema's order."""
        name = attributes["name"].rpartition(".")[2]
        if name in self.open:
            raise ValueError(f"{name} contains itself")
        within = [(field["name"], field["type"]) for field in attributes["fields"]]
        cls = self.classes.get(name)
        if cls is not None:
            if not is_dataclass(cls) or not self.fits(fields(cls), {field for field, _ in within}):
                raise ValueError(f"{cls.__name__} is not a dataclass with the fields of {name}")
            self.scope[name] = cls
        return cls, within

    def fits(self, of_class: tuple[Field[Any], ...], of_schema: set[str]) -> bool:
        """Whether a class has the fields of its record; for an earlier schema, others too if they have a default."""
        optional = {f.name for f in of_class if f.default is not MISSING} if self.earlier else set()
        names = {f.name for f in of_class}
        return of_schema <= names and names - of_schema <= optional

    def bounds(self, shape: _Shape) -> tuple[int, int]:
        low, high = _INT if shape.kind == "int" else _LONG
        return max(low, shape.attributes.get("minimum", low)), min(high, shape.attributes.get("maximum", high))

    def takes_bytes(self, schema: Any) -> bool:
        """Whether every value of the type takes at least a byte (an array of others could claim any count)."""
        shape = self.shape(schema)
        if shape.kind == "record":
            return any(self.takes_bytes(field["type"]) for field in shape.attributes["fields"])
        return shape.kind != "null" and not (shape.kind == "fixed" and shape.attributes["size"] == 0)

    def limit(self, expression: str, attributes: dict[str, Any], unit: str, path: str) -> None:
        """Write statements that check a size against ``minX`` and ``maxX``."""
        low, high = attributes.get(f"min{unit}", 0), attributes.get(f"max{unit}")
        words = unit.lower()
        if low:
            self.emit(f"if {expression} < {low}: {self.fail(path, f'has fewer than {low} {words}')}")
        if high is not None:
            self.emit(f"if {expression} > {high}: {self.fail(path, f'has more than {high} {words}')}")


# ---- encoding ------------------------------------------------------------------------------------------------------


class _Encoding(_Generator):
    def __init__(
        self, schema: Any, known: dict[str, Any], classes: dict[str, type], scope: dict[str, Any], earlier: bool
    ) -> None:
        super().__init__(known, classes, scope, earlier)
        self.waiting: list[str] = []
        self.emit("def encode(value):")
        self.depth = 1
        self.emit("out = []")
        self.emit("try:")
        self.depth = 2
        self.write(schema, "value", "")
        self.flush()
        self.emit("return b''.join(out)")
        self.depth = 1
        self.emit("except UnicodeEncodeError:")
        self.emit("    raise Malformed('a text cannot be written as UTF-8') from None")
        self.emit("except (AttributeError, IndexError, KeyError, TypeError) as error:")
        self.emit(f"    raise Malformed({f'no {_name_of(schema)}: '!r} + repr(error)) from error")

    def put(self, *expressions: str) -> None:
        """Add expressions for the next bytes. ``flush`` writes them together."""
        self.waiting.extend(expressions)

    def flush(self) -> None:
        if len(self.waiting) == 1:
            self.emit(f"out.append({self.waiting[0]})")
        elif self.waiting:
            self.emit(f"out += ({', '.join(self.waiting)})")
        self.waiting.clear()

    def number(self, name: str, low: int = 0) -> str:
        """Return the expression that encodes a number. It was checked to be at least ``low``."""
        small = f"{name} < 4096" if low >= 0 else f"0 <= {name} < 4096"
        return f"VARINT[{name}] if {small} else write_number({name})"

    def write(self, schema: Any, name: str, path: str) -> None:
        """Write statements that encode the value in the variable ``name``."""
        shape = self.shape(schema)
        match shape.kind:
            case "null":
                self.emit(f"if {name} is not None: {self.fail(path, 'is not null')}")
            case "boolean":
                self.emit(f"if {name} is not True and {name} is not False: {self.fail(path, 'is not true or false')}")
                self.put(f"b'\\1' if {name} else b'\\0'")
            case "int" | "long":
                low, high = self.bounds(shape)
                self.emit(f"if not {low} <= {name} <= {high}: {self.fail(path, f'is not in {low}..{high}')}")
                instant = shape.attributes.get("logicalType") in _INSTANTS
                self.put(f"WRITTEN[{name}]" if instant else self.number(name, low))
            case "string" | "bytes":
                if shape.kind == "string":
                    text, name = name, self.fresh("text")
                    self.emit(f"{name} = {text}.encode()")
                size = self.fresh("size")
                self.emit(f"{size} = len({name})")
                self.limit(size, shape.attributes, "Bytes", path)
                self.put(self.number(size), name)
            case "fixed":
                size = shape.attributes["size"]
                self.emit(f"if len({name}) != {size}: {self.fail(path, f'has not {size} bytes')}")
                self.put(name)
            case "enum":
                symbols = self.fresh("INDEX_OF")
                self.scope[symbols] = {symbol: _write_number(n) for n, symbol in enumerate(shape.attributes["symbols"])}
                self.put(f"{symbols}[{name}]")
            case "union":
                self.flush()
                null = shape.attributes["null"]
                self.emit(f"if {name} is None:")
                self.emit(f"    out.append({_write_number(null)!r})")
                self.emit("else:")
                self.depth += 1
                self.put(f"{_write_number(1 - null)!r}")
                self.write(shape.attributes["other"], name, path)
                self.flush()
                self.depth -= 1
            case "array":
                self.array(shape, name, path)
            case _:
                self.fields(shape, name, path)

    def array(self, shape: _Shape, name: str, path: str) -> None:
        if not self.takes_bytes(shape.attributes["items"]):
            raise ValueError(f"items of {path or 'the array'} may take no bytes")
        size, item = self.fresh("size"), self.fresh("item")
        self.emit(f"{size} = len({name})")
        self.limit(size, shape.attributes, "Items", path)
        self.flush()
        self.emit(f"if {size}:")
        self.depth += 1
        self.emit(f"out.append({self.number(size)})")
        self.emit(f"for {item} in {name}:")
        self.depth += 1
        self.write(shape.attributes["items"], item, path)
        self.flush()
        self.depth -= 2
        self.put("b'\\0'")

    def fields(self, shape: _Shape, name: str, path: str) -> None:
        cls, within = self.record(shape.attributes)
        self.open.append(shape.attributes["name"].rpartition(".")[2])
        for field, schema in within:
            value = self.fresh()
            self.emit(f"{value} = {name}.{field}" if cls else f"{value} = {name}[{field!r}]")
            self.write(schema, value, f"{path}.{field}" if path else field)
        self.open.pop()


# ---- decoding ------------------------------------------------------------------------------------------------------


class _Decoding(_Generator):
    def __init__(
        self, schema: Any, known: dict[str, Any], classes: dict[str, type], scope: dict[str, Any], earlier: bool
    ) -> None:
        super().__init__(known, classes, scope, earlier)
        self.emit("def decode(data):")
        self.depth = 1
        self.emit("at = 0")
        self.emit("try:")
        self.depth = 2
        value = self.read(schema, "")
        self.emit(f"if at != len(data): {self.fail('', 'does not end where it should')}")
        self.emit(f"return {value}")
        self.depth = 1
        self.emit("except IndexError:")
        self.emit("    raise Malformed('it ends too early') from None")
        self.emit("except UnicodeDecodeError:")
        self.emit("    raise Malformed('a text is not UTF-8') from None")

    def byte(self) -> None:
        self.emit("byte = data[at]; at += 1")

    def length(self) -> str:
        """Write statements that read a length or count. Returns its variable."""
        size = self.fresh("size")
        self.byte()
        self.emit(f"if byte < 128 and not byte & 1: {size} = byte >> 1")
        self.emit(f"else: {size}, at = read_length(data, at, byte)")
        return size

    def read(self, schema: Any, path: str) -> str:
        """Write statements that decode a value. Returns the expression for it."""
        shape = self.shape(schema)
        name = self.fresh()
        match shape.kind:
            case "null":
                return "None"
            case "boolean":
                self.byte()
                self.emit(f"if byte > 1: {self.fail(path, 'is neither 0 nor 1')}")
                self.emit(f"{name} = byte == 1")
            case "int" | "long":
                self.number(shape, name, path)
            case "string" | "bytes":
                size = self.length()
                self.limit(size, shape.attributes, "Bytes", path)
                decoded = ".decode()" if shape.kind == "string" else ""
                self.emit(f"{name} = data[at : at + {size}]{decoded}; at += {size}")
            case "fixed":
                size = str(shape.attributes["size"])
                self.emit(f"{name} = data[at : at + {size}]; at += {size}")
            case "enum":
                self.enum(shape, name, path)
            case "union":
                null = shape.attributes["null"]
                self.byte()
                self.emit(f"if byte == {2 * null}: {name} = None")
                self.emit(f"elif byte == {2 * (1 - null)}:")
                self.depth += 1
                self.emit(f"{name} = {self.read(shape.attributes['other'], path)}")
                self.depth -= 1
                self.emit(f"else: {self.fail(path, 'has a bad union index')}")
            case "array":
                self.array(shape, name, path)
            case _:
                return self.fields(shape, path)
        return name

    def number(self, shape: _Shape, name: str, path: str) -> None:
        low, high = self.bounds(shape)
        if shape.attributes.get("logicalType") in _INSTANTS:
            # Instants of one commit repeat, and today's instants take 8 bytes, so these 8 bytes are looked up first.
            again = self.fresh("again")
            self.emit(f"{again} = data[at : at + 8]")
            self.emit(f"{name} = SEEN.get({again})")
            self.emit(f"if {name} is None:")
            self.depth += 1
            start = self.fresh("start")
            self.emit(f"{start} = at")
            self.varint(name)
            self.emit(f"if at - {start} == 8:")
            self.emit("    if len(SEEN) > 1000: SEEN.clear()")
            self.emit(f"    SEEN[{again}] = {name}")
            self.depth -= 1
            self.emit("else: at += 8")
        else:
            self.varint(name)
        if (low, high) != _LONG:
            self.emit(f"if not {low} <= {name} <= {high}: {self.fail(path, f'is not in {low}..{high}')}")

    def varint(self, name: str) -> None:
        self.byte()
        self.emit(f"if byte < 128: {name} = UNZIGZAG[byte]")
        self.emit(f"else: {name}, at = read_number(data, at, byte)")

    def enum(self, shape: _Shape, name: str, path: str) -> None:
        symbols = self.fresh("SYMBOL_AT")
        found = enumerate(shape.attributes["symbols"])
        if len(shape.attributes["symbols"]) <= 64:
            self.scope[symbols] = {number << 1: symbol for number, symbol in found}
            self.byte()
            self.emit(f"{name} = {symbols}.get(byte)")
        else:
            self.scope[symbols] = dict(found)
            self.varint(name)
            self.emit(f"{name} = {symbols}.get({name})")
        self.emit(f"if {name} is None: {self.fail(path, 'has a bad enum index')}")

    def array(self, shape: _Shape, name: str, path: str) -> None:
        size, items = self.length(), self.fresh("items")
        self.limit(size, shape.attributes, "Items", path)
        self.emit(f"if {size}:")
        self.depth += 1
        # An item takes at least one byte. Without this check, an array of fixed could claim a huge number of items.
        self.emit(f"if {size} > len(data): raise Malformed('it ends too early')")
        self.emit(f"{items} = []")
        self.emit(f"for _ in range({size}):")
        self.depth += 1
        self.emit(f"{items}.append({self.read(shape.attributes['items'], path)})")
        self.depth -= 1
        self.byte()
        self.emit(f"if byte: {self.fail(path, 'is not in one block')}")
        self.emit(f"{name} = tuple({items})")
        self.depth -= 1
        self.emit(f"else: {name} = ()")

    def fields(self, shape: _Shape, path: str) -> str:
        cls, within = self.record(shape.attributes)
        self.open.append(shape.attributes["name"].rpartition(".")[2])
        read = {field: self.read(schema, f"{path}.{field}" if path else field) for field, schema in within}
        self.open.pop()
        if cls is None:
            return "{" + ", ".join(f"{field!r}: {value}" for field, value in read.items()) + "}"
        name = shape.attributes["name"].rpartition(".")[2]
        for f in fields(cls):
            if f.name not in read:
                read[f.name] = f"DEFAULT_{name}_{f.name}"
                self.scope[read[f.name]] = f.default
        return f"{name}({', '.join(read[f.name] for f in fields(cls))})"
