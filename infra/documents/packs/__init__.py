"""Language packs: one TOML file a language, all with the same keys. Reads one, and writes times and money its way.

The words of a rule that a policy can list stand in its registration (``domain.rules``), in every language. The files
have the words of messages, of the receipt as a page, which says the same, and of what is claimed about an order.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template

from domain.calendar import local_time, zone
from domain.instants import Instant
from domain.money import exponent
from domain.rules import RULES

LANGUAGES: Final = ("en", "de")
"""The languages there are; the first is spoken to whoever asked for none that there is."""


@dataclass(frozen=True, slots=True)
class Pack:
    """The words of one language. ``told``: template → subject and paragraphs, as Jinja source."""

    language: str
    words: dict[str, Any]

    @property
    def told(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.words["told"]
        return found

    def word(self, section: str, key: str) -> str:
        """A word of a section; the key itself where the pack has none (a code that a newer release knows)."""
        found: str = self.words[section].get(key, key)
        return found

    def say(self, section: str, key: str, **values: Any) -> str:
        """A sentence of a section with its values, as plain text."""
        return sentence(self.words[section][key]).render(values)

    def number(self, value: int) -> str:
        """A whole number in groups."""
        return f"{value:,}".replace(",", self.words["form"]["group"])

    def moment(self, instant: Instant, timezone: str) -> str:
        """An instant to the minute, with its zone."""
        try:
            there = zone(timezone)
        except ValueError:
            there = zone("UTC")
        local = local_time(instant, there.key)
        form = self.words["form"]
        said: str = form["moment"].format(
            day=local.day,
            month=form["months"][local.month - 1],
            year=local.year,
            hour=f"{local.hour:02}",
            minute=f"{local.minute:02}",
            zone=there.key,
        )
        return said

    def money(self, minor: int, currency: str) -> str:
        """Minor units with the currency's code behind."""
        form = self.words["form"]
        decimals = exponent(currency) or 0
        whole, fraction = divmod(abs(minor), 10**decimals)
        text = f"{whole:,}".replace(",", form["group"])
        if decimals:
            text += f"{form['decimal']}{fraction:0{decimals}}"
        return f"{'−' if minor < 0 else ''}{text} {currency}"

    def units(self, quantity: int, title: str) -> str:
        """So many of something."""
        said: str = self.words["form"]["units"].format(quantity=quantity, title=title)
        return said

    def listed(self, words: list[str], last: str | None = None) -> str:
        """ "a, b and c"; ``last``: another word than "and"."""
        if len(words) < 2:
            return "".join(words)
        return f"{', '.join(words[:-1])} {last or self.words['form']['and']} {words[-1]}"


@cache
def _sentences() -> Environment:
    return Environment(autoescape=False, undefined=StrictUndefined)  # plain text; whoever puts it into HTML escapes it


@cache
def sentence(source: str) -> Template:
    """The source of a sentence, ready to be said."""
    return _sentences().from_string(source)


@cache
def pack(language: str) -> Pack:
    """The pack of a language, or of the first one where there is none of it."""
    known = language if language in LANGUAGES else LANGUAGES[0]
    text = (resources.files("infra.documents.packs") / f"{known}.toml").read_text(encoding="utf-8")
    words = tomllib.loads(text)
    words["rule"] |= {rule.id: rule.words[known] for rule in RULES.values()}
    return Pack(known, words)
