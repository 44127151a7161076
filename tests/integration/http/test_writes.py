"""Writes over HTTP: how they are answered, repeated, and refused."""

import gzip
import json
from concurrent.futures import Future

import pytest

from consumers.engine.outcome import Outcome
from tests.integration.http.asking import BUYER, SELLER, SUPPORT, SYSTEM, Http, notice, placing

PROBLEM = "application/problem+json"


def test_a_new_order_is_answered_201_with_its_place_version_and_position(http: Http) -> None:
    answer = http.post("/v1/acme/orders", placing("new-1"), "k1")
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/acme/orders/new-1"
    assert answer.headers["etag"] == '"2"'
    assert answer.headers["rescind-position"].startswith("0:")
    said = answer.json()
    assert said["outcome"] == "accepted"
    assert [event["event"] for event in said["events"]] == ["OrderPlaced", "PaymentReceived"]
    assert said["order"] == {**http.get("/v1/acme/orders/new-1").json(), "at": said["order"]["at"]}
    assert said["events"] == http.get("/v1/acme/orders/new-1/history").json()


def test_a_retry_gets_the_first_answer_again_whatever_has_happened_since(http: Http) -> None:
    body = placing("retry-1")
    first = http.post("/v1/acme/orders", body, "k1")
    shipped = http.post("/v1/acme/orders/retry-1/shipments", {"actor": SYSTEM, "shipment_id": "asn-1"}, "k2")
    assert shipped.status_code == 200
    again = http.post("/v1/acme/orders", body, "k1")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["rescind-replayed"] == "true"
    assert "rescind-replayed" not in first.headers
    for header in ("etag", "rescind-position", "location"):
        assert again.headers[header] == first.headers[header]


def test_a_retry_of_a_refusal_is_refused_with_the_same_words(http: Http) -> None:
    order = http.place(policy="peer-to-peer", sale_format="offer")
    ask = {"actor": BUYER, "reason": "changed_mind"}
    first = http.post(f"{order}/cancellations", ask, "k1")
    again = http.post(f"{order}/cancellations", ask, "k1")
    assert first.status_code == again.status_code == 409
    assert first.content == again.content
    assert again.headers["rescind-replayed"] == "true"


def test_the_same_key_with_another_body_is_422(http: Http) -> None:
    order = http.place()
    assert http.post(f"{order}/payments", {"actor": SYSTEM, "amount": "1.00"}, "k1").status_code == 200
    answer = http.post(f"{order}/payments", {"actor": SYSTEM, "amount": "2.00"}, "k1")
    assert (answer.status_code, answer.json()["rule"]) == (422, "command-id-reused")
    assert answer.headers["content-type"] == PROBLEM


def test_the_same_key_on_another_order_is_another_command(http: Http) -> None:
    assert http.post("/v1/acme/orders", placing("two-a"), "same").status_code == 201
    assert http.post("/v1/acme/orders", placing("two-b"), "same").status_code == 201


def test_without_a_key_and_without_a_command_id_it_is_400(http: Http) -> None:
    answer = http.post("/v1/acme/orders", placing("keyless-1"))
    assert (answer.status_code, answer.json()["rule"]) == (400, "idempotency-key")
    assert http.get("/v1/acme/orders/keyless-1").status_code == 404


def test_a_command_id_in_the_body_does_as_well_and_both_must_agree(http: Http) -> None:
    body = {**placing("both-1"), "command_id": "c-1"}
    assert http.post("/v1/acme/orders", body, "c-2").status_code == 400
    assert http.post("/v1/acme/orders", body).status_code == 201
    again = http.post("/v1/acme/orders", body, "c-1")
    assert again.headers["rescind-replayed"] == "true"
    without = http.post("/v1/acme/orders", placing("both-1"), '"c-1"')
    assert without.headers["rescind-replayed"] == "true"
    assert without.content == again.content


def test_a_key_that_cannot_be_a_command_id_is_400(http: Http) -> None:
    assert http.post("/v1/acme/orders", placing("odd-1"), "no spaces").status_code == 400
    assert http.post("/v1/acme/orders", placing("odd-1"), "x" * 101).status_code == 400


def test_an_id_that_the_command_claims_defaults_to_the_key(http: Http) -> None:
    order = http.place()
    said = http.post(f"{order}/cancellations", {"actor": SUPPORT, "request_id": "r-9", "reason": "other"}, "k1").json()
    assert [request["request_id"] for request in said["order"]["requests"]] == ["r-9"]
    other = http.place()
    preview = http.post(f"{other}/cancellations/preview", {"actor": BUYER, "reason": "other"}).json()
    ask = {"actor": BUYER, "reason": "other", "confirmation": preview["confirmation"]}
    said = http.post(f"{other}/cancellations", ask, "key-7").json()
    assert [request["request_id"] for request in said["order"]["requests"]] == ["key-7"]


