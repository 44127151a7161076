"""Refusals that name the open request, case or dispute about the same line (rule ``one-open-request``)."""

from domain.order import Case, Dispute, Request
from domain.verdict import Ruling, fact, instant, refused


def request_is_open(request: Request, line: int) -> Ruling:
    """Refuse, because a cancellation request about the line waits for an answer or for its deadline."""
    until = () if request.decide_by is None else (instant("decide_by", request.decide_by),)
    return refused(
        "one-open-request",
        f"Request {request.request_id} is open over line {line}.",
        fact("request_id", request.request_id),
        fact("status", request.status),
        *until,
    )


def case_is_open(case: Case, line: int) -> Ruling:
    """Refuse, because a case about the line waits for its decision."""
    return refused(
        "one-open-request",
        f"Case {case.case_id} is open over line {line}.",
        fact("case_id", case.case_id),
        fact("line", line),
    )


def dispute_is_open(dispute: Dispute, line: int) -> Ruling:
    """Refuse, because a dispute about the line waits for its decision."""
    return refused(
        "one-open-request",
        f"Dispute {dispute.dispute_id} is open over line {line}.",
        fact("dispute_id", dispute.dispute_id),
        fact("line", line),
    )
