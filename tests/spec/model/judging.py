"""How a cancellation is judged: docs/reference/cancellation.md, sentence by sentence, over the ledger."""

from dataclasses import dataclass
from typing import Any

from tests.spec.model.ledger import Ledger, No
from tests.spec.model.records import Units

Picks = list[Any] | None
ADVICE = ("grace-window", "not-shipped-in-time", "request-window", "window-of-the-store")


@dataclass
class Part:
    """The units that a selection means of one line: open ones, and shipped ones."""

    line: int
    open: int
    shipped: int


def named(ledger: Ledger, lines: Picks) -> list[tuple[int, int | None]]:
    """Line numbers with the quantity stated for each; every line must exist."""
    found = [(x, None) if isinstance(x, int) else (x["line"], x.get("quantity")) for x in lines or ()]
    if any(number not in ledger.lines for number, _ in found):
        raise No("no-such-line")
    return found


def meant(ledger: Ledger, lines: Picks) -> list[Part]:
    """Open units; of a line with nothing open, and under mutual consent, what shipped as well."""
    if lines is None:
        here = [Part(x, line.open, 0) for x, line in ledger.lines.items() if line.open]
        return here or [Part(x, 0, line.free) for x, line in ledger.lines.items() if line.free]
    found = []
    for number, count in named(ledger, lines):
        line = ledger.lines[number]
        both = line.free if ledger.terms.mutual or not line.open else 0
        units = line.open + both if count is None else count
        here_units = min(units, line.open)
        found.append(Part(number, here_units, min(units - here_units, both)))
    return found


def of_request(here: Units, gone: Units) -> list[Part]:
    """The units meant by what is left of a request."""
    return [Part(x, here.get(x, 0), gone.get(x, 0)) for x in {**here, **gone}]


def nothing_left(ledger: Ledger, lines: Picks) -> None:
    """Steps 2 and 3 of how a cancellation is judged: delivered, or canceled already."""
    mutual, picked = ledger.terms.mutual, named(ledger, lines)
    gone = [ledger.lines[number] for number, _ in picked if not ledger.lines[number].open]
    if lines is None and not ledger.open_units:
        if not mutual and ledger.all_delivered:
            raise No("case-is-not-cancel")
        if not ledger.shipped_units:
            gone = list(ledger.lines.values())
    if lines is not None and not mutual and any(x.shipped and x.delivered >= x.shipped for x in gone):
        raise No("case-is-not-cancel")
    finals = {
        "auto-canceled-is-final" if x.killed else "already-canceled"
        for x in gone
        if x.canceled and not (mutual and x.free)
    }
    if finals:
        raise No(*finals)


def more_than_open(ledger: Ledger, lines: Picks) -> None:
    """A quantity of more than is open; of a line with nothing at all the locks speak."""
    for number, count in named(ledger, lines):
        line = ledger.lines[number]
        can = line.open + (line.free if ledger.terms.mutual else 0)
        if can and (count or 0) > can:
            raise No("more-than-open")


def locked(ledger: Ledger, parts: list[Part]) -> bool:
    """Whether any of these lines is on its way: it has open units in this, or undelivered ones, under tracking."""
    return any(
        (x.open or ledger.lines[x.line].delivered < ledger.lines[x.line].shipped) and ledger.tracked(x.line)
        for x in parts
    )


def shipped_away(ledger: Ledger, parts: list[Part], absent: bool) -> bool:
    """A named line has nothing open because it shipped; or, with none named, nothing at all is open."""
    if absent:
        return not ledger.open_units and bool(ledger.shipped_units)
    return any(not ledger.lines[x.line].open and ledger.lines[x.line].shipped for x in parts)


def stalled(ledger: Ledger, parts: list[Part], at: int) -> bool:
    """Everything in this has left, and the carrier has shown no movement of any of it for long enough."""
    length = ledger.terms.setting("stalled-tracking", "after")
    for part in parts:
        seen = [
            x.seen for x in ledger.notices.values() if part.line in x.lines and x.status in ("announced", "tracking")
        ]
        if part.open or not ledger.lines[part.line].underway or not seen:
            return False
        seen += [x.seen for x in ledger.parcels if x.lines.get(part.line) and not x.delivered]
        if any(ledger.terms.after(x, length) > at for x in seen):
            return False
    return bool(parts)


@dataclass
class Matter:
    """The question to the policy: which units, when, by whom, why; as of when windows are judged."""

    parts: list[Part]
    at: int
    by: str
    reason: str | None
    absent: bool