def test_who_asks_decides_what_a_cancellation_means(http: Http) -> None:
    order = http.place()
    own = http.post(f"{order}/cancellations", {"actor": SUPPORT, "reason": "out_of_stock", "rule": "standing"}, "k1")
    assert own.json()["events"][0]["event"] == "LinesCanceled"
    other = http.place()
    asked = http.post(f"{other}/cancellations", {"actor": SYSTEM, "request_id": "r1", "reason": "other"}, "k1")
    assert asked.json()["events"][0]["event"] == "CancelRequested"


def test_a_request_is_approved_declined_and_withdrawn_by_its_path(http: Http) -> None:
    for step, actor, status in (
        ("approve", SELLER, "approved"),
        ("decline", SELLER, "declined"),
        ("withdraw", BUYER, "withdrawn"),
    ):
        order = http.place()
        http.post(f"{order}/cancellations", {"actor": SYSTEM, "request_id": "r1", "reason": "other"}, "k1")
        ask = http.confirmed if step == "approve" else http.post
        said = ask(f"{order}/cancellations/r1/{step}", {"actor": actor}, "k2")
        assert said.status_code == 200, said.text
        assert said.json()["order"]["requests"][0]["status"] == status


def test_the_other_paths_mean_their_commands(http: Http) -> None:
    order = http.place(paid=False)
    for path, body, event in (
        ("payments", {"actor": SYSTEM, "amount": "100.00"}, "PaymentReceived"),
        ("messages", {"actor": BUYER, "to": "seller", "text": "Hello"}, "MessageSent"),
        ("contacts", {"actor": SUPPORT, "channel": "phone"}, "ContactRecorded"),
        ("refunds", {"actor": SUPPORT, "amount": "5.00"}, "OtherRefundRecorded"),
        ("shipments", {"actor": SYSTEM, "lines": [1], "shipment_id": "asn-1"}, "LineShipped"),
        ("tracking", {"actor": SYSTEM, "carrier": "UPS", "tracking_number": "1Z"}, "TrackingStarted"),
        ("tracking", {"command": "Deliver", "actor": SYSTEM}, "Delivered"),
    ):
        answer = http.post(f"{order}/{path}", body, f"{path}-{event}")
        assert answer.status_code == 200, (path, answer.text)
        assert answer.json()["events"][0]["event"] == event


def test_a_refund_that_was_due_is_confirmed_under_refunds(http: Http) -> None:
    order = http.place()
    http.post(f"{order}/cancellations", {"actor": SUPPORT, "reason": "other", "rule": "standing"}, "k1")
    said = http.post(f"{order}/refunds", {"actor": SYSTEM, "refund_id": "refund-1"}, "k2").json()
    assert said["order"]["refunds"] == [
        {
            "refund_id": "refund-1",
            "amount_minor": 10000,
            "status": "confirmed",
            "failed": False,
            "waiting": False,
            "parts": [
                {
                    "payment_id": "payment-1",
                    "method": "other",
                    "amount_minor": 10000,
                    "kind": "refund",
                    "waiting": False,
                }
            ],
            "causes": [{"cause": "support", "amount_minor": 10000}],
        }
    ]


def test_any_command_goes_whole_under_commands(http: Http) -> None:
    order = http.place()
    whole = {"command": "VoidShipment", "command_id": "c1", "actor": SUPPORT, "shipment_id": "asn-1", "note": "twice"}
    answer = http.post(f"{order}/commands", whole)
    assert (answer.status_code, answer.json()["rule"]) == (409, "no-such-shipment")
    whole = {**placing("whole-1"), "command": "PlaceOrder", "command_id": "c1"}
    assert http.post("/v1/acme/orders/whole-1/commands", whole).status_code == 201
    assert http.post(f"{order}/commands", {"command_id": "c2", "actor": SUPPORT}).json()["pointer"] == "/command"


def test_a_path_takes_no_other_command_than_its_own(http: Http) -> None:
    answer = http.post(f"{http.place()}/shipments", {"command": "Deliver", "actor": SYSTEM}, "k1")
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/command")


