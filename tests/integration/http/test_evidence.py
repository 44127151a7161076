"""Evidence with content: files over HTTP, which are accepted, how they are stored, who can download them, and what
erasing leaves."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.http.uploads import UnsupportedFile, media_type_of
from tests.integration.http.client import BUYER, SELLER, SUPPORT, SYSTEM, Http, served
from tests.integration.http.files import jpeg, pdf, png
from tests.integration.http.test_callers import Tokened


def give(http: Http, order: str, content: bytes, key: str = "e1", name: str = "x.png", **fields: Any) -> httpx.Response:
    """Send a file as a form does."""
    form_fields = {"about": "k1", "kind": "photo", "actor": json.dumps(BUYER), **fields}
    form = {name: value for name, value in form_fields.items() if value is not None}
    files = {"file": (name, content, "application/octet-stream")}
    headers = {"Idempotency-Key": key}
    return asyncio.run(_post(http, f"{order}/evidence", form, files, headers))


async def _post(http: Http, path: str, form: Any, files: Any, headers: Any) -> httpx.Response:
    transport = http._client._transport
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.post(path, data=form, files=files, headers=headers)


def with_case(http: Http, **fields: Any) -> str:
    """An order that was delivered, and a case of its buyer, k1."""
    order = http.place(policy="peer-to-peer", quantity=1, **fields)
    assert http.post(f"{order}/shipments", {"actor": SYSTEM, "shipment_id": "asn-1"}, "ship").status_code == 200
    assert http.post(f"{order}/deliveries", {"actor": SYSTEM}, "deliver").status_code == 200
    opened = http.post(f"{order}/cases", {"actor": BUYER, "reason": "wrong_item", "lines": [1], "case_id": "k1"}, "k1")
    assert opened.status_code == 200, opened.text
    return order


@pytest.mark.parametrize(
    ("content", "kind"), [(png(), "image/png"), (jpeg(), "image/jpeg"), (pdf(), "application/pdf")]
)
def test_a_file_is_recognized_by_its_bytes_stored_and_returned_as_a_download(
    http: Http, content: bytes, kind: str
) -> None:
    order = with_case(http)
    answer = give(http, order, content, name="holiday.exe", origin="own_photo", claimed_at="2026-03-01T10:00:00Z")
    assert answer.status_code == 200, answer.text
    data = answer.json()["events"][0]["data"]
    assert data["sha256"] == hashlib.sha256(content).hexdigest()
    assert (data["media_type"], data["size"], data["side"], data["origin"]) == (
        kind,
        len(content),
        "buyer",
        "own_photo",
    )
    assert data["claimed_at"] == "2026-03-01T10:00:00Z"
    download = http.get(f"{order}/evidence/e1")
    assert (download.status_code, download.content) == (200, content)
    assert download.headers["content-type"] == kind
    extension = {"image/png": "png", "image/jpeg": "jpg", "application/pdf": "pdf"}[kind]
    assert download.headers["content-disposition"] == f'attachment; filename="e1.{extension}"'
    assert download.headers.get_list("x-content-type-options") == ["nosniff"]
    assert download.headers.get_list("content-security-policy") == [
        "default-src 'none'; frame-ancestors 'none'; sandbox"
    ]
    assert download.headers["cache-control"] == "private, no-store"


def test_what_a_client_claims_about_a_file_must_be_true(http: Http) -> None:
    order = with_case(http)
    for field, wrong in (("sha256", "0" * 64), ("media_type", "image/jpeg"), ("size", "17")):
        answer = give(http, order, png(), **{field: wrong})
        assert (answer.status_code, answer.json()["pointer"]) == (422, f"/{field}")
    right = {"sha256": hashlib.sha256(png()).hexdigest().upper(), "media_type": "image/png", "size": str(len(png()))}
    assert give(http, order, png(), **right).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a" + bytes(40),
        b"<html><script>alert(1)</script>",
        b"\xff\xd8\xff<html><script>alert(1)</script></html>",
        b"\x89PNG\r\n\x1a\n<svg onload=alert(1)>",
        b"%PDF-1.4\n<script>alert(1)</script>",
        png()[:-1],
        png() + b"<script>",
        png().replace(b"IDAT", b"IDAX"),
        jpeg()[:-2],
        jpeg()[:20],
        jpeg().replace(b"\xff\xc0", b"\xff\xc4"),
        pdf()[:-8],
        b"x" + pdf(),
        pdf().replace(b"%PDF-1.4", b"%PDF-9.4"),
    ],
)
def test_a_file_that_is_no_complete_jpeg_png_or_pdf_is_refused_under_any_name(content: bytes) -> None:
    with pytest.raises(UnsupportedFile):
        media_type_of(content)


def test_a_file_that_cannot_be_taken_leaves_nothing_behind(http: Http) -> None:
    order = with_case(http)
    before = http.app.vault.counts(), http.get(order).json()["version"]
    answer = give(http, order, b"GIF89a" + bytes(40), name="photo.png")
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/file")
    assert (http.app.vault.counts(), http.get(order).json()["version"]) == before


def test_a_file_for_a_refused_command_is_let_go_and_the_refusal_is_on_record(http: Http) -> None:
    order = with_case(http)
    _, before = http.app.vault.counts()
    nowhere = give(http, order, png(), key="e0", about="k9")
    assert (nowhere.status_code, nowhere.json()["rule"]) == (409, "nothing-to-dispute")
    assert http.app.vault.counts()[1] == before
    large = give(http, order, png(padding=1_750_000), key="e1")
    assert (large.status_code, large.json()["rule"]) == (409, "evidence-limits")
    assert http.app.vault.counts()[1] == before
    assert http.get(f"{order}/history").json()[-1]["event"] == "CommandRefused"
    assert give(http, order, png(padding=5_000_000), key="e2").status_code == 413


def test_five_files_a_side_and_no_sixth(http: Http) -> None:
    order = with_case(http)
    for number in range(5):
        assert give(http, order, png(shade=number), key=f"e{number}").status_code == 200
    sixth = give(http, order, png(shade=9), key="e9")
    assert (sixth.status_code, sixth.json()["rule"]) == (409, "evidence-limits")
    assert give(http, order, jpeg(), key="s1", actor=json.dumps(SELLER)).status_code == 200


def test_the_same_evidence_file_again_gets_the_first_answer_and_is_stored_once(http: Http) -> None:
    order = with_case(http)
    first = give(http, order, png())
    _, stored = http.app.vault.counts()
    repeated = give(http, order, png())
    assert (repeated.status_code, repeated.content) == (200, first.content)
    assert repeated.headers["rescind-replayed"] == "true"
    assert http.app.vault.counts()[1] == stored
    other = give(http, order, jpeg())
    assert (other.status_code, other.json()["rule"]) == (422, "command-id-reused")
    assert http.app.vault.counts()[1] == stored
    assert http.get(f"{order}/evidence/e1").content == png()


def test_evidence_named_without_its_file_may_get_it_later_if_the_hash_fits(http: Http) -> None:
    order = with_case(http)
    fields = {"sha256": hashlib.sha256(png()).hexdigest(), "media_type": "image/png", "size": len(png())}
    body = {"actor": BUYER, "about": "k1", "kind": "photo", "evidence_id": "p1", **fields}
    assert http.post(f"{order}/evidence", body, "a1").status_code == 200
    missing = http.get(f"{order}/evidence/p1")
    assert (missing.status_code, missing.json()["rule"]) == (404, "no-such-file")
    later = give(http, order, png(), key="a2", evidence_id="p1")
    assert (later.status_code, later.json()["events"]) == (200, [])
    assert http.get(f"{order}/evidence/p1").content == png()
    wrong = give(http, order, jpeg(), key="a3", evidence_id="p1")
    assert (wrong.status_code, wrong.json()["rule"]) == (409, "id-exists")


@pytest.mark.parametrize("path", ["evidence/none", "evidence/e1"])
def test_a_caller_who_may_not_see_the_order_cannot_tell_whether_a_file_exists(http: Http, path: str) -> None:
    order = with_case(http)
    give(http, order, png())
    tokened = Tokened(http)
    try:
        expected = 200 if path.endswith("e1") else 404
        assert tokened.status("buyer", f"{order}/{path}") == expected
        assert tokened.status("seller", f"{order}/{path}") == expected
        assert tokened.status("support", f"{order}/{path}") == expected
        assert tokened.status("stranger", f"{order}/{path}") == 404
        assert tokened.status("nobody", f"{order}/{path}") == 401
    finally:
        tokened.close()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"--x\r\n", 422),
        (b'--x\r\nContent-Disposition: form-data; name="about"\r\n\r\nk1\r\n--x--\r\n', 422),
        (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhello\r\n--x--\r\n', 422),
        (b'--x\r\nContent-Disposition: form-data; name="actor"\r\n\r\n{"a":1,"a":2}\r\n--x--\r\n', 422),
    ],
)
def test_a_form_that_is_none_is_answered_and_not_a_defect(http: Http, content: bytes, status: int) -> None:
    order = http.place(policy="peer-to-peer")
    answer = http.raw(f"{order}/evidence", content, media_type="multipart/form-data; boundary=x")
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_form_without_a_boundary_cannot_be_read(http: Http) -> None:
    order = http.place(policy="peer-to-peer")
    answer = http.raw(f"{order}/evidence", b"--x--", media_type="multipart/form-data")
    assert (answer.status_code, answer.json()["rule"]) == (400, "form")


def test_replay_is_byte_identical_before_and_after_a_subject_is_erased_with_files_too(tmp_path: Path) -> None:
    with served(tmp_path) as http:
        order = with_case(http)
        give(http, order, png(), note="The box was open.")
        give(http, order, jpeg(), key="s1", actor=json.dumps(SELLER))
        history = http.get(f"{order}/history").content
        shown = http.get(order).content
        records = log(http)
        erase = {
            "command": "EraseSubject",
            "subject": "b-7",
            "actor": SUPPORT,
            "command_id": "x1",
            "marketplace": "acme",
        }
        http.app.engine.submit(parsed(erase)).result(10)
        http.app.vault.erase("acme", "b-7")
        gone = http.get(f"{order}/evidence/e1")
        assert (gone.status_code, gone.json()["rule"]) == (404, "no-such-file")
        assert http.get(f"{order}/evidence/s1").content == jpeg(), "another subject's file stays"
    with served(tmp_path) as http:
        assert http.get(f"{order}/history").content == history
        assert http.get(order).content == shown
        assert log(http)[: len(records)] == records
        assert http.get(f"{order}/evidence/e1").status_code == 404


def log(http: Http) -> list[bytes]:
    """Every record of the journal, partition by partition."""
    journal = http.app.journal
    return [
        record.value
        for partition in range(journal.partitions)
        for record in journal.read(partition, 0, journal.end(partition))
    ]


def parsed(body: dict[str, Any]) -> Any:
    from domain.commands import parse_command

    return parse_command(body)