def judge(ledger: Ledger, it: Matter, rules: list[str] | None = None) -> tuple[str, str]:
    """The policy's own list: an outcome (``granted``, ``ask``, ``offer``, ``refused``) and the rule that decided."""
    terms, at, placed = ledger.terms, it.at, ledger.placed_at
    if rules is None:
        rules = [x for x in terms.rules if x != "stalled-tracking"]
        if terms.has("stalled-tracking") and stalled(ledger, it.parts, at):
            return "granted", "stalled-tracking"
    for place, rule in enumerate(rules):
        match rule:
            case "tracking-lock" if locked(ledger, it.parts):
                return "refused", rule
            case "shipped-lock" if shipped_away(ledger, it.parts, it.absent):
                return "refused", rule
            case "mutual-consent-after-shipment" if any(x.shipped for x in it.parts):
                return "ask", rule
            case "not-shipped-in-time" if all(x.open and not x.shipped for x in it.parts):
                start = placed if terms.setting(rule, "from") == "purchase" else ledger.ship_by
                if start is not None and at >= terms.after(start, terms.setting(rule, "after")):
                    return "granted", rule
            case "accepted-offer-final" if ledger.format in terms.setting(rule, "formats"):
                return "refused", rule
            case "grace-window" if at <= terms.after(placed, terms.setting(rule, "length")):
                return "granted", rule
            case "request-window" if at > terms.after(placed, terms.setting(rule, "length")):
                return "refused", rule
            case "window-of-the-store":
                length = terms.setting(rule, "length")
                late = length is not None and at > terms.after(placed, length)
                begun = terms.setting(rule, "stage") and any(ledger.lines[x.line].started for x in it.parts)
                return ("refused" if late or begun else "granted"), rule
            case "alternatives-first" if it.by != "seller":
                rest = judge(ledger, it, rules[place + 1 :])
                return rest if rest[0] == "refused" else ("offer", rule)
            case "reason-required" if off_the_list(ledger, it.reason) or (it.reason is None and it.parts):
                return "refused", rule  # of nothing that can be meant no line wants a reason
            case "whole-lines-only" if any(0 < x.open < ledger.lines[x.line].open for x in it.parts):
                return "refused", rule
            case "seller-has-final-say":
                return "ask", rule
            case _:
                pass
    windows = [x for x in rules if x in ADVICE]
    return "refused", windows[-1] if windows else "seller-has-final-say"


def behind(ledger: Ledger, it: Matter) -> tuple[str, str]:
    """The verdict that alternatives postpone."""
    rules = ledger.terms.rules
    return judge(ledger, it, rules[rules.index("alternatives-first") + 1 :])


def off_the_list(ledger: Ledger, reason: str | None) -> bool:
    """Whether a reason is not among the policy's."""
    return reason is not None and reason not in ledger.terms.doc.get("reasons", [reason])


def nothing_to_request(ledger: Ledger, it: Matter, rule: str) -> None:
    """Refuse the whole if a rule would grant or ask, and one line has no unit that can be meant."""
    units = [x.open + x.shipped for x in it.parts]
    if (not all(units) or not units) if ledger.terms.mutual else not any(units):
        gone = [x.line for x in it.parts if not x.open + x.shipped] or list(ledger.lines)
        returning = any(x.status == "open" and number in x.lines for x in ledger.returns.values() for number in gone)
        raise No("one-open-request" if returning and it.by != "own" else "mutual-consent-after-shipment")
    for_shipped = rule in ("mutual-consent-after-shipment", "stalled-tracking") or ledger.terms.mutual
    if not for_shipped and any(not x.open for x in it.parts):
        raise No("more-than-open")


def own(ledger: Ledger, it: Matter, covered: set[int]) -> None:
    """A seller's own cancellation: locks, whole-lines-only and reason-required hold."""
    for rule in ledger.terms.rules:
        match rule:
            case "tracking-lock" if locked(ledger, it.parts):
                raise No(rule)
            case "shipped-lock" if shipped_away(ledger, it.parts, it.absent):
                raise No(rule)
            case "mutual-consent-after-shipment" if any(x.shipped for x in it.parts):
                raise No(rule)
            case "whole-lines-only" if any(0 < x.open < ledger.lines[x.line].open for x in it.parts):
                raise No(rule)
            case "reason-required" if it.reason is None and any(x.line not in covered for x in it.parts):
                raise No(rule)
            case "reason-required" if off_the_list(ledger, it.reason):
                raise No(rule)
            case _:
                pass
    if off_the_list(ledger, it.reason):
        raise No("reason-required")
    nothing_to_request(ledger, it, "seller-has-final-say")
