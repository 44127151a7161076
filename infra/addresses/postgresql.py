"""A PostgreSQL address, as settings give it. Nothing is imported that may not be installed."""

import re
from dataclasses import dataclass
from typing import Final

SCHEME: Final = "postgresql://"
_PASSWORD: Final = re.compile(r"(?<=://)([^/?#@:]*):[^/?#]*@|([?&]password=)[^&]*")


@dataclass(frozen=True, slots=True)
class PostgresqlAt:
    """A libpq URL: ``postgresql://USER@HOST:PORT/DATABASE``, with libpq's parameters behind ``?``.

    As text it is without its password: so it may stand in messages and logs.
    """

    url: str

    def __str__(self) -> str:
        return _PASSWORD.sub(lambda found: found[2] + "…" if found[2] else f"{found[1]}@", self.url)

    def __repr__(self) -> str:
        return f"PostgresqlAt({str(self)!r})"


def postgresql_at(url: str) -> PostgresqlAt:
    """Read a URL that begins with ``SCHEME``; ValueError if it names no database."""
    place, _, _ = url.partition("?")
    _, _, database = place.removeprefix(SCHEME).partition("/")
    if not database:
        raise ValueError(f"{PostgresqlAt(url)} names no database: write postgresql://USER@HOST:PORT/DATABASE")
    return PostgresqlAt(url)


def in_schema(at: PostgresqlAt, schema: str) -> PostgresqlAt:
    """The same place, with names looked for in this schema alone."""
    place, _, parameters = at.url.partition("?")
    given = [each for each in parameters.split("&") if each]
    options = next((each for each in given if each.startswith("options=")), "options=")
    others = [each for each in given if each != options]
    return PostgresqlAt(f"{place}?" + "&".join([*others, f"{options}%20-csearch_path%3D{schema}"]))
