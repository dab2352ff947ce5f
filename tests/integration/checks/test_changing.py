"""What the creator may do with his check: take it back, change its code, show it as a picture."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from services.checks.lifecycle import tasks
from tests.integration.checks.world import World, wrong_code
from tests.support.eventually import eventually


def test_a_cancelled_check_gives_its_money_back_at_once(world: World) -> None:
    anna = world.person(5_000)
    check = world.create(anna, 2_000, note="too early")
    response = world.cancel(anna, check)
    assert response.status_code == 200
    cancelled = response.get_json()
    assert set(cancelled) == {"fastcheck", "amount", "currency", "note", "createdAt", "cancelledAt", "status"}
    assert (cancelled["fastcheck"], cancelled["status"]) == (check["fastcheck"], "cancelled")
    assert world.money_of(anna) == 5_000
    assert world.active(anna) == []
    assert [row["type"] for row in world.rows("SELECT type FROM outbox")] == ["check.cancelled.v1"]
    eventually(lambda: world.open_events() == 0)


def test_only_its_creator_may_cancel_a_check(world: World) -> None:
    anna, boris = world.person(1_000), world.person()
    check = world.create(anna)
    answers = [world.cancel(boris, check), world.cancel(boris, {"fastcheck": "0000-0000-0000"})]
    assert [(r.status_code, r.get_json()["code"]) for r in answers] == [(404, "check_not_found")] * 2
    assert answers[0].get_json() == answers[1].get_json()
    assert len(world.active(anna)) == 1


def test_what_has_ended_cannot_be_changed(world: World) -> None:
    anna = world.person(5_000)
    used, cancelled, expired = world.create(anna), world.create(anna), world.create(anna, expiresIn=60)
    assert world.accept(anna, used).status_code == 200
    assert world.cancel(anna, cancelled).status_code == 200
    world.clock.move(seconds=60)
    for _ in range(2):  # before the sweep and after it
        for check, code in ((used, "check_used"), (expired, "check_expired")):
            response = world.cancel(anna, check)
            assert (response.status_code, response.get_json()["code"]) == (409, code)
        for check, code in ((used, "check_used"), (expired, "check_expired"), (cancelled, "check_cancelled")):
            new_code = world.call(anna, "POST", f"/fastcheck/{check['fastcheck']}/code")
            picture = world.call(anna, "GET", f"/fastcheck/{check['fastcheck']}/qr.svg")
            assert (new_code.status_code, new_code.get_json()["code"]) == (409, code)
            assert (picture.status_code, picture.get_json()["code"]) == (409, code)
        tasks.expire_due_checks(world.context)


def test_cancelling_again_changes_nothing(world: World) -> None:
    anna = world.person(1_000)
    check = world.create(anna)
    first = world.cancel(anna, check, key="k")
    world.clock.move(hours=1)
    under_the_key, without = world.cancel(anna, check, key="k"), world.cancel(anna, check)
    assert first.get_json() == under_the_key.get_json() == without.get_json()
    assert under_the_key.headers["Idempotency-Replayed"] == "true"
    assert (under_the_key.status_code, without.status_code) == (200, 200)
    assert world.money_of(anna) == 1_000
    assert world.cancel(anna, world.create(anna), key="k").status_code == 422


def test_a_refusal_to_cancel_is_remembered(world: World) -> None:
    anna = world.person()
    first, again = (world.cancel(anna, {"fastcheck": "0000-0000-0000"}, key="k") for _ in range(2))
    assert (first.status_code, again.status_code) == (404, 404)
    assert again.get_json() == first.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"


def test_accepting_and_cancelling_meet_and_one_wins(world: World) -> None:
    anna, boris = world.person(20_000), world.person()
    checks = [world.create(anna) for _ in range(20)]
    with ThreadPoolExecutor(16) as pool:
        accepts = [pool.submit(world.accept, boris, check) for check in checks]
        cancels = [pool.submit(world.cancel, anna, check) for check in reversed(checks)]
        accepted = Counter(future.result().status_code for future in accepts)
        cancelled = Counter(future.result().status_code for future in cancels)
    assert set(accepted) <= {200, 410}
    assert set(cancelled) <= {200, 409}
    assert accepted[200] + cancelled[200] == 20
    assert (world.money_of(anna), world.money_of(boris)) == (1_000 * cancelled[200], 1_000 * accepted[200])
    assert world.money_in_escrow() == 0


def test_with_balance_down_a_check_is_cancelled_all_the_same(world: World) -> None:
    anna = world.person(1_000)
    check = world.create(anna)
    world.balance.down()
    assert world.cancel(anna, check).status_code == 200
    assert world.open_events() == 1
    world.balance.up()
    assert world.cancel(anna, check).status_code == 200
    assert world.money_of(anna) == 1_000


def test_a_new_code_works_and_the_old_one_does_not(world: World) -> None:
    anna, boris = world.person(1_000), world.person()
    check = world.create(anna)
    response = world.call(anna, "POST", f"/fastcheck/{check['fastcheck']}/code")
    assert response.status_code == 200
    changed = response.get_json()
    assert changed["code"] != check["code"]
    assert changed == {**check, "code": changed["code"]}
    assert world.active(anna) == [changed]
    assert world.accept(boris, check).status_code == 404
    assert world.accept(boris, changed).status_code == 200


def test_a_new_code_under_a_key_is_one_new_code(world: World) -> None:
    anna = world.person(1_000)
    path = f"/fastcheck/{world.create(anna)['fastcheck']}/code"
    first = world.call(anna, "POST", path, key="k").get_json()
    second = world.call(anna, "POST", path).get_json()
    again = world.call(anna, "POST", path, key="k")
    assert again.get_json() == first != second
    assert again.headers["Idempotency-Replayed"] == "true"
    assert world.active(anna)[0]["code"] == second["code"]


def test_a_new_code_ends_no_freeze(world: World) -> None:
    anna = world.person(1_000)
    check = world.create(anna)
    for guess in range(1, 6):
        world.accept(world.person(), check, wrong_code(check, guess))
    changed = world.call(anna, "POST", f"/fastcheck/{check['fastcheck']}/code").get_json()
    assert world.accept(anna, changed).status_code == 429
    world.clock.move(minutes=15)
    assert world.accept(anna, changed).status_code == 200


def test_somebody_elses_code_and_picture_are_not_there(world: World) -> None:
    anna, boris = world.person(1_000), world.person()
    number = world.create(anna)["fastcheck"]
    assert world.call(boris, "POST", f"/fastcheck/{number}/code").status_code == 404
    assert world.call(boris, "GET", f"/fastcheck/{number}/qr.svg").status_code == 404


def test_the_picture_is_an_svg_that_differs_with_the_code(world: World) -> None:
    anna = world.person(1_000)
    check = world.create(anna)
    path = f"/fastcheck/{check['fastcheck']}/qr.svg"
    plain = world.call(anna, "GET", path)
    with_code = world.call(anna, "GET", path, query={"withCode": "true"})
    assert [r.content_type for r in (plain, with_code)] == ["image/svg+xml; charset=utf-8"] * 2
    assert plain.headers["Cache-Control"] == "no-store"
    for picture in (plain, with_code):
        assert re.search(r'<svg [^>]*viewBox="0 0 \d+ \d+"', picture.text)
    assert plain.text != with_code.text
    assert world.call(anna, "GET", path, query={"withCode": "false"}).text == plain.text
    assert world.call(anna, "GET", path, query={"withCode": "maybe"}).status_code == 400


def test_what_is_no_number_is_refused(world: World) -> None:
    anna = world.person()
    for number in ("1234", "1234-5678-000a", "123456780001", "1234-5678-00011"):
        assert world.call(anna, "POST", f"/fastcheck/{number}/cancel").status_code == 400, number
        assert world.call(anna, "GET", f"/fastcheck/{number}/qr.svg").status_code == 400, number
