"""The public OpenAPI document: the documents that the services generate from their routes, merged and completed.

``operation_catalog`` adds ids, descriptions and examples, ``error_catalog`` the meaning of error codes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from time import monotonic
from typing import Any, Final

from common.core.errors import ServiceUnavailable
from common.core.logging import get_logger
from common.http.client.client import HttpClient
from common.http.server.app import API_VERSION, SECURITY_SCHEMES
from services.gateway import log_events
from services.gateway.clients import SERVICES
from services.gateway.error_catalog import ERROR_CODES
from services.gateway.operation_catalog import LISTS_WITH_CSV, OPERATIONS, OperationEntry

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
at fault. Unknown fields are rejected. Every response has `X-Request-ID`. `Accept: application/problem+json` selects
problem details (RFC 9457) with the same `code` and `errors`; `Accept-Language: ru` selects Russian messages.

**Idempotency.** Every POST that moves money takes an `Idempotency-Key`. A repeat with the same key and body returns
the stored first response, with `Idempotency-Replayed: true`.

**Paging.** Lists take `limit` and `cursor`; a response has `nextCursor` if there are more items. Newest first.

**Polling.** A read has an `ETag`. Send it in `If-None-Match`: the response is `304` without a body until it changes.

**Versions.** Every path is also available below `/v1`, with the same meaning. A breaking change would come as `/v2`.

**Limits.** Too many requests: `429` with `Retry-After`. A body over 64 KiB: `413`.
""".strip()

#: Descriptions of error responses. The body is an ``ErrorBody``.
_DESCRIPTIONS: Final = {
    "400": "The request is not valid.",
    "401": "There is no active session.",
    "403": "The request is forbidden.",
    "404": "Not found.",
    "409": "The request conflicts with the state of its object.",
    "410": "The check has ended.",
    "411": "The body has no declared length.",
    "413": "The body is too large.",
    "422": "The `Idempotency-Key` was used with another request.",
    "429": "Too many requests or attempts.",
    "500": "Something went wrong on our side.",
    "502": "The bank did not create the payment.",
    "503": "A part of the system is down or busy.",
}

#: Codes that every request may get, by status.
_COMMON_CODES: Final[dict[str, tuple[str, ...]]] = {
    "400": ("invalid_request", "bad_request"),
    "429": ("too_many_requests",),
    "500": ("internal_error",),
    "503": ("temporarily_unavailable",),
}
_BODY_CODES: Final = {"411": ("length_required",), "413": ("request_entity_too_large",)}
_KEY_CODES: Final = {"409": ("request_in_progress",), "422": ("idempotency_key_reused",)}

#: The body without a session, which has no code.
_NO_SESSION: Final = {"message": "not authorized"}

_HEADERS: Final[Document] = {
    "X-Request-ID": {
        "description": "Identifies this request in the logs; quote it in support requests.",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds after which to retry.", "schema": {"type": "integer", "minimum": 0}},
    "Idempotency-Replayed": {
        "description": "`true` if this is the stored response to an earlier request with the same `Idempotency-Key`.",
        "schema": {"type": "string", "const": "true"},
    },
    "ETag": {
        "description": "Identifies this content; send it in `If-None-Match` to poll.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What remains of the limit that this request counted against (IETF draft `ratelimit-headers`).",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "The limit that this request counted against (IETF draft `ratelimit-headers`).",
        "schema": {"type": "string"},
    },
}
_IF_NONE_MATCH: Final[Document] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "the `ETag` of an earlier response; if nothing has changed, the response is 304 without a body",
    "schema": {"type": "string"},
}
_REPLAYED_STATUSES: Final = frozenset({"200", "201", "404", "409", "410"})
_WAITING_STATUSES: Final = frozenset({"429", "503"})

_BEARER: Final[Document] = {
    "type": "http",
    "scheme": "bearer",
    "description": "The `sessionID` alone: 32 upper-case hex digits.",
}

_HEALTH: Final[Document] = {
    "get": {
        "summary": "Whether the process is alive.",
        "operationId": "getHealth",
        "description": "Responds as long as the process lives, regardless of other processes.",
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
            "securitySchemes": {"bearer": _BEARER, **SECURITY_SCHEMES},
            "headers": _HEADERS,
        },
    }
    for service, document in documents.items():
        _add(merged, service, document)
    merged["paths"]["/healthz"] = _HEALTH
    # Literals are shared, so each operation gets a copy of its own. Bounds of integers are floats in flask-openapi3.
    merged = json.loads(json.dumps(merged), parse_float=_shortest)
    for method, path, operation in _operations(merged):
        _complete(operation, OPERATIONS.get((method, path)))
        if operation.get("operationId") in LISTS_WITH_CSV:
            _add_csv(operation)
        if method == "get" and operation.get("security"):
            _make_conditional(operation)
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


