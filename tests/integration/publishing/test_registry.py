"""Schema ids from a registry: registered once, under their own names, and never made up."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from docs.pages.public_topics import asyncapi, topics_page
from infra.publishing.registry import Registry
from schemas.public.contracts import all_contracts, event_contract, instruction_contract, schema_of
from schemas.public.ids import RegistryUnavailable


class FakeRegistry(ThreadingHTTPServer):
    """The part of Confluent's API that publishing needs; ids are assigned in the order of the requests, from 1000."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.schemas: dict[str, list[str]] = {}
        self.compatibility: dict[str, str] = {}
        self.ids: dict[str, int] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.refuses: tuple[int, str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeRegistry

    def _answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.command, self.path, self.headers.get("Authorization")))
        code, document = 200, self._document(body)
        if self.server.refuses is not None:
            code, text = self.server.refuses
            document = {"error_code": code, "message": text}
        data = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _document(self, body: dict[str, str]) -> dict[str, Any]:
        parts = [unquote(part) for part in self.path.strip("/").split("/")]
        if parts[0] == "config":
            self.server.compatibility[parts[1]] = body["compatibility"]
            return body
        assert (parts[0], parts[2], body["schemaType"]) == ("subjects", "versions", "AVRO")
        schemas = self.server.schemas.setdefault(parts[1], [])
        if body["schema"] not in schemas:
            schemas.append(body["schema"])
        return {"id": self.server.ids.setdefault(body["schema"], 1000 + len(self.server.ids))}

    do_POST = _answer
    do_PUT = _answer  # noqa: N815 - the name that the library looks for

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def server() -> Iterator[FakeRegistry]:
    server = FakeRegistry()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


SHIPPED = event_contract("LineShipped", 1)


def test_a_contract_is_registered_once_under_its_own_name_and_evolves_fully(server: FakeRegistry) -> None:
    registry = Registry(server.url, "rescind:secret")
    memo = instruction_contract("CreditMemoInstruction")
    assert [registry.id_of(c) for c in (SHIPPED, memo, SHIPPED)] == [1000, 1001, 1000]
    assert server.compatibility == dict.fromkeys((SHIPPED.name, memo.name), "FULL_TRANSITIVE")
    assert [json.loads(text) for text in server.schemas[SHIPPED.name]] == [schema_of(SHIPPED)]
    assert len(server.requests) == 4
    assert {authorised for _, _, authorised in server.requests} == {"Basic cmVzY2luZDpzZWNyZXQ="}


def test_the_subjects_are_those_of_the_documentation(server: FakeRegistry) -> None:
    registry, contracts = Registry(server.url), all_contracts()
    for contract in contracts:
        registry.id_of(contract)
    messages = json.loads(asyncapi())["components"]["messages"].values()
    assert set(server.schemas) == {each["x-registry-subject"] for each in messages if "x-registry-subject" in each}
    assert set(server.compatibility.values()) == {"FULL_TRANSITIVE"}
    for subject in ("rescind.order.LineShipped", "rescind.instructions.RefundInstruction"):
        assert subject in server.schemas
        assert f"`{subject}`" in topics_page()


def test_another_process_gets_the_same_id(server: FakeRegistry) -> None:
    assert Registry(server.url).id_of(SHIPPED) == Registry(server.url).id_of(SHIPPED)


def test_a_refusal_has_the_registrys_message_and_is_retried_later(server: FakeRegistry) -> None:
    registry = Registry(server.url)
    server.refuses = (409, "Schema being registered is incompatible")
    with pytest.raises(RegistryUnavailable, match=r"409.*incompatible"):
        registry.id_of(SHIPPED)
    server.refuses = None
    assert registry.id_of(SHIPPED) == 1000


def test_a_registry_that_is_not_there_is_unavailable(server: FakeRegistry) -> None:
    url = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        Registry(url, timeout=1).id_of(SHIPPED)


def test_an_unknown_contract_is_not_registered(server: FakeRegistry) -> None:
    with pytest.raises(LookupError):
        Registry(server.url).id_of(event_contract("Teleported", 1))
    assert server.requests == []
