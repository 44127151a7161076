"""Language packs: one TOML file per language, all with the same keys.

A pack has the words of notifications, of the receipt page and of the claims about an order, and writes times and
amounts the way the language does. Rules that a policy can list have their words in their registration
(``domain.rules``), in every language.
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
"""The languages that have a pack; the first is the default."""


@dataclass(frozen=True, slots=True)
class Pack:
    """The words of one language, by section and key."""

    language: str
    words: dict[str, Any]

    @property
    def notifications(self) -> dict[str, dict[str, Any]]:
        """Notification template → ``subject`` and ``paragraphs``, as Jinja source."""
        templates: dict[str, dict[str, Any]] = self.words["notification"]
        return templates

    def word(self, section: str, key: str) -> str:
        """Return a word of a section, or the key where the pack has no word for it (a code of a newer release)."""
        word: str = self.words[section].get(key, key)
        return word

    def say(self, section: str, key: str, **values: Any) -> str:
        """Return a sentence of a section with its values filled in, as plain text."""
        return sentence(self.words[section][key]).render(values)

    def number(self, value: int) -> str:
        """Write a whole number with its thousands grouped."""
        return f"{value:,}".replace(",", self.words["form"]["group"])

    def moment(self, instant: Instant, timezone: str) -> str:
        """Write an instant to the minute, with its zone; in UTC where this machine does not know the zone."""
        try:
            there = zone(timezone)
        except ValueError:
            there = zone("UTC")
        local = local_time(instant, there.key)
        form = self.words["form"]
        text: str = form["moment"].format(
            day=local.day,
            month=form["months"][local.month - 1],
            year=local.year,
            hour=f"{local.hour:02}",
            minute=f"{local.minute:02}",
            zone=there.key,
        )
        return text

    def day(self, instant: Instant, timezone: str) -> str:
        """Write the local day of an instant: 3 March 2026. In UTC where this machine does not know the zone."""
        try:
            there = zone(timezone)
        except ValueError:
            there = zone("UTC")
        local = local_time(instant, there.key)
        form = self.words["form"]
        text: str = form["day"].format(day=local.day, month=form["months"][local.month - 1], year=local.year)
        return text

    def money(self, minor: int, currency: str) -> str:
        """Write minor units as a decimal, followed by the currency's code."""
        form = self.words["form"]
        decimals = exponent(currency) or 0
        whole, fraction = divmod(abs(minor), 10**decimals)
        text = f"{whole:,}".replace(",", form["group"])
        if decimals:
            text += f"{form['decimal']}{fraction:0{decimals}}"
        return f"{'−' if minor < 0 else ''}{text} {currency}"

    def units(self, quantity: int, title: str) -> str:
        """Write a quantity of an item, such as "2 × Desk lamp"."""
        text: str = self.words["form"]["units"].format(quantity=quantity, title=title)
        return text

    def listed(self, words: list[str], last: str | None = None) -> str:
        """Join words as "a, b and c"; ``last`` replaces "and"."""
        if len(words) < 2:
            return "".join(words)
        return f"{', '.join(words[:-1])} {last or self.words['form']['and']} {words[-1]}"


@cache
def _sentences() -> Environment:
    return Environment(autoescape=False, undefined=StrictUndefined)  # plain text; the caller escapes it for HTML


@cache
def sentence(source: str) -> Template:
    """Compile the Jinja source of a sentence; compiled sentences are cached."""
    return _sentences().from_string(source)


@cache
def pack(language: str) -> Pack:
    """Return the pack of a language, or the default pack where the language has none."""
    known = language if language in LANGUAGES else LANGUAGES[0]
    text = (resources.files("infra.documents.packs") / f"{known}.toml").read_text(encoding="utf-8")
    words = tomllib.loads(text)
    words["rule"] |= {rule.id: rule.words[known] for rule in RULES.values()}
    return Pack(known, words)
