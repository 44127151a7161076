"""A PostgreSQL address from the settings. Imports no optional package."""

import re
from dataclasses import dataclass
from typing import Final

SCHEME: Final = "postgresql://"
_PASSWORD: Final = re.compile(r"(?<=://)([^/?#@:]*):[^/?#]*@|([?&]password=)[^&]*")


@dataclass(frozen=True, slots=True)
class PostgresqlAt:
    """A libpq URL: ``postgresql://USER@HOST:PORT/DATABASE``, with libpq's parameters after ``?``.

    Its text form leaves out the password, so messages and logs may show it.
    """

    url: str

    def __str__(self) -> str:
        return _PASSWORD.sub(lambda found: found[2] + "…" if found[2] else f"{found[1]}@", self.url)

    def __repr__(self) -> str:
        return f"PostgresqlAt({str(self)!r})"


def postgresql_at(url: str) -> PostgresqlAt:
    """Parse a URL that begins with ``SCHEME``. ValueError if it names no database."""
    place, _, _ = url.partition("?")
    _, _, database = place.removeprefix(SCHEME).partition("/")
    if not database:
        raise ValueError(f"{PostgresqlAt(url)} names no database: write postgresql://USER@HOST:PORT/DATABASE")
    return PostgresqlAt(url)


def in_schema(at: PostgresqlAt, schema: str) -> PostgresqlAt:
    """Return the address with ``schema`` as the only schema of the search path."""
    place, _, parameters = at.url.partition("?")
    given = [each for each in parameters.split("&") if each]
    options = next((each for each in given if each.startswith("options=")), "options=")
    others = [each for each in given if each != options]
    return PostgresqlAt(f"{place}?" + "&".join([*others, f"{options}%20-csearch_path%3D{schema}"]))
