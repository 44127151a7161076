"""A number and its noun agree: no text that is shipped writes a plural behind a number that may be one."""

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

from domain.wording import counted

ROOT = pathlib.Path(__file__).parents[2]
SHIPPED = ("consumers", "domain", "infra", "projections", "schemas")
PLURAL = re.compile(
    r"(?:\[/\])? ?(?:more |other |whole )?(answers|attempts|bytes|characters|commands|commits|copies|days|deadlines|"
    r"deliveries|disputes|entries|events|files|hours|imports|keys|letters|lines|members|messages|minutes|notices|orders|"
    r"partitions|people|points|policies|processes|records|requests|returns|rows|sellers|shipments|steps|streams|tables|"
    r"texts|things|times|topics|units)\b"
)
LIMITS = re.compile(r"[A-Z_]+|record_limit|delivery|MAX.*")
"""Names of settings and limits: they are never one."""
NEVER_ONE = {
    "infra/cli/order.py": {"len(streams)"},  # two at least, or it is no question
    "infra/api/request_parts.py": {"len(said)"},  # two at least
    "infra/kafka/journal.py": {"len(record)"},  # larger than the largest
    "consumers/log/writer.py": {"len(data)"},  # larger than the largest
    "consumers/publishing/partition_publisher.py": {"at.end"},  # "and more"
    "infra/journals/memory.py": {"partitions"},  # refused because it is not one or more
    "infra/journals/sqlite.py": {"partitions"},  # likewise
    "infra/notifications/mail/building.py": {"len(text)"},  # longer than the longest
    "infra/publishing/registry.py": {"path"},  # no number: "/subjects answers 404"
    "infra/documents/formatting.py": {"days"},  # fourteen at least
    "schemas/wire.py": {"size"},  # of a hash: 32
}


def plurals(source: str) -> Iterator[tuple[int, str]]:
    """Line and expression of every number in an f-string that a plural follows."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, text in zip(node.values, node.values[1:], strict=False):
            if not isinstance(value, ast.FormattedValue) or not isinstance(text, ast.Constant):
                continue
            if PLURAL.match(str(text.value)) and str(text.value).startswith((" ", "[/] ")):
                yield node.lineno, ast.unparse(value.value)


@pytest.mark.parametrize("room", SHIPPED)
def test_no_text_writes_a_plural_behind_a_number_that_may_be_one(room: str) -> None:
    found = []
    for path in sorted((ROOT / room).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for line, expression in plurals(path.read_text(encoding="utf-8")):
            last = expression.rsplit(".", 1)[-1]
            if not LIMITS.fullmatch(last) and expression not in NEVER_ONE.get(name, ()):
                found.append(f"{name}:{line}: {expression}: write counted(…) of domain.wording")
    assert not found, "\n".join(found)


def test_a_plural_behind_a_number_is_seen() -> None:
    assert list(plurals('f"{len(rows)} rows"')) == [(1, "len(rows)")]
    assert list(plurals("f\"{counted(rows, 'row')} in all\"")) == []


def test_one_of_a_thing_is_singular() -> None:
    assert [counted(n, "line") for n in (0, 1, 2, 1204)] == ["0 lines", "1 line", "2 lines", "1,204 lines"]
    assert counted(1, "policy", "policies") == "1 policy" and counted(2, "policy", "policies") == "2 policies"
