"""Commands whose reasons are another house's codes: translated on the way in, counted, and what is lost is said.

Only ``reason`` of the commands that cancel is a code of cancellation; canonical reasons pass as they are.
"""

from collections import Counter
from typing import Any, Final

from domain.code_schemes import CodeScheme
from domain.errors import BadInput
from domain.reasons import CANCEL_REASONS

CANCELING: Final = frozenset({"RequestCancel", "CancelLines"})


class Translator:
    """Translates one house's codes, and counts them."""

    def __init__(self, house: CodeScheme) -> None:
        self.house = house
        self.counted: Counter[str] = Counter()

    def __call__(self, body: Any) -> Any:
        """The command's body with its canonical reason; BadInput for a code that the house has not, or that cancels
        nothing. Whatever else is wrong with it is left to the parser."""
        if not isinstance(body, dict) or body.get("command") not in CANCELING:
            return body
        said = body.get("reason")
        if not isinstance(said, str) or said in CANCEL_REASONS:
            return body
        step = self.house.canonical(said)
        if step is None:
            known = ", ".join(self.house.codes)
            raise BadInput("/reason", "form", f"{said!r} is no code of {self.house.name}; there are {known}")
        if step.to is None:
            raise BadInput("/reason", "form", f"{said} of {self.house.name} is no reason to cancel: {step.loses}")
        self.counted[said] += 1
        return {**body, "reason": step.to}

    def told(self) -> list[dict[str, Any]]:
        """What was translated: code, canonical reason, what that lost, how often."""
        steps = [(self.house.inward[code], count) for code, count in sorted(self.counted.items())]
        return [{"code": s.of, "reason": s.to, "loses": s.loses, "count": count} for s, count in steps]
