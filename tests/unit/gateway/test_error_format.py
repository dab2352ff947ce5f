"""The forms of an error: problem details, and Russian."""

import json
import pkgutil
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import pytest
from werkzeug.test import Client

import common
import services
from common.core.errors import BusinessError
from common.http.server import request_parsing
from services.gateway.error_catalog import ERROR_CODES, INTERNAL_CODES
from services.gateway.error_format import ErrorFormat, Form, form_of
from services.gateway.russian import MESSAGES, in_russian, sentence_in_russian

PROBLEM = "application/problem+json"
USED = {"message": "this check has been accepted already", "code": "check_used"}
NOT_AUTHORIZED = {"message": "not authorized"}


class Service:
    """A WSGI application that responds with a status and a body, and knows whether its response was closed."""

    def __init__(self, status: str, body: bytes, content_type: str = "application/json") -> None:
        self.status, self.body, self.content_type = status, body, content_type
        self.closed = 0

    def __call__(self, _environ: Any, start_response: Any) -> Iterable[bytes]:
        headers = [("Content-Type", self.content_type), ("Content-Length", str(len(self.body)))]
        start_response(self.status, [*headers, ("X-Request-ID", "r-12345678")])
        return self

    def __iter__(self) -> Any:
        return iter([self.body[:5], self.body[5:]])

    def close(self) -> None:
        self.closed += 1


def fetch(service: Service, method: str = "GET", **headers: str) -> Any:
    response = Client(ErrorFormat(service)).open(
        "/", method=method, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    response.close()
    assert service.closed == 1
    return response


def error(status: str, body: dict[str, Any]) -> Service:
    return Service(status, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("accept", "as_problem"),
    [
        (PROBLEM, True),
        (f"application/json, {PROBLEM}", True),
        (f"{PROBLEM};q=0.5, application/json", False),
        (f"{PROBLEM};q=0", False),
        ("*/*", False),
        ("application/*", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_only_an_explicit_accept_selects_problem_details(accept: str, as_problem: bool) -> None:
    assert form_of(accept, "") == Form(as_problem, "en")


@pytest.mark.parametrize(
    ("accept_language", "language"),
    [
        ("ru", "ru"),
        ("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", "ru"),
        ("en-US,en;q=0.9,ru;q=0.8", "en"),
        ("de, ru;q=0.5", "ru"),
        ("de", "en"),
        ("ru;q=0", "en"),
        ("", "en"),
        ("*", "en"),
    ],
)
def test_language_is_the_best_of_the_two(accept_language: str, language: str) -> None:
    assert form_of("", accept_language).language == language


def test_without_a_wish_the_response_is_unchanged() -> None:
    service = error("409 Conflict", USED)
    response = fetch(service, Accept="application/json", Accept_Language="en")
    assert response.data == service.body
    assert "Content-Language" not in response.headers


def test_problem_details_have_the_members_of_the_rfc_and_ours() -> None:
    body = {**USED, "errors": {"code": "is wrong"}}
    response = fetch(error("409 Conflict", body), Accept=PROBLEM)
    assert response.status_code == 409
    assert response.content_type == PROBLEM
    assert response.headers["Content-Language"] == "en"
    assert int(response.headers["Content-Length"]) == len(response.data)
    assert json.loads(response.data) == {
        "type": "urn:fastcheck:error:check_used",
        "title": "Conflict",
        "status": 409,
        "detail": USED["message"],
        "code": "check_used",
        "errors": {"code": "is wrong"},
        "requestID": "r-12345678",
    }


def test_message_and_fields_are_translated() -> None:
    body = {"message": "the request is not valid", "code": "invalid_request", "errors": {"amount": "is required"}}
    response = fetch(error("400 Bad Request", body), Accept_Language="ru")
    assert response.content_type == "application/json"
    assert response.headers["Content-Language"] == "ru"
    assert json.loads(response.data) == {
        "message": "Проверьте запрос: в нём есть ошибка",
        "code": "invalid_request",
        "errors": {"amount": "обязательное поле"},
    }


def test_the_body_without_a_session_stays_as_the_contract_fixes_it() -> None:
    response = fetch(error("401 Unauthorized", NOT_AUTHORIZED), Accept_Language="ru")
    assert json.loads(response.data) == NOT_AUTHORIZED
    problem = fetch(error("401 Unauthorized", NOT_AUTHORIZED), Accept_Language="ru", Accept=PROBLEM)
    assert json.loads(problem.data)["detail"] == "not authorized"
    assert json.loads(problem.data)["type"] == "about:blank"


@pytest.mark.parametrize(
    "service",
    [
        Service("200 OK", b'{"message": "fine", "code": "x"}'),
        Service("404 Not Found", b"<html></html>", "text/html"),
        Service("409 Conflict", b'["no error of ours"]'),
    ],
)
def test_other_responses_are_unchanged(service: Service) -> None:
    response = fetch(service, Accept=PROBLEM, Accept_Language="ru")
    assert response.data == service.body
    assert response.content_type.startswith(service.content_type)


def test_the_response_to_head_has_no_body_to_rewrite() -> None:
    assert fetch(Service("404 Not Found", b""), "HEAD", Accept=PROBLEM).data == b""


def test_every_message_of_the_public_api_has_a_russian_text() -> None:
    missing = set()
    for package in (common, services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" in module.name or "sandbox_bank" in module.name:
                continue
            for value in vars(import_module(module.name)).values():
                is_error = isinstance(value, type) and issubclass(value, BusinessError)
                if is_error and value.code not in INTERNAL_CODES and value.message not in MESSAGES:
                    missing.add(value.message)
    assert not missing
    assert {entry.message for entry in ERROR_CODES.values()} <= set(MESSAGES)


@pytest.mark.parametrize(
    "sentence",
    [
        *request_parsing._SENTENCES.values(),
        "must be at most 500",
        "must be at least 1",
        "must have at least 8 characters",
        "must have at most 140 characters",
        "must be one of RUB, USD",
        "must be from 60 to 7776000 seconds",
        "must be a time like 2026-01-19T09:08:18Z",
    ],
)
def test_every_sentence_about_a_field_has_a_russian_text(sentence: str) -> None:
    assert sentence_in_russian(sentence) != sentence


def test_an_unknown_text_stays_as_it_is() -> None:
    assert in_russian("a new message", "a_new_code") == "a new message"
    assert sentence_in_russian("is something new") == "is something new"
