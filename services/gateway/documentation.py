"""The public OpenAPI document, merged from the documents that the services generate from their routes."""

import json
from collections.abc import Iterator, Mapping
from threading import Lock
from time import monotonic
from typing import Any, Final

from common.core.errors import ServiceUnavailable
from common.core.logging import get_logger
from common.http.client.client import HttpClient
from common.http.server.app import API_VERSION, SECURITY_SCHEMES
from services.gateway import log_events
from services.gateway.clients import SERVICES

log = get_logger(__name__)

Document = dict[str, Any]

#: Age after which the document is rebuilt, since a service may have been upgraded.
FRESH_SECONDS: Final = 300.0

_OPERATIONS: Final = frozenset({"get", "post", "put", "patch", "delete"})
_SCHEMA_PREFIX: Final = "#/components/schemas/"

DESCRIPTION: Final = """
Top up a balance by card, write checks with a number and a secret code, accept them.

**Session.** `Authorization: {"sessionID": "<32 upper-case hex digits>"}`, or `Authorization: Bearer <sessionID>`.
Without an active session every other call returns `401 {"message": "not authorized"}`.

**Money** is a JSON integer in the currency's minor unit: `15000` RUB is 150 roubles. **Time** is UTC in whole
seconds, `2026-01-19T09:08:18Z`.

**Errors** are `{"message": "<for a person>", "code": "<for a program>"}`, with `"errors"` by field where fields are
at fault. Unknown fields are rejected. Every response has `X-Request-ID`.

**Idempotency.** Every POST that moves money takes an `Idempotency-Key`. A repeat with the same key and body returns
the stored first response, with `Idempotency-Replayed: true`.

**Paging.** Lists take `limit` and `cursor`; a response has `nextCursor` if there are more items. Newest first.

**Limits.** Too many requests: `429` with `Retry-After`. A body over 64 KiB: `413`.
""".strip()

#: Descriptions of the responses that the gateway itself may return to any call; the body is an ``ErrorBody``.
_GATEWAY_RESPONSES: Final = {
    "429": "Too many requests: retry after the time in Retry-After",
    "500": "Something went wrong on our side",
    "503": "A part of the system is down or busy: retry after the time in Retry-After",
}

_HEALTH: Final[Document] = {
    "get": {
        "summary": "Whether the process is alive.",
        "operationId": "healthz",
        "tags": ["Operation"],
        "responses": {
            "200": {
                "description": "OK",
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "properties": {"status": {"type": "string", "const": "ok"}},
                            "required": ["status"],
                        }
                    }
                },
            }
        },
    }
}


class PublicDocument:
    """The document as bytes, built at the first request and rebuilt when it is older than ``FRESH_SECONDS``."""

    def __init__(self, services: Mapping[str, HttpClient], public_url: str) -> None:
        self._services = services
        self._public_url = public_url
        self._lock = Lock()
        self._body: bytes | None = None
        self._made_at = 0.0

    def body(self) -> bytes:
        """Return JSON; raises ServiceUnavailable if a service does not respond and there is no older document."""
        with self._lock:
            if self._body is None or monotonic() - self._made_at > FRESH_SECONDS:
                try:
                    self._body = self._make()
                except ServiceUnavailable:
                    if self._body is None:
                        raise
                    log.warning(log_events.OPENAPI_DOCUMENT_STALE)
                self._made_at = monotonic()
            return self._body

    def _make(self) -> bytes:
        documents = {name: self._fetch(name) for name in SERVICES}
        return json.dumps(merge(documents, self._public_url), ensure_ascii=False).encode()

    def _fetch(self, name: str) -> Document:
        answer = self._services[name].request("GET", "/openapi.json", headers={})
        if answer.status != 200:
            raise ServiceUnavailable
        document: Document = json.loads(answer.body)
        return document


def merge(documents: Mapping[str, Document], public_url: str) -> Document:
    """Return one document with the public operations of all services (name -> its document).

    Equal schemas of the same name are merged; of different ones, each later one is prefixed with its service's name.
    """
    merged: Document = {
        "openapi": "3.1.0",
        "info": {"title": "FastCheck", "version": API_VERSION, "description": DESCRIPTION},
        # The first server is the origin of the document: the page that shows it may call no other.
        "servers": [{"url": "/", "description": "here"}, {"url": public_url, "description": "to the public"}],
        "tags": [],
        "paths": {},
        "components": {
            "schemas": {},
            "securitySchemes": dict(SECURITY_SCHEMES),
            "headers": {
                "X-Request-ID": {
                    "description": "identifies this request in the logs; quote it in support requests",
                    "schema": {"type": "string"},
                },
                "Retry-After": {"description": "seconds", "schema": {"type": "integer", "minimum": 0}},
            },
        },
    }
    for service, document in documents.items():
        _add(merged, service, document)
    merged["paths"]["/healthz"] = json.loads(json.dumps(_HEALTH))
    for operation in _operations(merged):
        _complete(operation)
    return merged


def _add(merged: Document, service: str, document: Document) -> None:
    schemas = merged["components"]["schemas"]
    own = document.get("components", {}).get("schemas", {})
    names = _names(own, schemas, service.title().replace("_", ""))
    for name, schema in own.items():
        schemas[names[name]] = _renamed(schema, names)
    for path, item in document.get("paths", {}).items():
        if not path.startswith("/internal"):
            merged["paths"][path] = _renamed(item, names)
    known = {tag["name"] for tag in merged["tags"]}
    merged["tags"] += [tag for tag in document.get("tags", []) if tag["name"] not in known]


def _names(own: Mapping[str, Document], taken: Mapping[str, Document], prefix: str) -> dict[str, str]:
    """Return the names under which a service's schemas are merged.

    A schema that refers to a renamed one differs too, so this repeats until nothing changes.
    """
    names = {name: name for name in own}
    while True:
        clashing = {
            name
            for name, schema in own.items()
            if names[name] == name and name in taken and taken[name] != _renamed(schema, names)
        }
        if not clashing:
            return names
        names.update({name: prefix + name for name in clashing})


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return a copy with every schema reference renamed."""
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    if isinstance(value, str) and value.startswith(_SCHEMA_PREFIX):
        name = value.removeprefix(_SCHEMA_PREFIX)
        return _SCHEMA_PREFIX + names.get(name, name)
    return value


def _operations(document: Document) -> Iterator[Document]:
    for item in document["paths"].values():
        yield from (operation for method, operation in item.items() if method in _OPERATIONS)


def _complete(operation: Document) -> None:
    """Add the gateway's own responses, unless the service documents them, and the headers of every response."""
    answers = operation.setdefault("responses", {})
    for status, description in _GATEWAY_RESPONSES.items():
        answers.setdefault(status, _error(description))
    if operation.get("security"):
        answers.setdefault("401", _error("No active session", "NotAuthorizedBody"))
    if "requestBody" in operation:
        answers.setdefault("413", _error("The body is over 64 KiB"))
    for status, answer in answers.items():
        headers = answer.setdefault("headers", {})
        headers["X-Request-ID"] = {"$ref": "#/components/headers/X-Request-ID"}
        if status in ("429", "503"):
            headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}


def _error(description: str, schema: str = "ErrorBody") -> Document:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": _SCHEMA_PREFIX + schema}}},
    }
