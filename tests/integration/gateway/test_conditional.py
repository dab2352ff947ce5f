"""Conditional reads, and the versioned paths."""

from typing import Any

import pytest
from werkzeug import Response

from tests.integration.gateway.conftest import Gateway, Stack


def test_a_read_is_answered_304_until_it_changes(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    first = gateway.get("/fastcheck/active", session)
    tag = first.headers["ETag"]
    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = gateway.get("/fastcheck/active", session, If_None_Match=sent)
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag), sent
        assert "Content-Type" not in again.headers
        assert again.headers["X-Request-ID"]
    stack.recorder.respond = lambda: Response(b'{"ok":false}', mimetype="application/json")
    changed = gateway.get("/fastcheck/active", session, If_None_Match=tag)
    assert (changed.status_code, changed.get_json()) == (200, {"ok": False})
    assert changed.headers["ETag"] != tag


def test_the_balance_is_a_conditional_read_too(gateway: Gateway) -> None:
    session = gateway.register()
    tag = gateway.get("/balance", session).headers["ETag"]
    assert gateway.get("/balance", session, If_None_Match=tag).status_code == 304
    # Without a session the tag opens nothing.
    assert gateway.get("/balance", If_None_Match=tag).status_code == 401


@pytest.mark.parametrize("status", [404, 500])
def test_errors_and_writes_have_no_tag(stack: Stack, gateway: Gateway, status: int) -> None:
    session = gateway.register()
    assert "ETag" not in gateway.post("/fastcheck", {}, session).headers
    stack.recorder.respond = lambda: Response(b"{}", status=status, mimetype="application/json")
    answer = gateway.get("/topup", session, If_None_Match="*")
    assert answer.status_code == status
    assert "ETag" not in answer.headers


def test_a_versioned_path_reaches_the_same_path_of_the_service(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    assert gateway.get("/v1/fastcheck/active?limit=2", session).status_code == 200
    assert (stack.recorder.last.path, stack.recorder.last.raw_query) == ("/fastcheck/active", b"limit=2")
    assert gateway.get("/v1/balance", session).get_json() == gateway.get("/balance", session).get_json()
    assert gateway.get("/v1/balance").get_json() == {"message": "not authorized"}
    assert gateway.get("/v1/healthz").get_json() == {"status": "ok"}
    body: Any = {"login": "boris", "password": "correct horse battery"}
    assert gateway.post("/v1/register", body).status_code == 201
    assert gateway.get("/v1/v1/balance", session).status_code == 404
    assert gateway.post("/v1/logout", None, session).status_code == 204
    assert gateway.get("/balance", session).status_code == 401
