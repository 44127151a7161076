"""Random orders of money and parcels come to what the contract says, to the minor unit, at every step.

``python -m tests.spec.model`` tells many more of them; a failure says how to see it again.
"""

from collections import Counter
from typing import Final

import pytest

from tests.effort import examples
from tests.spec.model.orders import story, tell, told_to_the_domain

ORDERS: Final = 400
"""Of `make test`."""
OF_EACH: Final = 100
REACHED: Final = (
    "CapturePayment", "ReleasePayment", "RecordOtherRefund", "ConfirmRefund", "FailRefund", "WithdrawRefund",
    "OpenChargeback", "CloseChargeback", "CancelLines", "ApproveCancel", "Ship", "Deliver", "ReportUndelivered",
    "RequestReturn", "ReturnReceived", "WithdrawReturn", "CloseReturn", "StartReturn", "AcceptReturn", "OpenCase",
    "DecideCase", "ConfirmRebill", "VoidShipment",
)  # fmt: skip


@pytest.mark.random
@pytest.mark.parametrize("part", range(max(1, examples(ORDERS) // OF_EACH)))
def test_random_orders_come_to_what_the_contract_says(part: int) -> None:
    for number in range(part * OF_EACH, (part + 1) * OF_EACH):
        wrong = tell(str(number), told_to_the_domain)
        assert wrong is None, str(wrong)


def test_every_kind_of_command_of_money_and_parcels_is_accepted_in_some_order() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for number in range(ORDERS):
        assert told_to_the_domain(story(str(number)), seen) is None
    assert {name for name in REACHED if not seen[name, "accepted"]} == set()


def test_an_order_is_the_same_every_time() -> None:
    assert story("7") == story("7")
    assert story("7") != story("8")
