"""Rule → the specification that shows it, by file below tests/ and name. A test looks that each of them is there."""

from typing import Final

_BOOK: Final = "spec/domain/test_rule_book.py"
_NUMBERS: Final = "spec/domain/test_worked_numbers.py"
_REQUESTS: Final = "spec/domain/test_requests.py"
_HISTORY: Final = "spec/domain/test_any_history.py"
_TABLES: Final = "spec/projections/test_after_delivery.py"

SPECS: Final[dict[str, tuple[str, str]]] = {
    "grace-window": (_NUMBERS, "test_grace_window_is_open_at_its_last_instant"),
    "accepted-offer-final": (_NUMBERS, "test_accepted_offer_is_final_a_minute_after_purchase"),
    "not-shipped-in-time": (
        _NUMBERS,
        "test_not_shipped_in_time_begins_with_the_8th_day_at_the_purchases_own_clock_time",
    ),
    "tracking-lock": (_NUMBERS, "test_tracking_a_minute_before_the_8th_day_locks"),
    "shipped-lock": (_BOOK, "test_what_shipped_cannot_be_cancelled_and_the_answer_says_what_has_shipped"),
    "mutual-consent-after-shipment": (
        _NUMBERS,
        "test_a_willing_seller_after_shipment_gets_the_parcel_back_and_refunds_once_on_receipt",
    ),
    "seller-has-final-say": (_NUMBERS, "test_grace_window_is_closed_a_microsecond_later_and_the_seller_is_asked"),
    "window-of-the-store": (
        _BOOK,
        "test_a_store_lets_its_buyers_cancel_for_a_day_but_not_once_it_has_begun_to_pick",
    ),
    "request-window": (_BOOK, "test_a_buyer_may_ask_within_the_hour_and_no_later"),
    "cancel-is-final": (
        "spec/engine/test_answers.py",
        "test_a_confirmation_is_asked_for_before_the_commit_and_uses_up_nothing",
    ),
    "reason-required": (_BOOK, "test_a_cancellation_without_a_reason_is_refused_by_name_of_the_line"),
    "whole-lines-only": (_BOOK, "test_a_line_can_be_cancelled_whole_and_not_in_part"),
    "fill-or-kill": (_NUMBERS, "test_fill_or_kill_ships_3_of_10_and_cancels_7_in_the_same_commit"),
    "auto-canceled-is-final": (
        _NUMBERS,
        "test_auto_canceled_is_final_for_a_second_notice_and_offers_a_new_order",
    ),
    "alternatives-first": (_BOOK, "test_before_a_request_is_carried_out_the_store_offers_something_else"),
    "unpaid-auto-cancel": (_BOOK, "test_an_order_that_is_not_paid_in_time_cancels_itself"),
    "late-ship-auto-cancel": (
        _BOOK,
        "test_what_is_not_shipped_in_time_cancels_itself_and_what_shipped_is_untouched",
    ),
    "stalled-tracking": (
        _REQUESTS,
        "test_a_parcel_that_counts_as_lost_is_refunded_at_once_and_the_quantity_stays_shipped",
    ),
    "one-open-request": (
        _BOOK,
        "test_a_second_request_over_the_same_line_is_answered_with_the_first_ones_state",
    ),
    "shipment-answers": (_REQUESTS, "test_a_shipment_of_all_that_was_asked_for_closes_the_request_as_shipped"),
    "already-canceled": (_BOOK, "test_what_is_cancelled_cannot_be_cancelled_again"),
    "both-told": ("spec/domain/test_told.py", "test_every_cancellation_is_told_to_both"),
    "full-refund": (_NUMBERS, "test_any_split_of_the_lines_sums_to_everything_paid"),
    "money-adds-up": (_HISTORY, "test_refunds_are_exactly_what_is_due_and_at_most_one_a_commit"),
    "restock-once": (
        "spec/publishing/test_public_records.py",
        "test_restock_once_what_fill_or_kill_cancels_goes_back_to_stock",
    ),
    "standing": ("spec/domain/test_standing.py", "test_each_cause_counts_for_its_side_and_unpaid_for_nobody"),
    "notify-customer": (_NUMBERS, "test_each_step_of_rebilling_left_out_refuses_the_next"),
    "notice-lacks-tracking": (_BOOK, "test_a_notice_without_carrier_and_number_or_with_a_link_is_not_sent"),
    "notice-has-link": ("spec/domain/test_links.py", "test_whatever_could_be_turned_into_a_link_is_one"),
    "acknowledge-both": (_NUMBERS, "test_each_step_of_rebilling_left_out_refuses_the_next"),
    "evidence-of-acknowledgment": (
        _BOOK,
        "test_support_acknowledges_for_a_customer_only_with_the_messages_attached",
    ),
    "rebill": (_NUMBERS, "test_all_steps_of_rebilling_end_in_a_memo_of_what_was_refunded"),
    "credit-memo": (_TABLES, "test_a_rebilling_is_due_until_it_is_confirmed_and_names_its_memo"),
    "memo-needs-acknowledgment": (
        _HISTORY,
        "test_no_memo_without_acknowledgment_and_nothing_rebilled_that_was_not_refunded",
    ),
    "case-reasons": (_BOOK, "test_a_case_is_only_for_what_is_not_as_promised"),
    "case-is-not-cancel": (
        _BOOK,
        "test_before_delivery_a_cancellation_is_the_right_thing_and_after_it_a_case",
    ),
    "cancel-is-not-case": (
        _BOOK,
        "test_before_delivery_a_cancellation_is_the_right_thing_and_after_it_a_case",
    ),
    "case-evidence": (
        _NUMBERS,
        "test_photographs_asked_for_monday_and_given_tuesday_move_the_due_time_by_that_day",
    ),
    "case-thread": (
        "integration/http/test_matters.py",
        "test_one_thread_is_read_by_all_and_supports_notes_by_support_alone",
    ),
    "listing-as-sold": (_BOOK, "test_what_was_promised_of_a_line_is_pinned_on_it"),
    "seller-may-accept": (_BOOK, "test_a_seller_may_accept_the_return_before_the_decision"),
    "silence-is-not-consent": (
        _BOOK,
        "test_a_seller_who_says_nothing_has_not_accepted_and_nothing_is_decided_by_itself",
    ),
    "case-decision-time": (_NUMBERS, "test_a_case_opened_friday_15_00_is_due_two_business_days_later"),
    "platform-pays-return": (
        _BOOK,
        "test_a_seller_who_says_nothing_has_not_accepted_and_nothing_is_decided_by_itself",
    ),
    "return-not-confirmed": (_TABLES, "test_a_return_that_nobody_confirms_is_closed_and_refunded"),
    "case-window": (_BOOK, "test_a_case_is_opened_within_its_days_of_delivery_and_no_later"),
    "store-return": (_BOOK, "test_a_return_is_for_the_stores_reasons_and_days"),
}
