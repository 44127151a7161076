"""The oracles are worth something: each planted bug is caught, by the oracle that is there for it (README.md)."""

from collections.abc import Iterator
from typing import Any

import pytest

from consumers.publishing import public_records
from domain import balance, folding
from domain.order import Line, Order, Payment
from tests.simulation.oracles import Broken
from tests.simulation.runs import run

CAUGHT_BY = {"hasty": "O1", "careless": "O1", "forgetful": "O1", "impatient": "O1", "early": "O5"}
"""Planted bug → the oracle that catches it."""
SEEDS = 100


@pytest.mark.parametrize("plant", CAUGHT_BY)
def test_a_planted_bug_is_caught(plant: str) -> None:
    found = next((seed for seed in range(SEEDS) if run(seed, plant).broken is not None), None)
    assert found is not None, f"{SEEDS} seeds, and nobody noticed"
    broken = run(found, plant).broken
    assert isinstance(broken, Broken), broken
    assert broken.oracle == CAUGHT_BY[plant], broken
    assert run(found).broken is None


def _one_too_many(order: Order) -> int:
    return max(0, order.paid - order.terms.total + 1) if order.paid > order.terms.total else 0


def _no_limit(order: Order) -> int:
    return order.paid - order.other_refunds


def _rounded_down(line: Line, units: int) -> int:
    return units * line.goods // line.ordered + units * line.tax // line.ordered


_CREDIT = folding._credit


def _with_shipping(order: Order, line: Line, units: int, **how: Any) -> None:
    _CREDIT(order, line, units, **(how | {"shipping": True}))


def _never_stopped(*given: object) -> Iterator[Any]:
    return iter(())


_REFUND = public_records._refund


def _all_at_once(id: str, due: Any, amount: int, parts: Any, *rest: Any) -> Any:
    return _REFUND(id, due, due.amount, tuple(public_records._part(part) for part in due.parts), *rest)


@pytest.mark.parametrize(
    ("place", "name", "wrong", "oracle"),
    [
        pytest.param(balance, "excess", _one_too_many, "O3", id="a cent too much of an overpayment"),
        pytest.param(balance, "most", _no_limit, "O3", id="refunds up to what was paid beyond the total"),
        pytest.param(Line, "credit", _rounded_down, "O3", id="shares of units rounded down"),
        pytest.param(folding, "_credit", _with_shipping, "O3", id="every return carries its shipping"),
        pytest.param(Payment, "free_authorized", property(lambda x: x.authorized), "O3", id="money voided twice"),
        pytest.param(public_records.Publisher, "_stop", _never_stopped, "O7", id="no refund is stopped"),
        pytest.param(public_records, "_refund", _all_at_once, "O7", id="what waits for a chargeback is instructed"),
    ],
)
def test_wrong_money_is_caught(place: Any, name: str, wrong: Any, oracle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, name, wrong)
    broken = next((ran.broken for ran in map(run, range(SEEDS)) if ran.broken is not None), None)
    assert isinstance(broken, Broken), broken
    assert broken.oracle == oracle, broken