def test_what_the_path_says_may_be_said_again_but_not_otherwise(http: Http) -> None:
    order = http.place()
    body = {"actor": SYSTEM, "amount": "1.00", "marketplace": "acme"}
    assert http.post(f"{order}/payments", body, "k1").status_code == 200
    answer = http.post(f"{order}/payments", {**body, "marketplace": "other"}, "k2")
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/marketplace")


# ---- refusals and what was never understood -------------------------------------------------------------------------


def test_a_rule_refuses_with_its_policy_its_reason_and_what_can_be_done_instead(http: Http) -> None:
    order = http.place(policy="peer-to-peer", sale_format="offer")
    answer = http.post(f"{order}/cancellations", {"actor": BUYER, "reason": "changed_mind"}, "k1")
    assert (answer.status_code, answer.headers["content-type"]) == (409, PROBLEM)
    said = answer.json()
    assert said["type"] == "urn:rescind:problem:accepted-offer-final"
    assert (said["status"], said["rule"]) == (409, "accepted-offer-final")
    assert said["detail"] == said["because"]
    assert (said["policy"]["id"], len(said["policy"]["sha256"])) == ("peer-to-peer", 64)
    assert said["next_change_at"] == said["instead"][0]["until"]
    assert [each["option"] for each in said["instead"]] == ["wait", "contact"]
    assert answer.headers["etag"] == f'"{said["version"]}"'


def test_an_unknown_order_and_somebody_elses_cannot_be_told_apart(http: Http) -> None:
    order = http.place()
    stranger = {"kind": "buyer", "id": "b-8"}
    unknown = http.post("/v1/acme/orders/never/cancellations", {"actor": stranger, "reason": "other"}, "k1")
    foreign = http.post(f"{order}/cancellations", {"actor": stranger, "reason": "other"}, "k1")
    assert unknown.status_code == foreign.status_code == 404
    assert unknown.content == foreign.content
    assert len(http.get(f"{order}/history").json()) == 2


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"currency": "DOLLAR"}, "/currency"),
        ({"colour": "red"}, "/colour"),
        ({"lines": []}, "/lines"),
        ({"lines": [{"line": 1, "sku": "A", "quantity": 0, "unit_price": "1"}]}, "/lines/0/quantity"),
        ({"lines": [{"line": 1, "sku": "A", "quantity": 1, "unit_price": "1.005"}]}, "/lines/0/unit_price"),
        ({"actor": None}, "/actor"),
        ({"command_id": None}, "/command_id"),
        ({"command": None}, "/command"),
        ({"order_id": None}, "/order_id"),
        ({"timezone": None}, "/timezone"),
        ({"order_id": "no/slash"}, "/order_id"),
    ],
)
def test_a_malformed_command_names_the_field(http: Http, change: dict[str, object], pointer: str) -> None:
    answer = http.post("/v1/acme/orders", {**placing("malformed-1"), **change}, "k1")
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert answer.json()["pointer"] == pointer


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"{", 400, "not JSON"),
        (b'{"a": 1, "a": 2}', 400, "twice"),
        (b'{"a": NaN}', 400, "NaN"),
        (b'{"a": ' + b"9" * 5000 + b"}", 400, "a number with thousands of digits"),
        (b'{"a": -Infinity}', 400, "Infinity"),
        (b'{"a": "\xff"}', 400, "UTF-8"),
        (b'{"text": "\\ud800"}', 400, "surrogate"),
        (b"[" * 33 + b"]" * 33, 400, "deeper"),
        (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, 400, "deeper"),
        (b'{"a": ' + b"9" * 5000 + b"}", 400, "number"),
        (b" " * 262_145, 413, "longer"),
        (b"[]", 422, "object"),
        (b"null", 422, "object"),
    ],
)
def test_what_is_no_acceptable_json_is_refused(http: Http, content: bytes, status: int, words: str) -> None:
    answer = http.raw("/v1/acme/orders", content)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert words in answer.json()["detail"]


def test_brackets_in_strings_are_not_depth(http: Http) -> None:
    body = {**placing("brackets-1"), "lines": [{"line": 1, "sku": '[{"\\' * 30, "quantity": 1, "unit_price": "1.00"}]}
    assert http.post("/v1/acme/orders", body, "k1").status_code == 201


