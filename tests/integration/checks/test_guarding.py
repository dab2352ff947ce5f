"""Limits on attempts: a code has four digits, so guesses are limited per check and per user."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from tests.integration.checks.checks_system import ChecksSystem, Json, wrong_code

FIFTEEN_MINUTES = 900


def _guess_wrong(system: ChecksSystem, check: Json, times: int) -> None:
    for guess in range(1, times + 1):
        assert system.accept(system.new_user(), check, wrong_code(check, guess)).status_code == 404


def test_fifth_wrong_code_freezes_the_check_for_all_users(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    _guess_wrong(system, check, 5)
    for user in (system.new_user(), creator):
        for response in (system.accept(user, check), system.preview(user, check)):
            assert (response.status_code, response.get_json()["code"]) == (429, "check_frozen")
            assert response.headers["Retry-After"] == str(FIFTEEN_MINUTES)
    frozen_until = system.active(creator)[0]["frozenUntil"]
    until = (datetime.fromisoformat(frozen_until) - system.clock.now()).total_seconds()
    assert FIFTEEN_MINUTES - 1 <= until <= FIFTEEN_MINUTES


def test_four_wrong_codes_do_not_freeze_the_check(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    _guess_wrong(system, check, 4)
    assert "frozenUntil" not in system.active(creator)[0]
    assert system.accept(system.new_user(), check).status_code == 200


def test_each_freeze_is_twice_as_long_and_follows_five_more_wrong_codes(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    for factor in (1, 2, 4):
        _guess_wrong(system, check, 5)
        response = system.accept(creator, check)
        assert response.headers["Retry-After"] == str(factor * FIFTEEN_MINUTES)
        system.clock.move(seconds=factor * FIFTEEN_MINUTES - 0.5)
        assert system.accept(creator, check).status_code == 429
        system.clock.move(seconds=0.5)
    assert "frozenUntil" not in system.active(creator)[0]
    assert system.accept(creator, check).status_code == 200


def test_after_twenty_wrong_codes_only_a_new_code_lets_the_check_be_accepted(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    for factor in (1, 2, 4, 8):
        _guess_wrong(system, check, 5)
        system.clock.move(seconds=factor * FIFTEEN_MINUTES)
    for response in (system.accept(recipient, check), system.preview(recipient, check)):
        assert (response.status_code, response.get_json()["code"]) == (429, "check_frozen")
        assert "Retry-After" not in response.headers
    seen = system.active(creator)[0]
    assert seen["codeChangeRequired"] is True
    assert "frozenUntil" not in seen
    changed = system.call(creator, "POST", f"/fastcheck/{check['fastcheck']}/code").get_json()
    assert "codeChangeRequired" not in system.active(creator)[0]
    assert system.accept(recipient, changed).status_code == 200


def test_64_concurrent_guesses_count_exactly_five(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    users = [system.new_user() for _ in range(64)]
    with ThreadPoolExecutor(64) as pool:
        guesses = pool.map(lambda n: system.accept(users[n], check, wrong_code(check, n + 1)), range(64))
        responses = Counter((r.status_code, r.get_json()["code"]) for r in guesses)
    assert responses == {(404, "check_not_found"): 5, (429, "check_frozen"): 59}
    row = system.stored(check)
    assert (row["failed_attempts"], row["freezes"]) == (0, 1)


def test_64_concurrent_guesses_with_the_right_one_count_at_most_five(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    with ThreadPoolExecutor(64) as pool:
        guesses = pool.map(lambda n: system.accept(recipient, check, wrong_code(check, n)), range(64))
        responses = Counter(r.status_code for r in guesses)
    # Wrong codes are counted for a used check as for an active one.
    assert (responses[404], responses[200] + responses[429]) == (5, 59)
    assert responses[200] <= 1
    assert system.balance_of(recipient) == 1_000 * responses[200]


def test_attempts_on_a_frozen_check_do_not_count(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(2_000), system.new_user()
    frozen, other = system.create(creator), system.create(creator)
    for guess in range(1, 6):
        system.accept(recipient, frozen, wrong_code(frozen, guess))
    for _ in range(40):
        assert system.accept(recipient, frozen, "0000").get_json()["code"] == "check_frozen"
    assert system.accept(recipient, other).status_code == 200
    row = system.stored(frozen)
    assert (row["failed_attempts"], row["freezes"]) == (0, 1)


def test_preview_with_a_wrong_code_counts_as_an_attempt(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    for guess in range(1, 6):
        assert system.preview(system.new_user(), check, wrong_code(check, guess)).status_code == 404
    assert system.accept(creator, check).status_code == 429


def test_preview_with_the_right_code_does_not_count_as_an_attempt(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator, note="thank you")
    for _ in range(30):
        response = system.preview(recipient, check)
        assert response.status_code == 200
    assert response.get_json() == {
        "fastcheck": check["fastcheck"],
        "amount": 1_000,
        "currency": "RUB",
        "expiration": check["expiration"],
        "note": "thank you",
        "status": "active",
    }
    assert system.accept(recipient, check).status_code == 200


def _fail(system: ChecksSystem, user: object, number: int) -> tuple[int, str]:
    check = {"fastcheck": f"0000-0000-{number:04d}", "code": "0000"}
    response = system.accept(user, check)  # type: ignore[arg-type]
    return response.status_code, response.get_json()["code"]


def test_user_is_blocked_after_twenty_failures_in_an_hour(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(2_000), system.new_user()
    check = system.create(creator)
    assert [_fail(system, recipient, n) for n in range(19)] == [(404, "check_not_found")] * 19
    system.clock.move(minutes=10)
    assert _fail(system, recipient, 19) == (404, "check_not_found")
    for response in (
        system.accept(recipient, check),
        system.preview(recipient, check),
        system.accept(recipient, {"fastcheck": "0000-0000-0000", "code": "0000"}),
    ):
        assert (response.status_code, response.get_json()["code"]) == (429, "too_many_attempts")
        # A failure counts for an hour: the first of the twenty was ten minutes ago.
        assert response.headers["Retry-After"] == str(50 * 60)
    assert system.stored(check)["failed_attempts"] == 0
    assert system.preview(system.new_user(), check).status_code == 200, "no other user is blocked"
    system.clock.move(minutes=50)
    assert system.accept(recipient, check).status_code == 200


def test_concurrent_failures_of_a_user_count_exactly_twenty(system: ChecksSystem) -> None:
    recipient = system.new_user()
    with ThreadPoolExecutor(32) as pool:
        responses = Counter(pool.map(lambda n: _fail(system, recipient, n), range(64)))
    assert responses == {(404, "check_not_found"): 20, (429, "too_many_attempts"): 44}
    assert len(system.rows("SELECT * FROM failed_attempts")) == 20


def test_attempt_of_a_blocked_user_does_not_count_on_the_check(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    for n in range(20):
        _fail(system, recipient, n)
    for guess in range(1, 8):
        assert system.accept(recipient, check, wrong_code(check, guess)).get_json()["code"] == "too_many_attempts"
    assert system.stored(check)["failed_attempts"] == 0


def test_freeze_does_not_extend_the_expiration(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator, expiresIn=600)
    _guess_wrong(system, check, 5)
    system.clock.move(seconds=600)
    assert system.active(creator) == []
    assert [(c["fastcheck"], c["status"], c["expiredAt"]) for c in system.history(creator)] == [
        (check["fastcheck"], "expired", check["expiration"])
    ]


def test_ciphertext_moved_to_another_row_does_not_open_it(system: ChecksSystem) -> None:
    creator = system.new_user(9_000)
    cheap, dear = system.create(creator, 1), system.create(creator, 5_000)
    system.rows(
        "UPDATE checks SET code_ciphertext = :stolen WHERE check_id = :check_id",
        stolen=system.stored(cheap)["code_ciphertext"],
        check_id=system.stored(dear)["check_id"],
    )
    response = system.accept(system.new_user(), dear, cheap["code"])
    assert (response.status_code, response.get_json()["code"]) == (500, "internal_error")
    assert system.stored(dear)["status"] == "active"


def test_failures_of_many_users_at_one_address_are_limited(system: ChecksSystem) -> None:
    """New accounts do not give an address more guesses; other addresses accept checks meanwhile."""
    creator = system.new_user(2_000)
    first, second = system.create(creator), system.create(creator)
    allowed = system.context.settings.failed_attempts_per_address
    guess = {"fastcheck": "0000-0000-0000", "code": "0000"}
    for number in range(allowed):
        if number % 20 == 0:
            attacker = system.new_user()
        address = f"2001:db8:1:2::{number:x}"
        response = system.call(attacker, "POST", "/fastcheck/accept", guess, address=address)
        assert response.status_code == 404
    right = {"fastcheck": first["fastcheck"], "code": first["code"]}
    for path in ("/fastcheck/accept", "/fastcheck/preview"):
        response = system.call(system.new_user(), "POST", path, right, address="2001:db8:1:2:ffff::1")
        assert (response.status_code, response.get_json()["code"]) == (429, "too_many_attempts")
        assert 1 <= int(response.headers["Retry-After"]) <= 3600
    assert (
        system.call(system.new_user(), "POST", "/fastcheck/accept", right, address="2001:db8:1:3::1").status_code == 200
    )
    assert system.accept(system.new_user(), second).status_code == 200, "a call without an address is not counted"
    system.clock.move(hours=1)
    assert system.call(attacker, "POST", "/fastcheck/accept", guess, address="2001:db8:1:2::1").status_code == 404
