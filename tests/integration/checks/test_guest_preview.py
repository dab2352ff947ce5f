"""Preview without a session: the same guard against guessing codes, counted per address."""

from typing import Any

from services.checks.codes.attempts import FAILED_ATTEMPTS_ALLOWED
from services.checks.models import guest_of
from tests.integration.checks.checks_system import ChecksSystem, Json

PATH = "/fastcheck/preview/guest"
ALICE, BOB = "192.0.2.1", "192.0.2.2"


def preview(system: ChecksSystem, check: Json, code: str | None = None, address: str = ALICE) -> Any:
    body = {"fastcheck": check["fastcheck"], "code": code or check["code"]}
    return system.call_as_guest("POST", PATH, body, address)


def wrong_code(check: Json) -> str:
    return f"{(int(check['code']) + 1) % 10_000:04d}"


def test_a_guest_sees_what_the_check_holds(system: ChecksSystem) -> None:
    check = system.create(system.new_user(10_000), 500, note="For dinner")
    response = preview(system, check)
    assert (response.status_code, response.get_json()) == (
        200,
        {
            "fastcheck": check["fastcheck"],
            "amount": 500,
            "currency": "RUB",
            "expiration": check["expiration"],
            "note": "For dinner",
            "status": "active",
        },
    )


def test_wrong_codes_of_guests_freeze_the_check_for_all(system: ChecksSystem) -> None:
    check = system.create(system.new_user(10_000), 500)
    for _ in range(5):
        assert preview(system, check, wrong_code(check)).get_json()["code"] == "check_not_found"
    for address in (ALICE, BOB):
        frozen = preview(system, check, address=address)
        assert (frozen.status_code, frozen.get_json()["code"]) == (429, "check_frozen")
    assert system.accept(system.new_user(0), check).status_code == 429


def test_an_address_with_too_many_failures_is_blocked_and_no_other(system: ChecksSystem) -> None:
    check = system.create(system.new_user(10_000), 500)
    unknown = {"fastcheck": "0000-0000-0000", "code": "0000"}
    for _ in range(FAILED_ATTEMPTS_ALLOWED):
        assert preview(system, unknown).status_code == 404
    blocked = preview(system, check)
    assert (blocked.status_code, blocked.get_json()["code"]) == (429, "too_many_attempts")
    assert int(blocked.headers["Retry-After"]) > 0
    assert preview(system, check, address=BOB).status_code == 200


def test_only_the_gateway_may_call_for_a_guest(system: ChecksSystem) -> None:
    check = system.create(system.new_user(10_000), 500)
    body = {"fastcheck": check["fastcheck"], "code": check["code"]}
    response = system.app.test_client().post(PATH, json=body)
    assert (response.status_code, response.get_json()) == (401, {"message": "not authorized"})


def test_addresses_of_one_network_are_one_guest() -> None:
    assert guest_of("2001:db8::1") == guest_of("2001:db8::ffff:2") != guest_of("2001:db8:0:1::1")
    assert guest_of(ALICE) == guest_of(ALICE) != guest_of(BOB)
    assert guest_of("unknown").version == 5
