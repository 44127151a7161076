"""PostgreSQL has no text with a NUL in it: a request for one is answered as not found, as with SQLite."""

from pathlib import Path

import pytest

from tests.integration.http.client import served

pytestmark = pytest.mark.postgresql


def test_nothing_is_found_for_a_name_with_a_nul(postgresql: str, tmp_path: Path) -> None:
    with served(tmp_path, views=postgresql, vault=postgresql) as http:
        http.place()
        found = {
            path: http.get(path).status_code
            for path in (
                "/v1/acme/orders?seller=s%00",
                "/v1/acme/orders?po=%00",
                "/v1/acme/orders?after=2026-03-02T10:00:00Z~%00",
                "/v1/a%00b/orders",
                "/v1/acme/sellers/%00/dashboard",
                "/v1/acme/buyers/%00/contact",
                "/o/acme?q=%00",
                "/o/a%00b",
            )
        }
    assert found == {
        "/v1/acme/orders?seller=s%00": 200,
        "/v1/acme/orders?po=%00": 200,
        "/v1/acme/orders?after=2026-03-02T10:00:00Z~%00": 200,
        "/v1/a%00b/orders": 404,
        "/v1/acme/sellers/%00/dashboard": 404,
        "/v1/acme/buyers/%00/contact": 404,
        "/o/acme?q=%00": 200,
        "/o/a%00b": 404,
    }
