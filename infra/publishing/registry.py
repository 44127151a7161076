"""A schema registry over HTTP: the part of Confluent's API that publishing needs.

Each contract is registered under its own name (the strategy that clients call RecordName), with compatibility
FULL_TRANSITIVE, when its first record goes out; the record is framed with the registry's id. Ids are cached as long as
the process lives.
"""

import base64
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Final

from schemas.public.contracts import Contract, all_contracts, schema_text
from schemas.public.ids import RegistryUnavailable

_TYPE: Final = "application/vnd.schemaregistry.v1+json"


class Registry:
    """The ``SchemaIds`` of a registry. From any thread."""

    def __init__(self, url: str, credentials: str | None = None, timeout: float = 5.0) -> None:
        """``credentials``: ``user:password``. ``timeout``: seconds for one answer."""
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._headers = {"Content-Type": _TYPE, "Accept": _TYPE}
        if credentials is not None:
            self._headers["Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        self._ids: dict[Contract, int] = {}
        self._known = frozenset(all_contracts())
        self._lock = threading.Lock()

    def id_of(self, contract: Contract) -> int:
        found = self._ids.get(contract)
        if found is None:
            if contract not in self._known:
                raise LookupError(f"this release knows no contract {contract}")
            with self._lock:
                found = self._ids[contract] = self._register(contract)
        return found

    def _register(self, contract: Contract) -> int:
        """Register the contract and its earlier versions, in their order."""
        subject = urllib.parse.quote(contract.name, safe="")
        self._request("PUT", f"/config/{subject}", {"compatibility": "FULL_TRANSITIVE"})
        answer: dict[str, Any] = {}
        for version in range(1, contract.version + 1):
            schema = schema_text(contract._replace(version=version))
            answer = self._request("POST", f"/subjects/{subject}/versions", {"schema": schema, "schemaType": "AVRO"})
        number = answer.get("id")
        if not isinstance(number, int):
            raise RegistryUnavailable(f"{self._url} gave no id for {contract}: is it a schema registry?")
        return number

    def _request(self, method: str, path: str, body: dict[str, str]) -> dict[str, Any]:
        request = urllib.request.Request(
            self._url + path, json.dumps(body).encode(), self._headers, method=method
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                found = json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                why = refused.read(2_000).decode("utf-8", "replace")
            raise RegistryUnavailable(f"{self._url}{path} answers {refused.code}: {why}") from refused
        except (OSError, ValueError) as wrong:
            raise RegistryUnavailable(f"the schema registry {self._url} does not answer: {wrong}") from wrong
        return found if isinstance(found, dict) else {}
