"""Writes the claims about an order (``domain.claims``) as sentences of a language, in plain text."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from domain.claims import Claim
from domain.instants import Instant
from domain.order import Line, Order
from infra.documents.packs import Pack

Time = Callable[[Instant], str]


MOST_ITEMS: Final = 4
"""Items that a sentence names at most; "9 other items" replaces the rest."""
LONGEST_TITLE: Final = 80
"""Characters of a title in a sentence; a longer one is cut."""


class OrderWriter:
    """Writes an order's claims, items and amounts. ``until`` writes an instant to come, ``ago`` one that has passed."""

    def __init__(self, order: Order, pack: Pack, until: Time, ago: Time) -> None:
        self._order = order
        self._pack = pack
        self._until = until
        self._ago = ago
        self._titles = Counter(line.title for line in order.lines.values())

    def all(self, claims: Iterable[Claim]) -> list[str]:
        """Return one or two sentences for each claim."""
        return [self.say(claim) for claim in claims]

    def say(self, claim: Claim) -> str:
        """Return the sentence of one claim."""
        if claim.id == "units":
            return self._units(claim.values)
        return self._pack.say("claim", claim.id, **{**_NOTHING, **self._words(claim.values)})

    def is_whole(self, lines: Mapping[int, int]) -> bool:
        """True if these units by line are the whole order; a request without lines is about the whole order."""
        return not lines or all(lines.get(line.number, 0) == line.ordered for line in self._order.lines.values())

    def what(self, lines: Mapping[int, int]) -> str:
        """Name units by line: "the whole order", "“Desk lamp” and 2 of “Chair”"."""
        return self._pack.say("claim", "everything") if self.is_whole(lines) else self.items(lines)

    def items(self, lines: Mapping[int, int]) -> str:
        """Name units by line, each with its item's title: "“Desk lamp” and 2 of “Chair”"."""
        if not lines:
            return self._pack.say("claim", "nothing")
        numbers = sorted(lines)
        rest = len(numbers) - MOST_ITEMS
        shown = numbers if rest < 2 else numbers[:MOST_ITEMS]
        parts = [self.item(number, lines[number]) for number in shown]
        if len(shown) < len(numbers):
            parts.append(self._pack.say("claim", "other-items", count=self._pack.number(rest)))
        return self._pack.listed(parts)

    def item(self, number: int, quantity: int) -> str:
        """Name units of one line: "“Desk lamp”" for the whole line, else "2 of “Desk lamp”"; by number without a title.

        A refused command may name a line without a quantity (0), which means the whole line.
        """
        line = self._order.lines.get(number)
        name = self._title(number, line)
        if not quantity or (line is not None and line.ordered == quantity):
            return name
        return self._pack.say("claim", "some-of", units=self._pack.number(quantity), item=name)

    def _title(self, number: int, line: Line | None) -> str:
        if line is None or not line.title:
            return self._pack.say("claim", "line", line=number)
        title = line.title if len(line.title) <= LONGEST_TITLE else f"{line.title[: LONGEST_TITLE - 1]}…"
        if self._titles[line.title] > 1:
            return self._pack.say("claim", "item-of-line", title=title, line=number)
        return self._pack.say("claim", "item", title=title)

    def money(self, minor: int) -> str:
        """Write an amount in the order's currency."""
        return self._pack.money(minor, self._order.terms.currency)

    def _words(self, values: Mapping[str, Any]) -> dict[str, str | bool]:
        pack = self._pack
        words: dict[str, str | bool] = {}
        if "amount" in values:
            words["amount"] = self.money(values["amount"])
        if "lines" in values:
            words |= {"what": self.what(values["lines"]), "whole": self.is_whole(values["lines"])}
        if "by" in values:
            words["by"] = pack.word("side", values["by"])
            words["other"] = pack.word("side", values["other"]) if values["other"] in ("buyer", "seller") else ""
        if "reason" in values:
            reason = values["reason"]
            words["reason"] = pack.say("claim", "no-reason") if reason is None else pack.word("reason", reason)
        if values.get("offers"):
            offers = [pack.word("offer", each) for each in values["offers"]]
            words["offers"] = pack.listed(offers, pack.say("claim", "or"))
        if values.get("kinds"):
            words["kinds"] = pack.listed([pack.word("evidence", each) for each in values["kinds"]])
        if "times" in values:
            days = [pack.day(at, self._order.terms.calendar.timezone) for at in values["times"]]
            words |= {"day": days[-1], "many": len(set(days)) > 1}
        if values.get("until") is not None:
            words |= {"until": self._until(values["until"]), "ago": self._ago(values["until"])}
        return words

    def _units(self, values: Mapping[str, Any]) -> str:
        """Say how many units have shipped, are canceled and are still to ship."""
        due = values["ship_by"]
        by = ""
        if due is not None and values["to_ship"]:
            by = self._pack.say("claim", "due-since" if values["late"] else "due-by", until=self._until(due))
        if values["to_ship"] == values["ordered"]:
            return self._part("all-to-ship", values["to_ship"], by=by)
        shipped, delivered = values["shipped"], values["delivered"]
        parts = []
        if shipped and delivered == shipped:
            parts.append(self._part("delivered", shipped))
        elif shipped:
            parts.append(self._part("shipped", shipped))
            parts += [self._part("of-which-delivered", delivered)] if delivered else []
        parts += [self._part(key, values[key]) for key in ("canceled", "tracked") if values[key]]
        if values["to_ship"]:
            parts.append(self._part("to-ship", values["to_ship"], by=by))
        elif not values["tracked"]:
            parts.append(self._pack.say("claim", "nothing-open"))
        return f"{self._pack.listed(parts)}."

    def _part(self, key: str, units: int, **more: str) -> str:
        return self._pack.say("claim", key, units=self._pack.number(units), one=units == 1, **more)


_NOTHING: Final = dict.fromkeys(("until", "ago", "offers", "kinds"), "")