def test_a_body_of_another_kind_is_415(http: Http) -> None:
    answer = http.raw("/v1/acme/orders", json.dumps(placing("form-1")).encode(), media_type="text/plain")
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("named", "status", "rule"),
    [
        ([("Content-Encoding", "gzip")], 415, "content-encoding"),
        ([("Content-Encoding", "identity"), ("Content-Encoding", "br")], 415, "content-encoding"),
        ([("Content-Type", "application/json; charset=iso-8859-1")], 415, "charset"),
        ([("Content-Type", 'application/json; v=1; Charset="latin1"')], 415, "charset"),
        ([("Content-Type", "application/json"), ("Content-Type", "text/plain")], 400, "content-type"),
        ([("Idempotency-Key", "k-2")], 400, "idempotency-key"),
        ([("If-Match", '"1"'), ("If-Match", '"2"')], 400, "if-match"),
    ],
)
def test_what_headers_say_of_a_body_is_heeded_and_those_that_stand_once_do(
    http: Http, named: list[tuple[str, str]], status: int, rule: str
) -> None:
    order = http.place()
    usual = [] if named[0][0] == "Content-Type" else [("Content-Type", "application/json")]
    headers = [("Idempotency-Key", "k-1"), *usual, *named]
    body = json.dumps({"actor": SYSTEM, "reason": "other"}).encode()
    if ("Content-Encoding", "gzip") in named:
        body = gzip.compress(body)
    answer = http.send("POST", f"{order}/cancellations", headers, body)
    assert (answer.status_code, answer.json()["rule"]) == (status, rule), answer.text
    assert http.get(order).json()["version"] == 2, "nothing was taken"


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])
def test_a_body_may_say_that_it_is_utf_8_and_not_compressed(http: Http, kind: str) -> None:
    order = http.place()
    headers = [("Idempotency-Key", "k1"), ("Content-Type", kind), ("Content-Encoding", "identity")]
    body = json.dumps({"actor": SYSTEM, "reason": "other"}).encode()
    assert http.send("POST", f"{order}/cancellations", headers, body).status_code == 200


def test_a_form_with_a_file_is_not_compressed_either(http: Http) -> None:
    headers = [
        ("Idempotency-Key", "k1"),
        ("Content-Type", "multipart/form-data; boundary=x"),
        ("Content-Encoding", "gzip"),
    ]
    answer = http.send("POST", f"{http.place()}/evidence", headers, gzip.compress(b"--x--"))
    assert (answer.status_code, answer.json()["rule"]) == (415, "content-encoding")


def test_a_refused_placing_names_no_policy_and_leads_to_no_order(http: Http) -> None:
    answer = http.post("/v1/acme/orders", placing("never-1", policy="no-such"), "k1")
    said = answer.json()
    assert (answer.status_code, said["rule"], said["policy"]) == (409, "no-such-policy", None)
    assert said["instead"]
    assert all("href" not in each and "page" not in each for each in said["instead"])
    assert http.get("/v1/acme/orders/never-1").status_code == 404


def test_a_deadline_that_is_not_due_is_a_duplicate_of_nothing(http: Http) -> None:
    order = http.place()
    reach = {"command": "ReachDeadline", "actor": SYSTEM, "deadline_id": "late-ship-1"}
    for _ in range(2):
        answer = http.post(f"{order}/commands", reach, "k1")
        assert (answer.status_code, answer.json()["outcome"]) == (200, "duplicate")
        assert "rescind-replayed" not in answer.headers


def test_an_unknown_path_and_a_wrong_method_are_problems_too(http: Http) -> None:
    unknown = http.get("/v1/acme/nothing")
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, PROBLEM)
    wrong = http.get("/v1/acme/orders/x/shipments")
    assert (wrong.status_code, wrong.headers["content-type"]) == (405, PROBLEM)
    assert wrong.headers["allow"] == "POST"
    assert "POST" in wrong.json()["detail"]


# ---- versions, and answers that do not come -------------------------------------------------------------------------


def test_if_match_is_honoured(http: Http) -> None:
    order = http.place()
    body = {"actor": SYSTEM, "reason": "other"}
    stale = http.post(f"{order}/cancellations", body, "k1", if_match='"1"')
    assert (stale.status_code, stale.headers["etag"]) == (412, '"2"')
    assert http.post(f"{order}/cancellations", body, "k1", if_match="nonsense").status_code == 400
    fresh = http.post(f"{order}/cancellations", body, "k1", if_match=http.get(order).headers["etag"])
    assert fresh.status_code == 200
    retry = http.post(f"{order}/cancellations", body, "k1", if_match='"2"')
    assert (retry.status_code, retry.headers["rescind-replayed"]) == (200, "true")


