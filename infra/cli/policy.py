"""`rescind policy`: lists, shows, explains, compares and publishes policies."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from infra.cli.exits import CommandRefused, Unavailable, UsageError
from infra.cli.groups import Group
from infra.cli.options import as_json, stored
from infra.cli.printing import console, echo, indented, plain, print_json, say, table

if TYPE_CHECKING:
    from domain.policy import Policy, PolicyBook, PolicyDocument
    from infra.settings import Settings


OTHER_TABLES: Final = ("cases", "disputes", "returns", "standing", "both-told")
"""Tables of a policy that are not parameters of a listed rule."""


@click.group(cls=Group, usual="explain")
def policy() -> None:
    """List, show, explain, compare and publish policies. NAME is an id (its newest version) or id@version."""


@policy.command("list")
@as_json
@stored
def list_(settings: "Settings", as_json: bool) -> None:
    """List every published policy, oldest first."""
    book = _book(settings)
    rows: list[dict[str, Any]] = [
        {
            "id": document.policy.id,
            "version": document.policy.version,
            "newest": book.latest[document.policy.id] == document.policy.version,
            "sha256": document.sha256.hex(),
            "title": document.policy.title,
        }
        for document in book.documents.values()
    ]
    if as_json:
        print_json(rows)
        return
    shown = [
        (f"{r['id']}@{r['version']}", "newest" if r["newest"] else "", r["title"] or "", r["sha256"][:16]) for r in rows
    ]
    console().print(table(["policy", "", "title", "sha256"], shown))


@policy.command()
@click.argument("name")
@as_json
@stored
def show(settings: "Settings", name: str, as_json: bool) -> None:
    """Show a policy document as it was published, with its SHA-256."""
    document = _named(_book(settings), name)
    content = json.loads(document.document)
    if as_json:
        print_json({"sha256": document.sha256.hex(), "document": content})
        return
    echo(f"{document.policy.id}@{document.policy.version}  sha256 {document.sha256.hex()}")
    echo(json.dumps(content, ensure_ascii=False, indent=2))


@policy.command()
@click.argument("name")
@as_json
@stored
def explain(settings: "Settings", name: str, as_json: bool) -> None:
    """Explain a policy: its rules in the order in which they are checked, and every setting with its value."""
    from domain.rulebook import RULES

    document = _named(_book(settings), name)
    _say_notes(document.policy)
    rules: list[dict[str, Any]] = [
        {
            "rule": rule,
            "says": RULES[rule].sentence,
            "parameters": _parameters(document.policy, rule),
            "means": _meanings(document.policy, rule),
        }
        for rule in (*document.policy.rules, *_beside(document.policy))
    ]
    rest = {table: _meanings(document.policy, table) for table in ("", *OTHER_TABLES)}
    if as_json:
        off = "off: the policy has no such table"
        print_json([*rules, *({"rule": None, "table": table, "means": means or off} for table, means in rest.items())])
        return
    out = console()
    title = f", {document.policy.title}" if document.policy.title else ""
    out.print(f"[bold]{document.policy.id}@{document.policy.version}[/]{plain(title)}")
    out.print("The numbered rules are checked in this order. The first rule that applies decides.")
    for number, each in enumerate(rules, 1):
        place = f"{number}." if number <= len(document.policy.rules) else "also"
        shown = ", ".join(f"{key} {value}" for key, value in each["parameters"].items())
        out.print(f"\n{place} [bold]{each['rule']}[/]" + plain(f" ({shown})" if shown else ""))
        out.print(indented(each["says"], out.width))
        for sentence in each["means"].values():
            out.print(indented(sentence, out.width))
    out.print("\nOther settings:")
    for sentence in rest[""].values():
        out.print(indented(sentence, out.width))
    for key in OTHER_TABLES:
        found = _table(getattr(document.policy, _field(key)))
        shown = ", ".join(f"{name} {value}" for name, value in (found or {}).items())
        out.print(plain(f"{key}: {shown or ('off' if found is None else 'on')}"))
        for sentence in rest[key].values():
            out.print(indented(sentence, out.width))


@policy.command()
@click.argument("file")
@as_json
@stored
def publish(settings: "Settings", file: str, as_json: bool) -> None:
    """Publish a policy file (TOML) for new orders. A published version never changes."""
    from consumers.engine.dependencies import Mode
    from infra.app import AppOptions, open_app

    document = from_file(file)
    name = f"{document.policy.id}@{document.policy.version}"
    options = AppOptions(mode=Mode("engine", history=True))  # no deadline fires while the app is open
    with open_app(settings, options) as app:
        app.catch_up()
        before = app.control.book.latest.get(document.policy.id)
        outcome = app.engine.publish(document).result(settings.answer_within)
        if outcome.kind == "refused":
            raise CommandRefused(
                f"{name} is already published with different content. Raise the version in {file}, then publish it."
            )
        if outcome.kind != "accepted":
            raise Unavailable(
                outcome.message or f"it is not known whether {name} is published. Publish it again; that is safe."
            )
        if app.views is not None and not app.views.catch_up():
            raise Unavailable(f"{name} is published, but the views are behind: {app.views.trouble}")
        newest = app.control.book.latest[document.policy.id]
    if newest == document.policy.version and before is not None and before > newest:
        say(
            f"note: {name} is now the newest version, although {before} is higher. Orders that name no version get "
            "the version published last."
        )
    elif newest != document.policy.version:
        say(f"note: {name} was already published. The newest version is still {document.policy.id}@{newest}.")
    _say_notes(document.policy)
    if as_json:
        print_json({"id": document.policy.id, "version": document.policy.version, "sha256": document.sha256.hex()})
    else:
        echo(f"published: {name}, sha256 {document.sha256.hex()}")


@policy.command()
@click.argument("old")
@click.argument("new")
@as_json
@stored
def diff(settings: "Settings", old: str, new: str, as_json: bool) -> None:
    """Show the differences between two policies. OLD and NEW are names or policy files."""
    book = _book(settings) if not (Path(old).is_file() and Path(new).is_file()) else None
    policies = {name: _either(book, name).policy for name in (old, new)}
    for name, each in policies.items():
        _say_notes(each, f"{name}: ")
    before, after = (_flat(policies[name]) for name in (old, new))
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    if as_json:
        print_json({key: {"old": before.get(key), "new": after.get(key)} for key in keys})
    elif not keys:
        echo("the policies are equal")
    else:
        rows = [(key, _worded(before.get(key, False)), _worded(after.get(key, False))) for key in keys]
        console().print(table(["", old, new], rows))


def _worded(value: Any) -> str:
    return str(value) if not isinstance(value, bool) else "on" if value else "off"


# ---- finding and printing -------------------------------------------------------------------------------------------


def _book(settings: "Settings") -> "PolicyBook":
    from infra.store.reader import existing_store, read_policies

    return read_policies(existing_store(settings))


def _named(book: "PolicyBook", name: str) -> "PolicyDocument":
    found = book.named(name)
    if found is None:
        raise CommandRefused(f"no policy {name} is published. {known(book, name)}")
    return found


def known(book: "PolicyBook", name: str) -> str:
    """Return sentences for an unknown name: which policy may have been meant, and which are published."""
    nearest = book.nearest(name)
    meant = "" if nearest is None else f"Did you mean {nearest}? "
    policies = sorted((document.policy.id, document.policy.version) for document in book.documents.values())
    return f"{meant}Published are {', '.join(f'{each}@{version}' for each, version in policies)}."


def _either(book: "PolicyBook | None", name: str) -> "PolicyDocument":
    return from_file(name) if book is None or Path(name).is_file() else _named(book, name)


def from_file(file: str) -> "PolicyDocument":
    """Read and check a policy file; the UsageError names the file, the key and the problem."""
    from domain.errors import BadInput
    from domain.policy import read_policy_toml

    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except OSError as wrong:
        raise UsageError(f"the policy file {file} cannot be read: {wrong.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"the policy file {file} is not UTF-8") from None
    try:
        return read_policy_toml(text)
    except BadInput as bad:
        key = bad.pointer.removeprefix("/").replace("/", ".")
        raise UsageError(": ".join(part for part in (file, key, bad.message) if part)) from None


def _say_notes(policy: "Policy", whose: str = "") -> None:
    from domain.policy_notes import notes

    for note in notes(policy):
        say(f"note: {whose}{note}")


def _beside(policy: "Policy") -> list[str]:
    """Return the rules in force that are not in the policy's list."""
    from domain.rules import RULES

    found = [rule for rule in ("fill-or-kill",) if policy.fill_or_kill]
    if policy.fill_or_kill:
        found.append("auto-canceled-is-final")
    return found + [
        rule.id
        for rule in RULES.values()
        if rule.table_is_enough and rule.id not in policy.rules and getattr(policy, _field(rule.id)) is not None
    ]


