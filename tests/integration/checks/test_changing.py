"""What only the creator can do with a check: cancel it, change its code, get its QR code."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from services.checks.lifecycle import tasks
from tests.integration.checks.checks_system import ChecksSystem, wrong_code
from tests.support.eventually import eventually


def test_cancel_returns_the_money_at_once(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    check = system.create(creator, 2_000, note="too early")
    response = system.cancel(creator, check)
    assert response.status_code == 200
    cancelled = response.get_json()
    assert set(cancelled) == {"fastcheck", "amount", "currency", "note", "createdAt", "cancelledAt", "status"}
    assert (cancelled["fastcheck"], cancelled["status"]) == (check["fastcheck"], "cancelled")
    assert system.balance_of(creator) == 5_000
    assert system.active(creator) == []
    assert [row["type"] for row in system.rows("SELECT type FROM outbox")] == ["check.cancelled.v1"]
    eventually(lambda: system.open_events() == 0)


def test_only_the_creator_can_cancel_a_check(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    responses = [system.cancel(recipient, check), system.cancel(recipient, {"fastcheck": "0000-0000-0000"})]
    assert [(r.status_code, r.get_json()["code"]) for r in responses] == [(404, "check_not_found")] * 2
    assert responses[0].get_json() == responses[1].get_json()
    assert len(system.active(creator)) == 1


def test_ended_check_rejects_cancel_new_code_and_qr_code(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    used, cancelled, expired = system.create(creator), system.create(creator), system.create(creator, expiresIn=60)
    assert system.accept(creator, used).status_code == 200
    assert system.cancel(creator, cancelled).status_code == 200
    system.clock.move(seconds=60)
    for _ in range(2):  # before the sweep that expires the check, and after it
        for check, code in ((used, "check_used"), (expired, "check_expired")):
            response = system.cancel(creator, check)
            assert (response.status_code, response.get_json()["code"]) == (409, code)
        for check, code in ((used, "check_used"), (expired, "check_expired"), (cancelled, "check_cancelled")):
            new_code = system.call(creator, "POST", f"/fastcheck/{check['fastcheck']}/code")
            svg = system.call(creator, "GET", f"/fastcheck/{check['fastcheck']}/qr.svg")
            assert (new_code.status_code, new_code.get_json()["code"]) == (409, code)
            assert (svg.status_code, svg.get_json()["code"]) == (409, code)
        tasks.expire_due_checks(system.context)


def test_repeated_cancel_returns_the_same_response(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    first = system.cancel(creator, check, key="k")
    system.clock.move(hours=1)
    under_the_key, without = system.cancel(creator, check, key="k"), system.cancel(creator, check)
    assert first.get_json() == under_the_key.get_json() == without.get_json()
    assert under_the_key.headers["Idempotency-Replayed"] == "true"
    assert (under_the_key.status_code, without.status_code) == (200, 200)
    assert system.balance_of(creator) == 1_000
    assert system.cancel(creator, system.create(creator), key="k").status_code == 422


def test_rejected_cancel_is_stored_under_its_key(system: ChecksSystem) -> None:
    creator = system.new_user()
    first, again = (system.cancel(creator, {"fastcheck": "0000-0000-0000"}, key="k") for _ in range(2))
    assert (first.status_code, again.status_code) == (404, 404)
    assert again.get_json() == first.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"


def test_concurrent_accept_and_cancel_end_each_check_once(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(20_000), system.new_user()
    checks = [system.create(creator) for _ in range(20)]
    with ThreadPoolExecutor(16) as pool:
        accepts = [pool.submit(system.accept, recipient, check) for check in checks]
        cancels = [pool.submit(system.cancel, creator, check) for check in reversed(checks)]
        accepted = Counter(future.result().status_code for future in accepts)
        cancelled = Counter(future.result().status_code for future in cancels)
    assert set(accepted) <= {200, 410}
    assert set(cancelled) <= {200, 409}
    assert accepted[200] + cancelled[200] == 20
    assert (system.balance_of(creator), system.balance_of(recipient)) == (1_000 * cancelled[200], 1_000 * accepted[200])
    assert system.escrow_balance() == 0


def test_cancel_succeeds_while_balance_is_down(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    system.balance.down()
    assert system.cancel(creator, check).status_code == 200
    assert system.open_events() == 1
    system.balance.up()
    assert system.cancel(creator, check).status_code == 200
    assert system.balance_of(creator) == 1_000


def test_new_code_replaces_the_old_one(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    check = system.create(creator)
    response = system.call(creator, "POST", f"/fastcheck/{check['fastcheck']}/code")
    assert response.status_code == 200
    changed = response.get_json()
    assert changed["code"] != check["code"]
    assert changed == {**check, "code": changed["code"]}
    assert system.active(creator) == [changed]
    assert system.accept(recipient, check).status_code == 404
    assert system.accept(recipient, changed).status_code == 200


def test_repeat_of_a_code_change_with_its_key_returns_the_first_new_code(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    path = f"/fastcheck/{system.create(creator)['fastcheck']}/code"
    first = system.call(creator, "POST", path, key="k").get_json()
    second = system.call(creator, "POST", path).get_json()
    again = system.call(creator, "POST", path, key="k")
    assert again.get_json() == first != second
    assert again.headers["Idempotency-Replayed"] == "true"
    assert system.active(creator)[0]["code"] == second["code"]


def test_new_code_ends_a_freeze(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    for guess in range(1, 6):
        system.accept(system.new_user(), check, wrong_code(check, guess))
    assert system.accept(creator, check).status_code == 429
    changed = system.call(creator, "POST", f"/fastcheck/{check['fastcheck']}/code").get_json()
    assert "frozenUntil" not in system.active(creator)[0]
    assert system.accept(system.new_user(), check).status_code == 404
    assert system.accept(creator, changed).status_code == 200


def test_other_users_cannot_change_the_code_or_see_the_qr_code(system: ChecksSystem) -> None:
    creator, recipient = system.new_user(1_000), system.new_user()
    number = system.create(creator)["fastcheck"]
    assert system.call(recipient, "POST", f"/fastcheck/{number}/code").status_code == 404
    assert system.call(recipient, "GET", f"/fastcheck/{number}/qr.svg").status_code == 404


def test_qr_code_is_an_svg_that_depends_on_the_code(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    path = f"/fastcheck/{check['fastcheck']}/qr.svg"
    plain = system.call(creator, "GET", path)
    with_code = system.call(creator, "GET", path, query={"withCode": "true"})
    assert [r.content_type for r in (plain, with_code)] == ["image/svg+xml; charset=utf-8"] * 2
    assert plain.headers["Cache-Control"] == "no-store"
    for svg in (plain, with_code):
        assert re.search(r'<svg [^>]*viewBox="0 0 \d+ \d+"', svg.text)
    assert plain.text != with_code.text
    assert system.call(creator, "GET", path, query={"withCode": "false"}).text == plain.text
    assert system.call(creator, "GET", path, query={"withCode": "maybe"}).status_code == 400


def test_malformed_number_is_rejected(system: ChecksSystem) -> None:
    creator = system.new_user()
    for number in ("1234", "1234-5678-000a", "123456780001", "1234-5678-00011"):
        assert system.call(creator, "POST", f"/fastcheck/{number}/cancel").status_code == 400, number
        assert system.call(creator, "GET", f"/fastcheck/{number}/qr.svg").status_code == 400, number