def test_of_two_requests_with_one_key_at_once_one_is_told_that_the_other_is_in_flight(http: Http) -> None:
    body = placing("flight-1")
    answers = http.together(*(http.posting("/v1/acme/orders", body, "k1") for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    late = next(answer for answer in answers if answer.status_code == 409)
    assert (late.json()["rule"], late.headers["retry-after"]) == ("in-flight", "1")
    assert http.post("/v1/acme/orders", body, "k1").headers["rescind-replayed"] == "true"


def test_an_answer_that_does_not_come_in_time_is_503_and_the_retry_learns_what_became_of_it(
    http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = http.place()
    body = {"actor": SYSTEM, "reason": "other"}
    engine = http.app.engine
    really = engine.submit
    sent: list[Future[Outcome]] = []

    def slow(command: object, **how: object) -> Future[Outcome]:
        sent.append(really(command, **how))  # type: ignore[arg-type]
        return Future()

    with monkeypatch.context() as patched:
        patched.setattr(engine, "submit", slow)
        patched.setattr(http.app, "settings", http.app.settings.model_copy(update={"answer_within": 0.01}))
        answer = http.post(f"{order}/cancellations", body, "k1")
    assert (answer.status_code, answer.json()["rule"]) == (503, "outcome-unknown")
    assert int(answer.headers["retry-after"]) >= 1
    assert sent[0].result(10).kind == "accepted"
    again = http.post(f"{order}/cancellations", body, "k1")
    assert (again.status_code, again.headers["rescind-replayed"]) == (200, "true")


def test_the_seller_portals_example(http: Http) -> None:
    """Order of 10, notice of 3: shipped 3, canceled 7, refund for 7; another notice is refused, a new order offered."""
    order = http.place()
    sent = notice(3, carrier="UPS", tracking_number="1Z1")
    preview = http.post(f"{order}/shipments/preview", sent).json()
    said = http.post(f"{order}/shipments", {**sent, "confirmation": preview["confirmation"]}, "k1").json()["order"]
    line = said["lines"][0]
    assert (line["shipped"], line["canceled"], line["auto_canceled"], line["open"]) == (3, 7, 7, 0)
    assert [(x["refund_id"], x["amount_minor"], x["status"]) for x in said["refunds"]] == [("refund-1", 7000, "due")]
    refused = http.post(f"{order}/shipments", notice(1, "asn-2"), "k2")
    assert (refused.status_code, refused.json()["rule"]) == (409, "auto-canceled-is-final")
    offer = refused.json()["instead"][0]
    assert (offer["option"], offer["href"]) == ("new_order", "/v1/acme/orders")
    new = http.post("/v1/acme/orders", {**placing("instead-1", quantity=7), "replaces": offer["replaces"]}, "k1")
    assert new.status_code == 201


def test_an_order_in_place_of_what_was_cancelled_names_the_cancelled_lines(http: Http) -> None:
    order = http.place()
    ask = {"actor": SYSTEM, "request_id": "r1", "reason": "other"}
    assert http.post(f"{order}/cancellations", {"actor": SYSTEM, "reason": "out_of_stock"}, "k1").status_code == 200
    offer = http.post(f"{order}/cancellations", ask, "k2").json()["instead"][0]
    assert (offer["option"], offer["replaces"]["lines"]) == ("new_order", [1])


def test_a_missing_confirmation_says_where_the_preview_is(http: Http) -> None:
    order = http.place()
    answer = http.post(f"{order}/shipments", notice(3), "k1").json()
    assert answer["rule"] == "cancel-is-final"
    assert [(each["option"], each["href"]) for each in answer["instead"]] == [("confirm", f"{order}/shipments/preview")]


def test_a_buyer_without_the_parcel_is_linked_to_messages_and_after_its_loss_to_a_new_order(http: Http) -> None:
    order = http.place(policy="big-box")
    assert http.post(f"{order}/shipments", {"actor": SYSTEM, "shipment_id": "p-1"}, "k1").status_code == 200
    ask = {"actor": BUYER, "reason": "changed_mind"}
    refused = http.post(f"{order}/cancellations", ask, "k2").json()["instead"]
    report = next(each for each in refused if each["option"] == "ask_seller")
    assert report["href"] == f"{order}/messages"
    lost = {"command": "ReportUndelivered", "actor": SYSTEM, "shipment_id": "p-1", "outcome": "lost"}
    shown = http.post(f"{order}/commands", lost, "k3").json()["order"]
    assert (shown["status"], shown["lines"][0]["undelivered"]) == ("undelivered", shown["lines"][0]["ordered"])
    again = http.post(f"{order}/cancellations", ask, "k4").json()
    assert again["rule"] == "undelivered-already"
    assert [each["replaces"]["lines"] for each in again["instead"] if each["option"] == "new_order"] == [[1]]
