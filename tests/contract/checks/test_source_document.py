"""The two lists match the source document: every field and every format."""

import re
from typing import Any

from tests.integration.checks.checks_system import ChecksSystem

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NUMBER = re.compile(r"\d{4}-\d{4}-\d{4}")

FORMATS: dict[str, Any] = {
    "fastcheck": NUMBER,
    "currency": re.compile("RUB"),
    "code": re.compile(r"\d{4}"),
    "status": re.compile("active|used"),
    "type": re.compile("created|accepted"),
    **dict.fromkeys(("createdAt", "expiration", "usedAt", "acceptedAt"), TIME),
}


def _assert_matches(check: dict[str, Any], fields: list[str]) -> None:
    assert list(check) == fields
    for name, value in check.items():
        if name == "amount":
            assert type(value) is int
        else:
            assert FORMATS[name].fullmatch(value), (name, value)


def test_active_list_has_the_documented_fields(system: ChecksSystem) -> None:
    alice = system.new_user(40_000)
    system.create(alice, 15_000)
    system.create(alice, 25_000)
    response = system.call(alice, "GET", "/fastcheck/active")
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert list(response.get_json()) == ["checks"]
    for check in response.get_json()["checks"]:
        _assert_matches(check, ["fastcheck", "amount", "currency", "code", "createdAt", "expiration", "status"])


def test_history_has_the_documented_fields(system: ChecksSystem) -> None:
    alice, bob = system.new_user(15_000), system.new_user(10_000)
    assert system.accept(bob, system.create(alice, 5_000)).status_code == 200
    assert system.accept(alice, system.create(bob, 10_000)).status_code == 200
    response = system.call(alice, "GET", "/fastcheck/history")
    assert list(response.get_json()) == ["checks"]
    created, accepted = sorted(response.get_json()["checks"], key=lambda check: check["amount"])
    _assert_matches(created, ["fastcheck", "amount", "currency", "type", "createdAt", "usedAt", "status"])
    _assert_matches(accepted, ["fastcheck", "amount", "currency", "type", "acceptedAt", "status"])
    assert (created["type"], created["status"]) == ("created", "used")
    assert (accepted["type"], accepted["status"]) == ("accepted", "used")


ROUTES = [
    ("POST", "/fastcheck"),
    ("GET", "/fastcheck/active"),
    ("POST", "/fastcheck/accept"),
    ("POST", "/fastcheck/preview"),
    ("GET", "/fastcheck/1234-5678-0001"),
    ("POST", "/fastcheck/1234-5678-0001/cancel"),
    ("POST", "/fastcheck/1234-5678-0001/code"),
    ("GET", "/fastcheck/history"),
    ("GET", "/fastcheck/1234-5678-0001/qr.svg"),
]

FOR_GUESTS = "/fastcheck/preview/guest"


def test_every_route_requires_a_session(system: ChecksSystem) -> None:
    for method, path in ROUTES:
        response = system.call(None, method, path, {"amount": "not validated"} if method == "POST" else None)
        assert (response.status_code, response.get_json()) == (401, {"message": "not authorized"}), path


def test_document_covers_every_route_and_its_session(system: ChecksSystem) -> None:
    documented = {(method.upper(), path) for path, item in system.documented["paths"].items() for method in item}
    secured = {(method, path.replace("1234-5678-0001", "{fastcheck}")) for method, path in ROUTES}
    assert documented == {*secured, ("POST", FOR_GUESTS)}
    for path, item in system.documented["paths"].items():
        for operation in item.values():
            if path == FOR_GUESTS:
                assert "security" not in operation
                assert "401" not in operation["responses"]
                continue
            assert operation["security"] == [{"session": []}]
            assert {"400", "401", "429", "500", "503"} < set(operation["responses"])
