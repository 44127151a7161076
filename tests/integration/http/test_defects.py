"""A defect of ours is answered without internals, and found in the log by its reference; a client that breaks off is no
defect."""

import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.http.client import Http, placing
from tests.integration.http.running import running


def broken(*_: object) -> None:
    try:
        raise KeyError("deeper\nsecret")
    except KeyError as cause:
        raise RuntimeError("secret detail") from cause


def test_a_defect_is_500_without_its_insides_and_the_log_has_it_in_one_line(
    http: Http, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http.app.engine, "call", broken)
    answer = http.get("/v1/acme/orders/x")
    document = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    reference = document["instance"].removeprefix("urn:rescind:defect:")
    assert re.fullmatch("[0-9a-f]{12}", reference) and reference in document["detail"]
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(f"rescind: defect {reference}: GET '/v1/acme/orders/x': RuntimeError('secret detail') at ")
    assert f"{Path(__file__).name}:" in line and "infra/http/reads.py:" in line
    assert "caused by KeyError(" in line


def test_the_page_of_a_defect_shows_its_own_reference(
    http: Http, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http.app.engine, "call", broken)
    pages = [http.get("/o/acme/x") for _ in range(2)]
    assert [(page.status_code, page.headers["content-type"]) for page in pages] == [
        (500, "text/html; charset=utf-8")
    ] * 2
    logged = re.findall(r"^rescind: defect ([0-9a-f]{12}):", capfd.readouterr().err, re.MULTILINE)
    assert len(set(logged)) == 2
    assert all(reference in page.text for reference, page in zip(logged, pages, strict=True))


def test_an_answer_that_breaks_in_the_middle_is_seen_to_be_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def breaks(self: Any, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("in the middle")

    with running(tmp_path) as (_, address), httpx.Client(base_url=address) as client:
        monkeypatch.setattr("starlette.responses.Response.__call__", breaks)
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("healthz")
    stderr = capfd.readouterr().err
    assert "RuntimeError('in the middle')" in stderr and "Traceback" not in stderr


@pytest.mark.parametrize("below", ["/v1/acme/orders", "/v1/acme/orders/x/evidence"])
def test_a_client_that_breaks_off_its_upload_leaves_nothing_behind_and_nothing_in_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], below: str
) -> None:
    kind = "application/json" if below.endswith("orders") else "multipart/form-data; boundary=x"
    with running(tmp_path) as (_, address):
        host = urlsplit(address)
        with socket.create_connection((host.hostname, host.port), 10) as one:
            head = f"POST {below} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nIdempotency-Key: k\r\n"
            one.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n".encode())
            assert one.recv(1000).startswith(b"HTTP/1.1 100 "), "it is being read"
            one.sendall(b"--x")
        with httpx.Client(base_url=address) as client:
            placed = client.post("v1/acme/orders", json=placing("after"), headers={"Idempotency-Key": "k1"})
            assert placed.status_code == 201
    assert capfd.readouterr().err == ""
