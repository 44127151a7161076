"""The contacts of buyers and sellers over HTTP: set by themselves, support and systems, and erased with the person."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import HTTPConnection

from consumers.ports.notifications import Contact
from domain.commands import parse_command
from infra.app import AppOptions, open_app
from infra.http.authenticator import Principal
from infra.server.server import create
from infra.settings import load_settings
from tests.integration.cli.driving import Store
from tests.integration.http.client import HERE, SUPPORT, Http
from tests.integration.kafka.waiting import wait_until

BUYER = "/v1/acme/buyers/b-7/contact"
SELLER = "/v1/acme/sellers/s-3/contact"
BEA = {"address": "bea@example.org", "name": "Béa", "language": "de"}


class HeaderAuthenticator:
    """An authenticator that trusts a header; without the header it is a trusted caller."""

    def identify(self, request: HTTPConnection, marketplace: str | None) -> Principal:
        kind, _, name = request.headers.get("x-caller", "").partition("/")
        return Principal(kind or None, name)


class Desk(Http):
    """Requests of any method, by any caller."""

    def request(self, method: str, path: str, by: str = "", **more: Any) -> httpx.Response:
        headers = {"x-caller": by, **more.pop("headers", {})}
        return self._runner.run(self._client.request(method, path, headers=headers, **more))


def desk(directory: Path, **settings: str) -> Iterator[Desk]:
    made = load_settings(journal=f"sqlite:///{directory}/journal", synchronous="normal", **settings)
    with open_app(made, AppOptions(publish=True)) as app:
        found = Desk(app)
        found._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(create(app, HeaderAuthenticator()), raise_app_exceptions=False), base_url=HERE
        )
        yield found
        found.close()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Desk]:
    yield from desk(tmp_path)


def test_a_contact_is_stored_shown_replaced_and_removed(here: Desk) -> None:
    assert here.request("GET", BUYER).status_code == 404
    document = here.request("PUT", BUYER, json=BEA)
    assert (document.status_code, document.json(), document.headers["cache-control"]) == (200, BEA, "no-store")
    assert here.request("GET", BUYER).json() == BEA
    assert here.request("PUT", BUYER, json={"address": "b7@example.org"}).status_code == 200
    assert here.request("GET", BUYER).json() == {"address": "b7@example.org", "name": None, "language": "en"}
    assert here.request("GET", "/v1/acme/sellers/b-7/contact").status_code == 404, (
        "a seller of that name is somebody else"
    )
    assert here.request("GET", "/v1/shop/buyers/b-7/contact").status_code == 404
    assert here.request("DELETE", BUYER).status_code == 204
    assert here.request("DELETE", BUYER).status_code == 404
    assert here.request("GET", BUYER).status_code == 404


def test_a_read_in_an_unknown_marketplace_names_the_nearest_one_that_the_caller_may_know(here: Desk) -> None:
    here.place()
    assert here.app.views is not None
    assert here.app.views.catch_up(30)
    unknown = here.request("GET", "/v1/acne/buyers/b-7/contact")
    assert (unknown.status_code, unknown.json()["nearest"]) == (404, "acme")
    bound = here.request("GET", "/v1/acne/buyers/b-7/contact", by="buyer/b-7")
    assert (bound.status_code, "acme" in bound.text) == (404, False)


def test_they_are_written_to_there(here: Desk, tmp_path: Path) -> None:
    here.request("PUT", BUYER, json=BEA)
    here.place()
    outbox = tmp_path / "journal" / "outbox"
    wait_until(
        lambda: outbox.is_dir() and any(b"bea@example.org" in mail.read_bytes() for mail in outbox.rglob("*.eml"))
    )


@pytest.mark.parametrize("by", ["buyer/b-7", "support/agent-4", "system/shop"])
def test_a_person_themselves_support_and_systems_may(here: Desk, by: str) -> None:
    assert here.request("PUT", BUYER, by, json=BEA).status_code == 200
    assert here.request("GET", BUYER, by).json() == BEA
    assert here.request("DELETE", BUYER, by).status_code == 204


@pytest.mark.parametrize("by", ["buyer/b-8", "seller/b-7", "seller/s-3", "auditor/a-1"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_to_anybody_else_it_is_as_if_there_were_none(here: Desk, by: str, method: str) -> None:
    here.request("PUT", BUYER, json=BEA)
    there = here.request(method, BUYER, by, json=BEA | {"address": "mallory@example.org"})
    nowhere = here.request(method, BUYER.replace("b-7", "b-9"), by, json=BEA)
    assert there.status_code == nowhere.status_code == 404
    assert there.json() == nowhere.json()
    assert here.request("GET", BUYER).json() == BEA


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"address": "bea@example.org\r\nBcc: mallory@example.org"}, "/address"),
        ({"address": "bea@example.org\n"}, "/address"),
        ({"address": "Béa <bea@example.org>"}, "/address"),
        ({"address": "bea@example.org, mallory@example.org"}, "/address"),
        ({"address": ""}, "/address"),
        ({"address": 7}, "/address"),
        ({"name": "Béa"}, "/address"),
        ({"address": "bea@example.org", "name": "Béa\r\nSubject: money"}, "/name"),
        ({"address": "bea@example.org", "name": "Béa\u202e"}, "/name"),
        ({"address": "bea@example.org", "name": ""}, "/name"),
        ({"address": "bea@example.org", "name": "x" * 201}, "/name"),
        ({"address": "bea@example.org", "language": "fr"}, "/language"),
        ({"address": "bea@example.org", "language": None}, "/language"),
        ({"address": "bea@example.org", "phone": "1"}, "/phone"),
    ],
)
def test_an_invalid_contact_is_refused_by_field_and_the_previous_one_remains(
    here: Desk, body: dict[str, Any], pointer: str
) -> None:
    here.request("PUT", SELLER, json=BEA)
    wrong = here.request("PUT", SELLER, json=body)
    assert (wrong.status_code, wrong.json()["rule"], wrong.json()["pointer"]) == (422, "contact", pointer)
    assert here.request("GET", SELLER).json() == BEA


def test_whose_it_is_has_to_be_an_id(here: Desk, tmp_path: Path) -> None:
    for path in ("/v1/acme/buyers/b%0A7/contact", f"/v1/acme/buyers/{'b' * 201}/contact", "/v1/ACME/buyers/b/contact"):
        assert here.request("PUT", path, json=BEA).status_code == 422, path
    err = Store(tmp_path).rescind("contacts", "set", "acme", "buyer", "b\n7", "--address", "b@example.org", check=2).err
    assert "is no id of a buyer" in err


def test_a_body_is_read_as_strictly_as_any(here: Desk) -> None:
    raw: dict[str, Any] = {"headers": {"content-type": "application/json"}}
    assert here.request("PUT", BUYER, content=b'{"address": "a@b.org", "address": "c@d.org"}', **raw).status_code == 400
    assert here.request("PUT", BUYER, content=b"[]", **raw).status_code == 422
    assert here.request("PUT", BUYER, content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    assert here.request("POST", BUYER, json=BEA).status_code == 405


def test_it_is_in_no_log_and_in_no_file_as_text_and_is_erased_with_the_person(here: Desk, tmp_path: Path) -> None:
    here.request("PUT", BUYER, json=BEA)
    here.request("PUT", SELLER, json={"address": "s3@example.org"})
    for path in (tmp_path / "journal").rglob("*"):
        assert not path.is_file() or b"bea@example.org" not in path.read_bytes(), path
    document = {
        "command": "EraseSubject",
        "command_id": "e1",
        "marketplace": "acme",
        "subject": "b-7",
        "actor": SUPPORT,
    }
    assert here.app.engine.submit(parse_command(document)).result(60).kind == "accepted"
    assert here.app.erasing.catch_up()
    assert here.request("GET", BUYER).status_code == 404
    assert here.request("GET", SELLER).json()["address"] == "s3@example.org"
    here.request("PUT", BUYER, json=BEA)
    assert here.request("GET", BUYER).json() == BEA, "a new subject of the same name is another person"


def test_the_command_line_and_http_share_the_contacts(here: Desk, tmp_path: Path) -> None:
    assert here.app.notifications is not None
    here.request("PUT", BUYER, json=BEA)
    assert here.app.notifications.contacts.contact("acme", "buyer", "b-7") == Contact(**BEA)
    store = Store(tmp_path)
    store.rescind("contacts", "set", "acme", "seller", "s-3", "--address", "s3@example.org")
    assert here.request("GET", SELLER).json()["address"] == "s3@example.org"
    assert store.rescind("contacts", "show", "acme", "buyer", "b-7", "--json").json == BEA


def test_a_process_that_sends_no_notifications_refuses_contacts(tmp_path: Path) -> None:
    for found in desk(tmp_path, post="off"):
        answer = found.request("PUT", BUYER, json=BEA)
        assert (answer.status_code, answer.json()["rule"]) == (503, "no-notifier")
