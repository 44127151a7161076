"""Translates another company's reason codes into canonical reasons during an import.

Only the ``reason`` of commands that cancel is translated; canonical reasons stay as they are.
"""

from collections import Counter
from typing import Any, Final

from domain.code_schemes import CodeScheme
from domain.errors import BadInput
from domain.reasons import CANCEL_REASONS

CANCELING: Final = frozenset({"RequestCancel", "CancelLines"})


class Translator:
    """Translates the codes of one scheme, and counts them."""

    def __init__(self, scheme: CodeScheme) -> None:
        self.scheme = scheme
        self.counted: Counter[str] = Counter()

    def __call__(self, body: Any) -> Any:
        """Return a command's body with its canonical reason. BadInput for an unknown code or one that cancels nothing.

        Other errors are left to the parser.
        """
        if not isinstance(body, dict) or body.get("command") not in CANCELING:
            return body
        code = body.get("reason")
        if not isinstance(code, str) or code in CANCEL_REASONS:
            return body
        step = self.scheme.canonical(code)
        if step is None:
            known = ", ".join(self.scheme.codes)
            raise BadInput("/reason", "form", f"{code!r} is not a code of {self.scheme.name}; its codes are {known}")
        if step.to is None:
            raise BadInput("/reason", "form", f"{code} of {self.scheme.name} is not a reason to cancel: {step.loses}")
        self.counted[step.of] += 1
        return {**body, "reason": step.to}

    def json(self) -> list[dict[str, Any]]:
        """Return what was translated: code, canonical reason, what is lost, and how often."""
        steps = [(self.scheme.inward[code], count) for code, count in sorted(self.counted.items())]
        return [{"code": s.of, "reason": s.to, "loses": s.loses, "count": count} for s, count in steps]
