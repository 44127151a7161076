"""The JSON of a preview. ``domain.preview`` decides what a command would do and who must confirm it."""

from typing import Any

from domain.instants import format_instant
from domain.preview import Preview, Stop
from schemas.codec import verdict_data


def body(preview: Preview) -> dict[str, Any]:
    """Return the preview as JSON; a shipping notice has what it ships and what it cancels (``kills``)."""
    found: dict[str, Any] = {
        "confirmation": preview.confirmation,
        "version": preview.order.version,
        "lines": _listed(preview.lines),
        "refund_minor": preview.refund,
        "currency": preview.order.terms.currency,
        "verdict": None if preview.verdict is None else verdict_data(preview.verdict),
        "standing": preview.standing,
    }
    if preview.command == "Ship":
        stop = [_stop(each) for each in preview.stop]
        found |= {"ships": _listed(preview.ships), "kills": _listed(preview.kills), "stop": stop}
    else:
        found |= {
            "cancels": _listed(preview.cancels),
            "asks": _listed(preview.asks),
            "returns": _listed(preview.returns),
            "undelivered": _listed(preview.loses),
            "withdrawn": _listed(preview.frees),
        }
    return {**found, "sentence": preview.sentence()}


def _stop(stop: Stop) -> dict[str, Any]:
    request, lines = stop
    return {
        "rule": "shipment-answers",
        "request_id": request.request_id,
        "by": request.by,
        "reason": request.reason,
        "lines": _listed(lines),
        "decide_by": None if request.decide_by is None else format_instant(request.decide_by),
    }


def _listed(lines: dict[int, int]) -> list[dict[str, int]]:
    return [{"line": line, "quantity": quantity} for line, quantity in sorted(lines.items())]