def _operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, item in document["paths"].items():
        yield from ((method, path, operation) for method, operation in item.items() if method in _OPERATIONS)


def _shortest(number: str) -> float:
    value = float(number)
    return int(value) if value.is_integer() else value


def _complete(operation: Document, entry: OperationEntry | None) -> None:
    """Add id, description and examples of the entry, the gateway's own responses, and headers."""
    if entry is not None:
        operation["operationId"], operation["description"] = entry.operation_id, entry.description
        _add_example(operation.get("requestBody", {}), entry.request)
    if operation.get("security"):
        operation["security"] = [{"bearer": []}, *operation["security"]]
    takes_key = any(parameter.get("name") == "Idempotency-Key" for parameter in operation.get("parameters", ()))
    responses = operation.setdefault("responses", {})
    for status, codes in _codes(operation, entry, takes_key=takes_key).items():
        secured = status == "401" and "security" in operation
        responses[status] = _error(_DESCRIPTIONS.get(status, "Error."), codes, without_code=secured)
    for status, response in responses.items():
        if status.startswith("2") and entry is not None:
            _add_example(response, entry.response)
        response["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"}
            for name in _header_names(status, takes_key=takes_key, limited=entry is not None and entry.has_rate_limit)
        }


def _add_csv(operation: Document) -> None:
    """Document the export of a list in words; see ``csv_export``.

    A second content type would make the response of generated clients a list or a string, in every call.
    """
    operation["description"] += (
        " `Accept: text/csv` returns the whole list as CSV, without pages; amounts are in minor units, and a text that "
        "begins like a formula has an apostrophe before it."
    )


def _make_conditional(operation: Document) -> None:
    """Document the conditional form of a read; see ``conditional``."""
    operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
    read = operation["responses"]["200"]
    read["headers"] |= {"ETag": {"$ref": "#/components/headers/ETag"}}
    operation["responses"]["304"] = {
        "description": "The response has not changed since the `ETag` in `If-None-Match`.",
        "headers": read["headers"],
    }


def _codes(operation: Document, entry: OperationEntry | None, *, takes_key: bool) -> dict[str, list[str]]:
    """Return the codes of each error response: those that the services document, and the gateway's own."""
    found: dict[str, list[str]] = {status: [] for status in operation["responses"] if status >= "400"}
    if operation.get("security"):
        found.setdefault("401", [])
    sources = (
        entry.codes if entry else {},
        _KEY_CODES if takes_key else {},
        _BODY_CODES if "requestBody" in operation else {},
        _COMMON_CODES,
    )
    for codes in sources:
        for status, names in codes.items():
            found.setdefault(status, []).extend(names)
    return found


def _header_names(status: str, *, takes_key: bool, limited: bool) -> Iterator[str]:
    yield "X-Request-ID"
    if status in _WAITING_STATUSES:
        yield "Retry-After"
    if takes_key and status in _REPLAYED_STATUSES:
        yield "Idempotency-Replayed"
    if limited:
        yield from ("RateLimit", "RateLimit-Policy")


def _error(description: str, codes: Sequence[str], *, without_code: bool) -> Document:
    """Return an error response with a line and an example for each code."""
    known = {code: ERROR_CODES[code] for code in codes}
    lines = [f"- `{code}`: {entry.meaning} {entry.retry}" for code, entry in known.items()]
    examples = {
        code: {"summary": entry.meaning, "value": {"message": entry.message, "code": code}}
        for code, entry in known.items()
    }
    if without_code:
        lines.append("- Without a code: the session is missing, unknown, expired or ended. Sign in again.")
        examples["no_session"] = {"summary": "There is no active session.", "value": _NO_SESSION}
    content: Document = {"schema": {"$ref": _SCHEMA_PREFIX + "ErrorBody"}}
    if examples:
        content["examples"] = examples
    return {"description": "\n".join([description, "", *lines]).strip(), "content": {"application/json": content}}


def _add_example(described: Document, example: Any) -> None:
    content = described.get("content", {}).get("application/json")
    if content is not None and example is not None:
        content["example"] = example
