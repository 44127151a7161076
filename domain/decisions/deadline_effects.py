"""The effects of a reached deadline, all in one commit. See docs/reference/deadlines.md."""

from domain import events as e
from domain.decisions.canceling import carry_on, carry_out, terms_to_answer
from domain.decisions.cases import resumed
from domain.decisions.context import DecisionContext, Events
from domain.decisions.returns import received_lines
from domain.order import Request


def reach(s: DecisionContext, deadline: e.Deadline) -> Events:
    """Reach a deadline and carry out its effects. The caller has checked that it still applies."""
    case = s.order.cases.get(deadline.ref) if deadline.kind == "evidence" else None
    waits = resumed(s, case) if case is not None else ()
    yield e.DeadlineReached(deadline.deadline_id, deadline.kind, deadline.due_at, deadline.ref, waits)
    match deadline.kind:
        case "decide":
            yield from _silence(s, s.order.requests[deadline.ref])
        case "alternatives":
            yield from carry_on(s, s.order.requests[deadline.ref], "silence")
        case "unpaid":
            yield _cancel(s, [line.number for line in s.order.lines.values() if line.open], "unpaid", "unpaid")
        case "late-ship":
            tracked = s.order.lines_under_tracking()
            late = [x.number for x in s.order.lines.values() if x.open and x.number not in tracked]
            yield _cancel(s, late, "late_ship", "shipped_too_late")
        case "return":
            yield e.ReturnReceived(
                deadline.ref, None, "not_confirmed", received_lines(s.order.returns[deadline.ref].left, None)
            )
        case "return-ship":
            yield e.ReturnWithdrawn(deadline.ref, "lapsed")
        case _:
            return


def _cancel(s: DecisionContext, lines: list[int], cause: str, reason: str) -> e.LinesCanceled:
    parts = (e.CanceledLine(n, s.order.lines[n].open, cause, reason, None) for n in lines)
    return e.LinesCanceled(tuple(parts), None)


def _silence(s: DecisionContext, request: Request) -> Events:
    """Apply the effect of silence of the side that had to answer (rule ``seller-has-final-say``)."""
    silence = terms_to_answer(s, request.rule).silence
    if silence == "stays":
        return
    if silence == "cancels" or (silence == "cancels-if-unpaid" and s.order.is_unpaid):
        yield from carry_out(s, request, e.CancelApproved(request.request_id, "silence", None, False, None))
        return
    yield e.CancelDeclined(request.request_id, "silence", "declined", None, None)
