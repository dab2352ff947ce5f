"""Rotation of the keys that encrypt codes: all codes are renewed, then the old key can be removed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from structlog.testing import CapturingLogger

from services.checks import log_events
from services.checks.codes import service, tasks
from services.checks.codes.vault import CodeVault
from services.checks.context import Context
from services.checks.lifecycle import tasks as lifecycle
from tests.integration.checks.checks_system import ChecksSystem

START = (datetime(2000, 1, 1, tzinfo=UTC), UUID(int=0))


def _key() -> str:
    return Fernet.generate_key().decode()


class Keys:
    """The keys with which checks runs. Each change replaces the context, as a restart would."""

    def __init__(self, system: ChecksSystem) -> None:
        self._system = system
        self.in_use = [system.context.settings.code_keys.get_secret_value()]

    def add_newest(self) -> None:
        self.in_use.insert(0, _key())
        self._restart()

    def drop_old(self) -> None:
        del self.in_use[1:]
        self._restart()

    def _restart(self) -> None:
        self._system.context = replace(self._system.context, codes=CodeVault(",".join(self.in_use)))
        self._system.app.extensions["context"] = self._system.context


@pytest.fixture
def keys(system: ChecksSystem) -> Keys:
    return Keys(system)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    """Return what the task logs."""
    logger = CapturingLogger()
    monkeypatch.setattr(tasks, "log", logger)
    return logger


def _count_left(context: Context) -> int:
    return service.count_under_old_keys(context)


def test_renewed_codes_open_after_the_old_key_is_removed(system: ChecksSystem, keys: Keys) -> None:
    creator = system.new_user(10_000)
    checks = [system.create(creator, 100 + n) for n in range(5)]
    keys.add_newest()
    young = system.create(creator, 500)
    assert _count_left(system.context) == 5
    tasks.renew_codes(system.context)
    assert _count_left(system.context) == 0
    keys.drop_old()
    assert {(c["fastcheck"], c["code"]) for c in system.active(creator)} == {
        (c["fastcheck"], c["code"]) for c in [*checks, young]
    }
    for check in checks:
        assert system.accept(system.new_user(), check).status_code == 200


def test_second_run_changes_nothing(system: ChecksSystem, keys: Keys) -> None:
    creator = system.new_user(1_000)
    check = system.create(creator)
    keys.add_newest()
    tasks.renew_codes(system.context)
    renewed = system.stored(check)
    tasks.renew_codes(system.context)
    assert system.stored(check) == renewed


def test_renewal_changes_only_the_ciphertext(system: ChecksSystem, keys: Keys) -> None:
    check = system.create(system.new_user(1_000), note="for you")
    before = system.stored(check)
    keys.add_newest()
    tasks.renew_codes(system.context)
    after = system.stored(check)
    assert after.pop("code_ciphertext") != before.pop("code_ciphertext")
    assert after == before


def test_next_batch_continues_after_the_last_one(
    system: ChecksSystem, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    creator = system.new_user(10_000)
    for _ in range(7):
        system.create(creator, 100)
    keys.add_newest()
    first = service.renew_codes(system.context, START, 3)
    assert (first.renewed, first.unreadable, _count_left(system.context)) == (3, 0, 4)
    monkeypatch.setattr(tasks, "BATCH_SIZE", 2)
    monkeypatch.setattr(tasks, "BATCHES_PER_RUN", 1)
    tasks.renew_codes(system.context)
    assert _count_left(system.context) == 2, "one run handles a bounded number of batches"
    tasks.renew_codes(system.context)
    assert _count_left(system.context) == 0


def test_locked_check_is_renewed_by_the_next_run(system: ChecksSystem, keys: Keys) -> None:
    creator = system.new_user(10_000)
    locked, free = system.create(creator), system.create(creator)
    keys.add_newest()
    with system.context.db.transaction() as tx:
        tx.execute(
            text("SELECT 1 FROM checks WHERE check_id = :id FOR UPDATE"), {"id": system.stored(locked)["check_id"]}
        )
        tasks.renew_codes(system.context)
        assert _count_left(system.context) == 1
    tasks.renew_codes(system.context)
    keys.drop_old()
    assert system.accept(system.new_user(), locked).status_code == 200
    assert system.accept(system.new_user(), free).status_code == 200


def test_renewal_concurrent_with_accepts_and_code_changes_loses_no_code(system: ChecksSystem, keys: Keys) -> None:
    creator = system.new_user(100_000)
    checks = [system.create(creator, 100) for _ in range(40)]
    keys.add_newest()

    def change(check: dict[str, str]) -> dict[str, str]:
        response = system.call(creator, "POST", f"/fastcheck/{check['fastcheck']}/code")
        assert response.status_code == 200
        return {"fastcheck": check["fastcheck"], "code": response.get_json()["code"]}

    with ThreadPoolExecutor(6) as threads:
        renewing = [threads.submit(tasks.renew_codes, system.context) for _ in range(4)]
        accepted = list(threads.map(lambda check: system.accept(system.new_user(), check).status_code, checks[:20]))
        changed = list(threads.map(change, checks[20:]))
        for run in renewing:
            run.result()
    assert accepted == [200] * 20
    tasks.renew_codes(system.context)
    assert _count_left(system.context) == 0
    keys.drop_old()
    assert [system.accept(system.new_user(), check).status_code for check in changed] == [200] * 20
    assert system.escrow_balance() == 0


def test_ciphertext_without_a_key_id_is_renewed(system: ChecksSystem, keys: Keys) -> None:
    check = system.create(system.new_user(1_000))
    check_id = system.stored(check)["check_id"]
    bare = Fernet(keys.in_use[0]).encrypt(check_id.bytes + check["code"].encode())
    system.rows("UPDATE checks SET code_ciphertext = :bare RETURNING 1", bare=bare)
    assert system.preview(system.new_user(), check).status_code == 200
    assert _count_left(system.context) == 1
    tasks.renew_codes(system.context)
    assert _count_left(system.context) == 0
    assert system.accept(system.new_user(), check).status_code == 200


def test_code_that_no_key_opens_is_logged_and_the_others_are_renewed(
    system: ChecksSystem, keys: Keys, logged: CapturingLogger
) -> None:
    creator = system.new_user(10_000)
    broken, good = system.create(creator), system.create(creator)
    system.rows(
        "UPDATE checks SET code_ciphertext = :lost WHERE check_id = :id RETURNING 1",
        lost=CodeVault(_key()).seal(system.stored(broken)["check_id"], "1234"),
        id=system.stored(broken)["check_id"],
    )
    keys.add_newest()
    tasks.renew_codes(system.context)
    assert [(call.method_name, call.args[0], call.kwargs) for call in logged.calls] == [
        ("info", log_events.CODES_RENEWED, {"renewed": 1, "under_old_keys": 1}),
        ("error", log_events.CODES_UNREADABLE, {"checks": 1}),
    ]
    keys.drop_old()
    assert system.accept(system.new_user(), good).status_code == 200


def test_log_of_a_renewal_contains_no_code(system: ChecksSystem, keys: Keys, logged: CapturingLogger) -> None:
    creator = system.new_user(10_000)
    codes = {system.create(creator, 100)["code"] for _ in range(20)}
    keys.add_newest()
    tasks.renew_codes(system.context)
    (call,) = logged.calls
    assert call.kwargs == {"renewed": 20, "under_old_keys": 0}
    assert not codes & {str(value) for value in (*call.args, *call.kwargs.values())}


def test_ended_check_with_a_removed_key_is_reported_as_unknown(system: ChecksSystem, keys: Keys) -> None:
    """The response is that for a wrong code, not an internal error."""
    creator, recipient = system.new_user(10_000), system.new_user()
    used = system.create(creator)
    assert system.accept(recipient, used).status_code == 200
    keys.add_newest()
    tasks.renew_codes(system.context)
    assert system.accept(recipient, used).get_json()["code"] == "check_used"
    keys.drop_old()
    response = system.accept(recipient, used)
    assert (response.status_code, response.get_json()["code"]) == (404, "check_not_found")


def test_check_with_a_removed_key_expires_and_returns_its_money(system: ChecksSystem, keys: Keys) -> None:
    """An accept fails with an internal error, which does not count as an attempt."""
    creator = system.new_user(1_000)
    check = system.create(creator, 1_000, expiresIn=60)
    keys.add_newest()
    keys.drop_old()
    system.app.config["PROPAGATE_EXCEPTIONS"] = False
    body = {"fastcheck": check["fastcheck"], "code": check["code"]}
    response = system.call(uuid4(), "POST", "/fastcheck/accept", body)
    assert response.status_code == 500
    assert system.stored(check)["failed_attempts"] == 0
    system.clock.move(seconds=61)
    assert lifecycle.expire_due_checks(system.context) == 1
