"""Each formula of the model once wrong, by one minor unit or by another rule: random orders notice it.

What they notice in the model they would notice in the domain, so the orders reach every formula.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import pytest

from tests.spec.model.ledger import Ledger, No
from tests.spec.model.model import Model
from tests.spec.model.orders import story, told_to
from tests.spec.model.records import Credit, Fee, Line, Part, Return

ORDERS: Final = 3_000
"""So many at most are told until one notices."""


def off_by_one(name: str) -> Any:
    """A formula that comes to one minor unit more wherever it comes to anything."""
    found: Any = getattr(Model, name)
    right: Any = getattr(found, "fget", found)

    def wrong(self: Model, *given: Any) -> int:
        money: int = right(self, *given)
        return money + 1 if money > 0 else money

    return wrong if found is right else property(wrong)


def rounded_down(self: Model, amount: int, units: int, first: int) -> int:
    return first * amount // units


def first_units_first(self: Model, amount: int, units: int, first: int) -> int:
    """The whole part for each unit, and the rest one by one to the first."""
    return first * (amount // units) + min(first, amount % units)


def shared_as_one(self: Model, line: Line, credited: int, shipping_credited: int) -> int:
    """Goods and tax as one amount."""
    both = self.share(line.goods + line.tax, line.ordered, credited)
    return both + self.shipping_back(line, shipping_credited)


def shipping_as_one(self: Model, line: Line, units: int) -> int:
    return self.share(line.shipping + line.shipping_tax, line.ordered, units)


def shipping_with_every_return(self: Model, back: Return, cause: str = "return") -> bool:
    return True


def shipping_with_no_return(self: Model, back: Return, cause: str = "return") -> bool:
    return cause != "return"


def sent_back_never(self: Model, back: Return) -> bool:
    return False


def sent_back_if_refused(self: Model, back: Return) -> bool:
    return back.outcome != ""


def canceled_without_shipping(
    self: Model, number: int, count: int, cause: str, canceled_at: int | None, shipping: bool
) -> None:
    line = self.lines[number]
    line.credited += count
    line.shipping_credited += count * (shipping and canceled_at is None)
    self.credits.append(Credit(number, count, cause, canceled_at, shipping))


def everything_was_canceled(self: Model) -> bool:
    """And nothing was lost or sent back."""
    return all(not x.open and not x.shipped for x in self.lines.values())


def nothing_is_open(self: Model) -> bool:
    return not self.open_units


def lost_counts_and_sent_back_does_not(self: Model) -> bool:
    return all(not x.open and x.shipped == x.undelivered for x in self.lines.values())


def fee_whatever_it_says(self: Model, fee: Fee) -> int:
    return fee.amount + fee.tax if self.nothing_reached_the_buyer else 0


def fee_never(self: Model, fee: Fee) -> int:
    return 0


def fee_without_tax(self: Model, fee: Fee) -> int:
    return fee.amount if fee.refundable == "with-order" and self.nothing_reached_the_buyer else 0


def nothing_covered(self: Model, thing: object) -> int:
    return 0


def covers_one_by_one(self: Model) -> int:
    """Other refunds taken from the sum, and not each from what it was for."""
    return max(0, self.value - sum(sum(x.covers.values()) for x in self.others.values()))


def always_paid(self: Model) -> int:
    return 0


def no_excess(self: Model) -> int:
    return 0


def most_of_all_paid(self: Model) -> int:
    """Without the total as a limit."""
    return self.paid - self.other


def most_without_other_refunds(self: Model) -> int:
    return min(self.paid, self.total)


def most_less_what_is_settled(self: Model) -> int:
    """What settled a refund counts a second time."""
    return min(self.paid, self.total) - self.other - self.settled


def captured_only(self: Model) -> int:
    """Authorized money is not paid yet."""
    return sum(x.captured for x in self.payments.values())


def first_payment_first(self: Model) -> list[str]:
    return list(self.payments)


def gift_cards_as_others(self: Model) -> list[str]:
    names = list(self.payments)
    return names if self.terms.setting("refunds", "order") == "first-in-first-out" else names[::-1]


def captured_first(self: Model) -> tuple[str, str]:
    return "refund", "void"


def void_left_waiting(self: Model, part: Part, money: int) -> int:
    return 0


def newest_settled_first(self: Model, parts: list[Part]) -> list[Part]:
    return parts[::-1]


def withdrawn_counts(self: Model) -> int:
    return self.paid - self.instructed - self.other


def settled_by_a_unit_less(self: Model, part: Part, money: int) -> None:
    part.settled += max(0, money - 1)


def confirmed_with_its_first_part(self: Model, by: str, at: int, refund_id: str, **_: Any) -> None:
    Model.confirm_refund(self, by, at, refund_id)


def never_fails_once_confirmed(self: Model, by: str, at: int, refund_id: str, **fields: Any) -> None:
    if self._refund(refund_id).status == "confirmed":
        raise No("refund-closed")
    Model.fail_refund(self, by, at, refund_id, **fields)


def withdrawn_is_owed_again(self: Model, by: str, at: int, refund_id: str, **fields: Any) -> None:
    Model.withdraw_refund(self, by, at, refund_id, **fields)
    self.instructed -= self.refunds[refund_id].amount


def nothing_waits(self: Model, amount: int) -> list[Part]:
    parts = Model.parts(self, amount)
    for part in parts:
        part.waiting = False
    return parts


def won_as_lost(self: Model, by: str, at: int, payment_id: str, outcome: str, **fields: Any) -> None:
    Model.close_chargeback(self, by, at, payment_id, "lost", **fields)


def lost_as_won(self: Model, by: str, at: int, payment_id: str, outcome: str, **fields: Any) -> None:
    Model.close_chargeback(self, by, at, payment_id, "won", **fields)


def told_twice_paid_twice(self: Model, by: str, at: int, amount: str, payment_id: str, **fields: Any) -> None:
    while payment_id in self.payments:
        payment_id += "+"
    Model.confirm_payment(self, by, at, amount, payment_id, **fields)


def released_stays_paid(self: Model, by: str, at: int, payment_id: str, amount: str | None = None) -> None:
    payment = self._payment(payment_id)
    held = payment.authorized - self.voided(payment_id)
    if not held or (amount is not None and self.minor(amount) > held):
        raise No("more-than-authorized")


def closed_counts_as_returned(self: Model, by: str, at: int, about: str, outcome: str, **fields: Any) -> None:
    back = self._return(about)
    left = {} if back is None else dict(back.left)
    Model.close_return(self, by, at, about, outcome, **fields)
    if outcome == "refund":
        for number, count in left.items():
            self.lines[number].returned += count


def all_that_was_to_come_back(self: Model, back: Return, units: dict[int, int]) -> None:
    """A receipt of a part pays the whole return."""
    self.refund_return(back)
    Model._arrived(self, back, units)


def never_undelivered(self: Model) -> str:
    status: str = Ledger.status.fget(self)  # type: ignore[attr-defined]
    return "shipped" if status == "undelivered" else status


def parts_stay(self: Model) -> None:
    self.emptied.clear()


def drawn_in_any_order(self: Model, money: int, payment_id: str | None) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(list(self.payments)[:1], (money, 0))


def had_all_of_it(self: Model, value: int) -> int:
    return value


def freed_units_stay(self: Model, back: Return, status: str) -> None:
    back.status = status


def units_given_twice(self: Model, back: Return, number: int, count: int) -> None:
    """A return that was refunded at once is refunded again on receipt."""
    self.credit(number, min(count, self.lines[number].ordered - self.lines[number].credited), "return", None, False)


FAULTS: Final[dict[str, tuple[str, Any]]] = {
    **{f"one more: {name}": (name, off_by_one(name)) for name in (
        "share", "goods_back", "tax_back", "shipping_back", "shipping_due", "fee_due", "covered", "due_back",
        "never_paid", "excess", "most", "refunded", "to_instruct", "held", "voids", "voided", "may_give_back",
        "had_refunded", "value",
    )},
    "shares are rounded down": ("share", rounded_down),
    "shares by whole parts and a rest": ("share", first_units_first),
    "goods and tax shared as one": ("worth", shared_as_one),
    "shipping and its tax shared as one": ("shipping_back", shipping_as_one),
    "shipping with every return": ("with_shipping", shipping_with_every_return),
    "shipping with no return": ("with_shipping", shipping_with_no_return),
    "no shipping for what was sent back": ("sent_back", sent_back_never),
    "shipping for what was refused": ("sent_back", sent_back_if_refused),
    "canceled units without their shipping": ("credit", canceled_without_shipping),
    "the order's shipping only if all was canceled": ("nothing_reached_the_buyer", property(everything_was_canceled)),
    "the order's shipping once nothing is open": ("nothing_reached_the_buyer", property(nothing_is_open)),
    "the order's shipping not for what was sent back": (
        "nothing_reached_the_buyer", property(lost_counts_and_sent_back_does_not)
    ),
    "every fee goes back": ("fee_due", fee_whatever_it_says),
    "no fee goes back": ("fee_due", fee_never),
    "a fee goes back without its tax": ("fee_due", fee_without_tax),
    "O is nothing": ("covered", nothing_covered),
    "O is taken from the sum": ("due_back", covers_one_by_one),
    "U is nothing": ("never_paid", always_paid),
    "X is nothing": ("excess", no_excess),
    "the total is no limit": ("most", most_of_all_paid),
    "other refunds are no limit": ("most", most_without_other_refunds),
    "what settled a refund counts twice": ("most", most_less_what_is_settled),
    "authorized money is not paid": ("paid", property(captured_only)),
    "the first payment first": ("in_order", first_payment_first),
    "gift cards as others": ("in_order", gift_cards_as_others),
    "captured money before authorized": ("kinds_in_order", captured_first),
    "a release leaves voids waiting": ("lapse", void_left_waiting),
    "a lost chargeback settles the newest first": ("oldest_first", newest_settled_first),
    "a withdrawn refund counts as instructed": ("may_give_back", withdrawn_counts),
    "a part is settled by less": ("settle_part", settled_by_a_unit_less),
    "parts of a canceled bundle stay": ("cancel_parts", parts_stay),
    "other refunds drawn in another order": ("draws", drawn_in_any_order),
    "a rebilling bills what was never refunded": ("had_refunded", had_all_of_it),
    "units of a return that ended are not free": ("free", freed_units_stay),
    "refunded at once and again on receipt": ("_pay_back", units_given_twice),
    "confirmed with its first part": ("confirm_refund", confirmed_with_its_first_part),
    "a confirmed refund cannot fail": ("fail_refund", never_fails_once_confirmed),
    "a withdrawn refund is owed again": ("withdraw_refund", withdrawn_is_owed_again),
    "no part waits for a chargeback": ("parts", nothing_waits),
    "a chargeback that was won is lost": ("close_chargeback", won_as_lost),
    "a chargeback that was lost is won": ("close_chargeback", lost_as_won),
    "a payment told twice is paid twice": ("confirm_payment", told_twice_paid_twice),
    "what was released stays paid": ("release_payment", released_stays_paid),
    "a return closed with refund came back": ("close_return", closed_counts_as_returned),
    "a part received pays the whole return": ("_arrived", all_that_was_to_come_back),
    "undelivered is only shipped": ("status", property(never_undelivered)),
}  # fmt: skip
"""By what is wrong: which formula is another, and what it is."""


@pytest.mark.parametrize("fault", FAULTS)
def test_random_orders_notice(fault: str) -> None:
    name, wrong = FAULTS[fault]
    assert hasattr(Model, name)
    tell = told_to(type("Wrong", (Model,), {name: wrong}))
    assert noticed(tell), f"{ORDERS} orders do not notice: {fault}"


def noticed(tell: Callable[[list[dict[str, Any]]], str | None]) -> bool:
    """Whether a story comes to something else."""
    return any(tell(planted(number)) is not None for number in range(ORDERS))


@cache
def planted(number: int) -> list[dict[str, Any]]:
    return story(f"planted {number}")


def test_the_same_model_twice_agrees() -> None:
    tell = told_to(Model)
    assert [tell(planted(number)) for number in range(100)] == [None] * 100
