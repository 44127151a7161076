"""Connections over a real network: each part of a request has its time, so many fit and no more, and nothing spins."""

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.cli.driving import RESCIND
from tests.integration.http.client import placing
from tests.integration.http.running import running

TIMEOUT = 30
"""Seconds after which a test fails that waits for the server."""
HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def connect(address: str) -> socket.socket:
    found = urlsplit(address)
    assert found.hostname is not None and found.port is not None
    return socket.create_connection((found.hostname, found.port), TIMEOUT)


def to_the_end(connection: socket.socket) -> bytes:
    """The bytes that are received until the server closes the connection."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65_536):
            found += chunk
    return found


def spoken(address: str, *parts: bytes) -> bytes:
    """The server's answer to these bytes, until it closes the connection."""
    with connect(address) as connection:
        for part in parts:
            connection.sendall(part)
        return to_the_end(connection)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def problem(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    stderr: dict[str, Any] = json.loads(body)
    return stderr


# ---- each part has its time -----------------------------------------------------------------------------------------


def test_incomplete_headers_are_not_waited_for(tmp_path: Path) -> None:
    with running(tmp_path, timeout_header=0.2, timeout_body=60, timeout_keep_alive=60) as (_, address):
        for begun in (HEAD, b"GET /he", b""):
            answer = spoken(address, begun)
            assert (status(answer), problem(answer)["rule"]) == (408, "request-timeout"), begun


def test_headers_sent_byte_by_byte_get_no_more_time(tmp_path: Path) -> None:
    with running(tmp_path, timeout_header=0.3) as (_, address), connect(address) as connection:
        connection.settimeout(0.02)
        connection.sendall(HEAD)
        until = time.monotonic() + TIMEOUT
        answer = b""
        while not answer and time.monotonic() < until:
            with contextlib.suppress(TimeoutError, ConnectionError):
                connection.sendall(b"X")
                answer = connection.recv(65_536)
        assert status(answer) == 408


def test_the_second_request_of_a_connection_has_its_time_too(tmp_path: Path) -> None:
    with running(tmp_path, timeout_header=0.2, timeout_keep_alive=60) as (_, address), connect(address) as connection:
        connection.sendall(HEAD + b"\r\n")
        assert b"200 OK" in connection.recv(65_536)
        connection.sendall(HEAD)
        assert b" 408 " in to_the_end(connection)


@pytest.mark.parametrize("how", [b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"])
def test_an_incomplete_body_is_not_waited_for(tmp_path: Path, how: bytes) -> None:
    head = (
        b"POST /v1/acme/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\n"
    )
    with running(tmp_path, timeout_header=60, timeout_body=0.2) as (_, address):
        answer = spoken(address, head + how)
        assert (status(answer), problem(answer)["rule"]) == (408, "request-timeout")


def test_a_connection_without_a_request_is_closed(tmp_path: Path) -> None:
    with running(tmp_path, timeout_header=60, timeout_keep_alive=0.2) as (_, address):
        assert status(spoken(address, HEAD + b"\r\n")) == 200


def test_an_answer_that_nobody_takes_ends_its_connection(tmp_path: Path) -> None:
    with running(tmp_path, timeout_write=0.2, timeout_keep_alive=60) as (_, address):
        lines = [{"line": n, "sku": "A", "quantity": 1, "unit_price": "1.00"} for n in range(1, 2_001)]
        placed = httpx.post(
            f"{address}v1/acme/orders", json={**placing("big"), "lines": lines}, headers=KEY, timeout=TIMEOUT
        )
        assert placed.status_code == 201
        with connect(address) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            admin_client = b"GET /v1/acme/orders/big/history HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            with contextlib.suppress(ConnectionError):
                for _ in range(200):
                    connection.sendall(admin_client)
            until = time.monotonic() + TIMEOUT
            while time.monotonic() < until and _is_open(connection):
                time.sleep(0.02)
            assert not _is_open(connection)


KEY = {"Idempotency-Key": "k1"}


def _is_open(connection: socket.socket) -> bool:
    """Whether the other end has not broken the connection off; reads nothing."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] not in (7, 10, 11)


# ---- so many fit ----------------------------------------------------------------------------------------------------


def test_connections_beyond_the_limit_are_answered_503(tmp_path: Path) -> None:
    with running(tmp_path, limit_connections=4, timeout_header=60) as (_, address), ExitStack() as held:
        for _ in range(4):
            held.enter_context(connect(address)).sendall(HEAD)
        answer = _refused(address)
        assert problem(answer)["rule"] == "too-many-connections"
        assert b"retry-after: 1" in answer.lower()
        held.close()
        _still_served(address)


def test_a_flood_of_half_requests_ends_and_leaves_the_server_serving(tmp_path: Path) -> None:
    with running(tmp_path, limit_connections=50, timeout_header=0.5) as (_, address), ExitStack() as held:
        flood = [held.enter_context(connect(address)) for _ in range(200)]
        for each in flood:
            with contextlib.suppress(ConnectionError):
                each.sendall(HEAD)
        for each in flood:
            each.settimeout(TIMEOUT)
            assert status(to_the_end(each) or b"HTTP/1.1 503 cut off") in (408, 503)
        _still_served(address)


def _refused(address: str) -> bytes:
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        with connect(address) as connection:
            connection.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                answer = to_the_end(connection)
                if status(answer) == 503:
                    return answer
    raise AssertionError("no connection was refused")


def _still_served(address: str) -> None:
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{address}healthz", timeout=TIMEOUT).status_code == 200:
                return
    raise AssertionError("the server does not serve")


# ---- what is no request ---------------------------------------------------------------------------------------------


def test_a_length_beside_chunks_ends_the_connection(tmp_path: Path) -> None:
    body = json.dumps(placing("te-1")).encode()
    head = (
        b"POST /v1/acme/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nIdempotency-Key: k1\r\n"
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with running(tmp_path, timeout_header=60, timeout_keep_alive=60) as (_, address):
        smuggled = b"GET /v1/acme/orders/te-1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        answer = spoken(address, head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) + smuggled)
        assert status(answer) == 201
        assert answer.count(b"HTTP/1.1 ") == 1, "what follows is not taken for a request"
        assert b"connection: close" in answer.lower()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + b"1" * 5_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    ],
)
def test_an_invalid_request_is_answered_400_and_ends_the_connection(tmp_path: Path, sent: bytes) -> None:
    with running(tmp_path, timeout_header=60) as (_, address):
        answer = spoken(address, sent)
        assert not answer or status(answer) in (400, 501), answer
        _still_served(address)


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"-1\r\n", b"5\r\nabcdefgh\r\n", b"1" * 5_000 + b"\r\n"])
def test_a_broken_chunk_ends_the_connection_and_is_no_defect(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], chunk: bytes
) -> None:
    head = (
        b"POST /v1/acme/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nIdempotency-Key: k1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    with running(tmp_path, timeout_header=60, timeout_body=60) as (_, address):
        assert status(spoken(address, head, chunk)) == 400
        _still_served(address)
    assert "Traceback" not in capfd.readouterr().err


# ---- a real process -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def process(directory: Path, *arguments: str, files: int | None = None, **settings: str) -> Iterator[tuple[str, Path]]:
    """`rescind serve` of its own, with so many file descriptors; its address, and the file of its standard error."""
    stderr = directory / "stderr"
    limit = "" if files is None else f"ulimit -n {files} && "
    environment = os.environ | {"RESCIND_JOURNAL": f"sqlite:///{directory}/journal", "RESCIND_POST": "off"} | settings
    with stderr.open("wb") as err:
        server = subprocess.Popen(
            ["/bin/sh", "-c", f'{limit}exec "$@"', "sh", RESCIND, "serve", "--port", "0", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=err,
        )
        try:
            assert server.stdout is not None
            yield server.stdout.readline().decode().rpartition(" ")[2].strip(), stderr
        finally:
            server.terminate()
            server.wait(TIMEOUT)
            if server.stdout is not None:
                server.stdout.close()


def test_a_server_without_file_descriptors_waits_and_reports_it_once(tmp_path: Path) -> None:
    with process(tmp_path, files=80, RESCIND_TIMEOUT_HEADER="2") as (address, stderr), ExitStack() as held:
        for _ in range(150):
            held.enter_context(connect(address)).sendall(HEAD)
        until = time.monotonic() + TIMEOUT
        while "no connection can be accepted" not in stderr.read_text() and time.monotonic() < until:
            time.sleep(0.05)
        held.close()
        _still_served(address)
        output = stderr.read_text()
    assert "Traceback" not in output
    assert output.count("no connection can be accepted (Too many open files)") >= 1
    assert len(output) < 10_000, output[:2_000]


def test_invalid_requests_write_no_line_to_standard_error(tmp_path: Path) -> None:
    """uvicorn configures logging again when it starts, and that had undone our level."""
    chunk = b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    upgrade = HEAD + b"Connection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
    with process(tmp_path) as (address, stderr):
        for wrong in (
            b"\x00garbage\r\n\r\n",
            b"GET\r\n\r\n",
            HEAD + b"x y: z\r\n\r\n",
            b"PUT" + HEAD[3:] + chunk,
            upgrade,
        ):
            spoken(address, wrong)
        _still_served(address)
        output = stderr.read_text()
    assert output == ""


def test_a_server_answers_at_the_address_of_its_host_option(tmp_path: Path) -> None:
    with process(tmp_path, "--host", "127.0.0.2") as (address, _):
        assert address.startswith("http://127.0.0.2:")
        assert httpx.get(f"{address}readyz").status_code == 200
        placed = httpx.post(f"{address}v1/acme/orders", json=placing("PO-1"), headers=KEY)
        assert placed.status_code == 201
        assert httpx.get(f"{address}o/acme/PO-1").status_code == 200
