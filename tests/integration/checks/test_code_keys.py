"""Keys of codes are changed while checks live: all codes follow, and the old key can go."""

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
from tests.integration.checks.world import World

START = (datetime(2000, 1, 1, tzinfo=UTC), UUID(int=0))


def _key() -> str:
    return Fernet.generate_key().decode()


class Keys:
    """The keys that the processes of checks have."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.in_use = [world.context.settings.code_keys.get_secret_value()]

    def put_in_front(self) -> None:
        self.in_use.insert(0, _key())
        self._restart()

    def drop_old(self) -> None:
        del self.in_use[1:]
        self._restart()

    def _restart(self) -> None:
        self._world.context = replace(self._world.context, codes=CodeVault(",".join(self.in_use)))
        self._world.app.extensions["context"] = self._world.context


@pytest.fixture
def keys(world: World) -> Keys:
    return Keys(world)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    """What the task says."""
    logger = CapturingLogger()
    monkeypatch.setattr(tasks, "log", logger)
    return logger


def _left(context: Context) -> int:
    return service.count_under_old_keys(context)


def test_codes_follow_the_key_and_the_old_one_can_go(world: World, keys: Keys) -> None:
    anna = world.person(10_000)
    checks = [world.create(anna, 100 + n) for n in range(5)]
    keys.put_in_front()
    young = world.create(anna, 500)
    assert _left(world.context) == 5
    tasks.renew_codes(world.context)
    assert _left(world.context) == 0
    keys.drop_old()
    assert {(c["fastcheck"], c["code"]) for c in world.active(anna)} == {
        (c["fastcheck"], c["code"]) for c in [*checks, young]
    }
    for check in checks:
        assert world.accept(world.person(), check).status_code == 200


def test_a_second_run_changes_nothing(world: World, keys: Keys) -> None:
    anna = world.person(1_000)
    check = world.create(anna)
    keys.put_in_front()
    tasks.renew_codes(world.context)
    renewed = world.stored(check)
    tasks.renew_codes(world.context)
    assert world.stored(check) == renewed


def test_only_the_ciphertext_changes(world: World, keys: Keys) -> None:
    check = world.create(world.person(1_000), note="for you")
    before = world.stored(check)
    keys.put_in_front()
    tasks.renew_codes(world.context)
    after = world.stored(check)
    assert after.pop("code_ciphertext") != before.pop("code_ciphertext")
    assert after == before


def test_a_batch_ends_and_the_next_goes_on(world: World, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = world.person(10_000)
    for _ in range(7):
        world.create(anna, 100)
    keys.put_in_front()
    first = service.renew_codes(world.context, START, 3)
    assert (first.renewed, first.unreadable, _left(world.context)) == (3, 0, 4)
    monkeypatch.setattr(tasks, "BATCH_SIZE", 2)
    monkeypatch.setattr(tasks, "BATCHES_PER_RUN", 1)
    tasks.renew_codes(world.context)
    assert _left(world.context) == 2, "a run has an end"
    tasks.renew_codes(world.context)
    assert _left(world.context) == 0


def test_what_somebody_has_locked_is_left_for_the_next_run(world: World, keys: Keys) -> None:
    anna = world.person(10_000)
    locked, free = world.create(anna), world.create(anna)
    keys.put_in_front()
    with world.context.db.transaction() as tx:
        tx.execute(
            text("SELECT 1 FROM checks WHERE check_id = :id FOR UPDATE"), {"id": world.stored(locked)["check_id"]}
        )
        tasks.renew_codes(world.context)
        assert _left(world.context) == 1
    tasks.renew_codes(world.context)
    keys.drop_old()
    assert world.accept(world.person(), locked).status_code == 200
    assert world.accept(world.person(), free).status_code == 200


def test_runs_beside_accepting_and_changing_codes_lose_nothing(world: World, keys: Keys) -> None:
    anna = world.person(100_000)
    checks = [world.create(anna, 100) for _ in range(40)]
    keys.put_in_front()

    def change(check: dict[str, str]) -> dict[str, str]:
        answer = world.call(anna, "POST", f"/fastcheck/{check['fastcheck']}/code")
        assert answer.status_code == 200
        return {"fastcheck": check["fastcheck"], "code": answer.get_json()["code"]}

    with ThreadPoolExecutor(6) as threads:
        renewing = [threads.submit(tasks.renew_codes, world.context) for _ in range(4)]
        accepted = list(threads.map(lambda check: world.accept(world.person(), check).status_code, checks[:20]))
        changed = list(threads.map(change, checks[20:]))
        for run in renewing:
            run.result()
    assert accepted == [200] * 20
    tasks.renew_codes(world.context)
    assert _left(world.context) == 0
    keys.drop_old()
    assert [world.accept(world.person(), check).status_code for check in changed] == [200] * 20
    assert world.money_in_escrow() == 0


def test_what_was_written_before_keys_had_names_is_renewed_too(world: World, keys: Keys) -> None:
    check = world.create(world.person(1_000))
    check_id = world.stored(check)["check_id"]
    bare = Fernet(keys.in_use[0]).encrypt(check_id.bytes + check["code"].encode())
    world.rows("UPDATE checks SET code_ciphertext = :bare RETURNING 1", bare=bare)
    assert world.preview(world.person(), check).status_code == 200
    assert _left(world.context) == 1
    tasks.renew_codes(world.context)
    assert _left(world.context) == 0
    assert world.accept(world.person(), check).status_code == 200


def test_a_code_that_no_key_opens_is_told_and_does_not_hold_up_the_rest(
    world: World, keys: Keys, logged: CapturingLogger
) -> None:
    anna = world.person(10_000)
    broken, good = world.create(anna), world.create(anna)
    world.rows(
        "UPDATE checks SET code_ciphertext = :lost WHERE check_id = :id RETURNING 1",
        lost=CodeVault(_key()).seal(world.stored(broken)["check_id"], "1234"),
        id=world.stored(broken)["check_id"],
    )
    keys.put_in_front()
    tasks.renew_codes(world.context)
    assert [(call.method_name, call.args[0], call.kwargs) for call in logged.calls] == [
        ("info", log_events.CODES_RENEWED, {"renewed": 1, "under_old_keys": 1}),
        ("error", log_events.CODES_UNREADABLE, {"checks": 1}),
    ]
    keys.drop_old()
    assert world.accept(world.person(), good).status_code == 200


def test_no_code_is_in_the_log(world: World, keys: Keys, logged: CapturingLogger) -> None:
    anna = world.person(10_000)
    codes = {world.create(anna, 100)["code"] for _ in range(20)}
    keys.put_in_front()
    tasks.renew_codes(world.context)
    (call,) = logged.calls
    assert call.kwargs == {"renewed": 20, "under_old_keys": 0}
    assert not codes & {str(said) for said in (*call.args, *call.kwargs.values())}


def test_a_check_that_is_over_needs_no_key(world: World, keys: Keys) -> None:
    """Who tries an old number after the key has gone is told what a wrong code is told, not that we are broken."""
    anna, boris = world.person(10_000), world.person()
    used = world.create(anna)
    assert world.accept(boris, used).status_code == 200
    keys.put_in_front()
    tasks.renew_codes(world.context)
    assert world.accept(boris, used).get_json()["code"] == "check_used"
    keys.drop_old()
    answer = world.accept(boris, used)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "check_not_found")


def test_the_money_of_a_check_whose_key_is_lost_is_safe(world: World, keys: Keys) -> None:
    """A key that goes too early is our fault: nobody's attempts are counted for it, and the check expires as any."""
    anna = world.person(1_000)
    check = world.create(anna, 1_000, expiresIn=60)
    keys.put_in_front()
    keys.drop_old()
    world.app.config["PROPAGATE_EXCEPTIONS"] = False
    body = {"fastcheck": check["fastcheck"], "code": check["code"]}
    answer = world.call(uuid4(), "POST", "/fastcheck/accept", body)
    assert answer.status_code == 500
    assert world.stored(check)["failed_attempts"] == 0
    world.clock.move(seconds=61)
    assert lifecycle.expire_due_checks(world.context) == 1
