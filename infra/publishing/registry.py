"""A schema registry over HTTP: the part of Confluent's API that publishing needs.

Each contract is registered under its own name (the strategy that clients call RecordName), with compatibility
FULL_TRANSITIVE, when its first record goes out; the registry's id is framed then. Ids are remembered as long as the
process lives.
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
    """``SchemaIds`` of a registry. Any thread may ask."""

    def __init__(self, url: str, credentials: str | None = None, timeout: float = 5.0) -> None:
        """``credentials``: ``user:password``. ``timeout``: seconds for one answer."""
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._headers = {"Content-Type": _TYPE, "Accept": _TYPE}
        if credentials is not None:
            self._headers["Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        self._ids: dict[Contract, int] = {}
        self._known = frozenset(all_contracts())
        self._turn = threading.Lock()

    def id_of(self, contract: Contract) -> int:
        found = self._ids.get(contract)
        if found is None:
            if contract not in self._known:
                raise LookupError(f"this release knows no contract {contract}")
            with self._turn:
                found = self._ids[contract] = self._register(contract)
        return found

    def _register(self, contract: Contract) -> int:
        """Earlier versions first, so that the registry has them in their order."""
        subject = urllib.parse.quote(contract.name, safe="")
        self._ask("PUT", f"/config/{subject}", {"compatibility": "FULL_TRANSITIVE"})
        answer: dict[str, Any] = {}
        for version in range(1, contract.version + 1):
            schema = schema_text(contract._replace(version=version))
            answer = self._ask("POST", f"/subjects/{subject}/versions", {"schema": schema, "schemaType": "AVRO"})
        number = answer.get("id")
        if not isinstance(number, int):
            raise RegistryUnavailable(f"{self._url} gave no id for {contract}: is it a schema registry?")
        return number

    def _ask(self, method: str, path: str, body: dict[str, str]) -> dict[str, Any]:
        asked = urllib.request.Request(
            self._url + path, json.dumps(body).encode(), self._headers, method=method
        )  # fmt: skip
        try:
            with urllib.request.urlopen(asked, timeout=self._timeout) as answer:
                said = json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                why = refused.read(2_000).decode("utf-8", "replace")
            raise RegistryUnavailable(f"{self._url}{path} answers {refused.code}: {why}") from refused
        except (OSError, ValueError) as wrong:
            raise RegistryUnavailable(f"the schema registry {self._url} does not answer: {wrong}") from wrong
        return said if isinstance(said, dict) else {}
