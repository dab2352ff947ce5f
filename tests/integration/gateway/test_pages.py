"""The web app, the page of the API, and what only operators see."""

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


def test_the_page_is_served_at_each_of_its_addresses(gateway: Gateway) -> None:
    page = page_of(gateway)
    for address in ADDRESSES:
        answer = gateway.get(re.sub("<[^>]+>", "1234-5678-0001", address))
        assert (answer.status_code, answer.text) == (200, page)
        assert answer.content_type == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache"


def test_every_file_that_the_page_and_its_modules_name_is_there_for_ever(gateway: Gateway) -> None:
    page = page_of(gateway)
    assert "__RELEASE__" not in page
    wanted, seen = [address for address in addresses_in(page) if address.startswith("/assets/")], set()
    assert wanted
    while wanted:
        address = wanted.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = gateway.get(address)
        assert answer.status_code == 200, address
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        if address.endswith(".js"):
            assert answer.content_type == "text/javascript; charset=utf-8"
            wanted += [normpath(join(dirname(address), name)) for name in IMPORT.findall(answer.text)]
    assert len(seen) > 10


def test_files_of_another_release_and_files_that_are_not_for_the_public_are_not_there(gateway: Gateway) -> None:
    script = next(address for address in addresses_in(page_of(gateway)) if address.endswith("/app.js"))
    release = script.split("/")[2]
    assert gateway.get(script.replace(release, "0" * 16)).status_code == 404
    for name in ("README.md", "index.html", "../config.py", "%2e%2e/config.py", "nothing.js"):
        assert gateway.get(f"/assets/{release}/{name}").status_code == 404


def test_no_code_stands_in_the_page_and_nothing_comes_from_elsewhere(gateway: Gateway) -> None:
    answer = gateway.get("/")
    assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|https?://", answer.text)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_browser_that_is_lost_gets_the_page_and_a_program_gets_json(gateway: Gateway) -> None:
    browser = gateway.get("/no/such/page", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert (browser.status_code, browser.text) == (404, page_of(gateway))
    for accept in ("*/*", "application/json"):
        program = gateway.get("/no/such/page", Accept=accept)
        assert (program.status_code, program.get_json()["code"]) == (404, "not_found")


def test_the_page_of_the_api_has_all_its_files_and_no_code_in_it(gateway: Gateway) -> None:
    page = gateway.get("/docs")
    assert page.status_code == 200
    assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|https?://", page.text)
    names = [address for address in addresses_in(page.text) if address.startswith("/docs/")]
    assert len(names) == 3
    for name in names:
        assert gateway.get(name).status_code == 200, name
    assert gateway.get("/docs/0000000000000000/start.js").status_code == 404


def test_the_document_needs_all_services_at_first_and_none_afterwards(stack: Stack) -> None:
    own = {"paths": {"/fastcheck": {"get": {"responses": {}}}}, "tags": [], "components": {"schemas": {}}}
    stack.recorder.answer = lambda: _json(own)
    gateway = stack.gateway()
    first = gateway.get("/openapi.json")
    assert first.status_code == 200
    assert {"/balance", "/register", "/login", "/fastcheck"} <= set(first.get_json()["paths"])
    assert [server["url"] for server in first.get_json()["servers"]] == ["/", "http://fastcheck.test"]
    asked = len(stack.recorder.heard)
    assert gateway.get("/openapi.json").data == first.data
    assert len(stack.recorder.heard) == asked
    again = gateway.get("/openapi.json", If_None_Match=first.headers["ETag"])
    assert again.status_code == 304
    incomplete = stack.gateway(checks_url="http://127.0.0.1:1").get("/openapi.json")
    assert (incomplete.status_code, incomplete.headers["Retry-After"]) == (503, "1")


def test_an_old_document_is_better_than_none(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.recorder.answer = lambda: _json({"paths": {}})
    gateway = stack.gateway()
    first = gateway.get("/openapi.json")
    monkeypatch.setattr("services.gateway.documentation.FRESH_SECONDS", -1.0)
    stack.recorder.answer = lambda: _json({"paths": {"/new": {"get": {}}}})
    assert "/new" in gateway.get("/openapi.json").get_json()["paths"]
    stack.recorder.answer = lambda: _json({}, status=500)
    assert "/new" in gateway.get("/openapi.json").get_json()["paths"]
    assert "/new" not in first.get_json()["paths"]


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/readyz/", "/metrics/"])
def test_operators_routes_are_for_this_machine_alone(gateway: Gateway, path: str) -> None:
    outside = {"REMOTE_ADDR": "203.0.113.9"}
    assert gateway.client.get(path, environ_overrides=outside).status_code == 404
    assert gateway.get(path, X_Forwarded_For="203.0.113.9").status_code == 404
    assert gateway.get(path, Forwarded="for=203.0.113.9").status_code == 404
    assert gateway.client.get("/healthz", environ_overrides=outside).get_json() == {"status": "ok"}


def test_operators_see_whether_redis_answers(stack: Stack, gateway: Gateway) -> None:
    assert gateway.get("/readyz").get_json() == {"status": "ok", "checks": {"cache": "ok"}}
    assert b"fastcheck_request_seconds" in gateway.get("/metrics").data
    assert stack.gateway(cache_url="redis://127.0.0.1:1/1").get("/readyz").status_code == 503


def test_only_https_asks_for_https(stack: Stack, gateway: Gateway) -> None:
    assert "Strict-Transport-Security" not in gateway.get("/healthz").headers
    secure = stack.gateway(public_url="https://api.fastcheck.test")
    assert secure.get("/healthz").headers["Strict-Transport-Security"].startswith("max-age=31536000")


def _json(content: object, status: int = 200) -> Response:
    return Response(json.dumps(content), status, mimetype="application/json")
