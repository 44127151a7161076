"""Which story shows which rule. A test walks these tables: the order is there, and its history really shows it."""

from typing import Final

from infra.demo.stories import after_delivery, canceling, disputes, effects, shipped_after_cancel, shipping
from infra.demo.stories.plot import Tell

SHOWN: Final[dict[str, Tell]] = {
    # 1. Who may cancel what, and when
    "grace-window": canceling.bought_by_accident,
    "accepted-offer-final": canceling.accepted_offer,
    "not-shipped-in-time": canceling.never_shipped,
    "tracking-lock": shipping.on_its_way,
    "shipped-lock": shipping.shipped_and_asked,
    "mutual-consent-after-shipment": shipping.willing_seller,
    "seller-has-final-say": canceling.approved,
    "window-of-the-store": canceling.already_packed,
    "request-window": canceling.too_late_to_ask,
    "cancel-is-final": shipping.sellers_own,
    "reason-required": canceling.no_reason_given,
    "whole-lines-only": canceling.part_of_a_line,
    "fill-or-kill": shipping.filled_or_killed,
    "auto-canceled-is-final": shipping.filled_or_killed,
    "alternatives-first": canceling.offer_taken,
    "unpaid-auto-cancel": canceling.never_paid,
    "late-ship-auto-cancel": shipping.half_late,
    "stalled-tracking": shipping.lost_parcel,
    "one-open-request": canceling.asked_twice,
    "shipment-answers": shipping.shipment_answered,
    "already-canceled": canceling.cancelled_and_asked,
    # 2. What a cancellation does
    "both-told": effects.told_at_the_second_try,
    "full-refund": effects.one_after_the_other,
    "money-adds-up": effects.one_after_the_other,
    "restock-once": effects.back_in_stock,
    "standing": effects.says_the_buyer_asked,
    # 3. Cancelled but shipped
    "notify-customer": shipped_after_cancel.paid_by_memo,
    "notice-lacks-tracking": shipped_after_cancel.notice_put_right,
    "notice-has-link": shipped_after_cancel.notice_put_right,
    "acknowledge-both": shipped_after_cancel.wants_it_for_nothing,
    "evidence-of-acknowledgment": shipped_after_cancel.said_on_the_phone,
    "rebill": shipped_after_cancel.paid_by_memo,
    "credit-memo": shipped_after_cancel.paid_by_memo,
    "memo-needs-acknowledgment": shipped_after_cancel.paid_by_memo,
    # 4. Cases and returns after delivery
    "case-reasons": after_delivery.does_not_fit,
    "case-is-not-cancel": after_delivery.cancelled_too_late,
    "cancel-is-not-case": after_delivery.case_before_delivery,
    "case-evidence": after_delivery.photographs_given,
    "case-thread": after_delivery.one_thread_for_three,
    "listing-as-sold": after_delivery.as_it_was_listed,
    "seller-may-accept": after_delivery.taken_back_at_once,
    "silence-is-not-consent": after_delivery.says_nothing,
    "case-decision-time": after_delivery.overdue,
    "platform-pays-return": after_delivery.photographs_given,
    "return-not-confirmed": after_delivery.back_and_not_confirmed,
    "case-window": after_delivery.case_too_late,
    "store-return": after_delivery.sent_back,
}
"""Rule → a story that shows it. None is left out: there is no rule that nothing can record."""

FURTHER: Final[dict[str, Tell]] = {
    # 3. Where the five steps can end otherwise
    "found by a scan": shipped_after_cancel.found_by_a_scan,
    "never acknowledged": shipped_after_cancel.never_answers,
    "rebill failed": shipped_after_cancel.paid_by_memo,
    # 4.
    "evidence not given": after_delivery.photographs_awaited,
    # 5. Disputes, which have sentences and no ids
    "policy as it was": disputes.asked_by_request,
    "asked by message only": disputes.asked_by_message,
    "nobody answered": disputes.asked_by_request,
    "gaps on the checklist": disputes.asked_by_message,
    "evidence too late": disputes.evidence_too_late,
    "escalated": disputes.with_support,
    "more asked for": disputes.with_support,
    "granted": disputes.granted,
    "denied": disputes.asked_by_request,
    "sent back": disputes.sent_back_by_decision,
    "appealed": disputes.appealed,
    "decided for good": disputes.appealed,
    "dismissed": disputes.appealed_too_late,
    "just opened": disputes.just_opened,
}
"""What docs/reference/after-shipment.md says besides → a story that shows it."""
