"""All rules that a policy can list. Each is a small function, registered with its texts and parameters.

A rule takes a ``RuleInput`` and speaks (returns a ``Ruling``) or keeps silent (returns None). A policy lists rules in
the order in which they are judged. The first that speaks decides (``judge``). See docs/reference/cancellation.md.
"""

from domain.rules import parcels, requests, windows, consent, automatic  # noqa: I001 - in the order of RULES
from domain.rules.judging import judge, locks, turning_points
from domain.rules.registry import ACTS_BY, RULES, Binds, Kind, LineSelection, Rule, RuleInput

__all__ = [
    "ACTS_BY",
    "RULES",
    "Binds",
    "Kind",
    "LineSelection",
    "Rule",
    "RuleInput",
    "automatic",
    "consent",
    "judge",
    "locks",
    "parcels",
    "requests",
    "turning_points",
    "windows",
]
