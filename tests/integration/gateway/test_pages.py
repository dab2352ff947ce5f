"""The web app, the API page, and the routes for operators."""

import json
import re
from posixpath import dirname, join, normpath

import pytest
from werkzeug import Response

from services.gateway.web_app import ADDRESSES
from tests.integration.gateway.conftest import Gateway, Stack

IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"]+)['"]""")


def page_of(gateway: Gateway) -> str:
    return gateway.get("/").text


def addresses_in(html: str) -> list[str]:
    return re.findall(r"""(?:src|href)="(/[^"]*)\"""", html)


def test_page_is_served_at_each_of_its_addresses(gateway: Gateway) -> None:
    page = page_of(gateway)
    for address in ADDRESSES:
        response = gateway.get(re.sub("<[^>]+>", "1234-5678-0001", address))
        assert (response.status_code, response.text) == (200, page)
        assert response.content_type == "text/html; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-cache"


def test_every_file_of_the_page_is_served_as_immutable(gateway: Gateway) -> None:
    page = page_of(gateway)
    assert "__RELEASE__" not in page
    pending, seen = [address for address in addresses_in(page) if address.startswith("/assets/")], set()
    assert pending
    while pending:
        address = pending.pop()
        if address in seen:
            continue
        seen.add(address)
        response = gateway.get(address)
        assert response.status_code == 200, address
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        if address.endswith(".js"):
            assert response.content_type == "text/javascript; charset=utf-8"
            pending += [normpath(join(dirname(address), name)) for name in IMPORT.findall(response.text)]
    assert len(seen) > 10


def test_files_of_other_releases_and_private_files_are_not_found(gateway: Gateway) -> None:
    script = next(address for address in addresses_in(page_of(gateway)) if address.endswith("/app.js"))
    release = script.split("/")[2]
    assert gateway.get(script.replace(release, "0" * 16)).status_code == 404
    for name in ("README.md", "index.html", "../config.py", "%2e%2e/config.py", "nothing.js"):
        assert gateway.get(f"/assets/{release}/{name}").status_code == 404


def test_page_has_no_inline_code_and_no_external_resources(gateway: Gateway) -> None:
    response = gateway.get("/")
    assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|https?://", response.text)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_unknown_path_returns_the_page_to_a_browser_and_json_to_a_program(gateway: Gateway) -> None:
    browser = gateway.get("/no/such/page", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert (browser.status_code, browser.text) == (404, page_of(gateway))
    for accept in ("*/*", "application/json"):
        program = gateway.get("/no/such/page", Accept=accept)
        assert (program.status_code, program.get_json()["code"]) == (404, "not_found")


def test_api_page_has_all_its_files_and_no_inline_code(gateway: Gateway) -> None:
    page = gateway.get("/docs")
    assert page.status_code == 200
    assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|https?://", page.text)
    names = [address for address in addresses_in(page.text) if address.startswith("/docs/")]
    assert len(names) == 3
    for name in names:
        assert gateway.get(name).status_code == 200, name
    assert gateway.get("/docs/0000000000000000/start.js").status_code == 404


def test_api_document_is_cached_once_all_services_have_responded(stack: Stack) -> None:
    own = {"paths": {"/fastcheck": {"get": {"responses": {}}}}, "tags": [], "components": {"schemas": {}}}
    stack.recorder.respond = lambda: _json(own)
    gateway = stack.gateway()
    first = gateway.get("/openapi.json")
    assert first.status_code == 200
    assert {"/balance", "/register", "/login", "/fastcheck"} <= set(first.get_json()["paths"])
    assert [server["url"] for server in first.get_json()["servers"]] == ["/", "http://fastcheck.test"]
    calls = len(stack.recorder.requests)
    assert gateway.get("/openapi.json").data == first.data
    assert len(stack.recorder.requests) == calls
    again = gateway.get("/openapi.json", If_None_Match=first.headers["ETag"])
    assert again.status_code == 304
    incomplete = stack.gateway(checks_url="http://127.0.0.1:1").get("/openapi.json")
    assert (incomplete.status_code, incomplete.headers["Retry-After"]) == (503, "1")


def test_old_api_document_is_served_while_a_service_fails(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.recorder.respond = lambda: _json({"paths": {}})
    gateway = stack.gateway()
    first = gateway.get("/openapi.json")
    monkeypatch.setattr("services.gateway.documentation.FRESH_SECONDS", -1.0)
    stack.recorder.respond = lambda: _json({"paths": {"/new": {"get": {}}}})
    assert "/new" in gateway.get("/openapi.json").get_json()["paths"]
    stack.recorder.respond = lambda: _json({}, status=500)
    assert "/new" in gateway.get("/openapi.json").get_json()["paths"]
    assert "/new" not in first.get_json()["paths"]


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/readyz/", "/metrics/", "/v1/readyz", "/v1/metrics"])
def test_public_port_does_not_serve_operator_routes(gateway: Gateway, path: str) -> None:
    for peer in ("127.0.0.1", "203.0.113.9"):
        assert gateway.client.get(path, environ_overrides={"REMOTE_ADDR": peer}).status_code == 404
    assert gateway.get("/healthz").get_json() == {"status": "ok"}


def test_only_https_sends_strict_transport_security(stack: Stack, gateway: Gateway) -> None:
    assert "Strict-Transport-Security" not in gateway.get("/healthz").headers
    secure = stack.gateway(public_url="https://api.fastcheck.test")
    assert secure.get("/healthz").headers["Strict-Transport-Security"].startswith("max-age=31536000")


def _json(content: object, status: int = 200) -> Response:
    return Response(json.dumps(content), status, mimetype="application/json")
