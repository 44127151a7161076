"""The page of reasons: the canonical list, and the crosswalk to the codes of five companies, from
``domain.code_schemes``."""

from collections.abc import Iterable

from docs.pages.text import NOTE, cell
from domain.code_schemes import CODE_SCHEMES, CodeScheme, Step
from domain.reasons import BUYERS_REASONS, CANCEL_REASONS, FAULTS, RETURN_REASONS, SELLERS_REASONS
from infra.documents.words import REASON

BEGINNING = """A cancellation's reason is one of these. A policy may accept fewer ([policy file](policy.md), `reasons`).
A reason that is not on this list is malformed, wherever it comes from. Cases and returns have a list of their own,
below.
"""
CROSSWALK = """## The crosswalk

Import files with the codes of another company with `rescind import FILE --reasons SCHEME`. The `reason` of
`RequestCancel` and `CancelLines` may then be a code of that company as well as a canonical reason, and is recorded as
the canonical reason. The totals (`--json`: `translated`) list the codes that were used, their reasons and what was
lost. Without `--reasons` nothing is translated: a code is then not on the list, and the line is bad.

`rescind reasons export SCHEME` writes requests and cancellations as CSV (`--json`: JSON Lines), a row for each line
of a request or cancellation, in log order: `at`, `marketplace`, `order_id`, `po_number`, `what` (asked, canceled),
`request_id`, `cause` (as in the table `cancellations`), `line`, `quantity`, `reason`, and then the company's `code`
with what it `loses`. `code` is empty if the company has no code for the reason, or if units were canceled without a
reason (fill-or-kill).

`rescind reasons map SCHEME [REASON|CODE]` shows the mappings of this page, in both directions. *Loses* is the
information that a mapping drops. A mapping that loses nothing is exact, and maps back to what it was.
"""


def reasons_page() -> str:
    """Write docs/reference/reasons.md."""
    lines = ["# Reasons", "", NOTE.format(source="`domain/reasons.py` and `domain/code_schemes.py`"), "", BEGINNING]
    lines += [
        "| reason | meaning | offered to buyers | counts as the seller's when support cancels |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{name}` | {REASON[name]} | {'yes' if name in BUYERS_REASONS else ''} | "
        f"{'yes' if name in SELLERS_REASONS else ''} |"
        for name in CANCEL_REASONS
    ]
    lines += ["", "A buyer may give a reason that is not offered to buyers, and is not refused for it."]
    lines += ["", "## Cases and returns", "", "| reason | meaning | opens a case by default |", "|---|---|---|"]
    lines += [f"| `{name}` | {REASON[name]} | {'yes' if name in FAULTS else ''} |" for name in RETURN_REASONS]
    lines += ["", CROSSWALK]
    for scheme in CODE_SCHEMES.values():
        lines += section(scheme)
    return "\n".join(lines).rstrip() + "\n"


def section(scheme: CodeScheme) -> list[str]:
    inward = [
        f"| `{step.of}` | {cell(scheme.codes[step.of])} | {_to(step)} | {cell(step.loses or '')} |"
        for step in scheme.inward.values()
    ]
    outward = [f"| `{step.of}` | {_to(step)} | {cell(step.loses or '')} |" for step in scheme.outward.values()]
    return [
        f"### {scheme.name} (`{scheme.id}`)",
        "",
        *_table(("code", "meaning", "reason", "loses"), inward),
        *_table(("reason", "code", "loses"), outward),
    ]


def _to(step: Step) -> str:
    return "none" if step.to is None else f"`{step.to}`"


def _table(columns: tuple[str, ...], rows: Iterable[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *rows, ""]
