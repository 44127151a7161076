"""The page of reasons: the canonical list, and the crosswalk to five houses' codes, from ``domain.code_schemes``."""

from collections.abc import Iterable

from docs.pages.text import NOTE, cell
from domain.code_schemes import HOUSES, CodeScheme, Step
from domain.reasons import BUYERS_REASONS, CANCEL_REASONS, FAULTS, RETURN_REASONS, SELLERS_REASONS
from infra.documents.words import REASON

BEGINNING = """A cancellation's reason is one of these. A policy may take fewer ([policy file](policy.md), `reasons`);
one that is off this list is malformed, wherever it comes from. Cases and returns have a list of their own, below.
"""
CROSSWALK = """## The crosswalk

Files that carry another house's codes are imported with `rescind import FILE --reasons HOUSE`: the `reason` of
`RequestCancel` and `CancelLines` may then be a code of that house, beside the canonical ones, and is recorded as the
canonical reason. The totals (`--json`: `translated`) say which codes came, what became of them and what was lost.
Without `--reasons` nothing is translated: a code is then off the list, and the line is bad.

`rescind reasons export HOUSE` writes what was asked and canceled as CSV (`--json`: JSON Lines), a row for each line
of a request or cancellation, in log order: `at`, `marketplace`, `order_id`, `po_number`, `what` (asked, canceled),
`request_id`, `cause` (as in the table `cancellations`), `line`, `quantity`, `reason`, and then `code`, the house's,
with what it `loses`. A reason that the house has no code for, and what was canceled without one (fill-or-kill), has
an empty `code`.

`rescind reasons map HOUSE [REASON|CODE]` says the same as this page, in both directions. *Loses* is what the other
side can no longer tell; a mapping without it is exact, and comes back as what it was.
"""


def reasons_page() -> str:
    """docs/reference/reasons.md."""
    lines = ["# Reasons", "", NOTE.format(source="`domain/reasons.py` and `domain/code_schemes.py`"), "", BEGINNING]
    lines += [
        "| reason | says | offered to buyers | counts as the seller's when support cancels |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{name}` | {REASON[name]} | {'yes' if name in BUYERS_REASONS else ''} | "
        f"{'yes' if name in SELLERS_REASONS else ''} |"
        for name in CANCEL_REASONS
    ]
    lines += ["", "A buyer who gives a reason that is not offered to buyers is not refused for it."]
    lines += ["", "## Cases and returns", "", "| reason | says | opens a case by default |", "|---|---|---|"]
    lines += [f"| `{name}` | {REASON[name]} | {'yes' if name in FAULTS else ''} |" for name in RETURN_REASONS]
    lines += ["", CROSSWALK]
    for house in HOUSES.values():
        lines += section(house)
    return "\n".join(lines).rstrip() + "\n"


def section(house: CodeScheme) -> list[str]:
    inward = [
        f"| `{step.of}` | {cell(house.codes[step.of])} | {_to(step)} | {cell(step.loses or '')} |"
        for step in house.inward.values()
    ]
    outward = [f"| `{step.of}` | {_to(step)} | {cell(step.loses or '')} |" for step in house.outward.values()]
    return [
        f"### {house.name} (`{house.id}`)",
        "",
        *_table(("code", "says", "becomes", "loses"), inward),
        *_table(("reason", "is said by", "loses"), outward),
    ]


def _to(step: Step) -> str:
    return "none" if step.to is None else f"`{step.to}`"


def _table(columns: tuple[str, ...], rows: Iterable[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *rows, ""]
