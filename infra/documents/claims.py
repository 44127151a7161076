"""Says what is claimed about an order (``domain.claims``) in a language, as plain text."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from domain.claims import Claim
from domain.instants import Instant
from domain.order import Order
from infra.documents.packs import Pack

Time = Callable[[Instant], str]


class Speaker:
    """Sentences of an order's claims. ``until`` writes an instant to come, ``ago`` one that has passed."""

    def __init__(self, order: Order, pack: Pack, until: Time, ago: Time) -> None:
        self._order = order
        self._pack = pack
        self._until = until
        self._ago = ago

    def all(self, claims: Iterable[Claim]) -> list[str]:
        """One sentence or two for each claim."""
        return [self.say(claim) for claim in claims]

    def say(self, claim: Claim) -> str:
        """The sentence of one claim."""
        if claim.id == "units":
            return self._units(claim.values)
        return self._pack.say("claim", claim.id, **{**_NOTHING, **self._words(claim.values)})

    def what(self, lines: Mapping[int, int]) -> str:
        """ "all of it", "lines 1 and 3", "2 of line 1 and 1 of line 3"; a line named without a quantity is whole."""
        say, own = self._pack.say, self._order.lines
        if not lines or all(lines.get(line.number, 0) == line.ordered for line in own.values()):
            return say("claim", "everything")
        if all(not quantity or (n in own and own[n].ordered == quantity) for n, quantity in lines.items()):
            numbers = [str(number) for number in sorted(lines)]
            return say("claim", "whole-lines", count=len(numbers), lines=self._pack.listed(numbers))
        parts = [
            say("claim", "part-of-line", units=self._pack.number(quantity), line=number)
            if quantity
            else say("claim", "whole-lines", count=1, lines=str(number))
            for number, quantity in sorted(lines.items())
        ]
        return self._pack.listed(parts) or say("claim", "nothing")

    def _words(self, values: Mapping[str, Any]) -> dict[str, str]:
        pack = self._pack
        words: dict[str, str] = {}
        if "amount" in values:
            words["amount"] = pack.money(values["amount"], self._order.terms.currency)
        if "lines" in values:
            words["what"] = self.what(values["lines"])
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
        if values.get("until") is not None:
            words |= {"until": self._until(values["until"]), "ago": self._ago(values["until"])}
        return words

    def _units(self, values: Mapping[str, Any]) -> str:
        """How many units have shipped, are canceled, are still to ship."""
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
