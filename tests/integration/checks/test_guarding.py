"""Codes have four digits: what keeps them secret is that nobody may try for long."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from tests.integration.checks.world import Json, World, wrong_code

FIFTEEN_MINUTES = 900


def _guess_wrong(world: World, check: Json, times: int) -> None:
    for guess in range(1, times + 1):
        assert world.accept(world.person(), check, wrong_code(check, guess)).status_code == 404


def test_the_fifth_wrong_code_freezes_the_check_for_everybody(world: World) -> None:
    anna = world.person(1_000)
    check = world.create(anna)
    _guess_wrong(world, check, 5)
    for person in (world.person(), anna):
        for response in (world.accept(person, check), world.preview(person, check)):
            assert (response.status_code, response.get_json()["code"]) == (429, "check_frozen")
            assert response.headers["Retry-After"] == str(FIFTEEN_MINUTES)
    frozen_until = world.active(anna)[0]["frozenUntil"]
    until = (datetime.fromisoformat(frozen_until) - world.clock.now()).total_seconds()
    assert FIFTEEN_MINUTES - 1 <= until <= FIFTEEN_MINUTES


def test_four_wrong_codes_freeze_nothing(world: World) -> None:
    anna = world.person(1_000)
    check = world.create(anna)
    _guess_wrong(world, check, 4)
    assert "frozenUntil" not in world.active(anna)[0]
    assert world.accept(world.person(), check).status_code == 200


def test_each_freeze_is_twice_as_long_and_starts_at_five_again(world: World) -> None:
    anna = world.person(1_000)
    check = world.create(anna)
    for factor in (1, 2, 4, 8):
        _guess_wrong(world, check, 5)
        response = world.accept(anna, check)
        assert response.headers["Retry-After"] == str(factor * FIFTEEN_MINUTES)
        world.clock.move(seconds=factor * FIFTEEN_MINUTES - 0.5)
        assert world.accept(anna, check).status_code == 429
        world.clock.move(seconds=0.5)
    assert "frozenUntil" not in world.active(anna)[0]
    assert world.accept(anna, check).status_code == 200


def test_64_guesses_at_once_use_up_exactly_five(world: World) -> None:
    anna = world.person(1_000)
    check = world.create(anna)
    people = [world.person() for _ in range(64)]
    with ThreadPoolExecutor(64) as pool:
        guesses = pool.map(lambda n: world.accept(people[n], check, wrong_code(check, n + 1)), range(64))
        answers = Counter((r.status_code, r.get_json()["code"]) for r in guesses)
    assert answers == {(404, "check_not_found"): 5, (429, "check_frozen"): 59}
    row = world.stored(check)
    assert (row["failed_attempts"], row["freezes"]) == (0, 1)


def test_64_guesses_at_once_with_the_right_one_among_them(world: World) -> None:
    anna, boris = world.person(1_000), world.person()
    check = world.create(anna)
    with ThreadPoolExecutor(64) as pool:
        guesses = pool.map(lambda n: world.accept(boris, check, wrong_code(check, n)), range(64))
        answers = Counter(r.status_code for r in guesses)
    # A check that was used on the way is guarded on: wrong codes for it are counted as before.
    assert (answers[404], answers[200] + answers[429]) == (5, 59)
    assert answers[200] <= 1
    assert world.money_of(boris) == 1_000 * answers[200]


def test_answers_about_a_frozen_check_do_not_count(world: World) -> None:
    anna, boris = world.person(2_000), world.person()
    frozen, other = world.create(anna), world.create(anna)
    for guess in range(1, 6):
        world.accept(boris, frozen, wrong_code(frozen, guess))
    for _ in range(40):
        assert world.accept(boris, frozen, "0000").get_json()["code"] == "check_frozen"
    assert world.accept(boris, other).status_code == 200
    row = world.stored(frozen)
    assert (row["failed_attempts"], row["freezes"]) == (0, 1)


def test_a_look_that_fails_counts_too(world: World) -> None:
    anna = world.person(1_000)
    check = world.create(anna)
    for guess in range(1, 6):
        assert world.preview(world.person(), check, wrong_code(check, guess)).status_code == 404
    assert world.accept(anna, check).status_code == 429


def test_a_right_look_costs_nothing(world: World) -> None:
    anna, boris = world.person(1_000), world.person()
    check = world.create(anna, note="thank you")
    for _ in range(30):
        response = world.preview(boris, check)
        assert response.status_code == 200
    assert response.get_json() == {
        "fastcheck": check["fastcheck"],
        "amount": 1_000,
        "currency": "RUB",
        "expiration": check["expiration"],
        "note": "thank you",
        "status": "active",
    }
    assert world.accept(boris, check).status_code == 200


def _fail(world: World, person: object, number: int) -> tuple[int, str]:
    check = {"fastcheck": f"0000-0000-{number:04d}", "code": "0000"}
    response = world.accept(person, check)  # type: ignore[arg-type]
    return response.status_code, response.get_json()["code"]


def test_the_twentieth_failure_of_a_user_is_the_last_that_is_answered(world: World) -> None:
    anna, boris = world.person(2_000), world.person()
    check = world.create(anna)
    assert [_fail(world, boris, n) for n in range(19)] == [(404, "check_not_found")] * 19
    world.clock.move(minutes=10)
    assert _fail(world, boris, 19) == (404, "check_not_found")
    for response in (
        world.accept(boris, check),
        world.preview(boris, check),
        world.accept(boris, {"fastcheck": "0000-0000-0000", "code": "0000"}),
    ):
        assert (response.status_code, response.get_json()["code"]) == (429, "too_many_attempts")
        # The first of the twenty is forgotten an hour after it was made.
        assert response.headers["Retry-After"] == str(50 * 60)
    assert world.stored(check)["failed_attempts"] == 0
    assert world.preview(world.person(), check).status_code == 200, "nobody else is held up"
    world.clock.move(minutes=50)
    assert world.accept(boris, check).status_code == 200


def test_exactly_twenty_at_once(world: World) -> None:
    boris = world.person()
    with ThreadPoolExecutor(32) as pool:
        answers = Counter(pool.map(lambda n: _fail(world, boris, n), range(64)))
    assert answers == {(404, "check_not_found"): 20, (429, "too_many_attempts"): 44}
    assert len(world.rows("SELECT * FROM failed_attempts")) == 20


def test_a_failure_that_is_not_answered_counts_on_no_check(world: World) -> None:
    anna, boris = world.person(1_000), world.person()
    check = world.create(anna)
    for n in range(20):
        _fail(world, boris, n)
    for guess in range(1, 8):
        assert world.accept(boris, check, wrong_code(check, guess)).get_json()["code"] == "too_many_attempts"
    assert world.stored(check)["failed_attempts"] == 0


def test_a_freeze_does_not_lengthen_the_life_of_a_check(world: World) -> None:
    anna = world.person(1_000)
    check = world.create(anna, expiresIn=600)
    _guess_wrong(world, check, 5)
    world.clock.move(seconds=600)
    assert world.active(anna) == []
    assert [(c["fastcheck"], c["status"], c["expiredAt"]) for c in world.history(anna)] == [
        (check["fastcheck"], "expired", check["expiration"])
    ]


def test_a_code_that_is_moved_to_another_row_opens_nothing(world: World) -> None:
    anna = world.person(9_000)
    cheap, dear = world.create(anna, 1), world.create(anna, 5_000)
    world.rows(
        "UPDATE checks SET code_ciphertext = :stolen WHERE check_id = :check_id",
        stolen=world.stored(cheap)["code_ciphertext"],
        check_id=world.stored(dear)["check_id"],
    )
    response = world.accept(world.person(), dear, cheap["code"])
    assert (response.status_code, response.get_json()["code"]) == (500, "internal_error")
    assert world.stored(dear)["status"] == "active"
