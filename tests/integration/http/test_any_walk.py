"""Every path takes every command that it names, and any walk over all paths gets answers that the OpenAPI document
describes."""

from itertools import count
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.commands import COMMANDS
from infra.api.forms import CommandForm
from infra.api.paths import EVIDENCE, PATHS, PREVIEWED
from tests.effort import examples
from tests.integration.http.client import BUYER, SELLER, SUPPORT, SYSTEM, Http
from tests.integration.http.described import check_answer, check_described

VALUES: dict[str, tuple[Any, ...]] = {
    "about": ("return-1", "r1", "k1", "d1", "asn-1"),
    "accepts_item": (True, False),
    "accepts_rebilling": (True, False),
    "amount": ("10.00", "100.00", "0.01", "150.00"),
    "carrier": ("UPS",),
    "case_id": ("k1", "k2"),
    "channel": ("phone",),
    "chargeback_id": ("cb-1",),
    "condition": ("sellable", "damaged"),
    "contact_id": ("c1",),
    "covers": ([{"line": 1, "amount": "10.00"}], [{"shipping": "10.00"}], [{"fee_id": "f1", "amount": "10.00"}]),
    "dispute_id": ("d1", "d2"),
    "evidence": (["e1"],),
    "evidence_id": ("e1",),
    "kind": ("wait", "photo"),
    "kinds": (["photo"],),
    "lines": ([1], [{"line": 1, "quantity": 2}], [2], [1, 2]),
    "media_type": ("image/png",),
    "memo_id": ("m1",),
    "message_id": ("m1",),
    "method": ("card", "gift_card"),
    "note": ("as agreed",),
    "notice_id": ("notice-1",),
    "outcome": ("refund", "lost", "won", "return", "deny", "grant", "no_refund", "returned_to_sender", "refused"),
    "other_refund_id": ("o1",),
    "payment_id": ("p1", "payment-1"),
    "provider_ref": ("re_1",),
    "reason": ("not_as_described", "changed_mind", "out_of_stock"),
    "rebill_id": ("rebill-1",),
    "refund_id": ("refund-1", "refund-2"),
    "refund_now": (True, False),
    "representative": ("Ann",),
    "request_id": ("r1", "r2"),
    "rule": ("shipped-lock",),
    "sha256": ("0" * 64,),
    "ship_by": ("2099-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    "shipment_id": ("asn-1", "asn-2"),
    "size": (1,),
    "stage": ("picking",),
    "state": ("captured", "authorized"),
    "text": ("It left with UPS, number 1Z999.",),
    "ticket": ("T-1",),
    "to": ("seller", "buyer"),
    "tracking_number": ("1Z999",),
    "until": ("2099-01-01T00:00:00Z",),
}
"""Field → values that it may have, most of which fit."""
NOT_IN_BODIES = {
    "command",
    "command_id",
    "marketplace",
    "order_id",
    "at",
    "actor",
    "confirmation",
    "correlation_id",
    "occurred_at",
    "claimed_at",
    "source",
    "origin",
}
ACTORS = (SYSTEM, SUPPORT, SELLER, BUYER)
EVERY = [(form, command) for form in (*PATHS, EVIDENCE) for command in form.commands]

_numbers = count(1)


def values_of(command: str, field: str) -> tuple[Any, ...]:
    """The values of a field that the command takes: those of its type, where that lists them."""
    if not isinstance(VALUES[field][0], str):
        return VALUES[field]
    annotation = COMMANDS[command].model_fields[field].annotation
    named = [each for part in (annotation, *get_args(annotation)) for each in get_args(part) if isinstance(each, str)]
    return tuple(each for each in VALUES[field] if each in named) or tuple(named) or VALUES[field]


def fields_of(form: CommandForm, command: str) -> dict[str, tuple[Any, ...]]:
    """What a body under this path may have, by name."""
    in_path = set((form.in_path or {}).values())
    return {
        name: values_of(command, name)
        for name in COMMANDS[command].model_fields
        if name not in NOT_IN_BODIES and name not in in_path
    }


def filled(form: CommandForm, values: dict[str, str]) -> str:
    """The path with these ids."""
    return form.path.format(**values)


def ids_of(form: CommandForm) -> dict[str, tuple[str, ...]]:
    """The path's parameters, with the ids that they may have."""
    return {name: VALUES[name] for name in form.in_path or {}}


@pytest.mark.parametrize(("form", "command"), EVERY, ids=[f"{form.path} {command}" for form, command in EVERY])
def test_every_path_takes_every_command_that_it_names(http: Http, form: CommandForm, command: str) -> None:
    order = http.place(policy="peer-to-peer")
    model = COMMANDS[command]
    body = {
        name: values[0]
        for name, values in fields_of(form, command).items()
        if model.model_fields[name].is_required() or name == "rule"
    }
    body |= {"actor": SUPPORT, "command": command}
    path = order + filled(form, {name: ids[0] for name, ids in ids_of(form).items()})
    answer = http.post(path, body, "k1")
    assert answer.status_code in (200, 409), (path, body, answer.text)
    check_answer(answer)
    if form in PREVIEWED:
        check_answer(http.post(f"{path}/preview", body), preview=True)


@st.composite
def steps(draw: st.DrawFn) -> tuple[CommandForm, str, dict[str, Any]]:
    """A path, its ids and a body."""
    form, command = draw(st.sampled_from(EVERY))
    body: dict[str, Any] = {"command": command, "actor": draw(st.sampled_from(ACTORS))}
    for name, values in fields_of(form, command).items():
        if COMMANDS[command].model_fields[name].is_required() or draw(st.booleans()):
            body[name] = draw(st.sampled_from(values))
    return form, filled(form, {name: draw(st.sampled_from(ids)) for name, ids in ids_of(form).items()}), body


@settings(max_examples=examples(25))
@given(walk=st.lists(steps(), min_size=5, max_size=25), paid=st.booleans())
def test_any_walk_over_all_paths_gets_described_answers_and_money_that_adds_up(
    http: Http, walk: list[tuple[CommandForm, str, dict[str, Any]]], paid: bool
) -> None:
    extra: dict[str, Any] = {
        "shipping": "10.00",
        "fees": [{"fee_id": "f1", "amount": "10.00", "refundable": "with-order"}],
    }
    lines = [{"line": line, "sku": f"A-{line}", "quantity": 4, "unit_price": "10.00"} for line in (1, 2)]
    order = http.place(policy="general-store@2", paid=paid, lines=lines, **extra)
    for form, path, body in walk:
        if form in PREVIEWED:
            shown = http.post(f"{order}{path}/preview", body)
            check_answer(shown, preview=shown.status_code == 200)
            if shown.status_code == 200 and shown.json()["confirmation"] is not None:
                body = {**body, "confirmation": shown.json()["confirmation"]}
        answer = http.post(order + path, body, f"walk-{next(_numbers)}")
        assert answer.status_code in (200, 404, 409, 422), (path, body, answer.text)
        check_answer(answer)
    document = http.get(order).json()
    check_described("Order", document)
    money = document["money"]
    if not any(line["rebilled"] for line in document["lines"]):
        given = money["refund_due_minor"] + money["refunded_minor"] + money["other_refunds_minor"]
        assert money["paid_minor"] == money["kept_minor"] + given
    for refund in document["refunds"]:
        for shares in (refund["parts"], refund["causes"]):
            assert sum(each["amount_minor"] for each in shares) == refund["amount_minor"], refund
