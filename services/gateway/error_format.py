"""The form of error responses that a client asks for: problem details (RFC 9457), and messages in Russian.

``Accept: application/problem+json`` selects problem details, ``Accept-Language: ru`` Russian messages. Other requests
get the response of the service unchanged. The response without a session is fixed by the contract, so its message is
never translated.
"""

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from werkzeug.datastructures import LanguageAccept, MIMEAccept
from werkzeug.http import parse_accept_header

from services.gateway.russian import in_russian, sentence_in_russian

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
ENGLISH: Final = "en"
RUSSIAN: Final = "ru"

#: Identifies the kind of a problem; it has no address of its own (RFC 9457, 3.1.1, allows that).
TYPE_PREFIX: Final = "urn:fastcheck:error:"

#: Number of cached pairs of headers: browsers repeat theirs.
_REMEMBERED: Final = 1024


class Form(NamedTuple):
    """How to write an error."""

    as_problem: bool
    language: str


DEFAULT: Final = Form(as_problem=False, language=ENGLISH)


@lru_cache(maxsize=_REMEMBERED)
def form_of(accept: str, accept_language: str) -> Form:
    """Return the form that these two headers ask for. Only an explicit mention selects problem details."""
    types = parse_accept_header(accept, MIMEAccept)
    explicit = {value: quality for value, quality in types if "*" not in value}
    as_problem = explicit.get(PROBLEM, 0) > 0 and explicit[PROBLEM] >= explicit.get(JSON, 0)
    language = parse_accept_header(accept_language, LanguageAccept).best_match([ENGLISH, RUSSIAN], ENGLISH)
    return Form(as_problem, language or ENGLISH)


class ErrorFormat:
    """WSGI middleware that rewrites JSON error responses."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request on; rewrite an error if the client asks for another form."""
        accept, language = environ.get("HTTP_ACCEPT", ""), environ.get("HTTP_ACCEPT_LANGUAGE", "")
        if PROBLEM not in accept and RUSSIAN not in language.lower():
            return self._app(environ, start_response)
        form = form_of(accept, language)
        if form == DEFAULT:
            return self._app(environ, start_response)
        return self._negotiated(form, environ, start_response)

    def _negotiated(self, form: Form, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        held: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            if status < "400" or not _is_json(headers):
                return start_response(status, headers, exc_info)
            held.append((status, headers))
            return _no_write

        parts = self._app(environ, start)
        if not held:
            return parts
        status, headers = held[0]
        try:
            body = b"".join(parts)
        finally:
            if (close := getattr(parts, "close", None)) is not None:
                close()
        body, headers = _rewritten(body, headers, int(status[:3]), form)
        start_response(status, headers)
        return [body]


def _no_write(_data: bytes) -> None:
    raise RuntimeError("an error response is returned, not written")


def _is_json(headers: list[tuple[str, str]]) -> bool:
    return any(name.lower() == "content-type" and value.startswith(JSON) for name, value in headers)


def _rewritten(
    body: bytes, headers: list[tuple[str, str]], status: int, form: Form
) -> tuple[bytes, list[tuple[str, str]]]:
    # The response to HEAD has no body.
    error = json.loads(body) if body else None
    if not isinstance(error, dict) or "message" not in error:
        return body, headers
    language = form.language if "code" in error else ENGLISH
    if language == RUSSIAN:
        error = _translated(error)
    if form.as_problem:
        request_id = next((value for name, value in headers if name.lower() == "x-request-id"), None)
        error = problem(error, status, request_id)
    content = json.dumps(error, ensure_ascii=False).encode()
    replaced = {
        "Content-Type": PROBLEM if form.as_problem else JSON,
        "Content-Language": language,
        "Content-Length": str(len(content)),
    }
    names = {name.lower() for name in replaced}
    others = [(name, value) for name, value in headers if name.lower() not in names]
    return content, [*others, *replaced.items(), ("Vary", "Accept, Accept-Language")]


def _translated(error: dict[str, Any]) -> dict[str, Any]:
    translated = {**error, "message": in_russian(error["message"], error["code"])}
    if "errors" in error:
        translated["errors"] = {name: sentence_in_russian(sentence) for name, sentence in error["errors"].items()}
    return translated


def problem(error: dict[str, Any], status: int, request_id: str | None) -> dict[str, Any]:
    """Return the problem details of an error: ``detail`` is its message; ``code`` and ``errors`` are extensions."""
    details: dict[str, Any] = {
        "type": TYPE_PREFIX + error["code"] if "code" in error else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error["message"],
    }
    details |= {name: error[name] for name in ("code", "errors") if name in error}
    return details | ({"requestID": request_id} if request_id else {})
