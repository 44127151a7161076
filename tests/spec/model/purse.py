"""Payments, refunds, what was given back elsewhere, chargebacks: docs/reference/money.md over the sums."""

from typing import Any

from tests.spec.model.records import Chargeback, Other, Part, Payment, Refund
from tests.spec.model.sums import Sums
from tests.spec.model.terms import Terms


class No(Exception):
    """Refused, with one of these rules: one where the contract orders its checks, several where it leaves room."""

    def __init__(self, *rules: str) -> None:
        super().__init__(*rules)
        self.rules = set(rules)


class Bad(Exception):
    """Malformed in the light of the order: it leaves nothing behind."""


class Purse(Sums):
    """The money of one order."""

    def __init__(self, terms: Terms, order: dict[str, Any]) -> None:
        super().__init__(terms, order)
        self.chargebacks: dict[str, Chargeback] = {}
        """The open ones, by payment."""
        self.others_said: dict[str, Any] = {}
        self.fresh: dict[str, int] = {}
        """What this commit made due back, by cause, where each unit has one."""
        self.certain, self.less_was_due, self.was_overpaid = True, False, False
        if order.get("paid", True):
            self.payments["payment-1"] = Payment("other", 0, self.total, ("", "other", "captured"))

    # ---- payments ------------------------------------------------------------------------------------------------

    def confirm_payment(
        self,
        by: str,
        at: int,
        amount: str,
        payment_id: str,
        method: str = "other",
        state: str = "captured",
        occurred_at: int | None = None,
    ) -> None:
        said = (str(self.minor(amount)), method, state)
        if payment_id in self.payments:
            if self.payments[payment_id].said != said:
                raise No("id-exists")
            return
        money = self.minor(amount)
        held = (money, 0) if state == "authorized" else (0, money)
        self.payments[payment_id] = Payment(method, *held, said)

    def _payment(self, payment_id: str) -> Payment:
        if payment_id not in self.payments:
            raise No("no-such-payment")
        return self.payments[payment_id]

    def capture_payment(self, by: str, at: int, payment_id: str, amount: str | None = None) -> None:
        payment = self._payment(payment_id)
        can = payment.authorized - self.voids(payment_id)
        money = payment.authorized - self.voided(payment_id) if amount is None else self.minor(amount)
        if money > can or not money:
            raise No("more-than-authorized")
        payment.authorized -= money
        payment.captured += money

    def release_payment(self, by: str, at: int, payment_id: str, amount: str | None = None) -> None:
        """What lapses was to be voided, oldest first; the rest leaves what was paid."""
        payment = self._payment(payment_id)
        held = payment.authorized - self.voided(payment_id)
        money = held if amount is None else self.minor(amount)
        if money > held or not money:
            raise No("more-than-authorized")
        for part in self.parts_of(payment_id):
            if part.kind == "void" and part.due:
                money -= self.lapse(part, money)
        payment.authorized -= money

    def lapse(self, part: Part, money: int) -> int:
        """A void is done by itself: how much of the money it was."""
        done = part.due if part.due <= money else 0
        if done:
            part.confirmed, part.failed, part.waiting = True, False, False
        return done

    def voids(self, payment_id: str) -> int:
        """Authorized money that was or is to be voided."""
        return sum(x.amount for x in self.parts_of(payment_id) if x.kind == "void")

    def voided(self, payment_id: str) -> int:
        """Of that, what is done."""
        return sum(x.amount for x in self.parts_of(payment_id) if x.kind == "void" and not x.due)

    def parts_of(self, payment_id: str) -> list[Part]:
        """Parts of refunds that stand, oldest first."""
        live = (x for x in self.refunds.values() if not x.withdrawn)
        return [part for refund in live for part in refund.parts if part.payment_id == payment_id]

    # ---- from which payment --------------------------------------------------------------------------------------

    def in_order(self) -> list[str]:
        """Payments, those that money goes back by first."""
        names = list(self.payments)
        order = self.terms.setting("refunds", "order", "last-in-first-out")
        if order != "first-in-first-out":
            names.reverse()
        if order == "gift-card-last":
            names.sort(key=lambda name: self.payments[name].method == "gift_card")
        return names

    def kinds_in_order(self) -> tuple[str, str]:
        """Within a payment authorized money goes back first."""
        return "void", "refund"

    def held(self, payment_id: str, kind: str) -> int:
        """What of a payment's authorized (void) or captured money (refund) was not given back by anything."""
        payment = self.payments[payment_id]
        gone = sum(x.amount for x in self.parts_of(payment_id) if x.kind == kind)
        drawn = sum(x.draws.get(payment_id, (0, 0))[kind == "void"] for x in self.others.values())
        return max(0, (payment.authorized if kind == "void" else payment.captured) - gone - drawn)

    def parts(self, amount: int) -> list[Part]:
        """By which payments so much goes back."""
        found = []
        for name in self.in_order():
            for kind in self.kinds_in_order():
                money = min(amount, self.held(name, kind))
                if money:
                    waiting = name in self.chargebacks
                    found.append(Part(name, self.payments[name].method, money, kind, waiting=waiting))
                    amount -= money
        return found

    # ---- given back elsewhere ------------------------------------------------------------------------------------

    def record_other_refund(
        self,
        by: str,
        at: int,
        amount: str,
        other_refund_id: str,
        payment_id: str | None = None,
        covers: list[dict[str, Any]] | None = None,
        refund_id: str | None = None,
        note: str = "",
    ) -> None:
        said = (self.minor(amount), payment_id, str(covers), refund_id)
        money = self.minor(amount)
        purposes = self._purposes(covers or [], money)  # what is malformed is bad, whatever its id
        if other_refund_id in self.others_said:
            if self.others_said[other_refund_id] != said:
                raise No("id-exists")
            return
        if refund_id is not None:
            self._settle_elsewhere(refund_id, money)
        else:
            if payment_id is not None:
                self._payment(payment_id)
            if any(isinstance(thing, int) and thing not in self.lines for thing in purposes):
                raise No("no-such-line")
            if money > self.may_give_back() or (payment_id is not None and money > self._held(payment_id)):
                raise No("more-than-paid")
            self.others[other_refund_id] = Other(money, purposes, self.draws(money, payment_id))
        self.others_said[other_refund_id] = said

    def _settle_elsewhere(self, refund_id: str, money: int) -> None:
        refund = self._refund(refund_id)
        if refund.status != "due":
            raise No("refund-closed")
        if money != refund.amount:
            raise Bad("another amount")
        for part in refund.parts:
            self.settle_part(part, part.due)

    def settle_part(self, part: Part, money: int) -> None:
        part.settled += money
        if not part.due:
            part.failed = part.waiting = False

    def _held(self, payment_id: str) -> int:
        return self.held(payment_id, "refund") + self.held(payment_id, "void")

    def _purposes(self, covers: list[dict[str, Any]], money: int) -> dict[object, int]:
        found: dict[object, int] = {}
        for row in covers:
            if "line" in row:
                thing, text = row["line"], row["amount"]
            elif "fee_id" in row:
                thing, text = ("fee", row["fee_id"]), row["amount"]
                if row["fee_id"] not in self.fees:
                    raise Bad("no such fee")
            else:
                thing, text = "shipping", row["shipping"]
            if thing in found:
                raise Bad("the same twice")
            found[thing] = self.minor(text)
        if sum(found.values()) > money:
            raise Bad("more than the amount")
        return found

    def may_give_back(self) -> int:
        """What is left of what was paid; a withdrawn refund does not count."""
        live = [part for x in self.refunds.values() if not x.withdrawn for part in x.parts]
        return self.paid - sum(x.amount for x in live if x.payment_id in self.payments) - self.other

    def draws(self, money: int, payment_id: str | None) -> dict[str, tuple[int, int]]:
        """From which payments: captured money first."""
        found = {}
        for name in self.in_order() if payment_id is None else [payment_id]:
            captured = min(money, self.held(name, "refund"))
            authorized = min(money - captured, self.held(name, "void"))
            if captured or authorized:
                found[name] = (captured, authorized)
                money -= captured + authorized
        return found

    # ---- a refund's life -----------------------------------------------------------------------------------------

    def _refund(self, refund_id: str) -> Refund:
        if refund_id not in self.refunds:
            raise No("no-such-refund")
        if self.refunds[refund_id].status in ("settled_elsewhere", "withdrawn"):
            raise No("refund-closed")
        return self.refunds[refund_id]

    def _parts(self, refund: Refund, payment_id: str | None) -> list[Part]:
        found = [x for x in refund.parts if payment_id in (None, x.payment_id)]
        if not found:
            raise No("no-such-payment", "no-such-refund", "refund-closed")
        return found

    def confirm_refund(
        self,
        by: str,
        at: int,
        refund_id: str,
        payment_id: str | None = None,
        provider_ref: str | None = None,
        note: str = "",
    ) -> None:
        refund = self._refund(refund_id)
        if refund.status == "confirmed":
            raise No("refund-closed")
        parts = [x for x in self._parts(refund, payment_id) if x.due]
        if not parts:
            raise No("refund-closed")
        for part in parts:
            part.confirmed, part.failed, part.waiting = True, False, False

    def fail_refund(
        self,
        by: str,
        at: int,
        refund_id: str,
        payment_id: str | None = None,
        provider_ref: str | None = None,
        note: str = "",
    ) -> None:
        """Due again, also after it was confirmed."""
        parts = [x for x in self._parts(self._refund(refund_id), payment_id) if x.settled < x.amount]
        if not parts:
            raise No("refund-closed")
        for part in parts:
            part.confirmed, part.failed = False, True

    def withdraw_refund(self, by: str, at: int, refund_id: str, note: str, rule: str | None = None) -> None:
        refund = self._refund(refund_id)
        if refund.status == "confirmed":
            raise No("refund-closed")
        refund.withdrawn = True

    # ---- chargebacks ---------------------------------------------------------------------------------------------

    def open_chargeback(self, by: str, at: int, payment_id: str, amount: str, chargeback_id: str | None = None) -> None:
        self._payment(payment_id)
        if payment_id in self.chargebacks:
            raise No("chargeback-open")
        self.chargebacks[payment_id] = Chargeback(payment_id, self.minor(amount))

    def close_chargeback(
        self,
        by: str,
        at: int,
        payment_id: str,
        outcome: str,
        amount: str | None = None,
        chargeback_id: str | None = None,
    ) -> None:
        self._payment(payment_id)
        if payment_id not in self.chargebacks:
            raise No("no-such-chargeback")
        opened = self.chargebacks[payment_id].amount
        taken = opened if amount is None else self.minor(amount)
        if taken > opened:
            raise Bad("more than was opened")
        del self.chargebacks[payment_id]
        waiting = [part for part in self.parts_of(payment_id) if part.waiting and part.due]
        if outcome == "lost":
            for part in self.oldest_first(waiting):
                money = min(taken, part.due)
                self.settle_part(part, money)
                taken -= money
            if taken:
                name = f"chargeback {len(self.others)} of {payment_id}"
                self.others[name] = Other(taken, {}, {payment_id: (taken, 0)})
        for part in waiting:
            part.waiting = False

    def oldest_first(self, parts: list[Part]) -> list[Part]:
        """Those that were instructed first are settled first."""
        return parts

    # ---- after a commit ------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Remember what stood before a commit: of what it makes due the causes are known."""
        self.fresh, self.certain = {}, self.to_instruct() == self.instructed
        self._before = (self.value, self.covered_at_all, self.never_paid(), self.excess(), self.rebilled_back)

    @property
    def covered_at_all(self) -> bool:
        return any(x.covers for x in self.others.values())

    def settle(self) -> None:
        """After a commit: one refund, of the increase."""
        due = self.to_instruct()
        self.less_was_due |= due < self.instructed
        self.was_overpaid |= self.excess() > 0
        if due > self.instructed:
            more, parts = due - self.instructed, []
            together: dict[str, int] = {}
            for name, money in self.back_of_rebills:
                together[name] = together.get(name, 0) + money
            for name, money in together.items():
                parts += [Part(name, "other", min(money, more))] if min(money, more) else []
                more -= min(money, more)
            self.back_of_rebills.clear()
            parts = self.parts(more) + parts
            self.refunds[f"refund-{len(self.refunds) + 1}"] = Refund(parts, self._causes(due), self._may())
            self.instructed = due

    def _causes(self, due: int) -> dict[str, int] | None:
        """Amount by cause, where everything that was due before had been instructed and nothing binds."""
        value, covered, never_paid, excess, rebilled = self._before
        free = never_paid == self.never_paid() == 0 and not covered and not self.covered_at_all
        whole = self.refunded(self.due_back()) == self.due_back()
        if not (self.certain and free and whole) or self.less_was_due:
            may = self._may()
            return dict.fromkeys(may, due - self.instructed) if len(may) == 1 else None
        found = {"overpaid": self.excess() - excess, "rebill": self.rebilled_back - rebilled} | self.fresh
        rest = self.value - value - sum(self.fresh.values())
        kinds = [x for x, amount in self.fresh.items() if amount]
        if rest and len(self.fresh) != 1:
            return None
        if rest:
            found[(kinds or list(self.fresh))[0]] += rest
        found = {cause: amount for cause, amount in found.items() if amount}
        return found if all("|" not in x for x in found) and sum(found.values()) == due - self.instructed else None

    def _may(self) -> set[str]:
        """Causes that a refund can have by now."""
        found = {name for credit in self.credits for name in credit.cause.split("|")}
        found |= {"overpaid"} if self.was_overpaid else set()
        return found | ({"rebill"} if self.rebilled_back else set())
