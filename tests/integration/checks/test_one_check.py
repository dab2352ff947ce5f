"""``GET /fastcheck/{fastcheck}``: what creator, acceptor and others see of a check."""

from tests.integration.checks.checks_system import ChecksSystem

NOT_FOUND = {"message": "you have no check with this number", "code": "check_not_found"}


def test_creator_sees_the_code_only_while_the_check_is_active(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(10_000), system.new_user(0)
    check = system.create(creator, 500, note="For dinner")
    path = f"/fastcheck/{check['fastcheck']}"
    assert system.call(creator, "GET", path).get_json() == {**check, "type": "created"}
    assert system.accept(recipient, check).status_code == 200
    used = system.call(creator, "GET", path).get_json()
    assert set(used) == {"fastcheck", "amount", "currency", "type", "status", "note", "createdAt", "usedAt"}
    assert (used["type"], used["status"], used["note"]) == ("created", "used", "For dinner")


def test_acceptor_sees_the_check_after_accepting_it_and_no_code(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(10_000), system.new_user(0)
    check = system.create(creator, 500, note="For dinner")
    path = f"/fastcheck/{check['fastcheck']}"
    assert system.call(recipient, "GET", path).status_code == 404
    accepted = system.accept(recipient, check).get_json()
    seen = system.call(recipient, "GET", path).get_json()
    assert set(seen) == {"fastcheck", "amount", "currency", "type", "status", "note", "acceptedAt"}
    assert (seen["type"], seen["acceptedAt"], seen["note"]) == ("accepted", accepted["acceptedAt"], "For dinner")


def test_to_others_a_check_is_as_unknown_as_a_number_that_does_not_exist(system: ChecksSystem) -> None:
    creator, other = system.new_user(10_000), system.new_user(0)
    check = system.create(creator, 500)
    for path in (f"/fastcheck/{check['fastcheck']}", "/fastcheck/0000-0000-0000"):
        answer = system.call(other, "GET", path)
        assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)
    # A look at a number is no attempt at its code.
    assert system.accept(other, check).status_code == 200


def test_a_check_past_its_expiration_is_expired_before_the_sweep(system: ChecksSystem) -> None:
    creator = system.new_user(10_000)
    check = system.create(creator, 500, expiresIn=600)
    system.clock.move(seconds=601)
    seen = system.call(creator, "GET", f"/fastcheck/{check['fastcheck']}").get_json()
    assert (seen["status"], seen["expiredAt"]) == ("expired", check["expiration"])
    assert "code" not in seen


def test_creator_sees_a_freeze(system: ChecksSystem) -> None:
    creator, other = system.new_user(10_000), system.new_user(0)
    check = system.create(creator, 500)
    wrong = {**check, "code": f"{(int(check['code']) + 1) % 10_000:04d}"}
    for _ in range(5):
        assert system.accept(other, wrong).status_code == 404
    seen = system.call(creator, "GET", f"/fastcheck/{check['fastcheck']}").get_json()
    assert seen["frozenUntil"] == system.active(creator)[0]["frozenUntil"]


def test_a_user_who_accepts_an_own_check_sees_it_as_its_creator(system: ChecksSystem) -> None:
    creator = system.new_user(10_000)
    check = system.create(creator, 500)
    assert system.accept(creator, check).status_code == 200
    assert system.call(creator, "GET", f"/fastcheck/{check['fastcheck']}").get_json()["type"] == "created"


def test_a_number_of_the_wrong_form_is_refused(system: ChecksSystem) -> None:
    answer = system.call(system.new_user(0), "GET", "/fastcheck/1234")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_request")


def test_history_has_the_note_for_both_sides(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(10_000), system.new_user(0)
    assert system.accept(recipient, system.create(creator, 500, note="For dinner")).status_code == 200
    for user in (creator, recipient):
        assert [check["note"] for check in system.history(user)] == ["For dinner"]