def _parameters(policy: "Policy", rule: str) -> dict[str, Any]:
    from domain.rules import RULES

    key = RULES[rule].key if rule in RULES else None
    if key is not None:
        return {key: _written(getattr(policy, _field(key)))}
    return _table(getattr(policy, _field(rule), None)) or {}


def _meanings(policy: "Policy", table: str) -> dict[str, str]:
    """Explain the keys of a table (empty name: of the top level); empty if the table is off."""
    from domain.policy_terms import Table, explain
    from domain.rules import RULES

    part: Any = policy if not table else getattr(policy, _field(table), None)
    if isinstance(part, Table):
        return explain(part)
    key = RULES[table].key if table in RULES else table
    return {each: sentence for each, sentence in explain(policy).items() if each == key}


def _field(key: str) -> str:
    """Return the field's name for a key of a policy."""
    return key.replace("-", "_")


def _table(value: Any) -> dict[str, Any] | None:
    """Return a table's keys with the values in force, as the policy file writes them; None if the table is off."""
    from pydantic import BaseModel

    if not isinstance(value, BaseModel):
        return None
    fields = type(value).model_fields
    return {(fields[name].alias or name): _written(part) for name, part in value if part is not None}


def _written(value: Any) -> Any:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return value if isinstance(value, bool | int) else str(value)


def _flat(policy: "Policy") -> dict[str, Any]:
    """Return every setting of a policy by dotted key."""
    found: dict[str, Any] = {}
    for name, value in policy:
        key = type(policy).model_fields[name].alias or name
        inner = _table(value)
        if inner is not None:
            found |= {f"{key}.{part}": each for part, each in inner.items()}
        elif value is not None and key not in ("id", "version"):
            found[key] = _written(value)
    return found
